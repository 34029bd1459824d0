# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes over the tunnels of a site, for both ends.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.multihome.extrude.plugins.plugin_utils import _numbers
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import MASK, slot_mark
from ansible_collections.multihome.extrude.plugins.plugin_utils._weights import weights

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Numbers, Site, Wan

SLOT_RULES = 40
"""The rule of slot n has the host's first priority + 40 + n."""
Plain = dict[str, Any]
"""An object of a state, or the state, as plain data; what is not set is not in it."""


def inside(site: Site, colo: Colo, wan: Wan, version: int) -> tuple[str, str]:
    """Return the inside addresses of a tunnel: the colo's, the site's."""
    return _numbers.inside(colo.pool if version == 4 else colo.pool6, site.number, wan.slot)


def outside(site: Site, colo: Colo, wan: Wan) -> tuple[str, str]:
    """Return the addresses of colo and site between which the packets of an encrypted tunnel go. IPsec knows no others,
    and leaves them out on the wire."""
    return _numbers.inside(colo.ipsec_pool, site.number, wan.slot)


INHERIT = 1
"""The class of a packet (DSCP) shows outside of the tunnel too, where a shaper looks for it.

Only there: on other links nobody is known to look, some providers drop or slow down what has a high class, and
the kernel looks up the way of each packet anew (net/ipv4/ip_tunnel.c, ip_tunnel_xmit). ECN passes in any case.
"""


def tunnel(name: str, local: str, remote: str, site: Site, wan: Wan) -> Plain:
    """Return one end of the tunnel of a WAN."""
    return {
        "name": name,
        "local": local,
        "remote": remote,
        "key": _numbers.gre_key(site.number, wan.slot),
        "ttl": 64,
        "tos": INHERIT if wan.shape else 0,
        "pmtudisc": True,
        "mtu": wan.tunnel_mtu,
        "wan": wan.name,
    }


def tiers(wans: Sequence[Wan], direction: str) -> Iterator[tuple[int, list[tuple[Wan, int]]]]:
    """Yield each tier: its metric, and its WANs with their weights in the `direction` ("up" or "down").

    The kernel takes a route of a higher metric only where there is none of a lower one.
    """
    for metric in sorted({wan.metric for wan in wans}):
        tier = [wan for wan in wans if wan.metric == metric]
        yield metric, list(zip(tier, tier_weights(tier, direction), strict=True))


def tier_weights(tier: Sequence[Wan], direction: str) -> list[int]:
    """Return the weight of each WAN of a tier.

    A WAN's own weight goes first. The others follow from the rates where each of the tier has one, else they are 1.
    """
    rates = [rate for wan in tier if (rate := wan.up if direction == "up" else wan.down) is not None]
    derived = weights(tuple(rates)) if len(rates) == len(tier) else (1,) * len(tier)
    return [wan.weight or number for wan, number in zip(tier, derived, strict=True)]


def spreading(site: Site) -> list[Wan]:
    """Return the links that share packets: those of the first tier, if there are two or more. None in flow mode."""
    _metric, tier = next(tiers(site.tunnelled, "up"))
    return [wan for wan, _weight in tier] if site.packet and len(tier) > 1 else []


def slot_rules(site: Site, numbers: Numbers, version: int) -> Iterator[Plain]:
    """Yield the rules of packet mode, and of pins: a slot's mark leads to its table; where that is empty, to what is
    alive."""
    spread = spreading(site)
    for wan in (wan for wan in site.wans if wan in spread or any(pin.wan == wan for pin in site.pins)):
        yield {
            "family": version,
            "priority": numbers.priority + SLOT_RULES + wan.slot,
            "table": numbers.slot(wan.slot),
            "mark": slot_mark(wan.slot),
            "mask": MASK,
        }


def route(destination: str, table: int, nexthops: Sequence[Plain], **more: int | str | None) -> Plain:
    """Return a route; `more` are its other keys, of which None are left out."""
    found = {key: value for key, value in more.items() if value is not None}
    return {"destination": destination, "table": table, "nexthops": list(nexthops), **found}


def nexthop(device: str, weight: int, gateway: str, version: int) -> Plain:
    """Return one leg of a route. IPv4 needs no gateway on a tunnel; IPv6 takes no legs without one."""
    leg: Plain = {"device": device, "weight": weight}
    return leg if version == 4 else {**leg, "gateway": gateway}
