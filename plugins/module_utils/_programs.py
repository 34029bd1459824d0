# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs of the host.

This module util is private to the collection.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from ._fields import EngineError

_SECONDS = 60


def find(program: str) -> str | None:
    """The path of a program; None where it is not installed."""
    # a login over ssh often has no sbin in its path
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))


def run(command: Sequence[str], seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program, whatever its exit code; EngineError where it cannot start or has not ended in time."""
    limit = seconds or _SECONDS
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=limit
        )
    except OSError as error:
        raise EngineError(f"{command[0]} cannot be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{' '.join(command)} has not ended after {limit} s") from error


def words(text: str) -> str:
    """What a program has printed, on one line."""
    return " ".join(text.split())
