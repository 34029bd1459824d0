# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the lab that a person can act on, running other programs, and saying what goes on."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NEEDS_ROOT = "needs root: type the same command with sudo in front"


class LabError(Exception):
    """Something that the user can put right; the text is one clear sentence."""


def say(text: str) -> None:
    """Tell the user what goes on (standard error, so that output stays clean)."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def words(path: Path) -> list[str]:
    """Return the words of a data file without its comments."""
    return [word for line in path.read_text(encoding="utf-8").splitlines() for word in line.split("#")[0].split()]


def need_root() -> None:
    """Raise LabError unless run as root."""
    if os.geteuid() != 0:
        raise LabError(NEEDS_ROOT)


def need_programs(programs: Iterable[tuple[str, str]]) -> None:
    """Raise LabError that names the packages of those (program, package) that aren't installed."""
    missing = sorted({package for program, package in programs if not find_program(program)})
    if missing:
        raise LabError(f"{', '.join(missing)} is not installed: type apt-get install {' '.join(missing)}")


def find_program(name: str) -> str | None:
    """Return the path of a program; the folders of root are searched whatever PATH says."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")


def run(argv: Sequence[str], *, what: str) -> str:
    """Run a program and return its standard output. Errors: LabError with `what` failed and its last words."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise LabError(f"{what} failed: {last}")
    return done.stdout


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one process at a time do what `file` stands for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
