# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes devices, addresses, proxies, routes and rules through pyroute2; the only file that imports it.

This module util is private to the collection.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import ipaddress
import os
import socket
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from . import _sysctl, _wire
from ._fields import HostError
from ._model import PROTOCOL, Address, Current, Delay, Dummy, EngineError, Group, Nexthop, Proxy, Route, Rule, Tunnel
from ._request import Operation

MISSING = "pyroute2 is missing on this host (Debian package python3-pyroute2)"


class Gone(EngineError):
    """What was to be deleted is not there any more."""


def has_pyroute2() -> bool:
    """Whether this host can write. It is not imported here: that takes 0.2 s, and most runs find nothing to write."""
    return importlib.util.find_spec("pyroute2") is not None


_Rules: TypeAlias = defaultdict[tuple[int, int, int], defaultdict[str | None, dict[Rule, None]]]
"""Our rules by family, priority and table, and then by source."""


class Writer:
    """Applies single operations. Each happens whole and touches nothing else, or raises EngineError."""

    def __init__(self, current: Current) -> None:
        try:
            pyroute2 = importlib.import_module("pyroute2")
        except ImportError as error:
            raise HostError(f"{MISSING}: {error}") from error
        self._refused: type[Exception] = pyroute2.NetlinkError
        self._ipr: Any = pyroute2.IPRoute(ext_ack=True)
        self._indexes = {device.name: device.index for device in current.devices.values()}
        self._rules: _Rules = defaultdict(lambda: defaultdict(dict))
        for rule, protocol in current.rules:
            if protocol == PROTOCOL:
                self._rules[_named(rule)][rule.source][rule] = None

    def close(self) -> None:
        self._ipr.close()

    def apply(self, operation: Operation) -> None:
        item = operation.item
        with _explained(operation, self._refused):
            if isinstance(item, Tunnel):
                self._tunnel(operation, item)
            elif isinstance(item, Dummy):
                self._dummy(operation, item)
            elif isinstance(item, Group):
                group = 0 if operation.action == "delete" else item.group
                self._ipr.link("set", index=self._index(item.device), group=group)
            elif isinstance(item, Delay):
                self._delay(operation, item)
            elif isinstance(item, Address):
                self._address(operation, item)
            elif isinstance(item, Proxy):
                self._ipr.neigh(_verb(operation), **_proxy(item, self._index))
            elif isinstance(item, Route):
                # a throw may have to stand before the kernel's own route to an address of this host
                replaces = operation.action == "change" or (item.type == "throw" and operation.action == "add")
                verb = "replace" if replaces else _verb(operation)
                self._ipr.route(verb, **_route(item, self._index, deleting=verb == "del"))
            elif isinstance(item, Rule):
                (self._delete_rule if operation.action == "delete" else self._add_rule)(item)

    def _tunnel(self, operation: Operation, tunnel: Tunnel) -> None:
        if operation.action == "delete":
            self._ipr.link("del", index=self._indexes.pop(tunnel.name))
            return
        settings = {**_gre(tunnel, self._index), "state": _state(tunnel)}
        if operation.action == "change":
            self._ipr.link("set", index=self._index(tunnel.name), **settings, ifalias=tunnel.alias)
            return
        self._add_device(tunnel, settings)

    def _dummy(self, operation: Operation, dummy: Dummy) -> None:
        if operation.action == "delete":
            self._ipr.link("del", index=self._indexes.pop(dummy.name))
        elif operation.action == "change":
            self._ipr.link("set", index=self._index(dummy.name), state=_state(dummy), ifalias=dummy.alias)
        else:
            self._add_device(
                dummy, {"kind": _wire.DUMMY if dummy.kind == "dummy" else dummy.kind, "state": _state(dummy)}
            )

    def _add_device(self, device: Tunnel | Dummy, settings: dict[str, Any]) -> None:
        self._ipr.link("add", ifname=device.name, **settings)
        self._indexes[device.name] = index = socket.if_nametoindex(device.name)
        try:  # the kernel takes an alias only from a device that is there
            self._ipr.link("set", index=index, ifalias=device.alias)
        except self._refused:
            self._ipr.link("del", index=self._indexes.pop(device.name))
            raise

    def _delay(self, operation: Operation, delay: Delay) -> None:
        verb = "replace" if operation.action == "change" else _verb(operation)
        values = {} if verb == "del" else {"delay": round(delay.delay * 1000), "limit": _MOST_DELAYED}
        self._ipr.tc(verb, "netem", index=self._index(delay.device), handle=_wire.HANDLE, **values)

    def _address(self, operation: Operation, address: Address) -> None:
        """A change (of an IPv6 prefix length) takes a delete and an add: the kernel knows no other way."""
        before = operation.before
        if isinstance(before, Address):
            with _promoted(before):
                self._ipr.addr("del", **_address(before, self._index))
        if operation.action == "delete":
            return
        try:
            self._ipr.addr("add", **_address(address, self._index))
        except self._refused:
            if isinstance(before, Address):
                self._ipr.addr("add", **_address(before, self._index))
            raise

    def _add_rule(self, rule: Rule) -> None:
        """The kernel says "File exists" where a rule differs only in prefixes that this one leaves out; such rules
        step aside for the moment (net/core/fib_rules.c, rule_exists)."""
        narrower = self._narrower(rule)
        aside = [n for n in narrower if replace(n, source=rule.source, destination=rule.destination) == rule]
        for other in aside:
            self._delete_rule(other)
        self._ipr.rule("add", **_rule(rule))
        self._rules[_named(rule)][rule.source][rule] = None
        for other in aside:
            self._add_rule(other)

    def _delete_rule(self, rule: Rule) -> None:
        """The kernel takes the first rule that has what the delete names, were it more than that; so narrower
        rules step aside for the moment (net/core/fib_rules.c, rule_find)."""
        aside = self._narrower(rule)
        for other in [*reversed(aside), rule]:
            self._ipr.rule("del", **_rule(other))
            self._rules[_named(other)][other.source].pop(other, None)
        for other in aside:
            self._add_rule(other)

    def _narrower(self, rule: Rule) -> list[Rule]:
        """Our rules that match all that *rule* names, and more; the widest first."""
        sources = self._rules[_named(rule)]
        peers = sources[rule.source] if rule.source else [other for some in sources.values() for other in some]
        named = [(place, value) for place, value in enumerate(_matches(rule)) if value is not None]
        found = [
            other for other in peers if other != rule and all(_matches(other)[place] == value for place, value in named)
        ]
        return sorted(found, key=lambda other: sum(value is not None for value in _matches(other)))

    def _index(self, name: str) -> int:
        if name not in self._indexes:
            raise EngineError(f"there is no device {name} on this host")
        return self._indexes[name]


# --- what the kernel does besides what it is told -----------------------------------------------------


@contextmanager
def _promoted(address: Address) -> Iterator[None]:
    """Meanwhile the kernel keeps the secondary addresses of a network whose primary one is deleted.

    Source: Documentation/networking/ip-sysctl.rst, ``promote_secondaries``.
    """
    name = f"net/ipv4/conf/{address.device}/promote_secondaries"
    if ":" in address.address or address.address.endswith("/32") or _sysctl.read([name])[name] != "0":
        yield
        return
    _sysctl.write(name, "1")
    try:
        yield
    finally:
        with suppress(EngineError):  # it is gone when the device is
            _sysctl.write(name, "0")


def _named(rule: Rule) -> tuple[int, int, int]:
    """What every delete names."""
    return (rule.family, rule.priority, rule.table)


def _matches(rule: Rule) -> list[Any]:
    """What a delete names besides; None where it names nothing, and any value will do."""
    return [
        rule.source,
        rule.destination,
        rule.iif,
        rule.oif,
        rule.mark or None,
        rule.mask,
        rule.suppress_prefixlength,
        rule.suppress_ifgroup,
    ]


# --- what pyroute2 is told ----------------------------------------------------------------------------

Index = Callable[[str], int]
_MOST_DELAYED = 50_000
"""Packets: more than 60 ms of 10 Gbit/s."""
_NODAD, _PERMANENT, _ANY_SCOPE = 0x02, 0x80, 255
_TYPES = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8, "throw": 9}
_SCOPES = {"global": 0, "link": 253, "host": 254}


def _verb(operation: Operation) -> str:
    return "del" if operation.action == "delete" else "add"


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _state(device: Tunnel | Dummy) -> str:
    return "down" if "down" in device.extra.split() else "up"


def _gre(tunnel: Tunnel, index: Index) -> dict[str, Any]:
    """Every attribute, each time: a change replaces the whole state, what is left out is reset (Linux >= 4.15)."""
    flags = 0 if tunnel.key is None else 0x2000
    return {
        "kind": "gre",
        "mtu": tunnel.mtu,
        "gre_local": tunnel.local,
        "gre_remote": tunnel.remote,
        "gre_ttl": tunnel.ttl,
        "gre_tos": tunnel.tos,
        "gre_pmtudisc": int(tunnel.pmtudisc),
        "gre_iflags": flags,
        "gre_oflags": flags,
        "gre_ikey": tunnel.key or 0,
        "gre_okey": tunnel.key or 0,
        "gre_link": index(tunnel.device) if tunnel.device else 0,
        "gre_encap_type": 0,
        "gre_ignore_df": 0,
        "gre_fwmark": 0,
    }


def _address(address: Address, index: Index) -> dict[str, Any]:
    interface = ipaddress.ip_interface(address.address)
    arguments = {
        "index": index(address.device),
        "address": str(interface.ip),
        "prefixlen": interface.network.prefixlen,
        "family": _family(interface.version),
    }
    # nobody else can hold an address of a tunnel or of ours: usable at once
    return {**arguments, "flags": _NODAD} if interface.version == 6 else arguments


def _proxy(proxy: Proxy, index: Index) -> dict[str, Any]:
    return {
        "family": _family(ipaddress.ip_address(proxy.address).version),
        "dst": proxy.address,
        "ifindex": index(proxy.device),
        "flags": _wire.NTF_PROXY,
        "state": _PERMANENT,
    }


def _route(route: Route, index: Index, deleting: bool) -> dict[str, Any]:
    """Arguments for a route. A delete names place and protocol, and any scope, so that it can only hit ours."""
    arguments: dict[str, Any] = {
        "family": _family(route.family),
        "dst": route.destination,
        "table": route.table,
        "proto": PROTOCOL,
        "priority": route.metric,
        "type": _TYPES[route.type],
        "scope": _ANY_SCOPE if deleting else _SCOPES[route.scope],
    }
    if deleting:
        return arguments
    if route.source:
        arguments["prefsrc"] = route.source
    if len(route.nexthops) == 1:
        hop = _hop(route.nexthops[0], index)
        arguments.update({name: hop[name] for name in ("oif", "gateway") if name in hop})
    elif route.nexthops:
        arguments["multipath"] = [_hop(hop, index) for hop in route.nexthops]
    return arguments


def _hop(hop: Nexthop, index: Index) -> dict[str, Any]:
    """A next hop; the kernel's ``hops`` is weight - 1 (struct rtnexthop)."""
    arguments: dict[str, Any] = {"hops": hop.weight - 1}
    if hop.device:
        arguments["oif"] = index(hop.device)
    if hop.gateway:
        arguments["gateway"] = hop.gateway
    return arguments


def _rule(rule: Rule) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "family": _family(rule.family),
        "priority": rule.priority,
        "table": rule.table,
        "protocol": PROTOCOL,
    }
    for name, prefix in (("src", rule.source), ("dst", rule.destination)):
        if prefix:
            network = ipaddress.ip_network(prefix)
            arguments.update({name: str(network.network_address), f"{name}_len": network.prefixlen})
    optional = {
        "iifname": rule.iif,
        "oifname": rule.oif,
        "fwmark": rule.mark,
        "fwmask": rule.mask,
        "suppress_prefixlen": rule.suppress_prefixlength,
        "suppress_ifgroup": rule.suppress_ifgroup,
    }
    return {**arguments, **{name: value for name, value in optional.items() if value is not None}}


# --- errors ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Hint:
    """What a kernel error means for one kind of objects, with {0} for the object."""

    code: int
    kind: str
    sentence: str


_HINTS = (
    _Hint(errno.EOPNOTSUPP, "tunnels", "this kernel has no GRE tunnels (module ip_gre)"),
    _Hint(errno.EOPNOTSUPP, "dummies", "this kernel has no {0.kind} devices (module {0.kind})"),
    _Hint(errno.ENOENT, "delays", "this kernel has no netem (module sch_netem)"),
    _Hint(errno.EPERM, "", "not permitted; it takes root (CAP_NET_ADMIN)"),
    _Hint(errno.EEXIST, "tunnels", "another tunnel has the same name or the same endpoints and key"),
    _Hint(errno.ENETUNREACH, "routes", "a gateway is not reachable on its device"),
    _Hint(errno.ENETDOWN, "routes", "a device of a next hop is down"),
    _Hint(errno.ENODEV, "", "a device that it needs is gone"),
)
_GONE = (errno.ESRCH, errno.ENOENT, errno.EADDRNOTAVAIL, errno.ENODEV)


@contextmanager
def _explained(operation: Operation, refused: type[Exception]) -> Iterator[None]:
    """Turns what pyroute2 and the kernel raise into one sentence that names the operation."""
    try:
        yield
    except refused as error:
        code, *words = error.args
        if operation.action == "delete" and code in _GONE:
            raise Gone(f"cannot {operation}: it is gone") from error
        hint = next((h for h in _HINTS if h.code == code and h.kind in ("", operation.kind)), None)
        reason = hint.sentence.format(operation.item) if hint else words[0] if words else os.strerror(code)
        raise EngineError(f"cannot {operation}: {reason}") from error
    except (OSError, struct.error, KeyError, IndexError) as error:
        raise EngineError(f"cannot {operation}: {type(error).__name__} {error}") from error
