# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says, once it has been read: frozen values, ready for the states to be made of.

Where a variable has a problem, its value here is left out, or neutral (0, "", NOWHERE). The problem is noted, so no
state is ever made of such values; they only let the remaining checks go on.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
TABLES_USED = 36
"""The tables of a host are those from `table` to `table` + 36."""
PRIORITIES_USED = 100
"""The rules of a host have the priorities from `priority` to `priority` + 99."""
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

    def wan(self, slot: int) -> int:
        """The table of the WAN with that slot itself."""
        return self.table + 20 + slot

    @property
    def shared(self) -> list[int]:
        """The tables that both ends have."""
        return [self.live, *map(self.slot, range(1, MAX_SLOT + 1)), self.static, self.last]

    @property
    def priorities(self) -> list[int]:
        """The first and the last priority that our rules may have."""
        return [self.priority, self.priority + PRIORITIES_USED - 1]


@dataclass(frozen=True, slots=True)
class Colo:
    """A colo: where tunnels end, and what may be extruded from there."""

    name: str
    address: IPNetwork
    interface: str
    prefixes: tuple[IPNetwork, ...]
    pool: IPNetwork
    pool6: IPNetwork
    ipsec_pool: IPNetwork
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Wan:
    """One link of a site. Rates are in Mbit/s; `address` has the prefix length of the link (32: none was given).

    `ipsec`: its tunnel is encrypted, and then `nat` says that NAT is on its way to the colo.

    A `dynamic` one has neither address nor gateway, and its interface may be a pattern such as ``ppp*``; `match` is
    then what pppd calls the link. The host knows the rest: placeholders stand for it (module_utils/_bind.py).

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

    @property
    def device(self) -> str:
        """Its network device, in a state of the site."""
        return f"{{{self.name}.device}}" if self.dynamic else self.interface

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
class Site:
    """A site: its links, and what is extruded to it."""

    name: str
    customer: str
    number: int
    colo: str
    claims: tuple[Claim, ...]
    wans: tuple[Wan, ...]
    lans: tuple[Lan, ...]
    held: tuple[IPNetwork, ...]
    balance: Balance
    endpoint: Endpoint | None
    proposals: Proposals
    block: bool
    renumber: bool
    take_over: bool
    numbers: Numbers

    @property
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

    def blocks(self, version: int) -> bool:
        """Whether nothing leaves while no tunnel lives. IPv6 has no NAT by which to leave a link."""
        return self.block or version == 6

    @property
    def packet(self) -> bool:
        """Whether its packets are spread over the tunnels one by one."""
        return self.balance.packet

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

    @property
    def encrypted(self) -> list[Wan]:
        """Its links whose tunnels are encrypted."""
        return [wan for wan in self.wans if wan.ipsec]

    @property
    def reporting(self) -> list[Wan]:
        """Its links whose addresses it has to report; an encrypted tunnel tells by itself where it comes from."""
        return [wan for wan in self.wans if wan.dynamic and not wan.ipsec]

    def colo_device(self, wan: Wan) -> str:
        """The name of a link's tunnel at the colo."""
        return f"ex{self.number}-{wan.name}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """All colos and sites by name, in the order of the inventory."""

    colos: dict[str, Colo] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
