# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pyroute2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils import _dump, _netlink, _wire
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Dummy,
    EngineError,
    Group,
    Nexthop,
    Object,
    Proxy,
    Route,
    Rule,
    State,
    Tunnel,
    normal_route,
)
from ansible_collections.multihome.extrude.plugins.module_utils._netlink import Writer
from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation
from tests.unit.host import host, snapshot
from tests.unit.netns import WITHOUT_RIGHTS, ip, output
from tests.unit.states import states

TUNNEL = Tunnel("ex-dsl", "192.0.2.1", "203.0.113.2", 17, alias="extrude:acme/office/dsl")
INDEX = {"lo": 1, "a0": 2, "b0": 3, "ex-1": 4, "ex-2": 5, "ex-3": 6, "extrude0": 7, "extrude1": 8}
NAMES = {index: name for name, index in INDEX.items()}


def sent(request: str, /, *words: str, **arguments: Any) -> bytes:
    """The payload of the message that pyroute2 makes of a request."""
    with closing(pyroute2.IPBatch()) as batch:
        getattr(batch, request)(*words, **arguments)
        ((_type, _flags, payload),) = _wire.messages(batch.batch)
    return bytes(payload)


# --- what is sent is what was meant -----------------------------------------------------------------


@given(
    st.builds(
        replace,
        st.just(TUNNEL),
        key=st.none() | st.integers(0, 2**32 - 1),
        ttl=st.integers(0, 255),
        tos=st.integers(0, 255),
        pmtudisc=st.booleans(),
        mtu=st.integers(68, 65511),
        device=st.sampled_from([None, "a0"]),
        extra=st.sampled_from(["", "down"]),
    )
)
def test_every_setting_of_a_tunnel_is_sent(tunnel: Tunnel) -> None:
    arguments = {**_netlink._gre(tunnel, INDEX.__getitem__), "state": _netlink._state(tunnel)}
    payload = sent("link", "set", index=9, ifname=tunnel.name, ifalias=tunnel.alias, **arguments)
    under = sent("link", "add", index=2, ifname="a0")
    assert _wire.devices([payload, under])["ex-dsl"].tunnel == tunnel


def test_what_a_change_leaves_out_would_stay_so_all_is_sent() -> None:
    """net/ipv4/ip_gre.c keeps ignore_df, fwmark and the encapsulation unless told otherwise."""
    payload = sent("link", "set", index=9, **_netlink._gre(TUNNEL, INDEX.__getitem__))
    info = _wire.attributes(_wire.attributes(_wire.attributes(payload, 16)[18])[2])
    assert set(info) == {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 19, 20}


@given(states())
def test_all_other_kinds_are_sent_as_they_will_be_read(state: State) -> None:
    index = INDEX.__getitem__
    for item in state.objects:
        if isinstance(item, Address):
            assert _wire.address(sent("addr", "add", **_netlink._address(item, index)), NAMES) == item
        if isinstance(item, Proxy):
            assert _wire.proxy(sent("neigh", "add", **_netlink._proxy(item, index)), NAMES) == item
        if isinstance(item, Route):
            assert _wire.route(sent("route", "add", **_netlink._route(item, index, deleting=False)), NAMES) == (
                item,
                120,
            )
        if isinstance(item, Rule):
            assert _wire.rule(sent("rule", "add", **_netlink._rule(item))) == (item, 120)


@pytest.mark.parametrize("dummy", [Dummy("extrude0"), Dummy("extrude0", extra="down")], ids=["up", "down"])
def test_a_dummy_is_sent_as_it_will_be_read(dummy: Dummy) -> None:
    arguments = {"kind": _wire.DUMMY, "state": _netlink._state(dummy), "ifalias": dummy.alias}
    assert _wire.device(sent("link", "add", ifname=dummy.name, **arguments)).dummy == dummy


# --- a real kernel ---------------------------------------------------------------------------------


@pytest.fixture
def writer() -> Iterator[Writer]:
    with host(), closing(Writer(_dump.read([]))) as made:
        yield made


def add(writer: Writer, *items: Object) -> None:
    for item in items:
        writer.apply(Operation("add", None, item))


def delete(writer: Writer, *items: Object) -> None:
    for item in items:
        writer.apply(Operation("delete", item))


DEFAULT = normal_route(
    destination="0.0.0.0/0",
    table=4200,
    metric=1,
    type="unicast",
    scope=None,
    source="10.1.0.1",
    nexthops=[Nexthop("a0", weight=15), Nexthop("b0", "10.2.0.9", 4)],
)
DEFAULT6 = Route("::/0", 4200, 1024, nexthops=(Nexthop("a0", "2001:db8:ffff::9", 3), Nexthop("b0", "fe80::8")))
ITEMS: list[Object] = [
    Dummy("extrude0"),
    Group("b0", 4200),
    Address("lo", "203.0.113.10/32"),
    Address("a0", "198.51.100.1/24"),
    Address("a0", "2001:db8::1/64"),
    DEFAULT,
    Route("198.18.0.0/15", 4200, type="unreachable"),
    DEFAULT6,
    Route("2001:db8:9::/48", 4200, 1024, nexthops=(Nexthop("b0"),)),
    Route("2001:db8:8::/48", 4200, 1, type="blackhole"),
    Route("203.0.113.2/32", 4200, type="throw"),
    Rule(4, 4210, 4221, "192.0.2.2/32", mark=0, mask=0x3F000000),
    Rule(4, 4230, 254, suppress_prefixlength=0, suppress_ifgroup=4200),
    Rule(6, 4290, 4200, destination="2001:db8:7::/48", iif="a0", oif="gone"),
    Proxy("a0", "203.0.113.10"),
    Proxy("a0", "2001:db8::77"),
]


@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_what_is_added_is_there_and_what_is_deleted_leaves_no_trace(writer: Writer, item: Object) -> None:
    before = snapshot()
    add(writer, item)
    assert snapshot() != before
    current = _dump.read([4200])
    groups = [Group(device.name, device.group) for device in current.devices.values()]
    routes, rules = [route for route, _protocol in current.routes.values()], [rule for rule, _protocol in current.rules]
    dummies = [device.dummy for device in current.devices.values()]
    assert item in [*dummies, *groups, *current.addresses, *routes, *rules, *current.proxies]
    delete(writer, item)
    assert snapshot() == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (DEFAULT, replace(DEFAULT, type="unreachable", scope="global", nexthops=(), source=None)),
        (DEFAULT, replace(DEFAULT, nexthops=(Nexthop("b0", "10.2.0.9"),), scope="global")),
        (DEFAULT6, replace(DEFAULT6, nexthops=(Nexthop("b0"),))),
        (DEFAULT6, replace(DEFAULT6, nexthops=(), type="blackhole")),
    ],
    ids=str,
)
def test_routes_of_any_form_take_each_others_place(writer: Writer, before: Route, after: Route) -> None:
    add(writer, before)
    for old, new in ((before, after), (after, before)):
        writer.apply(Operation("change", old, new))
        assert _dump.read([4200]).routes == {new.place: (new, 120)}


def test_a_dummy_is_up_and_is_put_right(writer: Writer) -> None:
    dummy = Dummy("extrude0")
    add(writer, dummy, Route("203.0.113.0/24", 4218, scope="link", nexthops=(Nexthop("extrude0"),)))
    ip("link set extrude0 down alias strange")
    found = _dump.read([]).devices["extrude0"].dummy
    assert found == Dummy("extrude0", "strange", "down")
    writer.apply(Operation("change", found, dummy))
    assert _dump.read([]).devices["extrude0"].dummy == dummy
    writer.apply(Operation("change", dummy, found))
    assert _dump.read([]).devices["extrude0"].dummy == found


def test_an_ipv6_address_changes_its_prefix_length(writer: Writer) -> None:
    one, two = Address("lo", "2001:db8::1/64"), Address("lo", "2001:db8::1/128")
    add(writer, one)
    writer.apply(Operation("change", one, two))
    addresses = _dump.read([]).addresses
    assert two in addresses
    assert one not in addresses


def test_ipv6_addresses_are_usable_at_once(writer: Writer) -> None:
    add(writer, Address("a0", "2001:db8::1/64"))
    assert "tentative" not in output("ip", "-6", "addr", "show", "dev", "a0")


def test_proxies_outlive_a_loss_of_carrier(writer: Writer) -> None:
    """With a state other than permanent the kernel drops them."""
    add(writer, Proxy("a0", "203.0.113.10"))
    ip("link set b0 down", "link set b0 up")
    assert Proxy("a0", "203.0.113.10") in _dump.read([]).proxies


def test_a_throw_out_of_the_table_of_local_addresses_stands_before_one_that_comes_or_is_there(writer: Writer) -> None:
    elsewhere = Route("203.0.113.2/32", 255, type="throw")
    ip("route add 203.0.113.2 dev a0")
    for steps in (("add", "give"), ("give", "add")):
        for step in steps:
            if step == "give":
                ip("addr add 203.0.113.2/24 dev b0")
            else:
                add(writer, elsewhere)
        assert "203.0.113.2 dev a0" in output("ip", "route", "get", "203.0.113.2")
        assert _dump.read([255]).routes == {elsewhere.place: (elsewhere, 120)}
        ip("addr del 203.0.113.2/24 dev b0")
        delete(writer, elsewhere)
    assert not _dump.read([255]).routes


# --- deletes hit ours only -------------------------------------------------------------------------


def test_a_delete_passes_by_a_strangers_route_in_the_same_place(writer: Writer) -> None:
    ip("route add 198.18.0.0/15 dev a0 table 4200 proto static")
    with pytest.raises(EngineError, match=r"^cannot delete route 198.18.0.0/15 .*: it is gone$"):
        delete(writer, Route("198.18.0.0/15", 4200, scope="link", nexthops=(Nexthop("a0"),)))
    assert "198.18.0.0/15" in output("ip", "route", "show", "table", "4200")


def test_a_delete_takes_the_route_of_its_own_metric(writer: Writer) -> None:
    routes = [Route("198.18.0.0/15", 4200, metric, type="blackhole") for metric in (0, 1, 9)]
    add(writer, *routes)
    delete(writer, routes[1])
    assert {route.metric for route, _protocol in _dump.read([4200]).routes.values()} == {0, 9}


def test_a_delete_passes_by_a_strangers_rule(writer: Writer) -> None:
    ip("rule add priority 4290 iif a0 lookup 4200 protocol 4")
    add(writer, Rule(4, 4290, 4200))
    delete(writer, Rule(4, 4290, 4200))
    assert "4290:\tfrom all iif a0 lookup 4200" in output("ip", "rule")


NARROW = Rule(4, 4290, 4200, "192.0.2.0/24", iif="a0", mark=5, mask=255)
WIDER = [
    Rule(4, 4290, 4200),
    Rule(4, 4290, 4200, "192.0.2.0/24"),
    Rule(4, 4290, 4200, iif="a0"),
    Rule(4, 4290, 4200, mark=0, mask=255),
]


@pytest.mark.parametrize("wide", WIDER, ids=str)
def test_a_delete_takes_the_very_rule_and_no_narrower_one(writer: Writer, wide: Rule) -> None:
    """The kernel takes what a delete leaves out for any value."""
    add(writer, NARROW, replace(NARROW, oif="b0"), wide)
    delete(writer, wide)
    assert {rule for rule, protocol in _dump.read([]).rules if protocol == 120} == {NARROW, replace(NARROW, oif="b0")}


@pytest.mark.parametrize("wide", WIDER, ids=str)
def test_a_narrower_rule_does_not_keep_a_wider_one_out(writer: Writer, wide: Rule) -> None:
    """The kernel says "File exists", were it for the prefixes alone."""
    narrow = [replace(wide, source="192.0.2.0/24", destination="10.0.0.0/8"), replace(wide, source="192.0.2.0/25")]
    add(writer, *narrow, wide)
    assert {rule for rule, protocol in _dump.read([]).rules if protocol == 120} == {*narrow, wide}


def test_rules_in_each_others_way_step_aside_in_turn(writer: Writer) -> None:
    base = Rule(4, 4290, 4200)
    rules = [
        replace(base, source=source, iif=iif, mark=mark, mask=mask)
        for iif in ("a0", None)
        for source in ("192.0.2.0/24", None)
        for mark, mask in ((5, 255), (0, 255), (None, None))
    ]
    add(writer, *rules)
    assert {rule for rule, protocol in _dump.read([]).rules if protocol == 120} == set(rules)
    gone: set[Rule] = set()
    for number in (4, 11, 0, 7, 10, 5, 3, 9, 1, 8, 2, 6):
        delete(writer, rules[number])
        gone.add(rules[number])
        assert {rule for rule, protocol in _dump.read([]).rules if protocol == 120} == set(rules) - gone


def test_rules_that_were_there_before_the_run_are_minded_too() -> None:
    with host():
        ip("rule add priority 4290 from 192.0.2.0/24 iif a0 fwmark 5/255 lookup 4200 protocol 120")
        with closing(Writer(_dump.read([]))) as writer:
            add(writer, WIDER[0])
            delete(writer, WIDER[0])
        assert [rule for rule, protocol in _dump.read([]).rules if protocol == 120] == [NARROW]


@pytest.mark.parametrize("promote", ["0", "1"])
def test_a_primary_address_goes_alone(writer: Writer, promote: str) -> None:
    output("sysctl", "-q", f"net.ipv4.conf.a0.promote_secondaries={promote}")
    add(writer, Address("a0", "198.51.100.1/24"), Address("a0", "198.51.100.2/24"))
    delete(writer, Address("a0", "198.51.100.1/24"))
    assert Address("a0", "198.51.100.2/24") in _dump.read([]).addresses
    assert output("sysctl", "-n", "net.ipv4.conf.a0.promote_secondaries") == f"{promote}\n"


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dummy", "ifb"])
def test_the_module_that_a_device_takes_is_named(kind: str) -> None:
    operation = Operation("add", None, Dummy("x0", kind=kind))
    words = rf": this kernel has no {kind} devices \(module {kind}\)$"
    with pytest.raises(EngineError, match=words), _netlink._explained(operation, LookupError):
        raise LookupError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        (
            TUNNEL,
            "cannot add tunnel ex-dsl 192.0.2.1 -> 203.0.113.2 key 17: this kernel has no GRE tunnels (module ip_gre)",
        ),
        (Address("c0", "192.0.2.1/32"), "there is no device c0 on this host"),
        (
            Route("0.0.0.0/0", 9, nexthops=(Nexthop("a0", "192.0.2.1"),)),
            (
                "cannot add route 0.0.0.0/0 table 9 metric 0 via 192.0.2.1 dev a0 weight 1:"
                " a gateway is not reachable on its device"
            ),
        ),
        (
            Route("0.0.0.0/0", 9, scope="link", source="192.0.2.1", nexthops=(Nexthop("a0"),)),
            "cannot add route 0.0.0.0/0 table 9 metric 0 dev a0 weight 1: Invalid prefsrc address",
        ),
        (Address("a0", "10.1.0.1/24"), "cannot add address 10.1.0.1/24 on a0: "),
    ],
    ids=["tunnel", "device", "gateway", "source", "exists"],
)
def test_what_the_kernel_refuses_is_one_sentence(writer: Writer, item: Object, sentence: str) -> None:
    before = snapshot()
    with pytest.raises(EngineError) as error:
        add(writer, item)
    assert str(error.value).startswith(sentence)
    assert snapshot() == before


def test_a_device_that_is_down_is_told(writer: Writer) -> None:
    ip("link set a0 down")
    with pytest.raises(EngineError, match="a device of a next hop is down"):
        add(writer, Route("0.0.0.0/0", 9, scope="link", nexthops=(Nexthop("a0"),)))


def test_a_device_that_went_away_meanwhile_is_told(writer: Writer) -> None:
    ip("link del a0")
    with pytest.raises(EngineError, match=r"^cannot add proxy 203.0.113.10 on a0: a device that it needs is gone$"):
        add(writer, Proxy("a0", "203.0.113.10"))


def run(code: str) -> subprocess.CompletedProcess[str]:
    head = (
        "import os, sys\n"
        "from ansible_collections.multihome.extrude.plugins.module_utils import _dump, _netlink\n"
        "from ansible_collections.multihome.extrude.plugins.module_utils._model import Address\n"
        "from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation\n"
    )
    command = [sys.executable, "-c", head + code]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_without_permission_there_is_one_sentence() -> None:
    with host():
        done = run(
            f"{WITHOUT_RIGHTS}\n"
            "writer = _netlink.Writer(_dump.read([]))\n"
            "try: writer.apply(Operation('add', None, Address('lo', '192.0.2.1/32')))\n"
            "except _netlink.EngineError as error: print(error)\n"
        )
    assert done.stdout == ("cannot add address 192.0.2.1/32 on lo: not permitted; it takes root (CAP_NET_ADMIN)\n"), (
        done.stderr
    )


def test_without_pyroute2_there_is_one_sentence() -> None:
    with host():
        done = run(
            "sys.modules['pyroute2'] = None\n"
            "print(_netlink.has_pyroute2())\n"
            "try: _netlink.Writer(_dump.read([]))\n"
            "except _netlink.EngineError as error: print(error)\n"
        )
    assert done.stdout.startswith("False\npyroute2 is missing on this host (Debian package python3-pyroute2)"), (
        done.stderr
    )


def test_pyroute2_is_imported_only_to_write() -> None:
    with host():
        done = run("_dump.read([])\nassert _netlink.has_pyroute2()\nprint('pyroute2' in sys.modules)\n")
    assert done.stdout == "False\n", done.stderr


class Refusing:
    """A kernel with GRE that refuses to set an alias."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def link(self, verb: str, **arguments: Any) -> None:
        self.seen.append((verb, arguments.get("ifname"), arguments.get("index"), arguments.get("ifalias")))
        if arguments.get("ifalias"):
            raise pyroute2.NetlinkError(22, "Invalid argument")

    addr = link

    def close(self) -> None:
        pass


@pytest.mark.parametrize("device", [TUNNEL, Dummy("extrude0")], ids=str)
def test_a_device_that_cannot_be_finished_is_taken_away(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, device: Tunnel | Dummy
) -> None:
    kernel = Refusing()
    monkeypatch.setattr(writer, "_ipr", kernel)
    monkeypatch.setattr("socket.if_nametoindex", lambda _name: 99)
    with pytest.raises(EngineError, match=rf"^cannot add {device}: Invalid argument$"):
        add(writer, device)
    assert kernel.seen == [
        ("add", device.name, None, None),
        ("set", None, 99, device.alias),
        ("del", None, 99, None),
    ]
    with pytest.raises(EngineError, match=rf"there is no device {device.name}"):
        add(writer, Address(device.name, "10.254.0.1/31"))
