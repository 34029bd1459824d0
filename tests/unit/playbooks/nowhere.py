# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks where no host can be reached."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "inventories" / "example"


def playbook(name: str) -> list[str]:
    """Return the command that plays it."""
    return [str(Path(sys.executable).with_name("ansible-playbook")), str(ROOT / "playbooks" / f"{name}.yml")]


def run(play: list[str], *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    nowhere = {**os.environ, "ANSIBLE_SSH_EXECUTABLE": "/bin/false", **environment}
    return subprocess.run([*play, *more], cwd=ROOT, env=nowhere, capture_output=True, text=True, check=False)
