# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in the lab: a server that knows some, and who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.lab.lab import Lab

_ASK = """
import socket, struct, sys
name, server, device = sys.argv[1:]
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
question = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, 1, 1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    asker.settimeout(3)
    asker.sendto(question, (server, 53))
    answer = asker.recv(512)
print(".".join(map(str, answer[-4:])) if answer[7] else "")
"""
"""Asks a server for the IPv4 address of a name (RFC 1035 section 4), where a device is named by that."""


def ask(lab: Lab, node: str, name: str, server: str, device: str = "") -> str:
    """The address that a server gives for a name, the last of several; empty where it knows none or says nothing."""
    return lab.exec(node, ["python3", "-c", _ASK, name, server, device], check=False).stdout.strip()


@contextmanager
def server(lab: Lab, node: str, address: str, names: Mapping[str, str]) -> Iterator[None]:
    """A name server on one address of a node, which knows these names and all below them."""
    known = [f"--address=/{name}/{found}" for name, found in names.items()]
    process = f"/run/names-{node}.pid"
    options = ["--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root"]
    # it is ready when it has gone to the background
    lab.exec(node, ["dnsmasq", f"--pid-file={process}", f"--listen-address={address}", *options, *known])
    try:
        yield
    finally:
        lab.exec(node, ["sh", "-c", f"kill $(cat {process})"])
