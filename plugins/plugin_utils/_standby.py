# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules in three steps: to what lives, to all ways while nobody watches them, and to what is left when none lives.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.module_utils._model import PROTOCOL
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Numbers

FOLDER = "standby.d"
WORDS = {"source": "from", "destination": "to", "iif": "iif", "table": "lookup"}
"""What ip-rule(8) calls the keys of a rule."""


def steps(rule: Plain, numbers: Numbers, left: Sequence[int]) -> Iterator[Plain]:
    """Yield a rule to the live table, at the next priority the stand-by one, and behind it those to the tables that are
    `left` when no way lives."""
    yield {**rule, "table": numbers.live}
    yield {**rule, "priority": rule["priority"] + 1, "table": numbers.static, "standby": True}
    for step, table in enumerate(left, 2):
        yield {**rule, "priority": rule["priority"] + step, "table": table}


def standby_files(name: str, rules: Sequence[Plain]) -> Iterator[Plain]:
    """Yield for each IP version the file by which the unit's scripts put the stand-by rules in and take them out."""
    for version in (4, 6):
        lines = [_words(rule) for rule in rules if rule.get("standby") and rule["family"] == version]
        if lines:
            yield {"path": f"{FOLDER}/{name}.{version}", "content": "".join(f"{line}\n" for line in lines)}


def _words(rule: Plain) -> str:
    """Return a rule as ``ip rule add`` and ``ip rule del`` take it."""
    keys = sorted(rule.keys() - {"family", "priority", "standby"}, key=list(WORDS).index)
    matches = [f"{WORDS[key]} {rule[key]}" for key in keys]
    return " ".join([f"priority {rule['priority']}", *matches, f"protocol {PROTOCOL}"])
