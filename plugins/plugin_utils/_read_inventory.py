# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the colos and sites of an inventory.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils import (
    _kinds,
    _read_direct,
    _read_limit,
    _read_pins,
    _read_wans,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_colo import read_colo
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_ipsec import read_authority
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_site import read_site
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import PREFIX, Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Inventory

OF_COLOS = (
    *("extrude_colo_address", "extrude_colo_interface", "extrude_inside_pool", "extrude_inside_pool6"),
    *("extrude_ipsec_ca", "extrude_ipsec_ca_passphrase", "extrude_ipsec_certificate_days", "extrude_ipsec_pool"),
    *("extrude_prefixes", "extrude_services"),
)
OF_SITES = (
    *("extrude_addresses", "extrude_balance", "extrude_colo", "extrude_customer", "extrude_direct"),
    *("extrude_forwards", "extrude_ipsec", "extrude_ipsec_auth", "extrude_ipsec_esp", "extrude_ipsec_ike"),
    *("extrude_ipsec_psk", "extrude_lan", "extrude_level_limit", "extrude_limit", "extrude_peers", "extrude_pins"),
    *("extrude_renumber", "extrude_shape", "extrude_shape_percent", "extrude_site_id", "extrude_wans"),
    "extrude_when_down",
)
"""Variables that a host of the other kind never looks at."""
OF_BOTH = ("extrude_rule_priority", "extrude_table", "extrude_take_over")
TIMES = {"extrude_guard_timeout": _kinds.given(0, 3600), "extrude_connect_timeout": _kinds.given(1, 3600)}
"""Seconds."""
SWITCHES = ("extrude_ipsec_new_authority", "extrude_ipsec_renew")
SWITCH = replace(_kinds.SWITCH, allowed="true or false, to a run and not to a host (-e)")
FOR_A_RUN = (*TIMES, "extrude_batches", "extrude_cut", *SWITCHES)
"""What is given to a run with ``-e``, and so to all hosts."""
FOUND_OUT = ("extrude_endpoint", "extrude_measured")
"""What a run tells this filter, as facts."""
OF_PLAYBOOKS = ("extrude_plan",)
"""What they call something of their own that is like one of the others."""
KNOWN = (*OF_COLOS, *OF_SITES, *OF_BOTH, *FOR_A_RUN, *FOUND_OUT, *OF_PLAYBOOKS)
ENTRIES = {
    "extrude_wans": _read_wans.SETTINGS,
    "extrude_lan": ("mode",),
    "extrude_direct": _read_direct.KEYS,
    "extrude_pins": _read_pins.KEYS,
    "extrude_forwards": ("protocol", "port"),
    "extrude_services": ("protocol", "port"),
}
"""The keys of entries that somebody could make a variable of. One that is made of another key (``extrude_interface``)
may well be somebody's own."""


Groups = Mapping[str, Sequence[str]]
HostVars = Mapping[str, Mapping[str, Any]]


def read_inventory(hostvars: HostVars, groups: Groups, problems: Problems) -> Inventory:
    """Read all hosts of the groups ``extrude_colos`` and ``extrude_sites``; what is wrong goes to `problems`."""
    colos = _members(groups, "extrude_colos", problems)
    sites = _members(groups, "extrude_sites", problems)
    for name in sorted(set(colos) & set(sites)):
        problems.add(name, "groups", "is in extrude_colos and in extrude_sites; a host can be only one of them")
    readers = {name: Reader(name, hostvars[name], problems) for name in [*colos, *sites]}
    keys = keys_as_variables()
    for reader in readers.values():
        reader.refuse_misspelt(KNOWN, keys)
        reader.refuse_unknown("extrude_ipsec", KNOWN)
        for time, seconds in TIMES.items():
            reader.read(time, seconds, 0)
        for switch in SWITCHES:
            reader.read(switch, SWITCH, False)
    inventory = Inventory(
        colos={name: read_colo(readers[name]) for name in colos},
        sites={name: read_site(readers[name], colos if "extrude_colos" in groups else None) for name in sites},
    )
    for name in inventory.colos:
        certified = (site.name for site in inventory.sites.values() if site.certified and site.colo == name)
        read_authority(readers[name], next(certified, ""))
    _refuse_misplaced(inventory, readers)
    return inventory


def keys_as_variables() -> dict[str, str]:
    """Return what to give instead of variables that are made of a key, alone or with the variable that has it."""
    owners: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for variable, keys in ENTRIES.items():
        for key in keys:
            owners.setdefault(key, []).append(variable)
            found[f"{variable}_{key}"] = _give(key, [variable])
    found |= {f"{PREFIX}{key}": _give(key, variables) for key, variables in owners.items()}
    found |= {f"extrude_shape_{key}": _give(key, ["extrude_wans"]) for key in ("up", "down")}
    return found | {f"extrude_limit_{key}": f"give {key} to extrude_limit" for key in _read_limit.KEYS}


def _give(key: str, variables: Sequence[str]) -> str:
    to = "each link" if variables == ["extrude_wans"] else "entries"
    return f"give {key} to {to} of {_kinds.either(variables)}"


def _refuse_misplaced(inventory: Inventory, readers: Mapping[str, Reader]) -> None:
    """Note variables that no host looks at: those of the other kind, which hosts of that kind don't have themselves.

    What hosts of both kinds have may be from a group of all, where it is right, and nothing here says where it is from.
    """
    for site in inventory.sites.values():
        for key in OF_COLOS if site.colo in inventory.colos else ():
            if not readers[site.colo].names(key) and not readers[site.name].lacks(key):
                readers[site.name].problem(key, f"is a variable of colos; give it to {site.colo}")
    for key in OF_SITES if inventory.sites else ():
        if all(readers[name].lacks(key) for name in inventory.sites):
            for name in inventory.colos:
                if not readers[name].lacks(key):
                    readers[name].problem(key, "is a variable of sites; give it to these, or to the customer's group")


def _members(groups: Groups, group: str, problems: Problems) -> list[str]:
    """Return the hosts of a group."""
    if group not in groups:
        problems.add("inventory", "groups", f"there is no group {group}; give one with the hosts of that kind")
    return [str(name) for name in groups.get(group, ())]
