# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import nexthop, route, tier_weights, tiers
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Wan
from tests.unit.plugins.plugin_utils.samples import cable, dsl, reader


def wans(*links: dict[str, Any]) -> tuple[Wan, ...]:
    return read_wans(reader({"extrude_wans": list(links)}))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({}, {}, [1, 1]),
        ({"up": 40}, {"up": 10}, [4, 1]),
        ({"up": 40}, {}, [1, 1]),  # half of the rates say nothing
        ({"weight": 3}, {}, [3, 1]),
        ({"weight": 3}, {"weight": 2, "up": 40}, [3, 2]),
        ({"up": 40, "weight": 7}, {"up": 10}, [7, 1]),
        ({"down": 40}, {"down": 10}, [1, 1]),
    ],
)
def test_weights_of_a_tier(first: dict[str, Any], second: dict[str, Any], expected: list[int]) -> None:
    assert tier_weights(wans(dsl(**first), cable(**second)), "up") == expected


def test_down_has_weights_of_its_own() -> None:
    assert tier_weights(wans(dsl(up=1, down=9), cable(up=9, down=3)), "down") == [3, 1]


def test_tiers_come_by_metric_and_weigh_among_themselves() -> None:
    links = wans(dsl(metric=5, up=10), cable(up=10), dsl(name="lte", interface="lte0", metric=5, up=30))
    found = [(metric, [(wan.name, weight) for wan, weight in tier]) for metric, tier in tiers(links, "up")]
    assert found == [(1, [("cable", 1)]), (5, [("dsl", 1), ("lte", 3)])]


def test_only_ipv6_legs_have_gateways() -> None:
    assert nexthop("ex-dsl", 2, "10.254.0.0", 4) == {"device": "ex-dsl", "weight": 2}
    assert nexthop("ex-dsl", 2, "fd00::", 6) == {"device": "ex-dsl", "weight": 2, "gateway": "fd00::"}


def test_what_a_route_does_not_have_is_left_out() -> None:
    assert route("::/0", 1, [], scope=None, metric=3) == {
        "destination": "::/0",
        "table": 1,
        "nexthops": [],
        "metric": 3,
    }
