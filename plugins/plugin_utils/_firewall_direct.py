# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site keeps off the extruded space: the rules that find it, in the words that iptables-save prints.

The first packet of a connection that fits is marked as direct without a link, unless the list names one. The routing
table of the links then chooses one, and the connection is claimed by that link when it leaves there; from then on it is
that link's, whatever becomes of the list (_marks.py). So a connection that is under way never moves.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._domains import set_name
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import (
    CLAIMED,
    DIRECT,
    FIRST_PACKET,
    NEW,
    RESTORE,
    UNMARKED,
    Part,
    direct_mark,
    match,
    set_to,
    sources,
)

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Match, Site

LIST = "EXTRUDE-DIRECT"


def direct(site: Site, colo: Colo, version: int) -> Iterator[Part]:
    """Yield the parts of chains (table mangle) for a site that has such a list."""
    listed = site.listed(version)
    if not listed:
        return
    first = f"{UNMARKED} {NEW} -j {LIST}"
    yield Part.at("PREROUTING", (f"{sender} {first}" for sender in _senders(site, version)))
    for network in site.holds(version):
        own = f"-s {network} ! -o lo {UNMARKED}"
        yield Part.at("OUTPUT", (f"{own} {CLAIMED} {RESTORE}", f"{own} {NEW} -j {LIST}"))
    yield Part.at("POSTROUTING", _claims(site, {one.slot for one in listed}))
    chosen = (f"{words} {_chooses(one)}" for one in _last_counts(listed) for words in matches(one, version))
    yield Part(LIST, (*_never(colo, version), *chosen))


def _senders(site: Site, version: int) -> Iterable[str]:
    """The LANs. In IPv6 their hosts may have addresses of providers too, whose way is the admin's business."""
    return sources(site, 6) if version == 6 else (f"-i {interface}" for interface in site.lan_interfaces)


def _last_counts(listed: Sequence[Match]) -> list[Match]:
    """Sort them for a chain in which the last that fits counts, since a mark does not end it: those that name a link
    before those that don't, and of the former the first of the list."""
    named = [one for one in listed if one.slot is not None]
    return [*(one for one in listed if one.slot is None), *reversed(named)]


def _never(colo: Colo, version: int) -> Iterator[str]:
    """What only the tunnels lead to is direct in no case: the colo would not know who comes by a link."""
    for network in colo.beyond:
        if network.version == version:
            yield f"-d {network} -j RETURN"


def _claims(site: Site, named: Collection[int | None]) -> Iterator[str]:
    """A link claims what leaves by it and has been marked as direct, or as its own where it is `named`."""
    for wan in site.exits:
        leaves, mark = f"-o {wan.device}", direct_mark(wan.slot)
        yield f"{leaves} {match(DIRECT)} -j CONNMARK {set_to(mark)}"
        yield f"{leaves} {match(DIRECT)} -j MARK {set_to(mark)}"
        if wan.slot in named:
            yield f"{leaves} {match(mark)} {FIRST_PACKET} -j CONNMARK {set_to(mark)}"


def matches(one: Match, version: int, ends: str = "--dports") -> Iterator[str]:
    """Yield the match of a rule for each combination of what a match names; `ends` says of what its ports are."""
    protocols = one.protocols or (("tcp", "udp") if one.ports else ("",))
    ports = ",".join(ports.text(":") for ports in one.ports)
    for source, destination, protocol, domain, dscp in product(
        one.sources or (None,), one.destinations or (None,), protocols, one.domains or (None,), one.dscps or (None,)
    ):
        words = [
            f"-s {source}" if source else "",
            f"-d {destination}" if destination else "",
            f"-p {protocol}" if protocol else "",
            f"-m multiport {ends} {ports}" if ports else "",
            f"-m set --match-set {set_name(domain, version)} dst" if domain else "",
            "" if dscp is None else f"-m dscp --dscp 0x{dscp:02x}",
        ]
        yield " ".join(word for word in words if word)


def _chooses(one: Match) -> str:
    """Mark as direct, or as direct by the link that is named."""
    return f"-j MARK {set_to(DIRECT if one.slot is None else direct_mark(one.slot))}"
