# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, problems, run

WANS = [dsl(up=20, down=50), cable(up=10, down=30)]


def times(rtt: float | None, held: float = 0.0) -> Vars:
    """What was measured of a tunnel."""
    return {"rtt": rtt, "transit": None, "site_delay": held, "colo_delay": held}


def packet(**changes: Any) -> Vars:
    return office(**{"extrude_balance": "packet", "extrude_wans": WANS, **changes})


def delays(made: Vars) -> list[list[Vars]]:
    """The delays at the site and at the colo."""
    return [made["sites"]["office"]["delays"], made["colos"]["rack"][0]["delays"]]


def test_flow_is_the_default_and_waits_for_nothing() -> None:
    made = run(office=office())
    assert (made["spread"], made["waiting"], delays(made)) == ([], [], [[], []])


def test_packet_mode_waits_in_flow_mode_until_the_tunnels_are_measured() -> None:
    for measured in ({}, {"dsl": times(10)}, {"dsl": times(10), "cable": times(None)}):
        made = run(office=packet(extrude_measured=measured))
        assert (made["spread"], made["waiting"]) == (["office"], ["office"])
        assert made["sites"] == run(office=office(extrude_wans=WANS))["sites"]


def test_the_faster_tunnel_is_held_back_half_at_each_end() -> None:
    made = run(office=packet(extrude_measured={"dsl": times(10), "cable": times(30)}))
    assert (made["spread"], made["waiting"]) == (["office"], [])
    assert delays(made) == [[{"device": "ex-dsl", "delay": 10.0}], [{"device": "ex1-dsl", "delay": 10.0}]]


def test_what_is_held_back_is_not_measured_as_part_of_the_path() -> None:
    first = run(office=packet(extrude_measured={"dsl": times(10), "cable": times(30)}))
    assert run(office=packet(extrude_measured={"dsl": times(30, 10), "cable": times(30)})) == first


@pytest.mark.parametrize(
    "junk", [{"rtt": "10"}, {"rtt": True}, {"rtt": -1}, {"transit": "x"}, {"transit": 1e300}, {"site_delay": []}]
)
def test_what_is_no_measurement_is_told(junk: Vars) -> None:
    (problem,) = problems(office=packet(extrude_measured={"dsl": {**times(10), **junk}, "cable": times(30)}))
    assert problem.startswith("office: extrude_measured: ")


def test_a_backup_link_is_not_measured_up_to() -> None:
    wans = [*WANS, dsl(name="lte", interface="lte0", address="192.0.2.9/24", metric=2)]
    made = run(office=packet(extrude_wans=wans, extrude_measured={"dsl": times(10), "cable": times(10)}))
    assert (made["waiting"], delays(made)) == ([], [[], []])


def test_with_one_link_there_is_nothing_to_spread() -> None:
    assert run(office=packet(extrude_wans=WANS[:1]))["spread"] == []


def test_links_that_differ_too_much_are_refused_with_the_figures() -> None:
    assert problems(office=packet(extrude_measured={"dsl": times(10), "cable": times(75)})) == [
        (
            "office: extrude_balance: packet would hold back dsl by 65 ms: a round trip takes 10 ms there and 75 ms by"
            " cable, and extrude_level_limit is 60; give flow, or cable a higher metric, or a higher limit"
        )
    ]


@pytest.mark.parametrize("limit", [65, 500])
def test_the_limit_is_settable(limit: int) -> None:
    made = run(office=packet(extrude_level_limit=limit, extrude_measured={"dsl": times(10), "cable": times(75)}))
    assert delays(made)[0] == [{"device": "ex-dsl", "delay": 32.5}]


def test_packet_mode_needs_to_know_how_fast_each_link_is() -> None:
    assert problems(office=packet(extrude_wans=[dsl(up=20), cable(up=10)])) == [
        f"office: extrude_wans[{number}]: has no rates, which packet mode shares packets by; "
        "give up and down, or weight"
        for number in (0, 1)
    ]


def test_a_link_that_is_too_slow_to_get_its_share_of_packets_is_refused() -> None:
    assert problems(office=packet(extrude_wans=[dsl(up=1000, down=1000), cable(up=20, down=2)])) == [
        (
            "office: extrude_balance: packet would give cable 4.0 times its share of what goes down: of 64 packets it"
            " gets one; give flow, or cable a higher metric"
        )
    ]
    assert run(office=packet(extrude_wans=[dsl(up=1000, down=1000), cable(up=20, down=20)]))["waiting"] == ["office"]


@pytest.mark.parametrize("value", [{"dsl": {"rtt": 10}}, {"dsl": 10}, {"dsl": None}])
def test_what_is_no_measurement(value: Any) -> None:
    (problem,) = problems(office=packet(extrude_measured=value))
    assert problem.startswith("office: extrude_measured: ")
    assert problem.endswith("is no measurement; give what the filter tunnel_times returns")
