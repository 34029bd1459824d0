# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a segment whether somebody there holds an address.

IPv4: ARP probes (RFC 5227, section 2.1.1). IPv6: the solicitations of duplicate address detection
(RFC 4862, section 5.4.2). Both come from no address, so no neighbour learns anything from them. Linux
answers them for addresses that it holds; for those that it only proxies, with IPv6 but not with ARP.
A host that has an address on the segment may ask from that, as it does before it sends packets (RFC 826).
This module util is private to the collection.
"""

from __future__ import annotations

import errno
import ipaddress
import selectors
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ._announce import (
    ARPHRD_ETHER,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    NEIGHBOUR_ADVERTISEMENT,
    arp_request,
    discovery,
    send,
)
from ._fields import EngineError
from ._rawsocket import frames

PAUSES = (0.1, 0.2)
"""Seconds to listen after the first and after the second time of asking."""

NEIGHBOUR_SOLICITATION = 135
SOLICITED_NODE = bytes.fromhex("ff02 0000 0000 0000 0000 0001 ff")
"""ff02::1:ff00:0/104, which an address's last 24 bits complete (RFC 4291, section 2.7.1)."""

_ETHERTYPES = {4: ETHERTYPE_ARP, 6: ETHERTYPE_IPV6}
_ANSWERS = {4: {20: 0, 21: 2}, 6: {20: socket.IPPROTO_ICMPV6, 54: NEIGHBOUR_ADVERTISEMENT}}
"""Bytes by their place in a frame that make it an answer: the operation of ARP; next header and type of ICMPv6."""
_ABOUT = {4: slice(28, 32), 6: slice(62, 78)}
"""Where an answer has the address: ARP's sender, an advertisement's target."""

_NOTHING = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN, errno.EAGAIN)
"""The device is missing, gone, or down; or nothing is there to be read."""


def probe(mac: bytes, address: bytes, sender: bytes = bytes(4)) -> bytes:
    """The frame that asks, from *mac*, who holds an IPv4 or IPv6 address; IPv4 with an address of one's own or none."""
    if len(address) == 4:
        return arp_request(mac, sender, address)
    question = struct.pack("!BBHI", NEIGHBOUR_SOLICITATION, 0, 0, 0) + address
    return discovery(mac, bytes(16), SOLICITED_NODE + address[-3:], question)


def holders(
    pairs: Sequence[tuple[str, str]],
    senders: Mapping[str, str] | None = None,
    pauses: Sequence[float] = (),
    own: Set[bytes] | None = None,
) -> dict[tuple[str, str], str]:
    """The MAC address that answers for each (device, address) that a neighbour holds.

    All are asked for at once, and again after each of the *pauses* (default: PAUSES), as one frame may get lost.
    Devices that are missing or down, or that have no Ethernet addresses, have no neighbours to ask. What one of the
    MAC addresses *own* answers does not count (default: this host's). *senders*: by device, the IPv4 address of this
    host to ask from.
    Raises EngineError for lack of permission.
    """
    with ExitStack() as stack:
        segments = _segments(pairs, senders or {}, stack)
        own = _own_macs() if own is None and segments else own or frozenset()
        ears = stack.enter_context(selectors.DefaultSelector())
        for segment in segments:
            ears.register(segment.link, selectors.EVENT_READ, segment)
        for pause in pauses or PAUSES:
            if not any(segment.open_questions() for segment in segments):
                break
            for segment in segments:
                for address in segment.open_questions():
                    segment.ask(address)
                    _listen(ears, own, 0)  # meanwhile, so that the answers to thousands fit in the buffer
            _listen(ears, own, pause)
    return {
        (segment.device, segment.addresses[address]): mac.hex(":")
        for segment in segments
        for address, mac in segment.answers.items()
    }


@dataclass(frozen=True, eq=False)
class _Segment:
    """What is asked for on one device in one family: addresses in text by their bytes, and who answered."""

    device: str
    family: int
    link: socket.socket
    addresses: dict[bytes, str]
    sender: bytes = bytes(4)
    answers: dict[bytes, bytes] = field(default_factory=dict)

    def open_questions(self) -> list[bytes]:
        return [address for address in self.addresses if address not in self.answers]

    def ask(self, address: bytes) -> None:
        with _passed_over(self.device):
            send(self.link, probe(self.link.getsockname()[4], address, self.sender))

    def hear(self, own: Set[bytes]) -> None:
        """Takes one frame. Those to other hosts don't count: they may be of a VLAN that is none of this device's."""
        with _passed_over(self.device):
            frame, (_device, _type, direction, _hardware, mac) = self.link.recvfrom(0x10000, socket.MSG_DONTWAIT)
            address = frame[_ABOUT[self.family]]
            if address in self.addresses and mac not in own and direction != socket.PACKET_OTHERHOST:
                self.answers.setdefault(address, mac)


def _segments(pairs: Sequence[tuple[str, str]], senders: Mapping[str, str], stack: ExitStack) -> list[_Segment]:
    """Open sockets, which *stack* closes, where there may be neighbours."""
    grouped: defaultdict[tuple[str, int], dict[bytes, str]] = defaultdict(dict)
    for device, text in pairs:
        address = ipaddress.ip_address(text)
        grouped[device, address.version][address.packed] = text
    segments = []
    for (device, family), addresses in grouped.items():
        with _passed_over(device):
            link = stack.enter_context(frames(device, _ETHERTYPES[family], _ANSWERS[family]))
            is_down = link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if link.getsockname()[3] == ARPHRD_ETHER and not is_down:
                sender = ipaddress.IPv4Address(senders.get(device, 0)).packed
                segments.append(_Segment(device, family, link, addresses, sender))
    return segments


@contextmanager
def _passed_over(device: str) -> Iterator[None]:
    """A device that is missing or down ends the body, and no more."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOTHING:
            raise EngineError(f"cannot ask for neighbours on {device}: {error.strerror}") from error


def _listen(ears: selectors.BaseSelector, own: Set[bytes], seconds: float) -> None:
    """Hear what arrives meanwhile, and at least what is there already, a frame of each segment."""
    end = time.monotonic() + seconds
    left = seconds
    while left >= 0:
        for key, _events in ears.select(left):
            key.data.hear(own)
        left = end - time.monotonic()


def _own_macs() -> frozenset[bytes]:
    """The link-layer addresses of all devices of this host (in this network namespace)."""
    macs = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as link:
        for _index, device in socket.if_nameindex():
            with _passed_over(device):
                link.bind((device, 0))
                macs.add(bytes(link.getsockname()[4]))
    return frozenset(macs)
