# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says, once it has been read: frozen values, ready for the states to be made of.

Where a variable has a problem, its value here is left out, or neutral (0, "", NOWHERE). The problem is noted, so no
state is ever made of such values; they only let the remaining checks go on.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ansible_collections.multihome.extrude.plugins.plugin_utils._level import Held

if TYPE_CHECKING:
    from netaddr import IPNetwork

IP_HEADER = 20
GRE_HEADER = 8
"""Bytes of GRE (RFC 2784) with a key (RFC 2890)."""
GRE_OVERHEAD = IP_HEADER + GRE_HEADER
"""Bytes that a tunnel adds."""
ESP_OVERHEAD, ESP_TRAILER, ESP_ALIGNMENT = 8 + 8 + 16, 2, 4
"""Bytes of ESP with AES-GCM or ChaCha20-Poly1305: header, initialization vector and tag (RFC 4106, RFC 7634); behind
the packet its trailer, up to a multiple of the alignment (RFC 4303)."""
BEET_HEADER = 8
"""Bytes that Linux keeps free in BEET mode for the options of inner headers (net/ipv4/esp4.c, esp_init_state)."""
UDP_HEADER = 8
"""Bytes around ESP behind NAT (RFC 3948)."""
MAX_SLOT = 16
MAX_SITE_ID = 4095
TABLES_USED = 53
"""The tables of a host are those from `table` to `table` + 53."""
PRIORITIES_USED = 100
"""The rules of a host have the priorities from `priority` to `priority` + 99."""
LONGEST_IN_DEVICE = 11
"""What is left of the 15 characters of a device's name behind ``exu-``."""
DETECT = 150
"""Milliseconds after which a silent path counts as dead, where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An address or prefix, and the path of the variable that claims it."""

    path: str
    network: IPNetwork


@dataclass(frozen=True, slots=True)
class Numbers:
    """The base numbers of a host's routing tables and rules."""

    table: int
    priority: int

    @property
    def live(self) -> int:
        """The table of the ways that live, which BIRD fills."""
        return self.table

    def slot(self, slot: int) -> int:
        """The table of the ways through one tunnel of each site, which BIRD fills too."""
        return self.table + slot

    @property
    def static(self) -> int:
        """The table of all ways, dead or alive, for the time when BIRD does not watch them."""
        return self.table + 17

    @property
    def last(self) -> int:
        """The table of what is left to do when no way lives."""
        return self.table + 18

    @property
    def direct(self) -> int:
        """The table of a site's links, for what is kept off the tunnels."""
        return self.table + 19

    @property
    def sources(self) -> int:
        """The table of a colo that says what may come out of which tunnels."""
        return self.table + 19

    def wan(self, slot: int) -> int:
        """The table of the WAN with that slot itself."""
        return self.table + 20 + slot

    @property
    def exits(self) -> int:
        """The table of a site's links whose tunnels live, for what is kept off the tunnels; BIRD fills it."""
        return self.table + 37

    def others(self, slot: int) -> int:
        """The table that has a way while the WAN with that slot is dead, and another lives; BIRD fills it."""
        return self.table + 37 + slot

    @property
    def shared(self) -> list[int]:
        """The tables that both ends have."""
        return [self.live, *map(self.slot, range(1, MAX_SLOT + 1)), self.static, self.last]

    @property
    def priorities(self) -> list[int]:
        """The first and the last priority that our rules may have."""
        return [self.priority, self.priority + PRIORITIES_USED - 1]


class Ports(NamedTuple):
    """Ports from `first` to `last`."""

    first: int
    last: int

    def text(self, separator: str) -> str:
        """Write them as people do (separator "-") or iptables (":")."""
        return str(self.first) if self.first == self.last else f"{self.first}{separator}{self.last}"


@dataclass(frozen=True, slots=True)
class Service:
    """An entry of ``extrude_services``: ports of the colo itself, and whose sites reach them (None: all sites)."""

    protocol: str
    ports: Ports
    customers: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Colo:
    """A colo: where tunnels end, and what may be extruded from there.

    `services`: what sites reach of the colo itself by their tunnels; None: what its own firewall lets through.
    """

    name: str
    address: IPNetwork
    interface: str
    prefixes: tuple[IPNetwork, ...]
    pool: IPNetwork
    pool6: IPNetwork
    ipsec_pool: IPNetwork
    services: tuple[Service, ...] | None
    numbers: Numbers

    @property
    def beyond(self) -> list[IPNetwork]:
        """The space that its sites reach by their tunnels only: its own address, and what it extrudes."""
        return list(dict.fromkeys((self.address, *self.prefixes)))


class Shape(NamedTuple):
    """What a link is shaped to in each direction, in kbit/s (0: not at all), and host and variable that ask for it."""

    up: int
    down: int
    variable: str


@dataclass(frozen=True, slots=True)
class Wan:
    """One link of a site. Rates are in Mbit/s; `address` has the prefix length of the link (32: none was given).

    `ipsec`: its tunnel is encrypted, and then `nat` says that NAT is on its way to the colo.

    A `dynamic` one has neither address nor gateway, and its interface may be a pattern such as ``ppp*``; `match` is
    then what pppd calls the link. The host knows the rest: placeholders stand for it (module_utils/_bind.py).

    `use` says what it is for: ``both``, or only ``direct`` traffic, and then it has no tunnel, or only what is
    ``extruded``, and then nothing else may leave by it.

    `detect`: milliseconds of silence after which it counts as dead; None leaves it to both ends. `hold_down`: seconds
    that it stays out after a failure, twice as long after each of a row of failures, up to `hold_down_max`.
    """

    path: str
    name: str
    interface: str
    slot: int
    dynamic: bool
    match: str | None
    address: IPNetwork
    gateway: IPNetwork
    mtu: int
    ipsec: bool
    nat: bool
    metric: int
    weight: int | None
    up: float | None
    down: float | None
    detect: int | None
    hold_down: int
    hold_down_max: int
    use: str = "both"

    @property
    def has_tunnel(self) -> bool:
        """Whether the extruded space may use it."""
        return self.use != "direct"

    @property
    def is_exit(self) -> bool:
        """Whether direct traffic may leave by it."""
        return self.use != "extruded"

    shape: Shape | None = None

    @property
    def device(self) -> str:
        """Its network device, in a state of the site."""
        return f"{{{self.name}.device}}" if self.dynamic else self.interface

    @property
    def ready_device(self) -> str:
        """Its network device, in a text of a state of the site that has no line for it while it is down; of a static
        link only where it has no tunnel."""
        return f"{{{self.name}.device}}"

    @property
    def source(self) -> str:
        """Its address, in a state of the site."""
        return f"{{{self.name}.address}}" if self.dynamic else str(self.address.ip)

    @property
    def router(self) -> str:
        """Its gateway, in a state of the site."""
        return f"{{{self.name}.gateway}}" if self.dynamic else str(self.gateway.ip)

    @property
    def endpoint(self) -> str:
        """Its address, in a state of the colo."""
        return f"{{{self.name}.endpoint}}" if self.dynamic else str(self.address.ip)

    @property
    def tunnel(self) -> str:
        """The name of its tunnel at the site."""
        return f"ex-{self.name}"

    @property
    def entry(self) -> str:
        """The name of the device by which what it receives is shaped."""
        return f"ifb-{self.name}"

    @property
    def tunnel_mtu(self) -> int:
        """The MTU inside its tunnel."""
        if not self.ipsec:
            return self.mtu - GRE_OVERHEAD
        encrypted = self.mtu - IP_HEADER - ESP_OVERHEAD - BEET_HEADER - (UDP_HEADER if self.nat else 0)
        return encrypted // ESP_ALIGNMENT * ESP_ALIGNMENT - ESP_TRAILER - GRE_HEADER


@dataclass(frozen=True, slots=True)
class Lan:
    """An entry of ``extrude_lan`` with the addresses that fall to it."""

    interface: str
    mode: str
    addresses: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """An entry of ``extrude_forwards``: what comes for ports of an extruded address goes to a host on a LAN.

    `to_port`: to that port of the host, else to the same one. Without `ports` all that comes for the address is the
    host's, and what the host sends leaves as that address.
    """

    path: str
    address: IPNetwork
    protocol: str
    ports: Ports | None
    to: IPNetwork
    to_port: int | None

    def overlaps(self, other: Forward) -> bool:
        """Tell whether some packets would fall to both."""
        if self.address != other.address or {self.protocol, other.protocol} == {"tcp", "udp"}:
            return False
        mine, theirs = self.ports or ALL_PORTS, other.ports or ALL_PORTS
        return mine.first <= theirs.last and theirs.first <= mine.last

    def takes(self, protocol: str, port: str) -> bool:
        """Tell whether packets for a port fall to it."""
        ports = self.ports or ALL_PORTS
        return self.protocol in ("", protocol) and port.isdecimal() and ports.first <= int(port) <= ports.last


ALL_PORTS = Ports(0, 65535)


@dataclass(frozen=True, slots=True)
class Match:
    """An entry of ``extrude_direct``: what fits one of each kind that is given. `ports` are those of destinations.

    A destination fits `domains` while its address is known to be that of one of them, or of a name below it. What fits
    leaves by the link with that `slot`, where there is one; in IPv6 no link can be named. `path` is where it stands,
    and `destination_paths` where each of the destinations does.
    """

    destinations: tuple[IPNetwork, ...] = ()
    sources: tuple[IPNetwork, ...] = ()
    protocols: tuple[str, ...] = ()
    ports: tuple[Ports, ...] = ()
    dscps: tuple[int, ...] = ()
    domains: tuple[str, ...] = ()
    slot: int | None = None
    path: str = field(default="", compare=False)
    destination_paths: tuple[str, ...] = field(default=(), compare=False)

    def of(self, version: int) -> Match | None:
        """What of it packets of IPv4 or IPv6 can fit; None where none can."""
        sources, destinations = (
            tuple(network for network in networks if network.version == version)
            for networks in (self.sources, self.destinations)
        )
        others = bool(sources) < bool(self.sources) or bool(destinations) < bool(self.destinations)
        if others or (version == 6 and self.slot):
            return None
        protocols = self.protocols if version == 4 else tuple(map(_protocol6, self.protocols))
        return replace(self, sources=sources, destinations=destinations, protocols=protocols)


def _protocol6(name: str) -> str:
    return "ipv6-icmp" if name == "icmp" else name


@dataclass(frozen=True, slots=True)
class Pin:
    """An entry of ``extrude_pins``: what fits takes the tunnel of that link while it lives. Ports are those of either
    end, and the destination is the far one, so that both directions fit."""

    match: Match
    wan: Wan


@dataclass(frozen=True, slots=True)
class Balance:
    """How a site spreads what it sends and receives over its links.

    `wanted`: packet mode is asked for; `packet`: and it can be, since the tunnels are measured. `held` is by how much
    the ends of each tunnel hold packets back then, by name of the link.
    """

    wanted: bool = False
    packet: bool = False
    held: Mapping[str, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the ends have to know of each other before a site can report addresses: its public key, and of its colo
    the keys of the host and the port of its sshd."""

    key: str
    port: int
    host_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposals:
    """The algorithms by which a site and its colo may encrypt, in strongSwan's words, the preferred ones first: of IKE,
    which exchanges keys, and of ESP, which carries the packets."""

    ike: tuple[str, ...]
    esp: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """What all sites of a customer at a colo may send to the rack and receive from there together, in kbit/s; 0: as
    much as they can."""

    up: int = 0
    down: int = 0

    def __str__(self) -> str:
        words = [f"{way} {rate / 1000:g}" for way, rate in (("up", self.up), ("down", self.down)) if rate]
        return " and ".join(words) or "none"


@dataclass(frozen=True)
class Site:
    """A site: its links, and what is extruded to it. A `certified` one proves itself by a certificate.

    Of the links, `tunnelled` are those that have a tunnel, and `exits` those by which direct traffic leaves. `peers`:
    the other customers whose sites it may talk to over the tunnels, where these say the same of it.
    """

    name: str
    customer: str
    peers: tuple[str, ...]
    number: int
    colo: str
    claims: tuple[Claim, ...]
    wans: tuple[Wan, ...]
    lans: tuple[Lan, ...]
    held: tuple[IPNetwork, ...]
    forwards: tuple[Forward, ...]
    direct: tuple[Match, ...]
    pins: tuple[Pin, ...]
    balance: Balance
    limit: Limit
    endpoint: Endpoint | None
    proposals: Proposals
    certified: bool
    block: bool
    renumber: bool
    take_over: bool
    numbers: Numbers

    @cached_property
    def versions(self) -> list[int]:
        """The IP versions of what is extruded to it."""
        return sorted({claim.network.version for claim in self.claims})

    def claimed(self, version: int) -> list[IPNetwork]:
        """What is extruded to it, of IP version 4 or 6."""
        return [claim.network for claim in self.claims if claim.network.version == version]

    def holds(self, version: int) -> list[IPNetwork]:
        """The extruded addresses that the router itself holds."""
        return [network for network in self.held if network.version == version]

    def routed(self, version: int) -> list[tuple[str, IPNetwork]]:
        """The extruded addresses and prefixes behind its LANs, each with the LAN's interface."""
        return [
            (lan.interface, network)
            for lan in self.lans
            if lan.mode == "routed"
            for network in lan.addresses
            if network.version == version
        ]

    @cached_property
    def tunnelled(self) -> list[Wan]:
        """Its links that have tunnels."""
        return [wan for wan in self.wans if wan.has_tunnel]

    @cached_property
    def exits(self) -> list[Wan]:
        """Its links that direct traffic may leave by."""
        return [wan for wan in self.wans if wan.is_exit]

    def blocks(self, version: int) -> bool:
        """Whether nothing leaves while no tunnel lives. In IPv6 only hosts that own an address ever do."""
        return self.block or not self.exits or (version == 6 and not self.routed(6))

    def listed(self, version: int) -> list[Match]:
        """What it keeps off the extruded space of IPv4 or IPv6."""
        return [found for one in self.direct if version in self.versions and (found := one.of(version))]

    def leaves(self, version: int) -> bool:
        """Whether something of the extruded space may leave by a link, as that one's address."""
        return bool(self.listed(version)) or not self.blocks(version)

    @cached_property
    def chooses_exits(self) -> bool:
        """Whether what leaves without a tunnel has a table of the exits: where main could take another link."""
        return not self.blocks(4) and len(self.exits) < len(self.wans)

    @cached_property
    def has_exit_table(self) -> bool:
        """Whether something of it leaves by the table of the exits."""
        return bool(self.listed(4)) or self.chooses_exits

    def left(self, version: int) -> list[int]:
        """The tables of what is left to do when no tunnel lives; without any main decides. In IPv6 it is asked before
        them, and for its ways by links only."""
        if self.blocks(version) or version == 6:
            return [self.numbers.last]
        return [self.numbers.direct, self.numbers.last] if self.chooses_exits else []

    @property
    def domains(self) -> list[str]:
        """The domains that ``extrude_direct`` names, each once."""
        return sorted({domain for version in self.versions for domain in self.domains_of(version)})

    def domains_of(self, version: int) -> set[str]:
        """Those by whose addresses of IPv4 or IPv6 it does so."""
        return {domain for one in self.listed(version) for domain in one.domains}

    @property
    def packet(self) -> bool:
        """Whether its packets are spread over the tunnels one by one."""
        return self.balance.packet

    def has_slot(self, wan: Wan) -> bool:
        """Whether marks may lead into a link's tunnel."""
        return self.packet or any(pin.wan == wan for pin in self.pins)

    def held_back(self, wan: Wan) -> Held:
        """How long the ends of a link's tunnel hold packets back."""
        return self.balance.held.get(wan.name, Held(0.0, 0.0))

    @property
    def lan_interfaces(self) -> list[str]:
        """The interfaces of its LANs."""
        return list(dict.fromkeys(lan.interface for lan in self.lans))

    @property
    def nat_interfaces(self) -> list[str]:
        """The interfaces of its LANs with NAT."""
        return list(dict.fromkeys(lan.interface for lan in self.lans if lan.mode == "nat"))

    @cached_property
    def encrypted(self) -> list[Wan]:
        """Its links whose tunnels are encrypted."""
        return [wan for wan in self.wans if wan.ipsec]

    @property
    def reporting(self) -> list[Wan]:
        """Its links whose addresses it has to report; an encrypted tunnel tells by itself where it comes from."""
        return [wan for wan in self.tunnelled if wan.dynamic and not wan.ipsec]

    def limiter(self, way: str) -> str:
        """The name of the device at the colo by which all goes that sites of its customer send (u) or receive (d)."""
        fits = len(self.customer) <= LONGEST_IN_DEVICE
        name = self.customer if fits else hashlib.sha256(self.customer.encode()).hexdigest()[:LONGEST_IN_DEVICE]
        return f"ex{way}-{name}"

    def colo_device(self, wan: Wan) -> str:
        """The name of a link's tunnel at the colo."""
        return f"ex{self.number}-{wan.name}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """All colos and sites by name, in the order of the inventory."""

    colos: dict[str, Colo] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
