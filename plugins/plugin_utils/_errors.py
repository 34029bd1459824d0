# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The problems of an inventory: collected, and shown all together.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations


class TopologyError(Exception):
    """The inventory has problems; the text has one of them a line."""


class Problems:
    """Collects what is wrong with an inventory, in the order of finding."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, host: str, path: str, text: str) -> None:
        """Note that the variable at `path` (like ``extrude_wans[0].slot``) of `host` is wrong; `text` says why."""
        line = f"{host}: {path}: {text}"
        # values of the inventory stand in it, and they may hold line breaks
        self._lines.append("".join(char if char.isprintable() else repr(char)[1:-1] for char in line))

    def raise_if_any(self) -> None:
        """Raise a TopologyError with all that was noted, each line once."""
        lines = dict.fromkeys(self._lines)
        if lines:
            count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
            raise TopologyError("\n".join([f"the inventory has {count}:", *lines]))
