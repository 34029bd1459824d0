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
"""What every colo calls itself; a site knows it by the secret, or by its certificate."""
AUTHORITY = "ca.extrude"
"""What the certificate of every authority calls itself. No other one that a host trusts can open our links."""
DEAD = "10s"
"""A peer that has said nothing for that long is asked whether it lives."""
# a packet for the tunnel makes the site call, and it calls as soon as the connection is there
CALLS = {"start_action": "trap|start", "dpd_action": "start", "close_action": "start"}
WAITS = {"start_action": "none", "dpd_action": "clear", "close_action": "none"}
REPLAY_WINDOW = "2048"
"""Packets: those that a queue lets others overtake have their numbers already, and strongSwan's 32 would cost them."""


def site_connections(site: Site, colo: Colo) -> Iterator[Plain]:
    """Yield the connections of a site's router."""
    for wan in site.encrypted:
        far, near = outside(site, colo, wan)
        child = {"local_ts": [f"{near}/32[gre]"], "remote_ts": [f"{far}/32[gre]"], **CALLS}
        ends = {
            "local_addrs": wan.source,
            "remote_addrs": str(colo.address.ip),
            "local": _end(site, caller(site, wan)),
            "remote": _far_end(site, COLO),
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
            "local": _end(site, COLO),
            "remote": _far_end(site, caller(site, wan)),
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


def site_certificate(site: Site, colo: Colo) -> Plain | None:
    """Return the names that a site's certificate is made out to, and whose authority signs it; None without one."""
    names = [caller(site, wan) for wan in site.encrypted]
    return {"subject": household(site), "names": names, "colo": colo.name} if site.certified else None


def colo_certificate(site: Site, colo: Colo) -> Plain | None:
    """Return the same of the colo's certificate; None where this site needs none."""
    return {"subject": COLO, "names": [COLO], "colo": colo.name} if site.certified else None


def _end(site: Site, name: str) -> Plain:
    # the daemon finds a certificate by the name in it: one that is renewed needs no other connection
    return {"auth": "pubkey" if site.certified else "psk", "id": name}


def _far_end(site: Site, name: str) -> Plain:
    return {**_end(site, name), **({"ca_id": AUTHORITY} if site.certified else {})}


def _connection(name: str, site: Site, ends: Plain, child: Plain) -> Plain:
    settings = {
        "version": "2",
        **ends,
        "proposals": list(site.proposals.ike),
        "mobike": "no",  # with it a connection could move to another link, and stay there
        "keyingtries": "0",
        "dpd_delay": DEAD,
        "children": {
            name: {"mode": "beet", **child, "esp_proposals": list(site.proposals.esp), "replay_window": REPLAY_WINDOW}
        },
    }
    return {"name": name, "settings": settings}
