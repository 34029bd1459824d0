# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole packets of ICMP (RFC 792) and ICMPv6 (RFC 4443) echo: built and understood.

Pure. This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

from ._fields import ip_text

REQUEST = {4: 8, 6: 128}
REPLY = {4: 0, 6: 129}
"""ICMP types of echo, by family."""

HEADERS = {4: 20 + 8, 6: 40 + 8}
"""Bytes of an echo before its payload, by family."""

DONT_FRAGMENT = 0x4000
FRAGMENT = 0x3FFF
"""The bits of the IPv4 fragment field that only fragments have: more fragments, and the offset."""

HOP_LIMIT = 64


@dataclass(frozen=True)
class Echo:
    """An echo request or reply; ``size`` is that of the whole packet with its IP header, in bytes."""

    is_request: bool
    source: str
    destination: str
    identifier: int
    sequence: int
    payload: bytes

    @property
    def family(self) -> int:
        return 6 if ":" in self.source else 4

    @property
    def size(self) -> int:
        return HEADERS[self.family] + len(self.payload)


def build(echo: Echo) -> bytes:
    """The packet of an echo from its IP header on; IPv4 has don't-fragment set."""
    kind = (REQUEST if echo.is_request else REPLY)[echo.family]
    source, destination = (ipaddress.ip_address(address).packed for address in (echo.source, echo.destination))
    icmp = struct.pack("!BBHHH", kind, 0, 0, echo.identifier, echo.sequence) + echo.payload
    if echo.family == 6:
        icmp = with_checksum(icmp, pseudo_header(source, destination, len(icmp)))
        return struct.pack("!IHBB", 6 << 28, len(icmp), socket.IPPROTO_ICMPV6, HOP_LIMIT) + source + destination + icmp
    icmp = with_checksum(icmp)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, DONT_FRAGMENT, HOP_LIMIT, socket.IPPROTO_ICMP, 0)
    checksum = internet_checksum(head + source + destination)
    return head[:10] + struct.pack("!H", checksum) + source + destination + icmp


def parse(packet: bytes) -> Echo | None:
    """The echo in a packet that begins with its IP header; None for all else, fragments and damage included."""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _parse_ipv4(packet)
    return _parse_ipv6(packet) if version == 6 else None


def _parse_ipv4(packet: bytes) -> Echo | None:
    if len(packet) < 20:
        return None
    header = (packet[0] & 0xF) * 4
    # a short frame is padded, so the length says where the packet ends
    length, fragment, protocol = struct.unpack("!H2xHxB", packet[2:10])
    icmp = packet[header:length]
    if protocol != socket.IPPROTO_ICMP or fragment & FRAGMENT or length > len(packet) or internet_checksum(icmp):
        return None
    return _parse_icmp(icmp, 4, packet[12:16], packet[16:20])


def _parse_ipv6(packet: bytes) -> Echo | None:
    if len(packet) < 40:
        return None
    length, protocol = struct.unpack("!HB", packet[4:7])
    icmp, source, destination = packet[40 : 40 + length], packet[8:24], packet[24:40]
    if protocol != socket.IPPROTO_ICMPV6 or length > len(icmp):
        return None
    if internet_checksum(pseudo_header(source, destination, length) + icmp):
        return None
    return _parse_icmp(icmp, 6, source, destination)


def _parse_icmp(icmp: bytes, family: int, source: bytes, destination: bytes) -> Echo | None:
    if len(icmp) < 8 or icmp[0] not in (REQUEST[family], REPLY[family]) or icmp[1] != 0:
        return None
    identifier, sequence = struct.unpack("!HH", icmp[4:8])
    return Echo(
        is_request=icmp[0] == REQUEST[family],
        source=ip_text(source),
        destination=ip_text(destination),
        identifier=identifier,
        sequence=sequence,
        payload=icmp[8:],
    )


def internet_checksum(data: bytes) -> int:
    """The one's complement sum of RFC 1071; over data that holds a right checksum it is 0."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """What the checksum of ICMPv6 covers beside the message of *length* bytes (RFC 8200, section 8.1)."""
    return source + destination + struct.pack("!II", length, socket.IPPROTO_ICMPV6)


def with_checksum(icmp: bytes, covered: bytes = b"") -> bytes:
    """An ICMP message whose checksum field is 0, with the right one; *covered* is the pseudo header, if any."""
    return icmp[:2] + struct.pack("!H", internet_checksum(covered + icmp)) + icmp[4:]
