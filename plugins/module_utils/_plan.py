# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is to what should be: an ordered list of operations. Pure.

The same operations are reported in check mode, shown as the diff, applied, and undone.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from ._model import (
    KINDS,
    PROTOCOL,
    Action,
    Address,
    AnyObject,
    Chain,
    Current,
    EngineError,
    Group,
    Object,
    Owner,
    Place,
    Proxy,
    Route,
    Rule,
    State,
    Sysctl,
    Tunnel,
    plain,
)


class Conflict(EngineError):
    """The wanted objects contradict each other or stand where somebody else's do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


# --- what is asked for, and what to do --------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """What is asked for: whole states, or some kinds of them.

    ``recorded`` holds the states that were applied on this host before, of every owner. Without
    ``purge`` nothing is deleted.
    """

    desired: tuple[State, ...]
    recorded: tuple[State, ...] = ()
    kinds: Collection[str] = KINDS
    purge: bool = True

    @property
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

    def wanted(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        return _by_place(self.desired, model) if model.KIND in self.kinds else {}

    def dropped(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        """What the owners had, want no more, and nobody else has."""
        if not self.purge or model.KIND not in self.kinds:
            return {}
        kept = self.wanted(model).keys() | _by_place(self.others, model).keys()
        return {place: item for place, item in _by_place(self.former, model).items() if place not in kept}


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of one object: add (no before), change, or delete (no after)."""

    action: Action
    before: Object | None = None
    after: Object | None = None

    @property
    def item(self) -> Object:
        item = self.after if self.after is not None else self.before
        assert item is not None
        return item

    @property
    def kind(self) -> str:
        return self.item.KIND

    def inverse(self) -> Operation:
        opposite: dict[Action, Action] = {"add": "delete", "change": "change", "delete": "add"}
        return Operation(opposite[self.action], self.after, self.before)

    def __str__(self) -> str:
        if self.action == "change" and self.before is not None and self.after is not None:
            return f"change {self.before} ({_difference(self.before, self.after)})"
        return f"{self.action} {self.item}"


def _difference(before: Object, after: Object) -> str:
    old, new = plain(before), plain(after)
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name}: {old.get(name, 'unset')} -> {new.get(name, 'unset')}" for name in names)


def _by_place(states: Iterable[State], model: type[AnyObject]) -> dict[Place, AnyObject]:
    return {item.place: item for state in states for item in state.of(model)}


# --- the plan --------------------------------------------------------------------------------------


def plan(current: Current, request: Request, chains: Sequence[Chain] = ()) -> tuple[Operation, ...]:
    """The operations that lead from *current* to what is asked for, in the order to apply them.

    *chains* are the merged chains (see :func:`merged_chains`) in the form in which this host prints
    them. Raises Conflict, with every problem, before anything is changed.
    """
    _refuse([*_contradictions(request), *_foreign(current, request), *_missing(current, request)])
    recreated = _to_recreate(current, request)
    breaks, rest = _take_down(current, recreated)
    make: list[Operation] = []
    clean: list[Operation] = []
    for added, deleted in (
        _tunnels(rest, request),
        _groups(rest, request),
        _plain_kind(rest.addresses, request, Address),
        _sysctls(rest, request),
        _chains(rest, request, chains),
        _routes(rest, request),
        _rules(rest, request),
        _plain_kind(rest.proxies, request, Proxy),
    ):
        make += added
        clean = deleted + clean
    return (*breaks, *make, *clean)


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise Conflict(list(dict.fromkeys(problems)))


Changes = tuple[list[Operation], list[Operation]]
"""What to add or change, and what to delete afterwards."""


def _compare(is_: dict[Place, AnyObject], wanted: dict[Place, AnyObject], gone: Iterable[AnyObject]) -> Changes:
    """Adds, changes and deletes between two sets of objects of one kind."""
    make = []
    for place, item in wanted.items():
        if place not in is_:
            make.append(Operation("add", None, item))
        elif is_[place] != item:
            make.append(Operation("change", is_[place], item))
    return make, [Operation("delete", item, None) for item in gone]


def _tunnels(current: Current, request: Request) -> Changes:
    is_ = {(name,): device.tunnel for name, device in current.devices.items() if device.tunnel is not None}
    wanted = request.wanted(Tunnel)
    return _compare(is_, wanted, _doomed(current, request))


def _doomed(current: Current, request: Request) -> list[Tunnel]:
    """Tunnels of the request's owners that it does not want; whose they are stands in their alias."""
    if not request.purge or Tunnel.KIND not in request.kinds:
        return []
    wanted = request.wanted(Tunnel)
    tunnels = (device.tunnel for device in current.devices.values())
    return [t for t in tunnels if t and t.place not in wanted and _is_of(t, request)]


def _is_of(tunnel: Tunnel, request: Request) -> bool:
    """Whether a tunnel is of the request's owners: by its alias, or, where the run that made it was
    cut short before it could set one, by the record."""
    if tunnel.alias:
        return tunnel.alias.rpartition("/")[0] in {owner.label for owner in request.owners}
    return tunnel.place in _by_place(request.former, Tunnel)


def _groups(current: Current, request: Request) -> Changes:
    is_ = {(name,): Group(name, device.group) for name, device in current.devices.items() if device.group}
    gone = [item for place, item in request.dropped(Group).items() if is_.get(place) == item]
    return _compare(is_, request.wanted(Group), gone)


def _plain_kind(present: Collection[AnyObject], request: Request, model: type[AnyObject]) -> Changes:
    """For kinds whose objects are only there or not (addresses, proxies)."""
    is_ = {item.place: item for item in present}
    return _compare(is_, request.wanted(model), [is_[place] for place in request.dropped(model) if place in is_])


def _sysctls(current: Current, request: Request) -> Changes:
    """Settings are shared by everybody on the host, so they are set and never taken back."""
    wanted = {
        place: item
        for place, item in request.wanted(Sysctl).items()
        if not (item.optional and current.sysctls.get(item.name) is None)
    }
    is_ = {(name,): Sysctl(name, value) for name, value in current.sysctls.items() if value is not None}
    return _compare(is_, wanted, [])


def _chains(current: Current, request: Request, merged: Sequence[Chain]) -> Changes:
    if Chain.KIND not in request.kinds:
        return [], []
    wanted = {chain.place: chain for chain in merged}
    gone = [current.chains[place] for place in request.dropped(Chain) if place in current.chains]
    return _compare(current.chains, wanted, gone)


def _routes(current: Current, request: Request) -> Changes:
    is_ = {place: route for place, (route, _) in current.routes.items()}
    ours = {place for place, (_, protocol) in current.routes.items() if protocol == PROTOCOL}
    return _compare(is_, request.wanted(Route), [is_[place] for place in request.dropped(Route) if place in ours])


def _rules(current: Current, request: Request) -> Changes:
    """Rules of lower numbers go in first: the answers of the WANs are safe before traffic is moved."""
    is_ = {rule.place: rule for rule, protocol in current.rules if protocol == PROTOCOL}
    wanted = dict(sorted(request.wanted(Rule).items(), key=lambda entry: entry[1].priority))
    gone = sorted((is_[place] for place in request.dropped(Rule) if place in is_), key=lambda rule: -rule.priority)
    return _compare(is_, wanted, gone)


# --- tunnels that have to go before others can come ------------------------------------------------


def _to_recreate(current: Current, request: Request) -> list[Tunnel]:
    """Tunnels whose identity (endpoints and key) a wanted tunnel of another name takes over.

    The kernel refuses two tunnels of one identity, so these go first, even those that come back.
    """
    holders = {device.tunnel.identity: device.tunnel for device in current.devices.values() if device.tunnel}
    takers = request.wanted(Tunnel).values()
    held = (holders.get(taker.identity, taker) for taker in takers)
    return [holder for holder, taker in zip(held, takers, strict=True) if holder.name != taker.name]


def _take_down(current: Current, tunnels: Sequence[Tunnel]) -> tuple[list[Operation], Current]:
    """Deletes of *tunnels* and all that stands on them, and what is left after that."""
    names = {tunnel.name for tunnel in tunnels}
    if not names:
        return [], current
    proxies = [proxy for proxy in current.proxies if proxy.device in names]
    routes = [route for route, _ in current.routes.values() if any(hop.device in names for hop in route.nexthops)]
    addresses = [address for address in current.addresses if address.device in names]
    gone: list[Object] = [*proxies, *routes, *addresses, *tunnels]
    left = replace(
        current,
        devices={name: device for name, device in current.devices.items() if name not in names},
        addresses=current.addresses.difference(addresses),
        proxies=current.proxies.difference(proxies),
        routes={place: pair for place, pair in current.routes.items() if pair[0] not in routes},
    )
    return [Operation("delete", item, None) for item in gone], left


# --- chains of several owners ----------------------------------------------------------------------


def merged_chains(request: Request) -> tuple[Chain, ...]:
    """The chains that the request touches, each with the rules of every owner, in order of owner."""
    if Chain.KIND not in request.kinds:
        return ()
    states = sorted([*request.others, *request.desired], key=lambda state: (state.owner.customer, state.owner.site))
    touched = _by_place([*request.desired, *request.former], Chain).keys()
    merged: dict[Place, Chain] = {}
    for state in states:
        for chain in state.of(Chain):
            if chain.place in touched:
                former = merged.get(chain.place, replace(chain, rules=()))
                merged[chain.place] = replace(chain, rules=tuple(dict.fromkeys(former.rules + chain.rules)))
    return tuple(merged.values())


def merged(states: Iterable[State]) -> State:
    """States of one owner as one; of two objects in one place the later one stays."""
    listed = list(states)
    objects = {(item.KIND, item.place): item for state in listed for item in state.objects}
    return replace(listed[-1], objects=tuple(objects.values()))


# --- what is refused -------------------------------------------------------------------------------

_SHARED = (Rule, Sysctl, Group, Chain)
"""Kinds of which several owners may hold the same object."""


def _contradictions(request: Request) -> list[str]:
    """Objects that are asked for twice, or that another owner on this host holds."""
    problems = []
    held = {(item.KIND, item.place): (item, state.owner) for state in request.others for item in state.objects}
    asked: dict[tuple[str, Place], tuple[Object, Owner]] = {}
    for state in request.desired:
        for item in (item for item in state.objects if item.KIND in request.kinds):
            slot = (item.KIND, item.place)
            for owner_map, verb in ((held, "is held by"), (asked, "is also asked for by")):
                if slot in owner_map and not _may_share(item, *owner_map[slot], state.owner):
                    problems.append(f"{item} of {state.owner} {verb} {owner_map[slot][1]}")
            asked[slot] = (item, state.owner)
    return problems + _equal_tunnels(request)


def _may_share(item: Object, other: Object, other_owner: Owner, owner: Owner) -> bool:
    if isinstance(item, Chain):
        return owner != other_owner
    return isinstance(item, _SHARED) and item == other


def _equal_tunnels(request: Request) -> list[str]:
    """Two names for the same endpoints and key: the kernel takes only one of them."""
    problems: list[str] = []
    seen: dict[tuple[str, str, int | None], Tunnel] = {}
    candidates = [*_by_place(request.others, Tunnel).values(), *request.wanted(Tunnel).values()]
    for tunnel in candidates:
        first = seen.setdefault(tunnel.identity, tunnel)
        if first.name != tunnel.name:
            problems.append(f"{tunnel} has the same endpoints and key as {first.name}")
    return problems


def _foreign(current: Current, request: Request) -> list[str]:
    """What somebody else has put where an object of the request, or only our own, may stand."""
    return [
        *_foreign_devices(current, request),
        *_foreign_groups(current, request),
        *_foreign_routes(current, request),
        *_foreign_rules(current, request),
    ]


def _foreign_devices(current: Current, request: Request) -> list[str]:
    problems = []
    wanted = request.wanted(Tunnel)
    takers = {tunnel.identity: tunnel for tunnel in wanted.values()}
    for device in current.devices.values():
        tunnel, label = device.tunnel, f" (alias {device.alias})" if device.alias else ""
        ours = tunnel is not None and _is_of(tunnel, request)
        if (device.name,) in wanted and not ours:
            kind = device.kind or "physical"
            problems.append(f"device {device.name} is there already and is not ours: kind {kind}{label}")
        elif tunnel and (taker := takers.get(tunnel.identity)) and taker.name != tunnel.name:
            if not ours or not (request.purge or tunnel.place in wanted):
                problems.append(f"{taker} has the same endpoints and key as {tunnel.name}{label}")
    return problems


def _foreign_groups(current: Current, request: Request) -> list[str]:
    former = _by_place(request.former, Group)
    return [
        f"device {group.device} is in link group {device.group} already, {group.group} was asked for"
        for place, group in request.wanted(Group).items()
        if (device := current.devices.get(group.device))
        and device.group not in (0, group.group)
        and place not in former
    ]


def _foreign_routes(current: Current, request: Request) -> list[str]:
    wanted = request.wanted(Route)
    reserved = {table for state in request.desired for table in state.reserved_tables} if wanted else set()
    return [
        f"{route} stands where only ours may and was made by {_protocol_name(protocol)}"
        for place, (route, protocol) in current.routes.items()
        if protocol != PROTOCOL and (place in wanted or route.table in reserved)
    ]


def _foreign_rules(current: Current, request: Request) -> list[str]:
    wanted = request.wanted(Rule)
    spans = [state.reserved_priorities for state in request.desired if state.reserved_priorities] if wanted else []
    return [
        f"{rule} stands where only ours may and was made by {_protocol_name(protocol)}"
        for rule, protocol in current.rules
        if protocol != PROTOCOL
        and (rule.place in wanted or any(first <= rule.priority <= last for first, last in spans))
    ]


_PROTOCOLS = {
    0: "hand or an unknown program",
    2: "the kernel",
    3: "hand at boot",
    4: "hand or networkd",
    12: "BIRD",
    16: "DHCP",
}


def _protocol_name(number: int) -> str:
    """Who makes routes and rules of that protocol (include/uapi/linux/rtnetlink.h)."""
    return f"{_PROTOCOLS[number]} (protocol {number})" if number in _PROTOCOLS else f"protocol {number}"


def _missing(current: Current, request: Request) -> list[str]:
    """Devices and settings that are asked for and that neither the host nor this plan has."""
    present = current.devices.keys() | {tunnel.name for tunnel in request.wanted(Tunnel).values()}
    problems = [
        f"{item}: there is no device {name} on this host"
        for state in request.desired
        for item in state.objects
        if item.KIND in request.kinds
        for name in _devices_of(item)
        if name not in present
    ]
    for sysctl in request.wanted(Sysctl).values():
        if (
            not sysctl.optional
            and current.sysctls.get(sysctl.name) is None
            and not _named(sysctl, present - current.devices.keys())
        ):
            problems.append(f"{sysctl}: this kernel has no such setting")
    return problems


def _named(sysctl: Sysctl, devices: Collection[str]) -> bool:
    """Whether a setting belongs to one of *devices*, such as net/ipv4/conf/ex-dsl/rp_filter."""
    return any(part in devices for part in sysctl.name.split("/"))


def _devices_of(item: Object) -> list[str]:
    if isinstance(item, Address | Proxy | Group):
        return [item.device]
    if isinstance(item, Tunnel):
        return [item.device] if item.device else []
    if isinstance(item, Route):
        return [hop.device for hop in item.nexthops if hop.device]
    return []
