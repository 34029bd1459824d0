# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import struct
from contextlib import closing, suppress
from typing import Any

import pyroute2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils import _wire
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    ROUTE_TYPES,
    Address,
    Device,
    Dummy,
    Nexthop,
    Proxy,
    Route,
    Rule,
    Shaper,
    Tunnel,
)

V4, V6 = 2, 10
NAMES = {1: "lo", 2: "a0", 3: "b0"}


def encoded(request: str, /, **arguments: Any) -> bytes:
    """The payload of the message that pyroute2 makes of a request: a dump has the same form."""
    with closing(pyroute2.IPBatch()) as batch:
        getattr(batch, request)("add", **arguments)
        ((_type, _flags, payload),) = _wire.messages(batch.batch)
    return bytes(payload)


def attribute(number: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), number) + data + bytes(-len(data) % 4)


def qdisc(kind: str, options: bytes, handle: int = 0x780000, parent: int = 0xFFFFFFFF) -> bytes:
    """RTM_NEWQDISC of a0 (struct tcmsg)."""
    head = struct.pack("=BxxxiIII", 0, 2, handle, parent, 0)
    return head + attribute(1, kind.encode() + b"\0") + attribute(2, options)


CAKE = {3: 1, 4: 0, 5: 4, 6: 30, 7: 100_000, 8: 5000, 9: 0, 10: 0, 11: 0, 13: 0, 14: 64, 15: 0, 16: 0, 17: 1, 18: 0}
"""What the kernel tells of CAKE as we make it (net/sched/sch_cake.c, cake_dump), but for the rate."""


def cake(rate: int = 2_375_000, **changes: int) -> bytes:
    """The options of CAKE; *rate* is in bytes a second, and changes go by the number behind the letter n."""
    values = {**CAKE, **{int(name[1:]): value for name, value in changes.items()}}
    return attribute(2, struct.pack("=Q", rate)) + b"".join(
        attribute(number, struct.pack("=I", value)) for number, value in values.items()
    )


# --- messages and attributes -----------------------------------------------------------------------


def test_a_datagram_falls_into_its_messages() -> None:
    datagram = bytes.fromhex(
        "18000000 1400 0200 00000000 00000000 0102030405060708"
        "15000000 1400 1000 00000000 00000000 0102030405 000000"
        "14000000 0300 0200 00000000 00000000 00000000"
    )
    assert list(_wire.messages(datagram)) == [
        (20, 2, bytes([1, 2, 3, 4, 5, 6, 7, 8])),
        (20, 16, bytes([1, 2, 3, 4, 5])),
        (3, 2, bytes(4)),
    ]


def test_attributes_lose_their_flags_and_padding() -> None:
    data = b"head" + attribute(0x8012, b"abcde") + attribute(7, b"")
    assert _wire.attributes(data, 4) == {0x12: b"abcde", 7: b""}


# --- devices --------------------------------------------------------------------------------------

GRE = {
    "ifname": "ex-dsl",
    "kind": "gre",
    "mtu": 1472,
    "gre_local": "192.0.2.1",
    "gre_remote": "203.0.113.2",
    "gre_ttl": 64,
    "gre_tos": 0,
    "gre_pmtudisc": 1,
    "gre_iflags": 0x2000,
    "gre_oflags": 0x2000,
    "gre_ikey": 17,
    "gre_okey": 17,
    "gre_link": 0,
    "state": "up",
    "ifalias": "extrude:acme/office/dsl",
}
TUNNEL = Tunnel(
    "ex-dsl", "192.0.2.1", "203.0.113.2", 17, 64, 0, pmtudisc=True, mtu=1472, alias="extrude:acme/office/dsl"
)


def device_of(**changes: Any) -> Device:
    return _wire.device(encoded("link", **{**GRE, **changes}))


def tunnel_of(**changes: Any) -> Tunnel:
    tunnel = device_of(**changes).tunnel
    assert tunnel is not None
    return tunnel


def test_a_gre_device_is_a_tunnel() -> None:
    assert device_of(group=4200) == Device("ex-dsl", 0, "gre", "extrude:acme/office/dsl", 4200, TUNNEL)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"gre_iflags": 0, "gre_oflags": 0, "gre_ikey": 0, "gre_okey": 0}, "key", None),
        ({"gre_ikey": 0, "gre_okey": 0}, "key", 0),
        ({"gre_ikey": 2**32 - 1, "gre_okey": 2**32 - 1}, "key", 2**32 - 1),
        ({"gre_ttl": 0}, "ttl", 0),
        ({"gre_tos": 1}, "tos", 1),
        ({"gre_pmtudisc": 0}, "pmtudisc", False),
        ({"mtu": 65511}, "mtu", 65511),
        ({"gre_remote": "0.0.0.0"}, "remote", "0.0.0.0"),
        ({"gre_link": 3}, "device", "3"),
        ({"state": "down"}, "extra", "down"),
        ({"gre_iflags": 0xA000, "gre_oflags": 0xA000}, "extra", "flags 0xa000/0xa000 keys [17, 17]"),
        ({"gre_okey": 18}, "extra", "flags 0x2000/0x2000 keys [17, 18]"),
        ({"gre_oflags": 0}, "extra", "flags 0x2000/0x0 keys [17, 17]"),
        ({"gre_encap_type": 1}, "extra", "encap"),
        ({"gre_ignore_df": 1}, "extra", "ignore-df"),
        ({"gre_fwmark": 5}, "extra", "fwmark"),
        ({"gre_encap_type": 0, "gre_ignore_df": 0, "gre_fwmark": 0}, "extra", ""),
    ],
)
def test_each_setting_of_a_tunnel_is_read(changes: dict[str, Any], field: str, value: object) -> None:
    assert getattr(tunnel_of(**changes), field) == value


def test_what_the_kernel_leaves_out_has_its_default() -> None:
    info = attribute(1, b"gre\0") + attribute(2, attribute(18, b""))
    payload = struct.pack("=BxHiII", 0, 778, 5, 1, 0) + attribute(3, b"g1\0") + attribute(18, info)
    tunnel = _wire.device(payload).tunnel
    assert tunnel == Tunnel("g1", "0.0.0.0", "0.0.0.0", None, 0, 0, pmtudisc=True, mtu=0, extra="external")


def test_other_devices_and_fallback_tunnels_are_no_tunnels_of_ours() -> None:
    assert device_of(ifname="gre0").tunnel is None
    assert _wire.device(encoded("link", ifname="br0", kind="bridge")) == Device("br0", 0, "bridge")


@pytest.mark.parametrize(("state", "extra"), [("up", ""), ("down", "down")])
def test_a_dummy_is_read_with_its_alias(state: str, extra: str) -> None:
    payload = encoded("link", ifname="extrude0", kind="dummy", state=state, ifalias="extrude:dummy")
    dummy = Dummy("extrude0", "extrude:dummy", extra)
    assert _wire.device(payload) == Device("extrude0", 0, "dummy", "extrude:dummy", dummy=dummy)


def test_the_underlying_device_of_a_tunnel_is_named() -> None:
    under = struct.pack("=BxHiII", 0, 1, 3, 1, 0) + attribute(3, b"dsl0\0")
    found = _wire.devices([encoded("link", **{**GRE, "gre_link": 3}), under])
    assert found["ex-dsl"].tunnel is not None
    assert found["ex-dsl"].tunnel.device == "dsl0"
    found = _wire.devices([encoded("link", **{**GRE, "gre_link": 9}), under])
    assert found["ex-dsl"].tunnel is not None
    assert found["ex-dsl"].tunnel.device == "#9"


def test_names_that_are_no_utf8_do_not_stop_anything() -> None:
    payload = struct.pack("=BxHiII", 0, 1, 3, 1, 0) + attribute(3, b"d\xffl0\0") + attribute(20, b"\xfe")
    assert _wire.device(payload).name == "d�l0"


# --- addresses and proxies ------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["203.0.113.10/32", "10.254.0.1/31", "2001:db8::1/127", "::ffff:192.0.2.1/128"])
def test_addresses(address: str) -> None:
    plain, length = address.split("/")
    family = V6 if ":" in address else V4
    payload = encoded("addr", index=2, address=plain, prefixlen=int(length), family=family)
    assert _wire.address(payload, NAMES) == Address("a0", address)
    assert _wire.address(payload, {1: "lo"}) is None


def test_the_own_end_of_a_point_to_point_address_counts() -> None:
    payload = encoded("addr", index=2, local="10.0.0.1", address="10.0.0.2", prefixlen=32, family=V4)
    assert _wire.address(payload, NAMES) == Address("a0", "10.0.0.1/32")


@pytest.mark.parametrize(
    ("family", "address", "flags", "scope", "device"),
    [
        (V6, "2001:db8::1", 0, 0, "a0"),
        (V6, "2001:db8::1", 0x80, 0, None),
        (V6, "fe80::1", 0, 253, None),
        (V4, "203.0.113.10", 0, 0, None),
    ],
    ids=["learnt", "permanent", "of the link", "IPv4"],
)
def test_addresses_that_end_unless_renewed(
    family: int, address: str, flags: int, scope: int, device: str | None
) -> None:
    payload = encoded("addr", index=2, address=address, prefixlen=64 if family == V6 else 24, family=family)
    payload = payload[:2] + bytes([0, scope]) + payload[4:8] + attribute(1, socket.inet_pton(family, address))
    assert _wire.expiring(payload + attribute(8, struct.pack("=I", flags)), NAMES) == device


@pytest.mark.parametrize(("address", "family"), [("203.0.113.10", V4), ("2001:db8::10", V6)])
def test_proxies_and_no_other_neighbours(address: str, family: int) -> None:
    proxy = encoded("neigh", family=family, dst=address, ifindex=2, flags=8, state=128)
    assert _wire.proxy(proxy, NAMES) == Proxy("a0", address)
    neighbour = encoded("neigh", family=family, dst=address, ifindex=2, lladdr="02:00:00:00:00:01", state=128)
    assert _wire.proxy(neighbour, NAMES) is None
    assert _wire.proxy(proxy, {}) is None


# --- routes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "route"),
    [
        (
            {"dst": "198.18.0.0/15", "oif": 2, "scope": 253, "priority": 5, "prefsrc": "10.1.0.1"},
            Route("198.18.0.0/15", 4200, 5, "unicast", "link", "10.1.0.1", (Nexthop("a0"),)),
        ),
        (
            {"dst": "0.0.0.0/0", "oif": 2, "gateway": "10.1.0.9"},
            Route("0.0.0.0/0", 4200, 0, nexthops=(Nexthop("a0", "10.1.0.9"),)),
        ),
        (
            {"dst": "0.0.0.0/0", "scope": 253, "multipath": [{"oif": 3, "hops": 3}, {"oif": 2, "hops": 0}]},
            Route("0.0.0.0/0", 4200, 0, scope="link", nexthops=(Nexthop("a0"), Nexthop("b0", weight=4))),
        ),
        (
            {
                "dst": "::/0",
                "family": V6,
                "priority": 7,
                "multipath": [{"oif": 2, "hops": 254, "gateway": "fe80::9"}, {"oif": 3, "gateway": "2001:db8::9"}],
            },
            Route("::/0", 4200, 7, nexthops=(Nexthop("a0", "fe80::9", 255), Nexthop("b0", "2001:db8::9"))),
        ),
        ({"dst": "198.18.0.0/15", "type": 6}, Route("198.18.0.0/15", 4200, 0, "blackhole")),
        ({"dst": "2001:db8::/32", "type": 7, "family": V6}, Route("2001:db8::/32", 4200, 1024, "unreachable")),
        ({"dst": "198.18.0.0/15", "type": 8, "oif": 1}, Route("198.18.0.0/15", 4200, 0, "prohibit")),
        ({"dst": "198.18.0.0/15", "oif": 9}, Route("198.18.0.0/15", 4200, 0, nexthops=(Nexthop("#9"),))),
    ],
)
def test_routes(arguments: dict[str, Any], route: Route) -> None:
    values = {"family": V4, "type": 1, "scope": 0, "table": 4200, "proto": 120, **arguments}
    assert _wire.route(encoded("route", **values), NAMES) == (route, 120)


def test_a_table_beyond_255_stands_in_an_attribute() -> None:
    payload = struct.pack("=8BI", V4, 0, 0, 0, 252, 4, 253, 1, 0)
    payload += attribute(4, struct.pack("=I", 2)) + attribute(15, struct.pack("=I", 4200))
    found = _wire.route(payload, NAMES)
    assert found is not None
    assert (found[0].table, found[1]) == (4200, 4)


def test_an_ipv6_gateway_of_an_ipv4_route_is_read() -> None:
    """RTA_VIA (RFC 5549)."""
    payload = struct.pack("=8BI", V4, 0, 0, 0, 254, 120, 0, 1, 0) + attribute(4, struct.pack("=I", 2))
    payload += attribute(18, struct.pack("=H", V6) + bytes([0xFE, 0x80]) + bytes(13) + b"\x09")
    assert _wire.route(payload, NAMES) == (Route("0.0.0.0/0", nexthops=(Nexthop("a0", "fe80::9"),)), 120)


@pytest.mark.parametrize(("destination", "default"), [("198.18.0.0/15", False), ("0.0.0.0/0", True)])
def test_a_quick_look_at_a_route(destination: str, default: bool) -> None:
    payload = encoded("route", family=V4, type=1, scope=0, table=254, proto=4, dst=destination, oif=2)
    assert _wire.is_default(payload) is default


def test_every_type_of_route_is_told_apart() -> None:
    assert set(_wire._TYPES.values()) == set(ROUTE_TYPES)


@pytest.mark.parametrize(
    "changes",
    [{"tos": 16}, {"type": 2}, {"type": 3}, {"family": 128}, {"flags": 0x200}],
    ids=["tos", "local", "broadcast", "multicast family", "cloned"],
)
def test_other_routes_are_passed_over(changes: dict[str, int]) -> None:
    head = {"family": V4, "tos": 0, "type": 1, "flags": 0, **changes}
    payload = struct.pack("=8BI", head["family"], 0, 0, head["tos"], 254, 120, 0, head["type"], head["flags"])
    assert _wire.route(payload, NAMES) is None


# --- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, Rule(4, 4210, 4221)),
        ({"src": "192.0.2.2", "src_len": 32}, Rule(4, 4210, 4221, source="192.0.2.2/32")),
        ({"dst": "192.0.2.0", "dst_len": 24}, Rule(4, 4210, 4221, destination="192.0.2.0/24")),
        ({"iifname": "lo", "oifname": "b0"}, Rule(4, 4210, 4221, iif="lo", oif="b0")),
        ({"fwmark": 1}, Rule(4, 4210, 4221, mark=1, mask=0xFFFFFFFF)),
        ({"fwmark": 1, "fwmask": 255}, Rule(4, 4210, 4221, mark=1, mask=255)),
        ({"suppress_prefixlen": 0}, Rule(4, 4210, 4221, suppress_prefixlength=0)),
        ({"suppress_ifgroup": 4200}, Rule(4, 4210, 4221, suppress_ifgroup=4200)),
        (
            {"family": V6, "src": "2001:db8::", "src_len": 48, "table": 254},
            Rule(6, 4210, 254, source="2001:db8::/48"),
        ),
    ],
)
def test_rules(arguments: dict[str, Any], rule: Rule) -> None:
    values = {"family": V4, "priority": 4210, "table": 4221, "protocol": 120, **arguments}
    assert _wire.rule(encoded("rule", **values)) == (rule, 120)


def test_a_mark_of_0_is_reported_by_its_mask_alone() -> None:
    payload = struct.pack("=8BI", V4, 0, 0, 0, 9, 0, 0, 1, 0) + attribute(6, struct.pack("=I", 5))
    payload += attribute(16, struct.pack("=I", 0x3F)) + attribute(14, b"\xff" * 4) + attribute(13, b"\xff" * 4)
    assert _wire.rule(payload) == (Rule(4, 5, 9, mark=0, mask=0x3F), 0)


def test_rules_of_other_families_are_passed_over() -> None:
    assert _wire.rule(struct.pack("=8BI", 128, 0, 0, 0, 9, 0, 0, 1, 0)) is None


# --- broken messages ------------------------------------------------------------------------------

SAMPLES = [
    encoded("link", **GRE),
    encoded("addr", index=2, address="10.254.0.1", prefixlen=31, family=V4),
    encoded("neigh", family=V6, dst="2001:db8::10", ifindex=2, flags=8, state=128),
    encoded("route", family=V4, dst="0.0.0.0/0", table=4200, multipath=[{"oif": 3, "hops": 3}, {"oif": 2}]),
    encoded("rule", family=V4, priority=5, table=4200, src="192.0.2.2", src_len=32, fwmark=1, iifname="a0"),
]


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Samples that are cut, and have some bytes changed."""
    data = bytearray(draw(st.sampled_from(SAMPLES) | st.binary(max_size=80)))
    for position, value in draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6)):
        if position < len(data):
            data[position] = value
    return bytes(data[: draw(st.integers(0, len(data)))])


@given(broken())
def test_broken_messages_raise_only_what_the_reader_turns_into_a_sentence(data: bytes) -> None:
    list(_wire.messages(data))
    for decode in (
        lambda: _wire.devices([data]),
        lambda: _wire.address(data, NAMES),
        lambda: _wire.proxy(data, NAMES),
        lambda: _wire.route(data, NAMES),
        lambda: _wire.rule(data),
    ):
        with suppress(struct.error, ValueError, IndexError):
            decode()


# --- queueing disciplines --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shaper"),
    [
        (cake(), Shaper("a0", 19_000)),
        (cake(125, n15=1), Shaper("a0", 1, received=True)),
        (cake(126), Shaper("a0", 1, extra="rate")),
        (cake(n3=0, n5=7, n11=1), Shaper("a0", 19_000, extra="diffserv flows nat")),
        (cake(n6=0, n12=0), Shaper("a0", 19_000, extra="overhead raw")),
    ],
)
def test_cake_of_ours(options: bytes, shaper: Shaper) -> None:
    assert _wire.queue(qdisc("cake", options), NAMES) == _wire.Queue(2, "a0", "cake 78:", False, shaper)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (qdisc("cake", cake(), handle=0x90000), "cake 9:"),
        (qdisc("htb", b"", handle=0x780000), "htb 78:"),
    ],
)
def test_what_others_have_put_there(payload: bytes, words: str) -> None:
    assert _wire.queue(payload, NAMES) == _wire.Queue(2, "a0", words, False, None)


@pytest.mark.parametrize(
    "payload", [qdisc("fq_codel", b"", handle=0), qdisc("cake", cake(), parent=0x10001), qdisc("ingress", b"", 0)]
)
def test_what_is_below_another_or_of_the_kernel_is_nobodys(payload: bytes) -> None:
    assert _wire.queue(payload, NAMES) is None
