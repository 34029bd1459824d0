# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads plain data (what JSON or YAML holds) value by value; every error names the place of the value.

This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class EngineError(Exception):
    """Something that the user has to know, in one sentence."""


class InvalidInput(EngineError):
    """A value that makes no object; the sentence starts with the place of the value."""


class Form:
    """What a text has to look like: a regular expression for all of it, and the same in words."""

    def __init__(self, pattern: str, words: str) -> None:
        self.matches = re.compile(pattern).fullmatch
        self.words = words


DEVICE_NAME = Form(
    r"(?!\.{1,2}$)[!-.0-9;-~]{1,15}", "the name of a device: 1 to 15 characters without blank, slash and colon"
)
ANY_TEXT = Form(r"(?s).+", "a text")


def ip_text(packed: bytes) -> str:
    """An address of 4 or 16 bytes as the C library writes it, which is the normal form of addresses here."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


class Fields:
    """Reads one mapping of plain data; every error names the place, such as ``routes[2].table``."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise InvalidInput(f"{where or 'this'}: {data!r} is no dictionary")
        self._data = data
        self._where = where

    def place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def error(self, name: str, problem: str) -> InvalidInput:
        return InvalidInput(f"{self.place(name)}: {problem}")

    def optional(self, name: str) -> Any:
        return self._data.get(name)

    def required(self, name: str) -> Any:
        value = self.optional(name)
        if value is None:
            raise self.error(name, "is missing")
        return value

    def only(self, names: frozenset[str]) -> None:
        """Refuse what nobody asks for: a misspelt key must not be dropped in silence."""
        if not names.issuperset(self._data):
            for name, value in self._data.items():
                if name not in names and value is not None:
                    raise self.error(str(name), f"is not known here; known are {', '.join(sorted(names))}")

    # --- texts, numbers, choices ---

    def text(self, name: str, form: Form = ANY_TEXT) -> str:
        return self._text(name, self.required(name), form)

    def optional_text(self, name: str, form: Form = ANY_TEXT) -> str | None:
        value = self.optional(name)
        return None if value is None else self._text(name, value, form)

    def _text(self, name: str, value: object, form: Form) -> str:
        if not isinstance(value, str) or not form.matches(value):
            raise self.error(name, f"{value!r} is not {form.words}")
        return value

    def device(self, name: str) -> str:
        return self._text(name, self.required(name), DEVICE_NAME)

    def optional_device(self, name: str) -> str | None:
        return self.optional_text(name, DEVICE_NAME)

    def flag(self, name: str, default: bool) -> bool:
        value = self.optional(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(name, f"{value!r} is neither true nor false")
        return value

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self.optional_integer(name, low, high)
        if value is not None:
            return value
        return int(self.required(name)) if default is None else default

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        value = self.optional(name)
        if value is not None and not _is_integer(value, low, high):
            raise self.error(name, f"{value!r} is not a number from {low} to {high}")
        return value  # type: ignore[no-any-return]  # it is an integer now

    def choice(self, name: str, choices: Sequence[Any], default: Any) -> Any:
        value = self.optional(name)
        if value is None:
            return default
        if isinstance(value, bool) or value not in choices:
            raise self.error(name, f"{value!r} is none of {', '.join(map(str, choices))}")
        return value

    # --- addresses and prefixes, in normal form ---

    def address(self, name: str, family: int | None = None) -> str:
        """An address without prefix length, of one family (4 or 6) or of any."""
        return ip_text(self._parsed(name, self.required(name), _ADDRESS, family)[0])

    def optional_address(self, name: str, family: int | None = None) -> str | None:
        value = self.optional(name)
        return None if value is None else ip_text(self._parsed(name, value, _ADDRESS, family)[0])

    def interface(self, name: str) -> str:
        """An address with prefix length."""
        return _prefix_text(*self._parsed(name, self.required(name), _INTERFACE, None))

    def prefix(self, name: str, family: int | None = None) -> str:
        """A network, without host bits."""
        return _prefix_text(*self._parsed(name, self.required(name), _NETWORK, family))

    def optional_prefix(self, name: str, family: int | None = None) -> str | None:
        value = self.optional(name)
        return None if value is None else _prefix_text(*self._parsed(name, value, _NETWORK, family))

    def _parsed(self, name: str, value: object, kind: _Kind, family: int | None) -> tuple[bytes, int]:
        """The bytes of an address and its prefix length."""
        try:
            if not isinstance(value, str) or "%" in value:
                raise ValueError("a zone has no place here" if "%" in str(value) else "it is no text")
            found = _usual(value, kind) or kind.read(value)
            if family not in (None, _version(found)):
                raise ValueError(f"it is of IPv{_version(found)}")
        except ValueError as error:
            version = "" if family is None else f"IPv{family} "
            raise self.error(name, f"{value!r} is no {version}{kind.word} ({error})") from error
        return found

    # --- lists ---

    def items(self, name: str) -> list[Fields]:
        return [Fields(item, f"{self.place(name)}[{number}]") for number, item in enumerate(self._list(name))]

    def strings(self, name: str) -> tuple[str, ...]:
        values = self._list(name)
        if not all(isinstance(item, str) for item in values):
            raise self.error(name, f"{values!r} is no list of texts")
        return tuple(values)

    def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses without prefix length, of any family, in normal form."""
        return tuple(ip_text(self._parsed(name, value, _ADDRESS, None)[0]) for value in self._list(name))

    def prefixes(self, name: str) -> tuple[str, ...]:
        """Networks, of any family, in normal form."""
        return tuple(_prefix_text(*self._parsed(name, value, _NETWORK, None)) for value in self._list(name))

    def integers(self, name: str, low: int, high: int) -> tuple[int, ...]:
        values = self._list(name)
        if not all(_is_integer(item, low, high) for item in values):
            raise self.error(name, f"{values!r} is no list of numbers from {low} to {high}")
        return tuple(values)

    def _list(self, name: str) -> list[Any]:
        value = self.optional(name)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            raise self.error(name, f"{value!r} is no list")
        return list(value)


class _Kind(NamedTuple):
    """One of the forms in which addresses are written."""

    word: str
    read: Callable[[str], tuple[bytes, int]]
    length: bool = True
    """Whether a prefix length may follow."""
    host_bits: bool = True
    """Whether bits behind the prefix may be set."""


def _read_address(value: str) -> tuple[bytes, int]:
    address = ipaddress.ip_address(value)
    return address.packed, address.max_prefixlen


def _read_interface(value: str) -> tuple[bytes, int]:
    interface = ipaddress.ip_interface(value)
    return interface.packed, interface.network.prefixlen


def _read_network(value: str) -> tuple[bytes, int]:
    network = ipaddress.ip_network(value)
    return network.network_address.packed, network.prefixlen


_ADDRESS = _Kind("address", _read_address, length=False)
_INTERFACE = _Kind("address with prefix length", _read_interface)
_NETWORK = _Kind("prefix", _read_network, host_bits=False)


def _usual(value: str, kind: _Kind) -> tuple[bytes, int] | None:
    """What is written in the usual way, ten times as fast as ipaddress; None for all else, which that judges."""
    text, slash, length = value.partition("/")
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None
    bits = 8 * len(packed)
    if not slash:
        return packed, bits
    if not kind.length or length not in _LENGTHS or int(length) > bits:
        return None
    behind = (1 << (bits - int(length))) - 1
    if not kind.host_bits and int.from_bytes(packed, "big") & behind:
        return None
    return packed, int(length)


_LENGTHS = frozenset(map(str, range(129)))


def _version(found: tuple[bytes, int]) -> int:
    return 4 if len(found[0]) == 4 else 6


def _prefix_text(packed: bytes, length: int) -> str:
    return f"{ip_text(packed)}/{length}"


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
