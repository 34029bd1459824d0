# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which packets take the tunnels of a site in packet mode: weighted, and as even as can be.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from math import gcd

LONGEST = 64
"""The most steps of a pattern: each packet passes a rule for most of them."""
NEAR_ENOUGH = 0.01
"""A share may be off by this part of itself: the declared rate of a link is never more exact."""


@cache
def shares(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Return the packets of each tunnel in a period: at least 1 each, at most LONGEST in all.

    In the ratio of `weights`: the shortest period that is near enough; where none is, the nearest one.
    """
    total = sum(weights)
    exact = tuple(weight // gcd(*weights) for weight in weights)
    best, least = exact, float("inf")
    for length in range(len(weights), min(LONGEST, sum(exact)) + 1):
        counts = _apportioned(weights, length)
        error = max(abs(count * total / (length * weight) - 1) for count, weight in zip(counts, weights, strict=True))
        if error < least:
            best, least = counts, error
        if error <= NEAR_ENOUGH:
            break
    return best


def overload(weights: tuple[int, ...]) -> list[float]:
    """Return how many times its share each tunnel gets: what a pattern of so few steps cannot do better."""
    counts = shares(weights)
    return [count * sum(weights) / (sum(counts) * weight) for count, weight in zip(counts, weights, strict=True)]


def _apportioned(weights: Sequence[int], length: int) -> tuple[int, ...]:
    """Share out `length` steps, each at least once: one after the other to whom it brings nearest to its weight.

    The rule of Sainte-Laguë, which is the fairest to small shares (Balinski and Young, Fair Representation).
    """
    counts = [1] * len(weights)
    for _step in range(length - len(weights)):
        neediest = max(range(len(weights)), key=lambda index: weights[index] / (2 * counts[index] + 1))
        counts[neediest] += 1
    return tuple(counts)


@cache
def pattern(counts: tuple[int, ...]) -> tuple[int, ...]:
    """Return a period: for each step the index of its tunnel, of which index i has `counts[i]`.

    The packets of each stand at even distances, in the middle of its part of the period; of two at the same time
    the one with the smaller share goes first.
    """
    steps = [
        ((2 * number + 1) / (2 * count), count, index) for index, count in enumerate(counts) for number in range(count)
    ]
    return tuple(index for _time, _count, index in sorted(steps))


def rules(marks: Sequence[int], weights: Sequence[int], mask: int) -> Iterator[str]:
    """Yield the rules of a chain that gives packets the `marks` in the ratio of the `weights`.

    The first gives all of them the mark with the largest share; one more for each other step of the period corrects
    it. Every packet passes all of these rules, so that their counters go in step (net/netfilter/xt_statistic.c: a
    rule whose counter starts at p matches when that reaches `every`).
    """
    steps = pattern(shares(tuple(weights)))
    most = max(range(len(marks)), key=steps.count)
    yield f"-j MARK --set-xmark {marks[most]:#x}/{mask:#x}"
    for step, index in enumerate(steps):
        if index != most:
            nth = f"-m statistic --mode nth --every {len(steps)} --packet {len(steps) - 1 - step}"
            yield f"{nth} -j MARK --set-xmark {marks[index]:#x}/{mask:#x}"
