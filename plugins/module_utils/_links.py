# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of a site as the kernel has them now: device, address and gateway, or why not.

What the kernel cannot tell comes from hints that the hooks of a link leave: which device a
connection came up on, and the gateway that a DHCP client has learnt.
This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeAlias

from . import _connections, _dump
from ._bind import Plain
from ._fields import Fields, Form
from ._model import WAN

PATTERN = Form(r"[!-.0-9;-~]{1,15}", "the name of a device, or a pattern of names such as ppp*")
LEASES = Path("/run/systemd/netif/leases")
"""What systemd-networkd has learnt by DHCP: a file for each device, named by its index."""


@dataclass(frozen=True, slots=True)
class Wan:
    """A link as a state lists it. ``address`` is set where it is static; ``match`` is what pppd calls it
    (``ipparam`` or ``linkname``), where the name of the device does not say it."""

    name: str
    interface: str
    match: str | None = None
    address: str | None = None
    encrypted: bool = False
    """Its tunnel tells the colo by itself where it comes from."""
    use: str | None = None
    """The one thing that it is for: ``direct`` traffic, and then it has no tunnel, or what is ``extruded``."""

    @classmethod
    def parse(cls, data: Fields) -> Wan:
        wan = cls(
            name=data.text("wan", WAN),
            interface=data.text("interface", PATTERN),
            match=data.optional_text("match"),
            address=data.optional_address("address", 4),
            encrypted=data.flag("encrypted", False),
            use=data.choice("use", ("direct", "extruded"), None),
        )
        data.only(frozenset(("wan", "interface", "match", "address", "encrypted", "use")))
        return wan

    @property
    def is_pattern(self) -> bool:
        return "*" in self.interface

    def is_meant(self, device: str, names: Collection[str] = ()) -> bool:
        """Whether an event of *device*, which the program behind it calls *names*, is one of this link."""
        if not fnmatchcase(device, self.interface):
            return False
        return self.match is None or not self.is_pattern or self.match in names


@dataclass(frozen=True, slots=True)
class Hint:
    """What a hook has told of a link; empty: nothing."""

    device: str = ""
    gateway: str = ""
    names: tuple[str, ...] = ()
    """What the program behind the device calls it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is; ``reason`` says why it is down, and is empty where it is up."""

    device: str = ""
    address: str = ""
    gateway: str = ""
    network: str = ""
    """What is on the link: a prefix."""
    since: float | None = None
    """Seconds between the host's start and the moment when the device got the address."""
    reason: str = ""


@dataclass(frozen=True)
class Kernel:
    """The devices, their IPv4 addresses of global scope, and what is known besides hints: gateways by device, and what
    programs call a device."""

    devices: Mapping[str, _dump.Interface] = field(default_factory=dict)
    addresses: Sequence[_dump.Local] = ()
    gateways: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, Collection[str]] = field(default_factory=dict)


def wans_of(state: Plain) -> tuple[Wan, ...]:
    """The links that a state lists."""
    return tuple(Wan.parse(item) for item in Fields(state, "").items("links"))


# --- pure: from what is there to links ---------------------------------------------------------------


def find(
    wans: Iterable[Wan],
    hints: Mapping[str, Hint],
    kernel: Kernel,
    reserved: Collection[ipaddress.IPv4Network] = (),
    lans: Collection[str] = (),
) -> dict[str, Link]:
    """Each link by its name. One that has been given an address in *reserved* networks, in that of one of the *lans*
    (devices), or that of another link, does not have it: by its source the host tells which link a packet leaves by."""
    listed = list(wans)
    taken = {wan.interface for wan in listed} | {hints[wan.name].device for wan in listed if wan.name in hints}
    links = {}
    foreign = [*((network, _OURS) for network in reserved), *_lan_networks(kernel, lans)]
    foreign += [_others(wan.name, wan.address) for wan in listed if wan.address is not None]
    for wan in listed:
        hint = hints.get(wan.name, Hint())
        device = _device(wan, hint, kernel, taken)
        taken.add(device)
        links[wan.name] = link = _link(wan, device, hint, kernel, foreign)
        if wan.address is None and not link.reason:
            foreign.append(_others(wan.name, link.address))
    return links


_Foreign: TypeAlias = tuple[ipaddress.IPv4Network, str]
"""A network in which no link may have an address, and why, in words."""
_OURS = "is extruded or of a tunnel"


def _others(name: str, address: str) -> _Foreign:
    return ipaddress.IPv4Network(address), f"is also that of link {name}"


def _lan_networks(kernel: Kernel, lans: Collection[str]) -> Iterator[_Foreign]:
    for local in kernel.addresses:
        if local.device in lans:
            network = ipaddress.IPv4Network((local.address, local.length), strict=False)
            yield network, f"is in the network of {local.device}, {network}"


def misnamed(wans: Iterable[Wan], hints: Mapping[str, Hint], kernel: Kernel) -> list[str]:
    """The links that have come up by other names than their ``match``, in words: they are not found, or not any more
    when they come up anew."""
    listed = list(wans)
    found = find(listed, hints, kernel)
    taken = {link.device for link in found.values()}
    texts = []
    for wan in listed:
        if wan.match is None or not wan.is_pattern:
            continue
        device, hint = found[wan.name].device, hints.get(wan.name, Hint())
        names = {*kernel.names.get(device, ()), *(hint.names if hint.device == device else ())}
        if names and wan.match not in names:
            known = f"{device} came up as {' or '.join(sorted(names))}, not as {wan.match}"
            texts.append(f"link {wan.name}: {known}; it is not found when it comes up anew")
        elif not device and _called(_free(wan, kernel, taken), kernel):
            texts.append(f"link {wan.name}: {found[wan.name].reason}")
    return texts


def values(wans: Iterable[Wan], links: Mapping[str, Link]) -> dict[str, str]:
    """What stands for the placeholders of the links that are up; static ones have any only without a tunnel."""
    return {
        f"{wan.name}.{word}": getattr(links[wan.name], word)
        for wan in wans
        if (wan.address is None or wan.use == "direct") and not links[wan.name].reason
        for word in ("device", "address", "gateway", "network")
    }


def _device(wan: Wan, hint: Hint, kernel: Kernel, taken: Collection[str]) -> str:
    """The device of a link; empty where it has none."""
    if hint.device in kernel.devices and fnmatchcase(hint.device, wan.interface):
        return hint.device
    if not wan.is_pattern:
        return wan.interface if wan.interface in kernel.devices else ""
    held = {local.device for local in kernel.addresses}
    named = [name for name in _free(wan, kernel, taken) if wan.match in (None, *kernel.names.get(name, ()))]
    # a session that is being dialled has a device, too, but no address yet
    return min(named, key=lambda name: name not in held, default="")


def _free(wan: Wan, kernel: Kernel, taken: Collection[str]) -> list[str]:
    """The devices that a link's pattern fits and no other link has."""
    return [name for name in kernel.devices if fnmatchcase(name, wan.interface) and name not in taken]


def _called(devices: Iterable[str], kernel: Kernel) -> str:
    """What is known of the names of devices, in words."""
    named = [(device, sorted(kernel.names.get(device, ()))) for device in devices]
    return ", ".join(f"{device} came up as {' or '.join(names)}" for device, names in named if names)


def _link(wan: Wan, device: str, hint: Hint, kernel: Kernel, foreign: Sequence[_Foreign]) -> Link:
    if not device:
        return Link(reason=_absence(wan, kernel))
    if not kernel.devices[device].up:
        return Link(device, reason=f"{device} is down")
    addresses = [local for local in kernel.addresses if local.device == device]
    if wan.address is None:
        return _dynamic(device, addresses, (hint.gateway, kernel.gateways.get(device, "")), foreign)
    held = next((local for local in addresses if local.address == wan.address), None)
    reason = "" if held else f"{device} does not have the address {wan.address}"
    return Link(device, wan.address, since=held.since if held else None, reason=reason)


def _absence(wan: Wan, kernel: Kernel) -> str:
    if not wan.is_pattern or wan.match is None:
        return f"there is no device {wan.interface}"
    others = _called(_free(wan, kernel, ()), kernel)
    return f"there is no device {wan.interface} that came up as {wan.match}" + (f": {others}" if others else "")


def _dynamic(
    device: str,
    addresses: Sequence[_dump.Local],
    gateways: Sequence[str],
    foreign: Sequence[_Foreign],
) -> Link:
    if not addresses:
        return Link(device, reason=f"{device} has no IPv4 address")
    reasons = [_foreign(local, foreign) for local in addresses]
    usable = [local for local, reason in zip(addresses, reasons, strict=True) if not reason]
    if not usable:
        return Link(device, reason=f"{device} was given {addresses[0].address}, which {reasons[0]}")
    local, gateway = _way(usable, *gateways)
    if not gateway:
        return Link(device, local.address, since=local.since, reason=f"no gateway is known for {device}")
    return Link(device, local.address, gateway, _network(local, gateway), local.since)


def _foreign(local: _dump.Local, foreign: Sequence[_Foreign]) -> str:
    """Why a link cannot have an address; empty where it can."""
    address = ipaddress.IPv4Address(local.address)
    return next((reason for network, reason in foreign if address in network), "")


def _way(addresses: Sequence[_dump.Local], *gateways: str) -> tuple[_dump.Local, str]:
    """The address to send from, and the gateway: the first of *gateways* that is on the link of an address.

    A gateway may be off the link, but then it must be the only one: a hint may be older than the lease.
    """
    for gateway in filter(None, gateways):
        for local in addresses:
            if _holds(local, gateway):
                return local, local.peer or gateway
    return addresses[0], addresses[0].peer or next(filter(None, reversed(gateways)), "")


def _holds(local: _dump.Local, gateway: str) -> bool:
    network = ipaddress.ip_network((local.address, local.length), strict=False)
    return ipaddress.ip_address(gateway) in network and gateway != local.address


def _network(local: _dump.Local, gateway: str) -> str:
    """The prefix of the link; where that is a single address, the gateway is what is on it."""
    if local.peer or local.length == 32:
        return f"{gateway}/32"
    return str(ipaddress.ip_network((local.address, local.length), strict=False))


# --- the host ----------------------------------------------------------------------------------------


def read(wans: Iterable[Wan]) -> Kernel:
    """What the kernel holds that these links may take their values from."""
    devices, addresses = _dump.interfaces()
    dynamic = [wan for wan in wans if wan.address is None]
    asked = [
        device
        for device in devices.values()
        if any(fnmatchcase(device.name, wan.interface) for wan in dynamic)
        and not any(local.peer for local in addresses if local.device == device.name)
    ]
    gateways = {device.name: _leased(device.number) or _routed(device.number) for device in asked}
    names = _connections.named() if any(wan.match for wan in dynamic) else {}
    return Kernel(devices, addresses, gateways, names)


def _routed(index: int) -> str:
    """The gateway by which main sends what it knows nothing better for; empty: none."""
    return next(iter(_dump.gateways_by(index)), "")


def _leased(index: int) -> str:
    """The first router of the lease that systemd-networkd holds for a device; empty: none."""
    try:
        lines = (LEASES / str(index)).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    routers = next((line.removeprefix("ROUTER=").split() for line in lines if line.startswith("ROUTER=")), [])
    return routers[0] if routers and _is_address(routers[0]) else ""


def _is_address(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def uptime() -> float:
    """Seconds since the host's start, asleep or not; what :attr:`Link.since` counts in."""
    with Path("/proc/uptime").open(encoding="ascii") as file:
        return float(file.read().split()[0])
