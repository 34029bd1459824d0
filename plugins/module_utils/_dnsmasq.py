# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq, the name server of the LANs: a file of ours beside those of the admin says which answers it keeps in sets.

Whether it is there, and who asks it, is the admin's choice. It reads such lines when it starts only, so it is started
again where the file has changed. This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from . import _files, _programs
from ._bind import Plain
from ._fields import EngineError
from ._model import File, Place, Resolver

UNIT = "dnsmasq.service"
FOLDER = Path("/etc/dnsmasq.d")
"""What Debian's unit has it read."""
NOT_READ = ".dpkg-dist,.dpkg-old,.dpkg-new"
_Change: TypeAlias = tuple[Resolver | None, Resolver | None]


def installed() -> bool:
    """Whether this host has dnsmasq as a service; other programs bring the daemon alone, for themselves."""
    return "loaded" in _systemctl("show", "--property=LoadState", "--value")


def runs() -> bool:
    """Whether it runs."""
    return _systemctl("is-active") == "active"


def warnings(states: Iterable[Plain]) -> list[str]:
    """What the user has to know where the domains of states have nobody who learns their addresses."""
    if not any(state.get(Resolver.KIND) for state in states) or runs():
        return []
    return [f"{UNIT} does not run on this host, so nobody learns the addresses of the domains in extrude_direct"]


class Resolvers:
    """Our files. Errors are EngineErrors that name the file, or have dnsmasq's own words."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._path = folder
        self._folder = _files.Folder(folder, self._tell, shared=True, mark=".extrude-untold")

    def read(self, names: Iterable[str]) -> dict[Place, Resolver]:
        """Those of these names that are there."""
        asked = {path_of(name): name for name in names}
        found = self._folder.read(asked) if asked else {}
        listed = [Resolver(asked[file.path], file.content, file.extra) for file in found.values()]
        return {resolver.place: resolver for resolver in listed}

    def apply(self, changes: Sequence[_Change]) -> None:
        """Bring each file from what it is to what it should be; put all of them back should dnsmasq not take them."""
        if runs():
            self._check()  # what is wrong before is not ours
        self._folder.apply([(_file(before), _file(after)) for before, after in changes])

    def _tell(self, _changes: Sequence[_files.Change]) -> None:
        if not runs():
            return
        self._check()
        systemctl = _programs.find("systemctl") or "systemctl"
        done = _programs.run([systemctl, "restart", UNIT])
        if done.returncode:
            raise EngineError(f"{UNIT} does not start again: {_programs.words(done.stderr)}")

    def _check(self) -> None:
        """A restart with files that it refuses would leave the LANs without names."""
        program = _programs.find("dnsmasq")
        if program is None:
            return
        done = _programs.run([program, "--test", f"--conf-dir={self._path},{NOT_READ}"])
        if done.returncode:
            raise EngineError(f"dnsmasq does not take its files: {_programs.words(done.stderr)}")


def path_of(name: str) -> str:
    """The file of an owner."""
    return f"extrude-{name}.conf"


def _file(resolver: Resolver | None) -> File | None:
    return None if resolver is None else File(path_of(resolver.name), resolver.content)


def _systemctl(*words: str) -> str:
    """What systemctl prints of the unit; nothing where there is no systemd."""
    systemctl = _programs.find("systemctl")
    return "" if systemctl is None else _programs.run([systemctl, *words, UNIT]).stdout.strip()
