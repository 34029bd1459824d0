# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._iptables import canonical
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, run

LANS = [{"interface": "lan0", "mode": "nat"}, {"interface": "lan1", "mode": "routed"}]
ADDRESSES = ["203.0.113.10", "203.0.113.16/28", "2001:db8:100:1::/64"]


def states(**changes: Any) -> tuple[Vars, Vars]:
    result = run(office=office(**changes))
    return result["sites"]["office"], result["colos"]["rack"][0]


def rules(state: Vars, family: int, table: str) -> list[str]:
    chains = [chain for chain in state["chains"] if (chain["family"], chain["table"]) == (family, table)]
    chains = [chain for chain in chains if chain.get("hook") != "INPUT"]
    return [rule for chain in chains for rule in chain["rules"]]


@pytest.mark.parametrize("end", [0, 1])
def test_the_rules_are_in_the_words_of_iptables_save(end: int) -> None:
    chains = State.parse(states(extrude_addresses=ADDRESSES, extrude_lan=LANS)[end]).of(Chain)
    assert set(canonical(chains)) == set(chains)


def test_segments_fit_the_smallest_tunnel_of_the_site() -> None:
    site, colo = states(extrude_addresses=ADDRESSES, extrude_lan=LANS, extrude_wans=[dsl(mtu=1492), cable()])
    sizes = {
        (family, rule.split()[-1])
        for end in (site, colo)
        for family in (4, 6)
        for rule in rules(end, family, "mangle")
        if "TCPMSS" in rule and "dsl0" not in rule
    }
    assert sizes == {(4, "1424"), (6, "1404")}


def test_segments_fit_a_link_that_a_lan_may_use_without_a_tunnel() -> None:
    wans = [dsl(mtu=1492), cable()]
    for changes, clamped in (
        ({}, True),
        ({"extrude_when_down": "block", "extrude_direct": [{"dscp": 1}]}, True),
        ({"extrude_when_down": "block"}, False),
        ({"extrude_wans": [dsl(mtu=1492, use="extruded"), cable()]}, False),
        ({"extrude_lan": []}, False),
    ):
        site, _colo = states(**{"extrude_wans": wans, **changes})
        found = [rule for rule in rules(site, 4, "mangle") if "--set-mss 1452" in rule]
        syn = "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1452"
        assert found == ([f"-i lan0 -o dsl0 {syn}", f"-i dsl0 -o lan0 {syn}"] if clamped else [])


def test_segments_are_clamped_in_both_directions_on_all_tunnels_of_the_site_only() -> None:
    ways = [[rule.split()[:2] for rule in rules(end, 4, "mangle") if "TCPMSS" in rule] for end in states()]
    assert ways == [[["-i", "ex-+"], ["-o", "ex-+"]], [["-i", "ex1-+"], ["-o", "ex1-+"]]]


def test_hosts_that_own_an_address_leave_tunnels_as_they_are_and_others_as_the_router() -> None:
    site, _colo = states(extrude_addresses=ADDRESSES, extrude_lan=LANS)
    assert rules(site, 4, "nat")[:3] == [
        "-m policy --dir out --pol ipsec -j RETURN",
        "-s 203.0.113.16/28 -o ex-+ -j ACCEPT",
        "-o ex-+ -m addrtype ! --src-type LOCAL -j SNAT --to-source 203.0.113.10",
    ]


def test_two_nat_lans_need_one_rule() -> None:
    site, _colo = states(extrude_lan=[LANS[0], {"interface": "lan2", "mode": "nat"}])
    assert len([rule for rule in rules(site, 4, "nat") if "ex-+" in rule]) == 1


def test_without_a_nat_lan_nothing_is_translated_in_tunnels() -> None:
    site, _colo = states(extrude_lan=[])
    assert all("ex-+" not in rule for rule in rules(site, 4, "nat"))
    assert all("-j SNAT" not in rule for rule in rules(site, 4, "nat"))


def test_what_leaves_a_link_as_its_address_is_direct_there() -> None:
    site, _colo = states(extrude_addresses=ADDRESSES, extrude_lan=LANS)
    assert [rule for rule in rules(site, 4, "nat") if "-o dsl0" in rule] == [
        "-o dsl0 -m mark --mark 0x21000000/0x3f000000 -j MASQUERADE"
    ]


def test_nothing_is_translated_for_a_router_without_lans() -> None:
    site, _colo = states(extrude_lan=[])
    assert rules(site, 4, "nat") == ["-m policy --dir out --pol ipsec -j RETURN"]
    assert all("CONNMARK" not in rule for rule in rules(site, 4, "mangle"))


def test_from_outside_only_hosts_that_own_an_address_are_reached() -> None:
    site, _colo = states(extrude_addresses=ADDRESSES, extrude_lan=LANS)
    for family, network in ((4, "203.0.113.16/28"), (6, "2001:db8:100:1::/64")):
        inward = [rule for rule in rules(site, family, "filter") if "-i ex-+" in rule and "ESTABLISHED" not in rule]
        assert inward == [
            f"-d {network} -i ex-+ -o lan1 -j ACCEPT",
            "-i ex-+ -m conntrack ! --ctstate DNAT -j DROP",
        ]


def test_a_lan_with_both_modes_is_let_out_once() -> None:
    site, _colo = states()
    assert rules(site, 4, "filter").count("-i lan0 -o ex-+ -j ACCEPT") == 1
