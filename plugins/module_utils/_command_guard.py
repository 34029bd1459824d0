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
from typing import Any

from . import _rollback
from ._conflict import Conflict
from ._fields import EngineError
from ._guard import LONGEST, Guarded, refuse_gone, went_back
from ._local import Store, name_of

BY_HAND = "put back by hand"
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
    confirm.set_defaults(run=run_confirm)
    rollback: argparse.ArgumentParser = commands.add_parser(
        "rollback",
        help="put back a change that waits to be confirmed",
        description="Puts changes back that wait to be confirmed. Prints what it does.",
    )
    _owners(rollback)
    choice = rollback.add_mutually_exclusive_group()
    choice.add_argument("--due", action="store_true", help="only those whose time is out")
    choice.add_argument("--within", type=int, metavar="SECONDS", help="give them so long from now on")
    rollback.add_argument("--because", metavar="TEXT", default="", help="why, for the journal and extrude status")
    rollback.set_defaults(run=run_rollback)


def _owners(parser: argparse.ArgumentParser) -> None:
    text = "whose changes, as CUSTOMER/SITE; without any all that wait"
    parser.add_argument("owners", nargs="*", metavar="CUSTOMER/SITE", help=text)
    since = "fail where another run than this one has changed something since"
    parser.add_argument("--run", dest="by", metavar="NAME", default="", help=since)


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
    with store.records.locked():
        if options.within is not None:
            if waiting := _waiting(options, store):
                store.guards.hold(waiting, options.within, options.because)
            _say([f"{one}: goes back in {options.within} s" for one in waiting] or [NOTHING])
            return 0
        waiting = _chosen(options.owners, store, store.guards.due() if options.due else store.guards.waiting())
        if not waiting:
            gone = went_back(_chosen(options.owners, store, store.guards.load()))
            _say([] if options.due else gone or [NOTHING])  # a timer may find that all was confirmed
            return 0
        if not options.due:  # what cannot be kept on the disk must not come again with the next apply
            waiting = store.guards.expire(waiting, options.because or BY_HAND)
        _say(_rollback.told(waiting), journal=True)
        back = _rollback.roll_back(store, waiting)
    _say(list(map(str, back.done)), journal=True)
    if back.problems:
        raise Conflict(back.problems)
    return 0


def _waiting(options: argparse.Namespace, store: Store) -> list[Guarded]:
    """What can still be decided. Raises Conflict where a change that is named went back or is about to, or all are.

    Without names one that went back days ago must not stand in the way of those that wait now: it is only told.
    """
    chosen = _chosen(options.owners, store, store.guards.load())
    waiting = [one for one in chosen if one.undecided]
    if options.owners or not waiting:
        refuse_gone(chosen, options.by)
    refuse_gone(waiting, options.by)
    for text in went_back(chosen):
        sys.stderr.write(f"extrude: warning: {text}\n")
    return waiting


def _chosen(owners: Sequence[str], store: Store, guarded: Sequence[Guarded]) -> list[Guarded]:
    """Those of some owners, or all. One that has nothing to confirm is fine, but not one that is not here."""
    here = {str(one) for one in store.guards.load()} | set(map(name_of, store.states.load())) if owners else set()
    if strange := [name for name in owners if name not in here]:
        raise EngineError(f"{', '.join(strange)}: not here. Here are {', '.join(sorted(here)) or 'none'}")
    return [one for one in guarded if not owners or str(one) in owners]


def _say(lines: Sequence[str], journal: bool = False) -> None:
    """Print lines. What was decided by hand or by a run is told to the *journal* too, as what systemd starts is."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
    if journal and not _is_journal():
        syslog.openlog("extrude", syslog.LOG_PID, syslog.LOG_DAEMON)
        for line in lines:
            syslog.syslog(syslog.LOG_NOTICE, line)


def _is_journal() -> bool:
    """Whether what is printed goes to the journal already (systemd.exec(5), ``JOURNAL_STREAM``)."""
    out = os.fstat(1)
    return os.environ.get("JOURNAL_STREAM") == f"{out.st_dev}:{out.st_ino}"
