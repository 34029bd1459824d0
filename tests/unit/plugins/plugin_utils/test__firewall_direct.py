# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._iptables import canonical
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, run

UPDATES = {"destination": "198.18.7.0/24"}
WEB = {"protocol": "tcp", "ports": [80, 443, "8000-8010"], "source": ["192.168.1.0/24", "192.168.2.9"]}
ALIKE = {"rtt": 20.0, "transit": 10.0, "site_delay": 0.0, "colo_delay": 0.0}
LTE = cable(use="extruded")
PACKET = {
    "extrude_balance": "packet",
    "extrude_measured": {"dsl": ALIKE, "cable": ALIKE},
    "extrude_wans": [dsl(weight=1), cable(weight=1)],
}
TUNNELLED = ["-d 203.0.113.2/32 -j RETURN", "-d 203.0.113.0/24 -j RETURN"]
SIX = {
    "extrude_addresses": ["203.0.113.10", "203.0.113.11", "2001:db8:100::10", "2001:db8:100:1::/64"],
    "extrude_lan": [
        {"interface": "lan0", "mode": "nat", "addresses": ["203.0.113.10"]},
        {"interface": "lan0", "mode": "routed", "addresses": ["203.0.113.11", "2001:db8:100:1::/64"]},
    ],
}
CHOOSE = "-j MARK --set-xmark 0x20000000/0x3f000000"


def state(*direct: Vars, **changes: Any) -> Vars:
    return dict(run(office=office(**{"extrude_direct": list(direct), **changes}))["sites"]["office"])


def chain(state: Vars, table: str, name: str, family: int = 4) -> list[str]:
    found = [one for one in state["chains"] if (one["family"], one["table"], one["name"]) == (family, table, name)]
    return [rule for one in found for rule in one["rules"]]


@pytest.mark.parametrize("mode", [{}, PACKET])
def test_the_rules_are_in_the_words_of_iptables_save(mode: Vars) -> None:
    made = state(UPDATES, WEB, {"dscp": ["cs1", 46], "protocol": ["udp", "icmp"]}, **mode)
    chains = State.parse(made).of(Chain)
    assert set(canonical(chains)) == set(chains)


def test_a_match_has_a_rule_for_each_combination() -> None:
    assert chain(state(UPDATES, WEB, {"ports": 53}, {"dscp": "cs1"}), "mangle", "EXTRUDE-DIRECT") == [
        *TUNNELLED,
        f"-d 198.18.7.0/24 {CHOOSE}",
        f"-s 192.168.1.0/24 -p tcp -m multiport --dports 80,443,8000:8010 {CHOOSE}",
        f"-s 192.168.2.9/32 -p tcp -m multiport --dports 80,443,8000:8010 {CHOOSE}",
        f"-p tcp -m multiport --dports 53 {CHOOSE}",
        f"-p udp -m multiport --dports 53 {CHOOSE}",
        f"-m dscp --dscp 0x08 {CHOOSE}",
    ]


def test_what_only_the_tunnels_lead_to_is_never_direct() -> None:
    listed = chain(state({"ports": 443, "protocol": "tcp"}), "mangle", "EXTRUDE-DIRECT")
    assert listed == [*TUNNELLED, f"-p tcp -m multiport --dports 443 {CHOOSE}"]


def test_only_the_first_packet_of_a_connection_is_looked_at() -> None:
    jumps = [rule for rule in chain(state(UPDATES), "mangle", "EXTRUDE-PREROUTING") if "EXTRUDE-DIRECT" in rule]
    first = "-m conntrack --ctstate NEW ! --ctstatus CONFIRMED"
    assert jumps == [f"-i lan0 -m mark --mark 0x0/0x3f000000 {first} -j EXTRUDE-DIRECT"]


def test_the_router_s_own_connections_from_extruded_addresses_are_looked_at_too() -> None:
    assert chain(state(UPDATES), "mangle", "EXTRUDE-OUTPUT") == [
        (
            "-s 203.0.113.10/32 ! -o lo -m mark --mark 0x0/0x3f000000 -m connmark --mark 0x20000000/0x20000000"
            " -j CONNMARK --restore-mark --nfmask 0x3f000000 --ctmask 0x3f000000"
        ),
        (
            "-s 203.0.113.10/32 ! -o lo -m mark --mark 0x0/0x3f000000"
            " -m conntrack --ctstate NEW ! --ctstatus CONFIRMED -j EXTRUDE-DIRECT"
        ),
    ]


def test_the_link_that_is_chosen_claims_the_connection_before_the_guard_sees_it() -> None:
    rules = chain(state(UPDATES), "mangle", "EXTRUDE-POSTROUTING")
    claim = "-o dsl0 -m mark --mark 0x20000000/0x3f000000 -j MARK --set-xmark 0x21000000/0x3f000000"
    guard = "-o dsl0 -m mark ! --mark 0x21000000/0x3f000000 -j EXTRUDE-GUARD"
    assert rules.index(claim) < rules.index(guard)
    assert "-o cable0 -m mark --mark 0x20000000/0x3f000000 -j CONNMARK --set-xmark 0x22000000/0x3f000000" in rules


def test_a_table_of_all_links_shares_by_what_they_receive() -> None:
    links = [dsl(up=20, down=50), cable(up=10, down=30)]
    made = state(UPDATES, extrude_wans=links)
    routes = [one for one in made["routes"] if one["table"] == 4219]
    assert [(one["destination"], one["metric"]) for one in routes] == [
        ("192.0.2.1/32", 1),
        ("198.51.100.1/32", 2),
        ("0.0.0.0/0", 1),
    ]
    assert routes[2]["nexthops"] == [
        {"device": "dsl0", "gateway": "192.0.2.1", "weight": 5},
        {"device": "cable0", "gateway": "198.51.100.1", "weight": 3},
    ]
    chosen = [rule for rule in made["rules"] if rule["table"] == 4219]
    assert chosen == [{"family": 4, "priority": 4220, "table": 4219, "mark": 0x20000000, "mask": 0x3F000000}]
    assert 4219 in made["reserved"]["tables"]


def test_links_of_a_higher_metric_are_for_when_no_other_is_there() -> None:
    made = state(UPDATES, extrude_wans=[dsl(), cable(metric=2)])
    ways = [one for one in made["routes"] if (one["table"], one["destination"]) == (4219, "0.0.0.0/0")]
    assert [(one["metric"], one["nexthops"][0]["device"]) for one in ways] == [(1, "dsl0"), (2, "cable0")]


def test_without_a_list_there_is_nothing_of_it() -> None:
    made = state()
    assert "EXTRUDE-DIRECT" not in str(made["chains"])
    assert 4219 not in [one["table"] for one in made["routes"] + made["rules"]]
    assert 4219 not in made["reserved"]["tables"]


def test_packet_mode_leaves_alone_what_is_direct() -> None:
    for hook in ("EXTRUDE-PREROUTING", "EXTRUDE-OUTPUT"):
        rules = chain(state(UPDATES, **PACKET), "mangle", hook)
        looked_at = next(number for number, rule in enumerate(rules) if rule.endswith("-j EXTRUDE-DIRECT"))
        spread = next(number for number, rule in enumerate(rules) if rule.endswith("-j EXTRUDE-UP"))
        assert looked_at < spread


def test_a_destination_is_looked_up_in_the_set_of_its_domain() -> None:
    made = state({"domains": ["a.example", "*.b.example"], "protocol": "tcp", "ports": 443, "dscp": "cs1"})
    assert chain(made, "mangle", "EXTRUDE-DIRECT")[len(TUNNELLED) :] == [
        f"-p tcp -m multiport --dports 443 -m set --match-set EXTRUDE-{name} dst -m dscp --dscp 0x08 {CHOOSE}"
        for name in ("a.example", "b.example")
    ]
    chains = State.parse(made).of(Chain)
    assert set(canonical(chains)) == set(chains)


def test_an_entry_may_name_the_link_that_it_leaves_by() -> None:
    made = state({"destination": "192.0.2.53", "wan": "cable"}, UPDATES)
    assert chain(made, "mangle", "EXTRUDE-DIRECT") == [
        *TUNNELLED,
        f"-d 198.18.7.0/24 {CHOOSE}",
        "-d 192.0.2.53/32 -j MARK --set-xmark 0x22000000/0x3f000000",
    ]
    first = "-m conntrack ! --ctstatus CONFIRMED -j CONNMARK --set-xmark 0x22000000/0x3f000000"
    claims = [rule for rule in chain(made, "mangle", "EXTRUDE-POSTROUTING") if rule.endswith(first)]
    assert claims == [f"-o cable0 -m mark --mark 0x22000000/0x3f000000 {first}"]
    chains = State.parse(made).of(Chain)
    assert set(canonical(chains)) == set(chains)


def test_of_entries_that_fit_those_that_name_a_link_count_first() -> None:
    one, other = ({"destination": "192.0.2.53", "wan": name} for name in ("cable", "dsl"))
    rules = chain(state(one, {"ports": 53}, other), "mangle", "EXTRUDE-DIRECT")
    marks = [rule.rpartition(" ")[2][:4] for rule in rules if "MARK" in rule]
    assert marks == ["0x20", "0x20", "0x21", "0x22"], "a mark does not end the chain"


@pytest.mark.parametrize("mode", [{}, {**PACKET, "extrude_when_down": "block"}, {"extrude_wans": [dsl(), LTE]}])
def test_the_rules_of_ipv6_are_in_the_words_of_ip6tables_save(mode: Vars) -> None:
    made = state({"protocol": ["udp", "icmp"], "dscp": 8}, {"ports": 443}, {"domains": "a.example"}, **SIX, **mode)
    chains = State.parse(made).of(Chain)
    assert set(canonical(chains)) == set(chains)


def test_what_names_no_address_is_for_ipv6_too() -> None:
    entries = (
        UPDATES,
        {"destination": "2001:db8:7::/48"},
        {"ports": 53},
        {"protocol": "icmp"},
        {"domains": "a.example"},
    )
    assert chain(state(*entries, **SIX), "mangle", "EXTRUDE-DIRECT", 6) == [
        "-d 2001:db8:100::/48 -j RETURN",
        f"-d 2001:db8:7::/48 {CHOOSE}",
        f"-p tcp -m multiport --dports 53 {CHOOSE}",
        f"-p udp -m multiport --dports 53 {CHOOSE}",
        f"-p ipv6-icmp {CHOOSE}",
        f"-m set --match-set EXTRUDE-a.example.6 dst {CHOOSE}",
    ]


def test_in_ipv6_only_who_sends_from_an_extruded_address_is_listened_to() -> None:
    made = state({"ports": 53}, **SIX)
    jumps = [rule for rule in chain(made, "mangle", "EXTRUDE-PREROUTING", 6) if rule.endswith("EXTRUDE-DIRECT")]
    assert [rule.split(" -m ")[0] for rule in jumps] == ["-s 2001:db8:100:1::/64 -i lan0"]
    own = [rule for rule in chain(made, "mangle", "EXTRUDE-OUTPUT", 6) if rule.endswith("EXTRUDE-DIRECT")]
    assert [rule.split(" -m ")[0] for rule in own] == ["-s 2001:db8:100::10/128 ! -o lo"]


def test_in_ipv6_main_says_by_which_link() -> None:
    made = state({"ports": 53}, **SIX)
    marks = [rule["mark"] for rule in made["rules"] if (rule["family"], rule["priority"]) == (6, 4220)]
    assert marks == [0x20000000, 0x21000000, 0x22000000]
    assert {"name": "net/ipv6/conf/dsl0/ignore_routes_with_linkdown", "value": "1", "optional": False} in made[
        "sysctls"
    ]


def test_what_is_for_ipv4_only_changes_nothing_in_ipv6() -> None:
    without, with_list = (state(*direct, **SIX, extrude_when_down="block") for direct in ((), (UPDATES,)))
    assert [one for one in with_list["chains"] if one["family"] == 6] == [
        one for one in without["chains"] if one["family"] == 6
    ]


def test_what_is_for_ipv6_only_changes_nothing_in_ipv4() -> None:
    without, with_list = (state(*direct, **SIX) for direct in ((), ({"destination": "2001:db8:7::/48"},)))
    assert [one for one in with_list["chains"] if one["family"] == 4] == [
        one for one in without["chains"] if one["family"] == 4
    ]


def test_segments_of_ipv6_fit_a_link_too() -> None:
    made = state({"ports": 53}, **SIX, extrude_wans=[dsl(mtu=1492), cable()])
    assert "-i lan0 -o dsl0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1432" in chain(
        made, "mangle", "EXTRUDE-FORWARD", 6
    )


def test_in_ipv6_a_link_that_is_no_exit_refuses() -> None:
    made = state({"ports": 53}, **SIX, extrude_wans=[dsl(), LTE])
    assert [rule for rule in chain(made, "filter", "EXTRUDE-FORWARD", 6) if "REJECT" in rule] == [
        (
            "-s 2001:db8:100:1::/64 -i lan0 -o cable0 -m mark ! --mark 0x22000000/0x3f000000"
            " -m policy --dir out --pol none -j REJECT --reject-with icmp6-no-route"
        )
    ]
    assert [rule.split()[1] for rule in chain(made, "nat", "EXTRUDE-POSTROUTING", 6)[1:]] == ["dsl0"]
