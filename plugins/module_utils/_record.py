# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was applied on this host, one file per customer.

The kernel cannot say whose an address, a proxy entry or a route of several customers is; these
records do. A record is written twice: before a change with the old and the new objects, so that a
run that is cut short leaves nothing without an owner, and after it with the new ones. While the disk
cannot be written a record is kept in memory, which lasts as long as the kernel's objects do: a link that
gets another address is followed all the same.
This module util is private to the collection.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ._bind import Plain
from ._model import Route, Rule, State, Sysctl
from ._storage import SiteFiles, lock_file

FOLDER = "/var/lib/extrude"
SPARE = "/run/extrude/records"
LOCK = "/run/extrude/lock"
"""Not beside the records: a disk that cannot be written any more must not keep links from being followed."""


class Records:
    """The records in one folder. Errors are EngineErrors that name the file.

    *patient*: one that cannot be understood counts as empty, which goes to ``lost``. What is there and wanted stays
    then, and boot has nothing yet; only what is not wanted any more may be left.
    """

    def __init__(self, folder: str | Path = FOLDER, spare: str | Path | None = None, patient: bool = False) -> None:
        in_memory = str(folder) == FOLDER
        self._folder = Path(folder)
        self._lock = Path(LOCK) if in_memory else self._folder / ".lock"
        self._files = SiteFiles(folder, "record of what was applied", spare or (SPARE if in_memory else None), patient)

    @property
    def warnings(self) -> list[str]:
        """Records that could not be understood, in words."""
        return self._files.warnings

    @property
    def lost(self) -> list[str]:
        """Files that could not be understood and had no copy that can, in words."""
        return self._files.lost

    @contextmanager
    def locked(self, lazy: bool = False) -> Iterator[bool]:
        """One run at a time changes this host; a second one waits. So does a *lazy* one, unless another lazy one waits
        already: False then, without the lock. What both are about is left to that one, which has looked at nothing yet.
        """
        with lock_file(self._lock) as lock:
            if not lazy:
                fcntl.flock(lock, fcntl.LOCK_EX)
            elif not self._queued(lock):
                yield False
                return
            yield True

    def _queued(self, lock: TextIO) -> bool:
        """Wait for the lock at the one place that there is for lazy ones; False where somebody has that place."""
        with lock_file(self._lock.with_name(f"{self._lock.name}.next")) as place:
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            fcntl.flock(lock, fcntl.LOCK_EX)
            return True

    def load(self) -> tuple[State, ...]:
        """The states of every owner on this host."""
        return tuple(self._files.load(State.parse))

    def store(self, states: Iterable[State]) -> None:
        """Put *states* in place of those of the same owners; other owners' stay as they are."""
        with self.storing(states):
            pass

    @contextmanager
    def storing(self, states: Iterable[State]) -> Iterator[None]:
        """The same, if the body succeeds; that it can be written is known before that."""
        wanted = list(states)
        customers = {state.owner.customer for state in wanted}
        kept = {state.owner: state for state in self._files.load(State.parse, customers)}
        spared = self._files.spared()
        changed = {
            state.owner: state
            for state in wanted
            if state.owner.customer in spared or not _same(kept.get(state.owner), state)
        }
        together = {**kept, **changed}.values()
        files: dict[str, dict[str, Plain]] = {customer: {} for customer in sorted({o.customer for o in changed})}
        for state in together:
            if state.owner.customer in files and state.objects:
                files[state.owner.customer][state.owner.site] = state.plain()
        with self._files.storing(files):
            yield


def _same(one: State | None, other: State) -> bool:
    """Whether two states are the same even in what tells no objects apart, but says when they are wanted."""
    return one is not None and one == other and _conditions(one) == _conditions(other)


def _conditions(state: State) -> list[bool]:
    return [
        *(rule.standby for rule in state.of(Rule)),
        *(sysctl.optional for sysctl in state.of(Sysctl)),
        *(route.lasting for route in state.of(Route)),
    ]
