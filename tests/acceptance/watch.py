# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that go on in a lab beside a test: a connection that should live on, and captures."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from subprocess import PIPE

from tests.lab.lab import Lab

STOP = "/tmp/watched"
_SERVER = """
import socket
with socket.create_server(("", 2222)) as server:
    connection, _ = server.accept()
    while data := connection.recv(100):
        connection.sendall(data)
"""
_CLIENT = """
import json, os, socket, sys, time
connection = socket.create_connection((sys.argv[1], 2222), timeout=60)
answers, longest = 0, 0.0
while os.path.exists(sys.argv[2]):
    sent = time.monotonic()
    connection.sendall(b"x")
    if not connection.recv(100):
        break
    answers, longest = answers + 1, max(longest, time.monotonic() - sent)
    time.sleep(0.2)
print(json.dumps({"answers": answers, "longest": longest, "whole": not os.path.exists(sys.argv[2])}))
"""


@dataclass
class Connection:
    """How a connection fared: echoes, the longest wait for one in seconds, and whether it lived to its end."""

    answers: int = 0
    longest: float = 0.0
    whole: bool = False


@contextmanager
def connection(lab: Lab, client: str, server: str, address: str) -> Iterator[Connection]:
    """Keep a TCP connection busy during the body; what became of it is known after it."""
    fared = Connection()
    lab.exec("labvm", ["touch", STOP])
    echo = lab.popen(server, ["python3", "-c", _SERVER])
    lab.exec(server, ["sh", "-c", "until ss -ltn | grep -q :2222; do sleep 0.1; done"], timeout=30)
    caller = lab.popen(client, ["python3", "-c", _CLIENT, address, STOP])
    connected = "until ss -tn state established sport = :2222 | grep -q :2222; do sleep 0.1; done"
    lab.exec(server, ["sh", "-c", connected], timeout=60)
    try:
        yield fared
    finally:
        lab.exec("labvm", ["rm", "-f", STOP])
        output, _errors = caller.communicate(timeout=90)
        echo.communicate(timeout=90)
    told = json.loads(output.strip().splitlines()[-1]) if output.strip().endswith("}") else {}
    fared.answers, fared.longest, fared.whole = (told.get(key, 0) for key in ("answers", "longest", "whole"))


@contextmanager
def ssh_session(lab: Lab, host: str) -> Iterator[Connection]:
    """Keep an SSH session open during the body, as an admin would; whether it lives is known after it."""
    fared = Connection()
    with subprocess.Popen(lab.ssh_command(host, ["cat"]), stdin=PIPE, stdout=PIPE, text=True) as session:
        yield fared
        output, _errors = session.communicate("still here\n", timeout=60)
    fared.answers, fared.whole = 1, output == "still here\n"


@dataclass
class Capture:
    """The packets that tcpdump saw, a line each."""

    lines: list[str] = field(default_factory=list)


@contextmanager
def capture(lab: Lab, node: str, device: str, expression: str) -> Iterator[Capture]:
    """Capture during the body; the packets are known after it."""
    seen = Capture()
    file = f"/tmp/{node}-{device}"
    listen = f"exec tcpdump -n -v -U --immediate-mode -i {device} -w {file}.pcap '{expression}' 2>{file}.log"
    lab.exec(node, ["rm", "-f", f"{file}.pcap", f"{file}.log"])
    dump = lab.popen(node, ["sh", "-c", f"echo $$ >{file}.pid; {listen}"])
    lab.exec(node, ["sh", "-c", f"until grep -q listening {file}.log; do sleep 0.1; done"], timeout=30)
    try:
        yield seen
    finally:
        lab.exec(node, ["sh", "-c", f"kill -INT $(cat {file}.pid)"])
        dump.communicate(timeout=30)
    text = lab.exec(node, ["tcpdump", "-n", "-v", "-t", "-r", f"{file}.pcap"]).stdout
    seen.lines = _packets(text)


def _packets(text: str) -> list[str]:
    """With -v a packet has further lines, which begin with white space."""
    packets: list[str] = []
    for line in text.splitlines():
        if line[:1].isspace() and packets:
            packets[-1] += " " + line.strip()
        elif line:
            packets.append(line)
    return packets
