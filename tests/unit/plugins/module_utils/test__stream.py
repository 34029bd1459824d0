# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._stream import (
    END,
    STREAM,
    TRIAL,
    Log,
    Packet,
    parse,
    ranges,
)

PACKET = Packet("drill-7", STREAM, 258)


def datagram(payload: bytes, protocol: int = 17, options: bytes = b"", padding: bytes = b"") -> bytes:
    """A whole IPv4 packet with UDP."""
    length = 20 + len(options) + 8 + len(payload)
    head = struct.pack("!BBHHHBBH8x", 0x45 + len(options) // 4, 0, length, 0, 0, 64, protocol, 0)
    return head + options + struct.pack("!HHHH", 40000, 9, 8 + len(payload), 0) + payload + padding


def test_a_packet_is_read_as_it_was_made() -> None:
    assert parse(datagram(PACKET.payload())) == PACKET


def test_options_and_padding_do_not_disturb() -> None:
    assert parse(datagram(PACKET.payload(), options=bytes(8), padding=bytes(20))) == PACKET


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x45",
        datagram(b"something else that is long enough"),
        datagram(PACKET.payload(), protocol=6),
        datagram(PACKET.payload()[:6]),
        datagram(PACKET.payload() + b"\xff"),
        b"\x65" + datagram(PACKET.payload())[1:],
    ],
)
def test_all_else_is_nothing(data: bytes) -> None:
    assert parse(data) is None


def test_numbers_become_unbroken_runs() -> None:
    assert ranges([3, 1, 2, 2, 7, 9, 8]) == [[1, 3], [7, 9]]
    assert ranges([]) == []


def test_packets_are_due_one_by_one() -> None:
    log = Log(0.01)
    log.begin(100.0)
    assert list(log.due(100.001)) == [0]
    assert list(log.due(100.002)) == []
    assert log.wake() == pytest.approx(100.01)
    assert list(log.due(100.012)) == [1]


def test_what_is_late_is_made_up_for_so_that_a_number_stays_a_time() -> None:
    log = Log(0.01)
    log.begin(100.0)
    log.due(100.001)
    assert list(log.due(100.055)) == [1, 2, 3, 4, 5]
    assert log.wake() == pytest.approx(100.06)


def test_the_log_tells_what_left_and_came_by_the_tunnel() -> None:
    log = Log(0.01)
    log.begin(100.0)
    log.due(100.021)
    log.left(Packet("t", STREAM, 0), 100.0)
    log.left(Packet("t", TRIAL, 5), 100.0)
    for number, by_tunnel in ((0, True), (1, True), (3, False)):
        log.came(Packet("t", STREAM, number), by_tunnel, 100.03 + number * 0.01)
    log.came(Packet("t", STREAM, 1), False, 100.9)
    log.came(Packet("t", TRIAL, 9), True, 100.9)
    assert log.result() == {
        "interval_ms": 10.0,
        "sent": 3,
        "into": [[0, 0]],
        "received": [[0, 1], [3, 3]],
        "by": [[0, 1]],
        "offset_ms": 30.0,
        "ended": False,
    }
    assert log.last_into == 100.0
    assert log.last_by == pytest.approx(100.04)


def test_the_offset_is_that_of_the_fastest_packet() -> None:
    log = Log(0.01)
    log.begin(100.0)
    for number, late in ((0, 0.05), (1, 0.02), (2, 0.03)):
        log.came(Packet("t", STREAM, number), True, 100.0 + number * 0.01 + late)
    assert log.result()["offset_ms"] == 20.0


def test_the_far_end_says_when_it_is_over() -> None:
    log = Log(0.01)
    log.came(Packet("t", END, 0), False, 1.0)
    assert log.ended
    assert log.result()["received"] == []
    assert log.result()["offset_ms"] is None
