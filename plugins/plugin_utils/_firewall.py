# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The iptables chains of both ends, in the words that iptables-save prints.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import (
    NOT_IPSEC,
    Part,
    direct_mark,
    match,
    site_marks,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain
from ansible_collections.multihome.extrude.plugins.plugin_utils._spread import spread_down, spread_up
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Site

HEADERS = {4: 40, 6: 60}
"""Bytes of the IP and TCP headers, without options."""
REPLIES = "-m conntrack --ctstate RELATED,ESTABLISHED"
NOWHERE = "extrude0"
"""The colo's device behind all tunnels: while an address has a route, the colo answers ARP for it."""
UNREACHABLE = {4: "icmp-host-unreachable", 6: "icmp6-addr-unreachable"}
FORWARDED = "-m addrtype ! --src-type LOCAL"


def site_chains(site: Site, version: int) -> Iterator[Plain]:
    """Yield the chains of a site's router for one IP version."""
    clamp = Part.at("FORWARD", _clamp(site, "ex-+", version))
    yield from _mangle(version, [clamp, *site_marks(site, version), *spread_up(site, version)])
    if version == 4:
        yield _chain(version, "nat", "POSTROUTING", _site_nat(site))
    yield _chain(version, "filter", "FORWARD", _site_forward(site, version))


def colo_chains(site: Site, version: int) -> Iterator[Plain]:
    """Yield a site's part of the chains of its colo for one IP version."""
    devices = f"ex{site.number}-+"
    clamp = Part.at("FORWARD", _clamp(site, devices, version))
    yield from _mangle(version, [clamp, *spread_down(site, version)])
    yield _chain(version, "filter", "FORWARD", _colo_forward(site, devices, version))


def _chain(version: int, table: str, hook: str, rules: Iterable[str]) -> Plain:
    return {"family": version, "table": table, "name": f"EXTRUDE-{hook}", "hook": hook, "rules": list(rules)}


def _mangle(version: int, parts: Iterable[Part]) -> list[Plain]:
    """Put the parts of each chain together."""
    chains: dict[str, Plain] = {}
    for part in parts:
        hook = {"hook": part.hook} if part.hook else {}
        empty = {"family": version, "table": "mangle", "name": part.name, **hook, "rules": []}
        chains.setdefault(part.name, empty)["rules"] += part.rules
    return [chain for chain in chains.values() if chain["rules"]]


def _clamp(site: Site, devices: str, version: int) -> Iterator[str]:
    """Both ends of a connection send segments that fit every tunnel of the site, since packets may use any."""
    size = min(wan.tunnel_mtu for wan in site.wans) - HEADERS[version]
    for direction in ("-i", "-o"):
        yield f"{direction} {devices} -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss {size}"


def _site_nat(site: Site) -> Iterator[str]:
    """LANs leave tunnels as the extruded address, hosts that own one as they are; both leave a link as its address.

    Nothing else is touched: what an IPsec policy of the admin's is about to encrypt, and other LANs. The kernel forgets
    a masqueraded connection when its link goes (nf_nat_masquerade.c), so what goes on then begins anew by what is left.
    """
    yield NOT_IPSEC
    for _interface, network in site.routed(4):
        yield f"-s {network} -o ex-+ -j ACCEPT"
    for address in dict.fromkeys(address for lan in site.lans if lan.mode == "nat" for address in lan.addresses):
        yield f"-o ex-+ {FORWARDED} -j SNAT --to-source {address.ip}"
    if site.lans:
        for wan in site.wans:
            yield f"-o {wan.device} {match(direct_mark(wan.slot))} -j MASQUERADE"


def _site_forward(site: Site, version: int) -> Iterator[str]:
    """LANs may open connections through tunnels; from outside only those to hosts that own an address, or that the
    admin has sent on (DNAT), come in."""
    yield f"-i ex-+ {REPLIES} -j ACCEPT"
    for interface, network in site.routed(version):
        yield f"-d {network} -i ex-+ -o {interface} -j ACCEPT"
    yield "-i ex-+ -m conntrack ! --ctstate DNAT -j DROP"
    for interface in site.lan_interfaces:
        yield f"-i {interface} -o ex-+ -j ACCEPT"


def _colo_forward(site: Site, devices: str, version: int) -> Iterator[str]:
    """What comes from a site's addresses, and what goes to them, is let through; senders are told that none lives."""
    for network in site.claimed(version):
        yield f"-s {network} -i {devices} -j ACCEPT"
        yield f"-d {network} -o {devices} -j ACCEPT"
    yield f"-o {NOWHERE} -j REJECT --reject-with {UNREACHABLE[version]}"
