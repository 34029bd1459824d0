# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how many packets a second colos forward into tunnels, side by side. Hosts can run it: it needs worker.py.

Usage: forward_worker.py ENGINE FOLDER NAME… — ENGINE is the folder of the engine's files, FOLDER has the states of each
colo as NAME.json, of which the first is the site that gets the packets. Each colo has a namespace of its own, between
one that sends and one that takes what leaves for the site's links. Prints one JSON object: the packets a second of the
best round, by colo.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.worker import load

SEGMENT, COLO, INTERNET = "a0", "192.0.2.2", "192.0.2.9"
UPLINK, HERE, THERE = "u0", "198.51.100.1", "198.51.100.2"
SOCKETS, MESSAGES, PAYLOAD = 32, 64, bytes(100)
"""Flows, and how many packets of one are sent by one call."""
SECONDS, ROUNDS = 0.5, 30
"""Short ones, of which the best counts: other work on the machine can only take some of it away."""
PER_PACKET = range(4201, 4217)
"""The tables in which BIRD has the way by each of a site's tunnels."""


class Namespace:
    """A network namespace that lives as long as a process in it."""

    def __init__(self) -> None:
        self._keeper = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=-1)
        assert self._keeper.stdout
        self._keeper.stdout.readline()
        self.pid = self._keeper.pid
        self.ip("link set lo up")

    def command(self, *words: str) -> list[str]:
        """Words that run others inside."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *words]

    def ip(self, *lines: str) -> None:
        subprocess.run(self.command("ip", "-batch", "-"), input="\n".join(lines), text=True, check=True)

    def run(self, *words: str) -> str:
        return subprocess.run(self.command(*words), text=True, check=True, stdout=subprocess.PIPE).stdout

    def end(self) -> None:
        self._keeper.kill()
        self._keeper.wait()


class Colo:
    """A colo with its states, and the two ends that its packets come from and go to."""

    def __init__(self, engine: str, states: Path) -> None:
        self.internet, self.colo, self.links = (Namespace() for _namespace in range(3))
        self._states: list[dict[str, Any]] = json.loads(states.read_text(encoding="utf-8"))
        self._lay(self.internet, SEGMENT, COLO, INTERNET)
        self._lay(self.links, UPLINK, HERE, THERE)
        self.colo.ip(f"route add default via {THERE}")
        self.links.run("iptables", "-t", "raw", "-A", "PREROUTING", "-p", "gre", "-j", "DROP")
        self.internet.ip(f"route add default via {COLO}")
        self.colo.run(sys.executable, __file__, "apply", engine, str(states))
        self.colo.ip(*self._ways())

    def _lay(self, there: Namespace, device: str, here: str, address: str) -> None:
        """Lay a cable from the colo, with ends that know each other for good."""
        self.colo.ip(f"link add {device} type veth peer name {device} netns {there.pid}")
        for namespace, own in ((self.colo, here), (there, address)):
            namespace.ip(f"link set {device} up", f"address add {own}/24 dev {device}")
        for namespace, other, neighbour in ((self.colo, there, address), (there, self.colo, here)):
            (link,) = json.loads(other.run("ip", "-j", "link", "show", device))
            namespace.ip(f"neigh replace {neighbour} lladdr {link['address']} dev {device} nud permanent")

    def _ways(self) -> Iterator[str]:
        """What BIRD would have put into its tables, which packet mode looks into."""
        for state in self._states:
            (proxy,) = state["proxies"]
            for table, tunnel in zip(PER_PACKET, state["tunnels"], strict=False):
                yield f"route add {proxy['address']} dev {tunnel['name']} table {table}"

    def packets_a_second(self) -> float:
        """How many leave by the tunnels of the first site."""
        (proxy,) = self._states[0]["proxies"]
        tunnels = [tunnel["name"] for tunnel in self._states[0]["tunnels"]]
        send = [sys.executable, __file__, "send", proxy["address"]]
        before = self._sent(tunnels)
        took = float(self.internet.run(*send))
        each = [after - former for former, after in zip(before, self._sent(tunnels), strict=True)]
        if min(each) < sum(each) / 20:
            raise SystemExit(f"a tunnel of {tunnels} got next to nothing: {each}")
        return sum(each) / took

    def _sent(self, tunnels: list[str]) -> list[int]:
        return [
            json.loads(self.colo.run("ip", "-j", "-s", "link", "show", tunnel))[0]["stats64"]["tx"]["packets"]
            for tunnel in tunnels
        ]

    def end(self) -> None:
        for namespace in (self.internet, self.colo, self.links):
            namespace.end()


def measure(engine: str, folder: Path, names: list[str]) -> dict[str, float]:
    """All colos are there all the while, and take turns."""
    colos = {name: Colo(engine, folder / f"{name}.json") for name in names}
    try:
        for colo in colos.values():
            colo.packets_a_second()
        rounds = [{name: colo.packets_a_second() for name, colo in colos.items()} for _round in range(ROUNDS)]
        return {name: max(of_all[name] for of_all in rounds) for name in names}
    finally:
        for colo in colos.values():
            colo.end()


def apply(engine: str, states: Path) -> None:
    """Bring the namespace to the states."""
    load(Path(engine))
    modules: list[Any] = [importlib.import_module(f"engine.{name}") for name in ("_apply", "_model", "_record")]
    (run, model, record), request = modules, importlib.import_module("engine._request")
    folder = states.with_suffix("")
    records = record.Records(folder / f"records-{os.getpid()}")
    listed = json.loads(states.read_text(encoding="utf-8"))
    with records.locked():
        asked = request.Request(tuple(map(model.State.parse, listed)), folder=str(folder / f"config-{os.getpid()}"))
        run.run(records, asked, False)


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    """struct mmsghdr of 64-bit systems, for a socket that is connected (sendmmsg(2))."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(Vector)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    ]


def send(address: str) -> None:
    """Send as fast as the kernel forwards, which it does in the time of who sends; print how many seconds it took."""
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    vector = Vector(PAYLOAD, len(PAYLOAD))
    messages = (Message * MESSAGES)(*[Message(vectors=ctypes.pointer(vector), count=1)] * MESSAGES)
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _socket in range(SOCKETS)]
    for number, one in enumerate(sockets):
        one.connect((address, 2000 + number))
    begun = time.perf_counter()
    while time.perf_counter() < begun + SECONDS:
        for one in sockets:
            sendmmsg(one.fileno(), messages, MESSAGES, 0)
    print(time.perf_counter() - begun)


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2])
    elif sys.argv[1] == "apply":
        apply(sys.argv[2], Path(sys.argv[3]))
    else:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])))
