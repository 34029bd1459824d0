# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _announce
from ansible_collections.multihome.extrude.plugins.module_utils._announce import announce, announcement
from ansible_collections.multihome.extrude.plugins.module_utils._icmp import internet_checksum, pseudo_header
from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError
from tests.unit.netns import Netns, ip, output, scratch, wait_for_links, wait_until

MAC = "02:00:00:00:00:01"
STALE = "02:00:00:00:00:99"


# --- pure -----------------------------------------------------------------------------------------


def test_an_arp_announcement_byte_for_byte() -> None:
    frame = announcement(bytes.fromhex("020000000001"), "203.0.113.10")
    assert frame.hex() == (
        "ffffffffffff" "020000000001" "0806"  # to all, from us, ARP
        "0001" "0800" "06" "04" "0001"  # Ethernet, IPv4, a request
        "020000000001" "cb00710a"  # sender
        "000000000000" "cb00710a"  # target: the same address
    )  # fmt: skip


def test_a_neighbour_advertisement_field_by_field() -> None:
    frame = announcement(bytes.fromhex("020000000001"), "2001:db8::10")
    address = socket.inet_pton(socket.AF_INET6, "2001:db8::10")
    everybody = socket.inet_pton(socket.AF_INET6, "ff02::1")
    assert frame[:14].hex() == "33330000000102000000000186dd"
    header, icmp = frame[14:54], frame[54:]
    assert struct.unpack("!IHBB", header[:8]) == (0x60000000, len(icmp), 58, 255)
    assert header[8:] == address + everybody
    assert icmp[:2] == bytes([136, 0])
    assert icmp[4:8].hex() == "a0000000"
    assert icmp[8:24] == address
    assert icmp[24:].hex() == "0201020000000001"
    assert internet_checksum(pseudo_header(address, everybody, len(icmp)) + icmp) == 0


# --- on a kernel ----------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[Netns, Netns]]:
    """Two namespaces with a cable between them: colo0 and peer0."""
    with scratch() as colo, scratch() as peer:
        with colo.entered():
            ip(
                f"link add colo0 address {MAC} type veth peer peer0 netns {peer.path}",
                "link set colo0 up",
            )
        with peer.entered():
            ip(
                "link set peer0 up",
                "address add 203.0.113.1/24 dev peer0",
                "address add 2001:db8::1/64 dev peer0 nodad",
            )
            wait_for_links("peer0")
        with colo.entered():
            wait_for_links("colo0")
        yield colo, peer


@pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8::10"])
def test_the_cache_of_a_neighbour_learns_the_new_place(ends: tuple[Netns, Netns], address: str) -> None:
    colo, peer = ends
    with peer.entered():
        ip(f"neighbour add {address} lladdr {STALE} dev peer0 nud stale")
    with colo.entered():
        announce([("colo0", address)])
    with peer.entered():
        wait_until(lambda: f"lladdr {MAC} " in output("ip", "neighbour", "show", address), "the entry is new")


def test_the_peer_hears_each_address_once(ends: tuple[Netns, Netns]) -> None:
    colo, peer = ends
    with peer.entered():
        ear = listening("peer0")
    addresses = [f"198.18.{number // 256}.{number % 256}" for number in range(100)]
    with ear, colo.entered():
        announce([("colo0", address) for address in addresses])
        heard = [socket.inet_ntoa(ear.recv(2048)[38:42]) for _address in addresses]
    assert heard == addresses


def listening(device: str) -> socket.socket:
    """A socket that hears ARP on a device."""
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_announce.ETHERTYPE_ARP))
    ear.bind((device, _announce.ETHERTYPE_ARP))
    ear.settimeout(2)
    return ear


def test_devices_with_nobody_to_tell_are_passed_over(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        ip("link add down0 type veth peer down1")
        with listening("lo") as ear:
            announce([("lo", "203.0.113.10"), ("lo", "2001:db8::10"), ("down0", "203.0.113.10")])
            ear.setblocking(False)
            with pytest.raises(BlockingIOError):
                ear.recv(2048)


def test_a_missing_device_is_named(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered(), pytest.raises(EngineError, match="on gone0: there is no such device"):
        announce([("gone0", "203.0.113.10")])


def test_without_permission_one_sentence_says_so() -> None:
    with scratch() as namespace, namespace.entered():
        os.seteuid(65534)
        try:
            with pytest.raises(EngineError, match=r"cannot announce 203\.0\.113\.10 on lo: no permission"):
                announce([("lo", "203.0.113.10")])
        finally:
            os.seteuid(0)


def test_a_full_queue_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class FullTwice:
        def __init__(self) -> None:
            self.answers: list[OSError | None] = [OSError(errno.ENOBUFS, "full"), OSError(errno.ENOBUFS, "full"), None]

        def send(self, frame: bytes) -> int:
            if answer := self.answers.pop(0):
                raise answer
            return len(frame)

    monkeypatch.setattr(_announce, "FULL_QUEUE_PAUSE", 0)
    link = FullTwice()
    _announce.send(link, b"frame")  # type: ignore[arg-type]  # a stand-in for the socket
    assert link.answers == []
