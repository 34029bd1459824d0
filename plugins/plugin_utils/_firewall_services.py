# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sites reach of the colo itself by their tunnels, in the words that iptables-save prints.

It is decided in the table mangle, before the administrator's own filter rules, which may let everything through.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._bird import BFD_PORT, BGP_PORT
from ansible_collections.multihome.extrude.plugins.plugin_utils._chains import by_device, digest
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import LET_IN, Part, match, set_to
from ansible_collections.multihome.extrude.plugins.plugin_utils._numbers import COMES, ICMP

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Service, Site

SERVICES = "EXTRUDE-SERVICES"
ANSWERS = "-m conntrack --ctstate RELATED,ESTABLISHED"


def kept_off(colo: Colo, version: int) -> Iterator[Part]:
    """Nobody but the far ends of tunnels reaches inside addresses: no host behind a site, and none in the rack.

    Pings of the colo's end are answered, since by them a deploy proves that extruded addresses come through.
    """
    pool = colo.pool if version == 4 else colo.pool6
    # what the host has on the device by which a packet comes is no inside address, unless that device is a tunnel
    near = "-m addrtype --dst-type LOCAL --limit-iface-in -j RETURN"
    rules = (
        f"-s {pool} -d {pool} {COMES} -j RETURN",
        f"-d {pool} -p {ICMP[version]} {COMES} {near}",
        f"-d {pool} {COMES} -j DROP",
        f"-d {pool} -i lo -j RETURN",
        f"-d {pool} ! -i ex+ {near}",
        f"-d {pool} ! -i ex+ -j DROP",
    )
    inside = "EXTRUDE-INSIDE"
    yield Part.at("INPUT", [f"-d {pool} -j {inside}"])
    yield Part(inside, rules)


def services(site: Site, colo: Colo, version: int) -> Iterator[Part]:
    """What begins at a site and is for the colo itself passes a chain of what it reaches, where there is a list.

    Sites that reach the same share one. Those of another inventory, whose colo has no list, pass none.
    """
    if colo.services is None:
        return
    yield Part.at("INPUT", [f"{COMES} -m conntrack ! --ctstate RELATED,ESTABLISHED -j {SERVICES}"])
    reached = tuple(_reached(site, colo, version))
    name = f"EXTRUDE-V{digest(' '.join(reached))}"
    yield from by_device(SERVICES, "-i", site.number, [f"-g {name}"])
    yield Part(name, reached)


def _reached(site: Site, colo: Colo, version: int) -> Iterator[str]:
    """What keeps the tunnels alive, what says that something is wrong, and what is listed; nothing else."""
    yield f"-p {ICMP[version]} -j RETURN"
    if version == 4:
        between = f"-s {colo.pool} -d {colo.pool}"
        yield f"{between} -p udp -m udp --dport {BFD_PORT} -j RETURN"
        yield f"{between} -p tcp -m tcp --dport {BGP_PORT} -j RETURN"
    for service in colo.services or ():
        if service.customers is None or site.customer in service.customers:
            yield f"{_ports(service)} -j MARK {set_to(LET_IN)}"
    yield f"-m mark ! --mark {match(LET_IN).split()[-1]} -j DROP"


def _ports(service: Service) -> str:
    return f"-p {service.protocol} -m {service.protocol} --dport {service.ports.text(':')}"


def let_in(colo: Colo) -> Iterator[str]:
    """Yield the rules of the table filter: what is listed is let in also where the administrator lets nothing in."""
    if colo.services is not None:
        yield f"{COMES} {ANSWERS} -j ACCEPT"
        yield f"{COMES} {match(LET_IN)} -j ACCEPT"
