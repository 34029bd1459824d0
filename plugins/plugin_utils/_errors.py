# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The problems of an inventory: collected, and shown all together.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re


class TopologyError(Exception):
    """The inventory has problems; the text has one of them a line."""


_ENTRY = re.compile(r"(?P<list>[^\[]*)\[(?P<index>[0-9]+)\]")


class Problems:
    """Collects what is wrong with an inventory, in the order of finding; but of one list in the order of its entries,
    which are checked for one thing after another."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._lists: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, host: str, path: str, text: str) -> None:
        """Note that the variable at `path` (like ``extrude_wans[0].slot``) of `host` is wrong; `text` says why."""
        if entry := _ENTRY.match(path):
            known = self._lists.setdefault((host, entry["list"]), [])
            known.append((int(entry["index"]), len(self._lines)))
        line = f"{host}: {path}: {text}"
        # values of the inventory stand in it, and they may hold line breaks
        self._lines.append("".join(char if char.isprintable() else repr(char)[1:-1] for char in line))

    def raise_if_any(self) -> None:
        """Raise a TopologyError with all that was noted, each line once."""
        lines = dict.fromkeys(self._sorted())
        if lines:
            count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
            raise TopologyError("\n".join([f"the inventory has {count}:", *lines]))

    def _sorted(self) -> list[str]:
        """Return the lines; those of a list are in the order of its entries, at the places that they have together."""
        lines = list(self._lines)
        for entries in self._lists.values():
            places = [place for _index, place in entries]
            for place, (_index, source) in zip(places, sorted(entries), strict=True):
                lines[place] = self._lines[source]
        return lines
