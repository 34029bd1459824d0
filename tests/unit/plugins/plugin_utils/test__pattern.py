# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from math import ceil, floor, gcd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.plugin_utils._pattern import LONGEST, pattern, rules, shares

counts = st.lists(st.integers(1, 20), min_size=1, max_size=16).map(tuple)
weights = st.lists(st.integers(1, 255), min_size=1, max_size=16).map(tuple)


def gaps(steps: tuple[int, ...], index: int) -> set[int]:
    """Return the distances between the packets of one tunnel, over the end of the period too."""
    places = [step for step, found in enumerate(steps) if found == index]
    following = [*places[1:], places[0] + len(steps)]
    return {after - before for before, after in zip(places, following, strict=True)}


@given(counts)
def test_over_a_period_the_shares_are_exact(shared: tuple[int, ...]) -> None:
    steps = pattern(shared)
    assert [steps.count(index) for index in range(len(shared))] == list(shared)


@given(st.integers(1, 40), st.integers(1, 40))
def test_of_two_tunnels_the_smaller_share_stands_at_even_distances(one: int, other: int) -> None:
    steps = pattern((one, other))
    smaller = 0 if one <= other else 1
    even = len(steps) / min(one, other)
    assert gaps(steps, smaller) <= {floor(even), ceil(even)}


@given(counts)
def test_of_many_tunnels_no_distance_is_off_by_as_many_as_there_are_tunnels(shared: tuple[int, ...]) -> None:
    steps = pattern(shared)
    for index, count in enumerate(shared):
        assert all(abs(gap - len(steps) / count) < max(2, len(shared)) for gap in gaps(steps, index))


@given(st.integers(1, 16), st.integers(1, 4))
def test_equal_tunnels_take_turns(tunnels: int, turns: int) -> None:
    steps = pattern((turns,) * tunnels)
    assert all(gaps(steps, index) == {tunnels} for index in range(tunnels))


@given(weights)
def test_a_period_is_short_and_everybody_is_in_it(wanted: tuple[int, ...]) -> None:
    found = shares(wanted)
    assert min(found) >= 1
    assert sum(found) <= min(LONGEST, sum(wanted) // gcd(*wanted))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5).map(tuple))
def test_what_fits_is_near_enough(wanted: tuple[int, ...]) -> None:
    found = shares(wanted)
    for count, weight in zip(found, wanted, strict=True):
        assert count / sum(found) == pytest.approx(weight / sum(wanted), rel=0.01)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [((15, 4), (15, 4)), ((10, 1), (10, 1)), ((50, 30), (5, 3)), ((7,), (1,)), ((255, 1), (63, 1)), ((2, 2), (1, 1))],
)
def test_shares(wanted: tuple[int, ...], found: tuple[int, ...]) -> None:
    assert shares(wanted) == found


@given(st.lists(st.integers(1, 255), min_size=1, max_size=16))
def test_the_kernel_makes_the_pattern_of_the_rules(wanted: list[int]) -> None:
    """Counters as in net/netfilter/xt_statistic.c."""
    marks = list(range(1, len(wanted) + 1))
    steps = pattern(shares(tuple(wanted)))
    lines = list(rules(marks, wanted, 0x3F))
    counters: dict[str, int] = {}
    marked = []
    for _packet in range(2 * len(steps)):
        mark = 0
        for line in lines:
            nth = re.search(r"--every (\d+) --packet (\d+)", line)
            if nth:
                every, first = int(nth[1]), int(nth[2])
                counters[line] = (counters.get(line, first) + 1) % every
            if not nth or counters[line] == 0:
                mark = int(line.split()[-1].partition("/")[0], 16)
        marked.append(mark)
    assert marked == [marks[index] for index in steps] * 2


def test_the_rules_name_the_exceptions_only() -> None:
    assert list(rules([0x1000000, 0x2000000], [3, 1], 0x3F000000)) == [
        "-j MARK --set-xmark 0x1000000/0x3f000000",
        "-m statistic --mode nth --every 4 --packet 2 -j MARK --set-xmark 0x2000000/0x3f000000",
    ]
