# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of next hops from the rates of links.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from functools import cache

HIGHEST = 255
NEAR_ENOUGH = 0.01
"""A share may be off by this part of itself: the declared rate of a link is never more exact."""


@cache
def weights(rates: tuple[float, ...]) -> tuple[int, ...]:
    """Return the smallest whole numbers, 1 to 255, in the ratio of `rates` (all positive).

    Small is better than exact: 1 % off is near enough. A rate below 1/255 of the highest gets 1.
    """
    best, least = (1,) * len(rates), float("inf")
    for scale in range(1, HIGHEST + 1):
        exact = [rate / max(rates) * scale for rate in rates]
        numbers = tuple(max(1, round(share)) for share in exact)
        error = max(abs(number / share - 1) for number, share in zip(numbers, exact, strict=True))
        if error < least:
            best, least = numbers, error
        if error <= NEAR_ENOUGH:
            break
    return best
