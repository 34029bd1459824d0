# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plugins.plugin_utils.samples import Vars, noted_in, office

LAN = [{"interface": "lan0", "mode": "nat"}]
WEB = {"protocol": "tcp", "port": 80, "to": "192.168.1.20:8080"}


def found(*forwards: Any, **changes: Any) -> list[str]:
    site: Vars = {
        "extrude_addresses": ["203.0.113.10", "203.0.113.11", "203.0.113.16/28"],
        "extrude_lan": [*LAN, {"interface": "lan1", "mode": "routed", "addresses": ["203.0.113.16/28"]}],
        "extrude_forwards": list(forwards),
        **changes,
    }
    return noted_in(office=office(**site))


@pytest.mark.parametrize(
    "forwards",
    [
        [WEB],
        [{**WEB, "port": "80"}],
        [{**WEB, "protocol": "TCP"}],
        [WEB, {**WEB, "port": 81}],
        [WEB, {**WEB, "protocol": "udp"}],
        [WEB, {**WEB, "address": "203.0.113.11"}],
        [{**WEB, "port": "8000-8010", "to": "192.168.1.20"}, {"address": "203.0.113.11", "to": "192.168.1.21"}],
    ],
)
def test_good_ones(forwards: list[Vars]) -> None:
    assert found(*forwards) == []


@pytest.mark.parametrize(
    ("forward", "told"),
    [
        ("80", "extrude_forwards[0]: '80' is not a dictionary"),
        ({**WEB, "port": ...}, "extrude_forwards[0].port: is missing; give a port from 1 to 65535"),
        ({**WEB, "protocol": ...}, "extrude_forwards[0].protocol: is missing; give tcp or udp"),
        ({**WEB, "protocol": "icmp"}, "extrude_forwards[0].protocol: 'icmp' is no choice; give tcp or udp"),
        ({**WEB, "port": 0}, "extrude_forwards[0].port: 0 is out of range"),
        ({**WEB, "port": True}, "extrude_forwards[0].port: true is no port"),
        ({**WEB, "port": "90-80"}, "extrude_forwards[0].port: '90-80' begins after its end; give 80-90"),
        ({**WEB, "port": "http"}, "extrude_forwards[0].port: 'http' is no port"),
        ({**WEB, "port": "80-81"}, "extrude_forwards[0].to: has a port, 8080, which only a single port leads to"),
        ({**WEB, "to": "192.168.1.20:"}, "extrude_forwards[0].to: '' is no port"),
        ({**WEB, "to": "desk:80"}, "extrude_forwards[0].to: "),
        ({**WEB, "to": 20}, "extrude_forwards[0].to: 20 is not a text"),
        ({**WEB, "to": ...}, "extrude_forwards[0].to: is missing"),
        ({**WEB, "to": "203.0.113.11"}, "extrude_forwards[0].to: 203.0.113.11 is in extrude_addresses[1]; give"),
        ({**WEB, "to": "203.0.113.17"}, "extrude_forwards[0].to: 203.0.113.17 is in extrude_addresses[2]; give"),
        (
            {**WEB, "to": "198.51.100.2"},
            ("extrude_forwards[0].to: 198.51.100.2 is that of extrude_wans[1]; give the address of a host on a LAN"),
        ),
        (
            {**WEB, "to": "192.0.2.1"},
            "extrude_forwards[0].to: 192.0.2.1 is the gateway of extrude_wans[0]; give the address of a host on a LAN",
        ),
        ({**WEB, "host": "x"}, "extrude_forwards[0].host: is not known"),
        (
            {**WEB, "address": "203.0.113.17"},
            (
                "extrude_forwards[0].address: 203.0.113.17 is taken by extrude_lan[1], whose hosts own it and need"
                " no forward; leave this one out, or give extrude_lan[1] other addresses, or give this one"
                " 203.0.113.10 or 203.0.113.11"
            ),
        ),
        (
            {"address": "203.0.113.99", "to": "192.168.1.20"},
            (
                "extrude_forwards[0].address: 203.0.113.99 is not in extrude_addresses; add it there, or give"
                " this one 203.0.113.11"
            ),
        ),
        (
            {"to": "192.168.1.20"},
            (
                "extrude_forwards[0].address: 203.0.113.10 is what LANs with mode nat leave as, so it can't be"
                " 192.168.1.20's alone; give protocol and port, or 203.0.113.11"
            ),
        ),
    ],
)
def test_bad_ones(forward: Any, told: str) -> None:
    given = {key: value for key, value in forward.items() if value is not ...} if isinstance(forward, dict) else forward
    (problem,) = found(given)
    assert problem.startswith(f"office: {told}")


def test_keys_with_nothing_in_them_forward_no_whole_address() -> None:
    protocol, port = found({"address": "203.0.113.11", "protocol": None, "port": None, "to": "192.168.1.20"})
    neither = "or neither protocol nor port for all of the address"
    assert protocol == f"office: extrude_forwards[0].protocol: is empty; give tcp or udp: an entry for each, {neither}"
    assert port.startswith("office: extrude_forwards[0].port: is empty; give a port")
    assert port.endswith(neither)


def test_no_two_errors_of_a_whole_address_point_at_each_other() -> None:
    """With one address for the LAN and the other a host's none is left, and what to do for one more is said."""
    routed: Vars = {"interface": "lan0", "mode": "routed"}
    site: Vars = {"extrude_addresses": ["203.0.113.10", "203.0.113.11"], "extrude_lan": [*LAN, routed]}
    (own,) = found({"address": "203.0.113.11", "to": "192.168.1.20"}, **site)
    assert own.endswith("need no forward; leave this one out, or give extrude_lan[1] other addresses")
    (shared,) = found({"address": "203.0.113.10", "to": "192.168.1.20"}, **site)
    assert shared.endswith("give protocol and port, or add an address to extrude_addresses that no LAN takes")
    routed["addresses"] = ["203.0.113.11"]
    site["extrude_addresses"].append("203.0.113.12")
    assert found({"address": "203.0.113.12", "to": "192.168.1.20"}, **site) == []


@pytest.mark.parametrize(
    ("second", "shown"),
    [
        (WEB, "203.0.113.10 tcp 80"),
        ({**WEB, "port": "70-90", "to": "192.168.1.21"}, "203.0.113.10 tcp 70-90"),
    ],
)
def test_no_two_of_them_are_for_the_same_port(second: Vars, shown: str) -> None:
    told = f"{shown} is also forwarded by extrude_forwards[0], 203.0.113.10 tcp 80; leave one out"
    assert found(WEB, second) == [f"office: extrude_forwards[1]: {told}"]


def test_a_host_with_an_address_of_its_own_shares_it_with_none() -> None:
    whole = {"address": "203.0.113.11", "to": "192.168.1.21"}
    (told,) = found({**WEB, "address": "203.0.113.11"}, whole)
    assert told.startswith("office: extrude_forwards[1]: 203.0.113.11 is also forwarded by extrude_forwards[0]")


@pytest.mark.parametrize(("port", "taken"), [("22", True), ("2222", False), (..., True)])
def test_where_ansible_reaches_the_router_nothing_is_forwarded(port: Any, taken: bool) -> None:
    managed = {"ansible_host": "203.0.113.10", "ansible_port": port}
    told = "office: extrude_forwards[0]: 203.0.113.10 tcp 22 is where Ansible reaches office; give another port"
    assert found({**WEB, "port": 22}, **managed) == ([told] if taken else [])
    assert found({**WEB, "port": 23}, **managed) == []


def test_a_host_that_would_take_all_of_where_ansible_reaches_the_router_is_told_so() -> None:
    whole = {"address": "203.0.113.11", "to": "192.168.1.20"}
    (told,) = found(whole, ansible_host="203.0.113.11")
    assert told == (
        "office: extrude_forwards[0]: 203.0.113.11 is where Ansible reaches office; give protocol and port, give"
        " another address, or reach the router by another one"
    )


def test_what_can_not_be_is_told_once_however_many_forwards_it_overlaps() -> None:
    (told,) = found(WEB, {"to": "192.168.1.20"}, {**WEB, "port": 81}, ansible_host="203.0.113.10")
    assert told.startswith("office: extrude_forwards[1].address: 203.0.113.10 is what LANs with mode nat leave as")


def test_without_a_lan_there_is_nobody_to_forward_to() -> None:
    (told,) = found(WEB, extrude_lan=..., extrude_addresses=["203.0.113.10"])
    assert told.startswith("office: extrude_forwards: leads to hosts on a LAN with mode nat, and there is none")


def test_nothing_is_said_of_addresses_while_the_lans_have_a_problem() -> None:
    (told,) = found(WEB, extrude_lan=[{"interface": "lan0", "mode": "bridge"}])
    assert told.startswith("office: extrude_lan[0].mode")
