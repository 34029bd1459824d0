# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends UDP datagrams to port 9 with whatever source, straight on a device, past all routes and firewalls of the host.

python3 forge.py DEVICE COUNT TARGET SOURCE,SOURCE… [OUTER-SOURCE OUTER-TARGET KEY]: with the last three inside GRE,
which then is sent as the routes say.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

GRE, UDP = 47, 17
ETH_P_IP = 0x0800
KEYED = 0x2000
"""The flag of a GRE packet with a key (RFC 2890)."""


def checksum(data: bytes) -> int:
    """The checksum of an IPv4 header (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    """An IPv4 packet."""
    ends = socket.inet_aton(source), socket.inet_aton(target)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, *ends)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def main(device: str, count: str, target: str, sources: str, outer: str = "", end: str = "", key: str = "") -> None:
    """Send."""
    datagram = struct.pack("!HHHH", 4242, 9, 8 + 4, 0) + b"mine"
    inner = [packet(source, target, UDP, datagram) for source in sources.split(",")]
    if key:
        head = struct.pack("!HHI", KEYED, ETH_P_IP, int(key))
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        sent, to = [packet(outer, end, GRE, head + one) for one in inner], (end, 0)
    else:
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        sent, to = inner, (device, ETH_P_IP)
    for _turn in range(int(count)):
        for one in sent:
            sender.sendto(one, to)
        time.sleep(0.01)


main(*sys.argv[1:])
