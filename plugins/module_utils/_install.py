# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the command on a host: the module utils that it is made of, as a package, and other files; and removes it.

A module carries its module utils to the host anyway, so they are copied from there: what boot and hooks run is the
very text that modules run. This module util is private to the collection.
"""

from __future__ import annotations

import ast
import pkgutil
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from . import (
    _command,  # carried along for its text
    _programs,
)
from ._fields import EngineError
from ._storage import cannot, write

PACKAGE = "multihome_extrude"
FOLDERS = "folders"
"""In the folder of the package: a list of those that had to be made for other files, which go with these."""
UNITS = Path("/etc/systemd/system")
_START = f"""\
# Made by multihome.extrude. Run by python3 as a folder.
import sys

from {PACKAGE}._command import main

sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file's text and mode."""

    text: str
    mode: int = 0o644


def command_files(folder: Path) -> dict[Path, Wanted]:
    """The files of the command: a package with a starter beside it."""
    sources = {folder / PACKAGE / f"{name}.py": Wanted(text) for name, text in _sources("_command").items()}
    return {folder / "__main__.py": Wanted(_START), folder / PACKAGE / "__init__.py": Wanted(""), **sources}


def _sources(*names: str) -> dict[str, str]:
    """The texts of module utils and of all that they import of each other, by name."""
    found: dict[str, str] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = _source(name)
            left += _imported(found[name])
    return dict(sorted(found.items()))


def _source(name: str) -> str:
    text = pkgutil.get_data(_command.__package__ or "", f"{name}.py")
    if text is None:
        raise EngineError(f"the module util {name} is not where this module runs")
    return text.decode()


def _imported(text: str) -> list[str]:
    """The names of the module utils that a module util imports, which it does relatively."""
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.level == 1]
    return [
        name for node in imports for name in ([node.module] if node.module else [alias.name for alias in node.names])
    ]


def differences(wanted: Mapping[Path, Wanted], folder: Path) -> tuple[dict[Path, Wanted], list[Path]]:
    """The files to write, and the Python files of the package in *folder* to delete: earlier versions had them."""
    to_write = {path: file for path, file in wanted.items() if not _stands(path, file)}
    stale = [path for path in (folder / PACKAGE).glob("*.py") if path not in wanted]
    return to_write, sorted(stale)


def install(to_write: Mapping[Path, Wanted], stale: list[Path], folder: Path) -> None:
    """Bring the files up to date, each in one step; what others need comes first."""
    _note_folders({parent for path in to_write for parent in path.parents if not parent.exists()}, folder)
    for path, file in sorted(to_write.items(), key=lambda entry: entry[1].mode):
        try:
            write(path, file.text, mode=file.mode)
        except OSError as error:
            raise cannot("write", path, error) from error
    for path in stale:
        path.unlink(missing_ok=True)


def _stands(path: Path, file: Wanted) -> bool:
    try:
        return path.stat().st_mode & 0o7777 == file.mode and path.read_text(encoding="utf-8") == file.text
    except (OSError, ValueError):
        return False


def _note_folders(made: set[Path], folder: Path) -> None:
    """Remember which folders are about to be made, beside those of earlier runs."""
    known = set(_noted(folder))
    if new := {path for path in made if path != folder and folder not in path.parents} - known:
        try:
            write(folder / FOLDERS, "".join(f"{path}\n" for path in sorted(known | new)))
        except OSError as error:
            raise cannot("write", folder / FOLDERS, error) from error


def _noted(folder: Path) -> list[Path]:
    try:
        return [Path(line) for line in (folder / FOLDERS).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


# --- and the other way round ----------------------------------------------------------------------------


def present(paths: Iterable[Path]) -> list[Path]:
    """Those of the files and folders that are there."""
    return sorted(path for path in set(paths) if path.exists() or path.is_symlink())


def refuse_in_use(folders: Iterable[Path]) -> None:
    """Raises EngineError where one of the folders has the state of a customer: somebody is deployed here."""
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        raise EngineError(f"{path} is there: a site is still deployed on this host, or is again")


def remove(there: Iterable[Path], folder: Path) -> None:
    """Stop the units among these files, then remove the files, and folders with all that is in them."""
    paths, noted = list(there), _noted(folder)
    names = [path.name for path in paths if path.parent == UNITS]
    _systemctl("disable", "--now", *(name for name in names if "@." not in name))
    _systemctl("stop", *(name.replace("@.", "@*.") for name in names if "@." in name))
    for path in paths:
        _remove(path)
    # the deepest first; one in which others have put something stays, and so does what a package has brought
    dropins = [path.parent for path in paths if path.parent.parent == UNITS]
    for empty in sorted([*noted, *dropins], key=lambda path: -len(path.parts)):
        with suppress(OSError):
            empty.rmdir()
    if any(UNITS in path.parents for path in paths):
        _systemctl("daemon-reload")


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot("remove", path, error) from error


def _systemctl(verb: str, *words: str) -> None:
    """Without a unit there is nothing to do, unless the verb takes none."""
    systemctl = _programs.find("systemctl")
    takes_units = verb != "daemon-reload"
    if systemctl is None or (takes_units and not set(words) - {"--now"}):
        return
    done = _programs.run([systemctl, verb, *words])
    if done.returncode:
        raise EngineError(f"systemctl {verb} failed: {_programs.words(done.stderr)}")
