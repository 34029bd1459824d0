# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts guarded changes back.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial

from . import _apply, _host
from ._bind import Plain
from ._fields import EngineError, HostError
from ._guard import Guarded, Owner
from ._local import Store, bound
from ._model import State
from ._request import Operation, Part, Request
from ._signals import Stopped


def roll_back(store: Store, guarded: Sequence[Guarded]) -> tuple[list[Operation], list[str]]:
    """Put changes back: what was done, and what hindered it. The caller holds the lock of the records.

    All of them together; where that fails each by itself. What fails stays due, so the next apply tries again.
    """
    try:
        return _together(store, guarded)
    except (Stopped, HostError):
        raise
    except EngineError as error:
        if len(guarded) < 2:
            return [], [f"{', '.join(map(str, guarded))}: cannot go back to what was before: {error}"]
    done: list[Operation] = []
    problems: list[str] = []
    for one in guarded:
        more, hindered = roll_back(store, [one])
        done += more
        problems += hindered
    return done, problems


def _together(store: Store, guarded: Sequence[Guarded]) -> tuple[list[Operation], list[str]]:
    done: list[Operation] = []
    problems: list[str] = []
    parts: tuple[Part, ...] = ("make", "")
    for part in parts:
        group = [one.restored for one in guarded if one.restored.get("only", "") == part]
        if group:
            # as boot does: the links are as they are, and what others have put into our places is theirs
            # and keys go back too, whatever the former inventory allowed
            desired = bound([{**one, "renumber": True} for one in group], store, patient=True)
            request = Request(desired, only=part, folder=store.states.folder, yields=True)
            found = _apply.run(store.records, request, False, partial(_storing, store, group))
            done += found.operations
            problems += [f"not put back: {problem}" for problem in found.left.problems]
    store.guards.undo(guarded)
    return done, problems


def _storing(store: Store, states: Sequence[Plain], _found: _host.Survey) -> AbstractContextManager[None]:
    return store.states.storing(states)


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
    return [f"{one}: not confirmed, so it goes back to what was before" for one in guarded]
