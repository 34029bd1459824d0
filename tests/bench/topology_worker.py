# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the filter topology as a play runs it: a template over Ansible's own hostvars.

Usage: python -m tests.bench.topology_worker INVENTORY VARIABLE… — the variables are those that the sites have. Prints
one JSON object: seconds of processor, by name of what was done.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

TOPOLOGY = "hostvars | multihome.extrude.topology(groups, batch)"
ROUNDS = int(os.environ.get("ROUNDS", "3"))
"""The best of them counts."""


def measure(inventory: str, names: list[str]) -> dict[str, float]:
    """Seconds of processor, the best of some rounds."""
    init_plugin_loader()
    loader = DataLoader()
    manager = InventoryManager(loader=loader, sources=[inventory])
    hostvars = HostVars(manager, VariableManager(loader=loader, inventory=manager), loader)
    groups = manager.get_groups_dict()
    sites = groups["extrude_sites"]

    def read() -> None:
        for site in sites:
            values = hostvars[site]
            for name in names:
                values[name]

    def evaluate(expression: str, batch: list[str]) -> Callable[[], Any]:
        variables = {"hostvars": hostvars, "groups": groups, "batch": batch}
        template = trust_as_template(f"{{{{ {expression} }}}}")
        return lambda: Templar(loader=loader, variables=variables).template(template)

    evaluate(f"({TOPOLOGY}).sites | length", sites[:1])()  # what is imported with the first call
    work = {
        "read": read,
        "canary": evaluate(f"({TOPOLOGY}).sites | length", sites[:1]),
        "all": evaluate(f"({TOPOLOGY}).sites | length", sites),
        "handed over": evaluate(TOPOLOGY, sites),
    }
    return {name: min(processor_seconds(act) for _round in range(ROUNDS)) for name, act in work.items()}


def processor_seconds(work: Callable[[], object]) -> float:
    """What something costs in this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2:])))
