# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a drill cost, from what both ends have logged.

Times are milliseconds from the site's packet 0. The site's packet n was sent at n * interval, the colo's packet n
arrived (or would have) at offset + n * interval, so no clock of the colo is needed.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Ranges = Sequence[Sequence[int]]
"""First and last number of each unbroken run, ascending."""


@dataclass(frozen=True)
class Cut:
    """When the black hole was made and undone."""

    made: float
    undone: float


@dataclass(frozen=True)
class Direction:
    """One direction of the streams: the packets that the sender put into the tunnel, and those that arrived at all."""

    interval: float
    offset: float
    into: Ranges
    received: Ranges
    last: int
    """The last packet that is judged."""

    def time(self, number: int) -> float:
        """When a packet was sent, or arrived or would have."""
        return self.offset + number * self.interval

    def number(self, time: float) -> int:
        """The first packet of that time or later."""
        return max(0, -int((self.offset - time) // self.interval))


def report(site: Mapping[str, Any], colo: Mapping[str, Any], wan: str) -> dict[str, Any]:
    """Return what a drill cost in each direction (`up`, `down`), and all of it in words (`text`).

    `site` and `colo` are the `log` of path_drill at both ends. `ok` tells whether the traffic left the dead link
    and came back to it.
    """
    cut = Cut(site["made_ms"], site["undone_ms"])
    up = Direction(site["interval_ms"], 0.0, site["into"], colo["received"], site["sent"] - 1)
    heard = site["received"]
    down = Direction(
        site["interval_ms"], site["offset_ms"] or 0.0, colo["into"], heard, heard[-1][1] if heard else colo["sent"] - 1
    )
    found = {"up": judge(up, cut), "down": judge(down, cut)}
    carried = [one for one in found.values() if one["carried"]]
    ok = site["back"] and all(one["switch_ms"] is not None and one["return_ms"] is not None for one in carried)
    return {"wan": wan, "ok": ok, "text": f"{wan}: {_words(found, cut, site['back'])}", **found}


SLACK = 100.0
"""Milliseconds by which a host under load may be late with what it does or notes."""


def judge(one: Direction, cut: Cut) -> dict[str, Any]:
    """Return what one direction lost, and when it left the tunnel and came back to it.

    The switch is counted from the first packet lost. `switch_ms` is null where the traffic stayed on the dead link,
    `return_ms` where it did not come back; both are where it was not on that link before. `cut_off`: it left the link,
    and nothing came by another one.
    """
    first, after = one.number(cut.made), one.number(cut.undone)
    carried = any(low < first for low, _high in one.into)
    missing = _missing(one.received, one.last)
    # the rules may bite a moment before the command that loads them returns
    slack = round(SLACK / one.interval)
    lost = [number for number in missing if first - slack <= number < after]
    late = [number for number in missing if number >= after]
    start = min([first, *lost])
    dead = [high for low, high in _clipped(one.into, start, after - 1)]
    stayed = bool(dead) and dead[-1] >= after - 1 - slack
    left = max(dead, default=start - 1) + 1
    back = next((low for low, _high in _clipped(one.into, after, one.last)), None)
    return {
        "carried": carried,
        "cut_off": carried and not stayed and not _clipped(one.received, left, after - 1 - slack),
        "lost_ms": _milliseconds(len(lost), one),
        "switch_ms": None if stayed or not carried else _milliseconds(left - start, one),
        "return_ms": None if back is None or not carried else round(max(0.0, one.time(back) - cut.undone)),
        "lost_on_return_ms": _milliseconds(len(late), one),
    }


def _milliseconds(packets: int, one: Direction) -> int:
    return round(packets * one.interval)


def _missing(received: Ranges, last: int) -> list[int]:
    """Return the numbers from 0 to `last` in none of the ranges."""
    missing: list[int] = []
    expected = 0
    for low, high in received:
        missing += range(expected, min(low, last + 1))
        expected = high + 1
    return [*missing, *range(expected, last + 1)]


def _clipped(ranges: Ranges, first: int, last: int) -> list[tuple[int, int]]:
    """Return the parts of ranges from `first` to `last`."""
    clipped = [(max(low, first), min(high, last)) for low, high in ranges]
    return [(low, high) for low, high in clipped if low <= high]


# --- words ----------------------------------------------------------------------------------------


def _words(found: Mapping[str, Mapping[str, Any]], cut: Cut, back: bool) -> str:
    up, down = found["up"], found["down"]
    parts = [f"{up['lost_ms']} ms lost up, {down['lost_ms']} ms down"]
    carried = {name: one for name, one in found.items() if one["carried"]}
    if not carried:
        return f"{parts[0]}; it carries nothing now{'' if back else '; DID NOT COME BACK'}"
    idle = [f"it carries nothing {name} now" for name in found if name not in carried]
    parts += [*idle, _switch(carried, cut.undone - cut.made), _return(carried)]
    return "; ".join(parts)


def _switch(carried: Mapping[str, Mapping[str, Any]], held: float) -> str:
    stayed = [name for name, one in carried.items() if one["switch_ms"] is None]
    if stayed:
        return f"DID NOT SWITCH {' and '.join(stayed)} in {_seconds(held)}"
    if any(one["cut_off"] for one in carried.values()):
        return f"noticed after {_seconds(_slowest(carried, 'switch_ms'))}, and no other link took over"
    return f"switched after {_seconds(_slowest(carried, 'switch_ms'))}"


def _return(carried: Mapping[str, Mapping[str, Any]]) -> str:
    gone = [name for name, one in carried.items() if one["return_ms"] is None]
    if gone:
        return f"DID NOT COME BACK {' and '.join(gone)}"
    lost = sum(one["lost_on_return_ms"] for one in carried.values())
    return f"back after {_seconds(_slowest(carried, 'return_ms'))}, {f'{lost} ms' if lost else 0} lost on return"


def _slowest(carried: Mapping[str, Mapping[str, Any]], name: str) -> float:
    return max(float(one[name]) for one in carried.values())


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
