# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification found, in words.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._level import TOLERANCE

SHOWN = 3
"""Addresses that a sentence names; the others are counted."""

STEADY = 1 / 8
"""The part of a round trip that one may take longer than another: half of what senders bear (RFC 8985)."""


def report(
    probed: Iterable[Mapping[str, Any]],
    observed: Iterable[Mapping[str, Any]],
    packet: bool = False,
    dynamic: Collection[str] = (),
    dead: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return a verdict (`wan`, `ok`, `down`, `excused`, `text`, `warning`) for each tunnel.

    `probed` is what `tunnel_probe` found at the site, `observed` what it saw at the colo, in the same order. `packet`:
    the site is in packet mode, which needs more of a tunnel than that it works. `dead`: the WANs whose tunnels were
    there before the change and gave no answer. Neither that nor a missing carrier, without which there may be no tunnel
    (`down`), is the change's fault, so while another tunnel works it is excused. `dynamic`: the WANs that may be down
    whatever the others do.
    """
    found = [(tunnel, _verdict(tunnel, seen, packet)) for tunnel, seen in zip(probed, observed, strict=True)]
    works = any(verdict["ok"] for _tunnel, verdict in found)
    return [
        _absent(tunnel["wan"], works or tunnel["wan"] in dynamic)
        if not tunnel["present"] and (tunnel["wan"] in dynamic or not tunnel["carrier"])
        else _excused(verdict, _excuse(tunnel, dead) if works else "")
        for tunnel, verdict in found
    ]


def times(
    probed: Iterable[Mapping[str, Any]], observed: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, float | None]]:
    """Return what the filter `topology` levels tunnels by, in milliseconds by WAN. `rtt` is None without an answer."""
    return {
        tunnel["wan"]: {
            "rtt": tunnel["rtt_ms"]["min"] if tunnel["ok"] else None,
            "transit": seen["transit_ms"],
            "site_delay": tunnel["delay_ms"],
            "colo_delay": seen["delay_ms"],
        }
        for tunnel, seen in zip(probed, observed, strict=True)
    }


def _absent(wan: str, excused: bool) -> dict[str, Any]:
    """Return the verdict on a link that is down, and so has no tunnel."""
    text = "is down: its tunnel comes with its link" if excused else "FAILED: its link is down, and no other works"
    return {"wan": wan, "ok": False, "down": True, "excused": excused, "text": f"{wan} {text}", "warning": ""}


def _excuse(tunnel: Mapping[str, Any], dead: Collection[str]) -> str:
    """Return why silence is not the change's fault, "" where it may be, or where something came back."""
    if tunnel["rtt_ms"]:
        return ""
    if not tunnel["carrier"]:
        return "is down: its link has no carrier"
    return "was dead before this run and still is" if tunnel["wan"] in dead else ""


def _excused(verdict: Mapping[str, Any], excuse: str) -> dict[str, Any]:
    """Return a verdict on a tunnel that is there, with its excuse in words, if it has one."""
    text = verdict["text"].replace("FAILED", excuse, 1) if excuse else verdict["text"]
    return {**verdict, "down": False, "excused": bool(excuse), "text": text}


def _verdict(tunnel: Mapping[str, Any], seen: Mapping[str, Any], packet: bool) -> dict[str, Any]:
    faults = [*_path_faults(tunnel), *_source_faults(tunnel, seen)]
    text = "; ".join(faults) if faults else _praise(tunnel)
    return {
        "wan": tunnel["wan"],
        "ok": not faults,
        "text": f"{tunnel['wan']} {'FAILED' if faults else 'ok'}: {text}",
        "warning": _doubt(tunnel) if packet and not faults else "",
    }


def _doubt(tunnel: Mapping[str, Any]) -> str:
    """Return why packet mode may be slower than one link alone, "" where nothing says so."""
    lost, took = tunnel["sent"] - tunnel["received"], tunnel["rtt_ms"]
    reasons = [f"{lost} of {tunnel['sent']} packets were lost"] if lost else []
    if took["p90"] - took["min"] > max(TOLERANCE, took["min"] * STEADY):
        reasons += [f"round trips take {took['min']:.0f} ms and one in ten more than {took['p90']:.0f}"]
    if not reasons:
        return ""
    advice = "packet mode may be slower than one link alone; extrude_balance: flow is not"
    return f"{tunnel['wan']}: {' and '.join(reasons)}: {advice}"


def _path_faults(tunnel: Mapping[str, Any]) -> list[str]:
    if tunnel["ok"]:
        return []
    unencrypted = [f"it is not encrypted: {why}"] if (why := tunnel.get("unencrypted")) else []
    return [tunnel["error"] or f"no answer through {tunnel['device']}", *unencrypted]


def _source_faults(tunnel: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Say which addresses had no answer, and compare those that the site sent from with those that the colo saw."""
    if not tunnel["sources"]:
        return []
    silent = [f"no answer to packets from {_some(tunnel['silent'])}"] if tunnel["ok"] and tunnel["silent"] else []
    return [*silent, *_strange_sources(tunnel, seen)]


def _strange_sources(tunnel: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    if seen["error"]:
        return [f"the colo could not look: {seen['error']}"]
    if not seen["sources"]:
        return [f"nothing from {_some(tunnel['sources'])} came out of {seen['device']} at the colo"]
    wrong = sorted(set(seen["sources"]) - set(tunnel["sources"]))
    return [f"the colo sees {_some(wrong)} where {_some(tunnel['sources'])} was sent"] if wrong else []


def _praise(tunnel: Mapping[str, Any]) -> str:
    lost = tunnel["sent"] - tunnel["received"]
    words = [f"{tunnel['mtu']} bytes whole both ways in {tunnel['rtt_ms']['avg']:.1f} ms"]
    words += [f"{lost} of {tunnel['sent']} lost"] if lost else []
    words += [f"the colo sees {_some(tunnel['sources'])}"] if tunnel["sources"] else []
    return ", ".join(words)


def _some(addresses: Sequence[str]) -> str:
    """Return the first of some addresses, and how many more there are."""
    more = len(addresses) - SHOWN
    return f"{', '.join(addresses[:SHOWN])}{f' and {more} more' if more > 0 else ''}"
