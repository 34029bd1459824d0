# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the sites of a customer may send and receive together: ``extrude_limit``.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Limit

VARIABLE = "extrude_limit"
KEYS = ("up", "down")
NEUTRAL: Mapping[str, Any] = {}


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _kinds.Refusal(f"{value} is not a dictionary; give {{up: {value}, down: {value}}}")
    if not isinstance(value, Mapping):
        raise ValueError(f"{_kinds.describe(value)} is not a dictionary")
    if not value:
        raise ValueError("an empty dictionary says no rate")
    return cast("Mapping[str, Any]", value)


RATES = _kinds.Kind("a dictionary with up, down or both, in Mbit/s", _mapping, NEUTRAL)


def read_limit(reader: Reader) -> Limit:
    """Read the bounds; none where the variable is not given."""
    rates = Reader(reader.host, reader.read(VARIABLE, RATES, NEUTRAL), reader.problems, f"{VARIABLE}.")
    rates.only(KEYS)
    return Limit(*(_kilobits(rates.read(key, _kinds.RATE, None)) for key in KEYS))


def _kilobits(rate: float | None) -> int:
    """Return a rate in Mbit/s in kbit/s; 0 for none."""
    return 0 if rate is None else max(1, round(rate * 1000))
