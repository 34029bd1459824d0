# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the colos and sites of an inventory.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_colo import read_colo
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_site import read_site
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import SETTINGS
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Inventory

OPTIONAL = (
    "extrude_balance",
    "extrude_direct",
    "extrude_forwards",
    "extrude_inside_pool",
    "extrude_inside_pool6",
    "extrude_ipsec",
    "extrude_ipsec_esp",
    "extrude_ipsec_ike",
    "extrude_ipsec_pool",
    "extrude_ipsec_psk",
    "extrude_lan",
    "extrude_level_limit",
    "extrude_renumber",
    "extrude_rule_priority",
    "extrude_table",
    "extrude_take_over",
    "extrude_when_down",
)
"""Variables of colos and sites that may be left out; of the others each is missed where it is misspelt."""

Groups = Mapping[str, Sequence[str]]
HostVars = Mapping[str, Mapping[str, Any]]


def read_inventory(hostvars: HostVars, groups: Groups, problems: Problems) -> Inventory:
    """Read all hosts of the groups ``extrude_colos`` and ``extrude_sites``; what is wrong goes to `problems`."""
    colos = _members(groups, "extrude_colos", problems)
    sites = _members(groups, "extrude_sites", problems)
    for name in sorted(set(colos) & set(sites)):
        problems.add(name, "groups", "is in extrude_colos and in extrude_sites; a host can be only one of them")
    readers = {name: Reader(name, hostvars[name], problems) for name in [*colos, *sites]}
    for reader in readers.values():
        reader.refuse_misspelt(OPTIONAL, SETTINGS)
    return Inventory(
        colos={name: read_colo(readers[name]) for name in colos},
        sites={name: read_site(readers[name], colos) for name in sites},
    )


def _members(groups: Groups, group: str, problems: Problems) -> list[str]:
    """Return the hosts of a group."""
    if group not in groups:
        problems.add("inventory", "groups", f"there is no group {group}; give one with the hosts of that kind")
    return [str(name) for name in groups.get(group, ())]
