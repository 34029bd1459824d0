# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._icmp import REPLY, REQUEST, Echo, build
from ansible_collections.multihome.extrude.plugins.module_utils._rawsocket import (
    datagrams,
    ear,
    frames,
    hear,
    mouth,
    tap,
    tapped,
    trouble,
)
from tests.unit.netns import Netns, ip, scratch, wait_for_links

ECHOES = {
    4: Echo(True, "203.0.113.10", "10.254.0.0", 0x1234, 7, b"extrude"),
    6: Echo(True, "2001:db8::10", "fd65::", 0x1234, 7, b"extrude"),
}


@pytest.fixture
def ends() -> Iterator[tuple[Netns, Netns]]:
    """A site and a colo with a link between them, s0 and c0. Nobody has the extruded addresses."""
    with scratch() as site, scratch() as colo:
        with site.entered():
            ip(
                f"link add s0 type veth peer c0 netns {colo.path}",
                "link set s0 up",
                "address add 10.254.0.1/31 dev s0",
                "address add fd65::1/127 dev s0 nodad",
            )
        with colo.entered():
            ip("link set c0 up", "address add 10.254.0.0/31 dev c0", "address add fd65::/127 dev c0 nodad")
            wait_for_links("c0")
        with site.entered():
            wait_for_links("s0")
        yield site, colo


@pytest.mark.parametrize("family", [4, 6])
def test_a_packet_with_a_foreign_source_arrives_as_it_was_made(ends: tuple[Netns, Netns], family: int) -> None:
    site, colo = ends
    with colo.entered():
        listening = ear("c0", REQUEST)
    with site.entered(), mouth("s0", family) as sending:
        sending.sendto(build(ECHOES[family]), (ECHOES[family].destination, 0))
    with listening:
        listening.settimeout(5)
        assert hear(listening) == ECHOES[family]


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_not_asked_for_never_reaches_the_socket(ends: tuple[Netns, Netns], family: int) -> None:
    site, colo = ends
    echo = ECHOES[family]
    with colo.entered():
        requests, replies = ear("c0", REQUEST), ear("c0", REPLY)
    with site.entered(), mouth("s0", family) as sending, socket.socket(_internet(family), socket.SOCK_DGRAM) as other:
        other.sendto(b"\x08" * 100, (echo.destination, 9))
        sending.sendto(build(echo), (echo.destination, 0))
    with requests, replies:
        requests.settimeout(5)
        assert hear(requests) == echo
        with pytest.raises(BlockingIOError):
            replies.recv(2048)


def _internet(family: int) -> socket.AddressFamily:
    return socket.AF_INET if family == 4 else socket.AF_INET6


def test_only_frames_that_hold_all_the_bytes_are_heard(ends: tuple[Netns, Netns]) -> None:
    site, colo = ends
    addresses = b"\xff" * 6 + bytes(6)
    sent = [addresses + kind + bytes(46) for kind in (b"\x88\xb5\x01\x03", b"\x88\xb5\x09\x02", b"\x88\xb6\x01\x02")]
    with colo.entered():
        listening = frames("c0", 0x88B5, {14: 1, 15: 2})
    with site.entered(), listening, frames("s0", 0x88B5, {}) as sending:
        for frame in [*sent, addresses + b"\x88\xb5\x01", addresses + b"\x88\xb5\x01\x02" + bytes(46)]:
            sending.send(frame)
        listening.settimeout(5)
        assert listening.recv(2048)[12:16] == b"\x88\xb5\x01\x02"
        sending.setblocking(False)
        with pytest.raises(BlockingIOError):
            sending.recv(2048)


def test_what_leaves_by_the_device_is_not_heard(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered(), ear("s0", REQUEST) as listening, mouth("s0", 4) as sending:
        sending.sendto(build(ECHOES[4]), ("10.254.0.0", 0))
        assert hear(listening) is None


@pytest.mark.parametrize(("family", "route"), [(4, "10.254.0.0/32"), (6, "fd65::/128")])
def test_what_the_kernel_believes_of_the_path_mtu_is_no_limit(
    ends: tuple[Netns, Netns], family: int, route: str
) -> None:
    site = ends[0]
    large = build(Echo(True, ECHOES[family].source, ECHOES[family].destination, 1, 1, bytes(1400)))
    with site.entered(), mouth("s0", family) as sending:
        ip(f"route add {route} dev s0 mtu 1300")
        assert sending.sendto(large, (ECHOES[family].destination, 0)) == len(large)


def test_a_packet_larger_than_the_device_is_refused(ends: tuple[Netns, Netns]) -> None:
    large = build(Echo(True, "10.254.0.1", "10.254.0.0", 1, 1, bytes(1500)))
    with ends[0].entered(), mouth("s0", 4) as sending, pytest.raises(OSError, match="Message too long") as caught:
        sending.sendto(large, ("10.254.0.0", 0))
    assert caught.value.errno == errno.EMSGSIZE


def test_a_device_that_is_not_there_is_said_in_words(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        for attempt in (partial(mouth, "gone0", 4), partial(mouth, "gone0", 6), partial(ear, "gone0", REPLY)):
            with pytest.raises(OSError, match="No such device") as caught:
                attempt()
            assert trouble("gone0", caught.value) == "there is no device gone0"


def test_without_permission_one_sentence_says_so() -> None:
    with scratch() as namespace, namespace.entered():
        os.seteuid(65534)
        try:
            for attempt in (partial(mouth, "lo", 4), partial(ear, "lo", REPLY)):
                with pytest.raises(EngineError, match="no permission to send and hear raw packets"):
                    attempt()
        finally:
            os.seteuid(0)


def test_a_tap_hears_datagrams_to_its_port_that_come_and_that_leave(ends: tuple[Netns, Netns]) -> None:
    site, colo = ends
    with colo.entered():
        far = tap("c0", 9)
        ip("route add 203.0.113.10 via 10.254.0.1")
    with site.entered(), far, tap("s0", 9) as near, datagrams("203.0.113.10") as sending:
        # whose address that is does not matter
        sending.sendto(b"else", ("10.254.0.0", 10))
        sending.sendto(b"this", ("10.254.0.0", 9))
        for opened, outgoing in ((near, True), (far, False)):
            opened.settimeout(5)
            heard = tapped(opened)
            assert heard is not None
            assert (heard[0][-4:], heard[1]) == (b"this", outgoing)
            assert heard[0][12:16] == socket.inet_aton("203.0.113.10")
            opened.setblocking(False)
            assert tapped(opened) is None


def test_datagrams_go_the_way_of_their_source(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered(), tap("s0", 9) as near, datagrams("203.0.113.10") as sending:
        ip("rule add priority 5 from 203.0.113.10 lookup 99", "route add 198.18.0.1 via 10.254.0.0 table 99")
        sending.sendto(b"this", ("198.18.0.1", 9))
        near.settimeout(5)
        assert tapped(near) is not None
