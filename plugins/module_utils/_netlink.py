# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes the kernel's devices, addresses, proxies, routes and rules over rtnetlink.

The only file that imports pyroute2, which does the writing; reading is dumps decoded by ``_wire``.
This module util is private to the collection.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from . import _wire
from ._model import PROTOCOL, Address, Current, Device, EngineError, Group, Nexthop, Proxy, Route, Rule, Tunnel
from ._plan import Operation

try:
    import pyroute2
    from pyroute2.netlink.exceptions import NetlinkError
except ImportError:
    HAS_PYROUTE2 = False
    PYROUTE2_ERROR: str | None = traceback.format_exc()
else:
    HAS_PYROUTE2 = True
    PYROUTE2_ERROR = None

KINDS = ("tunnels", "groups", "addresses", "routes", "rules", "proxies")
"""The kinds of objects that this file reads and writes."""

Item = TypeVar("Item")


# --- reading ---------------------------------------------------------------------------------------

_GETLINK, _GETADDR, _GETROUTE, _GETNEIGH, _GETRULE = 18, 22, 26, 30, 34
_SOL_NETLINK, _GET_STRICT_CHK = 270, 12
_REQUEST_DUMP = 0x301
_RTEXT_FILTER_SKIP_STATS = 8


class DumpInterrupted(Exception):
    """The kernel's table changed while it was dumped (NLM_F_DUMP_INTR); read again."""


def read(tables: Iterable[int]) -> Current:
    """All devices, addresses, proxies and rules, and the routes of *tables*."""
    with closing(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)) as channel:
        channel.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
        mask = struct.pack("=HHI", 8, 29, _RTEXT_FILTER_SKIP_STATS)
        devices = _wire.devices(_dump(channel, _GETLINK, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + mask))
        names = {device.index: device.name for device in devices.values()}
        addresses = _dump(channel, _GETADDR, struct.pack("=BBBBI", 0, 0, 0, 0, 0))
        rules = _dump(channel, _GETRULE, struct.pack("=8xI", 0))
        routes = [payload for table in sorted(set(tables)) for payload in _dump_table(channel, table)]
        channel.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 0)  # a strict dump refuses the proxy flag
        proxies = _dump(channel, _GETNEIGH, struct.pack("=BxxxIHBB", 0, 0, 0, _wire.NTF_PROXY, 0))
    found = _present(_wire.route(payload, names) for payload in routes)
    return Current(
        devices=devices,
        addresses=frozenset(_present(_wire.address(payload, names) for payload in addresses)),
        proxies=frozenset(_present(_wire.proxy(payload, names) for payload in proxies)),
        routes={route.place: (route, protocol) for route, protocol in found},
        rules=tuple(_present(_wire.rule(payload) for payload in rules)),
    )


def _present(items: Iterable[Item | None]) -> Iterator[Item]:
    return (item for item in items if item is not None)


def _dump_table(channel: socket.socket, table: int) -> list[bytes]:
    """The routes of one table, chosen by the kernel: the main table may hold a million others."""
    attribute = struct.pack("=HHI", 8, 15, table)
    found = []
    for family in _wire.FAMILIES:
        try:
            found += _dump(channel, _GETROUTE, struct.pack("=8BI", family, 0, 0, 0, 0, 0, 0, 0, 0) + attribute)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise
    return found


def _dump(channel: socket.socket, kind: int, body: bytes) -> list[bytes]:
    """The payloads of one dump; read again when the kernel says that its table changed meanwhile."""
    for _ in range(20):
        try:
            return _dump_once(channel, kind, body)
        except DumpInterrupted:
            continue
    raise EngineError("the kernel's tables change faster than they can be read")


def _dump_once(channel: socket.socket, kind: int, body: bytes) -> list[bytes]:
    channel.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_DUMP, 0, 0) + body)
    found: list[bytes] = []
    interrupted = False
    while True:
        for answer, flags, payload in _wire.messages(channel.recv(1 << 20)):
            interrupted = interrupted or bool(flags & _wire.NLM_F_DUMP_INTR)
            if answer not in (_wire.NLMSG_ERROR, _wire.NLMSG_DONE):
                found.append(payload)
                continue
            code = -int.from_bytes(payload[:4], "little", signed=True) if len(payload) >= 4 else 0
            if code:
                raise OSError(code, os.strerror(code))
            if interrupted:
                raise DumpInterrupted
            return found


# --- writing ---------------------------------------------------------------------------------------


class Writer:
    """Applies single operations through pyroute2; each either happens whole or raises EngineError."""

    def __init__(self, devices: dict[str, Device]) -> None:
        if not HAS_PYROUTE2:
            raise EngineError("pyroute2 is missing on this host (Debian package python3-pyroute2)")
        self._indexes = {device.name: device.index for device in devices.values()}
        self._ipr: Any = pyroute2.IPRoute(ext_ack=True)

    def close(self) -> None:
        self._ipr.close()

    def apply(self, operation: Operation) -> None:
        item = operation.item
        with _explained(operation):
            if isinstance(item, Tunnel):
                self._tunnel(operation, item)
            elif isinstance(item, Group):
                group = 0 if operation.action == "delete" else item.group
                self._ipr.link("set", index=self._index(item.device), group=group)
            elif isinstance(item, Address):
                self._ipr.addr(_verb(operation), **_address(item, self._index))
            elif isinstance(item, Proxy):
                self._ipr.neigh(_verb(operation), **_proxy(item, self._index))
            elif isinstance(item, Route):
                verb = "replace" if operation.action == "change" else _verb(operation)
                self._ipr.route(verb, **_route(item, self._index, deleting=verb == "del"))
            elif isinstance(item, Rule):
                self._ipr.rule(_verb(operation), **_rule(item))

    def _tunnel(self, operation: Operation, tunnel: Tunnel) -> None:
        if operation.action == "delete":
            self._ipr.link("del", index=self._indexes.pop(tunnel.name))
            return
        if operation.action == "add":
            self._ipr.link("add", ifname=tunnel.name, **_gre(tunnel, self._index), state=_state(tunnel))
            self._indexes[tunnel.name] = self._ipr.link_lookup(ifname=tunnel.name)[0]
        else:
            self._ipr.link("set", index=self._index(tunnel.name), **_gre(tunnel, self._index), state=_state(tunnel))
        try:  # the kernel takes an alias only from an existing device
            self._ipr.link("set", index=self._index(tunnel.name), ifalias=tunnel.alias)
        except NetlinkError:
            if operation.action == "add":
                self._ipr.link("del", index=self._indexes.pop(tunnel.name))
            raise

    def _index(self, name: str) -> int:
        if name not in self._indexes:
            raise EngineError(f"there is no device {name} on this host")
        return self._indexes[name]


Index = Callable[[str], int]
_NODAD, _PERMANENT, _ANY_SCOPE = 0x02, 0x80, 255
_TYPES = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8}
_SCOPES = {"global": 0, "link": 253, "host": 254}


def _verb(operation: Operation) -> str:
    return "del" if operation.action == "delete" else "add"


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _state(tunnel: Tunnel) -> str:
    return "down" if "down" in tunnel.extra.split() else "up"


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
    """What a kernel error means for one kind of objects."""

    code: int
    kind: str
    sentence: str


_HINTS = (
    _Hint(errno.EOPNOTSUPP, "tunnels", "this kernel has no GRE tunnels (module ip_gre)"),
    _Hint(errno.EPERM, "", "not permitted; it takes root (CAP_NET_ADMIN)"),
    _Hint(errno.EEXIST, "tunnels", "another tunnel has the same name or the same endpoints and key"),
    _Hint(errno.ENETUNREACH, "routes", "a gateway is not reachable on its device"),
    _Hint(errno.ENETDOWN, "routes", "a device of a next hop is down"),
    _Hint(errno.ENODEV, "", "a device that it needs is gone"),
)


@contextmanager
def _explained(operation: Operation) -> Iterator[None]:
    """Turns what pyroute2 and the kernel raise into one sentence that names the operation."""
    try:
        yield
    except NetlinkError as error:
        hint = next((h for h in _HINTS if h.code == error.code and h.kind in ("", operation.kind)), None)
        reason = hint.sentence if hint else error.args[1] if len(error.args) > 1 else os.strerror(error.code)
        raise EngineError(f"cannot {operation}: {reason}") from error
    except (OSError, struct.error, KeyError, IndexError) as error:
        raise EngineError(f"cannot {operation}: {type(error).__name__} {error}") from error
