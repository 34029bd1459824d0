# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The problems of an inventory: collected, and shown all together.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class TopologyError(Exception):
    """The inventory has problems; the text has one of them a line."""


NAMED = 3
"""Hosts that a line names: with more of them, what is wrong with all would be far to the right."""
MOST = 30
"""Lines that are shown: with more of them, the first ones would have scrolled away."""
_ENTRY = re.compile(r"(?P<list>[^\[]*)\[(?P<index>[0-9]+)\]")


class Problems:
    """Collects what is wrong with an inventory, in the order of finding; but of one list in the order of its entries,
    which are checked for one thing after another."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._lists: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, host: str, path: str, text: str) -> None:
        """Note that the variable at `path` (like ``extrude_wans[0].slot``) of `host` is wrong; `text` says why."""
        if entry := _ENTRY.match(path):
            known = self._lists.setdefault((host, entry["list"]), [])
            known.append((int(entry["index"]), len(self._lines)))
        self._lines.append((_on_one_line(host), _on_one_line(f"{path}: {text}")))

    def raise_if_any(self) -> None:
        """Raise a TopologyError with what was noted; what several hosts have in common is one problem, and one line."""
        hosts: dict[str, dict[str, None]] = {}
        for host, text in self._sorted():
            hosts.setdefault(text, {})[host] = None
        lines = [f"{some(names, NAMED)}: {text}" for text, names in hosts.items()]
        if lines:
            count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
            more = [f"and {len(lines) - MOST} more, which are told once these are right"] if len(lines) > MOST else []
            raise TopologyError("\n".join([f"the inventory has {count}:", *lines[:MOST], *more]))

    def _sorted(self) -> list[tuple[str, str]]:
        """Return the lines, each as its host and the rest.

        Those of a list are in the order of its entries, at the places that they have together.
        """
        lines = list(self._lines)
        for entries in self._lists.values():
            places = [place for _index, place in entries]
            for place, (_index, source) in zip(places, sorted(entries), strict=True):
                lines[place] = self._lines[source]
        return lines


def some(names: Iterable[str], shown: int) -> str:
    """List names, so many of them, and how many there are beside: ``a, b and 3 more``."""
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return f"{', '.join(listed[:shown])}{more}" if listed else "none"


def _on_one_line(text: str) -> str:
    """Values of the inventory stand in it, and they may hold line breaks."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
