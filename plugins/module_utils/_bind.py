# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what only the host knows into a state. Pure.

A state as the inventory makes it may hold placeholders for a link whose address is dynamic:
``{dsl.device}``, ``{dsl.address}``, ``{dsl.gateway}`` and ``{dsl.network}`` at the site, and at the
colo ``{dsl.endpoint}``. While a link is down they have no value, and all that needs one is left out.
This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

Plain: TypeAlias = dict[str, Any]
"""A state, or an object of one, as plain data."""

UNHEARD = "127.0.0.2"
"""The endpoint of a link that has never reported one: packets to it never leave the host."""

_PLACEHOLDER = re.compile(r"\{([^\s/{}]{1,64}\.(?:device|address|gateway|network|endpoint))\}")
_SETTING = re.compile(r"net/ipv[46]/(?:conf|neigh)/([^/]+)/")
_HOST_ONLY = ("links", "lans", "endpoints", "only", "secret", "certificate")
"""Keys of a state that say how to bind and apply it; a bound one has them no more."""


def bind(state: Plain, values: Mapping[str, str], absent: Collection[str] = (), down: Collection[str] = ()) -> Plain:
    """A state with *values* (such as ``dsl.address``) in place of its placeholders, ready to be parsed.

    An object with a placeholder that has no value is left out; of a chain only that rule, of a route that
    next hop, of a file that line. So is what stands on a tunnel that is left out or on an *absent* device,
    and each next hop by a device that is *down*: the kernel takes none there. A route without next hops goes.
    """
    filled = {key: _fill(value, values) for key, value in state.items()} if is_open(state) else state
    bound = {key: value for key, value in filled.items() if key not in _HOST_ONLY}
    tunnels = [tunnel for tunnel in _items(bound, "tunnels") if tunnel.get("device") not in absent]
    names = {tunnel.get("name") for tunnel in tunnels}
    gone = {*absent, *(tunnel.get("name") for tunnel in _items(state, "tunnels"))} - names
    if is_open(state) or gone or down:
        bound |= {"tunnels": tunnels, **_standing(bound, gone)}
        bound["routes"] = _routes(_items(bound, "routes"), gone.union(down) - names)
    return bound


def is_open(state: Plain) -> bool:
    """Whether a state may have placeholders: of links, dynamic ones or such without a tunnel, or of endpoints."""
    links = _items(state, "links")
    return bool(state.get("endpoints")) or any("address" not in link or link.get("use") == "direct" for link in links)


def devices_of(state: Plain) -> set[str]:
    """The devices that the objects of a state name, but for its own tunnels and lo."""
    named = {item.get("device") for kind in _ON_DEVICES for item in _items(state, kind)}
    named |= {hop.get("device") for route in _items(state, "routes") for hop in _items(route, "nexthops")}
    named |= {item.get("device") for item in [*_items(state, "tunnels"), *_items(state, "expects")]}
    named |= {found[1] for item in _items(state, "sysctls") if (found := _SETTING.match(str(item.get("name"))))}
    own = {item.get("name") for kind in ("tunnels", "dummies") for item in _items(state, kind)}
    return {name for name in named if isinstance(name, str) and "{" not in name} - own - {"lo", "all", "default"}


def reserved(state: Plain) -> list[ipaddress.IPv4Network]:
    """What no link may have been given: extruded and inside addresses, and where the tunnels lead.

    A rule for such an address as that of a link would take its packets away from the tunnels.
    """
    named = [item.get("address") for item in _items(state, "addresses")]
    named += [item.get("source") for item in _items(state, "rules")]
    named += [item.get("remote") for item in _items(state, "tunnels")]
    networks = {text: _network(text) for text in map(str, named)}
    return [network for _text, network in sorted(networks.items()) if network and network != _UNSET]


def hold_sources(state: Plain, held: Collection[str]) -> Plain:
    """A bound state whose routes have a preferred source only where the host or the state holds that address.

    The kernel takes none that it does not have; what is only forwarded needs none. Of IPv6 no source is left out.
    """
    own = {str(item.get("address")).partition("/")[0] for item in _items(state, "addresses")}
    known = own.union(held)
    routes = _items(state, "routes")
    unready = [
        route for route in routes if (source := route.get("source")) and ":" not in source and source not in known
    ]
    if not unready:
        return state
    return {**state, "routes": [{**route, "source": None} if route in unready else route for route in routes]}


_UNSET = ipaddress.IPv4Network("0.0.0.0/32")
"""The source of packets that have none yet: the kernel's own."""


def _network(text: str) -> ipaddress.IPv4Network | None:
    """An IPv4 network; None where it is none, which shows when the state is parsed."""
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


_ON_DEVICES = ("groups", "delays", "shapers", "redirects", "addresses", "proxies")


def _standing(bound: Plain, gone: Collection[str | None]) -> Plain:
    """What stands on devices, without what stands on those that are gone; a path of a setting names its device."""
    kinds: Plain = {
        kind: [item for item in _items(bound, kind) if item.get("device") not in gone] for kind in _ON_DEVICES
    }
    sysctls = _items(bound, "sysctls")
    return {**kinds, "sysctls": [item for item in sysctls if not set(str(item.get("name")).split("/")) & set(gone)]}


def _routes(routes: list[Plain], gone: Collection[str | None]) -> list[Plain]:
    """The routes without next hops by devices that are gone; twice the same becomes one."""
    kept: list[Plain] = []
    for route in routes:
        listed = _items(route, "nexthops")
        hops = [hop for hop in listed if hop.get("device") not in gone]
        made = route if len(hops) == len(listed) else {**route, "nexthops": hops}
        if (hops or route.get("type", "unicast") != "unicast") and made not in kept:
            kept.append(made)
    return kept


def _items(state: Plain, kind: str) -> list[Plain]:
    """The objects of a list; what is none shows when the state is parsed."""
    return [item for item in state.get(kind) or () if isinstance(item, dict)]


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    """*value* with all placeholders filled; an entry of a list or a line of a text that cannot be is left out.

    Raises KeyError where that leaves nothing to put in its place.
    """
    if isinstance(value, str):
        lines = value.splitlines(keepends=True)
        if len(lines) < 2:
            return _PLACEHOLDER.sub(lambda found: values[found[1]], value)
        return "".join(_filled(lines, values))
    if isinstance(value, dict):
        return {key: _fill(item, values) for key, item in value.items()}
    return _filled(value, values) if isinstance(value, list | tuple) else value


def _filled(listed: Any, values: Mapping[str, str]) -> list[Any]:
    made = []
    for item in listed:
        try:
            made.append(_fill(item, values))
        except KeyError:
            continue
    return made
