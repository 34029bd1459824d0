# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of values that variables have: how each is checked, and the words that say what is allowed.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Ports

if TYPE_CHECKING:
    from netaddr import IPNetwork

T = TypeVar("T")


class Refusal(ValueError):
    """Says what is wrong with a value, and also what to give instead."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value: what is allowed (after the word "give"), the check, and what stands for a bad value.

    `convert` returns the value, or raises a ValueError that says what is wrong with it.
    """

    allowed: str
    convert: Callable[[Any], T]
    neutral: T


def integer(low: int, high: int) -> Kind[int]:
    """Whole numbers from `low` to `high`."""

    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{describe(value)} is {_unlike(value, 'a whole number')}")
        if not low <= value <= high:
            raise ValueError(f"{value} is out of range")
        return int(value)

    return Kind(f"a whole number from {low} to {high}", convert, 0)


def given(low: int, high: int) -> Kind[int]:
    """The same, for what is given to a run: with ``-e NAME=VALUE`` that is a text."""
    whole = integer(low, high)

    def convert(value: object) -> int:
        return whole.convert(int(value) if isinstance(value, str) and _DIGITS(value) else value)

    return replace(whole, convert=convert)


def text(pattern: str, allowed: str) -> Kind[str]:
    """Texts that match all of `pattern`."""
    matches = re.compile(pattern).fullmatch

    def convert(value: object) -> str:
        if not isinstance(value, str):
            quotes = "" if isinstance(value, list | tuple | Mapping) else " (quotes make it one)"
            raise ValueError(f"{describe(value)} is not a text{quotes}")
        if not matches(value):
            raise ValueError(f"{describe(value)} does not fit")
        return str(value)

    return Kind(allowed, convert, "")


def choice(*choices: str) -> Kind[str]:
    """One of some words."""

    def convert(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{describe(value)} is no choice")
        return str(value)

    return Kind(either(choices), convert, "")


def protocol(*choices: str) -> Kind[str]:
    """One of some protocols, in capitals or not."""
    exact = choice(*choices)

    def convert(value: object) -> str:
        lower = value.lower() if isinstance(value, str) else value
        return exact.convert(lower if lower in choices else value)

    return replace(exact, convert=convert)


def network(allowed: str, parse: Callable[[str], IPNetwork], instead: str = "") -> Kind[IPNetwork | None]:
    """Addresses or prefixes: texts that `parse` takes. `instead` says what to give where all addresses are given."""

    def convert(value: object) -> IPNetwork:
        if not isinstance(value, str):
            raise ValueError(f"{describe(value)} is not a text")
        if instead and value in EVERY_ADDRESS:
            raise Refusal(f"{describe(value)} is every address; {instead}")
        return parse(value)

    return Kind(allowed, convert, None)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{describe(value)} is {_unlike(value, 'a truth value')}")
    return value


def _switch(value: object) -> bool:
    """What is given with ``-e NAME=VALUE`` is a text: these are the words that Ansible's filter `bool` takes."""
    return _flag(_TRUTHS.get(value.lower(), value) if isinstance(value, str) else value)


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{describe(value)} is {_unlike(value, 'a number')}")
    if not 0 < value <= HIGHEST_RATE:
        raise ValueError(f"{value} is out of range")
    return float(value)


def _ports(value: object) -> Ports:
    """Return one port, or the first and the last of a range."""
    first, dash, last = str(value).partition("-")
    texts = [first, last] if dash else [first]
    if isinstance(value, bool) or not isinstance(value, int | str) or not all(map(_DIGITS, texts)):
        raise ValueError(f"{describe(value)} is no port")
    ports = Ports(int(texts[0]), int(texts[-1]))
    if ports.first > ports.last:
        raise Refusal(f"{describe(value)} begins after its end; give {ports.last}-{ports.first}")
    if not 1 <= ports.first <= ports.last <= HIGHEST_PORT:
        raise ValueError(f"{describe(value)} is out of range")
    return ports


def _target(value: object) -> tuple[IPNetwork, int | None]:
    """Return an address, and the port where it has one."""
    if not isinstance(value, str):
        raise ValueError(f"{describe(value)} is not a text")
    address, colon, port = (value, "", "") if value.count(":") > 1 else value.partition(":")
    parsed = _address.single(address, 4)
    if not colon:
        return parsed, None
    if not _DIGITS(port) or not 1 <= int(port) <= HIGHEST_PORT:
        raise ValueError(f"'{port}' is no port")
    return parsed, int(port)


def _dscp(value: object) -> int:
    """Return a code point: a number, or a class by its name."""
    if isinstance(value, str) and value.lower() in DSCP_CLASSES:
        return DSCP_CLASSES[value.lower()]
    if isinstance(value, str) and _DIGITS(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{describe(value)} is no class")
    if not 0 <= value <= HIGHEST_DSCP:
        raise ValueError(f"{value} is out of range")
    return int(value)


def _domain(value: object) -> str:
    """Return a domain in lower case; one with ``*.`` before it says the same, since what is below it counts anyway;
    so does one with the root's dot."""
    if not isinstance(value, str):
        raise ValueError(f"{describe(value)} is not a text")
    domain = value.lower().removeprefix("*.").removesuffix(".")
    if _address.is_written(domain):
        raise Refusal(f"{describe(value)} is an address; that goes into destination")
    if len(domain) > LONGEST_DOMAIN or not _DOMAIN(domain):
        raise ValueError(f"{describe(value)} is no domain")
    return domain


def _list(value: object) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{describe(value)} is not a list")
    return list(value)


def _unlike(value: object, what: str) -> str:
    """Say that a value is not `what`. One that looks like it is a text, and where that comes from is not seen in it."""
    looks = isinstance(value, str) and _LIKE_NUMBER_OR_FLAG(value.strip())
    return "a text, as quotes and -e NAME=VALUE make it" if looks else f"not {what}"


def either(words: Iterable[str]) -> str:
    """List what there is to choose from: ``a, b or c``."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def describe(value: object) -> str:
    """Name a value in a sentence, in the words of YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'" if len(value) <= LONGEST_SHOWN else f"'{value[:LONGEST_SHOWN]}…'"
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, list | tuple):
        return "a list"
    return str(value)


EVERY_ADDRESS = ("0.0.0.0/0", "::/0")
LONGEST_SHOWN = 60
HIGHEST_RATE = 1_000_000
HIGHEST_PORT = 65535
HIGHEST_DSCP = 63
DSCP_CLASSES = {
    **{f"cs{number}": 8 * number for number in range(8)},
    **{f"af{number}{drop}": 8 * number + 2 * drop for number in range(1, 5) for drop in range(1, 4)},
    "ef": 46,
    "va": 44,
    "le": 1,
    "df": 0,
    "be": 0,
}
"""Code points by name (RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622; best effort is the default forwarding)."""
LONGEST_DOMAIN = 253
"""Characters (RFC 1035 section 2.3.4, without the root's)."""
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+(?![0-9]+\Z){_LABEL}", re.ASCII).fullmatch
"""The last part of a name is no number (RFC 3696 section 2)."""
_LIKE_NUMBER_OR_FLAG = re.compile(r"(?i)[+-]?[0-9]+([.][0-9]*)?|true|false|yes|no|on|off", re.ASCII).fullmatch
_DIGITS = re.compile(r"[0-9]{1,5}", re.ASCII).fullmatch

_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}

FLAG = Kind("true or false", _flag, False)
SWITCH = Kind("true or false", _switch, False)
"""For what is given to a run, mostly."""
RATE: Kind[float | None] = Kind(f"Mbit/s, more than 0 and up to {HIGHEST_RATE}", _rate, None)
INTERFACE = text(
    r"(?!lo$|ex[0-9]*-)[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}",
    "a network device: 1 to 15 of the characters A-Z a-z 0-9 _ . - and neither lo nor one of our tunnels (ex-*)",
)
COLO_INTERFACE = text(
    r"(?!lo$|ex)[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}",
    "a network device: 1 to 15 of the characters A-Z a-z 0-9 _ . - and neither lo nor one that begins with ex, by which"
    " the colo's firewall knows our tunnels",
)
INTERFACES = text(
    r"(?!lo$|ex[0-9]*(?:-|\*$)|e\*$)[A-Za-z0-9_]([A-Za-z0-9_.-]{0,14}|[A-Za-z0-9_.-]{0,13}\*)",
    "a network device, or a pattern of devices such as ppp*: up to 15 of the characters A-Z a-z 0-9 _ . - and a *,"
    " and neither lo nor one of our tunnels (ex-*)",
)
ADDRESS4 = network("one IPv4 address", lambda value: _address.single(value, 4))
LINK_ADDRESS = network("an IPv4 address, with the prefix length of the link where it has one", _address.interface4)
NETWORK4 = network("an IPv4 prefix such as 10.254.0.0/15", lambda value: _address.prefix(value, 4))
NETWORK6 = network("an IPv6 prefix such as fd00:1234:5678::/48", lambda value: _address.prefix(value, 6))
PORTS: Kind[Ports | None] = Kind("a port from 1 to 65535, or a range such as 8000-8010", _ports, None)
DSCP: Kind[int | None] = Kind(f"a number from 0 to {HIGHEST_DSCP}, or a class such as cs1, af11 or ef", _dscp, None)
DOMAIN = Kind("a domain such as example.org, in ASCII (xn--…)", _domain, "")
TARGET: Kind[tuple[IPNetwork, int | None] | None] = Kind(
    "an IPv4 address, with a port where that is another one (192.168.1.20:8080)", _target, None
)
ONE_PORT = replace(PORTS, allowed=f"{PORTS.allowed}: an entry for each")
CUSTOMER = text(r"[a-z0-9-]{1,32}", "1 to 32 of the characters a-z 0-9 -")
ANYTHING: Kind[str] = Kind("a text", str, "")
NETWORK = network("an address or a prefix such as 203.0.113.0/28", _address.prefix)


def items(entries: str) -> Kind[list[Any]]:
    """Lists; `entries` says of what."""
    return Kind(f"a list of {entries}", _list, [])
