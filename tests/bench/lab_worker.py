# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has workers measure on a host of the lab, whose kernel has GRE."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.lab import Lab

HERE = Path(__file__).parent
ENGINE = HERE.parents[1] / "plugins" / "module_utils"
HOST = "colo"
AT_HOST = "/tmp/bench"
PLACE = "tests/bench"
WORKERS = ("worker.py", "forward_worker.py")

Row = tuple[str, dict[str, Any]]


def rows(runs: Iterable[tuple[str, int, list[str]]]) -> list[Row]:
    """Return the figures of each run (its name, how many objects, of which kinds), in a namespace of a host."""
    worker = ["unshare", "--net", *_command("worker.py")]
    with host() as lab:
        return [(name, _figures(lab, [*worker, str(count), *kinds])) for name, count, kinds in runs]


def forwarded(colos: dict[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Return how many packets a second colos forward that hold these states."""
    files = {f"{name}.json": json.dumps(states).encode() for name, states in colos.items()}
    with host(files) as lab:
        return _figures(lab, [*_command("forward_worker.py"), AT_HOST, *colos])


@contextmanager
def host(files: Mapping[str, bytes] | None = None) -> Iterator[Lab]:
    """A lab whose HOST has the workers, the engine, and these files beside them."""
    lab = Lab("bench")
    lab.up()
    try:
        lab.exec(HOST, ["sh", "-c", "apt-get -q update && apt-get -qy install python3-pyroute2"])
        lab.exec(HOST, ["mkdir", "-p", AT_HOST])
        unpack = lab.ssh_command(HOST, ["tar", "-x", "-C", AT_HOST])
        subprocess.run(unpack, input=_archive(files or {}), check=True)
        yield lab
    finally:
        lab.down()


def _command(worker: str) -> list[str]:
    return ["env", f"PYTHONPATH={AT_HOST}", "python3", f"{AT_HOST}/{PLACE}/{worker}", f"{AT_HOST}/module_utils"]


def _figures(lab: Lab, worker: list[str]) -> dict[str, Any]:
    """What a worker prints. While it works the whole lab may stand still for longer than a connection of its waits."""
    ssh, *words = lab.exec_command(HOST, worker)
    patient = [ssh, "-o", "ControlPath=none", "-o", "ServerAliveInterval=0", *words]
    figures: dict[str, Any] = json.loads(subprocess.run(patient, check=True, text=True, stdout=subprocess.PIPE).stdout)
    return figures


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(ENGINE, "module_utils")
        for worker in WORKERS:
            archive.add(HERE / worker, f"{PLACE}/{worker}")
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
