# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills a module on a host in the middle of its work, at a point that the kernel tells."""

from __future__ import annotations

from tests.lab.lab import Lab

# rtnetlink(7): groups and types of messages. A route of ours, in a table above 255, has 252 (RT_TABLE_COMPAT) and 120.
POINTS = {
    "first tunnel": "kind == 16 and body[4:8] != bytes(4)",
    "first route": "kind == 24 and body[4] == 252 and body[5] == 120",
    "second rule": "kind == 32 and count() == 2",
}
# The one that holds the lock is the module. A real-time process comes first as soon as the kernel has told it.
_KILLER = """
import itertools, os, re, signal, socket, sys
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
counter = itertools.count(1)
count = lambda: next(counter)
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as news:
    news.bind((0, 0x1 | 0x40 | 0x80))
    print("listening", flush=True)
    while True:
        data = news.recv(65536)
        kind, body = int.from_bytes(data[4:6], "little"), data[16:]
        if {point}:
            break
inode = os.stat("/run/extrude/lock").st_ino
(holder,) = re.findall(rf"FLOCK +ADVISORY +WRITE (\\d+) \\S+:{{inode}} ", open("/proc/locks").read())
os.kill(int(holder), signal.SIGKILL)
print("killed", flush=True)
"""


def arm(lab: Lab, host: str, point: str) -> Killer:
    """Lie in wait on a host for a point of POINTS."""
    return Killer(lab, host, _KILLER.replace("{point}", POINTS[point]).replace("{{", "{").replace("}}", "}"))


class Killer:
    """Waits on a host and kills once."""

    def __init__(self, lab: Lab, host: str, program: str) -> None:
        self._process = lab.popen(host, ["python3", "-c", program])
        if self._process.stdout is None or self._process.stdout.readline().strip() != "listening":
            raise AssertionError(f"nobody lies in wait on {host}: {self._process.communicate()[0]}")

    def has_killed(self) -> bool:
        """Wait for the end and say how it went."""
        output, _errors = self._process.communicate(timeout=60)
        return output.strip() == "killed"
