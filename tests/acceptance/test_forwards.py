# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's router sends on to hosts behind it: from outside by any link, and from the LAN itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance import modules, sessions, traffic, watch
from tests.acceptance.conftest import brought
from tests.acceptance.inventory import Variables, lab_host
from tests.acceptance.traffic import INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

DESK = "192.168.10.2"
WHOLE = "203.0.113.12"
"""All that comes for this address is the desk's, and the desk leaves as it."""
PAGE = f"http://{ROUTER_ADDRESS}:8080"
PORT = 7005
SEND = """
import contextlib, socket, sys, time
near, far, count = int(sys.argv[1]), (sys.argv[2], int(sys.argv[3])), int(sys.argv[4])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.bind(("", near))
    for _ in range(count):
        with contextlib.suppress(OSError):
            sender.sendto(b"x", far)
        time.sleep(0.1)
"""
"""Sends from a port to an address and port, ten times a second."""


def forwarding() -> Variables:
    """The office with forwards."""
    base = lab_host("office")
    return {
        **base,
        "extrude_addresses": [*base["extrude_addresses"], WHOLE],
        "extrude_forwards": [
            {"protocol": "tcp", "port": 8080, "to": f"{DESK}:80"},
            {"protocol": "udp", "port": "7000-7010", "to": DESK},
            {"address": WHOLE, "to": DESK},
        ],
    }


@pytest.fixture(scope="module")
def forwards(deployed: Lab) -> Iterator[Lab]:
    """The lab with forwards, and a router that lets nothing through but what it has to."""
    with brought(deployed, forwarding()):
        deployed.exec("office", ["iptables", "-P", "FORWARD", "DROP"])
        yield deployed
        deployed.exec("office", ["iptables", "-P", "FORWARD", "ACCEPT"])


def test_a_port_leads_to_another_port_of_a_host_which_sees_who_asks(forwards: Lab) -> None:
    assert traffic.fetch(forwards, "internet", f"{PAGE}/name") == "desk"
    assert traffic.fetch(forwards, "internet", f"{PAGE}/ip") == INTERNET_ADDRESS


def test_a_range_of_ports_leads_to_the_same_ports(forwards: Lab) -> None:
    with watch.capture(forwards, "desk", "eth0", f"udp dst port {PORT}") as arrived:
        forwards.exec("internet", ["python3", "-c", SEND, "9000", ROUTER_ADDRESS, str(PORT), "3"])
        forwards.exec("internet", ["python3", "-c", SEND, "9000", ROUTER_ADDRESS, "7011", "3"])
    assert len(arrived.lines) == 3
    assert all(f"{INTERNET_ADDRESS}.9000 > {DESK}.{PORT}" in line for line in arrived.lines)


def test_a_whole_address_is_a_host_s_in_both_directions(forwards: Lab) -> None:
    assert traffic.reaches(forwards, "internet", WHOLE)
    assert traffic.fetch(forwards, "internet", f"http://{WHOLE}/name") == "desk"
    assert traffic.source_seen_outside(forwards, "desk") == WHOLE


@pytest.mark.parametrize("page", [PAGE, f"http://{WHOLE}"])
def test_the_lan_reaches_its_own_hosts_by_the_same_addresses(forwards: Lab, page: str) -> None:
    assert traffic.fetch(forwards, "desk", f"{page}/name") == "desk"


def test_each_link_alone_serves_them(forwards: Lab) -> None:
    for link in ("dsl", "cable"):
        forwards.cut(link)
        sessions.wait_down(forwards, "colo", f"ex1-{link}")
        assert traffic.fetch(forwards, "internet", f"{PAGE}/name") == "desk"
        forwards.heal(link)
        sessions.wait_up(forwards)


def test_answers_do_not_leave_a_link_as_an_extruded_address_when_no_tunnel_lives(forwards: Lab) -> None:
    forwards.exec("internet", ["python3", "-c", SEND, "9000", ROUTER_ADDRESS, str(PORT), "1"])
    answer = ["python3", "-c", SEND, str(PORT), INTERNET_ADDRESS, "9000", "10"]
    with watch.capture(forwards, "internet", "eth0", f"udp src port {PORT}") as arrived:
        forwards.exec("desk", answer)
    assert all(f"{ROUTER_ADDRESS}.{PORT} > {INTERNET_ADDRESS}.9000" in line for line in arrived.lines)
    assert len(arrived.lines) == 10
    with (
        watch.capture(forwards, "isp-dsl", "office0", "udp dst port 9000") as dsl,
        watch.capture(forwards, "isp-cable", "office0", "udp dst port 9000") as cable,
        sessions.tunnels_down(forwards),
    ):
        forwards.exec("desk", answer)
    assert dsl.lines == cable.lines == []


def test_without_them_the_rules_are_gone(forwards: Lab) -> None:
    modules.bring(forwards, lab_host("office"))
    assert "DNAT" not in forwards.exec("office", ["iptables-save"]).stdout.replace("ctstate DNAT", "")
    assert traffic.source_seen_outside(forwards, "desk") == ROUTER_ADDRESS
