# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the variables of a colo.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address, _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_services import read_services
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import (
    PRIORITIES_USED,
    TABLES_USED,
    Colo,
    Numbers,
)

if TYPE_CHECKING:
    from netaddr import IPNetwork

INSIDE_POOL = "10.254.0.0/15"
INSIDE_POOL6 = "fd65:7874:7275::/48"
IPSEC_POOL = "10.252.0.0/15"

PREFIX = _kinds.network(_kinds.NETWORK.allowed, _address.prefix, "give what is routed to the rack for you")

# 253 to 255 are the kernel's own tables; 32766 is its rule for the main table, and ours have to come before it
TABLE = _kinds.integer(256, 2**32 - 1 - TABLES_USED)
PRIORITY = _kinds.integer(1, 32766 - PRIORITIES_USED)


def read_numbers(reader: Reader) -> Numbers:
    """Read the base numbers of the tables and rules of a host, colo or site."""
    return Numbers(
        table=reader.read("extrude_table", TABLE, 4200),
        priority=reader.read("extrude_rule_priority", PRIORITY, 4200),
    )


def read_colo(reader: Reader) -> Colo:
    """Read a colo."""
    prefixes = _read_prefixes(reader)
    address = reader.read("extrude_colo_address", _kinds.ADDRESS4) or _address.NOWHERE
    pool = _address.prefix(INSIDE_POOL)
    pool6 = _address.prefix(INSIDE_POOL6)
    ipsec_pool = _address.prefix(IPSEC_POOL)
    colo = Colo(
        name=reader.host,
        address=address,
        interface=reader.read("extrude_colo_interface", _kinds.COLO_INTERFACE),
        prefixes=prefixes,
        pool=reader.read("extrude_inside_pool", _kinds.NETWORK4, pool) or pool,
        pool6=reader.read("extrude_inside_pool6", _kinds.NETWORK6, pool6) or pool6,
        ipsec_pool=reader.read("extrude_ipsec_pool", _kinds.NETWORK4, ipsec_pool) or ipsec_pool,
        services=read_services(reader),
        numbers=read_numbers(reader),
    )
    _check_pool(reader, "extrude_inside_pool", colo.pool, (*prefixes, address))
    _check_pool(reader, "extrude_ipsec_pool", colo.ipsec_pool, (*prefixes, address, colo.pool))
    _check_pool(reader, "extrude_inside_pool6", colo.pool6, prefixes)
    return colo


def _read_prefixes(reader: Reader) -> tuple[IPNetwork, ...]:
    """Read what may be extruded; nothing where any entry has a problem, since it isn't known what it would allow."""
    before = len(reader.problems)
    prefixes = reader.each("extrude_prefixes", PREFIX)
    if len(reader.problems) > before:
        return ()
    if not prefixes:
        reader.problem("extrude_prefixes", f"is empty; give a list of which each entry is {PREFIX.allowed}")
    return tuple(prefix for path, prefix in prefixes if prefix)


def _check_pool(reader: Reader, key: str, pool: IPNetwork, others: tuple[IPNetwork, ...]) -> None:
    """Inside addresses must not be anybody's else."""
    for other in others:
        if _address.overlap(pool, other):
            reader.problem(key, f"{pool} overlaps {_address.name(other)} of the same colo; give another private one")
