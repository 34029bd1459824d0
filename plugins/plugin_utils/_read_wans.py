# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the links of a site: ``extrude_wans``.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address, _kinds, _read_shape
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import MAX_SLOT, Wan

if TYPE_CHECKING:
    from netaddr import IPNetwork

SETTINGS = (
    *("use", "mtu", "nat", "ipsec", "up", "down", "weight", "metric", "detect", "hold_down", "hold_down_max"),
    *_read_shape.KEYS,
)
KEYS = ("name", "interface", "match", "slot", "address", "gateway", *SETTINGS)
OF_TUNNELS = ("ipsec", "detect", "hold_down", "hold_down_max")
EXAMPLE = "{name: dsl, interface: eth1, address: 192.0.2.2/24, gateway: 192.0.2.1}"
USE = _kinds.choice("both", "direct", "extruded")
ALL_ENCRYPTED = replace(_kinds.FLAG, allowed="true or false; to encrypt single links: ipsec: true in extrude_wans")
NAME = _kinds.text(r"[a-z0-9-]{1,8}", "1 to 8 of the characters a-z 0-9 -")
SLOT = _kinds.integer(1, MAX_SLOT)
INTERFACE = replace(
    _kinds.INTERFACE, allowed=f"{_kinds.INTERFACE.allowed}; a pattern is for links without address and gateway"
)
MATCH = _kinds.text(
    r"[!-~]{1,64}",
    "the ipparam or linkname of pppd, or NetworkManager's name of the connection: 1 to 64 characters without blanks",
)
WEIGHT = _kinds.integer(1, 255)
METRIC = _kinds.integer(1, 255)
# 576 is what every IPv4 host has to take (RFC 791), 9216 the largest frame that network cards commonly carry
MTU = _kinds.integer(576, 9216)
MTU_IPV6 = 1280
# three packets have to fit, and a minute is what nobody would wait for (RFC 5880 section 4.1 could do with more)
DETECT = _kinds.integer(30, 60_000)
HOLD_DOWN = _kinds.integer(1, 3600)
HOLD_DOWN_SECONDS, HOLD_DOWN_MAX_SECONDS = 2, 30


def read_wans(reader: Reader) -> tuple[Wan, ...]:
    """Read the links of a site."""
    before = len(reader.problems)
    ipsec = reader.read("extrude_ipsec", ALL_ENCRYPTED, False)
    shape = _read_shape.read_default(reader)
    children = list(reader.children("extrude_wans", EXAMPLE))
    wans = tuple(_read_wan(child, index, ipsec, shape) for index, child in children)
    if not wans and len(reader.problems) == before:
        reader.problem("extrude_wans", f"is empty; give 1 to {MAX_SLOT} links")
    if len(wans) > MAX_SLOT:
        reader.problem("extrude_wans", f"has {len(wans)} links; give 1 to {MAX_SLOT}")
    _once(reader, "name", ((wan, wan.name) for wan in wans))
    _once(reader, "interface", ((wan, wan.interface if wan.match is None else "") for wan in wans))
    _check_patterns(reader, wans)
    _once(reader, "match", ((wan, wan.match or "") for wan in wans))
    by_position = {f"extrude_wans[{index}]" for index, child in children if child.lacks("slot")}
    _once(reader, "slot", ((wan, wan.slot) for wan in wans), by_position)
    if len(reader.problems) == before:
        tunnelled, exits = [wan for wan in wans if wan.has_tunnel], [wan for wan in wans if wan.is_exit]
        if not tunnelled:
            reader.problem(
                "extrude_wans", "all have use direct, so none is left for a tunnel; give one of them another"
            )
        for some, rates in ((tunnelled, ("up", "down")), (exits, ("down",))):
            for metric in sorted({wan.metric for wan in some}):
                _check_tier(reader, [wan for wan in some if wan.metric == metric], rates)
        _read_shape.check_shape(reader, shape, wans)
    return wans


def _check_patterns(reader: Reader, wans: Sequence[Wan]) -> None:
    """Note each link that would take what another's pattern means: only what pppd calls them tells them apart."""
    for index, wan in enumerate(wans):
        for other in wans[:index]:
            lacking, there = (other, wan) if wan.match else (wan, other)
            unlike = wan.interface != other.interface or bool(wan.match) != bool(other.match)
            if unlike and not lacking.match and _meet(wan.interface, other.interface):
                meant = f"{there.path}.interface is {_kinds.describe(there.interface)}, which means the same devices"
                reader.note(
                    f"{lacking.path}.match", f"is missing: {meant}; give each a pattern, and what pppd calls it"
                )


def _meet(one: str, other: str) -> bool:
    """Whether some device fits both, of which at least one is a pattern."""
    starts = one.rstrip("*"), other.rstrip("*")
    if "*" not in one + other or not all(starts):
        return False
    (longer, shorter) = (one, other) if len(starts[0]) >= len(starts[1]) else (other, one)
    return longer.startswith(shorter.rstrip("*")) and ("*" in shorter or longer.rstrip("*") == shorter)


def _check_tier(reader: Reader, tier: Sequence[Wan], rates: Sequence[str]) -> None:
    """Note each link that lacks what the others of its metric share by: a weight or a rate says nothing alone."""
    for key in ("weight",) if any(wan.weight for wan in tier) else rates:
        given = [wan for wan in tier if getattr(wan, key)]
        for wan in tier:
            if given and wan not in given:
                why = f"{given[0].path} of the same metric has one, and links share by that"
                reader.note(f"{wan.path}.{key}", f"is missing: {why}; give it to all of metric {wan.metric} or to none")


def check_ipv6(reader: Reader, wans: tuple[Wan, ...]) -> None:
    """Note each link that is too small for IPv6 in its tunnel (RFC 8200 section 5: 1280)."""
    for wan in wans:
        if wan.has_tunnel and wan.mtu and wan.tunnel_mtu < MTU_IPV6:
            least = next(mtu for mtu in range(wan.mtu, 2 * MTU_IPV6) if replace(wan, mtu=mtu).tunnel_mtu >= MTU_IPV6)
            allowed = f"give {least} or more, or extrude IPv4 only"
            reader.problem(f"{wan.path}.mtu", f"{wan.mtu} leaves IPv6 too little inside the tunnel; {allowed}")


def _read_wan(reader: Reader, index: int, ipsec: bool, shape: _read_shape.Wanted) -> Wan:
    """Read one link; its default slot is its position. `ipsec` and `shape` say what it is by default."""
    reader.only(KEYS)
    use = reader.read("use", USE, "both")
    nat = reader.read("nat", _kinds.FLAG, False)
    dynamic = reader.lacks("address") and reader.lacks("gateway")
    address, gateway = (None, None) if dynamic else _read_addresses(reader)
    hold_down, hold_down_max = _read_hold_down(reader)
    for key in OF_TUNNELS if use == "direct" else ():
        if not reader.lacks(key):
            reader.problem(key, "is for the tunnel of a link, and one with use direct has none; leave one of both out")
    up, down = (reader.read(key, _kinds.RATE, None) for key in ("up", "down"))
    encrypted = use != "direct" and _read_ipsec(reader, ipsec, nat)
    name = reader.read("name", NAME)
    interface = reader.read("interface", _kinds.INTERFACES if dynamic else INTERFACE)
    return Wan(
        path=f"extrude_wans[{index}]",
        name=name,
        interface=interface,
        dynamic=dynamic,
        match=_read_match(reader, dynamic, interface),
        slot=reader.read("slot", SLOT, index + 1 if index < MAX_SLOT else 0),
        address=address or _address.NOWHERE,
        gateway=gateway or _address.NOWHERE,
        mtu=reader.read("mtu", MTU, 1500),
        ipsec=encrypted,
        nat=nat,
        metric=reader.read("metric", METRIC, 1),
        weight=reader.read("weight", WEIGHT, 0) or None,
        up=up,
        down=down,
        detect=reader.read("detect", DETECT, 0) or None,
        hold_down=hold_down,
        hold_down_max=hold_down_max,
        use=use or "both",
        shape=_read_shape.read_shape(reader, shape, up, down, encrypted),
    )


def _read_hold_down(reader: Reader) -> tuple[int, int]:
    """Read how long a link stays out after a failure, and at most after many."""
    first = reader.read("hold_down", HOLD_DOWN, HOLD_DOWN_SECONDS)
    most = reader.read("hold_down_max", HOLD_DOWN, max(first, HOLD_DOWN_MAX_SECONDS))
    if 0 < most < first:
        reader.problem("hold_down_max", f"{most} is less than hold_down, {first}; give {first} or more")
    return first, most


def _read_addresses(reader: Reader) -> tuple[IPNetwork | None, IPNetwork | None]:
    """Read the address of a link and that of its gateway, which may lie outside the link's network."""
    address = _read_one_of_both(reader, "address", _kinds.LINK_ADDRESS)
    gateway = _read_one_of_both(reader, "gateway", _kinds.ADDRESS4)
    if address and gateway and gateway.value == address.value:
        reader.problem("gateway", f"{gateway.ip} is the address of the link itself; give that of the provider's router")
    return address, gateway


def _read_one_of_both(reader: Reader, key: str, kind: _kinds.Kind[IPNetwork | None]) -> IPNetwork | None:
    """Read an address that goes with another one."""
    unless = "or neither address nor gateway where the provider gives them"
    return reader.read(key, replace(kind, allowed=f"{kind.allowed}, {unless}"))


def _read_match(reader: Reader, dynamic: bool, interface: str) -> str | None:
    """Read what pppd calls a link."""
    match = reader.read("match", MATCH, "") or None
    if match and not dynamic:
        reader.problem("match", "is for links whose device isn't known; leave it out, or leave out address and gateway")
    elif match and interface and "*" not in interface:
        name = _kinds.describe(interface)
        reader.problem("match", f"is for a pattern, and {name} is one device; leave it out, or give interface: ppp*")
    return match


def _read_ipsec(reader: Reader, default: bool, nat: bool) -> bool:
    """Read whether a link is encrypted: always behind NAT, which knows no GRE."""
    if reader.read("ipsec", _kinds.FLAG, default or nat):
        return True
    if nat:
        reader.problem("ipsec", "false does not go with nat: GRE can't pass NAT without IPsec; leave out one of both")
    return False


def _once(reader: Reader, key: str, values: Iterable[tuple[Wan, str | int]], by_position: Collection[str] = ()) -> None:
    """Note each link that has the `key` of an earlier one; neutral values are no one's.

    The links at the paths `by_position` don't name it, so that is said.
    """
    first: dict[str | int, str] = {}
    for wan, value in values:
        if value and (owner := first.setdefault(value, wan.path)) != wan.path:
            mine, theirs = (" (by its position)" if path in by_position else "" for path in (wan.path, owner))
            text = f"{_kinds.describe(value)}{mine} is also the {key} of {owner}{theirs}; give its own"
            reader.problem(f"{wan.path}.{key}", text)
