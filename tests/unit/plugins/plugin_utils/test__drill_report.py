# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._drill_report import Cut, Direction, judge, report

SITE: dict[str, Any] = {
    "interval_ms": 10.0,
    "sent": 1000,
    "into": [[0, 114], [910, 999]],
    "received": [[0, 97], [113, 980]],
    "by": [[0, 97], [905, 980]],
    "offset_ms": 25.0,
    "ended": False,
    "made_ms": 1003.0,
    "undone_ms": 6004.0,
    "back": True,
}
COLO: dict[str, Any] = {
    "interval_ms": 10.0,
    "sent": 990,
    "into": [[0, 112], [905, 989]],
    "received": [[0, 100], [115, 999]],
    "by": [[0, 100], [910, 999]],
    "offset_ms": 12.0,
    "ended": True,
}


def test_both_directions_of_a_drill_that_went_well() -> None:
    found = report(SITE, COLO, "dsl")
    usual = {"carried": True, "cut_off": False, "lost_on_return_ms": 0}
    assert found == {
        "wan": "dsl",
        "ok": True,
        "text": "dsl: 140 ms lost up, 150 ms down; switched after 150 ms; back after 3.1 s, 0 lost on return",
        "up": {**usual, "lost_ms": 140, "switch_ms": 140, "return_ms": 3096},
        "down": {**usual, "lost_ms": 150, "switch_ms": 150, "return_ms": 3071},
    }
    assert json.loads(json.dumps(found)) == found


def test_traffic_that_stays_on_the_dead_link_is_no_success() -> None:
    site = {**SITE, "into": [[0, 999]], "received": [[0, 97], [598, 980]]}
    colo = {**COLO, "into": [[0, 989]], "received": [[0, 100], [601, 999]]}
    found = report(site, colo, "dsl")
    assert not found["ok"]
    assert (found["up"]["lost_ms"], found["up"]["switch_ms"], found["up"]["return_ms"]) == (5000, None, 6)
    assert found["text"] == (
        "dsl: 5000 ms lost up, 5000 ms down; DID NOT SWITCH up and down in 5.0 s; back after 6 ms, 0 lost on return"
    )


def test_the_last_link_has_none_to_switch_to() -> None:
    found = report({**SITE, "received": [[0, 97], [905, 980]]}, {**COLO, "received": [[0, 100], [910, 999]]}, "dsl")
    assert (found["up"]["cut_off"], found["down"]["cut_off"]) == (True, True)
    assert "ms down; noticed after 150 ms, and no other link took over; back after" in found["text"]


def test_one_direction_may_fail_alone() -> None:
    colo = {**COLO, "into": [[0, 989]]}
    found = report({**SITE, "received": [[0, 97], [598, 980]]}, colo, "dsl")
    assert "DID NOT SWITCH down in 5.0 s" in found["text"]
    assert found["up"]["switch_ms"] == 140


def test_traffic_that_does_not_come_back_is_no_success() -> None:
    found = report({**SITE, "into": [[0, 114]]}, COLO, "dsl")
    assert not found["ok"]
    assert found["up"]["return_ms"] is None
    assert found["text"].endswith("switched after 150 ms; DID NOT COME BACK up")


def test_what_is_lost_on_return_is_told_apart() -> None:
    site = {**SITE, "received": [[0, 97], [113, 903], [906, 980]]}
    found = report(site, COLO, "dsl")
    assert (found["down"]["lost_ms"], found["down"]["lost_on_return_ms"]) == (150, 20)
    assert found["text"].endswith("back after 3.1 s, 20 ms lost on return")


def test_a_link_that_carries_nothing_has_nothing_to_switch() -> None:
    whole = {"received": [[0, 980]], "into": []}
    found = report({**SITE, **whole}, {**COLO, **whole, "received": [[0, 999]]}, "lte")
    assert found["ok"]
    assert found["text"] == "lte: 0 ms lost up, 0 ms lost down; it carries nothing now".replace(
        "0 ms lost down", "0 ms down"
    )


def test_a_link_that_carries_nothing_may_stay_away_too() -> None:
    whole = {"received": [[0, 980]], "into": [], "back": False}
    found = report({**SITE, **whole}, {**COLO, **whole, "received": [[0, 999]]}, "lte")
    assert not found["ok"]
    assert found["text"].endswith("it carries nothing now; DID NOT COME BACK")


def test_a_link_may_carry_one_direction_only() -> None:
    found = report({**SITE, "into": []}, {**COLO, "received": [[0, 999]]}, "dsl")
    assert found["ok"]
    assert found["text"] == (
        "dsl: 0 ms lost up, 150 ms down; it carries nothing up now; switched after 150 ms; "
        "back after 3.1 s, 0 lost on return"
    )


def test_nothing_heard_is_all_lost() -> None:
    found = report({**SITE, "received": [], "offset_ms": None}, COLO, "dsl")
    assert found["down"]["lost_ms"] >= 4900


@pytest.mark.parametrize("late", [0.0, 60.0])
def test_a_host_that_notes_the_cut_late_does_not_hide_what_is_lost(late: float) -> None:
    one = Direction(10.0, 0.0, [[0, 114], [700, 999]], [[0, 100], [115, 999]], 999)
    found = judge(one, Cut(1010.0 + late, 6000.0))
    assert (found["lost_ms"], found["switch_ms"]) == (140, 140)


def test_packet_mode_loses_a_share_until_the_switch() -> None:
    """Every third packet takes the link: numbers 0, 3, 6, … up to 117, and again from 600 on."""
    into = [[number, number] for number in (*range(0, 118, 3), *range(600, 1000, 3))]
    lost = set(range(102, 118, 3))
    received = [[number, number] for number in range(1000) if number not in lost]
    found = judge(Direction(10.0, 0.0, into, received, 999), Cut(1015.0, 5500.0))
    expected = {"carried": True, "cut_off": False, "lost_ms": 60, "switch_ms": 160}
    assert found == {**expected, "return_ms": 500, "lost_on_return_ms": 0}


def test_losses_before_the_cut_are_no_cost_of_it() -> None:
    one = Direction(10.0, 0.0, [[0, 114], [700, 999]], [[0, 50], [52, 100], [115, 999]], 999)
    assert judge(one, Cut(1010.0, 6000.0))["lost_ms"] == 140
