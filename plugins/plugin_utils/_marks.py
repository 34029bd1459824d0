# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packet marks say, and the rules at a site by which direct connections stay on their link.

A connection is direct while it belongs to a link and not to the tunnels: one of a LAN that went out by the link since
no tunnel was alive, or one that came in to the link's own address. Connections remember it (connmark), so they end
where they began, whatever becomes of the tunnels meanwhile.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Site

MASK = 0x3F000000
"""The bits of marks that are ours; a packet in which somebody else has set one of them is left alone."""
DIRECT = 0x20000000
"""The bit that direct marks have and slot marks lack."""
HAIRPIN = 0x1F000000
"""A mark of no slot: the first packet of a forwarded connection that returns to the LAN from which it came."""
SOURCES = 0x3F000000
"""At a colo: what the table of sources is asked for; a packet has it only meanwhile."""
REFUSED = 0x3E000000
"""At a colo: what one site sends to another that does not take it."""
LET_IN = 0x3D000000
"""At a colo: what a site sends to a service that the colo has for it."""
_LOWEST = 24
GUARD = "EXTRUDE-GUARD"
CLAIM = "EXTRUDE-CLAIM"
NOT_IPSEC = "-m policy --dir out --pol ipsec -j RETURN"
"""What an IPsec policy of the admin's is about to encrypt is none of our business."""
UNMARKED = f"-m mark --mark 0x0/{MASK:#x}"
FIRST_PACKET = "-m conntrack ! --ctstatus CONFIRMED"
"""A connection whose first packet is still on its way through the router, so that its NAT is not yet settled."""
NEW = "-m conntrack --ctstate NEW ! --ctstatus CONFIRMED"
"""A first packet that opens a connection of its own. One that another connection has announced (RELATED), such as the
data of FTP, has that one's NAT, and so takes its way; what REJECT answers to one has that one's connection."""
CLAIMED = f"-m connmark --mark {DIRECT:#x}/{DIRECT:#x}"
RESTORE = f"-j CONNMARK --restore-mark --nfmask {MASK:#x} --ctmask {MASK:#x}"


@dataclass(frozen=True, slots=True)
class Part:
    """Some rules of a chain; `hook` is the built-in chain that jumps to it, "" where chains of ours do."""

    name: str
    rules: tuple[str, ...]
    hook: str = ""

    @classmethod
    def at(cls, hook: str, rules: Iterable[str]) -> Part:
        """Return a part of the chain that a built-in one jumps to."""
        return cls(f"EXTRUDE-{hook}", tuple(rules), hook)


def slot_mark(slot: int) -> int:
    """Return the mark of packets that go by the tunnel with that slot, 1 to 16."""
    return slot << _LOWEST


def direct_mark(slot: int) -> int:
    """Return the mark of direct connections of the link with that slot, 1 to 16."""
    return DIRECT | slot << _LOWEST


def match(mark: int) -> str:
    """Return the match on a mark, as iptables-save prints it."""
    return f"-m mark --mark {mark:#x}/{MASK:#x}"


def set_to(mark: int) -> str:
    """Return the option of MARK and CONNMARK that sets our bits, as iptables-save prints it."""
    return f"--set-xmark {mark:#x}/{MASK:#x}"


def site_marks(site: Site, version: int) -> Iterator[Part]:
    """Yield what a site needs."""
    if version == 4:
        yield Part.at("PREROUTING", _comes_in(site))
        if site.lans:
            yield Part(CLAIM, tuple(_claims(site)))
        yield Part.at("FORWARD", [*_goes_direct(site, 4), *_stays_out_of_tunnels(site), *_hairpins(site)])
    elif site.leaves(6):
        interfaces = dict.fromkeys(interface for interface, _network in site.routed(6))
        yield Part.at("PREROUTING", (_follow(f"-i {interface}") for interface in interfaces))
        yield Part.at("FORWARD", _goes_direct(site, 6))
        yield Part.at("POSTROUTING", _has_own_address(site))
    # what is direct on its link has that link's address; all else is shown to the guard
    others = (f"-o {wan.device} -m mark ! --mark {direct_mark(wan.slot):#x}/{MASK:#x}" for wan in site.wans)
    yield Part.at("POSTROUTING", (f"{other} -j {GUARD}" for other in others))
    yield Part(GUARD, tuple(_guard(site, version)))


def sources(site: Site, version: int) -> Iterator[str]:
    """Yield matches for what LANs send into the extruded space: LANs with NAT, and hosts that own an address."""
    nat = site.nat_interfaces if version == 4 else []
    for interface in nat:
        yield f"-i {interface}"
    for interface, network in site.routed(version):
        if interface not in nat:
            yield f"-s {network} -i {interface}"


def _comes_in(site: Site) -> Iterator[str]:
    """Links claim the connections that come in by them, and all but tunnels follow the claim of a link.

    So do the links themselves: the way back, which the kernel asks for before it takes a packet (rp_filter,
    src_valid_mark), may be there for marked ones only. The kernel leaves the mark of a tunnel's packets on what was in
    them, which has none of its own.
    """
    for wan in site.wans if site.lans else ():
        yield f"-i {wan.device} -m conntrack --ctstate NEW -m connmark --mark 0x0/{MASK:#x} -j {CLAIM}"
    if site.lans or site.listed(4):
        yield _follow("! -i ex-+")
        yield f"-i ex-+ -m mark --mark {DIRECT:#x}/{DIRECT:#x} -j MARK {set_to(0)}"


def _claims(site: Site) -> Iterator[str]:
    """That keeps the admin's port forwards of a link's own address on that link.

    What is for an extruded address has come past the colo, perhaps from somebody who wants to have all that goes back
    there; the tunnels answer it.
    """
    for network in site.claimed(4):
        yield f"-d {network} -j RETURN"
    for wan in site.wans:
        yield f"-i {wan.device} -j CONNMARK {set_to(direct_mark(wan.slot))}"


def _follow(interface: str) -> str:
    """What comes in there follows the claim of a link."""
    return f"{interface} {UNMARKED} {CLAIMED} {RESTORE}"


def _goes_direct(site: Site, version: int) -> Iterator[str]:
    """What is about to leave by a link for the first time is direct from now on.

    A connection that has gone through a tunnel before has the extruded source for good, so it is not.
    """
    # where packets have slot marks, those may be on this one: no table of a slot had a way for it
    ours = f"-m mark --mark 0x0/{DIRECT:#x}" if site.packet or site.pins else UNMARKED
    for wan in site.exits:
        for source in sources(site, version):
            yield f"{source} -o {wan.device} {ours} {NEW} -j CONNMARK {set_to(direct_mark(wan.slot))}"
    if site.lans:
        yield f"{ours} {CLAIMED} {NEW} {RESTORE}"


def _has_own_address(site: Site) -> Iterator[str]:
    """A link without an IPv6 address borrows another one of the router's (nf_nat_masquerade_ipv6), which shows when a
    connection's first packet is gone: no more than that goes out with an extruded one."""
    gone = "--ctstatus CONFIRMED"
    for wan in site.exits:
        for network in site.claimed(6):  # the router has one of its own on a LAN with an extruded prefix, too
            to = network.ip if network.size == 1 else network
            yield f"-o {wan.device} {match(direct_mark(wan.slot))} -m conntrack --ctrepldst {to} {gone} -j DROP"


def _stays_out_of_tunnels(site: Site) -> Iterator[str]:
    """Answers from a link's own address don't go by a tunnel when the link is down."""
    for wan in site.wans if site.lans else ():
        yield f"-o ex-+ -m conntrack --ctstate DNAT --ctorigdst {wan.source} -j DROP"


def _hairpins(site: Site) -> Iterator[str]:
    """Mark what comes from a LAN for an extruded address and is sent on into the same LAN."""
    addresses = dict.fromkeys(forward.address.ip for forward in site.forwards)
    for interface in site.lan_interfaces:
        for address in addresses:
            returns = f"-i {interface} -o {interface} -m conntrack --ctstate DNAT --ctorigdst {address}"
            yield f"{returns} {FIRST_PACKET} -j MARK {set_to(HAIRPIN)}"


def _guard(site: Site, version: int) -> Iterator[str]:
    """Nothing with an extruded source, or that of another link, leaves by a link, where its provider would drop it.

    A connection whose answers would go to an address of the router's has that as its source, though it shows only
    after NAT; so have answers of one that was opened to such an address, or to that of a link, and sent on.
    """
    yield NOT_IPSEC
    if version == 6 and site.leaves(6):
        # main has another link for it now; the kernel forgets it in a moment, and drops this one
        yield f"-m conntrack --ctstate SNAT {CLAIMED} -j RETURN"
    for wan in site.wans if version == 4 else ():
        yield f"! -o {wan.device} -m conntrack --ctstate DNAT --ctorigdst {wan.source} --ctdir REPLY -j DROP"
    for network in site.claimed(version):
        yield f"-s {network} -j DROP"
    for network in site.holds(version):
        yield f"-m conntrack --ctrepldst {network.ip} -j DROP"
        yield f"-m conntrack --ctstate DNAT --ctorigdst {network.ip} -j DROP"
