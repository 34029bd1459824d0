# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for, and the operations that it takes. Pure.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Literal, TypeAlias, cast

from ._model import (
    FOLDER,
    KINDS,
    Action,
    Address,
    AnyObject,
    Current,
    Delay,
    Device,
    Dummy,
    Group,
    Object,
    Owner,
    Place,
    Proxy,
    Redirect,
    Route,
    Shaper,
    State,
    Sysctl,
    Tunnel,
    plain,
)

Places: TypeAlias = dict[str, dict[Place, Object]]
"""Objects by kind and place."""


def by_place(items: Iterable[Object]) -> Places:
    """Of two objects in one place the later one stays."""
    places: Places = {kind: {} for kind in KINDS}
    for item in items:
        places[item.KIND][item.place] = item
    return places


def of_kind(places: Places, model: type[AnyObject]) -> dict[Place, AnyObject]:
    return cast("dict[Place, AnyObject]", places[model.KIND])


Part: TypeAlias = Literal["", "make", "purge"]


@dataclass(frozen=True)
class Request:
    """What is asked for: whole states, or some kinds of them.

    ``recorded`` holds the states that were applied on this host before, of every owner. Without
    ``purge`` nothing is deleted. ``only`` asks for one part: to make what is wanted, or to purge what
    is not, so that the far end can stop using that in between. ``folder`` is where files stand. With
    ``yields``, what cannot stand since somebody else's stands there is left out, and is no error. The address
    that whoever asks ``came_by`` stays. ``returning`` is what others had before changes that may go back yet: it is
    theirs until these are confirmed. ``settings`` of the kernel, with their values before a change and with it, are put
    back unless they have become others or somebody wants them.
    """

    desired: tuple[State, ...]
    recorded: tuple[State, ...] = ()
    kinds: Collection[str] = KINDS
    purge: bool = True
    only: Part = ""
    folder: str = FOLDER
    yields: bool = False
    came_by: str = ""
    returning: tuple[State, ...] = ()
    settings: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @cached_property
    def owners(self) -> frozenset[Owner]:
        return frozenset(state.owner for state in self.desired)

    @property
    def former(self) -> list[State]:
        """What the owners of this request had."""
        return [state for state in self.recorded if state.owner in self.owners]

    @property
    def others(self) -> list[State]:
        """What everybody else has."""
        return [state for state in self.recorded if state.owner not in self.owners]

    @cached_property
    def asked(self) -> list[Object]:
        """The objects that are asked for, of the kinds that are."""
        return [item for state in self.desired for item in state.objects if item.KIND in self.kinds]

    @cached_property
    def _desired(self) -> Places:
        return by_place(self.asked)

    @cached_property
    def _former(self) -> Places:
        return by_place(chain.from_iterable(state.objects for state in self.former))

    @cached_property
    def _others(self) -> Places:
        return by_place(chain.from_iterable(state.objects for state in self.others))

    @property
    def repeats(self) -> bool:
        """Whether two wanted objects are in one place."""
        return len(self.asked) > sum(len(places) for places in self._desired.values())

    @property
    def overlaps(self) -> bool:
        """Whether a wanted object is where another owner has one, or may have it again."""
        theirs = (self._others, by_place(chain.from_iterable(state.objects for state in self.returning)))
        return any(self._desired[kind].keys() & places[kind].keys() for kind in KINDS for places in theirs)

    def wanted(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        return of_kind(self._desired, model)

    def had(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        """What the owners of this request had, of any kind."""
        return of_kind(self._former, model)

    def held(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        """What everybody else has."""
        return of_kind(self._others, model)

    @cached_property
    def device_names(self) -> frozenset[str]:
        """The devices that this request makes."""
        tunnels, dummies = self.wanted(Tunnel).values(), self.wanted(Dummy).values()
        return frozenset([*(tunnel.name for tunnel in tunnels), *(dummy.name for dummy in dummies)])

    @cached_property
    def _dropped(self) -> Places:
        kinds = self.kinds if self.purge else ()
        dropped = by_place(())
        for kind in kinds:
            desired, others = self._desired[kind], self._others[kind]
            dropped[kind] = {
                place: item
                for place, item in self._former[kind].items()
                if place not in desired and place not in others
            }
        return dropped

    def dropped(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        """What the owners had, want no more, and nobody else has."""
        return of_kind(self._dropped, model)

    def drops(self, item: Object) -> bool:
        return item.place in self._dropped[item.KIND]

    def owns(self, tunnel: Tunnel) -> bool:
        """Whether a tunnel is of the request's owners: by its alias, or, where the run that made it was
        cut short before it could set one, by the record."""
        return tunnel.owner in self._labels if tunnel.alias else tunnel.place in self.had(Tunnel)

    def shares(self, dummy: Dummy) -> bool:
        """Whether a dummy is of any owner: by its alias, or by the record, as with tunnels."""
        if dummy.alias:
            return dummy.alias == Dummy.ALIAS
        return dummy.place in self.had(Dummy) or dummy.place in self.held(Dummy)

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(owner.label for owner in self.owners)


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of one object: add (no before), change, or delete (no after)."""

    action: Action
    before: Object | None = None
    after: Object | None = None

    @property
    def item(self) -> Object:
        item = self.before if self.after is None else self.after
        if item is None:
            raise ValueError("an operation without an object")
        return item

    @property
    def kind(self) -> str:
        return self.item.KIND

    def inverse(self) -> Operation:
        opposite: dict[Action, Action] = {"add": "delete", "change": "change", "delete": "add"}
        return Operation(opposite[self.action], self.after, self.before)

    def __str__(self) -> str:
        if self.action == "change" and self.before is not None and self.after is not None:
            difference = _difference(self.before, self.after)
            return f"change {self.before}" + (f" ({difference})" if difference else "")
        return f"{self.action} {self.item}"


_UNTOLD = ("optional", "standby", "lasting", "content", "variable")
"""Fields whose change is no operation, or is too long to be told in one line."""


def _difference(before: Object, after: Object) -> str:
    old, new = plain(before), plain(after)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name) and name not in _UNTOLD]
    return ", ".join(f"{name}: {_change(old.get(name, 'unset'), new.get(name, 'unset'))}" for name in names)


def _change(old: object, new: object) -> str:
    """A change of a field; of a list of texts only how many are others, since the diff shows these."""
    if not (isinstance(old, list) and isinstance(new, list) and all(isinstance(text, str) for text in [*old, *new])):
        return f"{old} -> {new}"
    gone, come = (sum(text not in others for text in texts) for texts, others in ((old, new), (new, old)))
    return f"{gone} gone, {come} new" if gone or come else "in another order"


# --- devices ----------------------------------------------------------------------------------------


def doomed(current: Current, request: Request) -> list[Tunnel | Dummy]:
    """The devices that go: tunnels of the request's owners that it does not want, whose they are stands in their
    alias; and dummies that these owners had and that nobody wants any more."""
    if not request.purge:
        return []
    wanted, devices = request.wanted(Tunnel), current.devices.values()
    tunnels = [device.tunnel for device in devices if device.tunnel and Tunnel.KIND in request.kinds]
    dummies = [device.dummy for device in devices if device.dummy]
    return [
        *(tunnel for tunnel in tunnels if tunnel.place not in wanted and request.owns(tunnel)),
        *(dummy for dummy in dummies if request.drops(dummy) and request.shares(dummy)),
    ]


def device_of_sysctl(sysctl: Sysctl, devices: Collection[str]) -> str | None:
    """The one of *devices* that a setting belongs to, such as ex-dsl of net/ipv4/conf/ex-dsl/rp_filter."""
    return next((part for part in sysctl.name.split("/") if part in devices), None)


def default_of(sysctl: Sysctl, request: Request) -> str | None:
    """Where a new device gets a setting from: the name of the setting with ``default`` for the device."""
    device = device_of_sysctl(sysctl, request.device_names)
    return None if device is None else sysctl.name.replace(f"/{device}/", "/default/", 1)


def is_known(sysctl: Sysctl, current: Current, request: Request) -> bool:
    """Whether the host has a setting, or will have it with a device of this request."""
    names = (sysctl.name, default_of(sysctl, request))
    return any(name is not None and current.sysctls.get(name) is not None for name in names)


_ON_ONE_DEVICE = (Address, Proxy, Group, Delay, Shaper)


def devices_of(item: Object) -> list[str]:
    """The devices that an object stands on."""
    if isinstance(item, _ON_ONE_DEVICE):
        return [item.device]
    if isinstance(item, Tunnel):
        return [item.device] if item.device else []
    if isinstance(item, Redirect):
        return [item.device, item.to]
    if isinstance(item, Route):
        return [hop.device for hop in item.nexthops]
    return []


def strangers(current: Current, request: Request) -> set[str]:
    """Devices of others under names that the request's owners have on record: what stood on ours went with ours."""
    had = {*request.had(Tunnel), *request.had(Dummy)}
    return {name for name, device in current.devices.items() if (name,) in had and not _is_ours(device, request)}


def _is_ours(device: Device, request: Request) -> bool:
    """Whether a device is one that the request may change."""
    if device.tunnel:
        return request.owns(device.tunnel)
    return device.dummy is not None and request.shares(device.dummy)


# --- records ----------------------------------------------------------------------------------------


def merged(states: Iterable[State]) -> State:
    """States of one owner as one; of two objects in one place the later one stays."""
    listed = list(states)
    objects = {(item.KIND, item.place): item for state in listed for item in state.objects}
    return replace(listed[-1], objects=tuple(objects.values()))
