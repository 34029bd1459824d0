# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a drill: the site's, which black-holes a tunnel of its own, and the colo's, which answers.

Both send each other a timed stream, in a flow that the kernel sends by that tunnel, and log what becomes of it.
The site leads: the colo begins when it hears the site, and ends when the site says so.
This module util is private to the collection.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from . import _dump, _liveness, _probe
from ._background import Caller
from ._blackhole import BlackHole, refusal, running
from ._fields import EngineError, Fields
from ._model import Tunnel
from ._rawsocket import datagrams, tap, tapped, trouble
from ._signals import Signals
from ._stream import END, STREAM, TRIAL, Log, Packet, parse

Made = TypeVar("Made")

PORT = 9
"""The UDP port that streams go to: discard (RFC 863), for whoever gets to see them."""

TRIALS, ROUNDS = 256, 2
"""Flows tried at once, and how often, until one takes the tunnel: enough for a share of one in a hundred."""

GRACE = 1.0
"""Seconds that a packet may take to leave: packet mode levels round-trip times by a delay on the faster tunnels."""

WARM = 30
"""Packets that have to arrive before the tunnel is black-holed."""

MEETING = 30.0
"""Seconds for the two ends to hear each other: the colo may be slow to begin."""

PAUSE = 0.5
"""Seconds between two questions to BIRD."""

TAIL = 1.0
"""Seconds to look on after everything is back."""

GOODBYES = 20
"""How often the site says that it is over."""

SHORTEST = 5.0
"""Seconds by which the timer is later than the planned end of the black hole."""

SMALL = 128
"""Bytes of the packets that find out whether another tunnel lives."""


@dataclass(frozen=True)
class End:
    """One end of the streams: own and far address, the site's tunnels with the one that is drilled first."""

    source: str
    destination: str
    tunnels: tuple[_probe.Target, ...]
    token: str
    interval: float

    @property
    def wan(self) -> str:
        """The link that is drilled."""
        return self.tunnels[0].wan

    @property
    def device(self) -> str:
        """Its tunnel at this end."""
        return self.tunnels[0].device

    @classmethod
    def parse(cls, data: Fields) -> End:
        """An end from plain data; raises InvalidInput."""
        wan, tunnels = data.text("wan"), [_tunnel(item) for item in data.items("tunnels")]
        if wan not in (tunnel.wan for tunnel in tunnels):
            raise data.error("wan", f"there is no tunnel of {wan}; there are {', '.join(t.wan for t in tunnels)}")
        return cls(
            source=data.address("source", 4),
            destination=data.address("destination", 4),
            tunnels=tuple(sorted(tunnels, key=lambda tunnel: tunnel.wan != wan)),
            token=data.text("token", _probe.TOKEN),
            interval=data.integer("interval", 1, 1000) / 1000,
        )


def _tunnel(data: Fields) -> _probe.Target:
    """A tunnel as the target of small probes."""
    return _probe.Target(
        data.text("wan"), data.device("device"), data.address("local", 4), data.address("remote", 4), SMALL
    )


@dataclass(frozen=True)
class Plan:
    """How long the tunnel is dead, when the timer undoes it at the latest, how long to wait for its return (s)."""

    hold: float
    timeout: float
    wait: float
    last: bool
    """Whether the site's last live tunnel may be black-holed."""

    @classmethod
    def parse(cls, data: Fields) -> Plan:
        """A plan from plain data; raises InvalidInput."""
        plan = cls(
            hold=_probe.duration(data, "hold"),
            timeout=_probe.duration(data, "timeout"),
            wait=_probe.duration(data, "wait"),
            last=data.flag("last", False),
        )
        if plan.timeout < plan.hold + SHORTEST:
            text = (
                f"{plan.timeout:g} s is too short: it has to be {SHORTEST:g} s longer than the hold of {plan.hold:g} s"
            )
            raise data.error("timeout", text)
        return plan


# --- before: may it be drilled? --------------------------------------------------------------------


def judge(probed: Sequence[dict[str, Any]], ways: set[str] | None, last: bool) -> list[str]:
    """The other links that live. *probed*: what was found, the link to drill first; *ways*: see ``_liveness.ways``.

    Raises EngineError where it must not be drilled: a dead link, or the last live one unless *last* is true.
    """
    reasons = [_dead(tunnel, ways) for tunnel in probed]
    itself, *others = zip(probed, reasons, strict=True)
    if itself[1]:
        raise EngineError(f"{itself[1]}: there is nothing to drill")
    live = [str(tunnel["wan"]) for tunnel, reason in others if not reason]
    if not live and not last:
        why = "; ".join(reason for _tunnel, reason in others) or "it has no other"
        raise EngineError(
            f"{probed[0]['wan']} is the last live link of this site ({why}); black-holed, it would cut the site off. "
            "drill_last: true does that all the same"
        )
    return live


def _dead(tunnel: dict[str, Any], ways: set[str] | None) -> str:
    """Why a link does not live, in words; empty when it does: it answers, and BIRD, where it watches, would use it."""
    if tunnel["path_mtu"] is None:
        return f"{tunnel['wan']} is dead ({tunnel['error']})"
    held = ways is not None and tunnel["device"] not in ways
    return f"{tunnel['wan']} answers, but BIRD does not use it now" if held else ""


def described(tunnel: Tunnel, plan: Plan, live: Sequence[str]) -> str:
    """What a drill does, in words."""
    besides = f"live besides it: {', '.join(live)}" if live else "no other link lives"
    return f"drop GRE between {tunnel.local} and {tunnel.remote} ({tunnel.name}) for {plan.hold:g} s; {besides}"


def check(end: End, plan: Plan) -> tuple[Tunnel, list[str]]:
    """The tunnel, and the other links that live; raises EngineError that says why it may not be drilled."""
    tunnels = {name: item.tunnel for name, item in _dump.read([]).devices.items() if item.tunnel}
    tunnel = tunnels.get(end.device)
    if tunnel is None:
        raise EngineError(f"there is no GRE tunnel {end.device} on this host: deploy first")
    if reason := refusal(tunnel, tunnels.values()):
        raise EngineError(reason)
    if running():
        raise EngineError("another drill is running on this host: wait until it is over")
    probed = _probe.probe(end.tunnels, _probe.Pace(count=3, interval=0.05, timeout=1.0))
    return tunnel, judge(probed, _liveness.ways(), plan.last)


# --- the streams ------------------------------------------------------------------------------------


class Wire:
    """The sockets of one end: sends its stream, and writes into the log what leaves and comes by the tunnels."""

    def __init__(self, end: End, stack: ExitStack, signals: Signals) -> None:
        self.log = Log(end.interval)
        self._end, self._stack, self._signals = end, stack, signals
        self._hearing = stack.enter_context(selectors.DefaultSelector())
        self._mouth: socket.socket | None = None
        self._trials: set[int] = set()
        for device in [tunnel.device for tunnel in end.tunnels]:
            try:
                opened = stack.enter_context(tap(device, PORT))
            except OSError as error:
                raise EngineError(trouble(device, error)) from error
            self._hearing.register(opened, selectors.EVENT_READ, device == end.device)

    def begin(self) -> None:
        """Start to send, in a flow that takes the tunnel; in any, where none does."""
        self._mouth = self._chosen()
        self.log.begin(time.monotonic())

    def pump(self, seconds: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Send and hear for so long, or until *done*; whether it was done. Raises EngineError on a signal."""
        deadline = time.monotonic() + seconds
        while not (finished := done()) and (now := time.monotonic()) < deadline:
            self._signals.check()
            self._hear(min(deadline, self._send_due(now), now + _probe.LOOK))
        return finished

    def meanwhile(self, work: Callable[[], Made]) -> Made:
        """Send and hear until *work* is done in another thread; what it returns or raises."""
        with ThreadPoolExecutor(1) as pool:
            future: Future[Made] = pool.submit(work)
            self.pump(_probe.LONGEST, future.done)
            return future.result()

    def say_goodbye(self) -> None:
        """Tell the far end that all is over: several times, since one may be lost."""
        for number in range(GOODBYES):
            self._send(Packet(self._end.token, END, number))
            time.sleep(self._end.interval)

    def _chosen(self) -> socket.socket:
        """A socket whose packets leave by the tunnel, found by trying."""
        spare = self._socket()
        for _round in range(ROUNDS):
            opened = [self._socket() for _number in range(TRIALS)]
            for number, candidate in enumerate(opened):
                self._send(Packet(self._end.token, TRIAL, number), candidate)
            self._trials.clear()
            self.pump(GRACE, lambda: bool(self._trials))
            found = [candidate for number, candidate in enumerate(opened) if number in self._trials]
            for candidate in set(opened) - set(found[:1]):
                candidate.close()
            if found:
                return found[0]
        return spare

    def _socket(self) -> socket.socket:
        try:
            return self._stack.enter_context(datagrams(self._end.source))
        except OSError as error:
            raise EngineError(f"cannot send from {self._end.source}: {error.strerror}") from error

    def _send_due(self, now: float) -> float:
        """Send what is due; when something is due next."""
        if self._mouth is None:
            return float("inf")
        for number in self.log.due(now):
            self._send(Packet(self._end.token, STREAM, number))
        return self.log.wake()

    def _send(self, packet: Packet, by: socket.socket | None = None) -> None:
        opened = by or self._mouth
        if opened:
            try:
                opened.sendto(packet.payload(), (self._end.destination, PORT))
            except OSError:  # no route for now: that is a loss, and is counted as one
                return

    def _hear(self, until: float) -> None:
        for key, _events in self._hearing.select(max(0.0, until - time.monotonic())):
            if isinstance(key.fileobj, socket.socket):
                while heard := tapped(key.fileobj):
                    self._note(heard[0], outgoing=heard[1], by_tunnel=key.data)

    def _note(self, data: bytes, outgoing: bool, by_tunnel: bool) -> None:
        packet = parse(data)
        if packet is None or packet.token != self._end.token:
            return
        if not outgoing:
            self.log.came(packet, by_tunnel, time.monotonic())
        elif by_tunnel:
            if packet.kind == TRIAL:
                self._trials.add(packet.sequence)
            self.log.left(packet, time.monotonic())


# --- the two ends -----------------------------------------------------------------------------------


def drill(end: End, plan: Plan, tunnel: Tunnel) -> dict[str, Any]:
    """The site's end: black-hole the tunnel, and undo it; what was sent and heard meanwhile, and when that was."""
    hole = BlackHole(tunnel, plan.timeout)
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        wire = Wire(end, stack, signals)
        wire.begin()
        if not wire.pump(MEETING, lambda: len(wire.log.arrivals) >= WARM):
            wire.say_goodbye()
            hint = "" if _liveness.watched() else "; extrude-bird.service is not up here"
            raise EngineError(
                f"the colo sends nothing to {end.source} that arrives here; the drill was not begun{hint}"
            )
        made, undone, stood = _hold(hole, wire, plan)
        back = wire.pump(plan.wait, lambda: _is_back(wire.log, made, undone)) and _is_used(end, plan, wire, undone)
        wire.pump(TAIL)
        wire.say_goodbye()
        begun = wire.log.begun
    if not stood:
        raise EngineError(
            f"the timer has undone the drill after {plan.timeout:g} s, before it was over: set a longer one"
        )
    return {
        **wire.log.result(),
        "made_ms": round((made - begun) * 1000, 1),
        "undone_ms": round((undone - begun) * 1000, 1),
        "back": back,
    }


def _hold(hole: BlackHole, wire: Wire, plan: Plan) -> tuple[float, float, bool]:
    """When the black hole was made, when it was undone, and whether it stood until then."""
    wire.meanwhile(hole.arm)
    try:
        wire.meanwhile(hole.make)
        made = time.monotonic()
        wire.pump(plan.hold)
        stood = wire.meanwhile(hole.end)
        undone = time.monotonic()
        wire.meanwhile(hole.tidy)
    except BaseException:
        hole.tidy()
        raise
    return made, undone, stood


def _is_back(log: Log, made: float, undone: float) -> bool:
    """Whether the streams that took the tunnel before take it again."""
    first_back = undone - log.begun
    went = any(number * log.interval < made - log.begun for number in log.into)
    came = bool(log.by)
    returned_into = not went or log.last_into - log.begun > first_back
    return returned_into and (not came or log.last_by - log.begun > first_back)


def _is_used(end: End, plan: Plan, wire: Wire, undone: float) -> bool:
    """Wait until BIRD would use the tunnel again, where it watches; whether it does."""
    while (ways := wire.meanwhile(_liveness.ways)) is not None and end.device not in ways:
        if time.monotonic() > undone + plan.wait:
            return False
        wire.pump(PAUSE)
    return True


def answer(end: End, seconds: float, caller: Caller | None = None) -> dict[str, Any]:
    """The colo's end: wait for the site, send to it, and log, until it says that all is over, at most *seconds*.

    A *caller* is told when it hears, and no more is waited for when he asks.
    """
    deadline = time.monotonic() + seconds
    with ExitStack() as stack:
        wire = Wire(end, stack, stack.enter_context(Signals()))
        wire.log.begin(time.monotonic())
        asked: Callable[[], bool] = caller.asks if caller else lambda: False
        if caller:
            caller.begun()
        wire.pump(min(MEETING, seconds), lambda: bool(wire.log.arrivals) or asked())
        if not wire.log.arrivals:
            raise EngineError(f"the site sends nothing from {end.destination} that arrives here")
        wire.begin()
        wire.pump(deadline - time.monotonic(), lambda: wire.log.ended or asked())
        return wire.log.result()
