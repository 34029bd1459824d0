# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._bind import (
    bind,
    devices_of,
    hold_sources,
    is_open,
    reserved,
)

STATE: dict[str, Any] = {
    "customer": "acme",
    "site": "office",
    "links": [{"wan": "dsl", "interface": "ppp*"}, {"wan": "cable", "interface": "eth1", "address": "198.51.100.2"}],
    "tunnels": [
        {"name": "ex-dsl", "local": "{dsl.address}", "remote": "203.0.113.2", "device": "{dsl.device}"},
        {"name": "ex-cable", "local": "198.51.100.2", "remote": "203.0.113.2", "device": "eth1"},
    ],
    "groups": [{"device": "{dsl.device}", "group": 4200}, {"device": "eth1", "group": 4200}],
    "addresses": [
        {"device": "ex-dsl", "address": "10.254.0.1/31"},
        {"device": "ex-cable", "address": "10.254.0.3/31"},
        {"device": "lo", "address": "203.0.113.10/32"},
    ],
    "proxies": [],
    "routes": [
        {"destination": "{dsl.network}", "table": 4221, "nexthops": [{"device": "{dsl.device}"}]},
        {"destination": "{dsl.gateway}/32", "table": 4221, "nexthops": [{"device": "{dsl.device}"}]},
        {"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "ex-dsl"}, {"device": "ex-cable"}]},
        {"destination": "203.0.113.11/32", "table": 4200, "nexthops": [{"device": "lan0"}]},
        {"destination": "0.0.0.0/0", "table": 4218, "type": "unreachable", "nexthops": []},
    ],
    "rules": [
        {"priority": 4230, "table": 4221, "source": "{dsl.address}/32"},
        {"priority": 4230, "table": 4222, "source": "198.51.100.2/32"},
    ],
    "sysctls": [
        {"name": "net/ipv4/conf/{dsl.device}/rp_filter", "value": "2"},
        {"name": "net/ipv4/conf/ex-dsl/rp_filter", "value": "2"},
        {"name": "net/ipv4/ip_forward", "value": "1"},
    ],
    "chains": [
        {
            "name": "EXTRUDE-POSTROUTING",
            "rules": ["-o {dsl.device} -j SNAT --to-source {dsl.address}", "-o eth1 -j SNAT --to-source 198.51.100.2"],
        }
    ],
    "files": [{"path": "bird.conf", "content": "a {\n  x {dsl.address};\n}\n"}],
    "expects": [{"device": "eth1", "address": "198.51.100.2"}],
}
UP = {"dsl.device": "ppp3", "dsl.address": "100.64.0.7", "dsl.gateway": "100.64.0.1", "dsl.network": "100.64.0.1/32"}


def test_placeholders_of_a_link_that_is_up_are_filled_wherever_they_stand() -> None:
    bound = bind(STATE, UP)
    assert bound["tunnels"][0] == {
        "name": "ex-dsl",
        "local": "100.64.0.7",
        "remote": "203.0.113.2",
        "device": "ppp3",
    }
    assert bound["groups"][0] == {"device": "ppp3", "group": 4200}
    assert bound["rules"][0]["source"] == "100.64.0.7/32"
    assert bound["sysctls"][0]["name"] == "net/ipv4/conf/ppp3/rp_filter"
    assert bound["chains"][0]["rules"][0] == "-o ppp3 -j SNAT --to-source 100.64.0.7"
    assert bound["files"][0]["content"] == "a {\n  x 100.64.0.7;\n}\n"
    assert "{" not in str(bound["routes"]).replace("{'", "")
    assert "links" not in bound


def test_routes_that_become_the_same_are_one() -> None:
    """The far end of a point-to-point link is its network and its gateway."""
    destinations = [route["destination"] for route in bind(STATE, UP)["routes"] if route["table"] == 4221]
    assert destinations == ["100.64.0.1/32"]


def test_what_needs_a_link_that_is_down_is_left_out_and_what_stands_on_its_tunnel_too() -> None:
    bound = bind(STATE, {})
    assert [tunnel["name"] for tunnel in bound["tunnels"]] == ["ex-cable"]
    assert bound["groups"] == [{"device": "eth1", "group": 4200}]
    assert [item["device"] for item in bound["addresses"]] == ["ex-cable", "lo"]
    assert [(route["destination"], route["nexthops"]) for route in bound["routes"]] == [
        ("0.0.0.0/0", [{"device": "ex-cable"}]),
        ("203.0.113.11/32", [{"device": "lan0"}]),
        ("0.0.0.0/0", []),
    ]
    assert [rule["table"] for rule in bound["rules"]] == [4222]
    assert [sysctl["name"] for sysctl in bound["sysctls"]] == ["net/ipv4/ip_forward"]
    assert bound["chains"][0]["rules"] == ["-o eth1 -j SNAT --to-source 198.51.100.2"]
    assert bound["files"][0]["content"] == "a {\n}\n"


def test_a_state_without_placeholders_is_taken_as_it_is() -> None:
    closed = {"customer": "acme", "site": "office", "chains": [{"rules": ["--comment {dsl.address}"]}]}
    assert not is_open(closed)
    assert bind(closed, {}) == closed


def test_a_static_link_without_a_tunnel_may_have_lines_while_it_is_up() -> None:
    link = {"wan": "own", "interface": "own0", "address": "100.64.9.2"}
    state = {"links": [link], "files": [{"path": "a", "content": "a\nb {own.device}\n"}]}
    assert not is_open(state)
    opened = {**state, "links": [{**link, "use": "direct"}]}
    assert is_open(opened)
    assert bind(opened, {"own.device": "own0"})["files"][0]["content"] == "a\nb own0\n"
    assert bind(opened, {})["files"][0]["content"] == "a\n"


def test_an_endpoint_is_filled_at_the_colo() -> None:
    state = {"endpoints": ["dsl"], "tunnels": [{"name": "ex1-dsl", "remote": "{dsl.endpoint}"}]}
    assert is_open(state)
    assert bind(state, {"dsl.endpoint": "100.64.0.7"}) == {
        "tunnels": [{"name": "ex1-dsl", "remote": "100.64.0.7"}],
        "addresses": [],
        "groups": [],
        "delays": [],
        "shapers": [],
        "redirects": [],
        "proxies": [],
        "routes": [],
        "sysctls": [],
    }


@pytest.mark.parametrize(
    ("absent", "down", "tunnels", "hops"),
    [
        ({"eth1"}, (), ["ex-dsl"], [["ppp3"], ["ex-dsl"], ["lan0"], []]),
        ((), {"lan0"}, ["ex-dsl", "ex-cable"], [["ppp3"], ["ex-dsl", "ex-cable"], []]),
        ({"lan0", "eth1"}, (), ["ex-dsl"], [["ppp3"], ["ex-dsl"], []]),
        ((), {"ex-cable"}, ["ex-dsl", "ex-cable"], [["ppp3"], ["ex-dsl", "ex-cable"], ["lan0"], []]),
    ],
)
def test_nothing_stands_on_a_device_that_is_absent_and_no_next_hop_on_one_that_is_down(
    absent: set[str], down: set[str], tunnels: list[str], hops: list[list[str]]
) -> None:
    bound = bind(STATE, UP, absent, down)
    assert [tunnel["name"] for tunnel in bound["tunnels"]] == tunnels
    assert [[hop["device"] for hop in route["nexthops"]] for route in bound["routes"]] == hops


def test_the_devices_of_a_state_are_those_that_it_does_not_make() -> None:
    assert devices_of(STATE) == {"eth1", "lan0"}


def test_a_preferred_source_that_the_host_does_not_have_yet_is_left_out() -> None:
    sources = ["203.0.113.2", "203.0.113.10", "198.51.100.9", "2001:db8::1", None]
    state = {
        "addresses": [{"device": "lo", "address": "203.0.113.10/32"}],
        "routes": [{"destination": "192.0.2.0/24", "metric": n, "source": text} for n, text in enumerate(sources)],
    }
    routes = hold_sources(state, {"203.0.113.2"})["routes"]
    assert [route["source"] for route in routes] == ["203.0.113.2", "203.0.113.10", None, "2001:db8::1", None]
    assert [route["metric"] for route in routes] == [0, 1, 2, 3, 4]


def test_binding_leaves_the_state_as_it_was() -> None:
    before = str(STATE)
    bind(STATE, UP, {"eth1"}, {"lan0"})
    assert str(STATE) == before


def test_what_no_link_may_have_been_given() -> None:
    state = {
        "addresses": [{"device": "lo", "address": "203.0.113.10/32"}, {"device": "ex-dsl", "address": "fd00::1/127"}],
        "rules": [{"source": "203.0.113.64/28"}, {"source": "{dsl.address}/32"}, {"source": "0.0.0.0/32"}, {}],
        "tunnels": [{"name": "ex-dsl", "remote": "203.0.113.2"}, {"remote": "oops"}],
    }
    assert [str(network) for network in reserved(state)] == ["203.0.113.10/32", "203.0.113.2/32", "203.0.113.64/28"]
