# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the gateway of a link is there, asked before packets are sent to it.

A wrong one would cut off all that goes by the link, and the kernel takes it as any other.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from . import _dump, _duplicate
from ._conflict import Conflict
from ._model import Current, Expected
from ._request import Request

PAUSES = (0.1, 0.4, 1.0, 1.0)
"""Seconds to listen after each time of asking: radio links may take long, and a busy router too."""


def refuse_silent(request: Request, current: Current) -> None:
    """Raises Conflict where nobody answers for a gateway that is expected, and that is not in use already."""
    listed = [expected for state in request.desired for expected in state.expects if expected.gateway]
    asked = _askable(_unused(listed, current)) if listed else []
    senders = {expected.device or "": expected.address or "" for expected in asked}
    pairs = [(expected.device or "", expected.gateway or "") for expected in asked]
    answered = _duplicate.holders(pairs, senders, PAUSES, own=frozenset()) if pairs else {}
    silent = [expected for expected, pair in zip(asked, pairs, strict=True) if pair not in answered]
    if silent:
        raise Conflict(
            [
                f"{expected.told}nobody answers ARP for {expected.gateway} on {expected.device}: correct it, or, where"
                " that router is off or never answers, give this site extrude_take_over: true for a run"
                for expected in silent
            ]
        )


def _unused(listed: Iterable[Expected], current: Current) -> list[Expected]:
    """Those that no route leads by yet, in the tables that the request touches."""
    hops = (hop for route, _protocol in current.routes.values() for hop in route.nexthops)
    used = {(hop.device, hop.gateway) for hop in hops}
    return [expected for expected in listed if (expected.device, expected.gateway) not in used]


def _askable(listed: Collection[Expected]) -> list[Expected]:
    """Those on links where an answer can come, and where main does not know better already."""
    links = _dump.interfaces()[0] if listed else {}
    return [
        expected
        for expected in listed
        if (link := links.get(expected.device or ""))
        and (link.up and link.carrier and link.arp)
        and expected.gateway not in _dump.gateways_by(link.number)
    ]
