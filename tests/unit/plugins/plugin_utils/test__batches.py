# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._batches import ALLOWED, batches
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ([1, "25%", "100%"], ["1", "25%", "100%"]),
        ([1, "10"], ["1", "10"]),
        ("1,5", ["1", "5"]),
        ("1, 50%", ["1", "50%"]),
        ("100%", ["100%"]),
        (5, ["5"]),
    ],
)
def test_what_is_taken(given: object, sizes: list[str]) -> None:
    assert batches(given) == sizes


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ([0], "0 is no size of a batch"),
        ([1, "x"], "'x' is no size of a batch"),
        ([1, None], "None is no size of a batch"),
        ([True], "true is no size of a batch"),
        (["0%"], "'0%' is no size of a batch"),
        (["101%"], "'101%' is no size of a batch"),
        ([1.5], "1.5 is no size of a batch"),
        (-1, "'-1' is no size of a batch"),
        ('[1,"50%"]', "'[1' is no size of a batch"),
        ("1,,5", "'' is no size of a batch"),
        ("", "'' is no size of a batch"),
        ({"first": 1}, "is no size of a batch"),
        ([], "is empty"),
    ],
)
def test_what_is_refused(given: object, wrong: str) -> None:
    with pytest.raises(TopologyError) as caught:
        batches(given)
    told = str(caught.value)
    assert told.startswith("extrude_batches: ")
    assert told.endswith(f"{wrong}; give {ALLOWED}")
