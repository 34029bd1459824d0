# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decodes what rtnetlink dumps, straight into the objects of the model. Pure.

pyroute2 decodes every attribute of every message, which costs ten times what ``ip -j show`` takes;
a run that finds nothing to change is nearly all reading, so the few attributes needed are picked
here. Formats: include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,neighbour,fib_rules,if_tunnel}.h.
This module util is private to the collection.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ._fields import ip_text
from ._model import (
    PROTOCOL,
    Address,
    Delay,
    Device,
    Dummy,
    Nexthop,
    Proxy,
    Route,
    RouteType,
    Rule,
    Shaper,
    Tunnel,
    normal_route,
)

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_DUMP_INTR = 0x10
NTF_PROXY = 0x08
FAMILIES: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 6}

Attributes = dict[int, bytes]

_HEADER = struct.Struct("=IHH").unpack_from
_ATTRIBUTE = struct.Struct("=HH").unpack_from
_U32 = struct.Struct("=I").unpack_from


def messages(buffer: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, flags and payload of each message of a datagram (struct nlmsghdr)."""
    offset = 0
    last = len(buffer) - 16
    while offset <= last:
        length, kind, flags = _HEADER(buffer, offset)
        if length < 16:
            return
        yield kind, flags, buffer[offset + 16 : offset + length]
        offset += (length + 3) & ~3


def attributes(data: bytes, offset: int = 0) -> Attributes:
    """The attributes from *offset* on, by number, without the nested and byte order flags."""
    found: Attributes = {}
    last = len(data) - 4
    while offset <= last:
        length, kind = _ATTRIBUTE(data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def u32(data: bytes | None, default: int = 0) -> int:
    if data is None:
        return default
    (value,) = _U32(data)
    return int(value)


def text(data: bytes | None) -> str:
    return "" if data is None else data.rstrip(b"\0").decode(errors="replace")


# --- devices ---------------------------------------------------------------------------------------

DUMMY, IFB = "dummy", "ifb"
"""The kinds of dummies, as the kernel names them."""

_GRE_KEY = 0x2000
_IFF_UP = 0x1
_FALLBACK = {"gre0", "gretap0", "erspan0"}


def device(payload: bytes) -> Device:
    """A device from RTM_NEWLINK; the ``device`` of a tunnel is still an index (see :func:`devices`)."""
    index, flags = struct.unpack_from("=iI", payload, 4)
    found = attributes(payload, 16)
    name, alias = text(found.get(3)), text(found.get(20))
    info = attributes(found.get(18, b""))
    kind = text(info.get(1))
    tunnel = dummy = None
    down = [] if flags & _IFF_UP else ["down"]
    if kind in (DUMMY, IFB):
        dummy = Dummy(name, alias, " ".join(down), "dummy" if kind == DUMMY else kind)
    if kind == "gre" and name not in _FALLBACK:
        tunnel = _tunnel(name, alias, u32(found.get(4)), attributes(info.get(2, b"")), down)
    return Device(name, index, kind, alias, u32(found.get(27)), tunnel, dummy)


def devices(payloads: Iterable[bytes]) -> dict[str, Device]:
    """All devices of a dump, by name, with the underlying devices of tunnels named."""
    listed = [device(payload) for payload in payloads]
    names = {str(item.index): item.name for item in listed}
    return {item.name: _named(item, names) for item in listed}


def _named(item: Device, names: Mapping[str, str]) -> Device:
    tunnel = item.tunnel
    if tunnel is None or tunnel.device is None:
        return item
    return replace(item, tunnel=replace(tunnel, device=names.get(tunnel.device, f"#{tunnel.device}")))


def _tunnel(name: str, alias: str, mtu: int, gre: Attributes, faults: list[str]) -> Tunnel:
    flags = [int.from_bytes(gre.get(number, b"\0\0"), "big") for number in (2, 3)]
    keys = [int.from_bytes(gre.get(number, b"\0" * 4), "big") for number in (4, 5)]
    keyed = flags == [_GRE_KEY, _GRE_KEY] and keys[0] == keys[1]
    if not keyed and flags != [0, 0]:
        faults = [*faults, f"flags {flags[0]:#x}/{flags[1]:#x} keys {keys}"]
    link = u32(gre.get(1))
    return Tunnel(
        name=name,
        local=ip_text(gre.get(6, b"\0" * 4)),
        remote=ip_text(gre.get(7, b"\0" * 4)),
        key=keys[0] if keyed else None,
        ttl=gre.get(8, b"\0")[0],
        tos=gre.get(9, b"\0")[0],
        pmtudisc=gre.get(10, b"\1")[0] != 0,
        mtu=mtu,
        device=str(link) if link else None,
        alias=alias,
        extra=" ".join([*faults, *_extras(gre)]),
    )


def _extras(gre: Attributes) -> list[str]:
    """Settings that we never make: encapsulation, collect-metadata, ignore-df, fwmark."""
    names = {14: "encap", 18: "external", 19: "ignore-df", 20: "fwmark"}
    return [name for number, name in names.items() if (number == 18 and number in gre) or any(gre.get(number, b""))]


_IFF_LOWER_UP = 0x10000
_IFF_NOARP = 0x80
_IFLA_STATS64 = 23
_ETHERNET = 1
"""ARPHRD_ETHER (include/uapi/linux/if_arp.h)."""


class Traffic(NamedTuple):
    """What a device has carried since it was made, in the kernel's order (struct rtnl_link_stats64)."""

    received_packets: int = 0
    sent_packets: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0


def interface(payload: bytes) -> tuple[str, int, bool, bool, bool, Traffic]:
    """Name, index, up, carrier, whether it does ARP on Ethernet, and counters, of a device from RTM_NEWLINK."""
    hardware, index, flags = struct.unpack_from("=HiI", payload, 2)
    arp = hardware == _ETHERNET and not flags & _IFF_NOARP
    found = attributes(payload, 16)
    traffic = Traffic(*struct.unpack_from("=4Q", found.get(_IFLA_STATS64, bytes(32))))
    return text(found.get(3)), index, bool(flags & _IFF_UP), bool(flags & _IFF_LOWER_UP), arp, traffic


# --- addresses and proxies -------------------------------------------------------------------------


def address(payload: bytes, names: Mapping[int, str]) -> Address | None:
    """An address from RTM_NEWADDR; None for one of another family or device."""
    family, length = payload[0], payload[1]
    index = u32(payload[4:8])
    if family not in FAMILIES or index not in names:
        return None
    found = attributes(payload, 8)
    data = found.get(2) or found.get(1)
    return Address(names[index], f"{ip_text(data)}/{length}") if data else None


_IFA_F_DEPRECATED, _IFA_F_PERMANENT = 0x20, 0x80


def local(payload: bytes, names: Mapping[int, str]) -> tuple[str, str, int, str, float | None] | None:
    """Device, address, prefix length, peer and time of making of an IPv4 address of global scope from RTM_NEWADDR.

    None for one of another family or scope, and for one that is no more to be used. Times are in seconds since
    the host's start (struct ifa_cacheinfo counts hundredths).
    """
    family, length, flags, scope = payload[:4]
    index = u32(payload[4:8])
    found = attributes(payload, 8)
    flags = u32(found.get(8), flags)
    if family != socket.AF_INET or scope != 0 or flags & _IFA_F_DEPRECATED or index not in names or 1 not in found:
        return None
    mine = found.get(2) or found[1]
    peer = "" if found[1] == mine else ip_text(found[1])
    since = u32(found[6][8:12]) / 100 if len(found.get(6, b"")) >= 16 else None
    return names[index], ip_text(mine), length, peer, since


def expiring(payload: bytes, names: Mapping[int, str]) -> str | None:
    """The device of an IPv6 address of global scope that ends unless renewed, from RTM_NEWADDR; None of others."""
    family, _length, flags, scope = payload[:4]
    flags = u32(attributes(payload, 8).get(8), flags)
    if family != socket.AF_INET6 or scope != 0 or flags & _IFA_F_PERMANENT:
        return None
    return names.get(u32(payload[4:8]))


def proxy(payload: bytes, names: Mapping[int, str]) -> Proxy | None:
    """A proxy entry from RTM_NEWNEIGH; None for any other neighbour."""
    index = u32(payload[4:8])
    found = attributes(payload, 12)
    if payload[0] not in FAMILIES or not payload[10] & NTF_PROXY or index not in names or 1 not in found:
        return None
    return Proxy(names[index], ip_text(found[1]))


# --- queueing disciplines --------------------------------------------------------------------------

HANDLE = PROTOCOL << 16
"""The name that our queueing disciplines have in the kernel."""
OVERHEAD, SMALLEST = 30, 64
"""Bytes that a link adds to each IP packet, and has at least for each: PPPoE on VDSL, the most without ATM."""
_ENTRY = 0xFFFFFFF1
_ROOT = 0xFFFFFFFF
_NANOSECONDS_A_MILLISECOND = 1_000_000


class Queue(NamedTuple):
    """A queueing discipline that somebody has put on a device, in words such as ``htb 1:``; ``ours`` is what it is if
    it is ours. ``entry``: it is for what the device receives."""

    number: int
    device: str
    words: str
    entry: bool
    ours: Delay | Shaper | None


def queue(payload: bytes, names: Mapping[int, str]) -> Queue | None:
    """From RTM_NEWQDISC; None for one that stands below another, and for the kernel's own."""
    index, handle, parent = struct.unpack_from("=iII", payload, 4)
    if parent not in (_ROOT, _ENTRY) or not handle or index not in names:  # the kernel's own have no handle
        return None
    found = attributes(payload, 20)
    kind, options = text(found.get(1)), found.get(2, b"")
    decode = _OURS.get(kind) if handle == HANDLE and parent == _ROOT else None
    ours = decode(names[index], options) if decode else None
    return Queue(index, names[index], f"{kind} {handle >> 16:x}:", parent == _ENTRY, ours)


_NETEM_OPTIONS = 24
"""Bytes of struct tc_netem_qopt."""


def _delay(device: str, options: bytes) -> Delay:
    """Source: include/uapi/linux/pkt_sched.h (TCA_NETEM_LATENCY64, which stands behind struct tc_netem_qopt)."""
    latency = attributes(options, _NETEM_OPTIONS).get(10, bytes(8))
    return Delay(device, round(struct.unpack("=q", latency)[0] / _NANOSECONDS_A_MILLISECOND, 1))


_CAKE_RATE, _CAKE_RAW, _CAKE_INGRESS = 2, 12, 15
_CAKE: dict[int, tuple[str, int]] = {
    3: ("diffserv", 1),
    4: ("atm", 0),
    5: ("flows", 4),
    6: ("overhead", OVERHEAD),
    7: ("rtt", 100_000),
    9: ("autorate", 0),
    11: ("nat", 0),
    13: ("wash", 0),
    14: ("mpu", SMALLEST),
    16: ("ack-filter", 0),
    17: ("split-gso", 1),
    18: ("fwmark", 0),
}
"""The options of CAKE (TCA_CAKE_* in include/uapi/linux/pkt_sched.h), and the values that ours have: see _shape."""


def _shaper(device: str, options: bytes) -> Shaper:
    """CAKE counts in bytes a second, and adds the overhead only where it is not told to be raw."""
    found = attributes(options)
    (rate,) = struct.unpack("=Q", found.get(_CAKE_RATE, bytes(8)))
    others = [name for number, (name, value) in _CAKE.items() if u32(found.get(number), value) != value]
    others += ["raw"] if _CAKE_RAW in found else []
    others += ["rate"] if rate % _BYTES_A_KILOBIT else []
    return Shaper(device, rate // _BYTES_A_KILOBIT, u32(found.get(_CAKE_INGRESS)) != 0, " ".join(others))


_BYTES_A_KILOBIT = 125
_OURS: dict[str, Callable[[str, bytes], Delay | Shaper]] = {"netem": _delay, "cake": _shaper}

RECEIVED, SENT = PROTOCOL, PROTOCOL + 1
"""The numbers that our filters have on a device: for what it receives, and for what it sends. With one number for both
each direction would list the filters of both (net/sched/cls_u32.c, u32_walk)."""


def redirect(payload: bytes, names: Mapping[int, str]) -> str | None:
    """From RTM_NEWTFILTER: where one of ours sends all that comes by it ("" for one that is none of ours).

    None for what comes with a filter: its head, and tables that it is kept in. Source: include/uapi/linux/pkt_cls.h,
    tc_act/tc_mirred.h.
    """
    (info,) = struct.unpack_from("=I", payload, 16)
    found = attributes(payload, 20)
    actions = attributes(attributes(found.get(2, b"")).get(_U32_ACTIONS, b""))
    if info >> 16 not in (RECEIVED, SENT) or text(found.get(1)) != "u32":
        return ""
    if not actions:
        return None
    action = attributes(actions.get(1, b""))
    parameters = attributes(action.get(2, b"")).get(_MIRRED, bytes(28))
    kind, index = struct.unpack_from("=iI", parameters, 20)
    is_ours = len(actions) == 1 and text(action.get(1)) == "mirred" and kind == _EGRESS_REDIRECT
    return names.get(index, f"#{index}") if is_ours else ""


_U32_ACTIONS, _MIRRED, _EGRESS_REDIRECT = 7, 2, 1

# --- routes and rules ------------------------------------------------------------------------------

_ROUTE = struct.Struct("=8BI").unpack_from
_RTM_F_CLONED = 0x200
_TYPES: dict[int, RouteType] = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host"}


def route(payload: bytes, names: Mapping[int, str]) -> tuple[Route, int] | None:
    """A route and its protocol from RTM_NEWROUTE; None for cached, local, multicast … ones."""
    family, length, _source_length, tos, table, protocol, scope, kind, flags = _ROUTE(payload)
    if family not in FAMILIES or kind not in _TYPES or flags & _RTM_F_CLONED or tos:
        return None
    found = attributes(payload, 12)
    data = found.get(1) or b"\0" * (4 if family == socket.AF_INET else 16)
    source = found.get(7)
    made = normal_route(
        destination=f"{ip_text(data)}/{length}",
        table=u32(found.get(15), table),
        metric=u32(found.get(6)),
        type=_TYPES[kind],
        scope=_SCOPES.get(scope, str(scope)),
        source=ip_text(source) if source else None,
        nexthops=() if kind != 1 else _nexthops(found, names),
    )
    return made, protocol


def is_default(payload: bytes) -> bool:
    """Whether RTM_NEWROUTE tells of a route to everywhere."""
    return payload[1] == 0


def _nexthops(found: Attributes, names: Mapping[int, str]) -> list[Nexthop]:
    legs = _legs(found[9]) if 9 in found else [(u32(found.get(4)), _gateway(found), 1)]
    return [Nexthop(names.get(index, f"#{index}") if index else "", gateway, weight) for index, gateway, weight in legs]


_HOP = struct.Struct("=HBBi").unpack_from


@lru_cache(maxsize=1000)  # thousands of routes, few sets of next hops
def _legs(data: bytes) -> tuple[tuple[int, str, int], ...]:
    """Device index, gateway and weight of each next hop in RTA_MULTIPATH (struct rtnexthop)."""
    legs, offset = [], 0
    while offset + 8 <= len(data):
        length, _flags, hops, index = _HOP(data, offset)
        legs.append((index, _gateway(attributes(data[offset : offset + length], 8)), hops + 1))
        offset += max((length + 3) & ~3, 8)
    return tuple(legs)


def _gateway(found: Attributes) -> str:
    """RTA_GATEWAY, or the address in RTA_VIA behind its family (struct rtvia); empty without one."""
    data = found.get(5) or found.get(18, b"")[2:]
    return ip_text(data) if data else ""


_UNSET = 2**32 - 1


def rule(payload: bytes) -> tuple[Rule, int] | None:
    """A rule and its protocol from RTM_NEWRULE; rules with matches that we never make keep their
    place (priority) and lose these, which serves to tell whose they are."""
    family, destination_length, source_length, _tos, table = payload[:5]
    if family not in FAMILIES:
        return None
    found = attributes(payload, 12)
    marked = 10 in found or 16 in found  # a mark of 0 goes without saying
    prefixlength, ifgroup = u32(found.get(14), _UNSET), u32(found.get(13), _UNSET)
    made = Rule(
        family=FAMILIES[family],
        priority=u32(found.get(6)),
        table=u32(found.get(15), table),
        source=f"{ip_text(found[2])}/{source_length}" if 2 in found else None,
        destination=f"{ip_text(found[1])}/{destination_length}" if 1 in found else None,
        iif=text(found.get(3)) or None,
        oif=text(found.get(17)) or None,
        mark=u32(found.get(10)) if marked else None,
        mask=u32(found.get(16), _UNSET) if marked else None,
        suppress_prefixlength=None if prefixlength == _UNSET else prefixlength,
        suppress_ifgroup=None if ifgroup == _UNSET else ifgroup,
    )
    return made, found.get(21, b"\0")[0]
