# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``extrude endpoint``: a site tells its colo the addresses of its links, and the colo hears it.

This module util is private to the collection.
"""

from __future__ import annotations

import argparse
import os
import sys
import syslog
from typing import Any

from . import _endpoint_accept, _endpoint_apply, _endpoint_tell
from ._conflict import Conflict
from ._fields import EngineError
from ._local import Store

_NOT_UNDERSTOOD = 2
"""The exit code after which the unit does not try again."""


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "endpoint",
        help="tell the colo the address of a link, and hear it there",
        description="A site tells its colo by ssh where a link is now, and the colo moves its end of the tunnel there.",
    )
    ends = parser.add_subparsers(dest="end", metavar="END", required=True)
    tell = ends.add_parser(
        "tell",
        help="at a site: tell the colo, until it has heard",
        description="Tells the colo the address of a link, until it has heard or the link is down. Without WAN: tells"
        " of all links that are up, and fails if none is heard; the telling goes on then.",
    )
    tell.add_argument("wan", metavar="WAN", nargs="?", help="the link, by its name in the inventory")
    tell.add_argument("--within", type=float, default=60, metavar="SECONDS", help="without WAN: how long to wait (60)")
    tell.add_argument(
        "--others",
        type=float,
        metavar="SECONDS",
        help="without WAN: how long to wait for others once one is heard",
    )
    tell.set_defaults(run=_tell)
    accept = ends.add_parser(
        "accept",
        help="at a colo: what sshd runs for the key of a site",
        description="Takes the address that an ssh connection comes from for that of the link that it names.",
    )
    accept.add_argument("who", metavar="CUSTOMER/SITE", help="the site whose key has logged in")
    accept.set_defaults(run=_accept)
    apply = ends.add_parser(
        "apply",
        help="at a colo: move the tunnels to what was heard",
        description="Moves the tunnels of the sites that report to where these are, and touches nothing else.",
    )
    apply.set_defaults(run=_apply)


def _tell(options: argparse.Namespace, store: Store) -> int:
    if options.wan and options.wan not in _endpoint_tell.links(store):
        sys.stderr.write(f"extrude: {options.wan} is not a link of which a colo has to be told\n")
        return _NOT_UNDERSTOOD
    if options.wan:
        _endpoint_tell.tell(store, options.wan)
        return 0
    others = options.within if options.others is None else options.others
    heard, unheard = _endpoint_tell.tell_all(store, options.within, others)
    text = f"the colo has not heard of {'; of '.join(unheard)}"
    if unheard and not heard:
        raise EngineError(text)
    if unheard:
        sys.stderr.write(f"extrude: {text}\n")
    return 0


def _accept(options: argparse.Namespace, store: Store) -> int:
    """What is refused is logged too: a stolen key shows there."""
    asked, connection = (os.environ.get(name, "") for name in ("SSH_ORIGINAL_COMMAND", "SSH_CONNECTION"))
    try:
        address = _endpoint_accept.accept(options.who, asked, connection, store)
    except _endpoint_accept.Refused as refusal:
        _log(syslog.LOG_WARNING, f"{options.who} from {_endpoint_accept.shown(connection)}: refused: {refusal}")
        raise
    _log(syslog.LOG_INFO, f"{options.who}: link {asked} is at {address}")
    sys.stdout.write(f"heard {address}\n")
    return 0


def _apply(_options: argparse.Namespace, store: Store) -> int:
    operations, problems = _endpoint_apply.move(store)
    for operation in operations:
        sys.stdout.write(f"{operation}\n")
    if problems:
        raise Conflict(problems)
    return 0


def _log(level: int, text: str) -> None:
    syslog.openlog("extrude", syslog.LOG_PID, syslog.LOG_AUTH)
    syslog.syslog(level, text)
