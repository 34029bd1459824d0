# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _dump, _wire
from ansible_collections.multihome.extrude.plugins.module_utils._fields import HostError
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Nexthop,
    Proxy,
    Route,
    Rule,
)
from tests.unit.host import host
from tests.unit.netns import WITHOUT_RIGHTS, ip, output


@pytest.fixture(autouse=True)
def _host() -> Iterator[None]:
    with host():
        yield


def test_a_host_is_read_as_ip_has_set_it_up() -> None:
    ip(
        "link set b0 group 4200 alias extrude:x",
        "addr add 203.0.113.10/32 dev lo",
        "neigh add proxy 2001:db8::7 dev a0",
    )
    current = _dump.read([77])
    assert set(current.devices) >= {"lo", "a0", "b0"}
    assert (current.devices["b0"].group, current.devices["b0"].alias) == (4200, "extrude:x")
    assert current.devices["a0"].kind == "veth"
    assert current.addresses == (
        Address("lo", "127.0.0.1/8"),
        Address("lo", "203.0.113.10/32"),
        Address("b0", "10.2.0.1/24"),
        Address("a0", "10.1.0.1/24"),
        Address("lo", "::1/128"),
        Address("a0", "2001:db8:ffff::1/64"),
    )
    assert current.proxies == {Proxy("b0", "192.0.2.77"), Proxy("a0", "2001:db8::7")}
    route = Route("192.0.2.128/25", 77, scope="link", nexthops=(Nexthop("b0"),))
    assert current.routes == {route.place: (route, 12)}
    assert (Rule(4, 5210, 52), 4) in current.rules
    assert (Rule(6, 5210, 52), 4) in current.rules
    assert (Rule(4, 32766, 254), 2) in current.rules


def test_tables_are_read_as_far_as_asked_for() -> None:
    ip("route add 192.0.2.0/24 dev a0 table 4200", "route add 2001:db8:9::/48 dev a0 table 4200")
    assert {place[1:3] for place in _dump.read([4200, 4999]).routes} == {
        (4200, "192.0.2.0/24"),
        (4200, "2001:db8:9::/48"),
    }
    assert _dump.read([]).routes == {}


@pytest.mark.parametrize(
    "line",
    [
        "route add 192.0.2.0/24 table 9 metric 5 nexthop dev a0 weight 4 nexthop via 10.2.0.9 dev b0 weight 255",
        "route add blackhole 192.0.2.0/24 table 9 metric 5",
        "route add 2001:db8:9::/48 table 9 metric 5 nexthop via fe80::9 dev a0 weight 2 nexthop via fe80::8 dev b0",
        "route add unreachable 2001:db8:9::/48 table 9 metric 5",
    ],
)
def test_kinds_of_routes(line: str) -> None:
    ip(line)
    (route, protocol) = next(iter(_dump.read([9]).routes.values()))
    assert protocol == 3
    assert route.metric == 5
    expected = {
        "nexthop dev a0": (Nexthop("a0", "", 4), Nexthop("b0", "10.2.0.9", 255)),
        "nexthop via fe80": (Nexthop("a0", "fe80::9", 2), Nexthop("b0", "fe80::8", 1)),
    }
    assert route.nexthops == next((hops for words, hops in expected.items() if words in line), ())
    assert (route.type == "unicast") == bool(route.nexthops)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("rule add priority 5 fwmark 0/0xff lookup 9", Rule(4, 5, 9, mark=0, mask=255)),
        ("rule add priority 5 fwmark 7 iif lo lookup 9", Rule(4, 5, 9, iif="lo", mark=7, mask=0xFFFFFFFF)),
        ("rule add priority 5 from 0.0.0.0/0 lookup 9", Rule(4, 5, 9)),
        (
            "rule add priority 5 from 2001:db8::/32 oif gone lookup main suppress_prefixlength 0 suppress_ifgroup 7",
            Rule(6, 5, 254, "2001:db8::/32", oif="gone", suppress_prefixlength=0, suppress_ifgroup=7),
        ),
    ],
)
def test_kinds_of_rules(line: str, rule: Rule) -> None:
    output("ip", "-6" if rule.family == 6 else "-4", *line.split())
    assert rule in [found for found, _protocol in _dump.read([]).rules]


def test_routes_of_ours_are_found_in_every_table() -> None:
    ip(
        "route add 192.0.2.0/24 dev a0 table 4444 proto 120",
        "route add 2001:db8:9::/48 dev b0 table 17 proto 120",
        "route add 192.0.2.64/26 dev a0 table 4444 proto 121",
    )
    assert {(route.table, route.destination) for route in _dump.our_routes()} == {
        (4444, "192.0.2.0/24"),
        (17, "2001:db8:9::/48"),
    }


def test_thousands_of_routes_fit() -> None:
    ip(*(f"route add 198.18.{n // 256}.{n % 256}/32 dev a0 table 4200" for n in range(5000)))
    assert len(_dump.read([4200]).routes) == 5000


def test_reading_needs_neither_pyroute2_nor_root() -> None:
    code = (
        f"import sys; sys.modules['pyroute2'] = None; {WITHOUT_RIGHTS}"
        "from ansible_collections.multihome.extrude.plugins.module_utils import _dump;"
        "current = _dump.read([77]);"
        "print(len(current.routes), len(current.proxies), 'a0' in current.devices)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "1 1 True\n", done.stderr


# --- a kernel that answers strangely ---------------------------------------------------------------


class Channel:
    """Answers each request with the next of some datagrams."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests = 0

    def send(self, _data: bytes) -> None:
        self.requests += 1

    def recv(self, _size: int) -> bytes:
        return self._answers.pop(0)


def message(kind: int, payload: bytes, flags: int = 2) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 0, 0) + payload


DONE = message(3, bytes(4))
INTERRUPTED = message(20, b"half", flags=0x12) + message(3, bytes(4), flags=0x12)


def test_a_dump_during_which_the_table_has_changed_is_read_again() -> None:
    channel = Channel(INTERRUPTED, INTERRUPTED, message(20, b"full"), DONE)
    assert _dump._dump(channel, 22, bytes(8)) == [b"full"]  # type: ignore[arg-type]  # a stand-in
    assert channel.requests == 3


def test_a_table_that_never_rests_is_an_error() -> None:
    with pytest.raises(HostError, match="change faster than they can be read"):
        _dump._dump(Channel(*[INTERRUPTED] * 99), 22, bytes(8))  # type: ignore[arg-type]  # a stand-in


@pytest.mark.parametrize("kind", [2, 3], ids=["NLMSG_ERROR", "NLMSG_DONE"])
def test_errors_of_the_kernel_come_through(kind: int) -> None:
    refusal = message(kind, struct.pack("=i", -errno.EPERM))
    with pytest.raises(PermissionError):
        _dump._dump(Channel(refusal), 22, bytes(8))  # type: ignore[arg-type]  # a stand-in


def test_what_cannot_be_understood_is_one_sentence() -> None:
    with pytest.raises(HostError, match=r"^cannot understand the kernel's answer: "):
        _dump._each(_wire.rule, [b"\x02"])


def test_what_a_device_has_carried() -> None:
    before = _dump.interfaces()[0]["lo"].traffic
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _turn in range(3):
            with suppress(ConnectionRefusedError):
                sender.connect(("127.0.0.1", 9))
                sender.send(bytes(100))
    after = _dump.interfaces()[0]["lo"].traffic
    assert after.sent_packets - before.sent_packets >= 3
    assert after.received_bytes - before.received_bytes == after.sent_bytes - before.sent_bytes >= 300
