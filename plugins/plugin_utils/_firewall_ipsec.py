# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps encrypted tunnels closed while they are not encrypted, in the words that iptables-save prints.

Both ends of such a tunnel are addresses of a pool that is used for nothing else, so a few rules do for any number of
them: what comes from the pool or goes to it without an IPsec policy is dropped, whether IKE is up, down, or not there.
What was decrypted for an address that this host does not hold, not yet or not any more, would be sent on in the clear.
So would be what an administrator's rule gives another source on its way out, since it fits no policy any more: nothing
translates a packet that isn't tracked.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import Part

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site

CLEAR = "-m policy --dir {way} --pol none"
UNTRACKED = "-j CT --notrack"


def protection(site: Site, colo: Colo) -> Iterator[Part]:
    """Yield what either end needs. It stands in the table raw, before whatever an admin lets through."""
    if not site.encrypted:
        return
    pool = colo.ipsec_pool
    comes, leaves = CLEAR.format(way="in"), CLEAR.format(way="out")
    elsewhere = f"-d {pool} -m addrtype ! --dst-type LOCAL -j DROP"
    clear = [f"-s {pool} {comes} -j DROP", f"-d {pool} ! -i lo {comes} -j DROP", elsewhere]
    yield Part.at("PREROUTING", [*clear, f"-s {pool} {UNTRACKED}"])
    yield Part.at("OUTPUT", [f"-d {pool} ! -o lo {leaves} -j DROP", f"-d {pool} {UNTRACKED}"])
