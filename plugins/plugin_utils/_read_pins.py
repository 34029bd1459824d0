# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a site pins to single links: ``extrude_pins``.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds, _read_direct
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Match, Pin, Wan

KEYS = ("destination", "protocol", "ports", "dscp")
"""A ``source`` is none of them: behind the NAT of a LAN the colo could not tell one from another."""
EXAMPLE = "{protocol: udp, ports: 10000-20000, wan: dsl}"


def read_pins(reader: Reader, wans: Sequence[Wan]) -> tuple[Pin, ...]:
    """Read the pins of a site."""
    tunnelled = [wan for wan in wans if wan.has_tunnel]
    pins = [
        pin
        for index, child in reader.children("extrude_pins", EXAMPLE, [])
        if (pin := _read_pin(child, f"extrude_pins[{index}]", tunnelled))
    ]
    _check_once(reader, pins)
    return tuple(pins)


def _read_pin(reader: Reader, path: str, wans: Sequence[Wan]) -> Pin | None:
    before = len(reader.problems)
    reader.only((*KEYS, "wan"))
    match = replace(_read_direct.read_match(reader), path=path)
    name = reader.read("wan", _read_direct.WAN)
    wan = next((wan for wan in wans if wan.name == name), None)
    if name and wan is None and wans:  # without any the links have a problem, which is told already
        reader.problem("wan", f"'{name}' is no link with a tunnel; give {_kinds.either(other.name for other in wans)}")
    if all(map(reader.lacks, KEYS)) and len(reader.problems) == before:
        reader.note(path, f"has nothing but a link, and everything fits that; give some of {', '.join(KEYS)} too")
    _read_direct.check_match(reader, match)
    return Pin(match, wan) if wan and len(reader.problems) == before else None


def _check_once(reader: Reader, pins: Sequence[Pin]) -> None:
    """Note each pin that never counts, since an earlier one leads the same to another link."""
    firsts: dict[Match, Pin] = {}
    for pin in pins:
        first = firsts.setdefault(pin.match, pin)
        if first.wan != pin.wan:
            text = f"is pinned to {first.wan.name} by {first.match.path}, and the first that fits counts"
            reader.note(pin.match.path, f"{text}; leave one of them out")
