# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove tunnels with traffic: echo through every one of them at the same time, and see what arrives at the far end.

Packets are sent on a device whatever the routes say, and are heard on the device before any firewall,
so that the path alone is judged. This module util is private to the collection.
"""

from __future__ import annotations

import errno
import random
import selectors
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from ._background import Caller
from ._fields import Fields, Form, family_of
from ._icmp import HEADERS, REPLY, REQUEST, Echo, build
from ._rawsocket import ear, hear, mouth, trouble

SMALLEST = 68
"""The size in bytes that every IPv4 link carries whole (RFC 791); the search goes no lower."""

LARGEST = 65535

LONGEST = 600
"""Seconds that anything here may take."""

TOKEN = Form(r"[!-~]{1,64}", "1 to 64 printable ASCII characters without blank")

STAMP = struct.Struct("!cQ")
"""What follows the token in packets of the full size: a mark, and the sender's clock in nanoseconds."""

TRIES = 3
"""Packets of each extruded source at least, so that one lost packet does not mislead."""

SHORTEST_INTERVAL = 0.005
"""Seconds between two packets with extruded sources, however many sources there are."""

RUNGS = 16
"""Into how many steps each round of the search divides what is still open."""

RUNG_PACKETS = 2
"""Packets of each size in the search, so that one lost packet does not mislead it."""

LOOK = 0.2
"""Seconds after which an observer looks whether its result is asked for."""

BUFFERED = 300
"""Packets that wait on a device to be read, at most: 208 KiB (net.core.rmem_default), each counted with 768 or more."""

RUNG_INTERVAL = 0.01
"""Seconds between packets of the search: small queues of slow links must hold them."""


@dataclass(frozen=True)
class Target:
    """A tunnel to probe: inside addresses ``local`` and ``remote``, ``mtu`` in bytes, extruded ``sources``.

    Sources of IPv6 send to ``remote6`` where ``remote`` is of IPv4.
    """

    wan: str
    device: str
    local: str
    remote: str
    mtu: int
    sources: tuple[str, ...] = ()
    remote6: str | None = None

    @classmethod
    def parse(cls, data: Fields) -> Target:
        """A target from plain data; raises InvalidInput."""
        device, local = data.device("device"), data.address("local")
        target = cls(
            wan=data.optional_text("wan") or device,
            device=device,
            local=local,
            remote=data.address("remote", family_of(local)),
            mtu=data.integer("mtu", SMALLEST, LARGEST),
            sources=data.addresses("sources"),
            remote6=data.optional_address("remote6", 6),
        )
        for source in target.sources:
            if target.far(source) is None:
                raise data.error("sources", f"{source} has no inside address of its family to send to")
        return target

    def far(self, source: str) -> str | None:
        """The far inside address for packets from *source*; None where there is none of its family."""
        addresses = [self.remote, *([self.remote6] if self.remote6 else [])]
        return next((address for address in addresses if family_of(address) == family_of(source)), None)

    @property
    def families(self) -> set[int]:
        """The families of the packets to send."""
        return {family_of(address) for address in (self.local, *self.sources)}


@dataclass(frozen=True)
class Watch:
    """What to look for on a device: echo requests whose payload is this token."""

    device: str
    token: str

    @classmethod
    def parse(cls, data: Fields) -> Watch:
        """A watch from plain data; raises InvalidInput."""
        return cls(data.device("device"), data.text("token", TOKEN))


@dataclass(frozen=True)
class Pace:
    """Packets a tunnel, seconds between them, seconds to wait for the last one; payload of those from ``source``."""

    count: int = 5
    interval: float = 0.1
    timeout: float = 1.0
    token: str = "extrude"

    @classmethod
    def parse(cls, data: Fields) -> Pace:
        """A pace from plain data; raises InvalidInput."""
        return cls(
            count=packets(data),
            interval=duration(data, "interval"),
            timeout=duration(data, "timeout"),
            token=data.text("token", TOKEN),
        )


def packets(data: Fields) -> int:
    """The option ``count``; raises InvalidInput."""
    return data.integer("count", 1, 1000)


def duration(data: Fields, name: str) -> float:
    """An option in seconds; raises InvalidInput."""
    value = data.required(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST:
        raise data.error(name, f"{value!r} is no number of seconds from 0 to {LONGEST}")
    return float(value)


# --- pure: one tunnel -----------------------------------------------------------------------------


def largest_size(mtu: int, count: int) -> Generator[list[int], Collection[int], int | None]:
    """The largest size in bytes that passes, None when none does.

    Yields the sizes to send next, takes those of them that came back. The first round is *count*
    packets of the full size; only when none passes, the open range is divided, round by round.
    """
    if mtu in (yield [mtu] * count):
        return mtu
    passes, fails = None, mtu
    while fails - (passes or SMALLEST - 1) > 1:
        rungs = ladder(SMALLEST if passes is None else passes + 1, fails - 1)
        good = [size for size in (yield sorted(rungs * RUNG_PACKETS)) if size in rungs]
        if not good:
            return passes
        passes = max(good)
        fails = min((size for size in rungs if size > passes), default=fails)
    return passes


def ladder(low: int, high: int) -> list[int]:
    """At most RUNGS sizes from *low* to *high*, ends included, at even distances."""
    steps = min(RUNGS, high - low + 1) - 1
    return [low] if steps < 1 else [low + (high - low) * step // steps for step in range(steps + 1)]


def summary(seconds: Sequence[float]) -> dict[str, float] | None:
    """Round-trip times as minimum, mean, nine of ten, and maximum in milliseconds; None without any."""
    if not seconds:
        return None
    figures = {
        "min": min(seconds),
        "avg": sum(seconds) / len(seconds),
        "p90": sorted(seconds)[len(seconds) * 9 // 10],
        "max": max(seconds),
    }
    return {name: round(value * 1000, 3) for name, value in figures.items()}


def stamped(payload: bytes, token: bytes, clock: int) -> bytes:
    """The payload with token and time at its beginning; as it is where that does not fit."""
    head = token + STAMP.pack(b"@", clock)
    return head + payload[len(head) :] if len(head) <= len(payload) else payload


def stamp_of(payload: bytes, token: bytes) -> int | None:
    """The time in a payload that was stamped with the token."""
    if not payload.startswith(token + b"@") or len(payload) < len(token) + STAMP.size:
        return None
    return int(STAMP.unpack_from(payload, len(token))[1])


@dataclass
class Tally:
    """What was sent and what came back, for one kind of packets."""

    sent: int = 0
    times: list[float] = field(default_factory=list)


class Probe:
    """The probing of one tunnel without its I/O: it says what to send when, and is told what came back.

    All times are seconds of one clock.
    """

    def __init__(self, target: Target, pace: Pace, identifier: int, now: float) -> None:
        self.target = target
        self.identifier = identifier
        self.finished = False
        self._pace = pace
        self._search = largest_size(target.mtu, pace.count)
        self._queue: deque[tuple[float, Echo]] = deque()
        self._waiting: dict[int, tuple[float, Echo]] = {}
        self._came_back: set[int] = set()
        self._deadline = now
        self._next_sequence = 0
        self._full, self._smaller, self._extruded = Tally(), Tally(), Tally()
        self._path_mtu: int | None = None
        self._trouble = self._failure = ""
        self._answered: set[str] = set()
        self._plan_round(next(self._search), pace.interval, now)
        self._plan_sources(now)

    def due(self, now: float, heard: float | None = None) -> list[Echo]:
        """The packets to send now; goes on to the next round once this one is answered or out of time.

        *heard*: the time up to which it has been told all that came back, if that is not now. A busy host reads late,
        and what waits there to be read is not lost.
        """
        told = now if heard is None else heard
        if not self._queue and (not self._waiting or told >= self._deadline):
            self._next_round(now)
        packets = []
        while self._queue and self._queue[0][0] <= now:
            echo = self._queue.popleft()[1]
            if echo.source == self.target.local and echo.size == self.target.mtu:
                echo = replace(echo, payload=stamped(echo.payload, self._pace.token.encode(), time.time_ns()))
            self._waiting[echo.sequence] = (now, echo)
            self._tally(echo).sent += 1
            self._deadline = now + self._pace.timeout
            packets.append(echo)
        return packets

    def wake(self) -> float:
        """When :meth:`due` has something to do next, if nothing comes back before."""
        if self._queue:
            return self._queue[0][0]
        return self._deadline if self._waiting else 0.0

    def came_back(self, reply: Echo, now: float) -> None:
        """Take note of an echo reply, which may also be a stranger's."""
        sent_at, echo = self._waiting.get(reply.sequence, (now, None))
        if echo is None or reply.is_request or reply.identifier != self.identifier:
            return
        if (reply.source, reply.destination, reply.payload) != (echo.destination, echo.source, echo.payload):
            return
        del self._waiting[reply.sequence]
        self._tally(echo).times.append(now - sent_at)
        self._answered.add(echo.source)
        if echo.source == self.target.local:
            self._came_back.add(echo.size)

    def refused(self, echo: Echo, reason: OSError) -> None:
        """Take note that the kernel did not send a packet; too large a one needs no words, the search finds it."""
        self._waiting.pop(echo.sequence, None)
        if reason.errno != errno.EMSGSIZE:
            self._trouble = reason.strerror or str(reason)

    def fail(self, reason: str) -> None:
        """End it before it began, since the device cannot be used."""
        self.finished, self._failure = True, reason

    def result(self) -> dict[str, Any]:
        """What was found, as plain data."""
        target, full = self.target, self._full
        return {
            "wan": target.wan,
            "device": target.device,
            "sources": list(target.sources),
            "ok": bool(full.times),
            "sent": full.sent,
            "received": len(full.times),
            "rtt_ms": summary(full.times or self._smaller.times),
            "mtu": target.mtu,
            "mtu_ok": self._path_mtu == target.mtu,
            "path_mtu": self._path_mtu,
            "source_sent": self._extruded.sent,
            "source_received": len(self._extruded.times),
            "silent": self._silent(),
            "error": self._error(),
        }

    def _error(self) -> str:
        target = self.target
        because = f" ({self._trouble})" if self._trouble else ""
        if self._failure:
            return self._failure
        if self._path_mtu is None:
            return f"no answer from {target.remote} through {target.device}, to small packets neither{because}"
        if self._path_mtu < target.mtu:
            return (
                f"packets of {target.mtu} bytes do not pass {target.device}; the largest that do have "
                f"{self._path_mtu}: lower the mtu of WAN {target.wan} by {target.mtu - self._path_mtu}"
            )
        if silent := self._silent():
            return f"no answer to packets from {', '.join(silent)} through {target.device}{because}"
        return ""

    def _silent(self) -> list[str]:
        """The sources to which nothing was answered."""
        return [source for source in self.target.sources if source not in self._answered]

    def _next_round(self, now: float) -> None:
        self._waiting.clear()
        try:
            sizes = self._search.send(frozenset(self._came_back))
        except StopIteration as stop:
            self._path_mtu = stop.value
            self.finished = True
        else:
            self._plan_round(sizes, RUNG_INTERVAL, now)

    def _plan_round(self, sizes: Sequence[int], interval: float, now: float) -> None:
        for number, size in enumerate(sizes):
            filler = bytes(size - HEADERS[family_of(self.target.local)])
            self._queue.append((now + number * interval, self._echo(self.target.local, filler)))

    def _plan_sources(self, now: float) -> None:
        """Packets from each source in turn, in the time that the others take, if that is enough."""
        sources, pace = self.target.sources, self._pace
        count = max(pace.count, TRIES * len(sources)) if sources else 0
        interval = max(min(pace.interval, SHORTEST_INTERVAL), pace.interval * pace.count / max(1, count))
        packets = [self._echo(sources[number % len(sources)], pace.token.encode()) for number in range(count)]
        timed = [*self._queue, *((now + number * interval, echo) for number, echo in enumerate(packets))]
        self._queue = deque(sorted(timed, key=lambda one: one[0]))

    def _echo(self, source: str, payload: bytes) -> Echo:
        self._next_sequence += 1
        far = self.target.far(source) or self.target.remote
        return Echo(True, source, far, self.identifier, self._next_sequence, payload)

    def _tally(self, echo: Echo) -> Tally:
        if echo.source != self.target.local:
            return self._extruded
        return self._full if echo.size == self.target.mtu else self._smaller


# --- the host -------------------------------------------------------------------------------------


def probe(targets: Sequence[Target], pace: Pace) -> list[dict[str, Any]]:
    """Probe all tunnels at the same time; one result each, in their order. Raises EngineError without permission."""
    first, now = random.randrange(0x10000), time.monotonic()
    probes = [Probe(target, pace, (first + number) & 0xFFFF, now) for number, target in enumerate(targets)]
    by_identifier = {each.identifier: each for each in probes}
    with ExitStack() as stack:
        hearing = stack.enter_context(selectors.DefaultSelector())
        mouths: dict[tuple[int, int], socket.socket] = {}
        for each in probes:
            try:
                for family in each.target.families:
                    mouths[each.identifier, family] = stack.enter_context(mouth(each.target.device, family))
                _register(stack, hearing, each.target.device, REPLY, each.identifier)
            except OSError as error:
                each.fail(trouble(each.target.device, error))
        heard = now
        while pending := [each for each in probes if not each.finished]:
            for each in pending:
                _send_due(each, mouths, heard)
            heard = time.monotonic()
            # the answer to an extruded source may come by any of the tunnels
            for _number, reply in _heard(hearing, min(each.wake() for each in pending)):
                if reply.identifier in by_identifier:
                    by_identifier[reply.identifier].came_back(reply, time.monotonic())
    there = {name for _index, name in socket.if_nameindex()}
    return [{**each.result(), "present": each.target.device in there} for each in probes]


def observe(watches: Sequence[Watch], seconds: float, count: int, caller: Caller | None = None) -> list[dict[str, Any]]:
    """Listen until each watch has seen *count* packets, at most *seconds*; one result each, in their order.

    A *caller* is told when it listens, and no more is waited for when he asks.

    ``transit_ms`` is the shortest time from the sender's clock to this one's: their difference is in it, so that it
    only serves to compare tunnels.
    """
    deadline = time.monotonic() + seconds
    seen: list[Counter[str]] = [Counter() for _watch in watches]
    transits: list[list[int]] = [[] for _watch in watches]
    errors = [""] * len(watches)
    with ExitStack() as stack:
        hearing = stack.enter_context(selectors.DefaultSelector())
        for number, watch in enumerate(watches):
            try:
                _register(stack, hearing, watch.device, REQUEST, number)
            except OSError as error:
                errors[number] = trouble(watch.device, error)
        open_ones = [sources for sources, error in zip(seen, errors, strict=True) if not error]
        if caller:
            caller.begun()
        while time.monotonic() < deadline and any(sources.total() < count for sources in open_ones):
            if caller and caller.asks():
                break
            for number, echo in _heard(hearing, min(deadline, time.monotonic() + LOOK)):
                token = watches[number].token.encode()
                if echo.payload == token:
                    seen[number][echo.source] += 1
                elif sent_at := stamp_of(echo.payload, token):
                    transits[number].append(time.time_ns() - sent_at)
    return [
        {
            "device": watch.device,
            "sources": sorted(sources),
            "packets": sources.total(),
            "transit_ms": round(min(times) / 1e6, 3) if times else None,
            "error": error,
        }
        for watch, sources, times, error in zip(watches, seen, transits, errors, strict=True)
    ]


def _send_due(sender: Probe, mouths: Mapping[tuple[int, int], socket.socket], heard: float) -> None:
    for echo in sender.due(time.monotonic(), heard):
        try:
            mouths[sender.identifier, echo.family].sendto(build(echo), (echo.destination, 0))
        except OSError as error:
            sender.refused(echo, error)


def _register(
    stack: ExitStack, hearing: selectors.BaseSelector, device: str, kinds: dict[int, int], number: int
) -> None:
    """Hear echo messages of these ICMP types on a device, under a number, until the stack ends."""
    hearing.register(stack.enter_context(ear(device, kinds)), selectors.EVENT_READ, number)


def _heard(hearing: selectors.BaseSelector, until: float) -> Iterator[tuple[int, Echo]]:
    """The echoes that arrive next, each with the number of its device; none at the time *until*.

    All that has arrived already is among them; what a flood adds meanwhile need not be.
    """
    ready = hearing.select(max(0.0, until - time.monotonic()))
    for _round in range(BUFFERED):
        if not ready:
            return
        for key, _events in ready:
            if isinstance(key.fileobj, socket.socket) and (echo := hear(key.fileobj)):
                yield key.data, echo
        ready = hearing.select(0)
