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
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Inventory

Groups = Mapping[str, Sequence[str]]
HostVars = Mapping[str, Mapping[str, Any]]


def read_inventory(hostvars: HostVars, groups: Groups, problems: Problems) -> Inventory:
    """Read all hosts of the groups ``extrude_colos`` and ``extrude_sites``; what is wrong goes to `problems`."""
    colos = _members(groups, "extrude_colos", problems)
    sites = _members(groups, "extrude_sites", problems)
    for name in sorted(set(colos) & set(sites)):
        problems.add(name, "groups", "is in extrude_colos and in extrude_sites; a host can be only one of them")
    return Inventory(
        colos={name: read_colo(Reader(name, hostvars[name], problems)) for name in colos},
        sites={name: read_site(Reader(name, hostvars[name], problems), colos) for name in sites},
    )


def _members(groups: Groups, group: str, problems: Problems) -> list[str]:
    """Return the hosts of a group."""
    if group not in groups:
        problems.add("inventory", "groups", f"there is no group {group}; give one with the hosts of that kind")
    return [str(name) for name in groups.get(group, ())]
