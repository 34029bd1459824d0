# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.plugin_utils._weights import weights


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((10,), (1,)),
        ((50, 50), (1, 1)),
        ((300, 80), (15, 4)),
        ((300, 30), (10, 1)),
        ((20, 10), (2, 1)),
        ((10, 40, 100), (1, 4, 10)),
        ((94.3, 17.9), (21, 4)),  # 0.3 % off; 943:179 would be exact
        ((100, 99.5), (1, 1)),  # 0.5 % off
        ((1000, 1), (255, 1)),  # as unlike as weights can be
        ((1_000_000, 0.001), (255, 1)),
    ],
)
def test_weights(rates: tuple[float, ...], expected: tuple[int, ...]) -> None:
    assert weights(rates) == expected


RATES = st.lists(st.floats(0.001, 1_000_000), min_size=1, max_size=16).map(tuple)


@given(RATES)
def test_weights_are_what_the_kernel_takes_and_in_the_order_of_the_rates(rates: tuple[float, ...]) -> None:
    found = weights(rates)
    assert all(1 <= weight <= 255 for weight in found)
    for rate, weight in zip(rates, found, strict=True):
        assert all(weight <= other for other_rate, other in zip(rates, found, strict=True) if rate <= other_rate)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8).map(tuple))
def test_rates_within_a_factor_of_thirty_are_met_within_three_per_cent(rates: tuple[int, ...]) -> None:
    found = weights(rates)
    for rate, weight in zip(rates, found, strict=True):
        assert weight / max(found) == pytest.approx(rate / max(rates), rel=0.03)
