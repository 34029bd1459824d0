# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._route_report import report

WANS = {"ex1-dsl": "dsl", "ex1-cable": "cable", "ex1-lte": "lte"}


def route(metric: int, destination: str = "203.0.113.10/32", table: int = 4217, **weights: int) -> dict[str, Any]:
    hops = [{"device": f"ex1-{wan}", "weight": weight} for wan, weight in weights.items()]
    return {"destination": destination, "table": table, "metric": metric, "type": "unicast", "nexthops": hops}


def expected(*routes: dict[str, Any]) -> dict[str, Any]:
    return {"live": 4200, "table": 4217, "wans": WANS, "routes": list(routes)}


def found(*routes: dict[str, Any], watched: bool = True) -> dict[str, Any]:
    return {"watched": watched, "routes": list(routes)}


def live(destination: str = "203.0.113.10/32", /, **weights: int) -> dict[str, Any]:
    return route(32, destination, 4200, **weights)


TIERS = expected(route(1, dsl=5, cable=3), route(2, lte=1))
SHOULD = "where the inventory has dsl 5, cable 3 (metric 1)"


@pytest.mark.parametrize(
    ("weights", "alive"),
    [
        ({"dsl": 5, "cable": 3}, ["dsl", "cable", "lte"]),
        ({"dsl": 1}, ["dsl", "lte"]),
        ({"lte": 1}, ["lte"]),
        ({}, []),
    ],
)
def test_the_live_links_of_the_best_live_tier_are_enough(weights: dict[str, int], alive: list[str]) -> None:
    routes = [live(**weights)] if weights else []
    assert report(found(*routes), TIERS, "colo", alive) == []


def test_a_weight_that_one_end_has_otherwise() -> None:
    assert report(found(live(dsl=5, cable=1)), TIERS, "colo") == [
        f"colo sends 203.0.113.10/32 by dsl 5, cable 1 {SHOULD}"
    ]


def test_a_link_that_works_and_is_not_used_is_told() -> None:
    assert report(found(live(dsl=1)), TIERS, "office", ["dsl", "cable"]) == [
        f"office sends 203.0.113.10/32 by dsl {SHOULD}"
    ]


def test_a_link_of_a_later_tier_that_is_used_is_told() -> None:
    (sentence,) = report(found(live(dsl=5, cable=3, lte=1)), TIERS, "office")
    assert sentence == f"office sends 203.0.113.10/32 by dsl 5, cable 3, lte 1 {SHOULD}"


def test_no_route_at_all() -> None:
    assert report(found(), TIERS, "colo") == [f"colo sends 203.0.113.10/32 by nothing {SHOULD}"]


def test_the_weight_of_a_single_link_means_nothing() -> None:
    assert report(found(live(lte=7)), TIERS, "colo", ["lte"]) == []


def test_destinations_with_the_same_difference_share_a_sentence() -> None:
    names = [f"203.0.113.{number}/32" for number in range(10, 15)]
    wanted = expected(*(route(1, name, dsl=2, cable=1) for name in names))
    (sentence,) = report(found(*(live(name, dsl=1, cable=1) for name in names)), wanted, "colo")
    assert sentence.startswith(
        "colo sends 203.0.113.10/32, 203.0.113.11/32, 203.0.113.12/32 and 2 more by dsl 1, cable 1"
    )


def test_a_last_resort_is_not_looked_at() -> None:
    last = {**route(4278198272, table=4200), "type": "unreachable", "nexthops": []}
    assert report(found(live(dsl=5, cable=3), last), TIERS, "office") == []


def test_static_routes_do_not_count() -> None:
    (sentence,) = report(found(route(1, dsl=5, cable=3)), TIERS, "colo")
    assert "by nothing where" in sentence


def test_a_device_that_the_inventory_does_not_know_is_named() -> None:
    wanted = expected(route(1, dsl=1, cable=1))
    stranger = {**live(), "nexthops": [{"device": "eth0"}, {"device": "ex1-dsl", "weight": 1}]}
    (sentence,) = report(found(stranger), wanted, "colo")
    assert "by dsl 1, eth0 1 where" in sentence


def test_a_link_that_is_down_has_no_part_in_the_routes_of_its_end() -> None:
    assert report(found(live(cable=3)), TIERS, "office", down=["dsl", "lte"]) == []
    assert report(found(live(dsl=5, cable=3)), TIERS, "office", down=["lte"]) == []
    (sentence,) = report(found(live(cable=3)), TIERS, "office", down=["lte"])
    assert "by cable where" in sentence


def test_an_end_that_nobody_watches_is_told_whatever_its_routes_are() -> None:
    held = found(route(1, dsl=5, cable=3), live(dsl=5, cable=3), watched=False)
    assert report(held, TIERS, "colo") == ["colo does not watch its tunnels: extrude-bird.service is not up"]
    assert report(held, expected(), "colo") == []
