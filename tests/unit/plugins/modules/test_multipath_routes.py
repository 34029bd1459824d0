# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.netns import ip, output

Run = Callable[..., dict[str, Any]]
ROUTES = [
    {
        "destination": "0.0.0.0/0",
        "table": 4200,
        "nexthops": [{"device": "a0", "weight": 2}, {"device": "b0", "gateway": "10.2.0.9"}],
    },
    {"destination": "2001:db8:9::/48", "table": 4200, "type": "unreachable"},
]


def table() -> str:
    return output("ip", "route", "show", "table", "4200") + output("ip", "-6", "route", "show", "table", "4200")


def test_routes_are_made_once(run: Run) -> None:
    result = run("multipath_routes", customer="acme", routes=ROUTES)
    assert [operation["text"] for operation in result["operations"]] == [
        "add route 0.0.0.0/0 table 4200 metric 0 dev a0 weight 2 via 10.2.0.9 dev b0 weight 1",
        "add unreachable route 2001:db8:9::/48 table 4200 metric 1024",
    ]
    assert result["changed"] is True
    assert "nexthop dev a0 weight 2" in table()
    again = run("multipath_routes", customer="acme", routes=ROUTES)
    assert (again["changed"], again["operations"], again["diff"]) == (False, [], {"before": "", "after": ""})


def test_the_diff_shows_what_changes_and_nothing_else(run: Run) -> None:
    run("multipath_routes", customer="acme", routes=ROUTES)
    heavier = [{**ROUTES[0], "nexthops": [{"device": "a0"}]}, ROUTES[1]]
    diff = run("multipath_routes", customer="acme", routes=heavier)["diff"]
    assert diff == {
        "before": "routes: destination=0.0.0.0/0 table=4200 metric=0 type=unicast scope=global"
        ' nexthops=[{"device": "a0", "weight": 2}, {"device": "b0", "gateway": "10.2.0.9", "weight": 1}]\n',
        "after": "routes: destination=0.0.0.0/0 table=4200 metric=0 type=unicast scope=link"
        ' nexthops=[{"device": "a0", "weight": 1}]\n',
    }


def test_only_purge_removes_what_is_not_listed(run: Run) -> None:
    run("multipath_routes", customer="acme", routes=ROUTES)
    assert run("multipath_routes", customer="acme", routes=ROUTES[:1])["operations"] == []
    other_site = run("multipath_routes", customer="acme", site="x", routes=[], purge=True)
    assert other_site["operations"] == []
    gone = run("multipath_routes", customer="acme", routes=ROUTES[:1], purge=True)
    assert [operation["action"] for operation in gone["operations"]] == ["delete"]
    assert gone["operations"][0]["before"]["type"] == "unreachable"
    assert gone["operations"][0]["after"] is None


def test_the_administrators_route_is_never_taken_over(run: Run) -> None:
    ip("route add 198.18.0.0/15 via 10.1.0.9")
    result = run("multipath_routes", customer="acme", routes=[{"destination": "198.18.0.0/15", "type": "blackhole"}])
    assert result["failed"]
    assert result["msg"] == (
        "route 198.18.0.0/15 table 254 metric 0 via 10.1.0.9 dev a0 weight 1 stands where only ours may"
        " and was made by hand at boot (protocol 3)"
    )


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ({"destination": "198.18.0.1/15", "type": "blackhole"}, "routes[0].destination: '198.18.0.1/15' is no prefix"),
        ({"destination": "198.18.0.0/15"}, "routes[0].nexthops: a unicast route needs at least one"),
        (
            {"destination": "198.18.0.0/15", "nexthops": [{"device": "c0"}]},
            "route 198.18.0.0/15 table 254 metric 0 dev c0 weight 1: there is no device c0 on this host",
        ),
        (
            {"destination": "198.18.0.0/15", "nexthops": [{"device": "a0", "gateway": "192.0.2.1"}]},
            "cannot add route 198.18.0.0/15 table 254 metric 0 via 192.0.2.1 dev a0 weight 1: a gateway is not",
        ),
    ],
)
def test_bad_routes_are_one_sentence(run: Run, route: dict[str, Any], message: str) -> None:
    result = run("multipath_routes", customer="acme", routes=[route])
    assert result["failed"]
    assert result["msg"].startswith(message)
    assert "exception" not in result
