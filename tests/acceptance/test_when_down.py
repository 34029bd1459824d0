# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of connections when all tunnels of a site die and come back, and of those that belong to a link."""

from __future__ import annotations

import json

import pytest

from tests.acceptance import modules, sessions, traffic, watch
from tests.acceptance.inventory import lab_host, states
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

LINKS = {"dsl": "192.0.2.2", "cable": "198.51.100.2"}
EXTRUDED = f"(src {ROUTER_ADDRESS} or src {DESK_ADDRESS}) and not ip proto 47"
FORWARD = ["PREROUTING", "-d", LINKS["cable"], "-p", "tcp", "--dport", "8080", "-j", "DNAT", "--to", "192.168.10.2:80"]
SENDER = """
import contextlib, socket, sys, time
source, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
for number, sender in enumerate(senders):
    sender.bind((source, port + number))
end = time.monotonic() + seconds
while time.monotonic() < end:
    for sender in senders:
        with contextlib.suppress(ConnectionRefusedError):
            sender.sendto(b"x", ("198.18.0.10", 9))
    time.sleep(0.1)
"""
"""Sends from 8 ports, so that each tunnel has some."""


def first_link(lab: Lab) -> str:
    """The link by which the router's main table leaves, and so what is direct."""
    return str(json.loads(lab.exec("office", ["ip", "-j", "route", "show", "default"]).stdout)[0]["dev"])[:-1]


def test_without_a_tunnel_new_connections_leave_by_a_link_as_its_address_and_outside_senders_are_told(
    mended: Lab,
) -> None:
    with sessions.tunnels_down(mended):
        for source in (None, DESK_ADDRESS):
            assert traffic.source_seen_outside(mended, "desk", source) == LINKS[first_link(mended)]
        mended.exec("upstream", ["ip", "neigh", "flush", "dev", "rack0"])
        told = mended.exec("internet", ["ping", "-c", "3", "-i", "0.2", "-W", "2", DESK_ADDRESS], check=False).stdout
        assert "From 203.0.113.2 icmp_seq=1 Destination Host Unreachable" in told
        assert traffic.neighbour(mended, "upstream", DESK_ADDRESS) == traffic.mac(mended, "colo", "eth0")
    assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
    assert traffic.source_seen_outside(mended, "desk", DESK_ADDRESS) == DESK_ADDRESS
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)


def test_a_connection_that_began_direct_stays_on_its_link_when_tunnels_are_back(mended: Lab) -> None:
    with watch.capture(mended, f"isp-{first_link(mended)}", "office0", "tcp port 2222") as direct:
        with sessions.tunnels_down(mended):
            kept = watch.connection(mended, "desk", "internet", INTERNET_ADDRESS)
            fared = kept.__enter__()
        assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
        kept.__exit__(None, None, None)
    assert fared.whole
    assert fared.longest < 2
    assert len(direct.lines) > 2 * fared.answers


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("192.168.10.2", id="LAN host"),
        pytest.param(DESK_ADDRESS, id="by its extruded address", marks=pytest.mark.long),
    ],
)
def test_what_began_in_a_tunnel_does_not_leave_a_link_with_an_extruded_source(mended: Lab, source: str) -> None:
    sender = mended.popen("desk", ["python3", "-c", SENDER, source, "20010", "8"])
    mended.exec("office", ["sh", "-c", "until grep -q sport=2001 /proc/net/nf_conntrack; do sleep 0.1; done"])
    with (
        watch.capture(mended, "isp-dsl", "office0", EXTRUDED) as dsl,
        watch.capture(mended, "isp-cable", "office0", EXTRUDED) as cable,
        sessions.tunnels_down(mended),
    ):
        mended.exec("office", ["ping", "-c", "2", "-W", "1", "-I", ROUTER_ADDRESS, INTERNET_ADDRESS], check=False)
        sender.communicate(timeout=30)
    assert dsl.lines == cable.lines == []


def test_what_is_direct_goes_on_through_the_tunnels_when_its_link_dies(mended: Lab) -> None:
    link = first_link(mended)
    with sessions.tunnels_down(mended):
        sender = mended.popen("desk", ["python3", "-c", SENDER, "192.168.10.2", "20020", "40"])
        mended.exec("office", ["sh", "-c", "until grep -q sport=2002 /proc/net/nf_conntrack; do sleep 0.1; done"])
    with watch.capture(mended, "internet", "eth0", "udp and src portrange 20020-20027") as arrived:
        mended.cut(link)
        sender.communicate(timeout=60)
    assert any(f"{ROUTER_ADDRESS}.2002" in line for line in arrived.lines)


def test_a_port_forward_of_the_admin_on_a_link_works_while_tunnels_are_up(mended: Lab) -> None:
    mended.exec("office", ["iptables", "-t", "nat", "-A", *FORWARD])
    try:
        assert traffic.fetch(mended, "internet", f"http://{LINKS['cable']}:8080/name") == "desk"
    finally:
        mended.exec("office", ["iptables", "-t", "nat", "-D", *FORWARD])


def test_blocked_nothing_leaves_without_a_tunnel(mended: Lab) -> None:
    blocked = states({"office": {**lab_host("office"), "extrude_when_down": "block"}})
    assert not modules.apply(mended, "office", blocked["office"]).failed
    with (
        sessions.tunnels_down(mended),
        watch.capture(mended, f"isp-{first_link(mended)}", "office0", "udp port 9") as left,
    ):
        mended.exec("desk", ["python3", "-c", SENDER, "192.168.10.2", "20030", "1"], check=False)
        mended.exec("desk", ["python3", "-c", SENDER, DESK_ADDRESS, "20040", "1"], check=False)
    assert left.lines == []
