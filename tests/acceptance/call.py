# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call: a packet of 172 bytes every 20 ms (G.711 in RTP, RFC 3551), and how long each takes one way.

All nodes of a lab have one clock.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS
from tests.lab.lab import Lab

STOP = "/tmp/call"
PORT = 9300
_ENDS = {
    "up": ("desk", DESK_ADDRESS, "internet", INTERNET_ADDRESS),
    "down": ("internet", INTERNET_ADDRESS, "desk", DESK_ADDRESS),
}
_SENDER = """
import os, socket, sys, time
source, target, port, dscp, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
sender.bind((source, port))
print("ready", flush=True)
sent, due = 0, time.monotonic()
while os.path.exists(stop):
    try:
        sender.sendto(time.time_ns().to_bytes(8, "big") + bytes(164), (target, port))
    except ConnectionRefusedError:
        pass
    sent, due = sent + 1, max(due + 0.02, time.monotonic())
    time.sleep(max(0, due - time.monotonic()))
print(sent)
"""
_RECEIVER = """
import json, os, socket, struct, sys
address, port, stop = sys.argv[1], int(sys.argv[2]), sys.argv[3]
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS: when the kernel got it, not this busy process
receiver.bind((address, port))
receiver.settimeout(0.5)
print("ready", flush=True)
times = []
while True:
    try:
        data, ((_level, _type, stamp),), _flags, _from = receiver.recvmsg(200, 100)
    except TimeoutError:
        if not os.path.exists(stop):
            break
        continue
    seconds, nanoseconds = struct.unpack("=qq", stamp)
    times.append(round((seconds * 10**9 + nanoseconds - int.from_bytes(data[:8], "big")) / 1e6, 1))
print(json.dumps(times))
"""


@dataclass
class Call:
    """What became of a call in one direction: milliseconds of each packet that arrived."""

    sent: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Packets that did not arrive."""
        return self.sent - len(self.times)

    def percentile(self, percent: int) -> float:
        """The time within which so many percent of those that arrived did."""
        ranked = sorted(self.times)
        return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]


@contextmanager
def call(lab: Lab, direction: str = "up", dscp: int = 0) -> Iterator[Call]:
    """Talk during the body; what became of it is known after it."""
    fared = Call()
    node, source, other, target = _ENDS[direction]
    lab.exec("labvm", ["touch", STOP])
    receiver = _started(lab, other, ["python3", "-c", _RECEIVER, target, str(PORT), STOP])
    sender = _started(lab, node, ["python3", "-c", _SENDER, source, target, str(PORT), str(dscp), STOP])
    try:
        yield fared
    finally:
        lab.exec("labvm", ["rm", "-f", STOP])
        told, heard = (process.communicate(timeout=60)[0].splitlines()[-1] for process in (sender, receiver))
    fared.sent, fared.times = int(told), json.loads(heard)


@dataclass
class Beside:
    """A call alone, and one beside a bulk transfer, and the Mbit/s of that."""

    alone: Call
    beside: Call
    rate: float

    @property
    def added(self) -> float:
        """Milliseconds that the transfer has added to the call (95th percentile)."""
        return round(self.beside.percentile(95) - self.alone.percentile(95), 1)

    def __repr__(self) -> str:
        tails = ", ".join(
            f"p{percent} {self.alone.percentile(percent)} -> {self.beside.percentile(percent)}" for percent in (50, 95)
        )
        return f"<{tails} ms, {self.beside.lost} of {self.beside.sent} lost, {self.rate} Mbit/s>"


def beside(lab: Lab, direction: str = "up", dscp: int = 0, seconds: int = 8) -> Beside:
    """Call twice, the second time beside a bulk transfer in the same direction."""
    with call(lab, direction, dscp) as alone:
        time.sleep(seconds / 2)
    with call(lab, direction, dscp) as busy:
        rate = bulk(lab, direction, seconds)
    return Beside(alone, busy, rate)


def bulk(lab: Lab, direction: str = "up", seconds: int = 8, flows: int = 4) -> float:
    """Send as much as goes, by some TCP connections of the same host: Mbit/s that arrived."""
    command = ["iperf3", "-c", INTERNET_ADDRESS, "-B", DESK_ADDRESS, "-J", "-P", str(flows), "-t", str(seconds)]
    command += ["-R"] if direction == "down" else []
    told = json.loads(lab.exec("desk", command, timeout=seconds + 60).stdout)
    return round(float(told["end"]["sum_received"]["bits_per_second"]) / 1e6, 1)


def _started(lab: Lab, node: str, command: list[str]) -> subprocess.Popen[str]:
    process = lab.popen(node, command)
    if process.stdout is None or process.stdout.readline().strip() != "ready":
        raise AssertionError(f"no call in {node}: {process.communicate()[0]}")
    return process
