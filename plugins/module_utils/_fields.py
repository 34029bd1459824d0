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
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class EngineError(Exception):
    """Something that the user has to know, in one sentence."""


class InvalidInput(EngineError):
    """A value that makes no object; the sentence starts with the place of the value."""


class Form(NamedTuple):
    """What a text has to look like: a regular expression for all of it, and the same in words."""

    pattern: str
    words: str


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
        if not isinstance(data, Mapping):
            raise InvalidInput(f"{where or 'this'}: {data!r} is no dictionary")
        self._data = {str(name): value for name, value in data.items() if value is not None}
        self._where = where
        self._known: set[str] = set()

    def place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def error(self, name: str, problem: str) -> InvalidInput:
        return InvalidInput(f"{self.place(name)}: {problem}")

    def optional(self, name: str) -> Any:
        self._known.add(name)
        return self._data.get(name)

    def required(self, name: str) -> Any:
        value = self.optional(name)
        if value is None:
            raise self.error(name, "is missing")
        return value

    def close(self) -> None:
        """Refuse what nobody asked for: a misspelt key must not be dropped in silence."""
        if unknown := sorted(set(self._data) - self._known):
            raise self.error(unknown[0], f"is not known here; known are {', '.join(sorted(self._known))}")

    # --- texts, numbers, choices ---

    def text(self, name: str, form: Form = ANY_TEXT) -> str:
        value = self.required(name)
        if not isinstance(value, str) or not re.fullmatch(form.pattern, value):
            raise self.error(name, f"{value!r} is not {form.words}")
        return value

    def optional_text(self, name: str, form: Form = ANY_TEXT) -> str | None:
        return None if self.optional(name) is None else self.text(name, form)

    def device(self, name: str) -> str:
        return self.text(name, DEVICE_NAME)

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
        value = self.required(name) if default is None else self.optional(name)
        if value is None and default is not None:
            return default
        if not _is_integer(value, low, high):
            raise self.error(name, f"{value!r} is not a number from {low} to {high}")
        return int(value)

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        return None if self.optional(name) is None else self.integer(name, low, high)

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
        return ip_text(self._parsed(name, _ADDRESS, family).packed)

    def optional_address(self, name: str, family: int | None = None) -> str | None:
        return None if self.optional(name) is None else self.address(name, family)

    def interface(self, name: str) -> str:
        """An address with prefix length."""
        interface = self._parsed(name, _INTERFACE, None)
        return f"{ip_text(interface.packed)}/{interface.network.prefixlen}"

    def prefix(self, name: str, family: int | None = None) -> str:
        """A network, without host bits."""
        network = self._parsed(name, _NETWORK, family)
        return f"{ip_text(network.network_address.packed)}/{network.prefixlen}"

    def optional_prefix(self, name: str, family: int | None = None) -> str | None:
        return None if self.optional(name) is None else self.prefix(name, family)

    def _parsed(self, name: str, kind: _Kind, family: int | None) -> Any:
        value = self.required(name)
        try:
            if not isinstance(value, str) or "%" in value:
                raise ValueError("a zone has no place here" if "%" in str(value) else "it is no text")
            parsed = kind.parse(value)
            if family not in (None, parsed.version):
                raise ValueError(f"it is of IPv{parsed.version}")
        except ValueError as error:
            version = "" if family is None else f"IPv{family} "
            raise self.error(name, f"{value!r} is no {version}{kind.word} ({error})") from error
        return parsed

    # --- lists ---

    def items(self, name: str) -> list[Fields]:
        return [Fields(item, f"{self.place(name)}[{number}]") for number, item in enumerate(self._list(name))]

    def strings(self, name: str) -> tuple[str, ...]:
        values = self._list(name)
        if not all(isinstance(item, str) for item in values):
            raise self.error(name, f"{values!r} is no list of texts")
        return tuple(values)

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

    parse: Any
    word: str


_ADDRESS = _Kind(ipaddress.ip_address, "address")
_INTERFACE = _Kind(ipaddress.ip_interface, "address with prefix length")
_NETWORK = _Kind(ipaddress.ip_network, "prefix")


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
