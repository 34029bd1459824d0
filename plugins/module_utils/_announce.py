# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell a segment that an address is here now, so that no neighbour waits for its cache to expire.

IPv4: ARP announcement (RFC 5227, section 1.1). IPv6: unsolicited neighbour advertisement
(RFC 4861, section 7.2.6). This module util is private to the collection.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Sequence

from ._fields import EngineError
from ._icmp import pseudo_header, with_checksum

ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
ARPHRD_ETHER = 1
NEIGHBOUR_ADVERTISEMENT = 136
ROUTER_OVERRIDE = 0xA0000000
"""Flags: the sender is a router, and what neighbours have cached is to be replaced."""

FULL_QUEUE_TRIES = 50
FULL_QUEUE_PAUSE = 0.01
"""Seconds to wait for a full transmit queue, for each try."""


# --- pure -----------------------------------------------------------------------------------------


def announcement(mac: bytes, address: str) -> bytes:
    """The Ethernet frame that announces *address* (IPv4 or IPv6) at *mac* (6 bytes)."""
    packed = ipaddress.ip_address(address).packed
    return arp_request(mac, packed, packed) if len(packed) == 4 else _advertisement(mac, packed)


def arp_request(mac: bytes, sender: bytes, target: bytes) -> bytes:
    """The frame of a broadcast ARP request (RFC 826) for one IPv4 address from another."""
    ethernet_ipv4_request = struct.pack("!HHBBH", ARPHRD_ETHER, 0x0800, 6, 4, 1)
    body = ethernet_ipv4_request + mac + sender + bytes(6) + target
    return b"\xff" * 6 + mac + struct.pack("!H", ETHERTYPE_ARP) + body


def _advertisement(mac: bytes, address: bytes) -> bytes:
    """An advertisement to all nodes (ff02::1), from the address itself, with the target link-layer option."""
    head = struct.pack("!BBHI", NEIGHBOUR_ADVERTISEMENT, 0, 0, ROUTER_OVERRIDE)
    option = struct.pack("!BB", 2, 1) + mac
    return discovery(mac, address, ipaddress.IPv6Address("ff02::1").packed, head + address + option)


def discovery(mac: bytes, source: bytes, group: bytes, message: bytes) -> bytes:
    """The frame of a neighbour discovery message, still without checksum, to a multicast group (RFC 2464)."""
    icmp = with_checksum(message, pseudo_header(source, group, len(message)))
    # receivers drop it unless the hop limit is 255 (RFC 4861, section 7.1)
    header = struct.pack("!IHBB", 6 << 28, len(icmp), socket.IPPROTO_ICMPV6, 255) + source + group
    return b"\x33\x33" + group[12:] + mac + struct.pack("!H", ETHERTYPE_IPV6) + header + icmp


# --- the host -------------------------------------------------------------------------------------


def announce(pairs: Sequence[tuple[str, str]]) -> None:
    """Announce each (device, address) once.

    Devices without Ethernet addresses (GRE, loopback) or that are down have nobody to tell and are
    passed over. Raises EngineError for a device that is missing and for lack of permission.
    """
    addresses: defaultdict[str, list[str]] = defaultdict(list)
    for device, address in pairs:
        addresses[device].append(address)
    for device, its_own in addresses.items():
        _announce_on(device, its_own)


def _announce_on(device: str, addresses: Sequence[str]) -> None:
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
            link.bind((device, 0))
            hardware, mac = link.getsockname()[3:]
            if hardware == ARPHRD_ETHER:
                for address in addresses:
                    send(link, announcement(mac, address))
    except OSError as error:
        if error.errno == errno.ENETDOWN:
            return
        reason = {
            errno.ENODEV: "there is no such device",
            errno.EPERM: "no permission (root or CAP_NET_RAW is needed)",
        }.get(error.errno or 0, error.strerror)
        raise EngineError(f"cannot announce {addresses[0]} on {device}: {reason}") from error


def send(link: socket.socket, frame: bytes) -> None:
    """Send a frame; where thousands of them fill the queue of the device, wait for it."""
    for _dummy in range(FULL_QUEUE_TRIES):
        try:
            link.send(frame)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            time.sleep(FULL_QUEUE_PAUSE)
        else:
            return
