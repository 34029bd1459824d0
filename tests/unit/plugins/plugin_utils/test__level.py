# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.plugin_utils._level import TOLERANCE, Held, Path, level

milliseconds = st.floats(0.1, 300)
ways = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(milliseconds, milliseconds), min_size=1)
"""Tunnels with what a packet takes there and back."""


def measured(found: dict[str, tuple[float, float]], held: dict[str, Held], clocks: float = 0.0) -> dict[str, Path]:
    """What a measurement shows of tunnels with these delays."""
    return {
        name: Path(there + back + held[name].added, there + held[name].site + clocks, held[name].site, held[name].colo)
        for name, (there, back) in found.items()
    }


def none(found: dict[str, tuple[float, float]]) -> dict[str, Held]:
    return {name: Held(0.0, 0.0) for name in found}


@given(ways, st.floats(-1e6, 1e6))
def test_levelled_tunnels_take_as_long_in_each_direction_whatever_the_clocks_say(
    found: dict[str, tuple[float, float]], clocks: float
) -> None:
    held = level(measured(found, none(found), clocks))
    for direction in (0, 1):
        times = [found[name][direction] + (one.site, one.colo)[direction] for name, one in held.items()]
        assert max(times) - min(times) <= TOLERANCE + 0.2
    assert all(one.site >= 0 and one.colo >= 0 for one in held.values())


@given(ways, st.data())
def test_measured_again_with_some_noise_nothing_changes(
    found: dict[str, tuple[float, float]], data: st.DataObject
) -> None:
    held = level(measured(found, none(found)))
    noise = st.floats(-0.4, 0.4)
    again = {name: (there + data.draw(noise), back + data.draw(noise)) for name, (there, back) in found.items()}
    spread = [
        max(found[name][way] + (one.site, one.colo)[way] for name, one in held.items())
        - min(found[name][way] + (one.site, one.colo)[way] for name, one in held.items())
        for way in (0, 1)
    ]
    if max(spread) <= TOLERANCE - 0.9:
        assert level(measured(again, held)) == held


def test_tunnels_that_differ_little_are_left_alone() -> None:
    assert level({"dsl": Path(10, None, 0, 0), "cable": Path(13, None, 0, 0)}) == {
        "dsl": Held(0, 0),
        "cable": Held(0, 0),
    }


def test_without_a_look_at_the_colo_each_end_takes_half() -> None:
    paths = {"dsl": Path(10, 5, 0, 0), "cable": Path(30, None, 0, 0)}
    assert level(paths) == {"dsl": Held(10, 10), "cable": Held(0, 0)}


def test_each_direction_is_levelled_by_itself() -> None:
    paths = {"fibre": Path(4, 1002, 0, 0), "lte": Path(30, 1022, 0, 0)}
    assert level(paths) == {"fibre": Held(20, 6), "lte": Held(0, 0)}


def test_delays_that_are_longer_than_they_need_to_be_are_made_anew() -> None:
    paths = {"dsl": Path(30, None, 10, 10), "cable": Path(30, None, 5, 5)}
    assert level(paths) == {"dsl": Held(5, 5), "cable": Held(0, 0)}


@pytest.mark.parametrize(("now", "held"), [(31.0, 10.0), (40.0, 15.0)])
def test_a_delay_changes_only_when_it_is_off_by_more_than_what_may_be(now: float, held: float) -> None:
    paths = {"dsl": Path(30, None, 10, 10), "cable": Path(now, None, 0, 0)}
    assert level(paths)["dsl"] == Held(held, held)
