# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel on paper: takes operations one by one and is as strict about them as the real one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    PROTOCOL,
    Address,
    AddressSet,
    AnyObject,
    Chain,
    Connection,
    Current,
    Delay,
    Device,
    Dummy,
    File,
    Group,
    Object,
    Proxy,
    Redirect,
    Resolver,
    Route,
    Rule,
    Shaper,
    Sysctl,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation, devices_of


class Refused(AssertionError):
    """The kernel would not do that."""


def apply_to(current: Current, operations: Iterable[Operation]) -> Current:
    for operation in operations:
        current = _step(current, operation)
    return current


def undone(current: Current, operations: Iterable[Operation]) -> Current:
    """*current* after the operations are taken back, the last one first."""
    return apply_to(current, (operation.inverse() for operation in reversed(list(operations))))


def same(one: Current, other: Current) -> bool:
    return _comparable(one) == _comparable(other)


def _comparable(current: Current) -> list[Any]:
    """Without what carries no meaning: numbers of devices, and the order of addresses and rules."""
    devices = {name: replace(device, index=0) for name, device in current.devices.items()}
    return [
        devices,
        set(current.addresses),
        current.proxies,
        current.routes,
        set(current.rules),
        current.chains,
        current.sysctls,
        current.files,
        current.connections,
        current.delays,
        current.sets,
        current.resolvers,
        current.shapers,
        current.redirects,
    ]


def _step(current: Current, operation: Operation) -> Current:
    for item in (operation.before, operation.after):
        _need(item is None or all(name in current.devices for name in devices_of(item)), operation, "no such device")
    item = operation.item
    expected = operation.action != "add" or isinstance(item, Sysctl)  # a new device brings its settings
    _need(_is_there(current, item) == expected, operation, "is there, or is not")
    if isinstance(item, Tunnel):
        return _tunnel(current, operation, item)
    if isinstance(item, Dummy):
        return _dummy(current, operation, item)
    if isinstance(item, Group):
        group = 0 if operation.after is None else item.group
        device = replace(current.devices[item.device], group=group)
        return replace(current, devices={**current.devices, item.device: device})
    return _kept(current, operation.after, item) or _plain(current, operation.before, operation.after)


def _kept(current: Current, after: Object | None, item: Object) -> Current | None:
    """The kinds that stand in dictionaries of their own, named after them."""
    looking = [chain for chain in current.chains.values() if isinstance(item, AddressSet) and item.name in chain.sets]
    if after is None and looking:
        raise Refused(f"{item} is in use by {looking}")
    if isinstance(after, Chain) and not {(name,) for name in after.sets} <= current.sets.keys():
        raise Refused(f"{after} looks into a set that is not there")
    if not isinstance(item, Delay | Shaper | Redirect | File | Connection | Resolver | AddressSet):
        return None
    others = {place: other for place, other in getattr(current, item.KIND).items() if place != item.place}
    left: dict[str, Any] = {item.KIND: others if after is None else {**others, item.place: after}}
    return replace(current, **left)


def _need(true: bool, operation: Operation, why: str) -> None:
    if not true:
        raise Refused(f"{operation}: {why}")


def _is_there(current: Current, item: Object) -> bool:
    if isinstance(item, Tunnel | Dummy):
        return item.name in current.devices
    if isinstance(item, Group):
        return current.devices[item.device].group != 0
    if isinstance(item, Sysctl):
        return current.sysctls.get(item.name) is not None
    places: dict[type, Iterable[Any]] = {
        Address: [address.place for address in current.addresses],
        Proxy: [proxy.place for proxy in current.proxies],
        Route: current.routes,
        Rule: [rule.place for rule, _protocol in current.rules],
        Chain: current.chains,
        File: current.files,
        Connection: current.connections,
        Delay: current.delays,
        AddressSet: current.sets,
        Resolver: current.resolvers,
        Shaper: current.shapers,
        Redirect: current.redirects,
    }
    return item.place in places[type(item)]


def _tunnel(current: Current, operation: Operation, tunnel: Tunnel) -> Current:
    devices = dict(current.devices)
    old = devices.pop(tunnel.name, None)
    if operation.after is None:
        return _deleted(current, operation, tunnel)
    others = {device.tunnel.identity for device in devices.values() if device.tunnel}
    _need(tunnel.identity not in others, operation, "File exists")
    devices[tunnel.name] = Device(tunnel.name, 0, "gre", tunnel.alias, old.group if old else 0, tunnel)
    return replace(current, devices=devices, sysctls=current.sysctls if old else _settings(current, tunnel, "0"))


def _dummy(current: Current, operation: Operation, dummy: Dummy) -> Current:
    if operation.after is None:
        return _deleted(current, operation, dummy)
    old = current.devices.get(dummy.name)
    made = Device(dummy.name, 0, "dummy", dummy.alias, old.group if old else 0, None, dummy)
    sysctls = current.sysctls if old else _settings(current, dummy, "0")
    return replace(current, devices={**current.devices, dummy.name: made}, sysctls=sysctls)


def _deleted(current: Current, operation: Operation, device: Tunnel | Dummy) -> Current:
    standing = [item for item in _all(current) if device.name in devices_of(item)]
    _need(not standing, operation, f"these stand on it: {standing}")
    devices = {name: other for name, other in current.devices.items() if name != device.name}
    return replace(current, devices=devices, sysctls=_settings(current, device, None))


def _all(current: Current) -> list[Object]:
    routes = [route for route, protocol in current.routes.values() if protocol == PROTOCOL]
    groups = [Group(device.name, device.group) for device in current.devices.values() if device.group]
    queues: list[Object] = [*current.delays.values(), *current.shapers.values(), *current.redirects.values()]
    return [*current.addresses, *current.proxies, *routes, *groups, *queues]


def _settings(current: Current, device: Tunnel | Dummy, value: str | None) -> dict[str, str | None]:
    return {name: value if device.name in name.split("/") else old for name, old in current.sysctls.items()}


def _plain(current: Current, before: Object | None, after: Object | None) -> Current:
    """The kinds that an operation puts in place of what was there."""
    item = before if after is None else after
    if isinstance(item, Address):
        addresses = [address for address in current.addresses if address != before]
        return replace(current, addresses=(*addresses, *_new(after, Address)))
    if isinstance(item, Proxy):
        return replace(current, proxies=(current.proxies - {before}) | set(_new(after, Proxy)))
    if isinstance(item, Rule):
        kept = [pair for pair in current.rules if pair != (before, PROTOCOL)]
        return replace(current, rules=(*kept, *((rule, PROTOCOL) for rule in _new(after, Rule))))
    if isinstance(item, Sysctl):
        value = after.value if isinstance(after, Sysctl) else current.sysctls[item.name]
        return replace(current, sysctls={**current.sysctls, item.name: value})
    if isinstance(item, Route):
        routes = {place: pair for place, pair in current.routes.items() if place != item.place}
        return replace(current, routes={**routes, **{route.place: (route, PROTOCOL) for route in _new(after, Route)}})
    chains = {place: chain for place, chain in current.chains.items() if item is None or place != item.place}
    return replace(current, chains={**chains, **{chain.place: chain for chain in _new(after, Chain)}})


def _new(item: Object | None, model: type[AnyObject]) -> list[AnyObject]:
    return [item] if isinstance(item, model) else []
