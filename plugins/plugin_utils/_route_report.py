# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an end's kernel spreads packets over the links in another way than the inventory says, in words.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

Tiers = dict[int, dict[str, int]]
"""For each metric the weight of each device; the lower metric goes first."""


def report(
    found: Mapping[str, Any],
    expected: Mapping[str, Any],
    end: str,
    alive: Iterable[str] | None = None,
    down: Collection[str] = (),
) -> list[str]:
    """Return a sentence for each way of spreading that differs, with the destinations that it concerns.

    Where BIRD does not watch, which takes it some seconds after a start, there is only a sentence about that.
    `found` is the result of extrude_info with `routes_of`, `expected` a side of the `routes` that the filter topology
    gives. `alive` are the WANs whose tunnels work (default: all): only those have to be in use.
    `down` are those that have no tunnel at this end now.
    """
    if expected["routes"] and not found["watched"]:
        return [f"{end} does not watch its tunnels: extrude-bird.service is not up"]
    wans = expected["wans"]
    working = set(wans.values()) if alive is None else set(alive)
    sentences: dict[str, list[str]] = {}
    present = [_without(route, {device for device in wans if wans[device] in down}) for route in expected["routes"]]
    held = _tiers(found["routes"], expected["live"])
    for destination, wanted in _tiers(present, expected["table"]).items():
        if difference := _difference(held.get(destination, {}), wanted, wans, working):
            sentences.setdefault(difference, []).append(destination)
    return [f"{end} sends {_some(destinations)} {text}" for text, destinations in sentences.items()]


def _without(route: Mapping[str, Any], devices: Collection[str]) -> Mapping[str, Any]:
    return {**route, "nexthops": [hop for hop in route["nexthops"] if hop["device"] not in devices]}


def _tiers(routes: Iterable[Mapping[str, Any]], table: int) -> dict[str, Tiers]:
    """Return what routes of a table do with each destination."""
    found: dict[str, Tiers] = {}
    for route in routes:
        if route["table"] == table and route["nexthops"] and route.get("type", "unicast") == "unicast":
            weights = {hop["device"]: int(hop.get("weight") or 1) for hop in route["nexthops"]}
            found.setdefault(route["destination"], {})[int(route.get("metric") or 0)] = _normal(weights)
    return found


def _normal(weights: dict[str, int]) -> dict[str, int]:
    """The weight of a single next hop means nothing."""
    return dict.fromkeys(weights, 1) if len(weights) == 1 else weights


def _difference(held: Tiers, wanted: Tiers, wans: Mapping[str, str], alive: set[str]) -> str:
    """Compare BIRD's routes, which hold the live links of the best live tier, with what of it should be there."""
    used = next((weights for _metric, weights in sorted(held.items())), {})
    for metric, weights in sorted(wanted.items()):
        live = {device: weight for device, weight in weights.items() if wans[device] in alive or device in used}
        if live:
            if used == _normal(live):
                return ""
            return f"by {_weighted(used, wans)} where the inventory has {_weighted(live, wans)} (metric {metric})"
    return ""


def _weighted(weights: Mapping[str, int], wans: Mapping[str, str]) -> str:
    """Return links with their weights, in the order of the inventory; that of a single one means nothing."""
    order = list(wans)
    devices = sorted(weights, key=lambda device: order.index(device) if device in wans else len(order))
    if len(devices) == 1:
        return wans.get(devices[0], devices[0])
    return ", ".join(f"{wans.get(device, device)} {weights[device]}" for device in devices) or "nothing"


def _some(destinations: list[str]) -> str:
    shown = ", ".join(destinations[:3])
    more = len(destinations) - 3
    return f"{shown} and {more} more" if more > 0 else shown
