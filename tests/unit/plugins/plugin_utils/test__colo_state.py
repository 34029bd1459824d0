# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

from ansible_collections.multihome.extrude.plugins.module_utils._bind import bind
from ansible_collections.multihome.extrude.plugins.module_utils._model import State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, colo, dsl, office, run, run_all, shop

FILES = ["bird.conf", "bfd.d/acme.1.conf", "bird.d/acme.1.conf", "standby.d/acme.1.4"]
HOOKS = {
    ("raw", "PREROUTING"),
    ("mangle", "INPUT"),
    ("mangle", "FORWARD"),
    ("mangle", "POSTROUTING"),
    ("filter", "INPUT"),
    ("filter", "FORWARD"),
}

DSL_UP = {
    "dsl.device": "ppp0",
    "dsl.address": "100.64.0.7",
    "dsl.gateway": "100.64.0.1",
    "dsl.network": "100.64.0.1/32",
    "dsl.endpoint": "100.64.0.7",
}


def state(rack: Vars | None = None, **changes: Any) -> Vars:
    """Return the colo's state for the sample site with some changes, which the engine takes."""
    found: Vars = run(rack=rack, office=office(**changes))["colos"]["rack"][0]
    State.parse(bind(found, DSL_UP))
    return found


def test_the_whole_state() -> None:
    found = state()
    assert [file["path"] for file in found.pop("files")] == FILES
    assert {(chain["table"], chain["hook"]) for chain in found.pop("chains") if "hook" in chain} == HOOKS
    assert found == {
        "schema": 1,
        "customer": "acme",
        "site": "office",
        "renumber": False,
        "take_over": False,
        "tunnels": [
            {
                "name": "ex1-dsl",
                "local": "203.0.113.2",
                "remote": "192.0.2.2",
                "key": 17,
                "ttl": 64,
                "tos": 0,
                "pmtudisc": True,
                "mtu": 1472,
                "wan": "dsl",
            },
            {
                "name": "ex1-cable",
                "local": "203.0.113.2",
                "remote": "198.51.100.2",
                "key": 18,
                "ttl": 64,
                "tos": 0,
                "pmtudisc": True,
                "mtu": 1472,
                "wan": "cable",
            },
        ],
        "dummies": [{"name": "extrude0"}],
        "secret": {"site": "acme.1", "links": "*.1.acme.extrude"},
        "certificate": None,
        "connections": [],
        "groups": [{"device": "ex1-dsl", "group": 4201}, {"device": "ex1-cable", "group": 4201}],
        "delays": [],
        "addresses": [
            {"device": "ex1-dsl", "address": "10.254.0.0/31"},
            {"device": "ex1-cable", "address": "10.254.0.2/31"},
        ],
        "shapers": [],
        "redirects": [],
        "proxies": [
            {"device": "eth0", "address": "203.0.113.10"},
            {"device": "eth0", "address": "203.0.113.11"},
        ],
        "routes": [
            route
            for destination in ("203.0.113.10/32", "203.0.113.11/32")
            for route in (
                {
                    "destination": destination,
                    "table": 4217,
                    "metric": 1,
                    "source": "203.0.113.2",
                    "nexthops": [{"device": "ex1-dsl", "weight": 1}, {"device": "ex1-cable", "weight": 1}],
                },
                {"destination": destination, "table": 4218, "nexthops": [{"device": "extrude0", "weight": 1}]},
                {
                    "destination": destination,
                    "table": 4219,
                    "nexthops": [{"device": "ex1-dsl", "weight": 1}, {"device": "ex1-cable", "weight": 1}],
                    "lasting": True,
                },
            )
        ],
        "rules": [
            {"family": 4, "priority": 4205, "table": 4219, "mark": 0x3F000000, "mask": 0x3F000000},
            {"family": 4, "priority": 4290, "table": 4200},
            {"family": 4, "priority": 4291, "table": 4217, "standby": True},
            {"family": 4, "priority": 4292, "table": 4218},
        ],
        "sysctls": [
            {"name": "net/ipv4/ip_forward", "value": "1", "optional": False},
            {"name": "net/ipv4/fib_multipath_hash_policy", "value": "1", "optional": False},
            {"name": "net/ipv6/fib_multipath_hash_policy", "value": "1", "optional": True},
            {"name": "net/ipv4/rt_cache_rebuild_count", "value": "-1", "optional": True},
            {"name": "net/ipv4/conf/ex1-dsl/rp_filter", "value": "2", "optional": False},
            {"name": "net/ipv4/conf/ex1-cable/rp_filter", "value": "2", "optional": False},
            {"name": "net/ipv4/neigh/eth0/proxy_delay", "value": "0", "optional": False},
        ],
        "endpoints": [],
        "expects": [
            {"address": "203.0.113.2"},
            {"network": "203.0.113.10/32", "device": "eth0", "variable": "rack: extrude_colo_interface"},
            {"network": "203.0.113.11/32", "device": "eth0", "variable": "rack: extrude_colo_interface"},
        ],
        "reserved": {"tables": [*range(4200, 4220)], "priorities": [4200, 4299]},
    }


def test_the_colo_weighs_by_what_the_site_can_receive_and_keeps_tiers() -> None:
    lte = dsl(name="lte", interface="wwan0", address="192.0.2.9", metric=2)
    wans = [dsl(up=40, down=100), cable(up=50, down=500), lte]
    routes = state(extrude_wans=wans, extrude_addresses=["203.0.113.10"], extrude_lan=[])["routes"]
    assert [(route["metric"], route["nexthops"]) for route in routes if route["table"] == 4217] == [
        (1, [{"device": "ex1-dsl", "weight": 1}, {"device": "ex1-cable", "weight": 5}]),
        (2, [{"device": "ex1-lte", "weight": 1}]),
    ]


def test_ipv4_prefixes_are_proxied_one_by_one_and_ipv6_prefixes_not_at_all() -> None:
    addresses = ["203.0.113.16/30", "2001:db8:100::10", "2001:db8:100:1::/64"]
    found = state(extrude_addresses=addresses, extrude_lan=[{"interface": "lan0", "mode": "routed"}])
    assert [proxy["address"] for proxy in found["proxies"]] == [
        "203.0.113.16",
        "203.0.113.17",
        "203.0.113.18",
        "203.0.113.19",
        "2001:db8:100::10",
    ]
    assert [route["destination"] for route in found["routes"] if route["table"] == 4218] == [
        "203.0.113.16/30",
        "2001:db8:100::10/128",
        "2001:db8:100:1::/64",
    ]


def test_ipv6() -> None:
    found = state(extrude_addresses=["203.0.113.10", "2001:db8:100::10"], extrude_lan=[])
    assert found["addresses"][1] == {"device": "ex1-dsl", "address": "fd65:7874:7275::/127"}
    assert [
        route["nexthops"] for route in found["routes"] if ":" in route["destination"] and route["table"] != 4218
    ] == [
        [
            {"device": "ex1-dsl", "gateway": "fd65:7874:7275::1", "weight": 1},
            {"device": "ex1-cable", "gateway": "fd65:7874:7275:1::1", "weight": 1},
        ]
    ] * 2
    assert [rule["priority"] for rule in found["rules"] if rule["family"] == 6] == [4205, 4290, 4291, 4292]
    assert {item["name"]: item["value"] for item in found["sysctls"] if "ipv6" in item["name"]} == {
        "net/ipv6/conf/all/forwarding": "1",
        "net/ipv6/fib_multipath_hash_policy": "1",
        "net/ipv6/neigh/eth0/proxy_delay": "0",
        "net/ipv6/conf/eth0/proxy_ndp": "1",
    }
    hooked = [chain for chain in found["chains"] if chain["family"] == 6 and "hook" in chain]
    assert {(chain["table"], chain["hook"]) for chain in hooked} == HOOKS


def test_without_ipv6_its_settings_stay_as_they_are() -> None:
    assert [item["name"] for item in state()["sysctls"] if "ipv6" in item["name"]] == [
        "net/ipv6/fib_multipath_hash_policy"
    ]


def test_numbers_and_pools_of_the_colo() -> None:
    rack = colo(extrude_table=1000, extrude_rule_priority=100, extrude_inside_pool="10.0.0.0/16")
    found = state(rack)
    assert [(rule["priority"], rule["table"]) for rule in found["rules"]] == [
        (105, 1019),
        (190, 1000),
        (191, 1017),
        (192, 1018),
    ]
    assert {route["table"] for route in found["routes"]} == {1017, 1018, 1019}
    assert found["reserved"] == {"tables": [*range(1000, 1020)], "priorities": [100, 199]}
    assert found["addresses"][0] == {"device": "ex1-dsl", "address": "10.0.0.0/31"}


def test_the_rules_are_the_same_objects_in_the_states_of_all_sites() -> None:
    states = run(office=office(), shop=shop())["colos"]["rack"]
    for shared in ("rules", "dummies"):
        assert states[0][shared] == states[1][shared]
    assert states[0]["files"][0] == states[1]["files"][0]


def test_the_longest_names_fit_the_kernel() -> None:
    found = state(extrude_site_id=4095, extrude_wans=[dsl(name="a2345678")])
    assert found["tunnels"][0]["name"] == "ex4095-a2345678"
    assert len(found["tunnels"][0]["name"]) == 15


def test_a_colo_may_be_told_to_take_addresses_over() -> None:
    found = state(extrude_take_over=True)
    assert found["take_over"] is True
    assert found["expects"] == [{"address": "203.0.113.2"}]


def test_the_far_end_of_a_dynamic_link_is_what_the_site_reports() -> None:
    found = state(extrude_wans=[dsl(address=..., gateway=...), cable()])
    assert found["endpoints"] == ["dsl"]
    assert [tunnel["remote"] for tunnel in found["tunnels"]] == ["{dsl.endpoint}", "198.51.100.2"]


PSK = "correct horse battery staple"


def test_an_encrypted_link_beside_a_plain_one() -> None:
    found = state(extrude_wans=[dsl(ipsec=True), cable()], extrude_ipsec_psk=PSK)
    plain = state()
    assert [(tunnel["local"], tunnel["remote"], tunnel["mtu"]) for tunnel in found["tunnels"]] == [
        ("10.252.0.0", "10.252.0.1", 1430),
        ("203.0.113.2", "198.51.100.2", 1472),
    ]
    assert found["tunnels"][1] == plain["tunnels"][1]
    assert [connection["name"] for connection in found["connections"]] == ["ex1-dsl"]
    assert found["addresses"] == [{"device": "lo", "address": "10.252.0.0/32"}, *plain["addresses"]]
    more = [chain["name"] for chain in found["chains"] if chain["name"] not in str(plain["chains"])]
    assert more == ["EXTRUDE-OUTPUT"]
    same = (
        "dummies",
        "groups",
        "delays",
        "proxies",
        "routes",
        "rules",
        "sysctls",
        "endpoints",
        "expects",
        "secret",
        "certificate",
    )
    assert {key: found[key] for key in same} == {key: plain[key] for key in same}


def test_an_encrypted_dynamic_link_tells_by_itself_where_it_comes_from() -> None:
    lte = dsl(name="lte", interface="wwan0", address=..., gateway=...)
    wans = [dsl(address=..., gateway=..., nat=True), cable(), lte]
    found = state(extrude_wans=wans, extrude_ipsec_psk=PSK)
    assert found["endpoints"] == ["lte"]
    assert [tunnel["remote"] for tunnel in found["tunnels"]] == ["10.252.0.1", "198.51.100.2", "{lte.endpoint}"]
    assert "{dsl." not in str(found)


def test_ends_of_tunnels_and_connections_are_each_sites_own() -> None:
    sites = {
        "office": office(extrude_wans=[dsl(ipsec=True), cable(nat=True)], extrude_ipsec_psk=PSK),
        "shop": shop(extrude_wans=[dsl(address="192.0.2.2", nat=True)], extrude_ipsec_psk=PSK),
    }
    states = run_all(sites)["colos"]["rack"]
    for kind, key in (("connections", "name"), ("tunnels", "local"), ("tunnels", "remote"), ("addresses", "address")):
        values = [item[key] for found in states for item in found[kind]]
        assert len(set(values)) == len(values) > 0


def test_what_a_customer_sends_and_receives_goes_by_a_device_each() -> None:
    found = state(extrude_limit={"up": 100, "down": 50.5}, extrude_wans=[dsl(), cable(use="direct")])
    variable = {"variable": "office: extrude_limit"}
    assert found["dummies"] == [
        {"name": "extrude0"},
        {"name": "exu-acme", "kind": "ifb"},
        {"name": "exd-acme", "kind": "ifb"},
    ]
    assert found["shapers"] == [
        {"device": "exu-acme", "rate": 100_000, **variable},
        {"device": "exd-acme", "rate": 50_500, **variable},
    ]
    assert found["redirects"] == [
        {"device": "ex1-dsl", "to": "exu-acme", "sent": False, **variable},
        {"device": "ex1-dsl", "to": "exd-acme", "sent": True, **variable},
    ]


def test_one_direction_may_go_without_a_limit() -> None:
    found = state(extrude_limit={"down": 5}, extrude_customer="a-customer-with-a-long-name")
    (name,) = (shaper["device"] for shaper in found["shapers"])
    assert re.fullmatch("exd-[0-9a-f]{11}", name)
    assert {(one["to"], one["sent"]) for one in found["redirects"]} == {(name, True)}
