# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils._fields import Fields, InvalidInput, ip_text


@pytest.mark.parametrize(
    ("read", "value", "complaint"),
    [
        (lambda f: f.required("x"), None, "t[0].x: is missing"),
        (lambda f: f.text("x"), "", "t[0].x: '' is not a text"),
        (lambda f: f.text("x"), 5, "t[0].x: 5 is not a text"),
        (lambda f: f.device("x"), "a" * 16, "t[0].x: 'aaaaaaaaaaaaaaaa' is not the name of a device: 1 to 15"),
        (lambda f: f.device("x"), "a/b", "is not the name of a device"),
        (lambda f: f.device("x"), "a:b", "is not the name of a device"),
        (lambda f: f.device("x"), "a b", "is not the name of a device"),
        (lambda f: f.device("x"), "..", "is not the name of a device"),
        (lambda f: f.device("x"), "dsl\n", "is not the name of a device"),
        (lambda f: f.device("x"), "düsl", "is not the name of a device"),
        (lambda f: f.flag("x", True), "yes", "t[0].x: 'yes' is neither true nor false"),
        (lambda f: f.integer("x", 1, 9), 0, "t[0].x: 0 is not a number from 1 to 9"),
        (lambda f: f.integer("x", 1, 9), 10, "t[0].x: 10 is not a number from 1 to 9"),
        (lambda f: f.integer("x", 0, 9), True, "t[0].x: True is not a number"),
        (lambda f: f.integer("x", 0, 9), "5", "t[0].x: '5' is not a number"),
        (lambda f: f.choice("x", (4, 6), 4), 5, "t[0].x: 5 is none of 4, 6"),
        (lambda f: f.choice("x", (1, 6), 4), True, "t[0].x: True is none of 1, 6"),
        (lambda f: f.address("x"), "192.0.2.300", "t[0].x: '192.0.2.300' is no address ("),
        (lambda f: f.address("x"), "192.0.2.0/24", "is no address ("),
        (lambda f: f.address("x"), "fe80::1%a0", "is no address (a zone has no place here)"),
        (lambda f: f.address("x"), 5, "t[0].x: 5 is no address (it is no text)"),
        (lambda f: f.address("x", 4), "2001:db8::1", "is no IPv4 address (it is of IPv6)"),
        (lambda f: f.interface("x"), "192.0.2.1/33", "is no address with prefix length ("),
        (lambda f: f.prefix("x"), "192.0.2.1/24", "is no prefix (192.0.2.1/24 has host bits set)"),
        (lambda f: f.prefix("x", 6), "192.0.2.0/24", "is no IPv6 prefix (it is of IPv4)"),
        (lambda f: f.items("x"), {}, "t[0].x: {} is no list"),
        (lambda f: f.items("x"), [{}, 5], "t[0].x[1]: 5 is no dictionary"),
        (lambda f: f.strings("x"), ["a", 5], "t[0].x: ['a', 5] is no list of texts"),
        (lambda f: f.addresses("x"), ["192.0.2.1/32"], "t[0].x: '192.0.2.1/32' is no address"),
        (lambda f: f.prefixes("x"), ["192.0.2.1/24"], "t[0].x: '192.0.2.1/24' is no prefix"),
        (lambda f: f.integers("x", 1, 9), [True], "t[0].x: [True] is no list of numbers from 1 to 9"),
        (lambda f: f.only(frozenset("ab")), 5, "t[0].x: is not known here; known are a, b"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(read: Callable[[Fields], Any], value: object, complaint: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read(Fields({"x": value}, "t[0]"))
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("read", "value", "result"),
    [
        (lambda f: f.device("x"), "eth0.10", "eth0.10"),
        (lambda f: f.address("x"), "2001:DB8:0::1", "2001:db8::1"),
        (lambda f: f.interface("x"), "203.0.113.10", "203.0.113.10/32"),
        (lambda f: f.interface("x"), "203.0.113.10/255.255.255.0", "203.0.113.10/24"),
        (lambda f: f.prefix("x"), "::/0", "::/0"),
        (lambda f: f.prefix("x"), "192.0.2.1", "192.0.2.1/32"),
        (lambda f: f.flag("x", True), False, False),
        (lambda f: f.choice("x", (4, 6), 4), 6, 6),
        (lambda f: f.strings("x"), ("a", "b"), ("a", "b")),
        (lambda f: f.addresses("x"), ["192.0.2.1", "2001:DB8::0"], ("192.0.2.1", "2001:db8::")),
        (lambda f: f.prefixes("x"), ["192.0.2.0/24", "::/0"], ("192.0.2.0/24", "::/0")),
    ],
)
def test_values_come_in_normal_form(read: Callable[[Fields], Any], value: object, result: object) -> None:
    assert read(Fields({"x": value}, "")) == result


def test_what_is_absent_or_null_takes_its_default() -> None:
    fields = Fields({"x": None}, "")
    assert fields.optional_text("x") is None
    assert fields.optional_address("y") is None
    assert fields.optional_prefix("y") is None
    assert fields.optional_device("y") is None
    assert fields.optional_integer("y", 0, 1) is None
    assert fields.integer("x", 0, 9, 5) == 5
    assert fields.flag("x", True) is True
    assert fields.choice("x", (4, 6), 4) == 4
    assert fields.items("x") == []
    fields.only(frozenset())


@given(st.binary(min_size=16, max_size=16) | st.binary(min_size=4, max_size=4).map(lambda tail: bytes(12) + tail))
def test_addresses_are_written_as_the_kernels_dumps_are_decoded(packed: bytes) -> None:
    """The C library and Python's ipaddress differ on ::1.2.3.4; the normal form must be one."""
    written = str(ipaddress.IPv6Address(packed))
    assert Fields({"x": written}, "").address("x") == ip_text(packed)
    assert socket.inet_pton(socket.AF_INET6, ip_text(packed)) == packed
