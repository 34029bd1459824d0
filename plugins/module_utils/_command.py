# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``extrude``: its words and options.

Each subcommand is a module util of its own, which adds its options and does its work.
This module util is private to the collection.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import _command_apply, _command_endpoint, _command_guard, _command_status, _command_wan
from ._fields import EngineError
from ._local import Store

SUBCOMMANDS = (_command_apply, _command_status, _command_wan, _command_endpoint, _command_guard)
"""Each has ``add(commands)``, which sets ``run``: from the options and the store to the exit code."""

OK, FAILED = 0, 1
"""Exit codes; argparse ends with 2 where a word or an option is not understood."""


def main(words: Sequence[str] | None = None, store: Store | None = None) -> int:
    """Run the command with *words* (default: those of the process) and return the exit code."""
    options = _parser().parse_args(words)
    store = store or Store()
    try:
        code = int(options.run(options, store))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except EngineError as error:
        code = _say(str(error))
    except OSError as error:
        code = _say(f"the system refused: {error}")
    except KeyboardInterrupt:
        code = _say("interrupted")
    for warning in store.warnings:
        _say(f"warning: {warning}")
    return code


def _say(text: str) -> int:
    sys.stderr.write(f"extrude: {text}\n")
    return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="extrude",
        description="Brings this host's part of extruded addresses to the state that the inventory made.",
        epilog="Exit codes: 0 done, 1 failed (one line on stderr says why), 2 not understood.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for subcommand in SUBCOMMANDS:
        subcommand.add(commands)
    return parser
