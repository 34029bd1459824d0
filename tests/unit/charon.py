# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for strongSwan's daemon: it listens on a Unix socket, and writes down what it is asked for."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.multihome.extrude.plugins.module_utils._vici import decode, encode

# src/libcharon/plugins/vici/README.md
REQUEST, RESPONSE, UNKNOWN, REGISTER, UNREGISTER, CONFIRM, NO_EVENT, EVENT = range(8)

Answer = bytes | Callable[[Any], bytes]


def frame(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("!IB", len(data) + 1, kind) + data


def response(message: Mapping[str, object]) -> bytes:
    return frame(RESPONSE, encode(message))


def event(name: str, message: Mapping[str, object]) -> bytes:
    return frame(EVENT, bytes([len(name)]) + name.encode() + encode(message))


class Charon:
    """A daemon with *answers*, by command, or what makes one of the message. It knows no other commands and *events*.

    It hangs up after the *last* command; a *silent* one never answers.
    """

    def __init__(
        self,
        path: Path,
        answers: Mapping[str, Answer],
        events: Collection[str] = (),
        last: str = "",
        silent: bool = False,
    ) -> None:
        self.path = path
        self._answers = answers
        self._events = events
        self._last = last
        self._is_silent = silent
        self._asked: list[tuple[str, Any]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Charon:
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def asked(self) -> list[tuple[str, Any]]:
        """The commands since the last look, each with its message, and the events that were registered for."""
        asked, self._asked = self._asked, []
        return asked

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._socket.accept()
                with client, suppress(OSError, EOFError):
                    client.settimeout(10)
                    while self._answered(client):
                        pass

    def _answered(self, client: socket.socket) -> bool:
        """Whether there is more to come."""
        packet = _read(client, struct.unpack("!I", _read(client, 4))[0])
        kind, name, rest = packet[0], packet[2 : 2 + packet[1]].decode(), packet[2 + packet[1] :]
        if kind == REGISTER:
            self._asked.append(("register", name))
            client.sendall(frame(CONFIRM if name in self._events else NO_EVENT))
            return True
        if name == "version" and not self._is_silent:  # asked to see whether it answers, and by nobody else
            client.sendall(response({"daemon": "charon-systemd"}))
            return True
        self._asked.append((name, decode(rest)))
        if self._is_silent:
            return True
        answer = self._answers.get(name, frame(UNKNOWN))
        made = answer if isinstance(answer, bytes) else answer(decode(rest))
        client.sendall(made)
        return name != self._last


def _read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = client.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data
