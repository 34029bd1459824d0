# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks between hosts: what is claimed twice, and what a colo doesn't have. All are linear, but for one sort.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._numbers import sites_in
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_limit import VARIABLE as LIMIT
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import (
    MAX_SITE_ID,
    Claim,
    Colo,
    Inventory,
    Site,
)

if TYPE_CHECKING:
    from netaddr import IPNetwork


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The first and last address of a claim, in the order in which claims are compared."""

    version: int
    first: int
    last: int
    position: int
    site: str
    path: str
    text: str


def check_inventory(inventory: Inventory, problems: Problems) -> None:
    """Note what is wrong between hosts."""
    _check_colos(inventory, problems)
    at: dict[str, list[Site]] = {}
    for site in inventory.sites.values():
        at.setdefault(site.colo or f"unknown colo of {site.name}", []).append(site)
    for name, sites in at.items():
        spans = _spans(sites)
        _check_overlaps(spans, problems)
        if name in inventory.colos:
            colo = inventory.colos[name]
            _check_numbers(sites, colo, problems)
            _check_space(sites, colo, problems)
            _check_limits(sites, colo, problems)
            _check_direct(sites, colo, problems)
            _check_forwards(sites, colo, problems)
            _check_endpoints(sites, spans, colo, problems)


def warnings(inventory: Inventory) -> Iterator[str]:
    """Yield what is allowed and hardly meant: customers of whom one lists the other, and not the other way round."""
    told: set[tuple[str, str, str]] = set()
    lists: dict[tuple[str, str], set[str]] = {}
    for site in inventory.sites.values():
        lists.setdefault((site.colo, site.customer), set()).update(site.peers)
    for site in inventory.sites.values():
        for peer in site.peers:
            pair = (site.colo, site.customer, peer)
            if pair not in told and site.customer not in lists.get((site.colo, peer), {site.customer}):
                told.add(pair)
                text = f"{peer} has sites at {site.colo}, and none of them lists {site.customer}"
                yield f"{site.name}: extrude_peers: {text}: they stay apart until one does"


def _check_colos(inventory: Inventory, problems: Problems) -> None:
    """Note each colo with the address of another."""
    owners: dict[int, str] = {}
    for colo in inventory.colos.values():
        value = colo.address.first
        if value and (owner := owners.setdefault(value, colo.name)) != colo.name:
            problems.add(colo.name, "extrude_colo_address", f"{colo.address.ip} is also that of {owner}; give its own")


def _spans(sites: Sequence[Site]) -> list[Span]:
    """Return the claims of all sites, sorted by address."""
    claims = [(site.name, claim) for site in sites for claim in site.claims]
    return sorted(
        Span(
            version=claim.network.version,
            first=claim.network.first,
            last=claim.network.last,
            position=position,
            site=site,
            path=claim.path,
            text=_address.name(claim.network),
        )
        for position, (site, claim) in enumerate(claims)
    )


def _check_overlaps(spans: Sequence[Span], problems: Problems) -> None:
    """Note each claim that overlaps another: at the one that comes later in the inventory."""
    reach: Span | None = None
    for span in spans:
        if reach and reach.version == span.version and span.first <= reach.last:
            early, late = sorted((reach, span), key=lambda one: one.position)
            relation = "is claimed twice:" if early.text == late.text else f"overlaps {early.text}:"
            text = f"{late.text} {relation} {early.site} has that in {early.path}"
            problems.add(late.site, late.path, f"{text}; leave one of both out")
        if not reach or (span.version, span.last) > (reach.version, reach.last):
            reach = span


def _check_numbers(sites: Sequence[Site], colo: Colo, problems: Problems) -> None:
    """Note each site id that is not unique at the colo, or that has no room in its inside pools."""
    owners: dict[int, str] = {}
    taken = {site.number for site in sites}
    free = (str(number) for number in range(1, MAX_SITE_ID + 1) if number not in taken)
    room, room6, encrypted = sites_in(colo.pool), sites_in(colo.pool6), sites_in(colo.ipsec_pool)
    for site in sites:
        if not site.number:
            continue
        if (owner := owners.setdefault(site.number, site.name)) != site.name:
            text = f"{site.number} is also that of {owner} at {colo.name}; the next free one is {next(free, 'none')}"
            problems.add(site.name, "extrude_site_id", text)
        if site.number > room:
            _add_no_room(site, colo, "extrude_inside_pool", colo.pool, room, problems)
        if site.number > room6 and site.claimed(6):
            _add_no_room(site, colo, "extrude_inside_pool6", colo.pool6, room6, problems)
        if site.number > encrypted and site.encrypted:
            _add_no_room(site, colo, "extrude_ipsec_pool", colo.ipsec_pool, encrypted, problems)


def _add_no_room(site: Site, colo: Colo, key: str, pool: IPNetwork, room: int, problems: Problems) -> None:
    held = f"room for site ids 1 to {room}" if room else "room for no site"
    what = "inside addresses" if "inside" in key else "addresses for encrypted tunnels"
    text = f"{site.number} has no {what}: {key} of {colo.name}, {pool}, has {held}"
    problems.add(site.name, "extrude_site_id", text)


def _check_space(sites: Sequence[Site], colo: Colo, problems: Problems) -> None:
    """Note each claim that the colo can't extrude. Where its prefixes have a problem, all is let through."""
    prefixes = ", ".join(_address.name(prefix) for prefix in colo.prefixes)
    for site in sites:
        for claim in site.claims:
            what = _address.name(claim.network)
            around = [prefix for prefix in colo.prefixes if _covers(prefix, claim.network)]
            if colo.prefixes and not around:
                text = f"{what} is outside the extrude_prefixes of {colo.name}; give one in {prefixes}"
                problems.add(site.name, claim.path, text)
            elif reason := _unusable(claim, colo, around):
                problems.add(site.name, claim.path, f"{what} {reason}; give another")


def _check_limits(sites: Sequence[Site], colo: Colo, problems: Problems) -> None:
    """Note each site whose limit is another than that of its customer's first site: they share one."""
    firsts: dict[str, Site] = {}
    for site in sites:
        first = firsts.setdefault(site.customer, site)
        if site.customer and site.limit != first.limit:
            text = f"is {site.limit}, and {first.name} of the same customer at {colo.name} has {first.limit}"
            problems.add(site.name, LIMIT, f"{text}; give all sites of {site.customer} there the same")


def _check_direct(sites: Sequence[Site], colo: Colo, problems: Problems) -> None:
    """Note what is listed as direct and never is, since only the tunnels lead there."""
    for site in sites:
        for one in site.direct:
            for network, path in zip(one.destinations, one.destination_paths, strict=True):
                if owner := _beyond(colo, network):
                    text = f"{_address.name(network)} is {owner}, which the tunnels lead to"
                    problems.add(site.name, path, f"{text}; leave it out")


def _check_forwards(sites: Sequence[Site], colo: Colo, problems: Problems) -> None:
    """Note what leads to the colo, or back into the extruded space; what the site itself has there is told already."""
    pools = (("extrude_inside_pool", colo.pool), ("extrude_ipsec_pool", colo.ipsec_pool))
    for site in sites:
        for forward in site.forwards:
            if any(_covers(claim.network, forward.to) for claim in site.claims):
                continue
            inside = (f"in the {key} of {colo.name}, {pool}" for key, pool in pools if _covers(pool, forward.to))
            if owner := _beyond(colo, forward.to) or next(inside, ""):
                text = f"{forward.to.ip} is {owner}; give the address of a host on a LAN"
                problems.add(site.name, f"{forward.path}.to", text)


def _beyond(colo: Colo, network: IPNetwork) -> str:
    """Say what a network is at the colo where only the tunnels lead to it; "" elsewhere."""
    if not any(_covers(other, network) for other in colo.beyond):
        return ""
    return f"{'the extrude_colo_address' if network == colo.address else 'in the extrude_prefixes'} of {colo.name}"


def _unusable(claim: Claim, colo: Colo, around: Sequence[IPNetwork]) -> str:
    """Return why no site can have what is claimed; "" where one can."""
    network = claim.network
    if _address.overlap(network, colo.address):
        is_it = "is" if _address.is_single(network) else "holds"
        return f"{is_it} the colo's own address, the extrude_colo_address of {colo.name}"
    if not _address.is_single(network):
        return ""
    for prefix in around:
        if prefix.size > 2 and network.value == prefix.first:
            return f"is the address of the network {prefix} itself"
        if prefix.size > 2 and network.version == 4 and network.value == prefix.last:
            return f"is the broadcast address of {prefix}"
    return ""


def _check_endpoints(sites: Sequence[Site], spans: Sequence[Span], colo: Colo, problems: Problems) -> None:
    """Note each address of a link that is someone else's: the outer address of a tunnel is on one host only."""
    starts = [(span.version, span.first) for span in spans]
    owners = {colo.address.first: f"the extrude_colo_address of {colo.name}"}
    for site in sites:
        near: dict[int, str] = {}
        for wan in site.wans:
            value = int(wan.address.ip)
            if not value:
                continue
            mine = f"that of {site.name} in {wan.path}"
            owner = near.setdefault(value, mine)
            if owner == mine and not wan.nat:  # behind NAT links of many sites may have the same one
                owner = owners.setdefault(value, mine)
            before = bisect_right(starts, (4, value))
            if before and spans[before - 1].version == 4 and value <= spans[before - 1].last:
                owner = f"extruded to {spans[before - 1].site}"
            elif colo.pool.first <= value <= colo.pool.last:
                owner = f"in the extrude_inside_pool of {colo.name}, {colo.pool}"
            elif colo.ipsec_pool.first <= value <= colo.ipsec_pool.last:
                owner = f"in the extrude_ipsec_pool of {colo.name}, {colo.ipsec_pool}"
            if owner != mine:
                problems.add(site.name, f"{wan.path}.address", f"{wan.address.ip} is also {owner}; give the link's own")


def _covers(prefix: IPNetwork, network: IPNetwork) -> bool:
    """Tell whether all of a network is in a prefix."""
    return bool(prefix.version == network.version and prefix.first <= network.first and network.last <= prefix.last)
