# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's playbooks against a lab, as a user would, and keeps what every task answered."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
INVENTORY = CHECKOUT / "inventories" / "lab"
PLAYBOOK = CHECKOUT / "playbooks" / "extrude.yml"
CALLBACKS = Path(__file__).parent / "callbacks"
VALIDATED = "Validate the inventory and work out both ends"
ASKED = "See whether the site would take its state"


@dataclass(frozen=True)
class Answer:
    """What one task said on one host. ``host`` is the one that it ran on, so a colo's where it was delegated."""

    task: str
    host: str
    status: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A finished run of a playbook."""

    code: int
    output: str
    answers: tuple[Answer, ...]

    @property
    def changed(self) -> int:
        """How many tasks changed something, or in check mode would."""
        return sum(answer.result.get("changed") is True for answer in self.answers)

    def on(self, host: str) -> list[Answer]:
        """What tasks of roles said on a host, also by delegation."""
        return [answer for answer in self.answers if answer.host == host and " : " in answer.task]

    def states(self, host: str) -> list[dict[str, Any]]:
        """The results of extrude_state on a host, but for what was only asked before the colo was changed."""
        answers = [answer for answer in self.on(host) if not answer.task.endswith(ASKED)]
        return [answer.result for answer in answers if "operations" in answer.result]

    def operations(self, host: str) -> list[dict[str, Any]]:
        """What extrude_state did on a host, or in check mode would do."""
        return [operation for result in self.states(host) for operation in result["operations"]]

    def diffs(self, host: str) -> list[dict[str, str]]:
        """What extrude_state showed as the diff of a host."""
        return [result["diff"] for result in self.states(host)]

    def failures(self) -> list[str]:
        """The messages of failed tasks."""
        return [str(answer.result.get("msg", "")) for answer in self.answers if answer.status == "failed"]

    def words(self) -> list[str]:
        """What the verification said of each tunnel."""
        return [
            text
            for a in self.answers
            for text in (a.result.get("ansible_stats") or {}).get("data", {}).get("tunnels", [])
        ]


def run(
    lab: Lab, *arguments: str, inventory: Path = INVENTORY, playbook: Path = PLAYBOOK, timeout: float = 1800
) -> Run:
    """Run a playbook to its end. *arguments* are those of ansible-playbook."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl") as results:
        process = start(lab, *arguments, inventory=inventory, playbook=playbook, results=results.name)
        try:
            output, _errors = process.communicate(timeout=timeout)
        except BaseException:
            kill(process)
            raise
        answers = tuple(Answer(**json.loads(line)) for line in results)
    return Run(process.returncode, output, answers)


def start(
    lab: Lab, *arguments: str, inventory: Path = INVENTORY, playbook: Path = PLAYBOOK, results: str = os.devnull
) -> subprocess.Popen[str]:
    """Start a playbook."""
    return command(lab, "ansible-playbook", "-i", str(inventory), str(playbook), *arguments, results=results)


def command(lab: Lab, name: str, *arguments: str, results: str) -> subprocess.Popen[str]:
    """Start one of Ansible's programs, from a folder that is not the checkout's. Answers go to *results*.

    It leads a session of its own, so that :func:`kill` ends its workers too.
    """
    settings = {
        "EXTRUDE_LAB": str(lab.folder),
        "EXTRUDE_RESULTS": results,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "playbooks" / "collections"),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "results",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_SHOW_CUSTOM_STATS": "1",
        "ANSIBLE_INJECT_FACT_VARS": "0",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_NOCOLOR": "1",
    }
    return subprocess.Popen(
        [str(Path(sys.executable).with_name(name)), *arguments],
        cwd=lab.folder,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[str]) -> None:
    """Have the controller vanish."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
