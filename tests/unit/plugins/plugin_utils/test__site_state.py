# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._bind import bind
from ansible_collections.multihome.extrude.plugins.module_utils._model import State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, colo, dsl, office, run

V6 = ["203.0.113.10", "203.0.113.16/28", "2001:db8:100::10", "2001:db8:100:1::/64"]
LANS = [
    {"interface": "lan0", "mode": "nat"},
    {"interface": "lan1", "mode": "routed", "addresses": ["203.0.113.16/28", "2001:db8:100:1::/64"]},
]

MASK = "0x3f000000"
DIRECT = "-m connmark --mark 0x20000000/0x20000000"
NEW = "-m conntrack --ctstate NEW -m connmark --mark 0x0/0x3f000000"
FIRST = "-m conntrack --ctstate NEW ! --ctstatus CONFIRMED"
RESTORE = "CONNMARK --restore-mark --nfmask 0x3f000000 --ctmask 0x3f000000"
FILES = ["bird.conf", "bfd.d/acme.1.conf", "bird.d/acme.1.conf", "standby.d/acme.1.4"]
BETWEEN = "-s 10.254.0.0/27 -d 10.254.0.0/27 -i ex-+"

PSK = "correct horse battery staple"
DSL_UP = {
    "dsl.device": "ppp0",
    "dsl.address": "100.64.0.7",
    "dsl.gateway": "100.64.0.1",
    "dsl.network": "100.64.0.1/32",
    "dsl.endpoint": "100.64.0.7",
}


def state(**changes: Any) -> Vars:
    """Return the state of the sample site with some changes, which the engine takes."""
    found: Vars = run(office=office(**changes))["sites"]["office"]
    State.parse(bind(found, DSL_UP))
    return found


def test_the_whole_state() -> None:
    found = state()
    assert [file["path"] for file in found.pop("files")] == FILES
    assert found == {
        "schema": 1,
        "customer": "acme",
        "site": "office",
        "renumber": False,
        "tunnels": [
            {
                "name": "ex-dsl",
                "local": "192.0.2.2",
                "remote": "203.0.113.2",
                "key": 17,
                "ttl": 64,
                "tos": 0,
                "pmtudisc": True,
                "mtu": 1472,
                "wan": "dsl",
                "device": "dsl0",
            },
            {
                "name": "ex-cable",
                "local": "198.51.100.2",
                "remote": "203.0.113.2",
                "key": 18,
                "ttl": 64,
                "tos": 0,
                "pmtudisc": True,
                "mtu": 1472,
                "wan": "cable",
                "device": "cable0",
            },
        ],
        "secret": {"site": "acme.1", "links": "*.1.acme.extrude"},
        "certificate": None,
        "connections": [],
        "sets": [],
        "resolvers": [],
        "groups": [{"device": "dsl0", "group": 4200}, {"device": "cable0", "group": 4200}],
        "delays": [],
        "dummies": [],
        "shapers": [],
        "redirects": [],
        "addresses": [
            {"device": "ex-dsl", "address": "10.254.0.1/31"},
            {"device": "ex-cable", "address": "10.254.0.3/31"},
            {"device": "lo", "address": "203.0.113.10/32"},
        ],
        "proxies": [],
        "routes": [
            {
                "destination": "192.0.2.0/24",
                "table": 4221,
                "scope": "link",
                "nexthops": [{"device": "dsl0", "weight": 1}],
            },
            {
                "destination": "0.0.0.0/0",
                "table": 4221,
                "nexthops": [{"device": "dsl0", "gateway": "192.0.2.1", "weight": 1}],
            },
            {
                "destination": "198.51.100.0/24",
                "table": 4222,
                "scope": "link",
                "nexthops": [{"device": "cable0", "weight": 1}],
            },
            {
                "destination": "0.0.0.0/0",
                "table": 4222,
                "nexthops": [{"device": "cable0", "gateway": "198.51.100.1", "weight": 1}],
            },
            {
                "destination": "203.0.113.11/32",
                "table": 4200,
                "scope": "link",
                "nexthops": [{"device": "lan0", "weight": 1}],
            },
            {
                "destination": "0.0.0.0/0",
                "table": 4217,
                "metric": 1,
                "source": "203.0.113.10",
                "nexthops": [{"device": "ex-dsl", "weight": 1}, {"device": "ex-cable", "weight": 1}],
            },
        ],
        "rules": [
            {"family": 4, "priority": 4220, "table": 4221, "mark": 0x21000000, "mask": 0x3F000000},
            {"family": 4, "priority": 4230, "table": 4221, "source": "192.0.2.2/32"},
            {"family": 4, "priority": 4231, "table": 254, "oif": "dsl0", "suppress_prefixlength": 0},
            {"family": 4, "priority": 4232, "table": 4221, "oif": "dsl0"},
            {"family": 4, "priority": 4220, "table": 4222, "mark": 0x22000000, "mask": 0x3F000000},
            {"family": 4, "priority": 4230, "table": 4222, "source": "198.51.100.2/32"},
            {"family": 4, "priority": 4231, "table": 254, "oif": "cable0", "suppress_prefixlength": 0},
            {"family": 4, "priority": 4232, "table": 4222, "oif": "cable0"},
            {"family": 4, "priority": 4210, "table": 254, "suppress_prefixlength": 0, "suppress_ifgroup": 4200},
            {"family": 4, "priority": 4215, "table": 4200, "destination": "203.0.113.11/32"},
            {"family": 4, "priority": 4280, "table": 4200, "source": "203.0.113.10/32"},
            {"family": 4, "priority": 4281, "table": 4217, "source": "203.0.113.10/32", "standby": True},
            {"family": 4, "priority": 4280, "table": 4200, "source": "203.0.113.11/32"},
            {"family": 4, "priority": 4281, "table": 4217, "source": "203.0.113.11/32", "standby": True},
            {"family": 4, "priority": 4290, "table": 4200, "iif": "lan0"},
            {"family": 4, "priority": 4291, "table": 4217, "iif": "lan0", "standby": True},
            {"family": 4, "priority": 4295, "table": 4200, "iif": "lo", "source": "0.0.0.0/32"},
            {"family": 4, "priority": 4296, "table": 4217, "iif": "lo", "source": "0.0.0.0/32", "standby": True},
        ],
        "sysctls": [
            {"name": "net/ipv4/ip_forward", "value": "1", "optional": False},
            {"name": "net/ipv4/fib_multipath_hash_policy", "value": "1", "optional": False},
            {"name": "net/ipv6/fib_multipath_hash_policy", "value": "1", "optional": True},
            {"name": "net/ipv4/rt_cache_rebuild_count", "value": "-1", "optional": True},
            {"name": "net/ipv4/conf/ex-dsl/rp_filter", "value": "2", "optional": False},
            {"name": "net/ipv4/conf/ex-cable/rp_filter", "value": "2", "optional": False},
            {"name": "net/ipv4/conf/dsl0/rp_filter", "value": "2", "optional": False},
            {"name": "net/ipv4/conf/dsl0/src_valid_mark", "value": "1", "optional": False},
            {"name": "net/ipv4/conf/dsl0/ignore_routes_with_linkdown", "value": "1", "optional": False},
            {"name": "net/ipv4/conf/dsl0/arp_ignore", "value": "1", "optional": False},
            {"name": "net/ipv4/conf/cable0/rp_filter", "value": "2", "optional": False},
            {"name": "net/ipv4/conf/cable0/src_valid_mark", "value": "1", "optional": False},
            {"name": "net/ipv4/conf/cable0/ignore_routes_with_linkdown", "value": "1", "optional": False},
            {"name": "net/ipv4/conf/cable0/arp_ignore", "value": "1", "optional": False},
        ],
        "chains": [
            {
                "family": 4,
                "table": "mangle",
                "name": "EXTRUDE-FORWARD",
                "hook": "FORWARD",
                "rules": [
                    "-i ex-+ -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1432",
                    "-o ex-+ -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1432",
                    f"-i lan0 -o dsl0 -m mark --mark 0x0/{MASK} {FIRST} -j CONNMARK --set-xmark 0x21000000/{MASK}",
                    f"-i lan0 -o cable0 -m mark --mark 0x0/{MASK} {FIRST} -j CONNMARK --set-xmark 0x22000000/{MASK}",
                    f"-m mark --mark 0x0/{MASK} {DIRECT} {FIRST} -j {RESTORE}",
                    "-o ex-+ -m conntrack --ctstate DNAT --ctorigdst 192.0.2.2 -j DROP",
                    "-o ex-+ -m conntrack --ctstate DNAT --ctorigdst 198.51.100.2 -j DROP",
                ],
            },
            {
                "family": 4,
                "table": "mangle",
                "name": "EXTRUDE-PREROUTING",
                "hook": "PREROUTING",
                "rules": [
                    f"-i dsl0 {NEW} -j EXTRUDE-CLAIM",
                    f"-i cable0 {NEW} -j EXTRUDE-CLAIM",
                    f"! -i ex-+ -m mark --mark 0x0/{MASK} {DIRECT} -j {RESTORE}",
                    f"-i ex-+ -m mark --mark 0x20000000/0x20000000 -j MARK --set-xmark 0x0/{MASK}",
                ],
            },
            {
                "family": 4,
                "table": "mangle",
                "name": "EXTRUDE-CLAIM",
                "rules": [
                    "-d 203.0.113.10/32 -j RETURN",
                    "-d 203.0.113.11/32 -j RETURN",
                    f"-i dsl0 -j CONNMARK --set-xmark 0x21000000/{MASK}",
                    f"-i cable0 -j CONNMARK --set-xmark 0x22000000/{MASK}",
                ],
            },
            {
                "family": 4,
                "table": "mangle",
                "name": "EXTRUDE-POSTROUTING",
                "hook": "POSTROUTING",
                "rules": [
                    f"-o dsl0 -m mark ! --mark 0x21000000/{MASK} -j EXTRUDE-GUARD",
                    f"-o cable0 -m mark ! --mark 0x22000000/{MASK} -j EXTRUDE-GUARD",
                ],
            },
            {
                "family": 4,
                "table": "mangle",
                "name": "EXTRUDE-GUARD",
                "rules": [
                    "-m policy --dir out --pol ipsec -j RETURN",
                    "! -o dsl0 -m conntrack --ctstate DNAT --ctorigdst 192.0.2.2 --ctdir REPLY -j DROP",
                    "! -o cable0 -m conntrack --ctstate DNAT --ctorigdst 198.51.100.2 --ctdir REPLY -j DROP",
                    "-s 203.0.113.10/32 -j DROP",
                    "-s 203.0.113.11/32 -j DROP",
                    "-m conntrack --ctrepldst 203.0.113.10 -j DROP",
                    "-m conntrack --ctstate DNAT --ctorigdst 203.0.113.10 -j DROP",
                ],
            },
            {
                "family": 4,
                "table": "nat",
                "name": "EXTRUDE-POSTROUTING",
                "hook": "POSTROUTING",
                "rules": [
                    "-m policy --dir out --pol ipsec -j RETURN",
                    "-s 203.0.113.11/32 -o ex-+ -j ACCEPT",
                    "-o ex-+ -m addrtype ! --src-type LOCAL -j SNAT --to-source 203.0.113.10",
                    f"-o dsl0 -m mark --mark 0x21000000/{MASK} -j MASQUERADE",
                    f"-o cable0 -m mark --mark 0x22000000/{MASK} -j MASQUERADE",
                ],
            },
            {
                "family": 4,
                "table": "filter",
                "name": "EXTRUDE-FORWARD",
                "hook": "FORWARD",
                "rules": [
                    "-i ex-+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                    "-d 203.0.113.11/32 -i ex-+ -o lan0 -j ACCEPT",
                    "-i ex-+ -m conntrack ! --ctstate DNAT -j DROP",
                    "-i lan0 -o ex-+ -j ACCEPT",
                ],
            },
            {
                "family": 4,
                "table": "filter",
                "name": "EXTRUDE-INPUT",
                "hook": "INPUT",
                "rules": [
                    "-s 203.0.113.2/32 -p gre -j ACCEPT",
                    "-i lo -j RETURN",
                    f"{BETWEEN} -p udp -m udp --dport 3784 -j ACCEPT",
                    f"{BETWEEN} -p tcp -m tcp --dport 1179 -j ACCEPT",
                    f"{BETWEEN} -p tcp -m tcp --sport 1179 -m conntrack --ctstate ESTABLISHED -j ACCEPT",
                    f"{BETWEEN} -p icmp -j ACCEPT",
                    "-d 10.254.0.0/27 -m addrtype --dst-type LOCAL --limit-iface-in -j RETURN",
                    "-d 10.254.0.0/27 ! -i ex-+ -j DROP",
                ],
            },
        ],
        "lans": ["lan0"],
        "links": [
            {"wan": "dsl", "interface": "dsl0", "address": "192.0.2.2"},
            {"wan": "cable", "interface": "cable0", "address": "198.51.100.2"},
        ],
        "expects": [
            {
                "device": "dsl0",
                "address": "192.0.2.2",
                "gateway": "192.0.2.1",
                "variable": "office: extrude_wans[0].gateway",
            },
            {
                "device": "cable0",
                "address": "198.51.100.2",
                "gateway": "198.51.100.1",
                "variable": "office: extrude_wans[1].gateway",
            },
        ],
        "reserved": {"tables": [*range(4200, 4219), 4221, 4222], "priorities": [4200, 4299]},
    }


@pytest.mark.parametrize(
    ("address", "gateway", "on_link"),
    [
        ("192.0.2.2/24", "192.0.2.1", ["192.0.2.0/24"]),
        ("192.0.2.2/31", "192.0.2.3", ["192.0.2.2/31"]),
        ("192.0.2.2/24", "198.51.100.9", ["192.0.2.0/24", "198.51.100.9/32"]),
        ("192.0.2.2", "198.51.100.9", ["198.51.100.9/32"]),
        ("192.0.2.2/32", "198.51.100.9", ["198.51.100.9/32"]),
    ],
)
def test_the_gateway_of_a_link_is_always_behind_a_link_route(address: str, gateway: str, on_link: list[str]) -> None:
    routes = list(state(extrude_wans=[dsl(address=address, gateway=gateway)])["routes"])
    own = [route for route in routes if route["table"] == 4221]
    assert [route["destination"] for route in own] == [*on_link, "0.0.0.0/0"]
    assert all(route["scope"] == "link" for route in own[:-1])
    assert own[-1]["nexthops"] == [{"device": "dsl0", "gateway": gateway, "weight": 1}]


def test_tiers_have_a_default_route_each() -> None:
    wans = [dsl(metric=2), cable(metric=7, slot=5)]
    routes = [route for route in state(extrude_wans=wans)["routes"] if route.get("metric")]
    assert [(route["metric"], route["nexthops"]) for route in routes] == [
        (2, [{"device": "ex-dsl", "weight": 1}]),
        (7, [{"device": "ex-cable", "weight": 1}]),
    ]


def test_the_site_weighs_by_what_it_can_send() -> None:
    wans = [dsl(up=40, down=100), cable(up=50, down=500)]
    routes = [route for route in state(extrude_wans=wans)["routes"] if route.get("metric")]
    assert [hop["weight"] for hop in routes[0]["nexthops"]] == [4, 5]


def test_slots_and_base_numbers_make_tables_and_priorities() -> None:
    found = state(extrude_wans=[dsl(slot=16)], extrude_table=1000, extrude_rule_priority=100)
    assert found["reserved"] == {"tables": [*range(1000, 1019), 1036], "priorities": [100, 199]}
    tables = {rule["priority"]: rule["table"] for rule in found["rules"]}
    own = {110: 254, 115: 1000, 120: 1036, 130: 1036, 131: 254, 132: 1036}
    assert tables == {**own, 180: 1000, 181: 1017, 190: 1000, 191: 1017, 195: 1000, 196: 1017}
    assert {route["table"] for route in found["routes"]} == {1000, 1017, 1036}
    assert found["tunnels"][0]["key"] == 32


def test_block_puts_an_unreachable_default_behind_all_others() -> None:
    found = state(extrude_when_down="block", extrude_addresses=V6, extrude_lan=LANS)
    assert [route for route in found["routes"] if route.get("type")] == [
        {"destination": "0.0.0.0/0", "table": 4218, "type": "unreachable", "nexthops": []},
        {"destination": "::/0", "table": 4218, "type": "unreachable", "nexthops": []},
    ]
    extruded = {(rule["family"], rule["priority"]) for rule in found["rules"] if rule["table"] == 4218}
    assert extruded == {(4, 4282), (4, 4292), (4, 4297), (6, 4282), (6, 4297)}


def test_direct_leaves_what_no_tunnel_takes_to_main() -> None:
    assert all(item["table"] != 4218 for item in [*state()["rules"], *state()["routes"]])


def test_ipv6() -> None:
    found = state(extrude_addresses=V6, extrude_lan=LANS)
    assert found["addresses"] == [
        {"device": "ex-dsl", "address": "10.254.0.1/31"},
        {"device": "ex-dsl", "address": "fd65:7874:7275::1/127"},
        {"device": "ex-cable", "address": "10.254.0.3/31"},
        {"device": "ex-cable", "address": "fd65:7874:7275:1::1/127"},
        {"device": "lo", "address": "203.0.113.10/32"},
        {"device": "lo", "address": "2001:db8:100::10/128"},
    ]
    assert [route for route in found["routes"] if ":" in route["destination"]] == [
        {"destination": "2001:db8:100:1::/64", "table": 4200, "nexthops": [{"device": "lan1", "weight": 1}]},
        {
            "destination": "::/0",
            "table": 4217,
            "metric": 1,
            "source": "2001:db8:100::10",
            "nexthops": [
                {"device": "ex-dsl", "gateway": "fd65:7874:7275::", "weight": 1},
                {"device": "ex-cable", "gateway": "fd65:7874:7275:1::", "weight": 1},
            ],
        },
        {"destination": "::/0", "table": 4218, "type": "unreachable", "nexthops": []},
    ]
    assert [chain["table"] for chain in found["chains"] if chain["family"] == 6] == [
        *["mangle"] * 4,
        "nat",
        *["filter"] * 2,
    ]


def test_ipv6_that_is_never_direct_needs_nothing_for_it() -> None:
    for changes in ({"extrude_when_down": "block"}, {"extrude_wans": [dsl(use="extruded"), NOT_DIRECT]}):
        found = state(extrude_addresses=V6, extrude_lan=LANS, **changes)
        six = [chain for chain in found["chains"] if chain["family"] == 6]
        assert [chain["table"] for chain in six] == ["mangle"] * 3 + ["filter"] * 2
        assert "MARK" not in str(six)
        assert "ipv6/conf/dsl0/ignore_routes_with_linkdown" not in str(found["sysctls"])
        rules = [rule for rule in found["rules"] if rule["family"] == 6]
        assert [rule["priority"] for rule in rules if rule["table"] == 254] == [4210, 4290]


def test_only_extruded_ipv6_sources_enter_a_tunnel_and_others_keep_their_way() -> None:
    found = state(extrude_addresses=V6, extrude_lan=LANS)
    by_wans = {"family": 6, "table": 254, "suppress_ifgroup": 0}
    assert [rule for rule in found["rules"] if rule["family"] == 6] == [
        {**by_wans, "priority": 4220, "mark": 0x21000000, "mask": 0x3F000000},
        {**by_wans, "priority": 4220, "mark": 0x22000000, "mask": 0x3F000000},
        {"family": 6, "priority": 4210, "table": 254, "suppress_prefixlength": 0, "suppress_ifgroup": 4200},
        {"family": 6, "priority": 4215, "table": 4200, "destination": "2001:db8:100:1::/64"},
        {"family": 6, "priority": 4280, "table": 4200, "source": "2001:db8:100::10/128"},
        {"family": 6, "priority": 4281, "table": 4217, "source": "2001:db8:100::10/128", "standby": True},
        {"family": 6, "priority": 4282, "table": 4218, "source": "2001:db8:100::10/128"},
        {"family": 6, "priority": 4280, "table": 4200, "source": "2001:db8:100:1::/64"},
        {"family": 6, "priority": 4281, "table": 4217, "source": "2001:db8:100:1::/64", "standby": True},
        {**by_wans, "priority": 4282, "source": "2001:db8:100:1::/64"},
        {"family": 6, "priority": 4283, "table": 4218, "source": "2001:db8:100:1::/64"},
        {"family": 6, "priority": 4290, "table": 254},
        {"family": 6, "priority": 4295, "table": 4200, "iif": "lo"},
        {"family": 6, "priority": 4296, "table": 4217, "iif": "lo", "standby": True},
        {"family": 6, "priority": 4297, "table": 4218, "iif": "lo"},
    ]


def test_a_router_without_an_ipv6_address_of_its_own_does_not_send_through_tunnels() -> None:
    lan = [{"interface": "lan0", "mode": "routed"}]
    found = state(extrude_addresses=["203.0.113.10", "2001:db8:100:1::/64"], extrude_lan=lan)
    assert [rule["priority"] for rule in found["rules"] if rule["family"] == 6] == [
        *(4220, 4220, 4210, 4215),
        *range(4280, 4284),
    ]


def test_what_the_router_binds_to_a_link_s_device_leaves_by_its_gateway() -> None:
    """Also where main has no default by it: bound to a device, the router has no source yet. What main has by that
    device but for a default goes first, such as the network of a modem."""
    found = state(extrude_wans=[dsl(interface="ppp*", address=..., gateway=...), cable(use="direct")])
    by_device = [(rule["priority"], rule["table"], rule["oif"]) for rule in found["rules"] if "oif" in rule]
    assert by_device == [
        (4231, 254, "{dsl.device}"),
        (4232, 4221, "{dsl.device}"),
        (4231, 254, "cable0"),
        (4232, 4222, "cable0"),
    ]


def test_a_router_without_an_ipv4_address_of_its_own_sends_by_its_wans() -> None:
    found = state(extrude_lan=[{"interface": "lan0", "mode": "routed"}])
    assert all(rule.get("iif") != "lo" for rule in found["rules"])
    assert all("source" not in route for route in found["routes"])


def test_addresses_and_lans_that_the_inventory_does_not_know_keep_the_way_that_main_has() -> None:
    matches = ("source", "destination", "iif")
    extruded = [rule for rule in state()["rules"] if rule["table"] in (4200, 4217, 4218)]
    assert extruded
    assert all(any(match in rule for match in matches) for rule in extruded)


def test_router_advertisements_are_kept_before_forwarding_is_switched_on() -> None:
    names = [item["name"] for item in state(extrude_addresses=V6, extrude_lan=LANS)["sysctls"]]
    assert names.index("net/ipv6/conf/dsl0/accept_ra") < names.index("net/ipv6/conf/all/forwarding")
    assert names.index("net/ipv6/conf/cable0/accept_ra") < names.index("net/ipv6/conf/all/forwarding")


def test_a_site_with_ipv6_only_leaves_ipv4_alone_but_for_its_tunnels() -> None:
    found = state(extrude_addresses=["2001:db8:100::10"], extrude_lan=[])
    assert {route["table"] for route in found["routes"] if ":" not in route["destination"]} == {4221, 4222}
    assert {rule["priority"] for rule in found["rules"] if rule["family"] == 4} == {4210, 4220, 4230, 4231, 4232}
    assert [chain["name"] for chain in found["chains"] if chain["family"] == 4] == ["EXTRUDE-INPUT"]


def test_a_site_may_be_told_to_renumber() -> None:
    assert state(extrude_renumber=True)["renumber"] is True


def test_a_dynamic_link_has_placeholders_for_what_only_the_host_knows() -> None:
    found = state(extrude_wans=[dsl(interface="ppp*", match="isp", address=..., gateway=...), cable()])
    assert found["links"][0] == {"wan": "dsl", "interface": "ppp*", "match": "isp"}
    assert (found["tunnels"][0]["local"], found["tunnels"][0]["device"]) == ("{dsl.address}", "{dsl.device}")
    assert found["groups"][0]["device"] == "{dsl.device}"
    assert [(route["destination"], route["nexthops"]) for route in found["routes"] if route["table"] == 4221] == [
        ("{dsl.network}", [{"device": "{dsl.device}", "weight": 1}]),
        ("{dsl.gateway}/32", [{"device": "{dsl.device}", "weight": 1}]),
        ("0.0.0.0/0", [{"device": "{dsl.device}", "weight": 1, "gateway": "{dsl.gateway}"}]),
    ]
    assert [expected["device"] for expected in found["expects"]] == ["cable0"]
    assert "dsl0" not in str(found)
    assert "ppp*" not in str({**found, "links": []})
    assert "0.0.0.0/32" not in str(found["tunnels"])


@pytest.mark.parametrize(
    ("wan", "ends"),
    [
        ({"interface": "ppp*"}, ["10.254.0.0", "10.254.0.2", "203.0.113.2"]),
        ({"interface": "ppp*", "nat": True}, ["10.252.0.0", "10.254.0.0", "10.254.0.2", "203.0.113.2"]),
        ({"address": "192.0.2.2/24", "gateway": "192.0.2.1"}, []),  # the inventory would be refused
    ],
    ids=["plain", "encrypted", "static"],
)
def test_no_provider_makes_a_far_end_the_routers_own_address(wan: Vars, ends: list[str]) -> None:
    found = state(extrude_wans=[dsl(**{"address": ..., "gateway": ..., **wan}), cable()], extrude_ipsec_psk=PSK)
    local = [route for route in found["routes"] if route["table"] == 255]
    assert local == [{"destination": f"{end}/32", "table": 255, "nexthops": [], "type": "throw"} for end in ends]


def test_the_inventory_may_have_the_last_word_on_gateways() -> None:
    found = state(extrude_take_over=True)
    assert found["expects"] == [
        {"device": "dsl0", "address": "192.0.2.2"},
        {"device": "cable0", "address": "198.51.100.2"},
    ]


def test_an_encrypted_link_beside_a_plain_one() -> None:
    found = state(extrude_wans=[dsl(ipsec=True), cable()], extrude_ipsec_psk=PSK)
    plain = state()
    assert [(tunnel["local"], tunnel["remote"], tunnel["device"], tunnel["mtu"]) for tunnel in found["tunnels"]] == [
        ("10.252.0.1", "10.252.0.0", "dsl0", 1430),
        ("198.51.100.2", "203.0.113.2", "cable0", 1472),
    ]
    assert found["tunnels"][1] == plain["tunnels"][1]
    assert [connection["name"] for connection in found["connections"]] == ["ex-dsl"]
    assert found["addresses"] == [{"device": "lo", "address": "10.252.0.1/32"}, *plain["addresses"]]
    assert found["links"] == [
        {"wan": "dsl", "interface": "dsl0", "address": "192.0.2.2", "encrypted": True},
        {"wan": "cable", "interface": "cable0", "address": "198.51.100.2"},
    ]
    own = {"family": 4, "priority": 4230, "table": 4221, "source": "10.252.0.1/32"}
    assert [rule for rule in found["rules"] if rule not in plain["rules"]] == [own]
    assert [rule for rule in found["rules"] if rule != own] == plain["rules"]
    chains = [(chain["table"], chain["hook"]) for chain in found["chains"] if chain["table"] == "raw"]
    assert chains == [("raw", "PREROUTING"), ("raw", "OUTPUT")]
    assert [chain["name"] for chain in found["chains"]][:-2] == [chain["name"] for chain in plain["chains"]]
    same = ("groups", "delays", "proxies", "routes", "sysctls", "lans", "expects", "reserved", "secret", "certificate")
    assert {key: found[key] for key in same} == {key: plain[key] for key in same}


def test_a_shaped_link_waits_in_both_directions() -> None:
    wans = [dsl(interface="ppp*", address=..., gateway=..., up=20, down=50), cable(up=10, metric=2)]
    found = state(extrude_wans=wans, extrude_shape=True)
    asked = {"variable": "office: extrude_shape"}
    assert found["dummies"] == [{"name": "ifb-dsl", "kind": "ifb"}]
    assert found["shapers"] == [
        {"device": "{dsl.device}", "rate": 19_000, **asked},
        {"device": "cable0", "rate": 9_500, **asked},
        {"device": "ifb-dsl", "rate": 47_500, "received": True, **asked},
    ]
    assert found["redirects"] == [{"device": "{dsl.device}", "to": "ifb-dsl", **asked}]


def test_classes_show_outside_of_the_tunnels_of_shaped_links() -> None:
    wans = [dsl(up=20, down=50, shape=True), cable(up=10, down=30)]
    assert [tunnel["tos"] for tunnel in state(extrude_wans=wans)["tunnels"]] == [1, 0]


def test_segments_fit_the_smallest_of_the_tunnels() -> None:
    found = state(extrude_wans=[dsl(nat=True), cable()], extrude_ipsec_psk=PSK)
    sizes = {rule.rpartition(" ")[2] for chain in found["chains"] for rule in chain["rules"] if "--set-mss" in rule}
    assert sizes == {str(1422 - 40)}


def test_an_encrypted_dynamic_link_has_fixed_ends_and_reports_nothing() -> None:
    wans = [dsl(interface="ppp*", address=..., gateway=..., nat=True), cable()]
    endpoint = {"key": "ssh-ed25519 AAAA", "port": 22, "host_keys": ["ssh-ed25519 AAAA"]}
    found = state(extrude_wans=wans, extrude_ipsec_psk=PSK, extrude_endpoint=endpoint)
    assert found["links"][0] == {"wan": "dsl", "interface": "ppp*", "encrypted": True}
    assert (found["tunnels"][0]["local"], found["tunnels"][0]["remote"]) == ("10.252.0.1", "10.252.0.0")
    assert found["tunnels"][0]["device"] == "{dsl.device}"
    assert not [file["path"] for file in found["files"] if "endpoint" in file["path"]]


def test_the_pool_of_the_colo_makes_the_ends_of_encrypted_tunnels() -> None:
    site = office(extrude_wans=[dsl(ipsec=True, slot=3)], extrude_site_id=2, extrude_ipsec_psk=PSK)
    found = run(rack=colo(extrude_ipsec_pool="10.9.0.0/16"), office=site)
    ends = ("10.9.0.37", "10.9.0.36")  # 2 * (16 + 2), and the one after
    (near,), (far,) = found["sites"]["office"]["tunnels"], found["colos"]["rack"][0]["tunnels"]
    assert (near["local"], near["remote"]) == (far["remote"], far["local"]) == ends


def test_no_state_holds_a_secret() -> None:
    assert PSK not in str(state(extrude_wans=[dsl(ipsec=True)], extrude_ipsec_psk=PSK))


ONLY_DIRECT = cable(use="direct")
NOT_DIRECT = cable(use="extruded")


def test_a_link_for_direct_traffic_has_all_that_a_link_has_but_no_tunnel() -> None:
    found = state(extrude_wans=[dsl(), ONLY_DIRECT], extrude_direct=[{"dscp": "cs1"}])
    assert [tunnel["name"] for tunnel in found["tunnels"]] == ["ex-dsl"]
    assert "ex-cable" not in str(found)
    assert {group["device"] for group in found["groups"]} == {"dsl0", "cable0"}
    assert {"name": "net/ipv4/conf/cable0/rp_filter", "value": "2", "optional": False} in found["sysctls"]
    assert [route["destination"] for route in found["routes"] if route["table"] == 4222] == [
        "198.51.100.0/24",
        "0.0.0.0/0",
    ]
    by_cable = [rule for rule in found["rules"] if rule["table"] == 4222]
    matched = [rule.get("mark") or rule.get("source") or rule["oif"] for rule in by_cable]
    assert matched == [0x22000000, "198.51.100.2/32", "cable0"]
    assert found["links"][1] == {"wan": "cable", "interface": "cable0", "address": "198.51.100.2", "use": "direct"}
    assert [entry["address"] for entry in found["expects"]] == ["192.0.2.2", "198.51.100.2"]


def test_direct_traffic_does_not_leave_by_a_link_that_is_for_the_extruded_space() -> None:
    found = state(extrude_wans=[dsl(), NOT_DIRECT], extrude_direct=[{"dscp": "cs1"}])
    assert [tunnel["name"] for tunnel in found["tunnels"]] == ["ex-dsl", "ex-cable"]
    assert "cable0" not in str([route for route in found["routes"] if route["table"] == 4219])
    rules = [rule for chain in found["chains"] for rule in chain["rules"] if rule.startswith("-o cable0")]
    assert all(rule.endswith("-j EXTRUDE-GUARD") for rule in rules)
    assert found["links"][1]["use"] == "extruded"


@pytest.mark.parametrize("direct", [{}, {"extrude_direct": [{"dscp": "cs1"}]}])
def test_nor_does_it_when_no_tunnel_lives(direct: Vars) -> None:
    found = state(extrude_wans=[dsl(), NOT_DIRECT], **direct)
    behind = [(rule["priority"], rule["table"]) for rule in found["rules"] if rule["priority"] > 4281]
    assert {pair for pair in behind if pair[1] in (4218, 4219)} == {
        (priority + step, table) for priority in (4282, 4292, 4297) for step, table in ((0, 4219), (1, 4218))
    }
    (last,) = [route for route in found["routes"] if route["table"] == 4218]
    assert last["type"] == "unreachable"
    ways = [route for route in found["routes"] if (route["table"], route["destination"]) == (4219, "0.0.0.0/0")]
    assert [hop["device"] for way in ways for hop in way["nexthops"]] == ["dsl0"]
    assert 4219 in found["reserved"]["tables"]


@pytest.mark.parametrize(
    "changes", [{"extrude_wans": [dsl(use="extruded"), NOT_DIRECT]}, {"extrude_when_down": "block"}]
)
def test_without_a_link_that_it_may_use_it_stops(changes: Vars) -> None:
    found = state(**{"extrude_wans": [dsl(), NOT_DIRECT], **changes})
    assert {rule["table"] for rule in found["rules"] if rule["priority"] in (4282, 4292, 4297)} == {4218}
    assert 4219 not in [one["table"] for one in found["routes"] + found["rules"]]


def test_tiers_and_weights_are_of_the_links_that_share() -> None:
    links = [dsl(up=20, down=50), cable(up=10, down=30), dsl(name="own", interface="own0", use="direct", down=20)]
    links[2] |= {"address": "192.0.2.66/24"}
    found = state(extrude_wans=links, extrude_direct=[{"dscp": "cs1"}])
    (up,) = [route for route in found["routes"] if route["table"] == 4217]
    assert [(hop["device"], hop["weight"]) for hop in up["nexthops"]] == [("ex-dsl", 2), ("ex-cable", 1)]
    (out,) = [route for route in found["routes"] if (route["table"], route["destination"]) == (4219, "0.0.0.0/0")]
    assert [(hop["device"], hop["weight"]) for hop in out["nexthops"]] == [("dsl0", 5), ("cable0", 3), ("own0", 2)]


def test_segments_fit_tunnels_whatever_other_links_take() -> None:
    found = state(extrude_wans=[dsl(), cable(use="direct", mtu=1300)])
    assert "--set-mss 1432" in str(found["chains"])
