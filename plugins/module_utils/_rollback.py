# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts guarded changes back.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from . import _apply, _host
from ._bind import Plain
from ._fields import EngineError, HostError
from ._guard import Guarded, Owner
from ._local import Store, bound
from ._model import State
from ._request import Operation, Part, Request
from ._signals import Stopped


@dataclass
class Back:
    """What was done, what hindered it, and what is back until the next boot only, since the disk cannot be written."""

    done: list[Operation] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unwritten: list[Guarded] = field(default_factory=list)

    def add(self, other: Back) -> None:
        self.done += other.done
        self.problems += other.problems
        self.unwritten += other.unwritten


def roll_back(store: Store, guarded: Sequence[Guarded]) -> Back:
    """Put changes back. The caller holds the lock of the records.

    All of them together; where that fails each by itself. What fails stays due, so the next apply tries again.
    """
    try:
        return _together(store, guarded)
    except Stopped:
        raise
    except HostError as error:
        return Back([], [str(error)], list(guarded))
    except EngineError as error:
        if len(guarded) < 2:
            return Back([], [f"{', '.join(map(str, guarded))}: cannot go back to what was before: {error}"])
    back = Back()
    for one in guarded:
        back.add(roll_back(store, [one]))
    return back


def _together(store: Store, guarded: Sequence[Guarded]) -> Back:
    back = Back()
    unwritten: list[str] = []
    parts: tuple[Part, ...] = ("make", "")
    for part in parts:
        group = [one.restored for one in guarded if one.restored.get("only", "") == part]
        if group:
            # as boot does: the links are as they are, and what others have put into our places is theirs
            # and keys go back too, whatever the former inventory allowed
            desired = bound([{**one, "renumber": True} for one in group], store, patient=True)
            settings = {name: both for one in guarded if one.restored in group for name, both in one.altered.items()}
            request = Request(desired, only=part, folder=store.states.folder, yields=True, settings=settings)
            found = _apply.run(store.records, request, False, partial(_storing, store, group, unwritten))
            back.done += found.operations
            back.problems += [f"not put back: {problem}" for problem in found.left.problems]
    with _unless_full(unwritten):
        if not unwritten:
            store.guards.undo(guarded)
            store.settle()
    back.problems += dict.fromkeys(unwritten)
    back.unwritten += guarded if unwritten else ()
    return back


@contextmanager
def _storing(store: Store, states: Sequence[Plain], unwritten: list[str], _found: _host.Survey) -> Iterator[None]:
    """Have the former states on the disk; where that takes nothing the host goes back all the same."""
    with ExitStack() as stack:
        with _unless_full(unwritten):
            stack.enter_context(store.states.storing(states))
        yield


@contextmanager
def _unless_full(unwritten: list[str]) -> Iterator[None]:
    """Note what cannot be written, and go on."""
    try:
        yield
    except HostError as error:
        unwritten.append(str(error))


def returning(store: Store, asking: Collection[Owner]) -> tuple[State, ...]:
    """What sites other than those *asking* had before changes that may go back yet, as far as it makes sense."""
    found: list[State] = []
    for one in store.guards.waiting():
        if one.owner not in asking and one.former:
            with suppress(EngineError):  # nor could it go back
                found += bound([one.former], store, patient=True)
    return tuple(found)


def told(guarded: Iterable[Guarded]) -> list[str]:
    """What is about to go back, for the journal."""
    return [f"{one}: {one.why}, so it goes back to what was before" for one in guarded]
