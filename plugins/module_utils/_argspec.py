# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the modules share. Must say the same as ``doc_fragments/_scope.py``.

This module util is private to the collection.
"""

from __future__ import annotations

from typing import Any

from . import _model, _record

Options = dict[str, dict[str, Any]]


def directory() -> Options:
    return {"directory": {"type": "path", "default": _record.FOLDER}}


def directories() -> Options:
    return {**directory(), "config_directory": {"type": "path", "default": _model.FOLDER}}


def scope() -> Options:
    """Whose the objects are, and whether those that are not listed go."""
    return {
        "customer": {"type": "str", "required": True},
        "site": {"type": "str", "default": "local"},
        "purge": {"type": "bool", "default": False},
        **directory(),
    }


def items(**options: dict[str, Any]) -> dict[str, Any]:
    """A required list of objects with these options."""
    return {"type": "list", "elements": "dict", "required": True, "options": options}
