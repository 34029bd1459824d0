# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.unit.plugins.plugin_utils.samples import colo
from tests.unit.plugins.plugin_utils.test__firewall_colo import chains_of, offices, placed
from tests.unit.plugins.plugin_utils.walk import Chains, Packet

SERVICES = [
    {"protocol": "tcp", "port": 22, "customers": []},
    {"protocol": "tcp", "port": 443},
    {"protocol": "udp", "port": "5000-5010", "customers": ["globex"]},
]
SSH, WEB, VOICE = "-p tcp -m tcp --dport 22", "-p tcp -m tcp --dport 443", "-p udp -m udp --dport 5000:5010"


@pytest.fixture(scope="module")
def listed() -> Chains:
    return placed(chains_of(offices(("globex", [])), colo(extrude_services=SERVICES)))


@pytest.mark.parametrize(
    ("device", "what", "verdict"),
    [
        ("ex1-dsl", WEB, "ACCEPT"),
        ("ex21-dsl", WEB, "ACCEPT"),
        ("ex1-dsl", VOICE, "DROP"),
        ("ex21-dsl", VOICE, "ACCEPT"),
        ("ex1-dsl", SSH, "DROP"),
        ("ex1-dsl", "-p udp", "DROP"),
        ("ex1-dsl", "-p icmp", ""),
        ("eth0", SSH, ""),
        ("ex77-dsl", SSH, ""),
    ],
)
def test_what_sites_reach_of_the_colo_itself(listed: Chains, device: str, what: str, verdict: str) -> None:
    """A tunnel that is in no list is that of a site which is not deployed anew yet."""
    assert Packet(device, told=(what,)).passes(listed) == verdict


def test_the_tunnels_stay_alive(listed: Chains) -> None:
    for what in ("-p udp -m udp --dport 3784", "-p tcp -m tcp --dport 1179", "-p icmp"):
        told = ("-d 10.254.0.0/15", "-s 10.254.0.0/15", what)
        assert Packet("ex1-dsl", told=told).passes(listed) == "ACCEPT"


def test_answers_to_the_colo_come_in(listed: Chains) -> None:
    assert Packet("ex1-dsl", first=False).passes(listed) == "ACCEPT"


def test_what_the_administrator_lets_in_is_dropped_before(listed: Chains) -> None:
    assert Packet("ex1-dsl", told=(SSH,)).passes({**listed, ("filter", "EXTRUDE-INPUT"): ("-j ACCEPT",)}) == "DROP"


def test_without_a_list_the_administrators_own_firewall_decides() -> None:
    chains = placed(chains_of(offices()))
    assert Packet("ex1-dsl", told=(SSH,)).passes(chains) == ""
    assert not [name for _table, name in chains if "SERVICES" in name]


def test_ipv6_is_no_way_around_it_where_none_is_extruded() -> None:
    chains = placed(chains_of(offices(), colo(extrude_services=SERVICES)), 6)
    assert Packet("ex1-dsl", told=(SSH,)).passes(chains) == "DROP"
    assert Packet("ex1-dsl", told=("-p ipv6-icmp",)).passes(chains) == ""
