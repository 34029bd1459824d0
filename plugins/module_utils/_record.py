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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._fields import Fields
from ._model import SCHEMA, EngineError, Rule, State, Sysctl

FOLDER = "/var/lib/extrude"


class Records:
    """The records in one folder. Errors are EngineErrors that name the file."""

    def __init__(self, folder: str | Path = FOLDER) -> None:
        self._folder = Path(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One run at a time changes this host; a second one waits."""
        path = self._folder / ".lock"
        try:
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            lock = path.open("w", encoding="ascii")
        except OSError as error:
            raise _cannot("write", path, error) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> tuple[State, ...]:
        """The states of every owner on this host."""
        return tuple(state for path in sorted(self._folder.glob("*.json")) for state in _read(path))

    def store(self, states: Iterable[State]) -> None:
        """Put *states* in place of those of the same owners; other owners' stay as they are."""
        kept = {state.owner: state for state in self.load()}
        changed = {state.owner: state for state in states if not _same(kept.get(state.owner), state)}
        for customer in sorted({owner.customer for owner in changed}):
            together = {**kept, **changed}.values()
            _write(self._folder, customer, [state for state in together if state.owner.customer == customer])


def _same(one: State | None, other: State) -> bool:
    """Whether two states are the same even in what tells no objects apart, but says when they are wanted."""
    return one is not None and one == other and _conditions(one) == _conditions(other)


def _conditions(state: State) -> list[bool]:
    return [*(rule.standby for rule in state.of(Rule)), *(sysctl.optional for sysctl in state.of(Sysctl))]


def _read(path: Path) -> list[State]:
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _cannot("read", path, error) from error
    except (ValueError, EngineError) as error:
        raise EngineError(f"{path} is no record of what was applied, mend it or remove it: {error}") from error


def _parse(text: str) -> list[State]:
    sites = Fields(json.loads(text), "").required("sites")
    if not isinstance(sites, dict):
        raise EngineError(f"sites: {sites!r} is no dictionary")
    return [State.parse(state, f"sites.{site}") for site, state in sites.items()]


def _write(folder: Path, customer: str, states: Iterable[State]) -> None:
    """Replace the file of a customer in one step, on the disk before the old one goes; without states it goes."""
    path = folder / f"{customer}.json"
    sites = {state.owner.site: state.plain() for state in states if state.objects}
    try:
        if not sites:
            path.unlink(missing_ok=True)
            return
        temporary = path.with_name(f".{path.name}.new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(_text(customer, sites))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise _cannot("write", path, error) from error


def _text(customer: str, sites: Mapping[str, Any]) -> str:
    """One line a site: short to read for people, and fast to write for thousands."""
    lines = ",\n".join(f"{json.dumps(site)}: {json.dumps(sites[site])}" for site in sorted(sites))
    return f'{{"schema": {SCHEMA}, "customer": {json.dumps(customer)}, "sites": {{\n{lines}\n}}}}\n'


def _cannot(do: str, path: Path, error: OSError) -> EngineError:
    root = "; it takes root" if isinstance(error, PermissionError) else ""
    return EngineError(f"cannot {do} {path}: {error.strerror}{root}")
