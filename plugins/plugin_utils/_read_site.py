# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the variables of a site.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address, _kinds, _read_lans
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_balance import read_balance
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_colo import read_numbers
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_direct import read_direct
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_endpoint import read_endpoint
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_forwards import read_forwards
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_ipsec import read_certified, read_proposals
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_limit import read_limit
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_pins import read_pins
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import check_ipv6, read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import MAX_SITE_ID, Claim, Lan, Site, Wan

if TYPE_CHECKING:
    from netaddr import IPNetwork

NAME = _kinds.text(r"[^\s/]{1,64}", "it another name in the inventory: 1 to 64 characters, neither blanks nor slashes")
ADDRESSES = _kinds.network(
    _kinds.NETWORK.allowed,
    _address.prefix,
    "give those of the colo's extrude_prefixes that are for this site; what its LANs send takes the tunnels anyway",
)
NUMBER = _kinds.integer(1, MAX_SITE_ID)
WHEN_DOWN = _kinds.choice("direct", "block")
MOST_PROXIED = 256
"""The addresses of one IPv4 prefix that a colo answers ARP for: the kernel takes single addresses only."""


def read_site(reader: Reader, colos: Collection[str] | None) -> Site:
    """Read a site; `colos` are the names in the group ``extrude_colos``, None where there is no such group."""
    reader.convert("inventory_hostname", NAME, reader.host)
    before = len(reader.problems)
    claims = _read_claims(reader)
    clean = len(reader.problems) == before
    before = len(reader.problems)
    wans = read_wans(reader)
    sound = wans if len(reader.problems) == before else ()
    if any(claim.network.version == 6 for claim in claims):
        check_ipv6(reader, wans)
    placed = _read_lans_of(reader, claims if clean else None, wans)
    lans, held = placed or ((), [])
    customer = reader.read("extrude_customer", _kinds.CUSTOMER)
    return Site(
        name=reader.host,
        customer=customer,
        peers=_read_peers(reader, customer),
        number=reader.read("extrude_site_id", NUMBER),
        colo=_read_colo_name(reader, colos),
        claims=claims,
        wans=wans,
        lans=lans,
        held=tuple(held),
        forwards=read_forwards(reader, placed, wans, claims),
        direct=read_direct(reader, sound),
        pins=read_pins(reader, sound),
        balance=read_balance(reader, [wan for wan in wans if wan.has_tunnel]),
        limit=read_limit(reader),
        endpoint=read_endpoint(reader),
        proposals=read_proposals(reader),
        certified=read_certified(reader, wans),
        block=reader.read("extrude_when_down", WHEN_DOWN, "direct") == "block",
        renumber=reader.read("extrude_renumber", _kinds.SWITCH, False),
        take_over=reader.read("extrude_take_over", _kinds.SWITCH, False),
        numbers=read_numbers(reader),
    )


def _read_peers(reader: Reader, own: str) -> tuple[str, ...]:
    """Read the customers whose sites the site talks to; its `own` customer is none of them."""
    peers = dict.fromkeys(peer for _path, peer in reader.each("extrude_peers", _kinds.CUSTOMER, []))
    return tuple(peer for peer in peers if peer != own)


def _read_claims(reader: Reader) -> tuple[Claim, ...]:
    """Read what is extruded to the site."""
    before = len(reader.problems)
    read = reader.each("extrude_addresses", ADDRESSES)
    if not read and len(reader.problems) == before:
        reader.problem("extrude_addresses", f"is empty; give a list of which each entry is {ADDRESSES.allowed}")
    claims = tuple(Claim(path, network) for path, network in read if network)
    for claim in claims:
        if claim.network.version == 4 and claim.network.size > MOST_PROXIED:
            limit = f"this version answers ARP for up to {MOST_PROXIED} of a prefix"
            text = (
                f"{claim.network} has {claim.network.size} addresses, and {limit}; give it in prefixes of /24 or longer"
            )
            reader.note(claim.path, text)
    return claims


def _read_lans_of(
    reader: Reader, claims: Sequence[Claim] | None, wans: Sequence[Wan]
) -> tuple[tuple[Lan, ...], list[IPNetwork]] | None:
    """Read the LANs, and place the addresses; there is no telling whose they are (None) where some have a problem."""
    before = len(reader.problems)
    entries = _read_lans.read_lans(reader)
    _read_lans.check_interfaces(entries, wans)
    if claims is None or len(reader.problems) > before:
        return None
    placed = _read_lans.place(reader, entries, claims)
    return placed if len(reader.problems) == before else None


def _read_colo_name(reader: Reader, colos: Collection[str] | None) -> str:
    """Read the name of the site's colo; "" where it has a problem, be it that the group is missing, which is told."""
    name = reader.read("extrude_colo", COLO_NAME)
    if colos is None:
        return ""
    if name and name not in colos:
        hosts = f"give {_kinds.either(colos)}" if colos else "put it there: no host is in it"
        reader.problem("extrude_colo", f"'{name}' is not in the group extrude_colos; {hosts}")
        return ""
    return name


def _one_name(value: object) -> str:
    """Return the name of a colo: a text, or a list with one (a list with more is for later versions)."""
    names = value if isinstance(value, list | tuple) else [value]
    if len(names) > 1:
        raise ValueError("a second colo is not supported by this version yet")
    if not names or not isinstance(names[0], str) or not names[0]:
        raise ValueError(f"{_kinds.describe(value)} is not a name")
    return str(names[0])


COLO_NAME = _kinds.Kind("the inventory name of one colo", _one_name, "")
