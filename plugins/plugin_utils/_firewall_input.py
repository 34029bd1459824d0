# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts at both ends take for themselves, in the words that iptables-save prints.

Every packet of a tunnel passes these rules, so their number does not grow with that of the sites, and what carries
the packets comes first.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._bird import BFD_PORT, BGP_PORT
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_services import let_in
from ansible_collections.multihome.extrude.plugins.plugin_utils._numbers import ICMP, inside_block
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site

IKE_PORTS = (500, 4500)
"""Of IKE, and of both IKE and ESP behind NAT (RFC 7296 section 2.23)."""


def site_input(site: Site, colo: Colo, version: int) -> Plain:
    """Return the chain of a site's router for one IP version."""
    block = inside_block(colo.pool if version == 4 else colo.pool6, site.number)
    return _chain(
        version, [*_carriers(f"-s {colo.address.ip}/32", site, colo, version), *_inside(block, "ex-+", version)]
    )


def colo_input(site: Site, colo: Colo, version: int) -> Plain:
    """Return the chain of a colo for one IP version: the same for all sites, but for those that encrypt nothing. The
    kernel knows the far ends."""
    block = str(colo.pool if version == 4 else colo.pool6)
    carriers = _carriers(f"-d {colo.address.ip}/32", site, colo, version)
    return _chain(version, [*carriers, *_between(block, "ex+", version), *let_in(colo)])


def _chain(version: int, rules: list[str]) -> Plain:
    return {"family": version, "table": "filter", "name": "EXTRUDE-INPUT", "hook": "INPUT", "rules": rules}


def _carriers(far: str, site: Site, colo: Colo, version: int) -> Iterator[str]:
    """What carries packets: GRE, or ESP, perhaps in UDP, with IKE; `far` matches where they come from or go to."""
    if version == 6:
        return
    yield f"{far} -p gre -j ACCEPT"
    if site.encrypted:
        # the GRE that was in ESP comes by here once more
        yield f"-s {colo.ipsec_pool} -p gre -m policy --dir in --pol ipsec -j ACCEPT"
        yield f"{far} -p esp -j ACCEPT"
        for port in IKE_PORTS:
            yield f"{far} -p udp -m udp --dport {port} -j ACCEPT"


def _inside(block: str, tunnels: str, version: int) -> Iterator[str]:
    """Inside addresses talk to each other through tunnels: liveness and pings. Nobody else reaches them."""
    yield "-i lo -j RETURN"
    yield from _between(block, tunnels, version)
    # an address that the host itself has in that block, on the device by which the packet comes, is no inside address
    yield f"-d {block} -m addrtype --dst-type LOCAL --limit-iface-in -j RETURN"
    yield f"-d {block} ! -i {tunnels} -j DROP"


def _between(block: str, tunnels: str, version: int) -> Iterator[str]:
    """What the ends of tunnels say to each other."""
    between = f"-s {block} -d {block} -i {tunnels}"
    if version == 4:
        yield f"{between} -p udp -m udp --dport {BFD_PORT} -j ACCEPT"
        yield f"{between} -p tcp -m tcp --dport {BGP_PORT} -j ACCEPT"
        yield f"{between} -p tcp -m tcp --sport {BGP_PORT} -m conntrack --ctstate ESTABLISHED -j ACCEPT"
    yield f"{between} -p {ICMP[version]} -j ACCEPT"
