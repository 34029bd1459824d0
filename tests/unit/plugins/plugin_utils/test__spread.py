# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._iptables import canonical
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, State
from ansible_collections.multihome.extrude.plugins.module_utils._plan import merged_chains
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, run, run_all, shop

ADDRESSES = ["203.0.113.10", "203.0.113.16/28", "2001:db8:100:1::/64", "2001:db8:100::10"]
LANS = [
    {"interface": "lan0", "mode": "nat"},
    {"interface": "lan1", "mode": "routed", "addresses": ["203.0.113.16/28", "2001:db8:100:1::/64"]},
]
WANS = [dsl(up=20, down=50), cable(up=10, down=50)]
ALIKE = {"rtt": 20.0, "transit": 10.0, "site_delay": 0.0, "colo_delay": 0.0}
MODE = {"extrude_balance": "packet", "extrude_measured": {"dsl": ALIKE, "cable": ALIKE, "lte": ALIKE}}
PACKET = {**MODE, "extrude_wans": WANS, "extrude_addresses": ADDRESSES, "extrude_lan": LANS}
SHOP = {
    **MODE,
    "extrude_wans": [dsl(address="192.0.2.20/24", weight=1), cable(address="198.51.100.20/24", weight=1)],
}


def ends(**changes: Any) -> tuple[Vars, Vars]:
    """Return the states of site and colo."""
    result = run(office=office(**{**PACKET, **changes}))
    return result["sites"]["office"], result["colos"]["rack"][0]


def chain(state: Vars, name: str, family: int = 4) -> list[str]:
    """Return the rules of a mangle chain; empty where there is none."""
    found = [one for one in state["chains"] if (one["family"], one["table"], one["name"]) == (family, "mangle", name)]
    return [rule for one in found for rule in one["rules"]]


def reached(chains: dict[str, tuple[str, ...]], destination: str) -> tuple[str, int]:
    """Return the last chain that a packet comes to at the colo, and the rules it has passed before that."""
    name, passed, address = "EXTRUDE-PREROUTING", 0, ip_address(destination)
    while not re.fullmatch(r"EXTRUDE-S\d+", name):
        for rule in chains[name]:
            passed += 1
            if address in ip_network(rule.split()[1]):
                name = rule.split()[-1]
                break
        else:
            return "", passed
    return name, passed


@pytest.mark.parametrize("end", [0, 1])
def test_the_rules_are_in_the_words_of_iptables_save(end: int) -> None:
    chains = State.parse(ends(extrude_pins=PINS)[end]).of(Chain)
    assert set(canonical(chains)) == set(chains)


def test_in_flow_mode_nothing_is_spread() -> None:
    for state in ends(extrude_balance="flow"):
        assert "statistic" not in str(state["chains"])
        assert not [rule for rule in state["rules"] if rule["table"] in range(4201, 4217)]


def test_a_site_with_one_link_in_its_first_tier_spreads_nothing() -> None:
    assert "EXTRUDE-UP" not in str(ends(extrude_wans=[WANS[0], {**WANS[1], "metric": 2}])[0]["chains"])


def test_the_site_shares_by_what_it_can_send_and_the_colo_by_what_the_site_receives() -> None:
    site, colo = ends()
    assert len([rule for rule in chain(site, "EXTRUDE-UP") if "--every 3" in rule]) == 1
    assert len([rule for rule in chain(colo, "EXTRUDE-S1") if "--every 2" in rule]) == 1


def test_only_links_of_the_first_tier_take_part() -> None:
    third = dsl(name="lte", interface="lte0", address="192.0.2.9/24", metric=2, up=1, down=1)
    for state in ends(extrude_wans=[*WANS, third]):
        assert "0x3000000/" not in str(state["chains"])
        assert {rule["table"] for rule in state["rules"]} & set(range(4201, 4217)) == {4201, 4202}


def test_small_packets_have_counters_of_their_own() -> None:
    site, colo = ends()
    for state, name in ((site, "EXTRUDE-UP"), (colo, "EXTRUDE-S1")):
        first, *data = chain(state, name)
        assert first == f"-m length --length 0:127 -g {name}-ACK"
        assert chain(state, f"{name}-ACK") == data


def test_what_lans_and_the_router_send_from_extruded_addresses_is_spread() -> None:
    site, _colo = ends()
    unmarked = "-m mark --mark 0x0/0x3f000000 -j EXTRUDE-UP"
    assert [rule for rule in chain(site, "EXTRUDE-PREROUTING") if "EXTRUDE-UP" in rule] == [
        f"-i lan0 {unmarked}",
        f"-s 203.0.113.16/28 -i lan1 {unmarked}",
    ]
    assert chain(site, "EXTRUDE-OUTPUT") == [f"-s 203.0.113.10/32 ! -o lo {unmarked}"]
    assert [rule for rule in chain(site, "EXTRUDE-PREROUTING", 6) if "EXTRUDE-UP" in rule] == [
        f"-s 2001:db8:100:1::/64 -i lan1 {unmarked}"
    ]


def test_what_is_direct_is_not_spread() -> None:
    site, _colo = ends()
    targets = [
        rule.split()[-1] for rule in chain(site, "EXTRUDE-PREROUTING") if rule.startswith(("-i lan0", "! -i ex"))
    ]
    assert targets == ["0x3f000000", "EXTRUDE-UP"]  # what a connection remembers goes first


def test_a_packet_that_no_slot_had_a_way_for_may_become_direct() -> None:
    site, _colo = ends()
    assert all("--mark 0x0/0x20000000" in rule for rule in chain(site, "EXTRUDE-FORWARD") if "CONFIRMED" in rule)


def test_marks_lead_to_the_slots_tables_at_both_ends_after_what_is_direct() -> None:
    for state in ends(extrude_wans=[{**WANS[0], "slot": 16}, WANS[1]]):
        slots = [rule for rule in state["rules"] if rule["table"] in range(4201, 4217)]
        assert {(rule["family"], rule["priority"], rule["table"], rule["mark"]) for rule in slots} == {
            (family, 4240 + slot, 4200 + slot, slot << 24) for family in (4, 6) for slot in (2, 16)
        }


def test_at_the_colo_a_destination_leads_to_its_own_site_past_few_rules() -> None:
    sites = {
        f"site{number}": shop(
            **{
                **SHOP,
                "extrude_site_id": number,
                "extrude_addresses": [f"203.0.113.{number}"],
                "extrude_wans": [
                    dsl(address=f"192.0.2.{number}/24", gateway="192.0.2.254", weight=1),
                    cable(address=f"198.51.100.{number}/24", gateway="198.51.100.254", weight=1),
                ],
            }
        )
        for number in range(3, 254)
    }
    states = tuple(State.parse(state) for state in run_all(sites)["colos"]["rack"])
    chains = {one.name: one.rules for one in merged_chains(Request(states)) if one.table == "mangle"}
    for number in range(3, 254):
        name, passed = reached(chains, f"203.0.113.{number}")
        assert name == f"EXTRUDE-S{number}"
        assert passed <= 36
    assert reached(chains, "203.0.113.254")[0] == ""


def test_prefixes_of_all_lengths_are_found() -> None:
    addresses = ["203.0.113.32/29", "203.0.113.8", "203.0.113.16/28", "203.0.113.128/25"]
    addresses += ["2001:db8:100:ff00::/56", "2001:db8:100:1::/64", "2001:db8:100:2::9"]
    _site, colo = ends(extrude_addresses=addresses, extrude_lan=[{"interface": "lan0", "mode": "routed"}])
    for family, wanted in (
        (4, ["203.0.113.39", "203.0.113.8", "203.0.113.31", "203.0.113.200"]),
        (6, ["2001:db8:100:ffff::1", "2001:db8:100:1::1", "2001:db8:100:2::9"]),
    ):
        chains = {one.name: one.rules for one in State.parse(colo).of(Chain) if one.family == family}
        assert [reached(chains, address)[0] for address in wanted] == ["EXTRUDE-S1"] * len(wanted)
    assert all(len(one.name) <= 28 for one in State.parse(colo).of(Chain))


def test_each_site_has_counters_of_its_own() -> None:
    states = run(office=office(**PACKET), shop=shop(**SHOP, extrude_addresses=["203.0.113.40"]))["colos"]["rack"]
    chains = {one.name for one in merged_chains(Request(tuple(map(State.parse, states))))}
    assert {"EXTRUDE-S1", "EXTRUDE-S1-ACK", "EXTRUDE-S2", "EXTRUDE-S2-ACK"} <= chains


PINS = [
    {"dscp": "ef", "wan": "cable"},
    {"destination": "198.18.0.0/15", "protocol": "tcp", "ports": [22, "8000-8010"], "wan": "dsl"},
    {"protocol": "icmp", "wan": "cable"},
]


def test_what_is_pinned_takes_its_link_in_both_directions() -> None:
    site, colo = ends(extrude_balance="flow", extrude_pins=PINS)
    assert chain(site, "EXTRUDE-UP") == [
        "-m dscp --dscp 0x2e -g EXTRUDE-PIN2",
        "-d 198.18.0.0/15 -p tcp -m multiport --ports 22,8000:8010 -g EXTRUDE-PIN1",
        "-p icmp -g EXTRUDE-PIN2",
    ]
    assert chain(colo, "EXTRUDE-S1") == [
        "-m dscp --dscp 0x2e -g EXTRUDE-PIN2",
        "-s 198.18.0.0/15 -p tcp -m multiport --ports 22,8000:8010 -g EXTRUDE-PIN1",
        "-p icmp -g EXTRUDE-PIN2",
    ]
    for state in (site, colo):
        assert chain(state, "EXTRUDE-PIN2") == ["-j MARK --set-xmark 0x2000000/0x3f000000"]
        assert chain(state, "EXTRUDE-UP", 6) + chain(state, "EXTRUDE-S1", 6) == [
            "-m dscp --dscp 0x2e -g EXTRUDE-PIN2",
            "-p ipv6-icmp -g EXTRUDE-PIN2",
        ]
        slots = {(rule["family"], rule["table"]) for rule in state["rules"] if 4241 <= rule["priority"] <= 4256}
        assert slots == {(family, table) for family in (4, 6) for table in (4201, 4202)}


def test_only_links_that_something_is_pinned_to_have_slots() -> None:
    for state in ends(extrude_balance="flow", extrude_pins=PINS[:1]):
        assert {rule["table"] for rule in state["rules"] if 4241 <= rule["priority"] <= 4256} == {4202}
        (text,) = (file["content"] for file in state["files"] if file["path"].startswith("bird.d/"))
        assert re.findall(r"extrude_slot = (\d)", text) == ["0", "0", "0", "2", "2", "0"]


def test_pins_come_before_what_spreads_packets() -> None:
    site, colo = ends(extrude_pins=PINS[:1])
    for rules in (chain(site, "EXTRUDE-UP"), chain(colo, "EXTRUDE-S1")):
        assert rules[0] == "-m dscp --dscp 0x2e -g EXTRUDE-PIN2"
        assert rules[1].startswith("-m length")
