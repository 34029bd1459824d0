# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.multihome.extrude.plugins.module_utils._iptables import canonical
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, State
from tests.unit.plugins.plugin_utils.samples import Vars, office, run

ADDRESSES = ["203.0.113.10", "203.0.113.11"]
LAN = [{"interface": "lan0", "mode": "nat"}]
WEB = {"protocol": "tcp", "port": 80, "to": "192.168.1.20:8080"}
CALLS = {"protocol": "udp", "port": "10000-20000", "to": "192.168.1.30"}
WHOLE = {"address": "203.0.113.11", "to": "192.168.1.40"}


def state(*forwards: Vars, **changes: Any) -> Vars:
    site: Vars = {"extrude_addresses": ADDRESSES, "extrude_lan": LAN, "extrude_forwards": list(forwards), **changes}
    return dict(run(office=office(**site))["sites"]["office"])


def chain(state: Vars, table: str, name: str) -> list[str]:
    found = [one for one in state["chains"] if (one["family"], one["table"], one["name"]) == (4, table, name)]
    return [rule for one in found for rule in one["rules"]]


def test_the_rules_are_in_the_words_of_iptables_save() -> None:
    chains = State.parse(state(WEB, CALLS, WHOLE)).of(Chain)
    assert set(canonical(chains)) == set(chains)


def test_connections_from_tunnels_and_lans_are_sent_on() -> None:
    assert chain(state(WEB, CALLS), "nat", "EXTRUDE-PREROUTING") == [
        "-d 203.0.113.10/32 -i ex-+ -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.1.20:8080",
        "-d 203.0.113.10/32 -i lan0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.1.20:8080",
        "-d 203.0.113.10/32 -i ex-+ -p udp -m udp --dport 10000:20000 -j DNAT --to-destination 192.168.1.30",
        "-d 203.0.113.10/32 -i lan0 -p udp -m udp --dport 10000:20000 -j DNAT --to-destination 192.168.1.30",
    ]


def test_they_are_let_through_before_all_else_that_was_sent_on_is_left_to_the_admin() -> None:
    rules = chain(state(WEB), "filter", "EXTRUDE-FORWARD")
    admitted = "-m conntrack --ctstate DNAT --ctproto 6 --ctorigdst 203.0.113.10 --ctorigdstport 80 -j ACCEPT"
    assert rules.index(admitted) < rules.index("-i ex-+ -m conntrack ! --ctstate DNAT -j DROP")


def test_a_host_with_an_address_of_its_own_leaves_as_that_one() -> None:
    rules = chain(state(WHOLE), "nat", "EXTRUDE-POSTROUTING")
    alone = rules.index("-s 192.168.1.40/32 -o ex-+ -j SNAT --to-source 203.0.113.11")
    others = rules.index("-o ex-+ -m addrtype ! --src-type LOCAL -j SNAT --to-source 203.0.113.10")
    assert alone < others


def test_what_returns_to_its_own_lan_comes_from_the_router() -> None:
    made = state(WEB, CALLS, WHOLE)
    assert [rule for rule in chain(made, "mangle", "EXTRUDE-FORWARD") if "-o lan0" in rule] == [
        f"-i lan0 -o lan0 -m conntrack --ctstate DNAT --ctorigdst {address} -m conntrack ! --ctstatus CONFIRMED"
        " -j MARK --set-xmark 0x1f000000/0x3f000000"
        for address in ADDRESSES
    ]
    assert "-m mark --mark 0x1f000000/0x3f000000 -j MASQUERADE" in chain(made, "nat", "EXTRUDE-POSTROUTING")


def test_answers_never_leave_a_link_as_an_extruded_address() -> None:
    assert "-m conntrack --ctstate DNAT --ctorigdst 203.0.113.10 -j DROP" in chain(state(), "mangle", "EXTRUDE-GUARD")


def test_without_forwards_nothing_is_sent_on() -> None:
    assert not [one for one in state()["chains"] if one["table"] == "nat" and one["hook"] == "PREROUTING"]
