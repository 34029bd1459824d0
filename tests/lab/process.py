# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-lived processes of a lab: started in the background, known again later by process id and start time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process that may have ended. `started` (clock ticks since boot) tells it from a later one with its id."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Say whether this very process still runs."""
        return start_time(self.pid) == self.started

    def processor_seconds(self) -> float:
        """Return the processor time of the process and of all that it has started, so far."""
        return sum(map(_own_seconds, descendants(self.pid)), _own_seconds(self.pid))

    def kill(self) -> None:
        """Kill the process and the children that it has by now, and wait until they are gone."""
        if not self.alive():
            return
        family = [*children(self.pid), self]
        for member in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        while any(member.alive() for member in family):
            time.sleep(0.02)


def start(argv: Sequence[str], log: Path, environment: Mapping[str, str], keeps: Sequence[int] = ()) -> Process:
    """Start a program in the background, in a session of its own, in the folder of `log` and with its output there.

    `keeps` are open files that it is to hold as long as it or a child of it lives: locks.
    """
    with log.open("wb") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=log.parent,
            env={**os.environ, **environment},
            pass_fds=keeps,
        )
    started = start_time(child.pid)
    child.returncode = 0  # it outlives us: no wait, no warning
    return Process(child.pid, started if started is not None else 0)


def children(pid: int) -> list[Process]:
    """Return the children of a process."""
    pids = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    return [Process(child, started) for child in pids if (started := start_time(child)) is not None]


def descendants(pid: int) -> list[int]:
    """Return the children of a process, theirs, and so on."""
    try:
        return [each for child in children(pid) for each in (child.pid, *descendants(child.pid))]
    except OSError:
        return []  # gone by now


def _own_seconds(pid: int) -> float:
    """Return the processor time of a process and of its children that have ended; 0 where it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")


def start_time(pid: int) -> int | None:
    """Return when a process started (field 22 of /proc/PID/stat), None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    values = stat.rpartition(")")[2].split()
    return None if values[0] == "Z" else int(values[19])
