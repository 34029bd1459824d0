# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's inventory, other inventories made from it, and the states that follow from them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.multihome.extrude.plugins.plugin_utils._topology import topology
from tests.acceptance.playbook import INVENTORY

Variables = dict[str, Any]
"""The variables of one host."""


def lab_host(name: str) -> Variables:
    """The variables of a host of the lab, to change and pass on."""
    text = (INVENTORY / "host_vars" / f"{name}.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def branch() -> Variables:
    """A second site, of another customer, whose router is not in the lab."""
    return {
        "extrude_customer": "globex",
        "extrude_site_id": 2,
        "extrude_colo": "colo",
        "extrude_addresses": ["203.0.113.20"],
        "extrude_wans": [{"name": "fibre", "interface": "eth1", "address": "192.0.2.77/24", "gateway": "192.0.2.1"}],
        "extrude_lan": [{"interface": "eth0", "mode": "nat"}],
    }


def write(folder: Path, sites: dict[str, Variables], **colo: Any) -> Path:
    """Write an inventory of the lab's colo, with some variables changed, and these sites in this order."""
    variables = {"colo": {**lab_host("colo"), **colo}, **sites}
    groups = {
        "extrude_colos": {"hosts": {"colo": variables["colo"]}},
        "extrude_sites": {"hosts": {name: variables[name] for name in sites}},
    }
    (folder / "group_vars").mkdir(parents=True)
    common = (INVENTORY / "group_vars" / "all.yml").read_text(encoding="utf-8")
    (folder / "group_vars" / "all.yml").write_text(common, encoding="utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": groups}}, sort_keys=False), encoding="utf-8")
    return folder


def states(sites: dict[str, Variables] | None = None, **colo: Any) -> dict[str, list[Variables]]:
    """What the hosts should hold, by host: for *sites* (or the lab's own), some variables of the colo changed."""
    wanted = copy.deepcopy(sites) if sites is not None else {"office": lab_host("office")}
    groups = {"extrude_colos": ["colo"], "extrude_sites": list(wanted)}
    made = topology({"colo": {**lab_host("colo"), **colo}, **wanted}, groups)
    return {**made["colos"], **{name: [state] for name, state in made["sites"].items()}}
