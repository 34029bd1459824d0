# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connections of strongSwan, one for each encrypted tunnel, in the words of swanctl.conf(5).

A connection carries the GRE packets of its tunnel and nothing else, in BEET mode (draft-nikander-esp-beet-mode), which
leaves the tunnel's addresses out of the packets. The site calls, from whatever address its link has, and the colo takes
who knows the secret; so a moved link or a NAT on the way changes nothing at the colo.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain, outside

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site, Wan

COLO = "colo.extrude"
"""What every colo calls itself; a site knows it by the secret."""
DEAD = "10s"
"""A peer that has said nothing for that long is asked whether it lives."""
# a packet for the tunnel makes the site call, and it calls as soon as the connection is there
CALLS = {"start_action": "trap|start", "dpd_action": "start", "close_action": "start"}
WAITS = {"start_action": "none", "dpd_action": "clear", "close_action": "none"}


def site_connections(site: Site, colo: Colo) -> Iterator[Plain]:
    """Yield the connections of a site's router."""
    for wan in site.encrypted:
        far, near = outside(site, colo, wan)
        child = {"local_ts": [f"{near}/32[gre]"], "remote_ts": [f"{far}/32[gre]"], **CALLS}
        ends = {
            "local_addrs": wan.source,
            "remote_addrs": str(colo.address.ip),
            "local": {"auth": "psk", "id": caller(site, wan)},
            "remote": {"auth": "psk", "id": COLO},
        }
        yield _connection(wan.tunnel, site, ends, child)


def colo_connections(site: Site, colo: Colo) -> Iterator[Plain]:
    """Yield a site's connections at its colo."""
    for wan in site.encrypted:
        near, far = outside(site, colo, wan)
        child = {"local_ts": [f"{near}/32[gre]"], "remote_ts": [f"{far}/32[gre]"], **WAITS}
        ends = {
            "local_addrs": str(colo.address.ip),
            "remote_addrs": "%any",
            "local": {"auth": "psk", "id": COLO},
            "remote": {"auth": "psk", "id": caller(site, wan)},
        }
        yield _connection(site.colo_device(wan), site, ends, child)


def caller(site: Site, wan: Wan) -> str:
    """Return what a link calls itself: each has its own name, since who calls by a name ends what had it before."""
    return f"{wan.name}.{household(site)}"


def household(site: Site) -> str:
    """Return what the names of all links of a site end in."""
    return f"{site.number}.{site.customer}.extrude"


def secret(site: Site) -> Plain:
    """Return what the secret of a site is called on both hosts, and the names that it stands for."""
    return {"site": f"{site.customer}.{site.number}", "links": f"*.{household(site)}"}


def _connection(name: str, site: Site, ends: Plain, child: Plain) -> Plain:
    settings = {
        "version": "2",
        **ends,
        "proposals": list(site.proposals.ike),
        "mobike": "no",  # with it a connection could move to another link, and stay there
        "keyingtries": "0",
        "dpd_delay": DEAD,
        "children": {name: {"mode": "beet", **child, "esp_proposals": list(site.proposals.esp)}},
    }
    return {"name": name, "settings": settings}
