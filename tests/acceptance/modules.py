# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls one module on one host, where a whole playbook would only cost time."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from typing import Any

from tests.acceptance import playbook
from tests.acceptance.inventory import Variables, states
from tests.lab.lab import Lab


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


def start(lab: Lab, host: str, module: str, *options: str, results: str, **arguments: Any) -> subprocess.Popen[str]:
    """Start a call of a module of the collection."""
    return playbook.command(
        lab,
        "ansible",
        *("-i", str(playbook.INVENTORY), host, "-m", f"multihome.extrude.{module}", "-a", json.dumps(arguments)),
        *options,
        results=results,
    )


def call(lab: Lab, host: str, module: str, *options: str, **arguments: Any) -> Result:
    """Call a module of the collection and wait for it. *options* are those of the command ansible."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as results:
        process = start(lab, host, module, *options, results=results.name, **arguments)
        output, _ = process.communicate(timeout=300)
        lines = [json.loads(line) for line in results]
    if not lines or lines[-1]["status"] == "unreachable":
        raise AssertionError(f"{module} did not run on {host}:\n{output}")
    return Result(lines[-1]["status"] == "failed", lines[-1]["result"])


def apply(lab: Lab, host: str, wanted: list[Variables] | None = None, *options: str) -> Result:
    """Bring a host to *wanted* states, without them to those of the lab's inventory."""
    chosen = states()[host] if wanted is None else wanted
    return call(lab, host, "extrude_state", *options, states=chosen)


def plan(lab: Lab, host: str, wanted: list[Variables] | None = None) -> Result:
    """What :func:`apply` would do."""
    return apply(lab, host, wanted, "--check", "--diff")
