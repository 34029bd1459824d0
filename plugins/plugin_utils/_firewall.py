# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The iptables chains of both ends, in the words that iptables-save prints.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Site

HEADERS = {4: 40, 6: 60}
"""Bytes of the IP and TCP headers, without options."""
REPLIES = "-m conntrack --ctstate RELATED,ESTABLISHED"
NOWHERE = "extrude0"
"""The colo's device behind all tunnels: while an address has a route, the colo answers ARP for it."""
UNREACHABLE = {4: "icmp-host-unreachable", 6: "icmp6-addr-unreachable"}
FORWARDED = "-m addrtype ! --src-type LOCAL"
MARK_MASK = 0x3F000000
"""The bits of packet marks that are ours; a packet in which somebody else has set one of them is left alone."""
LAN_MARK = 0x3F000000
"""What packets of a LAN with NAT carry that leave by a WAN: the nat table does not see where they came in."""


def site_chains(site: Site, version: int) -> Iterator[Plain]:
    """Yield the chains of a site's router for one IP version."""
    yield _chain(version, "mangle", "FORWARD", [*_clamp(site, "ex-+", version), *_lan_marks(site, version)])
    if version == 4:
        yield _chain(version, "nat", "POSTROUTING", _site_nat(site))
    yield _chain(version, "filter", "FORWARD", _site_forward(site, version))


def colo_chains(site: Site, version: int) -> Iterator[Plain]:
    """Yield a site's part of the chains of its colo for one IP version."""
    devices = f"ex{site.number}-+"
    yield _chain(version, "mangle", "FORWARD", _clamp(site, devices, version))
    yield _chain(version, "filter", "FORWARD", _colo_forward(site, devices, version))


def _chain(version: int, table: str, hook: str, rules: Iterable[str]) -> Plain:
    return {"family": version, "table": table, "name": f"EXTRUDE-{hook}", "hook": hook, "rules": list(rules)}


def _clamp(site: Site, devices: str, version: int) -> Iterator[str]:
    """Both ends of a connection send segments that fit every tunnel of the site, since packets may use any."""
    size = min(wan.tunnel_mtu for wan in site.wans) - HEADERS[version]
    for direction in ("-i", "-o"):
        yield f"{direction} {devices} -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss {size}"


def _lan_marks(site: Site, version: int) -> Iterator[str]:
    """Mark what comes from a LAN with NAT and leaves by a WAN."""
    if version == 4:
        for interface in _nat_lans(site):
            for wan in site.wans:
                unmarked = f"-m mark --mark 0x0/{MARK_MASK:#x}"
                yield f"-i {interface} -o {wan.device} {unmarked} -j MARK --set-xmark {LAN_MARK:#x}/{MARK_MASK:#x}"


def _nat_lans(site: Site) -> list[str]:
    return list(dict.fromkeys(lan.interface for lan in site.lans if lan.mode == "nat"))


def _site_nat(site: Site) -> Iterator[str]:
    """LANs leave tunnels as the extruded address, hosts that own one as they are; both leave a WAN as its address.

    Nothing else is touched: what an IPsec policy of the admin's is about to encrypt, and other LANs.
    """
    yield "-m policy --dir out --pol ipsec -j RETURN"
    routed = [network for _interface, network in site.routed(4)]
    for network in routed:
        yield f"-s {network} -o ex-+ -j ACCEPT"
    for address in dict.fromkeys(address for lan in site.lans if lan.mode == "nat" for address in lan.addresses):
        yield f"-o ex-+ {FORWARDED} -j SNAT --to-source {address.ip}"
    for wan in site.wans:
        sources = [f"-s {network} -o {wan.device}" for network in routed]
        if _nat_lans(site):
            sources.append(f"-o {wan.device} -m mark --mark {LAN_MARK:#x}/{MARK_MASK:#x}")
        for source in sources:
            yield f"{source} -j SNAT --to-source {wan.source}"


def _site_forward(site: Site, version: int) -> Iterator[str]:
    """LANs may open connections through tunnels; from outside only those to hosts that own an address, or that the
    admin has sent on (DNAT), come in."""
    yield f"-i ex-+ {REPLIES} -j ACCEPT"
    for interface, network in site.routed(version):
        yield f"-d {network} -i ex-+ -o {interface} -j ACCEPT"
    yield "-i ex-+ -m conntrack ! --ctstate DNAT -j DROP"
    for interface in dict.fromkeys(lan.interface for lan in site.lans):
        yield f"-i {interface} -o ex-+ -j ACCEPT"


def _colo_forward(site: Site, devices: str, version: int) -> Iterator[str]:
    """What comes from a site's addresses, and what goes to them, is let through; senders are told that none lives."""
    for network in site.claimed(version):
        yield f"-s {network} -i {devices} -j ACCEPT"
        yield f"-d {network} -o {devices} -j ACCEPT"
    yield f"-o {NOWHERE} -j REJECT --reject-with {UNREACHABLE[version]}"
