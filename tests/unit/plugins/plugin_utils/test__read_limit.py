# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_limit import read_limit
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Limit
from tests.unit.plugins.plugin_utils.samples import noted, reader

GIVE = "give a dictionary with up, down or both, in Mbit/s"
RATE = "give Mbit/s, more than 0 and up to 1000000"


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ({"up": 100, "down": 50.5}, Limit(100_000, 50_500)),
        ({"down": 0.0001}, Limit(0, 1)),
    ],
)
def test_limits(value: object, limit: Limit) -> None:
    one = reader({"extrude_limit": value})
    assert read_limit(one) == limit
    assert noted(one) == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (100, "extrude_limit: 100 is not a dictionary; give {up: 100, down: 100}"),
        ("100", f"extrude_limit: '100' is not a dictionary; {GIVE}"),
        ({"up": 5, "down": None}, f"extrude_limit.down: is empty; leave it out, or {RATE}"),
        (None, f"extrude_limit: is empty; leave it out, or {GIVE}"),
        ([], f"extrude_limit: a list is not a dictionary; {GIVE}"),
        ({}, f"extrude_limit: an empty dictionary says no rate; {GIVE}"),
        ({"up": 0}, f"extrude_limit.up: 0 is out of range; {RATE}"),
        ({"up": "fast"}, f"extrude_limit.up: 'fast' is not a number; {RATE}"),
        ({"dwon": 5}, "extrude_limit.dwon: is not known; the nearest known key is down"),
    ],
)
def test_what_is_no_limit(value: object, problem: str) -> None:
    one = reader({"extrude_limit": value})
    read_limit(one)
    assert noted(one) == [f"office: {problem}"]
