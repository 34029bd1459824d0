# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a state claims for its owner alone, and which claims of two owners share some. Pure.

Such claims may stand in two places for the kernel: the longer prefix wins, so one owner would take the other's address.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from ._fields import family_of
from ._model import KINDS, Address, Owner, Route, State, Tunnel


class Span(NamedTuple):
    """The addresses of a prefix, as numbers; ``size`` is that of an address in bytes."""

    size: int
    first: int
    last: int

    def holds(self, other: Span) -> bool:
        return self.size == other.size and self.first <= other.first and other.last <= self.last


@dataclass(frozen=True, slots=True)
class Claim:
    """What an object claims; ``wanted``: it is asked for, and not yet held."""

    prefix: str
    span: Span
    item: Route | Address
    owner: Owner
    wanted: bool


def span(prefix: str) -> Span:
    """The addresses of a prefix in normal form, or of the network that an address with its length is in."""
    address, _slash, length = prefix.partition("/")
    packed = inet_pton(AF_INET if family_of(address) == 4 else AF_INET6, address)
    value, behind = int.from_bytes(packed, "big"), (1 << 8 * len(packed) - int(length)) - 1
    return Span(len(packed), value & ~behind, value | behind)


def alone(address: str) -> Span:
    """An address without the network that it is in."""
    text = address.partition("/")[0]
    return span(f"{text}/{32 if family_of(text) == 4 else 128}")


def claims(states: Iterable[State], wanted: bool, kinds: Collection[str] = KINDS) -> list[Claim]:
    """What whole states claim. What single modules have made is for their users to tell apart."""
    return [
        Claim(prefix, span(prefix), item, state.owner, wanted)
        for state in states
        if state.reserved_tables
        for prefix, item in _claimed(state)
        if item.KIND in kinds
    ]


def _claimed(state: State) -> Iterator[tuple[str, Route | Address]]:
    """Prefixes that lead to the tunnels of a state, and the networks between the ends of these."""
    yield from _destinations(state).items()
    tunnels = {tunnel.name for tunnel in state.of(Tunnel)}
    for address in state.of(Address):
        if address.device in tunnels:
            yield address.address, address


def _destinations(state: State) -> dict[str, Route]:
    """Each prefix is in several tables, of which the last is that of the sources. A site whose ends are not known yet
    is in others only."""
    tables = set(state.reserved_tables)
    return {
        route.destination: route
        for route in state.of(Route)
        if route.table in tables and not route.destination.endswith("/0")
    }


def overlapping(listed: Iterable[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Pairs of a wanted claim, and one of another owner that shares addresses with it.

    Prefixes are apart, or one holds the other. In this order those that hold one are the last before it that still
    reach as far, so that thousands of claims take little longer than to be sorted.
    """
    around: list[Claim] = []
    for claim in sorted(listed, key=lambda one: (one.span.size, one.span.first, -one.span.last)):
        while around and not around[-1].span.holds(claim.span):
            around.pop()
        for other in around:
            if other.owner != claim.owner and (claim.wanted or other.wanted):
                yield (claim, other) if claim.wanted else (other, claim)
                break
        around.append(claim)
