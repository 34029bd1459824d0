# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet mode: by how much each end holds back what it sends into the faster tunnels, so that all take as long.

A sender takes a packet that is overtaken by more than a quarter of the round-trip time for lost (RFC 8985, section 6.2,
RACK), and slows down. Where the tunnels of a site differ by that much, a connection over all of them would be slower
than over the best one alone.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TOLERANCE = 2.0
"""Milliseconds that tunnels may differ by, and that a delay may be off by before a run changes it."""


@dataclass(frozen=True, slots=True)
class Path:
    """What was measured of a tunnel, in milliseconds: the shortest round trip, and the delays already in it.

    `transit` is the part of the round trip from site to colo, plus something unknown that is the same for all tunnels
    of the site (the difference of two clocks); None where it was not seen.
    """

    rtt: float
    transit: float | None
    site_delay: float
    colo_delay: float


@dataclass(frozen=True, slots=True)
class Held:
    """How long the two ends of a tunnel hold packets back, in milliseconds."""

    site: float
    colo: float

    @property
    def added(self) -> float:
        """What they add to the round trip."""
        return self.site + self.colo


def level(paths: Mapping[str, Path]) -> dict[str, Held]:
    """Return the delays of each tunnel. Those that are there stay where they serve."""
    one_way = all(path.transit is not None for path in paths.values())
    there, back = {}, {}
    for name, path in paths.items():
        own = path.rtt - path.site_delay - path.colo_delay
        there[name] = (path.transit or 0.0) - path.site_delay if one_way else own / 2
        back[name] = own - there[name]
    site = _level(there, {name: path.site_delay for name, path in paths.items()})
    colo = _level(back, {name: path.colo_delay for name, path in paths.items()})
    return {name: Held(site[name], colo[name]) for name in paths}


def _level(times: Mapping[str, float], delays: Mapping[str, float]) -> dict[str, float]:
    """Return the delays of one direction, where packets take `times` without them and have `delays` now."""
    arrivals = [time + delays[name] for name, time in times.items()]
    if max(arrivals) - min(arrivals) <= TOLERANCE and min(delays.values()) <= TOLERANCE:
        return dict(delays)
    slowest = max(times.values())
    return {name: round(slowest - time, 1) for name, time in times.items()}
