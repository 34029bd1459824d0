# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``extrude apply``: brings the host to its states, and says what that took.

This module util is private to the collection.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from . import _apply, _endpoint_tell
from ._bind import Plain
from ._fields import EngineError
from ._local import Store, bound
from ._request import Operation, Part, Request

_ATTEMPTS = 3
"""How often to start again because links changed meanwhile."""


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "apply",
        help="bring the host to its states",
        description="Brings the host to the states in /etc/extrude, with the addresses that its links have now."
        " What stands on links that are down is taken away until they are back. Prints what it does.",
    )
    parser.add_argument("--check", action="store_true", help="only print what it would do")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, store: Store) -> int:
    """Do it."""
    operations, problems = apply(store, options.check)
    for operation in operations:
        sys.stdout.write(f"{operation}\n")
    if not options.check:
        _endpoint_tell.follow(store)
    if problems:
        raise EngineError("; ".join(problems))
    return 0


def apply(store: Store, check: bool = False) -> tuple[list[Operation], list[str]]:
    """Bring the host to its states: what was done, and what hindered it.

    All customers go together; where that fails each goes alone, so that one does not hinder the others.
    """
    with nullcontext() if check else store.records.locked():
        states = store.states.load()
        try:
            return _steadily(states, store, check), []
        except EngineError as error:
            customers = sorted({str(state["customer"]) for state in states})
            if len(customers) < 2:
                return [], [str(error)]
        done: list[Operation] = []
        problems = []
        for customer in customers:
            try:
                done += _steadily([state for state in states if state["customer"] == customer], store, check)
            except EngineError as error:
                problems.append(f"customer {customer}: {error}")
        return done, problems


def _steadily(states: Sequence[Plain], store: Store, check: bool) -> list[Operation]:
    """Bind and apply: first what a run of the playbook has made so far and not purged yet, then all else."""
    parts: tuple[Part, ...] = ("make", "")
    grouped = [(part, [state for state in states if state.get("only", "") == part]) for part in parts]
    return [operation for part, group in grouped if group for operation in _part(group, part, store, check)]


def _part(states: Sequence[Plain], only: Part, store: Store, check: bool) -> Sequence[Operation]:
    """Bind and apply; once more where it failed and the links are others by now."""
    folder = store.states.folder
    desired = bound(states, store, patient=True)
    for _attempt in range(_ATTEMPTS - 1):
        try:
            return _apply.run(store.records, Request(desired, only=only, folder=folder), check).operations
        except EngineError:
            former, desired = desired, bound(states, store, patient=True)
            if desired == former:
                raise
    return _apply.run(store.records, Request(desired, only=only, folder=folder), check).operations
