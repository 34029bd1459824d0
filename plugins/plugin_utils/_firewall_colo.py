# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a colo lets through between the rack and its sites, and between sites, in the words that iptables-save prints.

Our tunnels are in a link group. So a rule can mean all of them and nothing else, neither devices of the administrator's
with a like name, nor tunnels that a former version of the collection has made, until their site is deployed anew.
A packet of a connection passes the same few rules, however many sites there are.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._chains import by_device, chain, digest, joined
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall import segments
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_input import colo_input
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_ipsec import protection
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_services import kept_off, services
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import (
    REFUSED,
    SOURCES,
    Part,
    match,
    set_to,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._numbers import COMES, GOES
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain
from ansible_collections.multihome.extrude.plugins.plugin_utils._spread import spread_down

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site

NOWHERE = "extrude0"
"""The colo's device behind all tunnels: while an address has a route, the colo answers ARP for it."""
UNREACHABLE = {4: "icmp-host-unreachable", 6: "icmp6-addr-unreachable"}
PROHIBITED = {4: "icmp-admin-prohibited", 6: "icmp6-adm-prohibited"}
BETWEEN = "EXTRUDE-BETWEEN"
FIRST = "-m conntrack ! --ctstate RELATED,ESTABLISHED"
"""What belongs to no connection that has been let through."""


def colo_chains(site: Site, colo: Colo) -> Iterator[Plain]:
    """Yield a site's part of the chains of its colo."""
    for version in (4, 6):
        protected = protection(site, colo) if version == 4 else ()
        # a site without IPv6 may send it all the same
        yield from joined(version, "raw", [*protected, *_sources()])
        yield from joined(version, "mangle", _mangle(site, colo, version))
        if version == 4 or version in site.versions:
            yield colo_input(site, colo, version)
        if version in site.versions:
            yield chain(version, "filter", "FORWARD", _forward(version))


def _mangle(site: Site, colo: Colo, version: int) -> Iterator[Part]:
    yield from kept_off(colo, version)
    yield from services(site, colo, version)
    if version in site.versions:
        yield from _inside(colo, version)
        yield from _clamp(site, version)
        yield from _between(site)
        yield from spread_down(site, version)


def _sources() -> Iterator[Part]:
    """What comes out of a tunnel has a source to which the kernel would send by that tunnel, alive or not.

    The mark has that looked up in the table of sources. What that table does not know goes by the others: an inside
    address belongs to its own tunnel in main, all else leads elsewhere.
    """
    name = "EXTRUDE-SOURCES"
    yield Part.at("PREROUTING", [f"{COMES} -j {name}"])
    asked, forgotten = (f"-j MARK {set_to(mark)}" for mark in (SOURCES, 0))
    yield Part(name, (asked, "-m rpfilter --validmark --invert -j DROP", forgotten))


def _inside(colo: Colo, version: int) -> Iterator[Part]:
    """Inside addresses are for the ends of a tunnel: nothing is sent on from one or to one."""
    pool = colo.pool if version == 4 else colo.pool6
    yield Part.at("FORWARD", [f"-s {pool} {COMES} -j DROP", f"-d {pool} {GOES} -j DROP"])


def _clamp(site: Site, version: int) -> Iterator[Part]:
    """Connections have segments that fit the tunnels of the site: the first packets find it by its device."""
    for way, tunnels in (("-i", COMES), ("-o", GOES)):
        root = f"EXTRUDE-MSS{way.upper()}"
        first, clamped = segments(site, version)
        yield Part.at("FORWARD", [f"{first} {tunnels} -j {root}"])
        yield from by_device(root, way, site.number, [f"{first} {clamped}"])


def _between(site: Site) -> Iterator[Part]:
    """Sites of two customers talk to each other where both say so, sites of one customer always.

    First packets are refused until a rule says otherwise: the tunnel by which they leave leads to the customers that
    the receiver takes, each of these to those of its sites that take the receiver. The refusal is a mark, since only
    the table filter can tell the sender, and what the administrator's own rules let through there is dropped later.
    """
    both = f"{COMES} {GOES.removeprefix('-m devgroup ')}"
    yield Part.at("FORWARD", [f"{both} {FIRST} -j {BETWEEN}"])
    yield Part(BETWEEN, (f"-j MARK {set_to(REFUSED)}",))
    customers = (site.customer, *site.peers)
    takes = [_pair(customer, site.customer) for customer in customers]
    yield from by_device(BETWEEN, "-o", site.number, [f"-j {senders}" for senders in takes])
    yield from (Part(senders, ()) for senders in takes)
    for customer in customers:
        yield from by_device(_pair(site.customer, customer), "-i", site.number, [f"-j MARK {set_to(0)}"])
    yield Part.at("POSTROUTING", [f"{match(REFUSED)} -j DROP"])


def _pair(sender: str, receiver: str) -> str:
    """Name the chain of the sites of a customer that may send to sites of another; names of customers are too long."""
    return f"EXTRUDE-F{digest(f'{sender}/{receiver}')}"


def _forward(version: int) -> Iterator[str]:
    """What our tunnels carry is let through; senders are told of what is not, and of where no tunnel lives."""
    yield f"-o {NOWHERE} -j REJECT --reject-with {UNREACHABLE[version]}"
    yield f"{match(REFUSED)} -j REJECT --reject-with {PROHIBITED[version]}"
    yield f"{COMES} -j ACCEPT"
    yield f"{GOES} -j ACCEPT"
