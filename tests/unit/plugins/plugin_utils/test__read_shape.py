# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Shape
from tests.unit.plugins.plugin_utils.samples import cable, dsl, noted, reader

SITE = "office: extrude_shape"
RATES = "give up, down or both: what the link really carries"
ENCRYPTED = "give up, what the link really carries: what an encrypted link receives (down) is not shaped"


def shapes(*wans: Any, **site: Any) -> list[Shape | None]:
    one = reader({"extrude_wans": list(wans), **site})
    read = read_wans(one)
    assert noted(one) == []
    return [wan.shape for wan in read]


def problems(*wans: Any, **site: Any) -> list[str]:
    one = reader({"extrude_wans": list(wans), **site})
    read_wans(one)
    return noted(one)


def test_nothing_is_shaped_unless_asked_for() -> None:
    assert shapes(dsl(up=20, down=50)) == [None]


def test_links_with_rates_are_shaped_a_bit_below_them() -> None:
    rates = {"up": 20, "down": 50}
    assert shapes(dsl(**rates), cable(up=2.5, down=30), extrude_shape=True) == [
        Shape(19_000, 47_500, SITE),
        Shape(2375, 28_500, SITE),
    ]
    assert shapes(dsl(**rates), cable(metric=2), extrude_shape=True, extrude_shape_percent=80) == [
        Shape(16_000, 40_000, SITE),
        None,
    ]
    assert shapes(dsl(up=0.0001), extrude_shape=True) == [Shape(1, 0, SITE)]


def test_a_link_may_say_it_itself() -> None:
    links = [dsl(up=20, shape=True, shape_percent=85), cable(up=10)]
    assert shapes(*links) == [Shape(17_000, 0, "office: extrude_wans[0].shape"), None]
    assert shapes(dsl(up=20, shape=False), cable(up=10), extrude_shape=True) == [None, Shape(9500, 0, SITE)]


def test_a_percentage_may_wait_for_what_is_off_for_now() -> None:
    link = dsl(up=20, shape_percent=85)
    assert shapes(link, extrude_shape=False) == [None]
    assert shapes({**link, "shape": False}) == [None]
    assert shapes(dsl(up=20), extrude_shape=False, extrude_shape_percent=85) == [None]
    assert shapes(dsl(up=20, shape=True), extrude_shape_percent=85) == [
        Shape(17_000, 0, "office: extrude_wans[0].shape")
    ]


def test_what_an_encrypted_link_receives_is_not_shaped() -> None:
    links = [dsl(up=20, down=50, nat=True), cable(up=10, down=30, use="direct")]
    assert shapes(*links, extrude_shape=True) == [Shape(19_000, 0, SITE), Shape(9500, 28_500, SITE)]
    links = [dsl(down=50, ipsec=True), cable(up=10, down=30, metric=2)]
    assert shapes(*links, extrude_shape=True) == [None, Shape(9500, 28_500, SITE)]


@pytest.mark.parametrize(
    ("link", "site", "problem"),
    [
        (
            {"shape": True, "down": 50, "ipsec": True},
            {},
            f"extrude_wans[0].shape: true, and the link has no rate to be shaped to; {ENCRYPTED}",
        ),
        (
            {"down": 50},
            {"extrude_shape": True, "extrude_ipsec": True},
            f"extrude_shape: true, and no link has a rate to be shaped to; {ENCRYPTED}",
        ),
        ({"shape": True}, {}, f"extrude_wans[0].shape: true, and the link has no rate to be shaped to; {RATES}"),
        ({}, {"extrude_shape": True}, f"extrude_shape: true, and no link has a rate to be shaped to; {RATES}"),
        (
            {"up": 9, "shape": False},
            {"extrude_shape": True},
            (
                "extrude_shape: true, and all links with a rate have shape: false; give false here, or leave that out"
                " of one of them"
            ),
        ),
        (
            {"up": 9, "shape_percent": 85},
            {},
            "extrude_wans[0].shape_percent: has no effect; give shape too: true, or false to leave it so",
        ),
        (
            {"up": 9},
            {"extrude_shape_percent": 85},
            "extrude_shape_percent: has no effect; give extrude_shape too: true, or false to leave it so",
        ),
        ({}, {"extrude_shape": 1}, "extrude_shape: 1 is not a truth value; give true or false"),
        (
            {"up": 9, "shape_percent": 101},
            {"extrude_shape": True},
            "extrude_wans[0].shape_percent: 101 is out of range; give a whole number from 10 to 100",
        ),
    ],
)
def test_bad_values(link: dict[str, Any], site: dict[str, Any], problem: str) -> None:
    assert problems(dsl(**link), **site) == [f"office: {problem}"]
