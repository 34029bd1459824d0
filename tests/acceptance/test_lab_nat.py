# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself, behind NAT: what the tests of such links rely on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.conftest import dynamic_lab
from tests.lab.lab import Lab
from tests.lab.topology import NAT

pytestmark = [pytest.mark.dynamic, pytest.mark.long]

COLO = "203.0.113.2"
OUTSIDE = "198.18.7.2"  # the provider's address, which all its customers share
INSIDE = "100.64.0.2"  # the office's router, at the provider
PORT = 4500
GRE, UDP = 47, 17
SILENCE = 25  # what the provider's NAT waits for, in s

# Sends UDP to the colo from a device and a port and prints the source that the colo saw, if an answer comes:
# the colo waits as long as it is asked to. Port 0 is any that is free.
ASK = f"""
import socket, sys
device, port, wait = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
asking.bind(("", port))
asking.settimeout(wait + 2)
asking.sendto(str(wait).encode(), ("{COLO}", {PORT}))
print("ready", flush=True)
try:
    print(asking.recv(100).decode())
except TimeoutError:
    pass
"""
ANSWER = f"""
import socket, threading
answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
answering.bind(("{COLO}", {PORT}))
print("ready", flush=True)
while True:
    wait, source = answering.recvfrom(100)
    text = " ".join(map(str, source)).encode()
    threading.Timer(float(wait), answering.sendto, (text, source)).start()
"""
# Prints whether a packet of an IP protocol with our mark comes to a device.
LISTEN = """
import socket, sys
device, protocol = sys.argv[1], int(sys.argv[2])
listening = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
listening.bind((device, 0x0800))
listening.settimeout(2)
print("ready", flush=True)
try:
    while (packet := listening.recv(2000))[9] != protocol or not packet.endswith(b"lab!"):
        pass
    print(True)
except TimeoutError:
    print(False)
"""
SEND_GRE = f"""
import socket, sys
sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, {GRE})
sending.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[1].encode())
sending.sendto(b"\\0\\0\\x08\\0lab!", ("{COLO}", 0))
"""
SEND_UDP = f"""
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"lab!", ("{INSIDE}", {PORT}))
"""


@pytest.fixture(scope="module")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    for made in dynamic_lab(pytestconfig, "nat", NAT):
        with beside(made, "colo", ANSWER):
            yield made
        made.exec("colo", ["pkill", "-f", "answering"])  # nobody else ends it in a lab that is kept


@pytest.fixture(scope="module")
def silent(lab: Lab) -> Iterator[list[subprocess.Popen[str]]]:
    """Flows from the office that are silent for a while: not too long, and too long. Other tests run meanwhile."""
    command = (lab, "office", ASK, "lte0", "0")
    with beside(*command, str(SILENCE - 5)) as short, beside(*command, str(SILENCE + 1)) as long:
        yield [short, long]


@contextmanager
def beside(lab: Lab, node: str, script: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script in a node that says when it is ready."""
    process = lab.popen(node, ["python3", "-c", script, *words])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield process
    finally:
        process.kill()


def said(process: subprocess.Popen[str]) -> str:
    return process.communicate()[0].strip()


def source_seen(lab: Lab, node: str, device: str) -> tuple[str, int]:
    """The address and the port that the colo sees when a node sends from port 4500 of a device."""
    with beside(lab, node, ASK, device, str(PORT), "0") as asking:
        address, port = said(asking).split()
    return address, int(port)


@pytest.mark.usefixtures("silent")
def test_the_colo_sees_the_provider_and_a_port_by_chance(lab: Lab) -> None:
    seen = [source_seen(lab, *end) for end in (("office", "lte0"), ("kiosk", "lte0"), ("kiosk", "wifi0"))]
    assert {address for address, _port in seen} == {OUTSIDE}
    assert len({PORT, *(port for _address, port in seen)}) == 4
    assert source_seen(lab, "office", "dsl0") == ("192.0.2.2", PORT)


@pytest.mark.parametrize(("device", "passes"), [("dsl0", True), ("lte0", False)])
def test_a_nat_passes_no_gre(lab: Lab, device: str, passes: bool) -> None:
    with beside(lab, "colo", LISTEN, "eth0", str(GRE)) as listening:
        lab.exec("office", ["python3", "-c", SEND_GRE, device])
        assert said(listening) == str(passes)


@pytest.mark.parametrize(("node", "device", "comes"), [("cgnat", "core0", True), ("lte-router", "cell0", False)])
def test_what_nobody_asked_for_comes_as_far_as_the_nat(lab: Lab, node: str, device: str, comes: bool) -> None:
    route = ["ip", "route", "replace", INSIDE, "via", OUTSIDE]
    lab.exec("core", route)
    try:
        with beside(lab, node, LISTEN, device, str(UDP)) as listening:
            lab.exec("core", ["python3", "-c", SEND_UDP])
            assert said(listening) == str(comes)
    finally:
        lab.exec("core", ["ip", "route", "del", INSIDE])


def test_a_nat_forgets_a_silent_flow(silent: list[subprocess.Popen[str]]) -> None:
    answered, forgotten = (said(flow) for flow in silent)
    assert answered.startswith(OUTSIDE)
    assert forgotten == ""


@pytest.mark.parametrize("node", ["cgnat", "lte-router"])
def test_a_flow_keeps_its_port_until_it_is_rebound(lab: Lab, node: str) -> None:
    before = source_seen(lab, "office", "lte0")
    assert source_seen(lab, "office", "lte0") == before
    with beside(lab, "office", ASK, "lte0", str(PORT), "2") as waiting:
        lab.rebind(node)
        assert said(waiting) == ""
    after = source_seen(lab, "office", "lte0")
    assert after[0] == OUTSIDE
    assert after[1] != before[1]
