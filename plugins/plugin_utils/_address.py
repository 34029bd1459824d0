# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and prefixes from text, strictly, by netaddr: the only file that imports it.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

try:
    from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork

    HAS_NETADDR = True
    NOWHERE = IPNetwork("0.0.0.0/32")  # stands for an address that has a problem
except ImportError:
    HAS_NETADDR = False

NETADDR_MISSING = "multihome.extrude.topology needs the Python library netaddr on the controller: pip install netaddr"
Version = Literal[4, 6]
BITS: dict[int, int] = {4: 32, 6: 128}


def single(text: str, version: Version | None = None) -> IPNetwork:
    """Return the one address that `text` is, as a prefix of full length.

    A ValueError says what is wrong. Abbreviations (``10.1``), leading zeros and masks are refused: two people must
    not read two things in one text.
    """
    if "/" in text:
        raise ValueError(f"'{text}' is a prefix, and not a single address")
    return _network(_parse(text, version), BITS[version] if version else None)


def interface4(text: str) -> IPNetwork:
    """Return the IPv4 address of an interface with its prefix length (``192.0.2.2/24``; without one: 32)."""
    network = _split(text, 4)
    if network.prefixlen <= 30 and network.value in (network.first, network.last):
        raise ValueError(f"'{text}' is the network's own or its broadcast address, not that of a host")
    return network


def prefix(text: str, version: Version | None = None) -> IPNetwork:
    """Return the prefix that `text` is (``203.0.113.0/28``; a single address: one of full length)."""
    network = _split(text, version)
    if network.value != network.first:
        raise ValueError(f"'{text}' has host bits set; its prefix is {network.cidr}")
    return network


def is_single(network: IPNetwork) -> bool:
    """Tell whether a prefix holds one address only."""
    return bool(network.prefixlen == BITS[network.version])


def name(network: IPNetwork) -> str:
    """Write a prefix the way operators do: a single address without its length."""
    return str(network.ip) if is_single(network) else str(network)


def overlap(one: IPNetwork, other: IPNetwork) -> bool:
    """Tell whether two prefixes share an address."""
    return bool(one.version == other.version and one.first <= other.last and other.first <= one.last)


@lru_cache(maxsize=1000)
def address(value: int, version: Version) -> str:
    """Write the address whose number is `value`."""
    return str(IPAddress(value, version))


def _split(text: str, version: Version | None = None) -> IPNetwork:
    """Return ``ADDRESS[/LENGTH]`` with its host bits."""
    head, slash, tail = text.partition("/")
    address = _parse(head, version, text)
    bits = BITS[address.version]
    if not slash:
        return _network(address, bits)
    if not (tail.isascii() and tail.isdigit() and 1 <= int(tail) <= bits):
        raise ValueError(f"'{text}' has no prefix length from /1 to /{bits}")
    return _network(address, int(tail))


def is_written(text: str) -> bool:
    """Tell whether a text is an address, or one with a prefix length, be it one that a host may have or not."""
    try:
        IPAddress(text.partition("/")[0], flags=INET_PTON)
    except (AddrFormatError, ValueError):
        return False
    return True


def _parse(text: str, version: Version | None, whole: str = "") -> IPAddress:
    """Return the address that `text` is; what is wrong is said of the `whole` of which it is a part."""
    try:
        address = IPAddress(text, version, flags=INET_PTON)
    except (AddrFormatError, ValueError):
        raise ValueError(f"'{whole or text}' is not an {f'IPv{version}' if version else 'IP'} address") from None
    if not _is_unicast(address):
        raise ValueError(f"'{whole or text}' is not an address that a host may have")
    return address


def _network(address: IPAddress, length: int | None) -> IPNetwork:
    return IPNetwork((int(address), BITS[address.version] if length is None else length), version=address.version)


def _is_unicast(address: IPAddress) -> bool:
    """Tell whether an address is unicast (RFC 6890: not unspecified, loopback, multicast or reserved)."""
    if address.version == 4:
        return int(address) >> 24 not in (0, 127) and int(address) >> 24 < 224
    return int(address) > 1 and int(address) >> 120 != 0xFF
