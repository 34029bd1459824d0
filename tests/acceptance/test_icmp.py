# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not fit, and what routers say of it: that finds whom it concerns, through NAT and tunnels, both ways."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance import inventory, modules, watch
from tests.acceptance.conftest import put_back
from tests.acceptance.test_ipv6 import COLO, both_families, give_the_desk_an_address
from tests.acceptance.test_ipv6 import DESK as DESK6
from tests.acceptance.test_ipv6 import INTERNET as INTERNET6
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

COLO_ADDRESS = "203.0.113.2"
INSIDE, OUTSIDE, NARROW = 1472, 1500, 1400
"""The MTU of tunnels, of links, and of what lies behind them in some tests."""
OVERHEAD = 28
PRIVATE = "192.168.10.2"
"""The desk's own address, by which it is behind NAT."""
BOTH = pytest.mark.parametrize(
    "source",
    [
        pytest.param(PRIVATE, id="behind NAT"),
        pytest.param(DESK_ADDRESS, id="by its extruded address", marks=pytest.mark.long),
    ],
)
PORTS = range(20100, 20124)
ASK_FROM_PORTS = f"""
for port in $(seq {PORTS.start} {PORTS.stop - 1}); do
    curl -s --fail --max-time 10 --interface {PRIVATE} --local-port $port http://{INTERNET_ADDRESS}/ip || exit
done
"""
ASK_A_CLOSED_PORT = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
    asker.settimeout(5)
    asker.bind((sys.argv[1], 0))
    asker.connect((sys.argv[2], 9))
    asker.send(b"x")
    try:
        asker.recv(1)
    except OSError as error:
        print(type(error).__name__)
"""
BEHIND_THE_COLO = (("core", "internet0"), ("internet", "eth0"))
BEHIND_THE_PROVIDERS = (("isp-dsl", "core0"), ("isp-cable", "core0"), ("core", "dsl0"), ("core", "cable0"))


def ping(lab: Lab, node: str, address: str, *options: str) -> str:
    """What ping prints."""
    return lab.exec(node, ["ping", "-c", "3", "-i", "0.3", "-W", "3", *options, address], check=False).stdout


def told(lab: Lab, node: str, address: str, size: int, *options: str) -> set[int]:
    """The MTU that a sender learns whose packets of *size* bytes nobody may take apart."""
    headers = 48 if ":" in address else 28
    said = ping(lab, node, address, "-M", "do", "-s", str(size - headers), *options)
    return {int(mtu) for mtu in re.findall(r"mtu ?[=:] ?(\d+)", said)}


@contextmanager
def narrow(lab: Lab, *devices: tuple[str, str]) -> Iterator[None]:
    """Let only small packets into these devices of routers; what is learnt of that meanwhile is forgotten."""
    for node, device in devices:
        lab.exec(node, ["ip", "link", "set", device, "mtu", str(NARROW)])
    try:
        yield
    finally:
        for node, device in devices:
            lab.exec(node, ["ip", "link", "set", device, "mtu", str(OUTSIDE)])
        for node in ("office", "colo", "desk", "internet"):
            lab.exec(node, ["sh", "-c", "ip route flush cache; ip -6 route flush cache"])


def test_the_directions_of_a_connection_may_take_different_links(deployed: Lab) -> None:
    """Behind NAT: all hosts of the lab have one kernel, and its hash is the same for both directions of the others."""
    with (
        watch.capture(deployed, "office", "ex-dsl", "tcp port 80") as dsl,
        watch.capture(deployed, "office", "ex-cable", "tcp port 80") as cable,
    ):
        seen = deployed.exec("desk", ["sh", "-c", ASK_FROM_PORTS], timeout=120).stdout.split()
    ways = {"dsl": "\n".join(dsl.lines), "cable": "\n".join(cable.lines)}
    up = [{link for link, lines in ways.items() if f".{port} > " in lines} for port in PORTS]
    down = [{link for link, lines in ways.items() if f".{port}: " in lines} for port in PORTS]
    assert seen == [ROUTER_ADDRESS] * len(PORTS)
    assert all(len(links) == 1 for links in [*up, *down])
    assert 0 < sum(one != other for one, other in zip(up, down, strict=True)) < len(PORTS)


@BOTH
def test_packets_in_pieces_arrive_whole(deployed: Lab, source: str) -> None:
    assert " 0% packet loss" in ping(deployed, "desk", INTERNET_ADDRESS, "-s", "4000", "-I", source)
    assert " 0% packet loss" in ping(deployed, "internet", DESK_ADDRESS, "-s", "4000")


@BOTH
def test_a_sender_on_the_lan_is_told_what_fits(deployed: Lab, source: str) -> None:
    assert told(deployed, "desk", INTERNET_ADDRESS, OUTSIDE, "-I", source) == {INSIDE}
    with narrow(deployed, *BEHIND_THE_COLO):
        assert told(deployed, "desk", INTERNET_ADDRESS, INSIDE, "-I", source) == {NARROW}


def test_a_sender_outside_is_told_what_fits(deployed: Lab) -> None:
    said = ping(deployed, "internet", DESK_ADDRESS, "-M", "do", "-s", str(OUTSIDE - 28))
    assert f"From {COLO_ADDRESS} icmp_seq=1 Frag needed and DF set (mtu = {INSIDE})" in said
    deployed.exec("internet", ["ip", "route", "flush", "cache"])


@BOTH
def test_both_are_told_when_the_tunnels_themselves_have_less_room(deployed: Lab, source: str) -> None:
    with narrow(deployed, *BEHIND_THE_PROVIDERS):
        assert NARROW - OVERHEAD in told(deployed, "desk", INTERNET_ADDRESS, INSIDE, "-I", source)
        assert NARROW - OVERHEAD in told(deployed, "internet", DESK_ADDRESS, INSIDE)


@pytest.mark.long
@BOTH
@pytest.mark.parametrize("where", [BEHIND_THE_COLO, BEHIND_THE_PROVIDERS], ids=["behind the colo", "of the tunnels"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_connections_go_on_by_a_narrow_path(
    deployed: Lab, source: str, where: tuple[tuple[str, str], ...], direction: str
) -> None:
    command = ["iperf3", "-c", INTERNET_ADDRESS, "-B", source, "-P", "8", "-t", "5", "-J"]
    with narrow(deployed, *where):
        done = deployed.exec("desk", [*command, *(["-R"] if direction == "down" else [])], timeout=60)
    received = [stream["receiver"]["bytes"] for stream in json.loads(done.stdout)["end"]["streams"]]
    assert min(received) >= 100 * NARROW


@BOTH
def test_errors_find_the_host_that_they_are_for(deployed: Lab, source: str) -> None:
    for ttl, hop in ((1, "192.168.10.1"), (2, COLO_ADDRESS), (3, "203.0.113.1")):
        assert f"From {hop} icmp_seq=1 Time to live exceeded" in ping(
            deployed, "desk", INTERNET_ADDRESS, "-I", source, "-t", str(ttl)
        )
    refused = deployed.exec("desk", ["python3", "-c", ASK_A_CLOSED_PORT, source, INTERNET_ADDRESS]).stdout
    assert refused.strip() == "ConnectionRefusedError"


def test_who_traces_the_way_to_the_office_sees_public_addresses(deployed: Lab) -> None:
    for ttl, hop in ((4, COLO_ADDRESS), (5, ROUTER_ADDRESS)):
        assert f"From {hop} icmp_seq=1 Time to live exceeded" in ping(
            deployed, "internet", DESK_ADDRESS, "-t", str(ttl)
        )


@pytest.fixture(scope="module")
def six(deployed: Lab) -> Iterator[Lab]:
    """The lab with IPv6 addresses beside the others."""
    wanted = inventory.states({"office": both_families()}, **COLO)
    assert not any(result.failed for result in modules.apply_all(deployed, wanted).values())
    with give_the_desk_an_address(deployed):
        yield deployed
    put_back(deployed)


@pytest.mark.long
def test_ipv6_packets_in_pieces_arrive_whole_and_errors_find_their_host(six: Lab) -> None:
    for node, address, source in (("desk", INTERNET6, DESK6), ("internet", DESK6, INTERNET6)):
        ping(six, node, address, "-s", "4000", "-I", source)  # both ends learn what fits
        assert " 0% packet loss" in ping(six, node, address, "-s", "4000", "-I", source)
    assert "Time exceeded: Hop limit" in ping(six, "desk", INTERNET6, "-I", DESK6, "-t", "2")


@pytest.mark.long
def test_ipv6_senders_are_told_what_fits(six: Lab) -> None:
    assert told(six, "desk", INTERNET6, OUTSIDE, "-I", DESK6) == {INSIDE}
    assert told(six, "internet", DESK6, OUTSIDE) == {INSIDE}
    with narrow(six, *BEHIND_THE_COLO):
        assert told(six, "desk", INTERNET6, INSIDE, "-I", DESK6) == {NARROW}
    with narrow(six, *BEHIND_THE_PROVIDERS):
        assert NARROW - OVERHEAD in told(six, "desk", INTERNET6, INSIDE, "-I", DESK6)
        assert NARROW - OVERHEAD in told(six, "internet", DESK6, INSIDE)
