# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon that watches the tunnels: BIRD, as a unit of systemd of its own.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from . import _programs
from ._fields import EngineError

UNIT = "extrude-bird.service"
MAIN = "bird.conf"
"""The file that the unit has BIRD read first."""
LIVE = Path("/run/extrude/live")
"""Stands while the daemon watches; the scripts of its unit make and remove it."""

SOCKET = Path("/run/extrude/bird.ctl")
_WAY = re.compile(r"^\s+via \S+ on (\S+)", re.MULTILINE)
"""A next hop in what ``birdc show route`` prints."""

_PROTOCOL = re.compile(r"^(\S+)\s+BGP\s+\S+\s+\S+\s+(\d\S*(?: \d\S*)?)\s+([A-Z]\w+)[ \t]*(.*?)\s*$", re.MULTILINE)
"""A session in what ``birdc show protocols`` prints: name, time, state and what was last wrong."""

_START_SECONDS = 15
"""How long to wait for a start that is under way: the unit waits for its sessions then."""


def watched() -> bool:
    """Whether the daemon watches, and so stands in for the stand-by rules."""
    return LIVE.exists()


def ways() -> set[str] | None:
    """The tunnels by which the daemon has a way now, of whatever tier; None where it does not watch."""
    birdc = _programs.find("birdc")
    if birdc is None or not watched():
        return None
    done = _programs.run([birdc, "-r", "-s", str(SOCKET), "show", "route", "table", "live4"])
    return set(_WAY.findall(done.stdout)) if done.returncode == 0 else None


class Session(NamedTuple):
    """The daemon's session in a tunnel: since when it is in its state, and what was last wrong."""

    since: datetime | None
    """None where the daemon tells it in another form, as with the files of an earlier version."""
    state: str
    trouble: str

    @property
    def up(self) -> bool:
        return self.state == "Established"


def sessions() -> dict[str, Session] | None:
    """The daemon's sessions by tunnel; None where it does not run or does not answer."""
    birdc = _programs.find("birdc")
    if birdc is None or not SOCKET.exists():
        return None
    done = _programs.run([birdc, "-r", "-s", str(SOCKET), "show", "protocols"])
    return parse_sessions(done.stdout) if done.returncode == 0 else None


def parse_sessions(text: str) -> dict[str, Session]:
    """The BGP sessions in what ``birdc show protocols`` prints."""
    found = _PROTOCOL.findall(text)
    return {name: Session(_moment(since), state, trouble) for name, since, state, trouble in found}


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone() if ":" in text else None
    except ValueError:
        return None


def reload(folder: Path) -> None:
    """Have the daemon take its files in *folder* as they are now, where it runs and has a main one.

    Raises EngineError with BIRD's own sentence where it refuses them; it goes on with the old ones then.
    """
    systemctl = _programs.find("systemctl")
    if systemctl is None or not (folder / MAIN).exists() or not _runs(systemctl):
        return
    done = _programs.run([systemctl, "reload", UNIT])
    if done.returncode:
        raise EngineError(f"{UNIT} does not take its new files: {_complaint(folder) or _line(done)}")


def _runs(systemctl: str) -> bool:
    """Whether the unit is active, which may take a moment where it starts or reloads just now."""
    end = time.monotonic() + _START_SECONDS
    while (state := _programs.run([systemctl, "is-active", UNIT]).stdout.strip()) in ("activating", "reloading"):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return state == "active"


def _complaint(folder: Path) -> str:
    """What BIRD says to its files: nothing where it takes them."""
    bird = _programs.find("bird")
    return _line(_programs.run([bird, "-p", "-c", str(folder / MAIN)])) if bird else ""


def _line(done: subprocess.CompletedProcess[str]) -> str:
    return _programs.words(done.stderr)
