# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was applied on this host, one file per customer.

The kernel cannot say whose an address, a proxy entry or a route of several customers is; these
records do. A record is written twice: before a change with the old and the new objects, so that a
run that is cut short leaves nothing without an owner, and after it with the new ones.
This module util is private to the collection.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ._model import SCHEMA, EngineError, Owner, State

FOLDER = "/var/lib/extrude"


class Records:
    """The records in one folder. Errors are EngineErrors that name the file."""

    def __init__(self, folder: str | Path = FOLDER) -> None:
        self._folder = Path(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One run at a time changes this host; a second one waits."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> tuple[State, ...]:
        """The states of every owner on this host."""
        return tuple(state for path in sorted(self._folder.glob("*.json")) for state in _read(path))

    def store(self, states: Iterable[State]) -> None:
        """Put *states* in place of those of the same owners; other owners' stay as they are."""
        changed: dict[Owner, State] = {state.owner: state for state in states}
        kept = {state.owner: state for state in self.load()}
        for customer in sorted({owner.customer for owner in changed}):
            sites = {owner.site: state for owner, state in {**kept, **changed}.items() if owner.customer == customer}
            data = {
                "schema": SCHEMA,
                "customer": customer,
                "sites": {site: sites[site].plain() for site in sorted(sites) if sites[site].objects},
            }
            _write(self._folder / f"{customer}.json", json.dumps(data, indent=1) + "\n")


def _read(path: Path) -> list[State]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return [State.parse(state, f"sites.{site}") for site, state in data["sites"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EngineError) as error:
        raise EngineError(f"cannot read {path}, the record of what was applied: {error}") from error


def _write(path: Path, text: str) -> None:
    """Replace the file in one step; it is on the disk before the old one goes. Unchanged, it is left alone."""
    try:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        temporary = path.with_name(f".{path.name}.new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}") from error
