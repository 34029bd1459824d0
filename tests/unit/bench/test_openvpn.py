# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the benchmark against OpenVPN."""

from __future__ import annotations

import pytest

from tests.bench import openvpn
from tests.bench.report import Row


def told(lost: int) -> Row:
    total = {"packets": 100_000, "lost_packets": lost}
    return {"busy": 25.0, "end": {"sum": total}}


def test_only_datagrams_that_arrived_count() -> None:
    assert openvpn.gigabits(told(0)) == pytest.approx(1.04)
    assert openvpn.gigabits(told(50_000)) == pytest.approx(0.52)


def test_the_router_forwards_and_has_one_of_the_two_ends() -> None:
    medians = {openvpn.NEAR: 7.0, openvpn.FAR: 13.0, openvpn.PLAIN: 13.0, openvpn.DEFAULT: 33.0, openvpn.GRE: 15.0}
    assert openvpn.costs(medians) == {
        openvpn.PLAIN: openvpn.Cost(machine=13.0, ends=0.0, router=3.0),
        openvpn.DEFAULT: openvpn.Cost(machine=33.0, ends=20.0, router=13.0),
        openvpn.GRE: openvpn.Cost(machine=15.0, ends=2.0, router=4.0),
    }
