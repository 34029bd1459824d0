# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._address import name
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_site import read_site
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Site
from tests.unit.plugins.plugin_utils.samples import Vars, noted, office, reader

NAT: Vars = {"interface": "lan0", "mode": "nat"}
ROUTED: Vars = {"interface": "lan0", "mode": "routed"}
LAN1: Vars = {"interface": "lan1"}


def site(lans: Any, *addresses: str) -> tuple[Site, list[str]]:
    one = reader(office(extrude_addresses=list(addresses), extrude_lan=lans))
    return read_site(one, ["rack"]), noted(one)


def places(lans: Any, *addresses: str) -> tuple[list[list[str]], list[str]]:
    """Return the addresses of each LAN, and those that the router holds."""
    read, problems = site(lans, *addresses)
    assert problems == []
    return [[name(network) for network in lan.addresses] for lan in read.lans], [name(held) for held in read.held]


def problems(lans: Any, *addresses: str) -> list[str]:
    return site(lans, *addresses)[1]


def test_without_lans_the_router_holds_all() -> None:
    assert places(..., "203.0.113.10", "2001:db8:100::1") == ([], ["203.0.113.10", "2001:db8:100::1"])
    assert places([], "203.0.113.10") == ([], ["203.0.113.10"])


def test_a_nat_lan_leaves_as_the_first_single_ipv4_address() -> None:
    addresses = ["2001:db8:100::1", "203.0.113.10", "203.0.113.11"]
    assert places([NAT], *addresses) == ([["203.0.113.10"]], addresses)


def test_a_nat_lan_leaves_as_the_address_that_it_names() -> None:
    lan = {**NAT, "addresses": ["203.0.113.11"]}
    assert places([lan], "203.0.113.10", "203.0.113.11") == ([["203.0.113.11"]], ["203.0.113.10", "203.0.113.11"])


def test_nat_lans_share_one_address() -> None:
    assert places([NAT, {**NAT, **LAN1}], "203.0.113.10") == ([["203.0.113.10"]] * 2, ["203.0.113.10"])


def test_a_routed_lan_gets_what_nat_leaves() -> None:
    addresses = ["203.0.113.10", "203.0.113.11", "203.0.113.16/28", "2001:db8:100:1::/64"]
    assert places([ROUTED, NAT], *addresses) == ([addresses[1:], ["203.0.113.10"]], ["203.0.113.10"])


def test_nat_takes_the_first_that_no_routed_lan_names() -> None:
    routed = {**ROUTED, "addresses": ["203.0.113.10"]}
    addresses = ["203.0.113.10", "203.0.113.11", "203.0.113.12"]
    assert places([NAT, routed], *addresses) == ([["203.0.113.11"], ["203.0.113.10"]], addresses[1:])


def test_several_routed_lans() -> None:
    lans = [{**ROUTED, "addresses": ["203.0.113.11"]}, {**ROUTED, **LAN1}]
    addresses = ["203.0.113.10", "203.0.113.11", "203.0.113.12"]
    assert places(lans, *addresses) == ([["203.0.113.11"], ["203.0.113.10", "203.0.113.12"]], [])


def test_a_prefix_needs_a_routed_lan() -> None:
    assert problems([NAT], "203.0.113.10", "203.0.113.16/28") == [
        (
            "office: extrude_addresses[1]: no LAN takes the prefix 203.0.113.16/28; "
            "give extrude_lan an entry with mode routed for it, or single addresses instead"
        )
    ]


@pytest.mark.parametrize(
    ("lans", "problem"),
    [
        ("lan0", "extrude_lan: 'lan0' is not a list; give a list of dictionaries such as {interface: lan0, mode: nat}"),
        (
            ["lan0"],
            "extrude_lan[0]: 'lan0' is not a dictionary; give a dictionary such as {interface: lan0, mode: nat}",
        ),
        ([{**NAT, "mode": "bridge"}], "extrude_lan[0].mode: 'bridge' is no choice; give nat or routed"),
        ([{"interface": "lan0"}], "extrude_lan[0].mode: is missing; give nat or routed"),
        ([{**NAT, "adresses": []}], "extrude_lan[0].adresses: is not known; the nearest known key is addresses"),
        (
            [{**NAT, "interface": "dsl0"}],
            "extrude_lan[0].interface: 'dsl0' is also that of extrude_wans[0]; leave one of both out",
        ),
        ([NAT, NAT], "extrude_lan[1].interface: 'lan0' has mode nat in extrude_lan[0] already; leave one of both out"),
        (
            [{**NAT, "addresses": ["203.0.113.99"]}],
            "extrude_lan[0].addresses[0]: 203.0.113.99 is not in extrude_addresses; add it there, or give what is",
        ),
        (
            [{**NAT, "addresses": "203.0.113.10"}],
            (
                "extrude_lan[0].addresses: '203.0.113.10' is not a list; "
                "give a list of which each entry is an address or a prefix such as 203.0.113.0/28"
            ),
        ),
        (
            [{**NAT, "addresses": ["203.0.113.10", "203.0.113.11"]}],
            "extrude_lan[0].addresses: mode nat takes exactly one single IPv4 address; give one of extrude_addresses",
        ),
        (
            [{**NAT, "addresses": []}],
            (
                "extrude_lan[0].addresses: is empty; leave it out, or give a list of which each entry is an address or "
                "a prefix such as 203.0.113.0/28"
            ),
        ),
        (
            [{**NAT, "addresses": ["2001:db8::99"]}],
            "extrude_lan[0].addresses: mode nat takes exactly one single IPv4 address; give one of extrude_addresses",
        ),
        (
            [{**ROUTED, "addresses": ["203.0.113.10", "203.0.113.10"]}],
            "extrude_lan[0].addresses[1]: 203.0.113.10 is given twice; leave one out",
        ),
        (
            [{**NAT, "addresses": ["2001:db8:100::1"]}],
            "extrude_lan[0].addresses: mode nat takes exactly one single IPv4 address; give one of extrude_addresses",
        ),
        (
            [{**NAT, "addresses": ["203.0.113.10"]}, {**NAT, **LAN1, "addresses": ["203.0.113.11"]}],
            (
                "extrude_lan[1].addresses: 203.0.113.11 is not that of extrude_lan[0], 203.0.113.10; "
                "this version takes one for all nat LANs of a site"
            ),
        ),
        (
            [NAT, {**ROUTED, "addresses": ["203.0.113.99"]}],
            "extrude_lan[1].addresses[0]: 203.0.113.99 is not in extrude_addresses; add it there, or give what is",
        ),
        (
            [{**NAT, "addresses": ["203.0.113.10"]}, {**ROUTED, "addresses": ["203.0.113.10"]}],
            "extrude_lan[1].addresses[0]: 203.0.113.10 is also taken by extrude_lan[0]; leave it out in one of both",
        ),
        (
            [{**ROUTED, "addresses": ["203.0.113.10"]}, {**ROUTED, **LAN1, "addresses": ["203.0.113.10"]}],
            "extrude_lan[1].addresses[0]: 203.0.113.10 is also taken by extrude_lan[0]; leave it out in one of both",
        ),
        (
            [ROUTED, {**ROUTED, **LAN1}],
            "extrude_lan[1].addresses: is missing, and in extrude_lan[0] too; give it in all but one of them",
        ),
    ],
)
def test_problems(lans: Any, problem: str) -> None:
    assert problems(lans, "203.0.113.10", "203.0.113.11", "2001:db8:100::1") == [f"office: {problem}"]


def test_a_part_of_a_prefix_is_told_as_such() -> None:
    told = "203.0.113.65 is only a part of 203.0.113.64/28 in extrude_addresses; give all of that, or split it there"
    (problem,) = problems([{**ROUTED, "addresses": ["203.0.113.65"]}], "203.0.113.10", "203.0.113.64/28")[:1]
    assert problem == f"office: extrude_lan[0].addresses[0]: {told}"


@pytest.mark.parametrize("nothing", [None, []])
def test_empty_is_not_what_is_left(nothing: Any) -> None:
    (problem,) = problems([{**ROUTED, "addresses": nothing}], "203.0.113.10")
    assert problem.startswith("office: extrude_lan[0].addresses: is empty; leave it out, or give a list of which each")


def test_nat_without_an_ipv4_address() -> None:
    problem = "nat needs a single IPv4 address in extrude_addresses, and there is none left; add one"
    assert problems([NAT], "2001:db8:100::1") == [f"office: extrude_lan[0].mode: {problem}"]


def test_nothing_left_for_a_routed_lan() -> None:
    problem = "no address is left for this LAN; give more in extrude_addresses"
    assert problems([NAT, ROUTED], "203.0.113.10") == [f"office: extrude_lan[1].addresses: {problem}"]


def test_no_follow_up_problems_where_an_address_is_bad() -> None:
    assert len(problems([NAT, ROUTED], "203.0.113.300", "203.0.113.11")) == 1
