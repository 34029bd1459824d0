# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pppd and NetworkManager call the devices that they have brought up: for links that were up before there was a
hook.

This module util is private to the collection.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import _programs

RUN, PROC = Path("/run"), Path("/proc")
_MANAGER = "NetworkManager"
_SECONDS = 5


def named(run: Path = RUN, proc: Path = PROC) -> dict[str, set[str]]:
    """The names by device."""
    found: dict[str, set[str]] = {}
    for device, name in [*_links(run, proc), *_connections(run)]:
        found.setdefault(device, set()).add(name)
    return found


def _links(run: Path, proc: Path) -> Iterator[tuple[str, str]]:
    """Each session with a ``linkname`` has a file with the number of its pppd and its device (pppd(8), FILES)."""
    for path in run.glob("ppp-*.pid"):
        try:
            number, device = path.read_text(encoding="utf-8").split()
            if (proc / str(int(number)) / "comm").read_text(encoding="utf-8") == "pppd\n":
                yield device, path.stem.removeprefix("ppp-")
        except (OSError, ValueError):  # no session any more
            continue


def _connections(run: Path) -> list[tuple[str, str]]:
    program = _programs.find("nmcli") if (run / _MANAGER).exists() else None
    if program is None:
        return []
    asked = [program, "-t", "-e", "no", "-f", "GENERAL.IP-IFACE,GENERAL.CONNECTION", "device", "show"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return list(parse_connections(done.stdout))


def parse_connections(text: str) -> Iterator[tuple[str, str]]:
    """Device and name of each connection in what ``nmcli`` prints: a block for each, with a line for each field."""
    for block in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in block.splitlines() if ":" in line)
        device, name = fields.get("GENERAL.IP-IFACE"), fields.get("GENERAL.CONNECTION")
        if device and name:
            yield device, name
