# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSH connection by which this program was started.

sshd tells it to the user's shell (ssh(1), SSH_CONNECTION); what sudo starts is not told, but that shell is still among
its ancestors. This module util is private to the collection.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_VARIABLE = b"SSH_CONNECTION="


def own_end(proc: Path = _PROC, pid: int | None = None) -> str:
    """The address of this host that the connection goes to; empty where there is none."""
    for ancestor in _ancestors(proc, os.getpid() if pid is None else pid):
        for entry in _read(ancestor / "environ").split(b"\0"):
            words = entry.removeprefix(_VARIABLE).decode(errors="replace").split()
            if entry.startswith(_VARIABLE) and len(words) == 4:  # the other end and its port, this one and its port
                return words[2]
    return ""


def _ancestors(proc: Path, pid: int) -> Iterator[Path]:
    """The folders of a process and of those above it, up to the first of all."""
    while pid > 1:
        folder = proc / str(pid)
        yield folder
        # the name of a program may hold anything, also spaces and brackets (proc_pid_stat(5))
        fields = _read(folder / "stat").rpartition(b")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""
