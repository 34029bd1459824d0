# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The iptables chains of a site's router, in the words that iptables-save prints.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.multihome.extrude.plugins.plugin_utils import _firewall_forwards
from ansible_collections.multihome.extrude.plugins.plugin_utils._chains import chain, joined
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_direct import direct
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import (
    MASK,
    NOT_IPSEC,
    Part,
    direct_mark,
    match,
    site_marks,
    sources,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain
from ansible_collections.multihome.extrude.plugins.plugin_utils._spread import spread_up
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site

HEADERS = {4: 40, 6: 60}
"""Bytes of the IP and TCP headers, without options."""
ETHERNET = 1500
"""The MTU of a LAN."""
OPENING = "-p tcp -m tcp --tcp-flags SYN,RST SYN"
REPLIES = "-m conntrack --ctstate RELATED,ESTABLISHED"
FORWARDED = "-m addrtype ! --src-type LOCAL"


def site_chains(site: Site, colo: Colo, version: int) -> Iterator[Plain]:
    """Yield the chains of a site's router for one IP version."""
    clamped = (f"{way} ex-+ {' '.join(segments(site, version))}" for way in ("-i", "-o"))
    clamp = Part.at("FORWARD", [*clamped, *_clamp_direct(site, version)])
    listed = direct(site, colo, version)
    yield from joined(version, "mangle", [clamp, *listed, *site_marks(site, version), *spread_up(site, version)])
    if version == 4:
        if site.forwards:
            yield chain(version, "nat", "PREROUTING", _firewall_forwards.destinations(site))
        yield chain(version, "nat", "POSTROUTING", _site_nat(site))
    elif site.leaves(6):
        yield chain(version, "nat", "POSTROUTING", [NOT_IPSEC, *_by_links(site)])
    yield chain(version, "filter", "FORWARD", _site_forward(site, version))


def segments(site: Site, version: int) -> tuple[str, str]:
    """Return the match on packets that say how large segments may be, and the target that makes these fit.

    Both ends of a connection send segments that fit every tunnel of the site, since packets may use any.
    """
    size = min(wan.tunnel_mtu for wan in site.tunnelled) - HEADERS[version]
    return OPENING, f"-j TCPMSS --set-mss {size}"


def _clamp_direct(site: Site, version: int) -> Iterator[str]:
    """So do those that a LAN has by a link which takes less than a LAN does, since providers often lose the messages on
    what does not fit."""
    if not site.leaves(version):
        return
    for wan in site.exits:
        for interface in site.lan_interfaces if wan.mtu < ETHERNET else ():
            for ways in (f"-i {interface} -o {wan.device}", f"-i {wan.device} -o {interface}"):
                yield f"{ways} {OPENING} -j TCPMSS --set-mss {wan.mtu - HEADERS[version]}"


def _site_nat(site: Site) -> Iterator[str]:
    """LANs leave tunnels as the extruded address, hosts that own one as they are; both leave a link as its address.

    Nothing else is touched: what an IPsec policy of the admin's is about to encrypt, and other LANs. The kernel forgets
    a masqueraded connection when its link goes (nf_nat_masquerade.c), so what goes on then begins anew by what is left.
    """
    yield NOT_IPSEC
    for _interface, network in site.routed(4):
        yield f"-s {network} -o ex-+ -j ACCEPT"
    yield from _firewall_forwards.sources(site)
    for address in dict.fromkeys(address for lan in site.lans if lan.mode == "nat" for address in lan.addresses):
        yield f"-o ex-+ {FORWARDED} -j SNAT --to-source {address.ip}"
    if site.lans or site.listed(4):
        yield from _by_links(site)


def _by_links(site: Site) -> Iterator[str]:
    for wan in site.exits:
        yield f"-o {wan.device} {match(direct_mark(wan.slot))} -j MASQUERADE"


def _site_forward(site: Site, version: int) -> Iterator[str]:
    """LANs may open connections through tunnels; from outside only those to hosts that own an address, or that the
    admin has sent on (DNAT), come in."""
    yield f"-i ex-+ {REPLIES} -j ACCEPT"
    for interface, network in site.routed(version):
        yield f"-d {network} -i ex-+ -o {interface} -j ACCEPT"
    yield from _firewall_forwards.admitted(site) if version == 4 else _refused(site)
    yield "-i ex-+ -m conntrack ! --ctstate DNAT -j DROP"
    for interface in site.lan_interfaces:
        yield f"-i {interface} -o ex-+ -j ACCEPT"


def _refused(site: Site) -> Iterator[str]:
    """Where main has a link for IPv6 that is no exit, senders are told, and nobody has to wait; the guard would drop it
    without a word."""
    for wan in site.wans if site.leaves(6) else ():
        for source in sources(site, 6) if not wan.is_exit else ():
            others = f"-m mark ! --mark {direct_mark(wan.slot):#x}/{MASK:#x} -m policy --dir out --pol none"
            yield f"{source} -o {wan.device} {others} -j REJECT --reject-with icmp6-no-route"
