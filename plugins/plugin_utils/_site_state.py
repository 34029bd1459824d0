# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a site's router.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _endpoint, _living
from ansible_collections.multihome.extrude.plugins.plugin_utils._bird import file_name, site_files
from ansible_collections.multihome.extrude.plugins.plugin_utils._chains import joined
from ansible_collections.multihome.extrude.plugins.plugin_utils._domains import resolvers, sets
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall import site_chains
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_input import site_input
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_ipsec import protection
from ansible_collections.multihome.extrude.plugins.plugin_utils._ipsec import secret, site_certificate, site_connections
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import DIRECT, MASK, direct_mark
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
from ansible_collections.multihome.extrude.plugins.plugin_utils._sysctls import common, loose, sysctl

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site, Wan

MAIN, LOCAL = 254, 255
WAN_GROUP = 4200
"""The link group of the WANs' interfaces, by which a rule leaves out their routes (ip-rule(8))."""
DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
BY_WANS = {"suppress_ifgroup": 0}
"""What a rule that takes main's routes by WANs only leaves out: those by devices in no group. An uplink that the
inventory does not know has no guard that keeps extruded sources in."""
UNBOUND = "0.0.0.0/32"
"""The source of what the router itself sends before it has chosen one (fib4_rule_match)."""


def site_state(site: Site, colo: Colo) -> Plain:
    """Return the kernel objects that the router of a site should hold."""
    base, rules = site.numbers, list(_rules(site, colo))
    return {
        "schema": 1,
        "customer": site.customer,
        "site": site.name,
        "renumber": site.renumber,
        "tunnels": [
            # bound to the link: without a route of its own it must not leave by another provider
            {**tunnel(wan.tunnel, *_ends(site, colo, wan), site, wan), "device": wan.device}
            for wan in site.tunnelled
        ],
        "secret": secret(site),
        "certificate": site_certificate(site, colo),
        "connections": list(site_connections(site, colo)),
        "groups": [{"device": wan.device, "group": WAN_GROUP} for wan in site.wans],
        "delays": [
            {"device": wan.tunnel, "delay": held.site} for wan in site.tunnelled if (held := site.held_back(wan)).site
        ],
        **_shaping(site),
        "addresses": list(_addresses(site, colo)),
        "proxies": [],
        "routes": [*_wan_routes(site), *_direct_routes(site), *_extruded_routes(site, colo), *_far_routes(site, colo)],
        "rules": rules,
        "sysctls": list(_sysctls(site)),
        "sets": sets(site),
        "resolvers": resolvers(site),
        "chains": [
            *(chain for version in site.versions for chain in site_chains(site, colo, version)),
            *(site_input(site, colo, version) for version in sorted({4, *site.versions})),
            *joined(4, "raw", protection(site, colo)),
        ],
        "files": [
            *site_files(site, colo),
            *_living.files(site, colo),
            *standby_files(file_name(site), rules),
            *_endpoint.site_files(site, colo),
        ],
        "links": [_link(wan) for wan in site.wans],
        "lans": site.lan_interfaces,
        "expects": [_expected(site, wan) for wan in site.wans if not wan.dynamic],
        "reserved": {
            "tables": [*base.shared, *_own_tables(site)],
            "priorities": base.priorities,
        },
    }


def _shaping(site: Site) -> Plain:
    """What is sent by a link waits there, what has come in by it on a device of ours."""
    up = [(wan, shape) for wan in site.wans if (shape := wan.shape) and shape.up]
    down = [(wan, shape) for wan in site.wans if (shape := wan.shape) and shape.down]
    return {
        "dummies": [{"name": wan.entry, "kind": "ifb"} for wan, _shape in down],
        "shapers": [
            *({"device": wan.device, "rate": shape.up, "variable": shape.variable} for wan, shape in up),
            *(
                {"device": wan.entry, "rate": shape.down, "received": True, "variable": shape.variable}
                for wan, shape in down
            ),
        ],
        "redirects": [{"device": wan.device, "to": wan.entry, "variable": shape.variable} for wan, shape in down],
    }


def _own_tables(site: Site) -> list[int]:
    """The tables that a colo has not."""
    return [
        *([site.numbers.direct] if site.has_exit_table else []),
        *(site.numbers.wan(wan.slot) for wan in site.wans),
        *_living.tables(site),
    ]


def _ends(site: Site, colo: Colo, wan: Wan) -> tuple[str, str]:
    """The addresses between which a tunnel goes: the site's, the colo's."""
    far, near = outside(site, colo, wan) if wan.ipsec else (str(colo.address.ip), wan.source)
    return near, far


def _addresses(site: Site, colo: Colo) -> Iterator[Plain]:
    """The site's ends of encrypted tunnels, its inside addresses, and extruded ones that the router holds itself."""
    for wan in site.encrypted:
        yield {"device": "lo", "address": f"{outside(site, colo, wan)[1]}/32"}
    for wan in site.tunnelled:
        yield {"device": wan.tunnel, "address": f"{inside(site, colo, wan, 4)[1]}/31"}
        if 6 in site.versions:
            yield {"device": wan.tunnel, "address": f"{inside(site, colo, wan, 6)[1]}/127"}
    for network in site.held:
        yield {"device": "lo", "address": str(network)}


def _link(wan: Wan) -> Plain:
    """What the host needs to find a WAN, and why nobody may have to be told of its address: its tunnel is encrypted, or
    it has none."""
    known = {
        "address": None if wan.dynamic else wan.source,
        "match": wan.match,
        "encrypted": wan.ipsec,
        "use": None if wan.use == "both" else wan.use,
    }
    return {"wan": wan.name, "interface": wan.interface, **{key: value for key, value in known.items() if value}}


def _expected(site: Site, wan: Wan) -> Plain:
    """What the host has to see of a static WAN before a change."""
    held = {"device": wan.device, "address": wan.source}
    gateway = {"gateway": wan.router, "variable": f"{site.name}: {wan.path}.gateway"}
    return held if site.take_over else {**held, **gateway}


def _wan_routes(site: Site) -> Iterator[Plain]:
    """The table of each WAN: its own network, its gateway, and by that all else."""
    for wan in site.wans:
        table, device = site.numbers.wan(wan.slot), {"device": wan.device, "weight": 1}
        for destination in _on_link(wan):
            yield route(destination, table, [device], scope="link")
        yield route(DEFAULT[4], table, [{**device, "gateway": wan.router}])


def _direct_routes(site: Site) -> Iterator[Plain]:
    """The table of the exits together: what is kept off the tunnels leaves by these, by their weights."""
    if not site.has_exit_table:
        return
    for wan in site.exits:
        # the kernel takes a gateway that it finds in this table; two links may have gateways of one address
        yield route(f"{wan.router}/32", site.numbers.direct, [{"device": wan.device}], scope="link", metric=wan.slot)
    for metric, tier in tiers(site.exits, "down"):
        hops = [{"device": wan.device, "gateway": wan.router, "weight": weight} for wan, weight in tier]
        yield route(DEFAULT[4], site.numbers.direct, hops, metric=metric)


def _on_link(wan: Wan) -> Iterator[str]:
    """What a WAN reaches without a gateway: the kernel takes a gateway only where a link route leads to it."""
    if wan.dynamic:
        yield from (f"{{{wan.name}.network}}", f"{wan.router}/32")
        return
    has_network = wan.address.prefixlen < 32
    if has_network:
        yield str(wan.address.cidr)
    if not has_network or wan.gateway not in wan.address:
        yield str(wan.gateway)


def _extruded_routes(site: Site, colo: Colo) -> Iterator[Plain]:
    """To hosts that own an address by their LAN, to all else by the tunnels, and what is left without them."""
    numbers = site.numbers
    for version in site.versions:
        for interface, network in site.routed(version):
            device = {"device": interface, "weight": 1}
            yield route(str(network), numbers.live, [device], scope="link" if version == 4 else None)
        source = next((str(network.ip) for network in site.holds(version)), None)
        for metric, tier in tiers(site.tunnelled, "up"):
            hops = [nexthop(wan.tunnel, weight, inside(site, colo, wan, version)[0], version) for wan, weight in tier]
            yield route(DEFAULT[version], numbers.static, hops, metric=metric, source=source)
        if site.numbers.last in site.left(version):
            yield route(DEFAULT[version], numbers.last, [], type="unreachable")


def _far_routes(site: Site, colo: Colo) -> Iterator[Plain]:
    """The far ends are elsewhere, though a provider may give such an address to one of the links: the kernel would take
    what goes there for the router's own, by whatever link, and all tunnels would be dead."""
    if not any(wan.dynamic for wan in site.wans):
        return
    ends = {str(colo.address.ip)}
    for wan in site.tunnelled:
        ends |= {_ends(site, colo, wan)[1], inside(site, colo, wan, 4)[0]}
    yield from (route(f"{end}/32", LOCAL, [], type="throw") for end in sorted(ends))


def _rules(site: Site, colo: Colo) -> Iterator[Plain]:
    """Which table a packet goes by, the first that matches (the last part of a priority says its job).

    10: to what main has a route for, but for the default and the WANs' own networks. 15: to hosts that own an extruded
    address. 19: direct connections away from a dead WAN, and those that have none yet by those that live. 20: direct
    connections by their WAN, and those that have none yet by any; in IPv6 by main's. 30: from a WAN's own address by
    that WAN, and from the end of its tunnel where that is encrypted. 31 and 32: what is bound to a WAN's device, by
    main's ways there but for a default, and by that WAN. 41 to 56: slots of packet mode. 80 to 98: what belongs to the
    extruded space, in steps. All else keeps the way that main has, so that addresses and uplinks that the inventory
    does not know go on working.
    """
    first = site.numbers.priority
    yield from _living.rules(site)
    for wan in site.wans:
        by_wan = {"family": 4, "table": site.numbers.wan(wan.slot)}
        yield {**by_wan, "priority": first + 20, "mark": direct_mark(wan.slot), "mask": MASK}
        yield {**by_wan, "priority": first + 30, "source": f"{wan.source}/32"}
        # bound to the device, the router has no source yet, and without a way by it the kernel takes all for neighbours
        by_device = {**by_wan, "oif": wan.device}
        yield {**by_device, "priority": first + 31, "table": MAIN, "suppress_prefixlength": 0}
        yield {**by_device, "priority": first + 32}
        if wan.ipsec:
            yield {**by_wan, "priority": first + 30, "source": f"{outside(site, colo, wan)[1]}/32"}
    if site.listed(4):
        choose = {"mark": DIRECT, "mask": MASK}
        yield {"family": 4, "priority": first + 20, "table": site.numbers.direct, **choose}
    yield from _by_main(site)
    for version in sorted({4, *site.versions}):
        main = {"family": version, "table": MAIN}
        yield {**main, "priority": first + 10, "suppress_prefixlength": 0, "suppress_ifgroup": WAN_GROUP}
        for _interface, network in site.routed(version):
            to_host = {"family": version, "priority": first + 15, "destination": str(network)}
            yield {**to_host, "table": site.numbers.live}
        yield from slot_rules(site, site.numbers, version)
        for job, match in _extruded_matches(site, version):
            rule = {"family": version, "priority": first + job, **match}
            for step in steps(rule, site.numbers, _left(site, version, match.get("source", ""))):
                yield {**step, **BY_WANS} if step["table"] == MAIN else step
        if version == 6 and site.holds(6):
            # IPv6 rules see no unbound sender: the router speaks as main has it, else by its extruded address
            yield {**main, "priority": first + 90}
            rule = {"family": 6, "priority": first + 95, "iif": "lo"}
            yield from steps(rule, site.numbers, [site.numbers.last])


def _by_main(site: Site) -> Iterator[Plain]:
    """Direct connections of IPv6, whose gateways the inventory does not know: main says by which WAN."""
    if not site.leaves(6):
        return
    rule = {"family": 6, "priority": site.numbers.priority + 20, "table": MAIN, **BY_WANS}
    for mark in [*([DIRECT] if site.listed(6) else []), *(direct_mark(wan.slot) for wan in site.wans)]:
        yield {**rule, "mark": mark, "mask": MASK}


def _left(site: Site, version: int, source: str) -> list[int]:
    """The tables of what is left when no tunnel lives. In IPv6 a host that owns an address leaves by main's WAN; the
    router has addresses of its own there, and does not need one that is extruded."""
    tables = site.left(version)
    return tables if version == 4 or site.blocks(6) or source in map(str, site.holds(6)) else [MAIN, *tables]


def _extruded_matches(site: Site, version: int) -> Iterator[tuple[int, Plain]]:
    """What belongs to the extruded space: its sources, LANs with NAT, and the router itself."""
    for network in site.claimed(version):
        yield 80, {"source": str(network)}
    if version == 4:
        for interface in site.nat_interfaces:
            yield 90, {"iif": interface}
        if site.holds(4):
            yield 95, {"iif": "lo", "source": UNBOUND}


def _sysctls(site: Site) -> Iterator[Plain]:
    """The settings of the router."""
    if 6 in site.versions:
        # before forwarding, which would drop what WANs have learnt from router advertisements
        for wan in site.wans:
            yield sysctl(f"ipv6/conf/{wan.device}/accept_ra", "2")
    yield from common(site.versions, (wan.tunnel for wan in site.tunnelled))
    for wan in site.wans:
        yield loose(wan.device)
        # also where there is a way back for what is marked only
        yield sysctl(f"ipv4/conf/{wan.device}/src_valid_mark", "1")
        # without a carrier the link has no routes, so that what was direct there goes on by what is left
        yield sysctl(f"ipv4/conf/{wan.device}/ignore_routes_with_linkdown", "1")
        # of two links on one segment each answers for its own addresses only, not the one that is faster for both
        yield sysctl(f"ipv4/conf/{wan.device}/arp_ignore", "1")
        if site.leaves(6):
            yield sysctl(f"ipv6/conf/{wan.device}/ignore_routes_with_linkdown", "1")
