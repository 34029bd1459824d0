# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs of the host.

This module util is private to the collection.
"""

from __future__ import annotations

import os
import shutil


def find(program: str) -> str | None:
    """The path of a program; None where it is not installed."""
    # a login over ssh often has no sbin in its path
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]))
