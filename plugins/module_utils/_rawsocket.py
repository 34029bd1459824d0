# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets that send packets or frames as they are by one device, and hear what answers them on one.

What is heard is what the device delivered, before any firewall. This module util is private to the collection.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections.abc import Iterable

from ._fields import EngineError
from ._icmp import HEADERS, Echo, parse

ETH_P_ALL, SO_ATTACH_FILTER = 3, 26
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_PROBE = 10, 23, 3
IP_TRANSPARENT = 19
LOAD_BYTE, LOAD_BYTE_INDEXED, LOAD_HALF_INDEXED, LOAD_HEADER_LENGTH = 0x30, 0x50, 0x48, 0xB1
SHIFT_RIGHT, JUMP_IF_EQUAL, RETURN = 0x74, 0x15, 0x06
"""Numbers that Python's socket lacks: linux/if_ether.h, asm/socket.h, linux/in.h, and linux/bpf_common.h."""


def mouth(device: str, family: int) -> socket.socket:
    """A socket that sends whole packets, from any source address, by one device (raw(7), IPPROTO_RAW)."""
    opened = _open(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        # what the kernel has learned of path MTUs may be old: find out anew
        if family == 6:
            opened.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE)
        else:
            opened.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE)
    except OSError:
        opened.close()
        raise
    return opened


def ear(device: str, kinds: dict[int, int]) -> socket.socket:
    """A socket that hears the echo messages of these ICMP types (by family) on one device."""
    return _listening(device, echo_filter(kinds))


def tap(device: str, port: int) -> socket.socket:
    """A socket that hears the IPv4 datagrams to a UDP port on one device, those that leave by it too."""
    return _listening(device, udp_filter(port))


def tapped(opened: socket.socket) -> tuple[bytes, bool] | None:
    """The next packet of a :func:`tap`, and whether it left by the device; None when there is none."""
    try:
        packet, (_device, _protocol, direction, *_rest) = opened.recvfrom(0x10000)
    except OSError:  # nothing is there, or the device went down
        return None
    return packet, direction == socket.PACKET_OUTGOING


def datagrams(source: str) -> socket.socket:
    """A UDP socket that sends from an IPv4 address, which may be another host's, and from a port of its own.

    Unlike those of a raw socket, its packets are routed with their ports, as all traffic is. ip(7), IP_TRANSPARENT.
    """
    opened = _open(socket.AF_INET, socket.SOCK_DGRAM, 0)
    try:
        opened.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
        opened.bind((source, 0))
        opened.setblocking(False)
    except PermissionError as error:
        opened.close()
        raise EngineError(f"no permission to send from {source} (root or CAP_NET_ADMIN is needed)") from error
    except OSError:
        opened.close()
        raise
    return opened


def frames(device: str, ethertype: int, expected: dict[int, int]) -> socket.socket:
    """A socket that sends whole frames by one device, and hears those of one EtherType that hold *expected*
    (see :func:`bytes_filter`). What it sends it does not hear."""
    opened = _open(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        _filter(opened, bytes_filter(expected))
        opened.bind((device, ethertype))
    except OSError:
        opened.close()
        raise
    return opened


def hear(opened: socket.socket) -> Echo | None:
    """The echo that arrived, if it is whole and did not leave by the device."""
    try:
        packet, (_device, _protocol, direction, *_rest) = opened.recvfrom(0x10000)
    except OSError:  # the device went down; that nothing comes back says it all
        return None
    return None if direction == socket.PACKET_OUTGOING else parse(packet)


def _listening(device: str, instructions: bytes) -> socket.socket:
    """A packet socket on one device that hears what a filter lets through."""
    opened = _open(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    try:
        _filter(opened, instructions)
        opened.bind((device, ETH_P_ALL))
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def _open(family: int, kind: int, protocol: int) -> socket.socket:
    try:
        return socket.socket(family, kind, protocol)
    except PermissionError as error:
        raise EngineError("no permission to send and hear raw packets (root or CAP_NET_RAW is needed)") from error


def trouble(device: str, error: OSError) -> str:
    """Why a device cannot be used, in words."""
    if error.errno == errno.ENODEV:
        return f"there is no device {device}"
    return f"{device}: {error.strerror}"


# --- the packet filter ----------------------------------------------------------------------------


def echo_filter(kinds: dict[int, int]) -> bytes:
    """A filter that lets through the ICMP types of *kinds* by family, so that a busy device costs nothing.

    Works on packets that begin with their IP header. Each line: code, jump if true, jump if false, operand.
    """
    lines = [
        (LOAD_BYTE, 0, 0, 0),
        (SHIFT_RIGHT, 0, 0, 4),
        (JUMP_IF_EQUAL, 0, 5, 4),
        (LOAD_BYTE, 0, 0, 9),
        (JUMP_IF_EQUAL, 0, 9, socket.IPPROTO_ICMP),
        (LOAD_HEADER_LENGTH, 0, 0, 0),
        (LOAD_BYTE_INDEXED, 0, 0, 0),
        (JUMP_IF_EQUAL, 5, 6, kinds[4]),
        (JUMP_IF_EQUAL, 0, 5, 6),
        (LOAD_BYTE, 0, 0, 6),
        (JUMP_IF_EQUAL, 0, 3, socket.IPPROTO_ICMPV6),
        (LOAD_BYTE, 0, 0, HEADERS[6] - 8),
        (JUMP_IF_EQUAL, 0, 1, kinds[6]),
        (RETURN, 0, 0, 0x10000),
        (RETURN, 0, 0, 0),
    ]
    return _assembled(lines)


def udp_filter(port: int) -> bytes:
    """A filter that lets through IPv4 datagrams to a UDP port. Works on packets that begin with their IP header."""
    lines = [
        (LOAD_BYTE, 0, 0, 0),
        (SHIFT_RIGHT, 0, 0, 4),
        (JUMP_IF_EQUAL, 0, 6, 4),
        (LOAD_BYTE, 0, 0, 9),
        (JUMP_IF_EQUAL, 0, 4, socket.IPPROTO_UDP),
        (LOAD_HEADER_LENGTH, 0, 0, 0),
        (LOAD_HALF_INDEXED, 0, 0, 2),
        (JUMP_IF_EQUAL, 0, 1, port),
        (RETURN, 0, 0, 0x10000),
        (RETURN, 0, 0, 0),
    ]
    return _assembled(lines)


def bytes_filter(expected: dict[int, int]) -> bytes:
    """A filter that lets through what has each byte of *expected* (place: value)."""
    lines = []
    for number, (place, value) in enumerate(expected.items(), 1):
        to_the_end = 2 * (len(expected) - number) + 1
        lines += [(LOAD_BYTE, 0, 0, place), (JUMP_IF_EQUAL, 0, to_the_end, value)]
    return _assembled([*lines, (RETURN, 0, 0, 0x10000), (RETURN, 0, 0, 0)])


def _assembled(lines: Iterable[tuple[int, int, int, int]]) -> bytes:
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _filter(opened: socket.socket, instructions: bytes) -> None:
    program = ctypes.create_string_buffer(instructions, len(instructions))
    pointer = struct.pack("@HP", len(instructions) // 8, ctypes.addressof(program))
    opened.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
