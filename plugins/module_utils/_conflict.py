# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request is refused for, before anything is changed. Pure.

This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence

from . import _overlap
from ._claims import Collision, claims, contradictions, pool_of, site_ids
from ._model import (
    PROTOCOL,
    Address,
    AddressSet,
    Current,
    Delay,
    Dummy,
    EngineError,
    Expected,
    Group,
    Owner,
    Proxy,
    Redirect,
    Resolver,
    Route,
    Rule,
    Shaper,
    State,
    Sysctl,
    Tunnel,
)
from ._overlap import Claim, Span, alone, overlapping, span
from ._request import Request, devices_of, doomed, is_known

BIRD = 12
"""Origin of the routes that BIRD makes (include/uapi/linux/rtnetlink.h)."""
BIRD_METRIC = 32
"""The metric that it gives them in the kernel."""

_SHOWN = 20
"""Problems that a message spells out; the others are counted."""


class Conflict(EngineError):
    """The wanted objects contradict each other or stand where somebody else's do."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - _SHOWN
        super().__init__("; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else ""))
        self.problems = tuple(problems)


def refuse(current: Current, request: Request) -> None:
    """Raises Conflict with every problem of *request* on a host that holds *current*."""
    problems = [
        *contradictions(request),
        *(claim.problem for claim in claims(request)),
        *(collision.problem for collision in collisions(current, request)),
        *_misplaced(current, request),
        *_off_link(current, request),
        *_beside(current, request),
        *_missing_devices(current, request),
        *_cut_off(current, request),
    ]
    if problems:
        raise Conflict(list(dict.fromkeys(problems)))


def collisions(current: Current, request: Request) -> list[Collision]:
    """Where the host has, or lacks, what keeps one object of *request* from standing."""
    return [
        *_foreign_devices(current, request),
        *_foreign_groups(current, request),
        *_foreign_queues(current, request),
        *_foreign_shapes(current, request),
        *_foreign_routes(current, request),
        *_foreign_rules(current, request),
        *_own_addresses(current, request),
        *_missing_sysctls(current, request),
        *_missing_resolver(current, request),
        *_missing_ipset(current, request),
    ]


# --- what somebody else has put where an object of the request, or only our own, may stand ----------


def _foreign_devices(current: Current, request: Request) -> list[Collision]:
    found = []
    wanted, dummies = request.wanted(Tunnel), request.wanted(Dummy)
    takers = {tunnel.identity: tunnel for tunnel in wanted.values()}
    for device in current.devices.values():
        tunnel, label = device.tunnel, f" (alias {device.alias})" if device.alias else ""
        ours = tunnel is not None and request.owns(tunnel)
        shared = device.dummy is not None and request.shares(device.dummy)
        if device.dummy and (asked := dummies.get(device.dummy.place)):
            shared = shared and asked.kind == device.dummy.kind
        if ((device.name,) in wanted and not ours) or ((device.name,) in dummies and not shared):
            problem = f"device {device.name} is there already and is not ours: kind {device.kind or 'physical'}{label}"
            kind = Tunnel.KIND if (device.name,) in wanted else Dummy.KIND
            found.append(Collision(kind, (device.name,), problem))
        elif tunnel and (taker := takers.get(tunnel.identity)) and taker.name != tunnel.name:
            if not ours or not (request.purge or tunnel.place in wanted):
                problem = f"{taker} has the same endpoints and key as {tunnel.name}{label}"
                found.append(Collision(Tunnel.KIND, taker.place, problem))
    return found


def _foreign_groups(current: Current, request: Request) -> list[Collision]:
    return [
        Collision(
            Group.KIND,
            place,
            f"device {group.device} is in link group {device.group} already, {group.group} was asked for",
        )
        for place, group in request.wanted(Group).items()
        if (device := current.devices.get(group.device))
        and device.group not in (0, group.group)
        and place not in request.had(Group)
    ]


def _foreign_queues(current: Current, request: Request) -> list[Collision]:
    return [
        Collision(
            Delay.KIND,
            place,
            f"{delay}: it has a queueing discipline of somebody else's, {current.queues[delay.device]}",
        )
        for place, delay in request.wanted(Delay).items()
        if delay.device in current.queues
    ]


def _foreign_shapes(current: Current, request: Request) -> list[Collision]:
    """Links that somebody else shapes already, and all where the kernel cannot."""
    wanted: list[Shaper | Redirect] = [*request.wanted(Shaper).values(), *request.wanted(Redirect).values()]
    if not current.shapes:
        return _unshaped(request, wanted)
    found = []
    for item in wanted:
        others = (current.queues if isinstance(item, Shaper) else current.filtered).get(item.device)
        if others:
            problem = f"{item.device} has a queueing discipline of somebody else's, {others}"
            found.append(Collision(item.KIND, item.place, f"{item.variable or item}: {problem}"))
    return found


def _unshaped(request: Request, wanted: Sequence[Shaper | Redirect]) -> list[Collision]:
    """All that would be shaped, and the devices that are there for it: a kernel may lack these too."""
    told = {
        item.device: f"{item.variable or item}: {item.device} cannot be shaped: this kernel has no CAKE (module"
        " sch_cake), or lacks ifb, sch_ingress, cls_u32 or act_mirred"
        for item in reversed(wanted)
    }
    dummies = [dummy for dummy in request.wanted(Dummy).values() if dummy.kind == "ifb" and dummy.name in told]
    return [
        *(Collision(item.KIND, item.place, told[item.device]) for item in wanted),
        *(Collision(dummy.KIND, dummy.place, told[dummy.name]) for dummy in dummies),
    ]


def _foreign_routes(current: Current, request: Request) -> list[Collision]:
    wanted = request.wanted(Route)
    reserved = {table for state in request.desired for table in state.reserved_tables} if wanted else set()
    return [
        Collision(Route.KIND, place, _stands(route, protocol))
        for place, (route, protocol) in current.routes.items()
        if protocol != PROTOCOL and (place in wanted or (route.table in reserved and not _of_daemon(route, protocol)))
    ]


def _of_daemon(route: Route, protocol: int) -> bool:
    """Whether a route is of the daemon that watches our tunnels."""
    return (protocol, route.metric) == (BIRD, BIRD_METRIC)


def _foreign_rules(current: Current, request: Request) -> list[Collision]:
    wanted = request.wanted(Rule)
    spans = {state.reserved_priorities for state in request.desired if state.reserved_priorities} if wanted else set()
    return [
        Collision(Rule.KIND, rule.place, _stands(rule, protocol))
        for rule, protocol in current.rules
        if protocol != PROTOCOL
        and (rule.place in wanted or any(first <= rule.priority <= last for first, last in spans))
    ]


def _stands(item: Route | Rule, protocol: int) -> str:
    return f"{item} stands where only ours may and was made by {_protocol_name(protocol)}"


_PROTOCOLS = {
    0: "hand or an unknown program",
    2: "the kernel",
    3: "hand at boot",
    4: "hand or networkd",
    BIRD: "BIRD",
    16: "DHCP",
}


def _protocol_name(number: int) -> str:
    """Who makes routes and rules of that protocol (include/uapi/linux/rtnetlink.h)."""
    return f"{_PROTOCOLS[number]} (protocol {number})" if number in _PROTOCOLS else f"protocol {number}"


# --- what the host holds elsewhere -------------------------------------------------------------------


def _misplaced(current: Current, request: Request) -> list[str]:
    """Addresses by which the inventory knows this host, and which it holds elsewhere or not at all."""
    listed = _expected(request)
    places = _places(current.addresses) if listed else {}
    problems = []
    for expected in listed:
        if expected.address is None:
            continue
        devices = places.get(expected.address, [])
        wanted = f"on {expected.device}" if expected.device else "here"
        if not devices:
            problems.append(f"{expected.address} is on no device of this host; the inventory has it {wanted}")
        elif expected.device and expected.device not in devices:
            problems.append(
                f"{expected.address} is on {', '.join(devices)} of this host; the inventory has it {wanted}"
            )
    return problems


def _off_link(current: Current, request: Request) -> list[str]:
    """New networks that are on the link of another device than the inventory says."""
    had, problems = request.had(Proxy), []
    for expected in _expected(request):
        if expected.network is None or (expected.device, _first(expected.network)) in had:
            continue
        devices = _devices_at(_first(expected.network), current)
        if devices and expected.device not in devices:
            network = expected.network.removesuffix("/32").removesuffix("/128")
            problems.append(
                f"{expected.told}{network} is not on the link of {expected.device} but of {', '.join(devices)}: correct"
                f" it, or, where {network} is routed to this host, give its site extrude_take_over: true"
            )
    return problems


def _first(network: str) -> str:
    return str(ipaddress.ip_network(network)[0])


def _devices_at(address: str, current: Current) -> list[str]:
    """The devices with an address of this host in a network that holds *address*."""
    wanted = ipaddress.ip_address(address)
    return sorted({own.device for own in current.addresses if wanted in ipaddress.ip_interface(own.address).network})


def _expected(request: Request) -> list[Expected]:
    return [expected for state in request.desired for expected in state.expects]


def _own_addresses(current: Current, request: Request) -> list[Collision]:
    """Addresses that this host should answer for on behalf of others, and that somebody has given to it."""
    wanted = request.wanted(Proxy)
    ours = {**request.had(Address), **request.held(Address), **request.wanted(Address)} if wanted else {}
    places = _places(address for address in current.addresses if address.place not in ours) if wanted else {}
    return [
        Collision(
            Proxy.KIND,
            place,
            f"{proxy}: that is an address of this host itself, on {', '.join(places[proxy.address])}",
        )
        for place, proxy in wanted.items()
        if proxy.address in places
    ]


def _beside(current: Current, request: Request) -> list[str]:
    """What a colo has beside our objects that would take from these, or lose to them.

    At boot, and where a change goes back, ours stand all the same.
    """
    states = [] if request.yields else [state for state in request.desired if site_ids(state)]
    return [*_near_inside(states, current, request), *_foreign_marks(current, request)] if states else []


_HOST = Owner("", "")
"""Whoever has put on the host what is not ours."""


def _near_inside(states: Sequence[State], current: Current, request: Request) -> list[str]:
    """Inside addresses that the colo has already, and new ones in a network of its own, where somebody may have them.

    A mere route to more than these is common, and no matter: ours is longer.
    """
    inside = _overlap.claims(states, True, {Address.KIND}.intersection(request.kinds))
    wary = {state.owner for state in states if not state.take_over}
    new = [one for one in inside if one.owner in wary and one.item.place not in request.had(Address)]
    others = _foreign_addresses(current, request) if inside else []
    told = {
        mine.item: f"{mine.item} is in the network of {other.item} of this host: give the colo another {pool_of(mine)}"
        " or, where nobody there has such addresses, the site extrude_take_over: true"
        for mine, other in overlapping([*new, *_on_host(others, span)])
        if other.owner == _HOST
    }
    told |= {
        mine.item: f"{mine.item}: this host has {other.item}, which is within that tunnel: take it off, or give the"
        f" colo another {pool_of(mine)}"
        for mine, other in overlapping([*inside, *_on_host(others, alone)])
        if other.owner == _HOST
    }
    return list(told.values())


def _foreign_addresses(current: Current, request: Request) -> list[Address]:
    """The addresses of this host that are not ours, nor go with a device of ours."""
    ours = {**request.had(Address), **request.held(Address), **request.wanted(Address)}
    gone = {device.name for device in doomed(current, request)}
    return [item for item in current.addresses if item.place not in ours and item.device not in gone]


def _on_host(addresses: Iterable[Address], reach: Callable[[str], Span]) -> list[Claim]:
    return [Claim(item.address, reach(item.address), item, _HOST, wanted=False) for item in addresses]


def _foreign_marks(current: Current, request: Request) -> list[str]:
    """Rules of others that ask for a bit of ours in marks, wherever they stand: a packet would have it for both."""
    ours = {(rule.family, rule.mask or 0) for rule in request.wanted(Rule).values() if rule.mark is not None}
    told = {collision.place for collision in _foreign_rules(current, request)}
    return [
        f"{rule} asks for marks that are ours, of {mask:#x}, and was made by {_protocol_name(protocol)}: give it others"
        for rule, protocol in current.rules
        if protocol != PROTOCOL and rule.place not in told
        for family, mask in sorted(ours)
        if family == rule.family and (rule.mark or 0) & (rule.mask or 0) & mask
    ]


def _cut_off(current: Current, request: Request) -> list[str]:
    """The address by which whoever asks has come, where it would go."""
    if not request.came_by:
        return []
    dropped, wanted = request.dropped(Address), request.wanted(Address)
    stay = [address for address in current.addresses if address.place not in dropped]
    if request.came_by not in _places(dropped.values()) or request.came_by in _places([*stay, *wanted.values()]):
        return []
    how = "reach the host by another address (ansible_host), or give it extrude_cut: true for a run"
    return [f"{request.came_by} would go, and this run came by it: {how}"]


def _places(addresses: Iterable[Address]) -> dict[str, list[str]]:
    """The devices of each address, without prefix lengths."""
    places: dict[str, list[str]] = {}
    for address in addresses:
        places.setdefault(address.address.partition("/")[0], []).append(address.device)
    return places


# --- what the host lacks ----------------------------------------------------------------------------


def _missing_devices(current: Current, request: Request) -> list[str]:
    """Devices that are asked for and that neither the host nor this plan has."""
    present = _future_devices(current, request)
    return [
        f"{item}: there is no device {name} on this host"
        for item in request.asked
        for name in devices_of(item)
        if name not in present
    ]


def _missing_sysctls(current: Current, request: Request) -> list[Collision]:
    return [
        Collision(Sysctl.KIND, place, f"{sysctl}: this kernel has no such setting")
        for place, sysctl in request.wanted(Sysctl).items()
        if not sysctl.optional and not is_known(sysctl, current, request)
    ]


def _missing_resolver(current: Current, request: Request) -> list[Collision]:
    """Domains are asked for, and nobody would learn their addresses."""
    text = "domains need dnsmasq, which learns their addresses, as the name server of the LANs, and it is not installed"
    return [
        Collision(resolver.KIND, resolver.place, f"{state.owner.site}: extrude_direct: {text} on this host")
        for state in request.desired
        for resolver in state.of(Resolver)
        if not current.resolves and Resolver.KIND in request.kinds
    ]


def _missing_ipset(current: Current, request: Request) -> list[Collision]:
    """Sets that a host is to stand with although ipset is gone. A run installs it first, or says so as it makes one."""
    text = "domains need ipset, and it is not installed on this host"
    return [
        Collision(AddressSet.KIND, one.place, f"{state.owner.site}: extrude_direct: {text}")
        for state in request.desired
        for one in state.of(AddressSet)
        if request.yields and not current.looks_up and AddressSet.KIND in request.kinds
    ]


def _future_devices(current: Current, request: Request) -> set[str]:
    stay = current.devices.keys() - {device.name for device in doomed(current, request)}
    return stay | request.device_names
