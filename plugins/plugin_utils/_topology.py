# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to the states of its hosts.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.multihome.extrude.plugins.plugin_utils._checks import check_inventory, warnings
from ansible_collections.multihome.extrude.plugins.plugin_utils._colo_state import colo_state
from ansible_collections.multihome.extrude.plugins.plugin_utils._endpoint import reports
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_inventory import Groups, HostVars, read_inventory
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain, inside
from ansible_collections.multihome.extrude.plugins.plugin_utils._site_state import site_state
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import DETECT

if TYPE_CHECKING:
    from netaddr import IPNetwork

    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Inventory, Numbers, Site, Wan


DRILL, LONGEST_WAIT = 5.0, 600.0
"""Seconds that a link is dead in a drill, unless that is found out too slowly; and how long to wait at most."""
MARGIN = 15
"""Seconds that a link may take to come back after it was held down."""


class _Made(NamedTuple):
    """A site, its colo, and what both should hold."""

    site: Site
    colo: Colo
    site_state: Plain
    colo_state: Plain


def topology(
    hostvars: HostVars, groups: Groups, batch: Iterable[str] | None = None, warn: Callable[[str], object] = str
) -> dict[str, Any]:
    """Return the states of the sites in `batch` (default: all) and of their colos, and what to verify of them.

    The whole inventory is checked, whatever the batch; a TopologyError says all that is wrong with it. What is only odd
    goes to `warn` (default: nowhere).
    """
    problems = Problems()
    inventory = read_inventory(hostvars, groups, problems)
    check_inventory(inventory, problems)
    sites = list(_chosen(inventory, batch, problems))
    problems.raise_if_any()
    for text in warnings(inventory):
        warn(text)
    made = [
        _Made(site, colo := inventory.colos[site.colo], site_state(site, colo), colo_state(site, colo))
        for site in sites
    ]
    colos: dict[str, list[Plain]] = {}
    for one in made:
        colos.setdefault(one.colo.name, []).append(one.colo_state)
    return {
        "colos": colos,
        "sites": {one.site.name: one.site_state for one in made},
        "checks": {one.site.name: _verified(one) for one in made},
        "drills": {one.site.name: _drilled(one.site, one.colo) for one in made},
        "reporting": {site.name: site.colo for site in sites if reports(site)},
        "spread": [site.name for site in sites if site.balance.wanted],
        "waiting": [site.name for site in sites if site.balance.wanted and not site.packet],
        "customers": {site.name: site.customer for site in inventory.sites.values()},
        "homes": {site.name: site.colo for site in inventory.sites.values()},
    }


def _chosen(inventory: Inventory, batch: Iterable[str] | None, problems: Problems) -> Iterator[Site]:
    """Yield the sites of the batch in its order."""
    for name in inventory.sites if batch is None else batch:
        if name in inventory.sites:
            yield inventory.sites[name]
        else:
            problems.add(str(name), "batch", "is not in the group extrude_sites; give hosts of that group only")


def _verified(made: _Made) -> Plain:
    """Return what the role verify needs: options of tunnel_probe, and the routes to find, at both ends."""
    site, colo = made.site, made.colo
    token = f"extrude-{site.number}"
    return {
        "colo": colo.name,
        "token": token,
        "packet": site.balance.wanted,
        "dynamic": [wan.name for wan in site.tunnelled if wan.dynamic],
        "tunnels": [_probed(site, colo, wan) for wan in site.tunnelled],
        "observe": [{"device": site.colo_device(wan), "token": token} for wan in site.tunnelled],
        "routes": {
            "site": _routed(made.site_state, {wan.tunnel: wan.name for wan in site.tunnelled}, site.numbers),
            "colo": _routed(made.colo_state, {site.colo_device(wan): wan.name for wan in site.tunnelled}, colo.numbers),
        },
    }


def _probed(site: Site, colo: Colo, wan: Wan) -> Plain:
    """Return what to probe at the site's end of a tunnel."""
    remote, local = inside(site, colo, wan, 4)
    far6 = {"remote6": inside(site, colo, wan, 6)[0]} if 6 in site.versions else {}
    link = {} if wan.dynamic else {"link": wan.interface}
    tunnel = {"wan": wan.name, "device": wan.tunnel, "local": local, "remote": remote, "mtu": wan.tunnel_mtu}
    return {**tunnel, "sources": _extruded_sources(site), **far6, **link}


def _routed(state: Plain, wans: dict[str, str], numbers: Numbers) -> Plain:
    """Return the routes over the tunnels, whose WANs are `wans`, and the table where BIRD's stand for them."""
    routes = [
        route
        for route in state["routes"]
        if route["table"] == numbers.static and all(hop["device"] in wans for hop in route["nexthops"])
    ]
    destinations = list(dict.fromkeys(route["destination"] for route in routes))
    return {
        "live": numbers.live,
        "table": numbers.static,
        "wans": wans,
        "destinations": destinations,
        "routes": routes,
    }


def _drilled(site: Site, colo: Colo) -> Plain:
    """Return what the role drill needs: options of the module path_drill at the site and at its colo."""
    ends: dict[str, list[Plain]] = {"site": [], "colo": []}
    for wan in site.tunnelled:
        far, near = inside(site, colo, wan, 4)
        ends["site"].append({"wan": wan.name, "device": wan.tunnel, "local": near, "remote": far})
        ends["colo"].append({"wan": wan.name, "device": site.colo_device(wan), "local": far, "remote": near})
    extruded, own = _extruded_source(site), str(colo.address.ip)
    return {
        "colo": colo.name,
        "links": {wan.name: _drill_times(wan) for wan in site.tunnelled},
        "site_end": {"source": extruded, "destination": own, "tunnels": ends["site"]},
        "colo_end": {"source": own, "destination": extruded, "tunnels": ends["colo"]},
    }


def _drill_times(wan: Wan) -> Plain:
    """Return for how many seconds a link is dead in a drill, at least and by default, and how long to wait for it."""
    least = 2 * (wan.detect or DETECT) / 1000  # twice the time in which it is found out
    return {"least": least, "seconds": max(DRILL, least), "return": min(LONGEST_WAIT, wan.hold_down_max + MARGIN)}


def _extruded_sources(site: Site) -> list[str]:
    """Return an address of each entry of the site: one that its router holds, else the first that a host can have."""
    return [_address_of(claim.network, site.held) for claim in site.claims]


def _address_of(network: IPNetwork, held: Iterable[IPNetwork]) -> str:
    for address in held:
        if address.version == network.version and network.first <= address.first <= network.last:
            return str(address.ip)
    return str(network.ip if network.size <= 2 else network.ip + 1)


def _extruded_source(site: Site) -> str | None:
    """Return an extruded IPv4 address of the site, one that its router holds where there is one."""
    network: IPNetwork | None = next(iter([*site.holds(4), *site.claimed(4)]), None)
    return None if network is None else _address_of(network, site.held)
