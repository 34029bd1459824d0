# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample inventories for the tests of the topology: plain dictionaries, as an operator writes them in YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._model import Rule
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems, TopologyError
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._topology import topology

Vars = dict[str, Any]


class Templates(Mapping[str, Any]):
    """Variables as Ansible has them: each is evaluated when it is read, and may fail."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values_ = values
        self.reads: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.reads.append(key)
        value = self.values_[key]
        if isinstance(value, Exception):
            raise value
        return value

    def __contains__(self, key: object) -> bool:
        return key in self.values_

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def changed(base: Vars, changes: Vars) -> Vars:
    """Return `base` with the changes; a key that is changed to ... is taken out."""
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def rule_words(rule: Rule) -> str:
    """Return what ip(8) of the rule's family takes to add it."""
    priority, _colon, words = str(rule).removeprefix("rule ").removesuffix(" (IPv6)").partition(": ")
    return f"rule add priority {priority} {words}"


def colo(**changes: Any) -> Vars:
    """Return the variables of a colo."""
    base = {
        "extrude_colo_address": "203.0.113.2",
        "extrude_colo_interface": "eth0",
        "extrude_prefixes": ["203.0.113.0/24", "2001:db8:100::/48"],
    }
    return changed(base, changes)


def dsl(**changes: Any) -> Vars:
    """Return a link."""
    return changed({"name": "dsl", "interface": "dsl0", "address": "192.0.2.2/24", "gateway": "192.0.2.1"}, changes)


def cable(**changes: Any) -> Vars:
    """Return another link."""
    base = {"name": "cable", "interface": "cable0", "address": "198.51.100.2/24", "gateway": "198.51.100.1"}
    return changed(base, changes)


def office(**changes: Any) -> Vars:
    """Return the variables of a site with two links, a LAN behind NAT, and a host with an address of its own."""
    base = {
        "extrude_customer": "acme",
        "extrude_site_id": 1,
        "extrude_colo": "rack",
        "extrude_addresses": ["203.0.113.10", "203.0.113.11"],
        "extrude_wans": [dsl(), cable()],
        "extrude_lan": [{"interface": "lan0", "mode": "nat"}, {"interface": "lan0", "mode": "routed"}],
    }
    return changed(base, changes)


def shop(**changes: Any) -> Vars:
    """Return the variables of a site of another customer, with one link and one address."""
    base = {
        "extrude_customer": "initech",
        "extrude_site_id": 2,
        "extrude_colo": "rack",
        "extrude_addresses": ["203.0.113.20"],
        "extrude_wans": [dsl(address="192.0.2.20/24")],
    }
    return changed(base, changes)


def run_all(sites: dict[str, Vars], rack: Vars | None = None, batch: list[str] | None = None) -> Vars:
    """Return the topology of the colo `rack` and some sites."""
    hostvars = {"rack": colo() if rack is None else rack, **sites}
    return topology(hostvars, {"extrude_colos": ["rack"], "extrude_sites": list(sites)}, batch)


def run(batch: list[str] | None = None, rack: Vars | None = None, **sites: Vars) -> Vars:
    """Return the topology of the colo `rack` and the named sites."""
    return run_all(sites, rack, batch)


def problems(rack: Vars | None = None, **sites: Vars) -> list[str]:
    """Return the problems of an inventory that has some, without the headline."""
    with pytest.raises(TopologyError) as caught:
        run_all(sites, rack)
    return str(caught.value).splitlines()[1:]


def noted_in(rack: Vars | None = None, **sites: Vars) -> list[str]:
    """Return the problems of an inventory that may have none."""
    try:
        run_all(sites, rack)
    except TopologyError as error:
        return str(error).splitlines()[1:]
    return []


def reader(values: Vars) -> Reader:
    """Return a reader of the variables of the host `office`, with no problems yet."""
    return Reader("office", values, Problems())


def noted(one: Reader) -> list[str]:
    """Return the problems that a reader has noted."""
    try:
        one.problems.raise_if_any()
    except TopologyError as error:
        return str(error).splitlines()[1:]
    return []
