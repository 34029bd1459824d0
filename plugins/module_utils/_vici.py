# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to strongSwan's daemon over vici, its own interface (src/libcharon/plugins/vici/README.md).

swanctl(8) speaks it too, but can't load one connection without having a word in all others.
This module util is private to the collection.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from ._fields import EngineError

SOCKET = Path("/run/charon.vici")

Message: TypeAlias = "dict[str, str | list[str] | Message]"
"""What goes either way: texts, lists of texts, and sections of these."""

_SECONDS = 10
_SOON = 3
"""Seconds within which a daemon that is well says its version."""
_hanging: set[str] = set()
"""Sockets at which no answer came in time: nobody waits there again in this process."""
_REQUEST, _RESPONSE, _UNKNOWN, _REGISTER, _UNREGISTER, _CONFIRM, _NO_EVENT, _EVENT = range(8)
_SECTION_START, _SECTION_END, _KEY_VALUE, _LIST_START, _LIST_ITEM, _LIST_END = range(1, 7)


class ViciError(EngineError):
    """The daemon does not do what it was asked for, or does not answer."""


# --- messages, pure ----------------------------------------------------------------------------------


def encode(message: Mapping[str, object]) -> bytes:
    """A message as bytes."""
    return b"".join(_elements(message))


def _elements(message: Mapping[str, object]) -> Iterator[bytes]:
    for name, value in message.items():
        if isinstance(value, Mapping):
            yield bytes([_SECTION_START]) + _name(name) + encode(value) + bytes([_SECTION_END])
        elif isinstance(value, list | tuple):
            items = b"".join(bytes([_LIST_ITEM]) + _value(str(item)) for item in value)
            yield bytes([_LIST_START]) + _name(name) + items + bytes([_LIST_END])
        else:
            yield bytes([_KEY_VALUE]) + _name(name) + _value(str(value))


def _name(text: str) -> bytes:
    return struct.pack("!B", len(text.encode())) + text.encode()


def _value(text: str) -> bytes:
    return struct.pack("!H", len(text.encode())) + text.encode()


def decode(data: bytes) -> Message:
    """A message from bytes. Raises ViciError where they are none."""
    top: Message = {}
    sections = [top]
    items: list[str] = []
    rest = _Bytes(data)
    while rest.left:
        kind = rest.byte()
        if kind == _SECTION_START:
            inner: Message = {}
            sections[-1][rest.name()] = inner
            sections.append(inner)
        elif kind == _SECTION_END and len(sections) > 1:
            sections.pop()
        elif kind == _KEY_VALUE:
            name = rest.name()
            sections[-1][name] = rest.value()
        elif kind == _LIST_START:
            items = []
            sections[-1][rest.name()] = items
        elif kind == _LIST_ITEM:
            items.append(rest.value())
        elif kind != _LIST_END:
            raise ViciError(f"strongSwan's daemon sent what is no message (element {kind})")
    if len(sections) > 1:
        raise ViciError("strongSwan's daemon sent less than a message")
    return top


class _Bytes:
    """What is left of a message while it is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def byte(self) -> int:
        return self._take(1)[0]

    def name(self) -> str:
        return self._take(self.byte()).decode(errors="replace")

    def value(self) -> str:
        return self._take(struct.unpack("!H", self._take(2))[0]).decode(errors="replace")

    def rest(self) -> bytes:
        return self._take(self.left)

    def _take(self, size: int) -> bytes:
        if size > self.left:
            raise ViciError("strongSwan's daemon sent less than a message")
        self._at += size
        return self._data[self._at - size : self._at]


# --- the daemon --------------------------------------------------------------------------------------


def runs() -> bool:
    """Whether the daemon listens and answers; one that was killed leaves its socket behind."""
    return not hangs() and _listens()


def hangs() -> bool:
    """Whether the daemon listens and does not answer. What needs it has to wait then, and nothing else has to."""
    if str(SOCKET) not in _hanging and _listens():
        with suppress(ViciError), Session(seconds=_SOON) as daemon:
            daemon.request("version")
    return str(SOCKET) in _hanging


def _listens() -> bool:
    try:
        Session().close()
    except ViciError:
        return False
    return True


class Session:
    """A connection to the daemon. Errors are ViciErrors."""

    def __init__(self, path: Path | None = None, seconds: float | None = None) -> None:
        self._path = str(path or SOCKET)
        if self._path in _hanging:
            raise ViciError("strongSwan's daemon does not answer")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(seconds or _SECONDS)
        try:
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise ViciError(
                f"strongSwan's daemon does not listen at {self._path}: {error.strerror or error}"
            ) from error

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def request(self, command: str, message: Mapping[str, object] | None = None) -> Message:
        """Have a command done, and return the answer."""
        self._send(bytes([_REQUEST]) + _name(command) + encode(message or {}))
        return self._answer(command)

    def stream(self, command: str, event: str, message: Mapping[str, object] | None = None) -> list[Message]:
        """Have a command done that answers by events, and return these."""
        self._send(bytes([_REGISTER]) + _name(event))
        if self._receive().byte() != _CONFIRM:
            raise ViciError(f"strongSwan's daemon knows no event {event}")
        self._send(bytes([_REQUEST]) + _name(command) + encode(message or {}))
        found: list[Message] = []
        while (data := self._receive()).left:
            kind = data.byte()
            if kind != _EVENT:
                _checked(command, kind, data)
                break
            data.name()
            found.append(decode(data.rest()))
        return found

    def _answer(self, command: str) -> Message:
        data = self._receive()
        return _checked(command, data.byte(), data)

    def _send(self, payload: bytes) -> None:
        try:
            self._socket.sendall(struct.pack("!I", len(payload)) + payload)
        except OSError as error:
            raise ViciError(f"strongSwan's daemon is gone: {error.strerror or error}") from error

    def _receive(self) -> _Bytes:
        return _Bytes(self._read(struct.unpack("!I", self._read(4))[0]))

    def _read(self, size: int) -> bytes:
        data = b""
        try:
            while len(data) < size and (part := self._socket.recv(size - len(data))):
                data += part
        except OSError as error:
            if isinstance(error, TimeoutError):
                _hanging.add(self._path)
            raise ViciError(f"strongSwan's daemon does not answer: {error.strerror or error}") from error
        if len(data) < size:
            raise ViciError("strongSwan's daemon has hung up")
        return data


def _checked(command: str, kind: int, data: _Bytes) -> Message:
    if kind != _RESPONSE:
        raise ViciError(f"strongSwan's daemon knows no command {command}")
    answer = decode(data.rest())
    if answer.get("success", "yes") != "yes":
        raise ViciError(str(answer.get("errmsg") or f"strongSwan's daemon refuses {command}"))
    return answer
