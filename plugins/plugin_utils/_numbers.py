# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that both ends derive from a site's number and a WAN's slot.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import MAX_SLOT

if TYPE_CHECKING:
    from netaddr import IPNetwork

TUNNELS = 4201
"""The link group of the tunnels at a colo, by which its firewall knows them."""
COMES = f"-m devgroup --src-group {TUNNELS:#x}"
GOES = f"-m devgroup --dst-group {TUNNELS:#x}"
"""The matches on what comes out of a tunnel and on what goes into one, as iptables-save prints them."""
ICMP = {4: "icmp", 6: "ipv6-icmp"}


def gre_key(site: int, slot: int) -> int:
    """Return the GRE key of a tunnel (RFC 2890), unique at a colo."""
    return site * MAX_SLOT + slot


def inside(pool: IPNetwork, site: int, slot: int) -> tuple[str, str]:
    """Return the inside addresses of colo and site.

    IPv4: the tunnel's /31 of the pool (RFC 3021). IPv6: the first /127 (RFC 6164) of the tunnel's /64 of the pool.
    """
    number = (site - 1) * MAX_SLOT + slot - 1
    first = pool.first + (number << (1 if pool.version == 4 else 64))
    return _address.address(first, pool.version), _address.address(first + 1, pool.version)


def inside_block(pool: IPNetwork, site: int) -> str:
    """Return the prefix of all inside addresses that a site can have."""
    first, _site = inside(pool, site, 1)
    return f"{first}/{27 if pool.version == 4 else 60}"


def sites_in(pool: IPNetwork) -> int:
    """Return how many sites an inside pool has room for: the highest site number that fits."""
    smallest = 31 if pool.version == 4 else 64
    return int(2 ** max(smallest - pool.prefixlen, 0)) // MAX_SLOT
