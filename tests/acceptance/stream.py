# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets every 20 ms in several flows and both directions at once, between the internet and a host on the LAN."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS
from tests.lab.common import LabError
from tests.lab.lab import Lab

STEP = 20
"""Milliseconds between two packets of a flow."""
FLOWS = 16
"""Enough for each of two tunnels to have one, but for one boot in 500: they are spread by a hash that has a seed."""
STOP = "/tmp/streams"
_TURNS = 6
_PORTS = {"down": 9000, "up": 9100}
_ENDS = {
    "down": ("internet", INTERNET_ADDRESS, "desk", DESK_ADDRESS),
    "up": ("desk", DESK_ADDRESS, "internet", INTERNET_ADDRESS),
}
_SENDER = """
import json, os, socket, sys, time
source, target, port, flows, step, stop = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:6]), sys.argv[6]
senders = []
for number in range(int(flows)):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind((source, int(port) + number))
    senders.append(sender)
print("ready", flush=True)
start, times = time.monotonic(), []
due = start
while os.path.exists(stop):
    for number, sender in enumerate(senders):
        try:
            sender.sendto(len(times).to_bytes(4, "big"), (target, int(port) + number))
        except OSError:
            pass
    times.append(round(1000 * (time.monotonic() - start)))
    # what a busy lab has kept from being sent is not sent later in a heap, which a slow link would drop
    due = max(due + step / 1000, time.monotonic())
    time.sleep(max(0, due - time.monotonic()))
print(json.dumps(times))
"""
_RECEIVER = """
import json, os, select, socket, sys, time
address, port, flows, stop = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
got = {}
for number in range(flows):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    receiver.bind((address, port + number))
    got[receiver] = []
print("ready", flush=True)
last = time.monotonic()
while os.path.exists(stop) or time.monotonic() < last + 1:
    for receiver in select.select(list(got), [], [], 0.2)[0]:
        got[receiver].append(int.from_bytes(receiver.recv(100)[:4], "big"))
    last = time.monotonic() if os.path.exists(stop) else last
print(json.dumps(list(got.values())))
"""


@dataclass
class Stream:
    """What became of one direction: for each flow the gaps in what arrived, in milliseconds (start, length)."""

    sent: int = 0
    """Packets of each flow."""
    lost: list[int] = field(default_factory=list)
    """Packets of each flow that did not arrive."""
    gaps: list[list[tuple[int, int]]] = field(default_factory=list)

    @property
    def longest(self) -> int:
        """The longest gap of any flow, in milliseconds."""
        return max((length for flow in self.gaps for _start, length in flow), default=0)

    @property
    def most_gaps(self) -> int:
        """How often the flow that fared worst was interrupted."""
        return max(map(len, self.gaps), default=0)


@contextmanager
def streams(lab: Lab, flows: int = FLOWS, step: int = STEP) -> Iterator[dict[str, Stream]]:
    """Send during the body; what became of the directions "up" and "down" is known after it."""
    fared = {direction: Stream() for direction in _ENDS}
    lab.exec("labvm", ["touch", STOP])
    receivers, senders = {}, {}
    for direction, (_sender, _source, node, address) in _ENDS.items():
        command = ["python3", "-c", _RECEIVER, address, str(_PORTS[direction]), str(flows), STOP]
        receivers[direction] = _started(lab, node, command)
    for direction, (node, source, _receiver, target) in _ENDS.items():
        words = [source, target, str(_PORTS[direction]), str(flows), str(step), STOP]
        senders[direction] = _started(lab, node, ["python3", "-c", _SENDER, *words])
    try:
        yield fared
    finally:
        lab.exec("labvm", ["rm", "-f", STOP])
        told = {direction: process.communicate(timeout=60)[0] for direction, process in senders.items()}
        heard = {direction: process.communicate(timeout=60)[0] for direction, process in receivers.items()}
    for direction, stream in fared.items():
        times = json.loads(told[direction].splitlines()[-1])
        stream.sent = len(times)
        received = json.loads(heard[direction].splitlines()[-1])
        stream.lost = [stream.sent - len(set(flow)) for flow in received]
        stream.gaps = [_gaps(flow, times, step) for flow in received]


def undisturbed(
    lab: Lab, measure: Callable[[Lab, int], dict[str, Stream]], beside: str = "", step: int = STEP
) -> dict[str, Stream]:
    """What streams lose. Measured again where the lab's own queues overflowed: then nothing is known.

    *measure* gets the *step* of its streams, which doubles each time: half as many packets wait in the queues of a lab
    that stands still. *beside*: a link that is cut meanwhile, whose queues drop on purpose. Errors: LabError.
    """
    for turn in range(_TURNS):
        before = _overflows(lab, beside)
        fared = measure(lab, step << turn)
        if _overflows(lab, beside) == before:
            return fared
    raise LabError("the lab's own queues overflowed each time: this machine is too busy to measure")


def _overflows(lab: Lab, beside: str) -> int:
    """How many packets the lab's queues have dropped so far.

    A machine that is away for moments is charged to the kernel thread that forwards, which then waits behind all others
    for up to half a second, while senders go on. (In a real-time class it would not; but then its work overflows the
    stack on which user-mode-linux takes interrupts.)
    """
    queues = json.loads(lab.exec("wires", ["tc", "-s", "-j", "qdisc", "show"]).stdout)
    counted: list[int] = [queue["drops"] for queue in queues if queue["dev"].partition(".")[0] != beside]
    backlogs = lab.exec("labvm", ["cat", "/proc/net/softnet_stat"]).stdout.splitlines()
    return sum(counted) + sum(int(line.split()[1], 16) for line in backlogs)


def _started(lab: Lab, node: str, command: list[str]) -> subprocess.Popen[str]:
    process = lab.popen(node, command)
    if process.stdout is None or process.stdout.readline().strip() != "ready":
        raise AssertionError(f"no stream in {node}: {process.communicate()[0]}")
    return process


def _gaps(received: list[int], times: list[int], step: int) -> list[tuple[int, int]]:
    """Return start and length of each run of packets that did not arrive; `times` says when each was sent."""
    marks = [-1, *sorted(set(received)), len(times)]
    ends = [*times, times[-1] + step]
    pairs = [(before + 1, after) for before, after in itertools.pairwise(marks) if after - before > 1]
    return [(times[first], ends[after] - times[first]) for first, after in pairs]
