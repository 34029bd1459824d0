# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A timed stream of numbered datagrams, and the log of what became of them. Pure.

A direction is judged without synchronised clocks: both ends know the interval, so a sequence number is a time, and
numbers that did not arrive are milliseconds lost. This module util is private to the collection.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

TRIAL, STREAM, END = 0, 1, 2
"""Kinds of packets: looks for a flow that takes the tunnel; is counted; says that all is over."""

_HEAD = struct.Struct("!4sBI")
_MAGIC = b"XDRL"
_UDP_HEADER = 8


@dataclass(frozen=True)
class Packet:
    """One datagram of a stream; ``token`` tells the stream from others."""

    token: str
    kind: int
    sequence: int

    def payload(self) -> bytes:
        return _HEAD.pack(_MAGIC, self.kind, self.sequence) + self.token.encode()


def parse(packet: bytes) -> Packet | None:
    """The packet of a stream in a whole IPv4 packet with UDP (RFC 791, RFC 768); None for all else."""
    start = (packet[0] & 0xF) * 4 + _UDP_HEADER if packet else 0
    if len(packet) < start + _HEAD.size or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
        return None
    # a short frame is padded, so the length says where the packet ends
    end = int.from_bytes(packet[2:4], "big")
    magic, kind, sequence = _HEAD.unpack_from(packet, start)
    token = packet[start + _HEAD.size : end]
    if magic != _MAGIC or not token.isascii():
        return None
    return Packet(token.decode(), kind, sequence)


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """The same numbers as first and last of each unbroken run, ascending; each number counts once."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


@dataclass
class Log:
    """What one end of a drill sends and hears. Times are seconds of one clock, ``interval`` those between packets."""

    interval: float
    begun: float = 0.0
    sent: int = 0
    into: list[int] = field(default_factory=list)
    """Own packets that left by the tunnel."""
    arrivals: dict[int, float] = field(default_factory=dict)
    """When each packet of the far end came first."""
    by: list[int] = field(default_factory=list)
    """Those of them that came by the tunnel."""
    last_into: float = 0.0
    last_by: float = 0.0
    """When a packet last left, and came, by the tunnel."""
    ended: bool = False
    """Whether the far end has said that all is over."""

    def begin(self, now: float) -> None:
        """Start to send: packet 0 is due now."""
        self.begun = now

    def due(self, now: float) -> range:
        """The numbers to send now; what is late is made up for, so that a number stays a time."""
        first, self.sent = self.sent, max(self.sent, int((now - self.begun) / self.interval) + 1)
        return range(first, self.sent)

    def wake(self) -> float:
        """When the next packet is due."""
        return self.begun + self.sent * self.interval

    def left(self, packet: Packet, now: float) -> None:
        """Take note of an own packet that left by the tunnel."""
        if packet.kind == STREAM:
            self.into.append(packet.sequence)
            self.last_into = now

    def came(self, packet: Packet, by_tunnel: bool, now: float) -> None:
        """Take note of a packet of the far end."""
        if packet.kind == END:
            self.ended = True
        elif packet.kind == STREAM:
            self.arrivals.setdefault(packet.sequence, now)
            if by_tunnel:
                self.by.append(packet.sequence)
                self.last_by = now

    def result(self) -> dict[str, Any]:
        """The log as plain data; ``offset_ms`` is when packet 0 of the far end came, or would have, at best."""
        offsets = [at - self.begun - number * self.interval for number, at in self.arrivals.items()]
        return {
            "interval_ms": round(self.interval * 1000, 3),
            "sent": self.sent,
            "into": ranges(self.into),
            "received": ranges(self.arrivals),
            "by": ranges(self.by),
            "offset_ms": round(min(offsets) * 1000, 1) if offsets else None,
            "ended": self.ended,
        }
