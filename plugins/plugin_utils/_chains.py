# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains as a state has them, put together from parts.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import Part
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain


def digest(text: str) -> str:
    """Return what stands for a text that is too long for the name of a chain."""
    return hashlib.sha256(text.encode()).hexdigest()[:12].upper()


def chain(version: int, table: str, hook: str, rules: Iterable[str]) -> Plain:
    """Return the chain that a built-in one jumps to."""
    return {"family": version, "table": table, "name": f"EXTRUDE-{hook}", "hook": hook, "rules": list(rules)}


def joined(version: int, table: str, parts: Iterable[Part]) -> list[Plain]:
    """Put the parts of each chain together. An empty one stays where rules of ours may jump to it."""
    chains: dict[str, Plain] = {}
    for part in parts:
        hook = {"hook": part.hook} if part.hook else {}
        empty = {"family": version, "table": table, "name": part.name, **hook, "rules": []}
        chains.setdefault(part.name, empty)["rules"] += part.rules
    return [made for made in chains.values() if made["rules"] or "hook" not in made]


def by_device(root: str, way: str, number: int, verdicts: Iterable[str]) -> Iterator[Part]:
    """Yield the branch of a tree of chains that leads from `root` to what is to become of packets of one site.

    `way` is -i or -o. Each level of the tree compares one more digit of the site's number in the name of the tunnel,
    so a packet passes at most 20 rules a level, and no rule for each site. Sites with like numbers have the same
    branches, and who applies them puts those together. A chain holds ten sites, since a chain for each would take
    iptables-nft long to load.
    """
    digits, inner = str(number), root
    for length in range(1, len(digits)):
        outer, inner = inner, f"{root}-{digits[:length]}"
        yield Part(outer, (f"{way} ex{digits[:length]}+ -j {inner}",))
    yield Part(inner, tuple(f"{way} ex{digits}-+ {verdict}" for verdict in verdicts))
