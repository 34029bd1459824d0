# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the kernel's devices, addresses, proxies, routes and rules: rtnetlink dumps, decoded by ``_wire``.

This module util is private to the collection.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

from . import _wire
from ._fields import HostError
from ._model import MAIN_TABLE, PROTOCOL, Current, Delay, Device, Redirect, Route, Shaper

Item = TypeVar("Item")

_GETLINK, _GETADDR, _GETROUTE, _GETNEIGH, _GETRULE, _GETQDISC, _GETTFILTER = 18, 22, 26, 30, 34, 38, 46
_RECEIVED, _SENT = 0xFFFFFFF2, 0xFFFFFFF3
"""Where the filters of what a device receives and sends stand (include/uapi/linux/pkt_sched.h, TC_H_CLSACT)."""
_SOL_NETLINK, _GET_STRICT_CHK = 270, 12
_REQUEST_DUMP = 0x301
_DATAGRAM = 1 << 16
"""Bytes; the kernel fills at most 32 KiB (net/netlink/af_netlink.c)."""
_RTPROT_RA = 9
"""Origin of routes from router advertisements (rtnetlink ``rtm_protocol``)."""
_RTEXT_FILTER_SKIP_STATS = 8
_LINKS = bytes(16) + struct.pack("=HHI", 8, 29, _RTEXT_FILTER_SKIP_STATS)
"""Of all families (struct ifinfomsg), with IFLA_EXT_MASK."""


class DumpInterrupted(Exception):
    """The kernel's table changed while it was dumped (NLM_F_DUMP_INTR); read again."""


def read(tables: Iterable[int]) -> Current:
    """All devices, addresses, proxies and rules, and the routes of *tables*."""
    with closing(_open()) as channel:
        devices = _decoded(_wire.devices, _dump(channel, _GETLINK, _LINKS))
        names = {device.index: device.name for device in devices.values()}
        addresses = _dump(channel, _GETADDR, bytes(8))
        rules = _dump(channel, _GETRULE, bytes(12))
        routes = [payload for table in sorted(set(tables)) for payload in _dump_routes(channel, table=table)]
        channel.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 0)  # a strict dump refuses the proxy flag
        proxies = _dump(channel, _GETNEIGH, struct.pack("=BxxxIHBB", 0, 0, 0, _wire.NTF_PROXY, 0))
    return Current(
        devices=devices,
        addresses=tuple(_each(_wire.address, addresses, names)),
        proxies=frozenset(_each(_wire.proxy, proxies, names)),
        routes={route.place: (route, protocol) for route, protocol in _each(_wire.route, routes, names)},
        rules=tuple(_each(_wire.rule, rules)),
    )


class Queues(NamedTuple):
    """Our delays, shapers and redirects; by device, the queueing disciplines of somebody else's: for what the device
    sends, and for what it receives."""

    delays: list[Delay]
    shapers: list[Shaper]
    redirects: list[Redirect]
    others: dict[str, str]
    filtered: dict[str, str]


def queues(devices: Mapping[str, Device]) -> Queues:
    """What devices make packets wait by."""
    names = {device.index: name for name, device in devices.items()}
    with closing(_open()) as channel:
        found = _each(_wire.queue, _dump(channel, _GETQDISC, bytes(20)), names)
        entries = {item: _redirects(channel, item, names) for item in found if item.entry}
    ours = [item.ours for item in found if item.ours]
    return Queues(
        delays=[item for item in ours if isinstance(item, Delay)],
        shapers=[item for item in ours if isinstance(item, Shaper)],
        redirects=[redirect for redirects in entries.values() for redirect in redirects or ()],
        others={item.device: item.words for item in found if not item.entry and not item.ours},
        filtered={entry.device: entry.words for entry, redirects in entries.items() if redirects is None},
    )


def _redirects(channel: socket.socket, entry: _wire.Queue, names: Mapping[int, str]) -> list[Redirect] | None:
    """What the filters on a clsact do, which has no name of its own: it is ours by its only filter in a direction.

    None: somebody else has filters there. One without filters does nothing, and is nobody's: a redirect to "". So is an
    ingress with a filter of ours: it has one direction only, and is replaced.
    """
    is_old = entry.words.startswith("ingress ")
    sides = {False: _RECEIVED} if is_old else {False: _RECEIVED, True: _SENT}
    targets = {sent: _targets(channel, entry.number, side, names) for sent, side in sides.items()}
    if any(len(found) > 1 or "" in found for found in targets.values()):
        return None
    redirects = [Redirect(entry.device, to, sent) for sent, found in targets.items() for to in found]
    return [Redirect(entry.device, "")] if is_old or not redirects else redirects


def _targets(channel: socket.socket, index: int, side: int, names: Mapping[int, str]) -> list[str]:
    """Where the filters on one side of a device send packets; empty texts for those that are none of ours."""
    header = struct.pack("=BxxxiIII", 0, index, 0, side, 0)
    return _each(_wire.redirect, _dump(channel, _GETTFILTER, header), names)


def our_routes() -> list[Route]:
    """The routes with our protocol number, of whatever table."""
    with closing(_open()) as channel:
        devices = _decoded(_wire.devices, _dump(channel, _GETLINK, _LINKS))
        names = {device.index: device.name for device in devices.values()}
        found = _each(_wire.route, _dump_routes(channel, protocol=PROTOCOL), names)
    return [route for route, protocol in found if protocol == PROTOCOL]


def advertised() -> set[str]:
    """Devices with IPv6 routes or addresses from router advertisements (RFC 4861), whoever listens to these.

    The kernel tells such routes by their protocol; such addresses have a lifetime.
    """
    with closing(_open()) as channel:
        links = _dump(channel, _GETLINK, _LINKS)
        addresses = _dump(channel, _GETADDR, bytes(8))
        routes = _dump_routes(channel, protocol=_RTPROT_RA)
    names = {number: name for name, number, *_rest in _each(_wire.interface, links)}
    learnt = [route for route, protocol in _each(_wire.route, routes, names) if protocol == _RTPROT_RA]
    return {*_each(_wire.expiring, addresses, names), *(hop.device for route in learnt for hop in route.nexthops)}


class Interface(NamedTuple):
    """A device; ``carrier`` says whether its cable is in, so to speak (IFF_LOWER_UP), ``arp`` whether it has neighbours
    that answer ARP."""

    name: str
    number: int
    up: bool
    carrier: bool = True
    arp: bool = True
    traffic: _wire.Traffic = _wire.Traffic()


class Local(NamedTuple):
    """An IPv4 address of global scope; ``peer`` is the far end of a point-to-point link, else empty."""

    device: str
    address: str
    length: int
    peer: str = ""
    since: float | None = None
    """Seconds between the host's start and the moment when it was added."""


def interfaces() -> tuple[dict[str, Interface], list[Local]]:
    """All devices, and their IPv4 addresses of global scope in the kernel's order."""
    with closing(_open()) as channel:
        links = _dump(channel, _GETLINK, _LINKS)
        addresses = _dump(channel, _GETADDR, struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0))
    devices = [Interface(*found) for found in _decoded(lambda: list(map(_wire.interface, links)))]
    names = {device.number: device.name for device in devices}
    found = _decoded(lambda: [_wire.local(payload, names) for payload in addresses])
    return {device.name: device for device in devices}, [Local(*item) for item in found if item]


def gateways_by(index: int) -> list[str]:
    """The gateways of main's IPv4 default routes by a device, of the lowest metric first."""
    with closing(_open()) as channel:
        payloads = _dump_routes(channel, table=MAIN_TABLE, device=index)
    found = _each(_wire.route, filter(_wire.is_default, payloads), {})  # of a million routes
    defaults = [route for route, _protocol in found if route.destination == "0.0.0.0/0"]
    hops = [hop for route in sorted(defaults, key=lambda route: route.metric) for hop in route.nexthops]
    return [hop.gateway for hop in hops if hop.device == f"#{index}" and hop.gateway and ":" not in hop.gateway]


def _each(decode: Callable[..., Item | None], payloads: Iterable[bytes], *names: Any) -> list[Item]:
    """What *decode* makes of each payload, without what is none of ours to look at."""
    return _decoded(
        lambda: [item for payload in payloads if (item := decode(payload, *names)) is not None],
    )


def _decoded(decode: Callable[..., Item], *payloads: Sequence[bytes]) -> Item:
    try:
        return decode(*payloads)
    except (struct.error, ValueError, IndexError) as error:
        raise HostError(f"cannot understand the kernel's answer: {error}") from error


def _open() -> socket.socket:
    """A channel on which the kernel filters dumps by table and protocol (Linux >= 4.20)."""
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    channel.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
    return channel


def _dump_routes(channel: socket.socket, table: int = 0, protocol: int = 0, device: int = 0) -> list[bytes]:
    """Routes chosen by the kernel, since the main table may hold a million others; 0: of any."""
    attribute = struct.pack("=HHI", 8, 15, table) if table else b""
    attribute += struct.pack("=HHi", 8, 4, device) if device else b""
    found = []
    for family in _wire.FAMILIES:
        try:
            found += _dump(channel, _GETROUTE, struct.pack("=8BI", family, 0, 0, 0, 0, protocol, 0, 0, 0) + attribute)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise
    return found


def _dump(channel: socket.socket, kind: int, body: bytes) -> list[bytes]:
    """The payloads of one dump; read again when the kernel says that its table changed meanwhile."""
    for _attempt in range(20):
        try:
            return _dump_once(channel, kind, body)
        except DumpInterrupted:
            continue
    raise HostError("the kernel's tables change faster than they can be read")


def _dump_once(channel: socket.socket, kind: int, body: bytes) -> list[bytes]:
    channel.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_DUMP, 0, 0) + body)
    found: list[bytes] = []
    interrupted = False
    while True:
        for answer, flags, payload in _wire.messages(channel.recv(_DATAGRAM)):
            interrupted = interrupted or bool(flags & _wire.NLM_F_DUMP_INTR)
            if answer not in (_wire.NLMSG_ERROR, _wire.NLMSG_DONE):
                found.append(payload)
                continue
            code = -int.from_bytes(payload[:4], sys.byteorder, signed=True) if len(payload) >= 4 else 0
            if code:
                raise OSError(code, os.strerror(code))
            if interrupted:
                raise DumpInterrupted
            return found
