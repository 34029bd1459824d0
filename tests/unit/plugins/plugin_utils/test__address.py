# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from netaddr import IPNetwork

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address


def wrong(parse: Any, *arguments: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(*arguments)
    return str(caught.value)


def test_single() -> None:
    assert _address.single("192.0.2.1") == IPNetwork("192.0.2.1/32")
    assert _address.single("192.0.2.1", 4) == IPNetwork("192.0.2.1/32")
    assert _address.single("2001:db8::1") == IPNetwork("2001:db8::1/128")


@pytest.mark.parametrize(
    "text",
    ["", "10.1", "10", "010.0.0.1", "192.0.2.256", " 192.0.2.1", "192.0.2.1\n", "x", "fe80::1%e"],
)
def test_what_is_not_exactly_an_address_is_refused(text: str) -> None:
    assert wrong(_address.single, text) == f"'{text}' is not an IP address"


def test_a_prefix_is_no_single_address() -> None:
    assert wrong(_address.single, "192.0.2.1/32", 4) == "'192.0.2.1/32' is a prefix, and not a single address"


def test_the_wrong_family_is_refused() -> None:
    assert wrong(_address.single, "2001:db8::1", 4) == "'2001:db8::1' is not an IPv4 address"
    assert wrong(_address.prefix, "192.0.2.0/24", 6) == "'192.0.2.0/24' is not an IPv6 address"


@pytest.mark.parametrize("text", ["0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255", "::", "::1", "ff02::1"])
def test_what_no_host_may_have_is_refused(text: str) -> None:
    assert wrong(_address.single, text) == f"'{text}' is not an address that a host may have"


def test_what_is_wrong_with_a_prefix_is_said_of_all_of_it() -> None:
    assert wrong(_address.prefix, "224.0.0.0/4") == "'224.0.0.0/4' is not an address that a host may have"
    assert wrong(_address.prefix, "desk/24") == "'desk/24' is not an IP address"


@pytest.mark.parametrize("text", ["192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "224.0.0.1", "::"])
def test_what_is_written_as_an_address(text: str) -> None:
    assert _address.is_written(text)


@pytest.mark.parametrize("text", ["example.org", "192.0.2.300", "10.1", "", "1.2.3.4.example"])
def test_what_is_not(text: str) -> None:
    assert not _address.is_written(text)


def test_interface4_keeps_the_host_bits() -> None:
    network = _address.interface4("192.0.2.2/24")
    assert (str(network), str(network.ip), str(network.cidr)) == ("192.0.2.2/24", "192.0.2.2", "192.0.2.0/24")
    assert _address.interface4("192.0.2.2").prefixlen == 32


@pytest.mark.parametrize("text", ["192.0.2.2/31", "192.0.2.3/31", "192.0.2.2/32"])
def test_interface4_takes_both_ends_of_a_31(text: str) -> None:
    assert str(_address.interface4(text)) == text


@pytest.mark.parametrize("text", ["192.0.2.0/24", "192.0.2.255/24", "192.0.2.4/30", "192.0.2.7/30"])
def test_interface4_refuses_network_and_broadcast(text: str) -> None:
    assert (
        wrong(_address.interface4, text)
        == f"'{text}' is the network's own or its broadcast address, not that of a host"
    )


@pytest.mark.parametrize("tail", ["", "0", "33", "-1", "24 ", "255.255.255.0", "²", "x"])
def test_bad_prefix_lengths_are_refused(tail: str) -> None:
    assert wrong(_address.prefix, f"192.0.2.0/{tail}") == f"'192.0.2.0/{tail}' has no prefix length from /1 to /32"


def test_prefix() -> None:
    assert str(_address.prefix("203.0.113.0/28")) == "203.0.113.0/28"
    assert str(_address.prefix("203.0.113.1")) == "203.0.113.1/32"
    assert str(_address.prefix("2001:db8::/32", 6)) == "2001:db8::/32"


def test_host_bits_are_refused() -> None:
    assert (
        wrong(_address.prefix, "203.0.113.1/28") == "'203.0.113.1/28' has host bits set; its prefix is 203.0.113.0/28"
    )
    assert wrong(_address.prefix, "2001:db8::1/64") == "'2001:db8::1/64' has host bits set; its prefix is 2001:db8::/64"


def test_name() -> None:
    assert _address.name(IPNetwork("192.0.2.1/32")) == "192.0.2.1"
    assert _address.name(IPNetwork("192.0.2.0/31")) == "192.0.2.0/31"
    assert _address.name(IPNetwork("2001:db8::1/128")) == "2001:db8::1"


def test_overlap() -> None:
    assert _address.overlap(IPNetwork("192.0.2.0/24"), IPNetwork("192.0.2.255/32"))
    assert _address.overlap(IPNetwork("192.0.2.255/32"), IPNetwork("192.0.2.0/24"))
    assert not _address.overlap(IPNetwork("192.0.2.0/25"), IPNetwork("192.0.2.128/25"))
    assert not _address.overlap(IPNetwork("::/8"), IPNetwork("0.0.0.0/8"))


def test_address() -> None:
    assert _address.address(0xC0000201, 4) == "192.0.2.1"
    assert _address.address(1 << 125, 6) == "2000::"
