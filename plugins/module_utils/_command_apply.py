# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``extrude apply``: brings the host to its states, and says what that took.

This module util is private to the collection.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

from . import _apply, _endpoint_tell, _rollback, _strongswan
from ._bind import Plain
from ._conflict import Conflict
from ._fields import EngineError, HostError
from ._host import Survey
from ._local import Store, bound
from ._request import Operation, Part, Request
from ._signals import Stopped
from ._states import owner_of

_ATTEMPTS = 3
"""How often to start again because links changed meanwhile."""
_PATIENCE = 30.0
"""Seconds in which states that fail together are tried apart: boot waits for it."""


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "apply",
        help="bring the host to its states",
        description="Brings the host to the states in /etc/extrude, with the addresses that its links have now."
        " What stands on links that are down is taken away until they are back. Prints what it does."
        " What cannot stand, since others have put something there, is left out and told.",
    )
    parser.add_argument("--check", action="store_true", help="only print what it would do")
    lazy = "leave it to another apply that waits for its turn, if there is one; for callers that come often"
    parser.add_argument("--lazy", action="store_true", help=lazy)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, store: Store) -> int:
    """Do it."""
    operations, problems, mine = _in_turn(store, options.check, options.lazy)
    for operation in operations:
        sys.stdout.write(f"{operation}\n")
    if mine and not options.check:  # before its turn a new address has no rule, and a report leaves by another link
        try:
            _endpoint_tell.follow(store)
            _strongswan.call()
        except (EngineError, OSError) as error:
            problems.append(str(error))
    if problems:
        raise Conflict(problems)
    return 0


def apply(store: Store, check: bool = False) -> tuple[list[Operation], list[str]]:
    """Bring the host to its states: what was done, and what hindered it."""
    return _in_turn(store, check, lazy=False)[:2]


def _in_turn(store: Store, check: bool, lazy: bool) -> tuple[list[Operation], list[str], bool]:
    """The same, and whether it was not left to another one, as a *lazy* call may do.

    First changes go back that nobody has confirmed in time; then comes what a run of the playbook has made so far and
    not purged yet, then all else.
    """
    done: list[Operation] = []
    problems: list[str] = []
    back: dict[tuple[str, str], Plain] = {}
    parts: tuple[Part, ...] = ("make", "")
    with nullcontext(True) if check else store.records.locked(lazy) as mine:
        if mine and not check and (due := store.guards.due()):
            problems += _rollback.told(due)
            gone = _rollback.roll_back(store, due)
            done += gone.done
            problems += gone.problems
            back = {one.owner: one.restored for one in gone.unwritten}
        states = list(({owner_of(one): one for one in store.states.load()} | back).values()) if mine else []
        for part in parts:
            group = [state for state in states if state.get("only", "") == part]
            more, hindered = _apart(group, part, store, check) if group else ([], [])
            done += more
            problems += hindered
    return done, list(dict.fromkeys([*problems, *store.lost])), mine


def _apart(states: Sequence[Plain], only: Part, store: Store, check: bool) -> tuple[list[Operation], list[str]]:
    """All states together; where that fails each half, down to a single site, so that one does not hinder the others.

    At a colo with many sites that takes a few attempts for one that fails. What hinders the whole host ends it.
    """
    done: list[Operation] = []
    problems: list[str] = []
    waiting = deque([states])
    end = time.monotonic() + _PATIENCE
    while waiting:
        group = waiting.popleft()
        try:
            found = _steadily(group, only, store, check)
        except Stopped:
            raise
        except HostError as error:
            return done, [*problems, str(error)]
        except EngineError as error:
            middle = len(group) // 2
            if time.monotonic() >= end:
                return done, [*problems, f"{_owners(group)}: {error}", *_untried(waiting)]
            if middle:
                waiting += [group[:middle], group[middle:]]
            else:
                problems.append(f"{_owners(group)}: {error}")
        else:
            done += found.operations
            problems += found.left.problems
    return done, problems


def _untried(waiting: Iterable[Sequence[Plain]]) -> list[str]:
    """What is left when time is out, in words."""
    rest = [state for group in waiting for state in group]
    return [f"{_owners(rest)}: not tried, since others took so long to fail"] if rest else []


def _owners(states: Sequence[Plain]) -> str:
    first = f"customer {states[0]['customer']}, site {states[0]['site']}"
    return first if len(states) == 1 else f"{first}, and {len(states) - 1} more"


def _steadily(states: Sequence[Plain], only: Part, store: Store, check: bool) -> Survey:
    """Bind and apply; once more where it failed and the links are others by now."""
    folder = store.states.folder
    desired = bound(states, store, patient=True)
    for _attempt in range(_ATTEMPTS - 1):
        try:
            return _apply.run(store.records, Request(desired, only=only, folder=folder, yields=True), check)
        except (Stopped, HostError):
            raise
        except EngineError:
            former, desired = desired, bound(states, store, patient=True)
            if desired == former:
                raise
    return _apply.run(store.records, Request(desired, only=only, folder=folder, yields=True), check)
