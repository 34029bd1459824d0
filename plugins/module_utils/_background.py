# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on at one host while another one does its part, and is asked for its result afterwards.

Ansible's ``async`` gives up a job whose process needs more than 2.5 s to begin, as on a busy host, says "started", and
leaves files behind. Here the caller goes on when the work has begun, and the result waits in a process, at a socket of
Linux' abstract namespace (unix(7)), which ends with that process.

This module util is private to the collection.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any

from ._fields import EngineError

BEGINNING = 60.0
"""Seconds until work has to have begun."""

KEPT = 600.0
"""Seconds that a result waits to be asked for."""

_CREDENTIALS = struct.Struct("3i")
_LARGEST = 1 << 16


class Caller:
    """What work in the background knows of who wants its result: somebody of the same user."""

    def __init__(self, server: socket.socket, begun: int) -> None:
        self._server, self._begun = server, begun
        self._client: socket.socket | None = None

    def begun(self) -> None:
        """Let who started the work go on."""
        os.write(self._begun, b"!")

    def asks(self, within: float = 0) -> bool:
        """Whether the result is being waited for, now or some seconds later."""
        while self._client is None and _is_ready(self._server.fileno(), within):
            client, _address = self._server.accept()
            if _user_of(client) == os.geteuid():
                self._client = client
            else:
                client.close()
        return self._client is not None

    def tell(self, answer: dict[str, Any]) -> None:
        """Give an answer to who asks for it, if anybody ever does."""
        if self.asks(KEPT) and self._client:
            self._client.sendall(json.dumps(answer).encode())


Work = Callable[[Caller], dict[str, Any]]


def start(work: Work) -> str:
    """Begin *work* in a process of its own; the name under which :func:`collect` has its result.

    Raises EngineError where it ends, or does nothing for a minute, without having said that it has begun.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("")  # the kernel chooses a name that nobody has
        server.listen()
        name: str = server.getsockname()[1:].decode()
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            _work(work, server, writing)
        os.close(writing)
        try:
            ready = _is_ready(reading, BEGINNING)
            has_begun = ready and bool(os.read(reading, 1))
        finally:
            os.close(reading)
    if not ready:
        os.kill(process, signal.SIGKILL)
        raise EngineError(f"after {BEGINNING:.0f} s it has not begun")
    if not has_begun:
        collect(name, BEGINNING)  # which raises what is wrong
        raise EngineError("it has ended without having begun")
    return name


def collect(name: str, seconds: float) -> dict[str, Any]:
    """The result of what was started under this name; raises EngineError with what the work raised, or without any."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(seconds)
        try:
            client.connect(b"\0" + name.encode())
            told = b"".join(iter(lambda: client.recv(_LARGEST), b""))
        except TimeoutError:
            raise EngineError(f"{name} has no result after {seconds:g} s") from None
        except OSError as error:
            raise EngineError(f"nothing runs in the background under the name {name}: {error.strerror}") from error
    if not told:
        raise EngineError(f"{name} ended without a result")
    answer: dict[str, Any] = json.loads(told)
    if "error" in answer:
        raise EngineError(answer["error"])
    return dict(answer["result"])


def _work(work: Work, server: socket.socket, begun: int) -> None:
    """The process in the background: works, and says what came of it. Never returns."""
    try:
        _detach(server.fileno(), begun)
        caller = Caller(server, begun)
        try:
            answer: dict[str, Any] = {"result": work(caller)}
        except EngineError as error:
            answer = {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - nobody would see the traceback
            answer = {"error": f"{type(error).__name__}: {error}"}
        os.close(begun)
        caller.tell(answer)
    finally:
        os._exit(0)


def _detach(*kept: int) -> None:
    """Be a process that nobody waits for: with none of the files of who started it but these."""
    os.setsid()
    os.chdir("/")
    before = 3
    for descriptor in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(before, descriptor)
        before = descriptor + 1
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def _is_ready(descriptor: int, within: float) -> bool:
    """Whether there is something to read, or an end, within so many seconds; select(2) ends at descriptor 1023."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(within * 1000))


def _user_of(client: socket.socket) -> int:
    """The user of who is at the other end (SO_PEERCRED, unix(7))."""
    _process, user, _group = _CREDENTIALS.unpack(
        client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return int(user)
