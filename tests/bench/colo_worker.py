# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures one run of the engine at a colo, in the network namespace that it is started in.

Usage: python -m tests.bench.colo_worker ENGINE FOLDER NAME… — ENGINE is the folder of the engine's files. FOLDER has
the states of each run as NAME.json, and gets what the host keeps: records, states and files. Each run is a process of
its own, as a module is. Prints the figures of each as a line of JSON.
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.worker import ip, load, processor_seconds, seconds

SEGMENT, ADDRESS = "a0", "192.0.2.2/24"
"""The colo's device to the rack, and its own address."""


def main(engine: str, folder: str, names: list[str]) -> None:
    """Make the host, and have each run in its turn."""
    ip("-batch", "-", text=f"link add {SEGMENT} type veth peer name b0\nlink set b0 up\nlink set lo up\n")
    ip("-batch", "-", text=f"link set {SEGMENT} up\naddress add {ADDRESS} dev {SEGMENT}\n")
    for name in names:
        # a process of its own, since a peak of memory is one of the whole process
        command = [sys.executable, "-m", "tests.bench.colo_worker", "--run", engine, folder, name]
        print(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout, flush=True, end="")


def run(engine: str, folder: Path, name: str) -> dict[str, Any]:
    """Seconds by the clock and of processor, and peak memory (KiB), of a run; and of reading alone, before it."""
    load(Path(engine))
    names = ("_apply", "_host", "_model", "_record", "_request", "_states", "_wire")
    modules: list[Any] = [importlib.import_module(f"engine.{module}") for module in names]
    apply, host, model, record, request, stored, wire = modules
    wire.DUMMY = wire.IFB  # a kernel without GRE lacks dummies too, mostly
    listed = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    records, states = record.Records(folder / "records"), stored.States(folder / "config")

    def asked() -> Any:
        return request.Request(tuple(map(model.State.parse, listed)), folder=str(folder / "config"))

    def read() -> None:
        states.load()
        host.read(request.Request(asked().desired, records.load(), folder=str(folder / "config")))

    def whole() -> None:
        with records.locked():
            states.load()
            found = apply.run(records, asked(), False, lambda _found: states.storing(listed))
        figures["operations"] = len(found.operations)

    figures: dict[str, Any] = {"name": name}
    figures["reading"] = processor_seconds(read)
    figures["processor"] = processor_seconds(lambda: figures.update(clock=seconds(whole)))
    figures["kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return figures


if __name__ == "__main__":
    if sys.argv[1] == "--run":
        print(json.dumps(run(sys.argv[2], Path(sys.argv[3]), sys.argv[4])))
    else:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
