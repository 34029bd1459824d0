# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's router sends on to hosts behind it, in the words that iptables-save prints.

A forward is for what comes by tunnels, and for the LANs: these reach the same host by the same address.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import HAIRPIN, match

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Forward, Site

PROTOCOLS = {"tcp": 6, "udp": 17}
"""The numbers that iptables prints for a connection's protocol."""


def destinations(site: Site) -> Iterator[str]:
    """Yield where the connections go that are opened to extruded addresses (table nat, PREROUTING)."""
    for forward in site.forwards:
        to = str(forward.to.ip) if forward.to_port is None else f"{forward.to.ip}:{forward.to_port}"
        for interface in ("ex-+", *site.lan_interfaces):
            yield f"-d {forward.address} -i {interface}{_ports(forward)} -j DNAT --to-destination {to}"


def admitted(site: Site) -> Iterator[str]:
    """Yield what lets forwarded connections through, in both directions (table filter, FORWARD)."""
    for forward in site.forwards:
        protocol = f"--ctproto {PROTOCOLS[forward.protocol]} " if forward.protocol else ""
        ports = f" --ctorigdstport {forward.ports.text(':')}" if forward.ports else ""
        yield f"-m conntrack --ctstate DNAT {protocol}--ctorigdst {forward.address.ip}{ports} -j ACCEPT"


def sources(site: Site) -> Iterator[str]:
    """Yield the sources of translated connections (table nat, POSTROUTING).

    In its own LAN a host is asked by the router, or else it would answer the asker directly, who waits for another.
    """
    if site.forwards:
        yield f"{match(HAIRPIN)} -j MASQUERADE"
    for forward in site.forwards:
        if forward.ports is None:
            yield f"-s {forward.to} -o ex-+ -j SNAT --to-source {forward.address.ip}"


def _ports(forward: Forward) -> str:
    if forward.ports is None:
        return ""
    return f" -p {forward.protocol} -m {forward.protocol} --dport {forward.ports.text(':')}"
