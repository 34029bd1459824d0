# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _announce, _duplicate, _host, _rawsocket
from ansible_collections.multihome.extrude.plugins.module_utils._conflict import Conflict
from ansible_collections.multihome.extrude.plugins.module_utils._duplicate import holders, probe
from ansible_collections.multihome.extrude.plugins.module_utils._icmp import internet_checksum, pseudo_header
from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError, State
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.unit.host import snapshot
from tests.unit.netns import Netns, ip, output, scratch, wait_for_links

MAC, PEER = "02:00:00:00:00:01", "52:54:00:12:34:56"
HELD = ["203.0.113.1", "2001:db8::1"]
"""What the neighbour holds."""
FREE = ["203.0.113.10", "2001:db8::10"]


# --- pure -----------------------------------------------------------------------------------------


def test_an_arp_probe_byte_for_byte() -> None:
    assert probe(bytes.fromhex("020000000001"), bytes([203, 0, 113, 10])).hex() == (
        "ffffffffffff" "020000000001" "0806"  # to all, from us, ARP
        "0001" "0800" "06" "04" "0001"  # Ethernet, IPv4, a request
        "020000000001" "00000000"  # sender: no address
        "000000000000" "cb00710a"  # target
    )  # fmt: skip


def test_an_arp_request_from_an_address_of_ones_own() -> None:
    frame = probe(bytes.fromhex("020000000001"), bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    assert frame[28:32] == bytes([192, 0, 2, 2])


def test_a_solicitation_field_by_field() -> None:
    address, group = (ipaddress.IPv6Address(text).packed for text in ("2001:db8::1234:5678", "ff02::1:ff34:5678"))
    frame = probe(bytes.fromhex("020000000001"), address)
    assert frame[:14].hex() == "3333ff34567802000000000186dd"
    header, icmp = frame[14:54], frame[54:]
    assert struct.unpack("!IHBB", header[:8]) == (0x60000000, len(icmp), 58, 255)
    assert header[8:] == bytes(16) + group
    assert icmp[:2] + icmp[4:8] == bytes([135, 0, 0, 0, 0, 0])
    assert icmp[8:] == address  # no option: there is no address to tell
    assert internet_checksum(pseudo_header(bytes(16), group, len(icmp)) + icmp) == 0


# --- on a kernel ----------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[Netns, Netns]]:
    """Two namespaces with a cable between them: colo0, and peer0 whose host holds addresses."""
    with scratch() as colo, scratch() as peer:
        with colo.entered():
            ip(f"link add colo0 address {MAC} type veth peer peer0 netns {peer.path}", "link set colo0 up")
        with peer.entered():
            ip(f"link set peer0 address {PEER} up", *(adding(address, "peer0") for address in HELD))
            wait_for_links("peer0")
        with colo.entered():
            wait_for_links("colo0")
        yield colo, peer


def adding(address: str, device: str) -> str:
    return f"address add {address} dev {device} {'nodad' if ':' in address else ''}"


def on(device: str, *addresses: str) -> list[tuple[str, str]]:
    return [(device, address) for address in addresses]


def test_who_answers_is_told_and_nobody_else(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        assert holders(on("colo0", *HELD, *FREE)) == {("colo0", address): PEER for address in HELD}


def test_asking_leaves_no_trace_at_the_neighbour(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        holders(on("colo0", *HELD, *FREE))
    with ends[1].entered():
        assert MAC not in output("ip", "neighbour", "show", "dev", "peer0")


def test_answers_for_many_addresses_are_all_heard(ends: tuple[Netns, Netns]) -> None:
    many = [f"198.18.{number // 250}.{number % 250}" for number in range(1000)]
    many += [f"2001:db8:1::{number:x}" for number in range(1, 301)]
    with ends[1].entered():
        ip(*(adding(address, "peer0") for address in many))
    with ends[0].entered():
        assert holders(on("colo0", *many)).keys() == set(on("colo0", *many))


@pytest.mark.parametrize("address", HELD)
def test_a_lost_answer_is_asked_for_again(
    ends: tuple[Netns, Netns], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    real = _announce.send

    def lossy(link: socket.socket, frame: bytes) -> None:
        sent.append(frame)
        if len(sent) > 1:
            real(link, frame)

    monkeypatch.setattr(_duplicate, "send", lossy)
    with ends[0].entered():
        assert holders(on("colo0", address)) == {("colo0", address): PEER}
    assert len(sent) == 2


def test_nobody_waits_once_all_have_answered(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        ip("address add 203.0.113.2/24 dev colo0")
        pauses = (0.5, 60)
        assert holders(on("colo0", HELD[0]), {"colo0": "203.0.113.2"}, pauses) == {("colo0", HELD[0]): PEER}


def test_what_another_device_of_this_host_answers_does_not_count(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        ip("link add a0 type veth peer b0", "link set a0 up", "link set b0 up")
        wait_for_links("a0", "b0")
        ip(*(adding(address, "b0") for address in HELD))
        assert holders(on("a0", *HELD)) == {}
        assert holders(on("colo0", *HELD)).keys() == set(on("colo0", *HELD))


@pytest.mark.parametrize(
    ("addressee", "tag", "counts"),
    [(MAC, "", True), ("02:00:00:00:00:02", "", False), (MAC, "81000005", False)],
    ids=["to us", "to another host", "of another VLAN"],
)
def test_only_answers_to_us_count(
    ends: tuple[Netns, Netns], addressee: str, tag: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = FREE[0]
    to, source = (bytes.fromhex(mac.replace(":", "")) for mac in (addressee, PEER))
    body = bytes.fromhex("0806 0001 0800 06 04 0002") + source + socket.inet_aton(address) + to + bytes(4)
    with ends[1].entered():
        peer = _rawsocket.frames("peer0", _announce.ETHERTYPE_ARP, {})
    with peer, ends[0].entered():
        monkeypatch.setattr(
            _duplicate, "send", lambda _link, _frame: peer.send(to + source + bytes.fromhex(tag) + body)
        )
        assert holders(on("colo0", address)) == ({("colo0", address): PEER} if counts else {})


def test_devices_without_neighbours_are_passed_over_at_once(
    ends: tuple[Netns, Netns], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_duplicate, "PAUSES", (60, 60))
    with ends[0].entered():
        ip("link add down0 type veth peer down1")
        assert holders([*on("lo", *HELD), *on("down0", *HELD), *on("gone0", *HELD)]) == {}
        assert holders([]) == {}


@pytest.mark.parametrize("command", ["link set colo0 down", "link del colo0"])
def test_a_device_may_go_meanwhile(ends: tuple[Netns, Netns], command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = _announce.send

    def switching_off(link: socket.socket, frame: bytes) -> None:
        real(link, frame)
        ip(command)
        monkeypatch.setattr(_duplicate, "send", real)

    monkeypatch.setattr(_duplicate, "send", switching_off)
    with ends[0].entered():
        assert holders(on("colo0", *FREE)) == {}


def test_without_permission_one_sentence_says_so() -> None:
    with scratch() as namespace, namespace.entered():
        os.seteuid(65534)
        try:
            with pytest.raises(EngineError, match=r"^no permission to send and hear raw packets"):
                holders(on("lo", *HELD))
        finally:
            os.seteuid(0)


# --- what the engine makes of it --------------------------------------------------------------------


def state(*addresses: str, site: str = "office", **more: Any) -> State:
    proxies = [{"device": "colo0", "address": address} for address in addresses]
    return State.parse({"customer": "acme", "site": site, "proxies": proxies, **more})


def run(request: Request) -> list[str]:
    found = _host.survey(request)
    _host.apply(request, found)
    return [str(operation) for operation in found.operations]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """All that is asked for."""
    pairs: list[tuple[str, str]] = []
    real = _duplicate.holders

    def noted(found: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
        pairs.extend(found)
        return real(found)

    monkeypatch.setattr(_duplicate, "holders", noted)
    return pairs


def test_an_address_that_a_neighbour_holds_is_refused_and_nothing_is_changed(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        before = snapshot()
        with pytest.raises(Conflict) as conflict:
            run(Request((state(*HELD, *FREE),)))
        assert conflict.value.problems == tuple(
            f"proxy {address} on colo0: {PEER} answers for that address; take it from there first" for address in HELD
        )
        assert snapshot() == before


def test_what_nobody_holds_is_taken_and_asked_for_once(ends: tuple[Netns, Netns], asked: list[tuple[str, str]]) -> None:
    with ends[0].entered():
        free = state(*FREE)
        assert run(Request((free,))) == [f"add proxy {address} on colo0" for address in FREE]
        assert asked == on("colo0", *FREE)
        assert run(Request((free,), (free,))) == []
        assert run(Request((state(),), (free,))) == [f"delete proxy {address} on colo0" for address in FREE]
        assert asked == on("colo0", *FREE)


def test_a_state_may_take_over_and_others_still_ask(ends: tuple[Netns, Netns], asked: list[tuple[str, str]]) -> None:
    with ends[0].entered():
        request = Request((state(*HELD, take_over=True), state(*FREE, site="shop")))
        assert set(run(request)) == {f"add proxy {address} on colo0" for address in [*HELD, *FREE]}
        assert asked == on("colo0", *FREE)


def test_what_is_ours_already_comes_back_without_asking(
    ends: tuple[Netns, Netns], asked: list[tuple[str, str]]
) -> None:
    with ends[0].entered():
        ours = state(*HELD)
        assert run(Request((ours,), (ours,))) == [f"add proxy {address} on colo0" for address in HELD]
        assert asked == []
