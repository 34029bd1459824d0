# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads plain data (what JSON or YAML holds) value by value; every error names the place of the value.

This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any, NamedTuple, TypeGuard


class EngineError(Exception):
    """Something that the user has to know, in one sentence."""


class HostError(EngineError):
    """What hinders everything on a host alike, such as a full disk or a missing program."""


class InvalidInput(EngineError):
    """A value that makes no object; the sentence starts with the place of the value."""


class Form:
    """What a text has to look like: a regular expression for all of it, and the same in words."""

    def __init__(self, pattern: str, words: str) -> None:
        self.matches = lru_cache(maxsize=1000)(re.compile(pattern).fullmatch)  # thousands of objects, few names
        self.words = words


DEVICE_NAME = Form(
    r"(?!\.{1,2}$)[!-.0-9;-~]{1,15}", "the name of a device: 1 to 15 characters without blank, slash and colon"
)
ANY_TEXT = Form(r"(?s).+", "a text")


def ip_text(packed: bytes) -> str:
    """An address of 4 or 16 bytes as the C library writes it, which is the normal form of addresses here."""
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


def family_of(address: str) -> int:
    """4 or 6, for an address or prefix in normal form."""
    return 6 if ":" in address else 4


class Fields:
    """Reads one mapping of plain data; every error names the place, such as ``routes[2].table``."""

    __slots__ = ("_data", "_where", "optional")

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise InvalidInput(f"{where or 'this'}: {data!r} is no dictionary")
        self._data = data
        self._where = where
        self.optional: Callable[[str], Any] = data.get

    def place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def error(self, name: str, problem: str) -> InvalidInput:
        return InvalidInput(f"{self.place(name)}: {problem}")

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
        value = self.optional(name)
        if isinstance(value, str) and form.matches(value):
            return value
        raise self.error(name, f"{self.required(name)!r} is not {form.words}")

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
        value = self.optional(name)
        if value is None and default is not None:
            return default
        if _is_integer(value, low, high):
            return value
        raise self.error(name, f"{self.required(name)!r} is not a number from {low} to {high}")

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
        return self._normal(name, self.required(name), _ADDRESS, family)

    def optional_address(self, name: str, family: int | None = None) -> str | None:
        value = self.optional(name)
        return None if value is None else self._normal(name, value, _ADDRESS, family)

    def interface(self, name: str) -> str:
        """An address with prefix length."""
        return self._normal(name, self.required(name), _INTERFACE, None)

    def prefix(self, name: str, family: int | None = None) -> str:
        """A network, without host bits."""
        return self._normal(name, self.required(name), _NETWORK, family)

    def optional_prefix(self, name: str, family: int | None = None) -> str | None:
        value = self.optional(name)
        return None if value is None else self._normal(name, value, _NETWORK, family)

    def _normal(self, name: str, value: object, kind: _Kind, family: int | None) -> str:
        """An address in normal form, with its prefix length where its kind has one."""
        try:
            if not isinstance(value, str) or "%" in value:
                raise ValueError("a zone has no place here" if "%" in str(value) else "it is no text")
            normal = _usual(value, kind) or _unusual(value, kind)
            if family is not None and family != family_of(normal):
                raise ValueError(f"it is of IPv{family_of(normal)}")
        except ValueError as error:
            wanted = "" if family is None else f"IPv{family} "
            raise self.error(name, f"{value!r} is no {wanted}{kind.word} ({error})") from error
        return normal

    # --- lists ---

    def items(self, name: str) -> list[Fields]:
        where = self.place(name)
        return [Fields(item, f"{where}[{number}]") for number, item in enumerate(self._list(name))]

    def strings(self, name: str) -> tuple[str, ...]:
        values = self._list(name)
        if not all(isinstance(item, str) for item in values):
            raise self.error(name, f"{values!r} is no list of texts")
        return tuple(values)

    def addresses(self, name: str) -> tuple[str, ...]:
        """Addresses without prefix length, of any family, in normal form."""
        return tuple(self._normal(name, value, _ADDRESS, None) for value in self._list(name))

    def prefixes(self, name: str) -> tuple[str, ...]:
        """Networks, of any family, in normal form."""
        return tuple(self._normal(name, value, _NETWORK, None) for value in self._list(name))

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


def _unusual(value: str, kind: _Kind) -> str:
    packed, length = kind.read(value)
    return f"{ip_text(packed)}/{length}" if kind.length else ip_text(packed)


def _usual(value: str, kind: _Kind) -> str | None:
    """What is written in the usual way, ten times as fast as ipaddress; None for all else, which that judges."""
    text, slash, length = value.partition("/")
    family, bits = (AF_INET6, 128) if ":" in text else (AF_INET, 32)
    try:
        packed = inet_pton(family, text)
    except (OSError, ValueError):
        return None
    behind = bits - _LENGTHS.get(length, 129) if slash else 0
    if behind < 0 or (slash and not kind.length):
        return None
    if behind and not kind.host_bits and int.from_bytes(packed, "big") & ((1 << behind) - 1):
        return None
    if family == AF_INET6:  # of IPv4 inet_pton takes the normal form only
        text = ip_text(packed)
    return f"{text}/{bits - behind}" if kind.length else text


_LENGTHS = {str(length): length for length in range(129)}


def _is_integer(value: object, low: int, high: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
