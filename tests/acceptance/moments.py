# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When something happened in a lab, by the one clock that all its hosts have: what a change of address is made of."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from tests.lab.lab import Lab

STAMPS = "/run/hook-started"
_STAMP = f"""#!/bin/sh
case $reason in RENEW | REBIND) ;; *) date +%s.%N >>{STAMPS} ;; esac
"""
"""A hook that comes before ours and says when. pppd and dhclient run theirs in the order of their names."""
_HOOKS = ("/etc/ppp/ip-up.d/0-moment", "/etc/dhcp/dhclient-exit-hooks.d/0-moment")
_ECHO = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=(\d+) ttl", re.MULTILINE)
_CHANGE = re.compile(r"^\[([0-9T:.-]+)\] ?(Deleted )?(.*)$", re.MULTILINE)
_STARTS = """
import subprocess, sys, time
def start():
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", "pass"])
    return time.perf_counter() - begin
print(min(start() for _ in range(5)))
"""
STEP = 0.05
"""Seconds between two pings."""
_BESIDE = """
import os, signal, subprocess, sys, time
process = subprocess.Popen(sys.argv[2:])
while os.path.exists(sys.argv[1]) and process.poll() is None:
    time.sleep(0.05)
process.send_signal(signal.SIGINT)
process.wait()
"""


def now(lab: Lab) -> float:
    return float(lab.exec("labvm", ["date", "+%s.%N"]).stdout)


def slowness(lab: Lab) -> float:
    """How many times longer a small program takes in the lab than on this machine: what emulation costs."""
    own = ["/usr/bin/python3", "-I", "-c", _STARTS]
    inside, outside = (
        lab.exec("labvm", ["python3", *own[1:]]).stdout,
        subprocess.run(own, check=True, capture_output=True).stdout,
    )
    return max(1.0, float(inside) / float(outside))


def stamp_hooks(lab: Lab, host: str) -> None:
    """From now on a host notes when a hook of a link starts."""
    for hook in _HOOKS:
        lab.exec(host, ["sh", "-c", f"cat >{hook} && chmod 755 {hook}"], stdin=_STAMP)


def hook_started(lab: Lab, host: str, after: float) -> float:
    """When the first hook after a moment started on a host; the last of them with the moment 0."""
    stamps = [float(line) for line in lab.exec(host, ["cat", STAMPS]).stdout.split()]
    return min(stamp for stamp in stamps if stamp > after) if after else max(stamps)


@dataclass
class Echoes:
    """When pings were answered, and how many were not between the first and the last answer."""

    times: list[float] = field(default_factory=list)
    lost: int = 0

    def first_after(self, moment: float) -> float:
        return min(time for time in self.times if time > moment)


@contextmanager
def pings(lab: Lab, node: str, address: str, *options: str, step: float = STEP) -> Iterator[Echoes]:
    """Ping during the body; what became of it is known after it."""
    fared = Echoes()
    words = ["ping", "-D", "-n", "-O", "-i", str(step), *options, address]
    with _beside(lab, node, words) as told:
        yield fared
    found = _ECHO.findall(told[0])
    fared.times = [float(time) for time, _number in found]
    numbers = {int(number) for _time, number in found}
    fared.lost = max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0


@dataclass
class Routes:
    """What became of a table's routes: each with the time, and whether it was taken out."""

    changes: list[tuple[float, bool, str]] = field(default_factory=list)

    def first_after(self, moment: float, words: str) -> float:
        """When a route with these words was put in first after a moment."""
        return min(time for time, deleted, text in self.changes if time > moment and not deleted and words in text)


@contextmanager
def routes(lab: Lab, host: str, table: int) -> Iterator[Routes]:
    """Watch a routing table during the body."""
    fared = Routes()
    with _beside(lab, host, ["ip", "-o", "-ts", "monitor", "route"]) as told:
        yield fared
    for found in _CHANGE.finditer(told[0]):
        if f"table {table} " in f"{found[3]} ":
            moment = datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
            fared.changes.append((moment, found[2] is not None, found[3]))


def journal(lab: Lab, host: str, since: float) -> list[tuple[float, str]]:
    """The lines of a host's journal after a moment, with their times."""
    words = ["journalctl", f"--since=@{since - 1:.3f}", "-o", "json", "--output-fields=MESSAGE"]
    entries = [json.loads(line) for line in lab.exec(host, words).stdout.splitlines()]
    lines = [(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, str(entry.get("MESSAGE"))) for entry in entries]
    return [(time, text) for time, text in lines if time > since]


@contextmanager
def _beside(lab: Lab, node: str, words: list[str]) -> Iterator[list[str]]:
    """Run a program during the body; what it said is there after it."""
    told: list[str] = []
    goes_on = f"/tmp/goes-on-{uuid4().hex}"
    lab.exec(node, ["touch", goes_on])
    process = lab.popen(node, ["python3", "-c", _BESIDE, goes_on, *words])
    try:
        yield told
    finally:
        lab.exec(node, ["rm", "-f", goes_on])
        told.append(process.communicate(timeout=60)[0])
