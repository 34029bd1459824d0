# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._icmp import Echo, build, internet_checksum, parse

ECHO4 = Echo(True, "10.254.0.1", "10.254.0.0", 0x1234, 7, b"extrude")
ECHO6 = Echo(True, "fd65:7874:7275::1", "fd65:7874:7275::", 0x1234, 7, b"extrude")


def test_the_checksum_is_that_of_the_example_in_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


def test_an_odd_byte_counts_as_the_high_half_of_a_word() -> None:
    assert internet_checksum(b"\x12") == ~0x1200 & 0xFFFF


def test_an_ipv4_echo_byte_for_byte() -> None:
    assert build(replace(ECHO4, payload=b"abcd")).hex() == (
        "4500" "0020" "0000" "4000" "40" "01" "24e1"  # 32 bytes, don't fragment, ttl 64, ICMP
        "0afe0001" "0afe0000"  # from, to
        "0800" "20fe" "1234" "0007" "61626364"
    )  # fmt: skip


@pytest.mark.parametrize("is_request", [True, False])
@pytest.mark.parametrize("echo", [ECHO4, ECHO6])
def test_what_was_built_is_understood(echo: Echo, is_request: bool) -> None:
    echo = replace(echo, is_request=is_request)
    assert parse(build(echo)) == echo
    assert len(build(echo)) == echo.size


@pytest.mark.parametrize("echo", [ECHO4, ECHO6])
def test_padding_of_a_short_frame_is_no_payload(echo: Echo) -> None:
    assert parse(build(echo) + bytes(18)) == echo


@pytest.mark.parametrize("echo", [ECHO4, ECHO6])
def test_a_packet_cut_anywhere_is_nothing(echo: Echo) -> None:
    packet = build(echo)
    assert [parse(packet[:length]) for length in range(len(packet))] == [None] * len(packet)


@pytest.mark.parametrize("echo", [ECHO4, ECHO6])
def test_a_damaged_message_is_nothing(echo: Echo) -> None:
    packet = bytearray(build(echo))
    packet[-1] ^= 1
    assert parse(bytes(packet)) is None


@pytest.mark.parametrize("fragment", [b"\x20\x00", b"\x00\x01"])
def test_a_fragment_is_nothing(fragment: bytes) -> None:
    packet = build(ECHO4)
    assert parse(packet[:6] + fragment + packet[8:]) is None


def test_other_protocols_and_other_messages_are_nothing() -> None:
    packet = build(ECHO4)
    assert parse(packet[:9] + b"\x11" + packet[10:]) is None
    timestamp = b"\x0d\x00" + packet[22:]
    checksum = internet_checksum(timestamp[:2] + b"\0\0" + timestamp[4:])
    assert parse(packet[:20] + timestamp[:2] + checksum.to_bytes(2, "big") + timestamp[4:]) is None
    assert parse(b"\x50" + packet[1:]) is None
