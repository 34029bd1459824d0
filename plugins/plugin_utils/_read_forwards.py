# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what is sent on to hosts behind a site's router: ``extrude_forwards``.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address, _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_management import read_management
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Claim, Forward, Lan, Wan

if TYPE_CHECKING:
    from netaddr import IPNetwork

KEYS = ("address", "protocol", "port", "to")
NEITHER = "or neither protocol nor port for all of the address"
PROTOCOL = replace(_kinds.protocol("tcp", "udp"), allowed=f"tcp or udp: an entry for each, {NEITHER}")
PORT = replace(_kinds.ONE_PORT, allowed=f"{_kinds.ONE_PORT.allowed}, {NEITHER}")
EXAMPLE = "{protocol: tcp, port: 443, to: 192.168.1.20}"
NO_LAN = "leads to hosts on a LAN with mode nat, and there is none; give extrude_lan one"


def read_forwards(
    reader: Reader,
    placed: tuple[Sequence[Lan], Sequence[IPNetwork]] | None,
    wans: Sequence[Wan],
    claims: Sequence[Claim],
) -> tuple[Forward, ...]:
    """Read the forwards of a site with these links and extruded addresses.

    Its LANs and the addresses that its router holds are `placed`; None where they have a problem.
    """
    before = len(reader.problems)
    lans, held = placed or ((), ())
    leaves_as = next((lan.addresses[0] for lan in lans if lan.mode == "nat"), None)
    children = list(reader.children("extrude_forwards", EXAMPLE, []))
    forwards = tuple(_read_forward(child, index, leaves_as or _address.NOWHERE) for index, child in children)
    if placed and children and leaves_as is None:
        reader.problem("extrude_forwards", NO_LAN)
    elif placed and len(reader.problems) == before:
        own = [network for network in held if network.version == 4]
        free = [network for network in own if network != leaves_as]
        _check_held(reader, forwards, lans, own, free)
        _check_hosts(reader, forwards, wans, claims)
        possible = _check_whole(reader, forwards, leaves_as, free)
        _check_once(reader, possible)
        _check_management(reader, possible)
    return forwards


def _read_forward(reader: Reader, index: int, default: IPNetwork) -> Forward:
    """Read one; `default` is its address where it has none of its own."""
    reader.only(KEYS)
    whole = reader.lacks("protocol") and reader.lacks("port")
    to, to_port = reader.read("to", _kinds.TARGET) or (_address.NOWHERE, None)
    forward = Forward(
        path=f"extrude_forwards[{index}]",
        address=reader.read("address", _kinds.ADDRESS4, default) or _address.NOWHERE,
        protocol="" if whole else reader.read("protocol", PROTOCOL),
        ports=None if whole else reader.read("port", PORT),
        to=to,
        to_port=to_port,
    )
    single = forward.ports and forward.ports.first == forward.ports.last
    if to_port and (whole or (forward.ports and not single)):
        reader.problem("to", f"has a port, {to_port}, which only a single port leads to; leave it out")
    return forward


def _check_held(
    reader: Reader,
    forwards: Sequence[Forward],
    lans: Sequence[Lan],
    own: Sequence[IPNetwork],
    free: Sequence[IPNetwork],
) -> None:
    """Note what is not the router's `own`, so that nothing for it comes by there; `free` is what can be a host's."""
    for forward in forwards:
        if forward.address in own:
            continue
        others = f", or give this one {choice}" if (choice := _choice(own if forward.ports else free)) else ""
        if taker := _taker(forward.address, lans):
            text = f"is taken by {taker}, whose hosts own it and need no forward"
            advice = f"leave this one out, or give {taker} other addresses{others}"
        else:
            text, advice = "is not in extrude_addresses", f"add it there{others}"
        reader.note(f"{forward.path}.address", f"{forward.address.ip} {text}; {advice}")


def _taker(address: IPNetwork, lans: Sequence[Lan]) -> str:
    """Return the path of the LAN whose hosts own an address; "" where there is none."""
    takers = (
        f"extrude_lan[{index}]"
        for index, lan in enumerate(lans)
        if any(address.ip in network for network in lan.addresses if lan.mode == "routed")
    )
    return next(takers, "")


def _choice(networks: Sequence[IPNetwork]) -> str:
    return _kinds.either(str(network.ip) for network in networks) if networks else ""


def _check_hosts(reader: Reader, forwards: Sequence[Forward], wans: Sequence[Wan], claims: Sequence[Claim]) -> None:
    """Note what leads to no host behind the router: to an end of a link, or back into the extruded space.

    What the colo has is another check's (_checks.py).
    """
    for forward in forwards:
        owners = [
            *(f"that of {wan.path}" for wan in wans if wan.address.ip == forward.to.ip),
            *(f"the gateway of {wan.path}" for wan in wans if wan.gateway.ip == forward.to.ip),
            *(f"in {claim.path}" for claim in claims if forward.to.ip in claim.network),
        ]
        if owners:
            text = f"{forward.to.ip} is {owners[0]}; give the address of a host on a LAN"
            reader.note(f"{forward.path}.to", text)


def _check_whole(
    reader: Reader, forwards: Sequence[Forward], leaves_as: IPNetwork | None, free: Sequence[IPNetwork]
) -> list[Forward]:
    """Note an address that would become a host's though all hosts leave as it; what is `free` may.

    Return the other forwards: whatever else is wrong with one that is noted goes with it.
    """
    allowed = _choice(free) or "add an address to extrude_addresses that no LAN takes"
    shared = [forward for forward in forwards if forward.ports is None and forward.address == leaves_as]
    for forward in shared:
        text = f"is what LANs with mode nat leave as, so it can't be {forward.to.ip}'s alone"
        reader.note(f"{forward.path}.address", f"{forward.address.ip} {text}; give protocol and port, or {allowed}")
    return [forward for forward in forwards if forward not in shared]


def _check_once(reader: Reader, forwards: Sequence[Forward]) -> None:
    """Note each forward of which a part is another's."""
    for first, second in combinations(forwards, 2):
        if first.overlaps(second):
            reader.note(
                second.path, f"{_shown(second)} is also forwarded by {first.path}, {_shown(first)}; leave one out"
            )


def _check_management(reader: Reader, forwards: Sequence[Forward]) -> None:
    """Note what would take away the port by which Ansible reaches the router."""
    host, port = read_management(reader)
    for forward in forwards:
        if str(forward.address.ip) == host and forward.takes("tcp", port):
            advice = (
                "give another port"
                if forward.ports
                else "give protocol and port, give another address, or reach the router by another one"
            )
            reader.note(forward.path, f"{_shown(forward)} is where Ansible reaches {reader.host}; {advice}")


def _shown(forward: Forward) -> str:
    ports = f" {forward.protocol} {forward.ports.text('-')}" if forward.ports else ""
    return f"{forward.address.ip}{ports}"
