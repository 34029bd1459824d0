# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends one IPv6 router advertisement (RFC 4861): python3 advertise.py DEVICE PREFIX. Needs nothing but Python."""

from __future__ import annotations

import socket
import struct
import sys

ALL_NODES = "ff02::1"


def advertise(device: str, prefix: str, lifetime: int = 1800) -> None:
    """Offer a default route, and addresses in *prefix* (64 bits long), to all on the link of *device*."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as channel:
        number = socket.if_nametoindex(device)
        channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)  # less would have passed a router
        channel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, number)
        router = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0)
        on_link = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, lifetime, lifetime, 0)
        channel.sendto(router + on_link + socket.inet_pton(socket.AF_INET6, prefix), (ALL_NODES, 0, 0, number))


if __name__ == "__main__":
    advertise(sys.argv[1], sys.argv[2])
