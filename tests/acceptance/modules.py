# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls one module on one host, where a whole playbook would only cost time."""

from __future__ import annotations

import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.acceptance import playbook
from tests.acceptance.inventory import Variables, states
from tests.lab.lab import Lab

# What extrude_state does, by the package that is installed for the command: in half the time. Argument: the part of it.
_APPLY = """
import json, sys
sys.path.insert(0, "/usr/lib/extrude")
from multihome_extrude import _apply
from multihome_extrude._local import Store, bound
from multihome_extrude._request import Request
states, store, only = json.load(sys.stdin), Store(), sys.argv[1]
with store.records.locked():
    request = Request(bound(states, store), only=only, folder=store.states.folder)
    _apply.run(store.records, request, False, lambda found: store.states.storing(states, only))
    store.guards.drop([(state["customer"], state["site"]) for state in states])
"""


@dataclass(frozen=True)
class Result:
    """What a module said."""

    failed: bool
    values: dict[str, Any]

    @property
    def message(self) -> str:
        """The error, empty if there was none."""
        return str(self.values.get("msg", "")) if self.failed else ""

    @property
    def texts(self) -> list[str]:
        """The operations in words."""
        return [str(operation["text"]) for operation in self.values.get("operations", [])]


def call(lab: Lab, host: str, module: str, *options: str, **arguments: Any) -> Result:
    """Call a module of the collection. *options* are those of the command ansible."""
    return _call(lab, [host], module, json.dumps(arguments), *options)[host]


def apply(lab: Lab, host: str, wanted: list[Variables] | None = None) -> Result:
    """Bring a host to *wanted* states, without them to those of the lab's inventory."""
    return apply_all(lab, {host: states()[host] if wanted is None else wanted})[host]


def plan(lab: Lab, host: str, wanted: list[Variables]) -> Result:
    """What :func:`apply` would do."""
    return apply_all(lab, {host: wanted}, "--check", "--diff")[host]


def apply_all(lab: Lab, wanted: dict[str, list[Variables]] | None = None, *options: str) -> dict[str, Result]:
    """Bring hosts to *wanted* states, without them all hosts to those of the lab's inventory, in one call."""
    chosen = states() if wanted is None else wanted
    arguments = json.dumps({"states": "{{ wanted_states[inventory_hostname] }}"})
    variables = json.dumps({"wanted_states": chosen})
    return _call(lab, list(chosen), "extrude_state", arguments, "-e", variables, *options)


def put_back(lab: Lab) -> dict[str, str]:
    """Bring all hosts to the states of the lab's inventory, and return why one cannot be brought there."""
    wanted = states()
    with ThreadPoolExecutor() as pool:
        put = pool.map(lambda host: _put(lab, host, wanted[host]).returncode, wanted)
        left = [host for host, failed in zip(wanted, put, strict=True) if failed]
    results = apply_all(lab, {host: wanted[host] for host in left}) if left else {}
    return {host: result.message for host, result in results.items() if result.failed}


def _put(lab: Lab, host: str, wanted: list[Variables], part: str = "") -> subprocess.CompletedProcess[str]:
    command = ["python3", "-I", "-c", _APPLY, part]
    return lab.exec(host, command, stdin=json.dumps(wanted), check=False, timeout=300)


def bring(lab: Lab, site: Variables, **colo: Any) -> None:
    """Bring both ends to the states of a site, in the order of the playbook; *colo*: its variables that are changed."""
    wanted = states({"office": site}, **colo)
    for host, part in (("colo", "make"), ("office", ""), ("colo", "purge")):
        done = _put(lab, host, wanted[host], part)
        if done.returncode:
            raise AssertionError(done.stderr)


def drift(lab: Lab, wanted: dict[str, list[Variables]] | None = None) -> list[str]:
    """What :func:`apply_all` would do on any host, or why it could not."""
    results = apply_all(lab, wanted, "--check", "--diff").values()
    return [text for result in results for text in [*result.texts, *([result.message] if result.failed else [])]]


def _call(lab: Lab, hosts: list[str], module: str, arguments: str, *options: str) -> dict[str, Result]:
    words = ("-i", str(playbook.INVENTORY), ",".join(hosts), "-m", f"multihome.extrude.{module}", "-a", arguments)
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as results:
        process = playbook.command(lab, "ansible", *words, *options, results=results.name)
        output, _errors = process.communicate(timeout=300)
        answers = [json.loads(line) for line in results]
    answered = {answer["host"]: answer for answer in answers if answer["status"] != "unreachable"}
    if answered.keys() != set(hosts):
        raise AssertionError(f"{module} did not run on {', '.join(hosts)}:\n{output}")
    return {host: Result(answer["status"] == "failed", answer["result"]) for host, answer in answered.items()}
