# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has worker.py measure on a host of the lab, whose kernel has GRE."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.lab.lab import Lab

HERE = Path(__file__).parent
ENGINE = HERE.parents[1] / "plugins" / "module_utils"
HOST = "colo"
AT_HOST = "/tmp/bench"

Row = tuple[str, dict[str, Any]]


def rows(runs: Iterable[tuple[str, int, list[str]]]) -> list[Row]:
    """Return the figures of each run (its name, how many objects, of which kinds), in a namespace of a host."""
    lab = Lab("bench")
    lab.up()
    try:
        lab.exec(HOST, ["sh", "-c", "apt-get -q update && apt-get -qy install python3-pyroute2"])
        lab.exec(HOST, ["mkdir", "-p", AT_HOST])
        unpack = lab.ssh_command(HOST, ["tar", "-x", "-C", AT_HOST])
        subprocess.run(unpack, input=_archive(), check=True)
        worker = ["unshare", "--net", "python3", f"{AT_HOST}/worker.py", f"{AT_HOST}/module_utils"]
        return [(name, _figures(lab, [*worker, str(count), *kinds])) for name, count, kinds in runs]
    finally:
        lab.down()


def _figures(lab: Lab, worker: list[str]) -> dict[str, Any]:
    """What a worker prints. While it works the whole lab may stand still for longer than a connection of its waits."""
    ssh, *words = lab.exec_command(HOST, worker)
    patient = [ssh, "-o", "ControlPath=none", "-o", "ServerAliveInterval=0", *words]
    figures: dict[str, Any] = json.loads(subprocess.run(patient, check=True, text=True, stdout=subprocess.PIPE).stdout)
    return figures


def _archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(ENGINE, "module_utils")
        archive.add(HERE / "worker.py", "worker.py")
    return buffer.getvalue()
