# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to others when a host has to stand whatever they have put there, as at boot. Pure.

So is what another owner holds, which a change that goes back may find given away. An object whose place is taken is
neither made nor touched, and neither is what stands on a device that is not ours. Chains are without the rules that
look into sets which are left out.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ._claims import claims
from ._conflict import collisions
from ._model import PROTOCOL, AddressSet, Chain, Current, Dummy, Object, Place, Route, Sysctl, Tunnel
from ._request import Request, device_of_sysctl, devices_of


@dataclass(frozen=True)
class Left:
    """The kinds and places of objects, and the devices, that are left to others; why, in words."""

    slots: frozenset[tuple[str, Place]] = frozenset()
    devices: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()

    def has(self, item: Object) -> bool:
        """Whether an object is not to be touched."""
        return (item.KIND, item.place) in self.slots or self._remains(item) is None

    def out_of(self, request: Request) -> Request:
        """The request without that."""
        if not self.slots:
            return request
        states = (replace(state, objects=tuple(self._stay(state.objects))) for state in request.desired)
        return replace(request, desired=tuple(states))

    def hidden(self, current: Current) -> Current:
        """What the host holds, without the routes and rules that others have put where only ours may stand."""
        if not self.slots:
            return current
        routes = {place: pair for place, pair in current.routes.items() if pair[1] == PROTOCOL}
        return replace(current, routes=routes, rules=tuple(pair for pair in current.rules if pair[1] == PROTOCOL))

    def _stay(self, items: tuple[Object, ...]) -> Iterator[Object]:
        for item in items:
            stays = None if (item.KIND, item.place) in self.slots else self._remains(item)
            if stays is not None:
                yield stays

    def _without_sets(self, chain: Chain) -> Chain:
        """A chain without the rules that look into sets that are left out."""
        names = {place[0] for kind, place in self.slots if kind == AddressSet.KIND}
        if names.isdisjoint(chain.sets):
            return chain
        rules = (rule for rule in chain.rules if names.isdisjoint(replace(chain, rules=(rule,)).sets))
        return replace(chain, rules=tuple(rules))

    def _remains(self, item: Object) -> Object | None:
        """An object as far as it does not stand on devices of others, nor looks into sets that are left out."""
        if isinstance(item, Chain):
            return self._without_sets(item)
        if isinstance(item, Sysctl):
            return None if device_of_sysctl(item, self.devices) else item
        if self.devices.isdisjoint(devices_of(item)):
            return item
        if not isinstance(item, Route):
            return None
        hops = [hop for hop in item.nexthops if hop.device not in self.devices]
        return item.by(hops) if hops else None


NOTHING = Left()


def left(current: Current, request: Request) -> Left:
    """What a request has to leave on a host that holds *current*."""
    found = [*claims(request), *collisions(current, request)]
    slots = frozenset((collision.kind, collision.place) for collision in found)
    devices = frozenset(str(place[0]) for kind, place in slots if kind in (Tunnel.KIND, Dummy.KIND))
    return Left(slots, devices, tuple(dict.fromkeys(collision.problem for collision in found)))
