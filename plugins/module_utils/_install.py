# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the command on a host: the module utils that it is made of, as a package, and other files.

A module carries its module utils to the host anyway, so they are copied from there: what boot and hooks run is the
very text that modules run. This module util is private to the collection.
"""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import _command  # carried along for its text
from ._fields import EngineError
from ._storage import cannot, write

PACKAGE = "multihome_extrude"
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


def install(to_write: Mapping[Path, Wanted], stale: list[Path]) -> None:
    """Bring the files up to date, each in one step; what others need comes first."""
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
