# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the variables of a site.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds, _read_lans
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_balance import read_balance
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_colo import read_numbers
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_endpoint import read_endpoint
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_ipsec import read_ipsec
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import check_ipv6, read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import MAX_SITE_ID, Claim, Lan, Site, Wan

if TYPE_CHECKING:
    from netaddr import IPNetwork

NAME = _kinds.text(r"[^\s/]{1,64}", "it another name in the inventory: 1 to 64 characters, neither blanks nor slashes")
CUSTOMER = _kinds.text(r"[a-z0-9-]{1,32}", "1 to 32 of the characters a-z 0-9 -")
NUMBER = _kinds.integer(1, MAX_SITE_ID)
LATER = "is not supported by this version yet; leave it out"
WHEN_DOWN = _kinds.choice("direct", "block")
MOST_PROXIED = 256
"""The addresses of one IPv4 prefix that a colo answers ARP for: the kernel takes single addresses only."""


def read_site(reader: Reader, colos: Collection[str]) -> Site:
    """Read a site; `colos` are the names in the group ``extrude_colos``."""
    reader.convert("inventory_hostname", NAME, reader.host)
    _refuse_later(reader)
    before = len(reader.problems)
    claims = _read_claims(reader)
    clean = len(reader.problems) == before
    wans = read_wans(reader)
    if any(claim.network.version == 6 for claim in claims):
        check_ipv6(reader, wans)
    lans, held = _read_lans_of(reader, claims if clean else None, wans)
    return Site(
        name=reader.host,
        customer=reader.read("extrude_customer", CUSTOMER),
        number=reader.read("extrude_site_id", NUMBER),
        colo=_read_colo_name(reader, colos),
        claims=claims,
        wans=wans,
        lans=lans,
        held=tuple(held),
        balance=read_balance(reader, wans),
        endpoint=read_endpoint(reader),
        proposals=read_ipsec(reader, wans),
        block=reader.read("extrude_when_down", WHEN_DOWN, "direct") == "block",
        renumber=reader.read("extrude_renumber", _kinds.FLAG, False),
        take_over=reader.read("extrude_take_over", _kinds.FLAG, False),
        numbers=read_numbers(reader),
    )


def _refuse_later(reader: Reader) -> None:
    """Note what the contract has and this version can't do."""
    for key, of_what in (("extrude_direct", "matches"), ("extrude_forwards", "forwards")):
        if reader.read(key, _kinds.items(of_what), []):
            reader.problem(key, LATER)


def _read_claims(reader: Reader) -> tuple[Claim, ...]:
    """Read what is extruded to the site."""
    before = len(reader.problems)
    read = reader.each("extrude_addresses", _kinds.NETWORK)
    if not read and len(reader.problems) == before:
        reader.problem("extrude_addresses", f"is empty; give a list of which each entry is {_kinds.NETWORK.allowed}")
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
) -> tuple[tuple[Lan, ...], list[IPNetwork]]:
    """Read the LANs, and place the addresses; there is no telling whose they are where some have a problem (None)."""
    before = len(reader.problems)
    entries = _read_lans.read_lans(reader)
    _read_lans.check_interfaces(entries, wans)
    if claims is None or len(reader.problems) > before:
        return (), []
    return _read_lans.place(reader, entries, claims)


def _read_colo_name(reader: Reader, colos: Collection[str]) -> str:
    """Read the name of the site's colo; "" where it has a problem."""
    name = reader.read("extrude_colo", COLO_NAME)
    if name and name not in colos:
        hosts = f"give {' or '.join(colos)}" if colos else "no host is in it"
        reader.problem("extrude_colo", f"'{name}' is not in the group extrude_colos; {hosts}")
        return ""
    return name


def _one_name(value: object) -> str:
    """Return the name of a colo: a text, or a list with one (a list with more is for later versions)."""
    names = value if isinstance(value, list | tuple) else [value]
    if len(names) > 1:
        raise ValueError("a second colo is not supported by this version yet")
    if not names or not isinstance(names[0], str):
        raise ValueError(f"{_kinds.describe(value)} is not a name")
    return str(names[0])


COLO_NAME = _kinds.Kind("the inventory name of one colo", _one_name, "")
