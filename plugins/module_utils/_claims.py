# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request contradicts itself in, and what of it is another owner's on this host. Pure.

This module util is private to the collection.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from . import _overlap
from ._fields import family_of
from ._model import (
    AddressSet,
    Chain,
    Dummy,
    File,
    Group,
    Object,
    Owner,
    Place,
    Route,
    Rule,
    Shaper,
    State,
    Sysctl,
    Tunnel,
)
from ._overlap import Claim, overlapping
from ._request import Request


class Collision(NamedTuple):
    """The place of an object where the host has something else, and that in words."""

    kind: str
    place: Place
    problem: str


def contradictions(request: Request) -> list[str]:
    """Why no host could take *request*, in words."""
    return [
        *_repeated_owners(request),
        *_asked_twice(request),
        *_overlaps(request),
        *_equal_tunnels(request),
        *_equal_names(request),
        *_renumbered(request),
        *_other_numbers(request),
    ]


def claims(request: Request) -> list[Collision]:
    """Objects of *request* that are another owner's, by the records or by a change that may go back yet."""
    return [*_held(request), *_equal_site_ids(request), *_held_tunnels(request)]


_SHARED = (Rule, Sysctl, Group, AddressSet, Chain, Dummy, File)
"""Kinds of which several owners may hold the same object."""


def _repeated_owners(request: Request) -> list[str]:
    states = Counter(state.owner for state in request.desired)
    return [f"{owner} has more than one state here" for owner, count in states.items() if count > 1]


def _asked_twice(request: Request) -> list[str]:
    """Objects that are asked for twice."""
    if not request.repeats:
        return []
    problems = []
    first: dict[tuple[str, Place], tuple[Object, Owner]] = {}
    for state in request.desired:
        for item in (item for item in state.objects if item.KIND in request.kinds):
            if other := first.get((item.KIND, item.place)):
                if not _may_share(item, state.owner, *other):
                    told = f"{item} of {state.owner} is also asked for by {other[1]}"
                    problems.append(f"{told}{_unlike(item, other[0])}")
            else:
                first[item.KIND, item.place] = item, state.owner
    return problems


_WAITS = ", whose change waits to be confirmed; run again once it is, or has gone back"


def _holders(request: Request) -> list[tuple[State, str]]:
    """Whose claims come before those of the request, and how to go on where that is not only the other's decision."""
    return [*((state, _WAITS) for state in request.returning), *((state, "") for state in request.others)]


def _held(request: Request) -> list[Collision]:
    """Objects that another owner on this host holds.

    A file that others hold may change: it is theirs as it was applied last. What may be shared is shared with what
    others have now.
    """
    if not request.overlaps:
        return []
    taken = {
        (item.KIND, item.place): (item, state.owner, advice)
        for state, advice in _holders(request)
        for item in state.objects
        if not isinstance(item, File if not advice else _SHARED)
    }
    return [
        Collision(
            item.KIND, item.place, f"{item} of {state.owner} is held by {other[1]}{_unlike(item, other[0])}{other[2]}"
        )
        for state in request.desired
        for item in state.objects
        if item.KIND in request.kinds
        and (other := taken.get((item.KIND, item.place)))
        and not _may_share(item, state.owner, *other[:2])
    ]


def _overlaps(request: Request) -> list[str]:
    """Prefixes and inside networks that hold, or are within, one of another owner: the longer one takes the addresses.

    At boot, and where a change goes back, what stood already stands again.
    """
    wanted = [] if request.yields else _overlap.claims(request.desired, True, request.kinds)
    listed = [*wanted, *_overlap.claims((*request.others, *request.returning), False)] if wanted else []
    return [
        f"{mine.item} of {mine.owner} overlaps {other.prefix}, which is"
        f" {'also asked for' if other.wanted else 'held'} by {other.owner}: {_remedy(mine)}"
        for mine, other in overlapping(listed)
        if (mine.item.KIND, mine.item.place) != (other.item.KIND, other.item.place)  # those contradict each other
    ]


def _remedy(claim: Claim) -> str:
    if isinstance(claim.item, Route):
        return "give its site other extrude_addresses"
    return f"give the colo the same {pool_of(claim)} in all inventories"


def pool_of(claim: Claim) -> str:
    """The variable of the colo that an inside address follows from."""
    return "extrude_inside_pool" if family_of(claim.prefix) == 4 else "extrude_inside_pool6"


_OF_SITE = re.compile(r"ex(\d+)-")
"""How the name of a tunnel at a colo begins: with the id of its site."""


def _equal_site_ids(request: Request) -> list[Collision]:
    """Sites of two owners with one id at a colo: keys, inside addresses and the rules that keep customers apart follow
    from it, also where no two of their objects are in one place."""
    wanted = [(state.owner, tunnel, number) for state in request.desired for tunnel, number in site_ids(state)]
    holders = _holders(request) if wanted else []
    held = {
        number: f"{state.owner}{advice or '; give another extrude_site_id'}"
        for state, advice in holders
        for _tunnel, number in site_ids(state)
    }
    return [
        Collision(Tunnel.KIND, tunnel.place, f"site id {number} of {owner} is held by {held[number]}")
        for owner, tunnel, number in wanted
        if number in held
    ]


def site_ids(state: State) -> list[tuple[Tunnel, str]]:
    """The id of a whole state at a colo, by its tunnels. What single modules have made is called as their users like
    it."""
    tunnels = state.of(Tunnel) if state.reserved_tables else ()
    return [(tunnel, found[1]) for tunnel in tunnels if (found := _OF_SITE.match(tunnel.name))]


def _other_numbers(request: Request) -> list[str]:
    """Owners who share files, but neither tables nor rules: the files say to the daemon in which table it writes."""
    problems = []
    for state in request.desired:
        files = {file.place for file in state.of(File)}
        for other in request.others:
            shared = any(file.place in files for file in other.of(File))
            if shared and _first_numbers(state) != _first_numbers(other) and None not in _first_numbers(other):
                text = f"{state.owner} has tables and rules from {_told(state)}, {other.owner} from {_told(other)}"
                problems.append(f"{text}: give both the same extrude_table and extrude_rule_priority")
    return problems


def _first_numbers(state: State) -> tuple[int | None, int | None]:
    """The first table and the first priority: those after them may differ between versions of the collection."""
    return min(state.reserved_tables, default=None), (state.reserved_priorities or (None,))[0]


def _told(state: State) -> str:
    table, priority = _first_numbers(state)
    return f"{table} and {priority}"


def _may_share(item: Object, owner: Owner, other: Object, other_owner: Owner) -> bool:
    if isinstance(item, Chain):  # each owner has rules of its own in it
        return owner != other_owner and isinstance(other, Chain) and item.hook == other.hook
    if isinstance(item, Shaper):  # a new rate comes with one owner first; the others follow
        return owner != other_owner and owner.customer == other_owner.customer
    return isinstance(item, _SHARED) and item == other


def _unlike(item: Object, other: Object) -> str:
    if isinstance(item, File):
        return " with other contents"
    return "" if str(item) == str(other) else f" as {other}"


def _equal_tunnels(request: Request) -> list[str]:
    """Two wanted names for the same endpoints and key: the kernel takes only one of them."""
    problems: list[str] = []
    seen: dict[Place, Tunnel] = {}
    for tunnel in request.wanted(Tunnel).values():
        first = seen.setdefault(tunnel.identity, tunnel)
        if first is not tunnel:
            problems.append(f"{tunnel} has the same endpoints and key as {first.name}")
    return problems


def _held_tunnels(request: Request) -> list[Collision]:
    """Endpoints and keys that a tunnel of another owner has, by another name."""
    wanted = request.wanted(Tunnel).values()
    holders = _holders(request) if wanted else []
    held = {
        tunnel.identity: (tunnel.name, f"{tunnel.name} of {state.owner}{advice}" if advice else tunnel.name)
        for state, advice in holders
        for tunnel in state.of(Tunnel)
    }
    return [
        Collision(Tunnel.KIND, tunnel.place, f"{tunnel} has the same endpoints and key as {other[1]}")
        for tunnel in wanted
        if (other := held.get(tunnel.identity)) and other[0] != tunnel.name
    ]


def _equal_names(request: Request) -> list[str]:
    """A dummy and a tunnel of one name: a host has only one device of a name."""
    dummies = {**request.held(Dummy), **request.wanted(Dummy)}
    tunnels = {**request.held(Tunnel), **request.wanted(Tunnel)} if dummies else {}
    return [f"{dummies[place]} has the name of {tunnels[place]}" for place in dummies if place in tunnels]


def _renumbered(request: Request) -> list[str]:
    """Tunnels whose key changes: their links have new slots, perhaps since one was taken out of a list."""
    had = request.had(Tunnel)
    tunnels = [tunnel for state in request.desired if not state.renumber for tunnel in state.of(Tunnel)]
    return [
        f"{tunnel} had the key {had[tunnel.place].key}: its slot or its site id has changed, and it would be down until"
        " the far end has followed; give it the old slot, or set extrude_renumber to true"
        for tunnel in tunnels
        if tunnel.place in had and had[tunnel.place].key != tunnel.key
    ]
