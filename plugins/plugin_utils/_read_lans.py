# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the LANs of a site, and finds the place of each extruded address: a LAN or the router itself.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address, _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Claim, Lan, Wan

if TYPE_CHECKING:
    from netaddr import IPNetwork

KEYS = ("interface", "mode", "addresses")
MODE = _kinds.choice("nat", "routed")
EXAMPLE = "{interface: lan0, mode: nat}"
OF_A_LAN = _kinds.NETWORK.allowed


@dataclass(slots=True)
class Entry:
    """An entry of ``extrude_lan``; `named` is what its ``addresses`` say, None where they are left to the default."""

    reader: Reader
    path: str
    interface: str
    mode: str
    named: list[Claim] | None
    addresses: list[IPNetwork]


def read_lans(reader: Reader) -> list[Entry]:
    """Read the entries, without their places."""
    return [_read_entry(child, f"extrude_lan[{index}]") for index, child in reader.children("extrude_lan", EXAMPLE, [])]


def check_interfaces(entries: Sequence[Entry], wans: Sequence[Wan]) -> None:
    """Note each LAN that is also a link, or that stands there twice with one mode."""
    seen: dict[tuple[str, str], str] = {}
    for entry in entries:
        if not entry.interface:
            continue
        if link := next((wan.path for wan in wans if fnmatchcase(entry.interface, wan.interface)), None):
            entry.reader.problem("interface", f"'{entry.interface}' is also that of {link}; leave one of both out")
        if (first := seen.setdefault((entry.interface, entry.mode), entry.path)) != entry.path:
            text = f"'{entry.interface}' has mode {entry.mode} in {first} already"
            entry.reader.problem("interface", f"{text}; leave one of both out")


def place(reader: Reader, entries: Sequence[Entry], claims: Sequence[Claim]) -> tuple[tuple[Lan, ...], list[IPNetwork]]:
    """Return the LANs with what falls to each, and what the router holds.

    A LAN with mode nat leaves as one IPv4 address, which the router holds. A routed one has hosts that own their
    addresses. What no LAN takes is the router's own: single addresses only, since it can't hold a prefix.
    """
    networks = [claim.network for claim in claims]
    _place_nat(entries, networks)
    _place_routed(entries, networks)
    routed = {network for entry in entries if entry.mode == "routed" for network in entry.addresses}
    held = [claim for claim in claims if claim.network not in routed]
    for claim in held:
        if not _address.is_single(claim.network):
            advice = "give extrude_lan an entry with mode routed for it, or single addresses instead"
            reader.problem(claim.path, f"no LAN takes the prefix {claim.network}; {advice}")
    lans = tuple(Lan(entry.interface, entry.mode, tuple(entry.addresses)) for entry in entries)
    return lans, [claim.network for claim in held]


def _read_entry(reader: Reader, path: str) -> Entry:
    reader.only(KEYS)
    before = len(reader.problems)
    named = None if reader.lacks("addresses") else reader.each("addresses", _kinds.NETWORK, None)
    if named == [] and len(reader.problems) == before:
        reader.problem("addresses", f"is empty; leave it out, or give a list of which each entry is {OF_A_LAN}")
    return Entry(
        reader=reader,
        path=path,
        interface=reader.read("interface", _kinds.INTERFACE),
        mode=reader.read("mode", MODE),
        named=None if named is None else [Claim(where, network) for where, network in named if network],
        addresses=[],
    )


def _named(entry: Entry, networks: Sequence[IPNetwork]) -> Iterator[Claim]:
    """Yield what an entry names, and note what of it the site doesn't have."""
    for claim in entry.named or ():
        if claim.network in networks:
            yield claim
        else:
            entry.reader.note(claim.path, f"{_address.name(claim.network)} {_not_there(claim.network, networks)}")


def _not_there(network: IPNetwork, networks: Sequence[IPNetwork]) -> str:
    """Say that an address or prefix is none of those of the site, of which it may be a part."""
    whole = next((other for other in networks if _address.overlap(network, other)), None)
    if whole is not None and whole.prefixlen < network.prefixlen:
        return f"is only a part of {whole} in extrude_addresses; give all of that, or split it there"
    return "is not in extrude_addresses; add it there, or give what is"


def _place_nat(entries: Sequence[Entry], networks: Sequence[IPNetwork]) -> None:
    """Find the address of each nat LAN: the one it names, else the first that no routed LAN names."""
    named = {claim.network for entry in entries if entry.mode == "routed" for claim in entry.named or ()}
    free = [network for network in networks if _can_nat(network) and network not in named]
    nats = [entry for entry in entries if entry.mode == "nat"]
    for entry in nats:
        entry.addresses = _first_free(entry, free) if entry.named is None else _named_one(entry, networks)
        _check_same(entry, nats[0])


def _can_nat(network: IPNetwork) -> bool:
    return network.version == 4 and _address.is_single(network)


def _first_free(entry: Entry, free: Sequence[IPNetwork]) -> list[IPNetwork]:
    if not free:
        entry.reader.problem(
            "mode", "nat needs a single IPv4 address in extrude_addresses, and there is none left; add one"
        )
    return list(free[:1])


def _named_one(entry: Entry, networks: Sequence[IPNetwork]) -> list[IPNetwork]:
    named = entry.named or ()
    if len(named) == 1 and _can_nat(named[0].network):
        return [claim.network for claim in _named(entry, networks)]
    entry.reader.problem("addresses", "mode nat takes exactly one single IPv4 address; give one of extrude_addresses")
    return []


def _check_same(entry: Entry, first: Entry) -> None:
    """Note a nat LAN with another address than the first one's: by what leaves a tunnel LANs can't be told apart."""
    if entry.addresses and first.addresses and entry.addresses != first.addresses:
        other = f"that of {first.path}, {first.addresses[0].ip}"
        text = f"{entry.addresses[0].ip} is not {other}; this version takes one for all nat LANs of a site"
        entry.reader.problem("addresses", text)


def _place_routed(entries: Sequence[Entry], networks: Sequence[IPNetwork]) -> None:
    """Find the addresses of each routed LAN: those it names, else all that are left."""
    taken = {network: entry.path for entry in entries if entry.mode == "nat" for network in entry.addresses}
    routed = [entry for entry in entries if entry.mode == "routed"]
    for entry in routed:
        for claim in _named(entry, networks):
            taker = taken.get(claim.network)
            if taker == entry.path:
                entry.reader.note(claim.path, f"{_address.name(claim.network)} is given twice; leave one out")
            elif taker:
                text = f"{_address.name(claim.network)} is also taken by {taker}"
                entry.reader.note(claim.path, f"{text}; leave it out in one of both")
            taken[claim.network] = entry.path
            entry.addresses.append(claim.network)
    left = [network for network in networks if network not in taken]
    unnamed = [entry for entry in routed if entry.named is None]
    for entry in unnamed[:1]:
        entry.addresses = left
        if not left:
            entry.reader.problem("addresses", "no address is left for this LAN; give more in extrude_addresses")
    for entry in unnamed[1:]:
        entry.reader.problem("addresses", f"is missing, and in {unnamed[0].path} too; give it in all but one of them")
