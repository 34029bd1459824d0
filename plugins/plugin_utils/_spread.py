# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet mode: the chains that spread the packets of a site over its tunnels, at both ends. And pins, which come first
in these chains.

Each site and direction has chains of its own, since two steady streams in one would lock in step: one would get all
the odd packets, the other all the even ones. For the same reason small packets, which are mostly acknowledgements, are
counted apart from the data between which they are sent.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _marks, _pattern
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_direct import matches
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import Part
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import spreading, tiers

if TYPE_CHECKING:
    from netaddr import IPNetwork

    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Match, Site

SMALL = 127
"""Bytes of the largest packet that counts as small: an acknowledgement with all options fits."""
LEVELS = {4: (16, 20, 24, 28), 6: (32, 40, 48, 52, 56, 60, 64)}
"""The lengths of the prefixes by which a colo finds the site of a destination, so that few rules are passed."""
UP = "EXTRUDE-UP"


def spread_up(site: Site, version: int) -> Iterator[Part]:
    """Yield the chains at the site, for what its LANs and the router itself send from extruded addresses.

    What does not go to the extruded space has marks too, but rules before those of the slots send it on its way.
    """
    if not spreading(site) and not site.pins:
        return
    yield Part.at("PREROUTING", (f"{source} {_marks.UNMARKED} -j {UP}" for source in _marks.sources(site, version)))
    yield Part.at("OUTPUT", (f"-s {network} ! -o lo {_marks.UNMARKED} -j {UP}" for network in site.holds(version)))
    yield from _chains(UP, site, "up", version)


def spread_down(site: Site, version: int) -> Iterator[Part]:
    """Yield the chains at the colo, for what goes to the site's addresses.

    The sites share a tree of chains: each level compares some more bits, the last one names the site's own chain.
    Sites with neighbouring addresses have the same branches, and who applies them puts those together.
    """
    if not spreading(site) and not site.pins:
        return
    name = f"EXTRUDE-S{site.number}"
    branches: dict[str, dict[str, None]] = {}
    for network in site.claimed(version):
        chain = ROOT
        for length in (length for length in LEVELS[version] if length < network.prefixlen):
            around = network.supernet(length)[0]
            branches.setdefault(chain, {})[_branch(chain, around, _chain_of(around))] = None
            chain = _chain_of(around)
        branches.setdefault(chain, {})[_branch(chain, network, name)] = None
    yield Part.at("PREROUTING", branches.pop(ROOT))
    for chain, lines in branches.items():
        yield Part(chain, tuple(lines))
    yield from _chains(name, site, "down", version)


ROOT = "EXTRUDE-PREROUTING"


def _branch(chain: str, network: IPNetwork, target: str) -> str:
    return f"-d {network} {f'{_marks.UNMARKED} ' if chain == ROOT else ''}-g {target}"


def _chain_of(network: IPNetwork) -> str:
    """Name the chain of a branch after the digits of its prefix."""
    digits, bits = (8, 32) if network.version == 4 else (32, 128)
    return f"EXTRUDE-D{network.version}-{f'{network.first:0{digits}X}'[: -(-network.prefixlen * digits // bits)]}"


def _chains(name: str, site: Site, direction: str, version: int) -> Iterator[Part]:
    """Yield the chain `name`, which is passed by all that the site sends or receives, and those that it leads to."""
    pins = [(match, pin.wan.slot) for pin in site.pins for match in _fits(pin.match, direction, version)]
    yield Part(name, tuple(f"{match} -g {PIN}{slot}" for match, slot in pins))
    for slot in dict.fromkeys(slot for _match, slot in pins):
        yield Part(f"{PIN}{slot}", (f"-j MARK --set-xmark {_marks.slot_mark(slot):#x}/{_marks.MASK:#x}",))
    if spreading(site):
        yield from _patterns(name, site, direction)


PIN = "EXTRUDE-PIN"


def _fits(match: Match, direction: str, version: int) -> Iterator[str]:
    """Yield what a pin matches by, seen from either end."""
    found = match.of(version)
    if found and direction == "down":
        found = replace(found, sources=found.destinations, destinations=())
    if found:
        yield from matches(found, version, "--ports")


def _patterns(name: str, site: Site, direction: str) -> Iterator[Part]:
    """Yield the chain `name` for data, and the one that it sends small packets to."""
    (_metric, tier), *_others = tiers(site.tunnelled, direction)
    marks, weights = [_marks.slot_mark(wan.slot) for wan, _weight in tier], [weight for _wan, weight in tier]
    lines = tuple(_pattern.rules(marks, weights, _marks.MASK))
    yield Part(name, (f"-m length --length 0:{SMALL} -g {name}-ACK", *lines))
    yield Part(f"{name}-ACK", lines)
