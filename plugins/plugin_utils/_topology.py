# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory to the states of its hosts.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._address import is_single
from ansible_collections.multihome.extrude.plugins.plugin_utils._checks import check_inventory
from ansible_collections.multihome.extrude.plugins.plugin_utils._colo_state import colo_state
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_inventory import Groups, HostVars, read_inventory
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain, inside
from ansible_collections.multihome.extrude.plugins.plugin_utils._site_state import site_state

if TYPE_CHECKING:
    from netaddr import IPNetwork

    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Inventory, Site


def topology(hostvars: HostVars, groups: Groups, batch: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the states of the sites in `batch` (default: all) and of their colos, and what to verify of them.

    The whole inventory is checked, whatever the batch; a TopologyError says all that is wrong with it.
    """
    problems = Problems()
    inventory = read_inventory(hostvars, groups, problems)
    check_inventory(inventory, problems)
    sites = list(_chosen(inventory, batch, problems))
    problems.raise_if_any()
    pairs = [(site, inventory.colos[site.colo]) for site in sites]
    colos: dict[str, list[Plain]] = {}
    for site, colo in pairs:
        colos.setdefault(colo.name, []).append(colo_state(site, colo))
    return {
        "colos": colos,
        "sites": {site.name: site_state(site, colo) for site, colo in pairs},
        "checks": {site.name: _verified(site, colo) for site, colo in pairs},
        "drills": {site.name: _drilled(site, colo) for site, colo in pairs},
    }


def _chosen(inventory: Inventory, batch: Iterable[str] | None, problems: Problems) -> Iterator[Site]:
    """Yield the sites of the batch in its order."""
    for name in inventory.sites if batch is None else batch:
        if name in inventory.sites:
            yield inventory.sites[name]
        else:
            problems.add(str(name), "batch", "is not in the group extrude_sites; give hosts of that group only")


def _verified(site: Site, colo: Colo) -> Plain:
    """Return what the role verify needs: options of the module tunnel_probe at the site and at its colo."""
    source = _extruded_source(site)
    token = f"extrude-{site.number}"
    pairs = [(wan, inside(site, colo, wan, 4)) for wan in site.wans]
    return {
        "colo": colo.name,
        "token": token,
        "tunnels": [
            {
                "wan": wan.name,
                "device": wan.tunnel,
                "local": local,
                "remote": remote,
                "mtu": wan.tunnel_mtu,
                "source": source,
            }
            for wan, (remote, local) in pairs
        ],
        "observe": [{"device": site.colo_device(wan), "token": token} for wan in site.wans],
    }


def _drilled(site: Site, colo: Colo) -> Plain:
    """Return what the role drill needs: options of the module path_drill at the site and at its colo."""
    ends: dict[str, list[Plain]] = {"site": [], "colo": []}
    for wan in site.wans:
        far, near = inside(site, colo, wan, 4)
        ends["site"].append({"wan": wan.name, "device": wan.tunnel, "local": near, "remote": far})
        ends["colo"].append({"wan": wan.name, "device": site.colo_device(wan), "local": far, "remote": near})
    extruded, own = _extruded_source(site), str(colo.address.ip)
    return {
        "colo": colo.name,
        "wans": [wan.name for wan in site.wans],
        "site_end": {"source": extruded, "destination": own, "tunnels": ends["site"]},
        "colo_end": {"source": own, "destination": extruded, "tunnels": ends["colo"]},
    }


def _extruded_source(site: Site) -> str | None:
    """Return an extruded IPv4 address of the site: one that its router holds, else the first that a host can have."""
    network: IPNetwork | None = next(iter([*site.holds(4), *site.claimed(4)]), None)
    if network is None:
        return None
    return str(network.ip if is_single(network) or network.size == 2 else network.ip + 1)
