# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a site keeps off the extruded space: ``extrude_direct``.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address, _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Match, Wan

if TYPE_CHECKING:
    from netaddr import IPNetwork

KEYS = ("destination", "source", "protocol", "ports", "dscp", "domains")
"""What a packet is compared with."""
ALL_OF_A_LAN = "for all that a LAN sends give its network as source: 192.168.1.0/24"
EVERYTHING = f"leave the key out, and every address fits; {ALL_OF_A_LAN}"
NETWORK = _kinds.network("an address or prefix, or a list of these", _address.prefix, EVERYTHING)
NETWORK4 = _kinds.network(
    "an IPv4 address or prefix, or a list of these",
    lambda value: _address.prefix(value, 4),
    "leave the key out, and every address fits",
)
PROTOCOL = _kinds.protocol("tcp", "udp", "icmp")
PORTS = replace(_kinds.PORTS, allowed=f"{_kinds.PORTS.allowed}, or a list of these")
WAN = _kinds.text(r"[a-z0-9-]{1,8}", "the name of one of extrude_wans")
DESTINATION = replace(NETWORK, allowed=f"{NETWORK.allowed}; names go into domains")
WITH_PORTS = ("tcp", "udp")
MOST_PORTS = 15
"""A rule takes so many ports; a range counts as two (iptables-extensions(8), multiport)."""
EXAMPLE = "{protocol: tcp, ports: [80, 443]}"
NO_EXIT = "has no link to leave by: all of extrude_wans have use extruded; give one of them another"
GIVE_SOME = f"give some of {', '.join(KEYS)}"
EMPTY = f"is empty, which everything fits; {GIVE_SOME}; {ALL_OF_A_LAN}"
ONLY_A_LINK = f"has nothing but a link, and everything fits that; {GIVE_SOME} too; {ALL_OF_A_LAN}"


def read_direct(reader: Reader, wans: Sequence[Wan]) -> tuple[Match, ...]:
    """Read the matches of a site with these links."""
    children = list(reader.children("extrude_direct", EXAMPLE, []))
    if children and wans and not any(wan.is_exit for wan in wans):
        reader.problem("extrude_direct", NO_EXIT)
    slots = {wan.name: wan.slot for wan in wans if wan.is_exit}
    return tuple(_read_match(child, f"extrude_direct[{index}]", slots) for index, child in children)


def _read_match(reader: Reader, path: str, slots: Mapping[str, int]) -> Match:
    before = len(reader.problems)
    reader.only((*KEYS, "wan"))
    match = read_match(reader, DESTINATION, NETWORK)
    if all(map(reader.lacks, KEYS)) and len(reader.problems) == before:
        reader.note(path, EMPTY if reader.lacks("wan") else ONLY_A_LINK)
    check_match(reader, match)
    name = _read_exit(reader, slots)
    _check_families(reader, match, path, name)
    return replace(match, slot=slots.get(name), path=path)


def _check_families(reader: Reader, match: Match, path: str, name: str) -> None:
    """Note what no packet fits, since it is either of IPv4 or of IPv6."""
    if not match.of(4) and not match.of(6):
        of = [
            f"{what} {_address.name(some[0])}"
            for what, some in (("source", match.sources), ("destination", match.destinations))
        ]
        reader.note(path, f"no packet has the {' and the '.join(of)}; give addresses of one family")
    six = next((network for network in (*match.sources, *match.destinations) if network.version == 6), None)
    if name and six:
        text = f"{name} can't be named for {_address.name(six)}: in IPv6 the router's main table says which link"
        reader.problem("wan", f"{text}; leave it out, or give IPv4 addresses only")


def _read_exit(reader: Reader, slots: Mapping[str, int]) -> str:
    """Read the name of the link to leave by; "" where there is none, or it can't be one."""
    name = reader.read("wan", WAN, "")
    if name and name not in slots:
        if slots:  # without any the links have a problem, which is told already
            reader.problem("wan", f"'{name}' is no link for direct traffic; give {_kinds.either(slots)}")
        return ""
    return name


def read_match(
    reader: Reader,
    destination: _kinds.Kind[IPNetwork | None] = NETWORK4,
    source: _kinds.Kind[IPNetwork | None] = NETWORK4,
) -> Match:
    """Read what has to fit; `destination` and `source` are of these kinds."""
    destinations = [(path, network) for path, network in reader.some_placed("destination", destination) if network]
    return Match(
        destinations=tuple(network for _path, network in destinations),
        destination_paths=tuple(path for path, _network in destinations),
        sources=tuple(network for network in reader.some("source", source) if network),
        protocols=tuple(protocol for protocol in reader.some("protocol", PROTOCOL) if protocol),
        ports=tuple(ports for ports in reader.some("ports", PORTS) if ports),
        dscps=tuple(value for value in reader.some("dscp", _kinds.DSCP) if value is not None),
        domains=tuple(dict.fromkeys(domain for domain in reader.some("domains", _kinds.DOMAIN) if domain)),
    )


def check_match(reader: Reader, match: Match) -> None:
    """Note what no rule could say."""
    portless = [protocol for protocol in match.protocols if protocol not in WITH_PORTS]
    if match.ports and portless:
        text = f"{portless[0]} with ports; only tcp and udp have those"
        reader.problem("protocol", f"{text}: leave them out, or give {portless[0]} an entry of its own")
    if sum(1 if ports.first == ports.last else 2 for ports in match.ports) > MOST_PORTS:
        reader.problem("ports", f"are too many; give up to {MOST_PORTS} to an entry, of which a range counts as two")
