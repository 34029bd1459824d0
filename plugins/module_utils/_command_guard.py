# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``extrude confirm`` and ``extrude rollback``: what becomes of changes that wait to be confirmed.

This module util is private to the collection.
"""

from __future__ import annotations

import argparse
import os
import sys
import syslog
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from . import _rollback
from ._conflict import Conflict
from ._fields import EngineError
from ._guard import LONGEST, Guarded, refuse_gone, taken_over, went_back
from ._local import Store, name_of

BY_HAND = "put back by hand"
_LONGEST_REASON = 200
NOTHING = "nothing waits to be confirmed"
"""What is told by hand: silence could be taken for a change that went back."""


def add(commands: Any) -> None:
    """Add the subcommands."""
    confirm: argparse.ArgumentParser = commands.add_parser(
        "confirm",
        help="keep a change that waits for that",
        description="Keeps changes that would else go back. Fails where one that is named, or each, has gone back.",
    )
    _owners(confirm)
    confirm.set_defaults(run=run_confirm, remaining=False)
    rollback: argparse.ArgumentParser = commands.add_parser(
        "rollback",
        help="put back a change that waits to be confirmed",
        description="Puts changes back that wait to be confirmed. Prints what it does.",
    )
    _owners(rollback)
    choice = rollback.add_mutually_exclusive_group()
    choice.add_argument("--due", action="store_true", help="only those whose time is out")
    choice.add_argument("--within", type=int, metavar="SECONDS", help="give them so long from now on")
    rollback.add_argument("--because", metavar="TEXT", default="", type=_line, help="why, for the journal and status")
    rest = "pass over those that went back, or that another run has changed since, or that are not here"
    rollback.add_argument("--remaining", action="store_true", help=rest)
    rollback.set_defaults(run=run_rollback)


def _owners(parser: argparse.ArgumentParser) -> None:
    text = "whose changes, as CUSTOMER/SITE; without any all that wait"
    parser.add_argument("owners", nargs="*", metavar="CUSTOMER/SITE", help=text)
    since = "whose they have to be: fail where another run has changed one since"
    parser.add_argument("--run", dest="by", metavar="NAME", default="", help=since)


def _line(text: str) -> str:
    """A reason as one line that any terminal and journal takes."""
    told = text.encode(errors="replace").decode()
    return " ".join("".join(sign if sign.isprintable() else " " for sign in told).split())[:_LONGEST_REASON]


def run_confirm(options: argparse.Namespace, store: Store) -> int:
    """Keep changes."""
    with store.records.locked():
        waiting = _waiting(options, store)
        store.guards.drop([one.owner for one in waiting])
        store.settle()
    _say([f"{one}: confirmed" for one in waiting] or [NOTHING], journal=bool(waiting))
    return 0


def run_rollback(options: argparse.Namespace, store: Store) -> int:
    """Put changes back, now or later."""
    if options.within is not None and not 1 <= options.within <= LONGEST:
        raise EngineError(f"--within: {options.within} is not from 1 to {LONGEST}")
    if options.due and (options.because or options.by or options.remaining):
        raise EngineError("--due: what is due goes back, whosever it is, and its time is the reason")
    with store.records.locked():
        if options.within is not None:
            if waiting := _waiting(options, store):
                store.guards.hold(waiting, options.within, options.because)
            _say([f"{one}: goes back in {options.within} s" for one in waiting] or [NOTHING])
            return 0
        waiting = _due(options, store) if options.due else _now(options, store)
        if not waiting:
            return 0  # a timer may find that all was confirmed
        if not options.due:  # what cannot be kept on the disk must not come again with the next apply
            waiting = store.guards.expire(waiting, options.because or BY_HAND)
        _say(_rollback.told(waiting), journal=True)
        back = _rollback.roll_back(store, waiting)
    _say(list(map(str, back.done)), journal=True)
    if back.problems:
        raise Conflict(back.problems)
    return 0


def _due(options: argparse.Namespace, store: Store) -> list[Guarded]:
    """Those whose time is out."""
    return [one for one in _chosen(options, store) if not one.undone and not one.left]


def _now(options: argparse.Namespace, store: Store) -> list[Guarded]:
    """What is to go back now, also what is going back already. Where that is nothing it says why."""
    chosen = _chosen(options, store)
    waiting = [one for one in chosen if not one.undone]
    if not waiting:
        _say(went_back(chosen) or [NOTHING])
    return _own(waiting, options)


def _waiting(options: argparse.Namespace, store: Store) -> list[Guarded]:
    """What can still be decided. Raises Conflict where a change that is named went back or is about to, or all are.

    Without names one that went back days ago must not stand in the way of those that wait now: it is only told.
    """
    chosen = _chosen(options, store)
    waiting = [one for one in chosen if one.undecided]
    if not options.remaining and (options.owners or not waiting):
        refuse_gone(chosen, options.by)
    _warn(went_back(chosen))
    return _own(waiting, options)


def _own(waiting: Sequence[Guarded], options: argparse.Namespace) -> list[Guarded]:
    """Those of the run that asks, if one does. Raises Conflict for others, unless these are to be passed over."""
    others = [one for one in waiting if options.by and one.run != options.by]
    if others and not options.remaining:
        raise Conflict([taken_over(one) for one in others])
    _warn([taken_over(one) for one in others])
    return [one for one in waiting if one not in others]


def _chosen(options: argparse.Namespace, store: Store) -> list[Guarded]:
    """Those of some owners, or all. One that has nothing to confirm is fine, but not one that is not here."""
    guarded = store.guards.load()
    here = {str(one) for one in guarded} | set(map(name_of, store.states.load())) if options.owners else set()
    strange = [name for name in options.owners if name not in here]
    if strange and not options.remaining:
        raise EngineError(f"{', '.join(strange)}: not here. Here are {', '.join(sorted(here)) or 'none'}")
    return [one for one in guarded if not options.owners or str(one) in options.owners]


def _warn(texts: Sequence[str]) -> None:
    for text in texts:
        sys.stderr.write(f"extrude: warning: {text}\n")


def _say(lines: Sequence[str], journal: bool = False) -> None:
    """Print lines. What was decided by hand or by a run is told to the *journal* too, as what systemd starts is.

    Where nobody can be told any more, what is to be done is done all the same.
    """
    with suppress(OSError, UnicodeError):
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    if journal and not _is_journal():
        syslog.openlog("extrude", syslog.LOG_PID, syslog.LOG_DAEMON)
        for line in lines:
            syslog.syslog(syslog.LOG_NOTICE, line)


def _is_journal() -> bool:
    """Whether what is printed goes to the journal already (systemd.exec(5), ``JOURNAL_STREAM``)."""
    stream = os.environ.get("JOURNAL_STREAM")
    if stream is None:
        return False
    out = os.fstat(1)
    return stream == f"{out.st_dev}:{out.st_ino}"
