# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads how a site spreads its traffic: ``extrude_balance``, and for packet mode what the run has measured.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._level import Held, Path, level
from ansible_collections.multihome.extrude.plugins.plugin_utils._pattern import LONGEST, overload
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import tier_weights
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Balance, Wan

BALANCE = _kinds.choice("flow", "packet")
LIMIT = _kinds.integer(0, 500)
MOST_OVERLOAD = 1.25
"""How many times its share a link may get: more, and it drags all connections down."""
DEFAULT_LIMIT = 60
"""Milliseconds that packet mode may add to a round trip."""


def read_balance(reader: Reader, wans: Sequence[Wan]) -> Balance:
    """Read the mode. Packet mode waits until all tunnels that share the packets have been measured."""
    limit = reader.read("extrude_level_limit", LIMIT, DEFAULT_LIMIT)
    if reader.read("extrude_balance", BALANCE, "flow") != "packet":
        return Balance()
    tier = [wan for wan in wans if wan.metric == min(other.metric for other in wans)]
    for wan in tier:
        if wan.weight is None and None in (wan.up, wan.down):
            reader.note(wan.path, "has no rates, which packet mode shares packets by; give up and down, or weight")
    if tier:
        _check_shares(reader, tier)
    measured = reader.read("extrude_measured", MEASURED, {})
    paths = {wan.name: path for wan in tier if (path := measured.get(wan.name))}
    if len(tier) < 2 or len(paths) < len(tier):
        return Balance(wanted=len(tier) > 1)
    held = level(paths)
    _check_limit(reader, paths, held, limit)
    return Balance(wanted=True, packet=True, held=held)


def _check_shares(reader: Reader, tier: Sequence[Wan]) -> None:
    """Note the first link whose share is so small that packets cannot be shared out in that ratio."""
    for direction in ("up", "down"):
        for wan, times in zip(tier, overload(tuple(tier_weights(tier, direction))), strict=True):
            if times > MOST_OVERLOAD:
                text = (
                    f"packet would give {wan.name} {times:.1f} times its share of what goes {direction}: of {LONGEST}"
                    f" packets it gets one; give flow, or {wan.name} a higher metric"
                )
                reader.problem("extrude_balance", text)
                return


def _check_limit(reader: Reader, paths: Mapping[str, Path], held: Mapping[str, Held], limit: int) -> None:
    """Note the tunnel that would have to be held back the longest, if that is too long."""
    fast = max(held, key=lambda name: held[name].added)
    if held[fast].added <= limit:
        return
    times = {name: path.rtt - path.site_delay - path.colo_delay for name, path in paths.items()}
    slow = max(times, key=lambda name: times[name])
    text = (
        f"packet would hold back {fast} by {held[fast].added:.0f} ms: a round trip takes {times[fast]:.0f} ms there"
        f" and {times[slow]:.0f} ms by {slow}, and extrude_level_limit is {limit}; give flow, or {slow} a higher metric"
        ", or a higher limit"
    )
    reader.problem("extrude_balance", text)


def _measured(value: object) -> dict[str, Path]:
    """Return what the filter `tunnel_times` made of a measurement: the tunnels that answered."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{_kinds.describe(value)} is not a dictionary")
    try:
        return {str(name): _path(times) for name, times in value.items() if times["rtt"] is not None}
    except (KeyError, TypeError) as error:
        raise ValueError(f"{_kinds.describe(value)} is no measurement") from error


def _path(times: Mapping[str, Any]) -> Path:
    transit = None if times["transit"] is None else _milliseconds(times["transit"], -CLOCKS, CLOCKS)
    rtt = _milliseconds(times["rtt"], 0, LONGEST_TRIP)
    # with one decimal, as a host holds packets back
    site, colo = (round(_milliseconds(times[end], 0, LONGEST_DELAY), 1) for end in ("site_delay", "colo_delay"))
    return Path(rtt, transit, site, colo)


def _milliseconds(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{_kinds.describe(value)} is no measured time")
    return value


LONGEST_TRIP, LONGEST_DELAY = 60_000, 1000
"""Milliseconds: no probe waits longer, and no tunnel holds packets back for longer."""
CLOCKS = 1e15
"""Milliseconds that the clocks of two hosts may differ by, which is in `transit`: more than any two show."""
MEASURED: _kinds.Kind[dict[str, Path]] = _kinds.Kind("what the filter tunnel_times returns", _measured, {})
