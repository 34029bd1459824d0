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


def found(*routes: dict[str, Any], watched: bool = False) -> dict[str, Any]:
    return {"watched": watched, "routes": list(routes)}


TIERS = expected(route(1, dsl=5, cable=3), route(2, lte=1))
SHOULD = "where the inventory has dsl 5, cable 3 (metric 1), then lte (metric 2)"


def test_routes_as_the_inventory_has_them() -> None:
    assert report(found(route(2, lte=1), route(1, cable=3, dsl=5)), TIERS, "colo") == []


def test_a_weight_that_one_end_has_otherwise() -> None:
    assert report(found(route(1, dsl=5, cable=1), route(2, lte=1)), TIERS, "colo") == [
        f"colo sends 203.0.113.10/32 by dsl 5, cable 1 (metric 1), then lte (metric 2) {SHOULD}"
    ]


def test_a_metric_that_one_end_has_otherwise() -> None:
    assert report(found(route(1, dsl=1), route(2, cable=3, lte=1)), TIERS, "office") == [
        f"office sends 203.0.113.10/32 by dsl (metric 1), then cable 3, lte 1 (metric 2) {SHOULD}"
    ]


def test_no_route_at_all() -> None:
    (sentence,) = report(found(), TIERS, "colo")
    assert sentence.startswith("colo sends 203.0.113.10/32 by nothing where the inventory has dsl 5")


def test_destinations_with_the_same_difference_share_a_sentence() -> None:
    names = [f"203.0.113.{number}/32" for number in range(10, 15)]
    wanted = expected(*(route(1, name, dsl=2, cable=1) for name in names))
    (sentence,) = report(found(*(route(1, name, dsl=1, cable=1) for name in names)), wanted, "colo")
    assert sentence.startswith(
        "colo sends 203.0.113.10/32, 203.0.113.11/32, 203.0.113.12/32 and 2 more by dsl 1, cable 1"
    )


def test_other_tables_and_a_last_resort_are_not_looked_at() -> None:
    last = {**route(4278198272), "type": "unreachable", "nexthops": []}
    held = [route(1, dsl=5, cable=3), route(2, lte=1), last, route(1, table=4200, dsl=1)]
    assert report(found(*held), TIERS, "office") == []


def test_a_device_that_the_inventory_does_not_know_is_named() -> None:
    wanted = expected(route(1, dsl=1, cable=1))
    stranger = {**route(1), "nexthops": [{"device": "eth0"}, {"device": "ex1-dsl", "weight": 1}]}
    (sentence,) = report(found(stranger), wanted, "colo")
    assert "by dsl 1, eth0 1 (metric 1)" in sentence


# --- while BIRD watches ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "alive"),
    [
        ({"dsl": 5, "cable": 3}, ["dsl", "cable", "lte"]),
        ({"dsl": 1}, ["dsl", "lte"]),
        ({"lte": 1}, ["lte"]),
        ({}, []),
    ],
)
def test_the_live_links_of_the_best_live_tier_are_enough(held: dict[str, int], alive: list[str]) -> None:
    routes = [route(32, "203.0.113.10/32", 4200, **held)] if held else []
    assert report(found(*routes, watched=True), TIERS, "colo", alive) == []


def test_bird_s_weights_are_compared_too() -> None:
    held = found(route(32, table=4200, dsl=5, cable=1), watched=True)
    assert report(held, TIERS, "colo") == [
        "colo sends 203.0.113.10/32 by dsl 5, cable 1 where the inventory has dsl 5, cable 3 (metric 1)"
    ]


def test_a_link_that_works_and_is_not_used_is_told() -> None:
    held = found(route(32, table=4200, dsl=1), watched=True)
    assert report(held, TIERS, "office", ["dsl", "cable"]) == [
        "office sends 203.0.113.10/32 by dsl where the inventory has dsl 5, cable 3 (metric 1)"
    ]


def test_a_link_of_a_later_tier_that_is_used_is_told() -> None:
    held = found(route(32, table=4200, dsl=5, cable=3, lte=1), watched=True)
    (sentence,) = report(held, TIERS, "office")
    assert sentence.startswith("office sends 203.0.113.10/32 by dsl 5, cable 3, lte 1 where")


def test_static_routes_do_not_count_while_bird_watches() -> None:
    (sentence,) = report(found(route(1, dsl=5, cable=3), watched=True), TIERS, "colo")
    assert "by nothing where" in sentence
