# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is pinned to a link takes its tunnel, in both directions, while that lives."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.acceptance import modules, sessions, traffic
from tests.acceptance.call import call
from tests.acceptance.conftest import brought
from tests.acceptance.inventory import lab_host, states
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS
from tests.lab.lab import Lab

EF = 46
PINNED = {
    **lab_host("office"),
    "extrude_pins": [{"dscp": "ef", "wan": "cable"}, {"protocol": "udp", "ports": "9400-9499", "wan": "cable"}],
}
ENDS = {
    "up": ("tx", "desk", DESK_ADDRESS, INTERNET_ADDRESS),
    "down": ("rx", "internet", INTERNET_ADDRESS, DESK_ADDRESS),
}
FLOWS = 60


@pytest.fixture(scope="module")
def pinned(deployed: Lab) -> Iterator[Lab]:
    """The lab where calls take the cable link."""
    with brought(deployed, PINNED):
        yield deployed


def by_cable(lab: Lab, direction: str, *, dscp: int = 0, port: int = 9) -> int:
    """How many percent of some flows take the tunnel of the cable link."""
    counter, sender, source, target = ENDS[direction]
    marked = f"sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, {dscp << 2}); sender.bind("
    program = traffic.SENDER.replace("sender.bind(", marked).replace("(target, 9)", f"(target, {port})")
    before = traffic.counters(lab, counter)
    lab.exec(sender, ["python3", "-c", program, source, target, str(FLOWS), "5"])
    after = traffic.counters(lab, counter)
    sent = {wan: after[wan] - before[wan] for wan in after}
    return round(100 * sent["cable"] / sum(sent.values()))


@pytest.mark.parametrize("direction", ENDS)
def test_a_class_and_some_ports_take_their_link_and_all_else_any(pinned: Lab, direction: str) -> None:
    assert by_cable(pinned, direction, dscp=EF) > 90
    assert by_cable(pinned, direction, port=9450) > 90
    assert 10 < by_cable(pinned, direction) < 65


def test_a_second_run_finds_nothing_to_do(pinned: Lab) -> None:
    assert modules.drift(pinned, states({"office": PINNED})) == []


def test_a_call_goes_on_by_the_other_link_and_comes_back(pinned: Lab) -> None:
    with call(pinned, dscp=EF) as fared:
        time.sleep(1)
        pinned.cut("cable", black_hole=True)
        sessions.wait_down(pinned, "office", "ex-cable")
        time.sleep(1)
        assert by_cable(pinned, "up", dscp=EF) < 10
        pinned.heal("cable")
        sessions.wait_up(pinned)
        time.sleep(1)
    assert by_cable(pinned, "up", dscp=EF) > 90
    assert fared.lost < 100, "2 s: the lab takes 0.9 s to notice"
