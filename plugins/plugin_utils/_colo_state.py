# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a colo for one of its sites.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _endpoint
from ansible_collections.multihome.extrude.plugins.plugin_utils._address import is_single
from ansible_collections.multihome.extrude.plugins.plugin_utils._bird import colo_files, file_name
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_colo import NOWHERE, colo_chains
from ansible_collections.multihome.extrude.plugins.plugin_utils._ipsec import colo_certificate, colo_connections, secret
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import MASK, SOURCES
from ansible_collections.multihome.extrude.plugins.plugin_utils._numbers import TUNNELS
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_limit import VARIABLE as LIMIT
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import (
    Plain,
    inside,
    nexthop,
    outside,
    route,
    slot_rules,
    tiers,
    tunnel,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._standby import standby_files, steps
from ansible_collections.multihome.extrude.plugins.plugin_utils._sysctls import common, sysctl

if TYPE_CHECKING:
    from netaddr import IPNetwork

    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site, Wan


def colo_state(site: Site, colo: Colo) -> Plain:
    """Return the kernel objects that the colo should hold for a site."""
    rules = [rule for version in site.versions for rule in _rules(site, colo, version)]
    return {
        "schema": 1,
        "customer": site.customer,
        "site": site.name,
        "renumber": site.renumber,
        "take_over": site.take_over,
        "tunnels": [tunnel(site.colo_device(wan), *_ends(site, colo, wan), site, wan) for wan in site.tunnelled],
        **_limits(site),
        "secret": secret(site),
        "certificate": colo_certificate(site, colo),
        "connections": list(colo_connections(site, colo)),
        "groups": [{"device": site.colo_device(wan), "group": TUNNELS} for wan in site.tunnelled],
        "delays": [
            {"device": site.colo_device(wan), "delay": held.colo}
            for wan in site.tunnelled
            if (held := site.held_back(wan)).colo
        ],
        "addresses": list(_addresses(site, colo)),
        "proxies": list(_proxies(site, colo)),
        "routes": list(_routes(site, colo)),
        "rules": rules,
        "sysctls": list(_sysctls(site, colo)),
        "chains": list(colo_chains(site, colo)),
        "files": [
            *colo_files(site, colo),
            *standby_files(file_name(site), rules),
            *_endpoint.colo_files(site, file_name(site)),
        ],
        "endpoints": [wan.name for wan in site.reporting],
        "expects": [{"address": str(colo.address.ip)}, *_segments(site, colo)],
        "reserved": {"tables": [*colo.numbers.shared, colo.numbers.sources], "priorities": colo.numbers.priorities},
    }


def _limits(site: Site) -> Plain:
    """What comes out of the tunnels of a customer goes by one device, what is sent into them by another: each lets no
    more through than may be. The device behind all tunnels has no part in that.

    What is dropped has not used the rack's link, so only what goes through counts.
    """
    variable = f"{site.name}: {LIMIT}"
    ways = [
        (site.limiter(letter), rate, sent)
        for letter, rate, sent in (("u", site.limit.up, False), ("d", site.limit.down, True))
        if rate
    ]
    return {
        "dummies": [{"name": NOWHERE}, *({"name": limiter, "kind": "ifb"} for limiter, _rate, _sent in ways)],
        "shapers": [{"device": limiter, "rate": rate, "variable": variable} for limiter, rate, _sent in ways],
        "redirects": [
            {"device": site.colo_device(wan), "to": limiter, "sent": sent, "variable": variable}
            for wan in site.tunnelled
            for limiter, _rate, sent in ways
        ],
    }


def _ends(site: Site, colo: Colo, wan: Wan) -> tuple[str, str]:
    """The addresses between which a tunnel goes: the colo's, the site's."""
    return outside(site, colo, wan) if wan.ipsec else (str(colo.address.ip), wan.endpoint)


def _addresses(site: Site, colo: Colo) -> Iterator[Plain]:
    """The colo's ends of encrypted tunnels, and its inside addresses."""
    for wan in site.encrypted:
        yield {"device": "lo", "address": f"{outside(site, colo, wan)[0]}/32"}
    for wan in site.tunnelled:
        device = site.colo_device(wan)
        yield {"device": device, "address": f"{inside(site, colo, wan, 4)[0]}/31"}
        if 6 in site.versions:
            yield {"device": device, "address": f"{inside(site, colo, wan, 6)[0]}/127"}


def _proxies(site: Site, colo: Colo) -> Iterator[Plain]:
    """The addresses that the colo answers ARP and NDP for: the kernel takes single ones only.

    IPv6 prefixes are too large for that; they have to be routed to the colo.
    """
    for network in _answered(site):
        for address in network:
            yield {"device": colo.interface, "address": str(address)}


def _answered(site: Site) -> Iterator[IPNetwork]:
    """What is extruded to the site and answered for at the colo."""
    for claim in site.claims:
        if claim.network.version == 4 or is_single(claim.network):
            yield claim.network


def _segments(site: Site, colo: Colo) -> Iterator[Plain]:
    """What the colo answers for has to be on that segment: elsewhere nobody would ask."""
    for network in () if site.take_over else _answered(site):
        variable = f"{colo.name}: extrude_colo_interface"
        yield {"network": str(network), "device": colo.interface, "variable": variable}


def _routes(site: Site, colo: Colo) -> Iterator[Plain]:
    """What is extruded to the site: over its tunnels, and behind them to where nothing leaves.

    And that it comes from any of its tunnels, in the table of sources.
    """
    ways = {version: list(_ways(site, colo, version)) for version in site.versions}
    for claim in site.claims:
        for metric, hops in ways[claim.network.version]:
            # what the colo itself says to the site comes from its public address, not from inside a tunnel
            source = str(colo.address.ip) if claim.network.version == 4 else None
            yield route(str(claim.network), colo.numbers.static, hops, metric=metric, source=source)
        yield route(str(claim.network), colo.numbers.last, [{"device": NOWHERE, "weight": 1}])
        version = claim.network.version
        legs = [
            nexthop(site.colo_device(wan), 1, inside(site, colo, wan, version)[1], version) for wan in site.tunnelled
        ]
        # a site may send by a tunnel that goes until it was told, too
        yield route(str(claim.network), colo.numbers.sources, legs, lasting=True)


def _ways(site: Site, colo: Colo, version: int) -> Iterator[tuple[int, list[Plain]]]:
    """The metric and the next hops of each tier."""
    for metric, tier in tiers(site.tunnelled, "down"):
        yield (
            metric,
            [
                nexthop(site.colo_device(wan), weight, inside(site, colo, wan, version)[1], version)
                for wan, weight in tier
            ],
        )


def _rules(site: Site, colo: Colo, version: int) -> Iterator[Plain]:
    """The rules that all sites share. None of main stands before them: the extruded addresses are on-link there."""
    asked = {"table": colo.numbers.sources, "mark": SOURCES, "mask": MASK}
    yield {"family": version, "priority": colo.numbers.priority + 5, **asked}
    yield from slot_rules(site, colo.numbers, version)
    yield from steps({"family": version, "priority": colo.numbers.priority + 90}, colo.numbers, [colo.numbers.last])


def _sysctls(site: Site, colo: Colo) -> Iterator[Plain]:
    """The settings of the colo."""
    yield from common(site.versions, map(site.colo_device, site.tunnelled))
    for version in site.versions:
        # the default lets the first answers wait for up to 0.8 s (arp(7), proxy_delay)
        yield sysctl(f"ipv{version}/neigh/{colo.interface}/proxy_delay", "0")
    if 6 in site.versions:
        yield sysctl(f"ipv6/conf/{colo.interface}/proxy_ndp", "1")
