# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPNetwork

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import SETTINGS, check_ipv6, read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Wan
from tests.unit.plugins.plugin_utils.samples import cable, changed, dsl, noted, reader

NAME = "1 to 8 of the characters a-z 0-9 -"
DEVICE = "a network device: 1 to 15 of the characters A-Z a-z 0-9 _ . - and neither lo nor one of our tunnels (ex-*)"
STATIC = f"{DEVICE}; a pattern is for links without address and gateway"
UNLESS = "or neither address nor gateway where the provider gives them"
LINK = "an IPv4 address, with the prefix length of the link where it has one"
BYTE = "a whole number from 1 to 255"
DEVICES = "a network device, or a pattern of devices such as ppp*: up to 15 of the characters A-Z a-z 0-9 _ . - and a *"
DEVICES += ", and neither lo nor one of our tunnels (ex-*)"
MATCHES = (
    "the ipparam or linkname of pppd, or NetworkManager's name of the connection: 1 to 64 characters without blanks"
)
MATCH = "is for links whose device isn't known; leave it out, or leave out address and gateway"
RATE = "Mbit/s, more than 0 and up to 1000000"
LINKS = "give a list of dictionaries such as {name: dsl, interface: eth1, address: 192.0.2.2/24, gateway: 192.0.2.1}"


def problems(*wans: Any) -> list[str]:
    one = reader({"extrude_wans": list(wans)})
    read_wans(one)
    return noted(one)


def test_a_link_with_its_defaults() -> None:
    one = reader({"extrude_wans": [dsl(), cable()]})
    first, second = read_wans(one)
    assert first == Wan(
        path="extrude_wans[0]",
        name="dsl",
        interface="dsl0",
        slot=1,
        dynamic=False,
        match=None,
        address=IPNetwork("192.0.2.2/24"),
        gateway=IPNetwork("192.0.2.1/32"),
        mtu=1500,
        ipsec=False,
        nat=False,
        metric=1,
        weight=None,
        up=None,
        down=None,
        detect=None,
        hold_down=2,
        hold_down_max=30,
    )
    assert (first.tunnel, first.tunnel_mtu, second.slot) == ("ex-dsl", 1472, 2)
    assert noted(one) == []


def test_a_link_with_all_its_keys() -> None:
    more = {"slot": 9, "up": 2.5, "down": 10, "weight": 7, "metric": 2, "mtu": 1492, "nat": False, "ipsec": False}
    more |= {"detect": 600, "hold_down": 40}
    one = reader({"extrude_wans": [dsl(**more)]})
    (wan,) = read_wans(one)
    assert (wan.slot, wan.up, wan.down, wan.weight, wan.metric, wan.mtu) == (9, 2.5, 10, 7, 2, 1492)
    assert (wan.detect, wan.hold_down, wan.hold_down_max) == (600, 40, 40)
    assert noted(one) == []


@pytest.mark.parametrize(("address", "gateway"), [("192.0.2.2", "192.0.2.1"), ("192.0.2.2/24", "198.51.100.9")])
def test_a_gateway_may_lie_outside_the_links_network(address: str, gateway: str) -> None:
    assert problems(dsl(address=address, gateway=gateway)) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ...}, f"name: is missing; give {NAME}"),
        ({"name": "too-long-x"}, f"name: 'too-long-x' does not fit; give {NAME}"),
        ({"name": "DSL"}, f"name: 'DSL' does not fit; give {NAME}"),
        ({"name": "a_b"}, f"name: 'a_b' does not fit; give {NAME}"),
        ({"name": ""}, f"name: '' does not fit; give {NAME}"),
        ({"name": 5}, f"name: 5 is not a text (quotes make it one); give {NAME}"),
        ({"interface": ...}, f"interface: is missing; give {STATIC}"),
        ({"interface": "ex-dsl"}, f"interface: 'ex-dsl' does not fit; give {STATIC}"),
        ({"slot": 0}, "slot: 0 is out of range; give a whole number from 1 to 16"),
        ({"slot": 17}, "slot: 17 is out of range; give a whole number from 1 to 16"),
        ({"slot": "1"}, "slot: '1' is a text, as quotes and -e NAME=VALUE make it; give a whole number from 1 to 16"),
        ({"address": ...}, f"address: is missing; give {LINK}, {UNLESS}"),
        ({"gateway": ...}, f"gateway: is missing; give one IPv4 address, {UNLESS}"),
        ({"match": "isp"}, f"match: {MATCH}"),
        ({"interface": "ppp*"}, f"interface: 'ppp*' does not fit; give {STATIC}"),
        ({"address": "192.0.2.300"}, f"address: '192.0.2.300' is not an IPv4 address; give {LINK}, {UNLESS}"),
        (
            {"address": "192.0.2.2/33"},
            f"address: '192.0.2.2/33' has no prefix length from /1 to /32; give {LINK}, {UNLESS}",
        ),
        (
            {"address": "192.0.2.0/24"},
            (
                "address: '192.0.2.0/24' is the network's own or its broadcast address, not that of a host; "
                f"give {LINK}, {UNLESS}"
            ),
        ),
        ({"address": "2001:db8::2/64"}, f"address: '2001:db8::2/64' is not an IPv4 address; give {LINK}, {UNLESS}"),
        (
            {"gateway": "192.0.2.1/24"},
            f"gateway: '192.0.2.1/24' is a prefix, and not a single address; give one IPv4 address, {UNLESS}",
        ),
        (
            {"gateway": "192.0.2.2"},
            "gateway: 192.0.2.2 is the address of the link itself; give that of the provider's router",
        ),
        ({"weight": 0}, f"weight: 0 is out of range; give {BYTE}"),
        ({"weight": 256}, f"weight: 256 is out of range; give {BYTE}"),
        ({"weight": 1.5}, f"weight: 1.5 is not a whole number; give {BYTE}"),
        ({"metric": 0}, f"metric: 0 is out of range; give {BYTE}"),
        ({"metric": 256}, f"metric: 256 is out of range; give {BYTE}"),
        ({"mtu": 575}, "mtu: 575 is out of range; give a whole number from 576 to 9216"),
        ({"mtu": 9217}, "mtu: 9217 is out of range; give a whole number from 576 to 9216"),
        ({"up": 0}, f"up: 0 is out of range; give {RATE}"),
        ({"down": "100M"}, f"down: '100M' is not a number; give {RATE}"),
        ({"detect": 29}, "detect: 29 is out of range; give a whole number from 30 to 60000"),
        ({"hold_down": 0}, "hold_down: 0 is out of range; give a whole number from 1 to 3600"),
        ({"hold_down": 9, "hold_down_max": 8}, "hold_down_max: 8 is less than hold_down, 9; give 9 or more"),
        (
            {"nat": True, "ipsec": False},
            "ipsec: false does not go with nat: GRE can't pass NAT without IPsec; leave out one of both",
        ),
        ({"nat": "yes"}, "nat: 'yes' is a text, as quotes and -e NAME=VALUE make it; give true or false"),
        ({"ipsec": 1}, "ipsec: 1 is not a truth value; give true or false"),
        ({"ipsec": "no"}, "ipsec: 'no' is a text, as quotes and -e NAME=VALUE make it; give true or false"),
        ({"gatway": 1}, "gatway: is not known; the nearest known key is gateway"),
        ({"wieght": 1}, "wieght: is not known; the nearest known key is weight"),
    ],
)
def test_problems_of_a_link(changes: dict[str, Any], problem: str) -> None:
    assert problems(cable(slot=5), dsl(**{"slot": 1, **changes})) == [f"office: extrude_wans[1].{problem}"]


def dynamic(**more: Any) -> dict[str, Any]:
    return dsl(address=..., gateway=..., **more)


@pytest.mark.parametrize("key", [*SETTINGS, "slot"])
def test_a_setting_with_nothing_behind_it_is_not_the_default(key: str) -> None:
    (problem,) = problems(dsl(**{key: None}))
    assert problem.startswith(f"office: extrude_wans[0].{key}: is empty; leave it out, or give ")


def test_an_address_with_nothing_behind_it_makes_no_dynamic_link() -> None:
    assert problems(dsl(address=None, gateway=None)) == [
        f"office: extrude_wans[0].address: is empty; give {LINK}, {UNLESS}",
        f"office: extrude_wans[0].gateway: is empty; give one IPv4 address, {UNLESS}",
    ]


def test_a_link_without_address_and_gateway_is_dynamic() -> None:
    one = reader({"extrude_wans": [dynamic(), dynamic(name="lte", interface="wwan*", match="isp b")]})
    wired, lte = read_wans(one)
    assert noted(one) == ["office: extrude_wans[1].match: 'isp b' does not fit; give " + MATCHES]
    assert (wired.dynamic, wired.interface, lte.interface) == (True, "dsl0", "wwan*")
    assert (wired.device, wired.source, wired.router, wired.endpoint) == (
        "{dsl.device}",
        "{dsl.address}",
        "{dsl.gateway}",
        "{dsl.endpoint}",
    )


@pytest.mark.parametrize(
    "interface", ["*", "e*", "ex*", "ex-*", "ex1*", "lo", "p*p", "ppp**", "pppppppppppppppp*", "ppp?"]
)
def test_patterns_that_are_none(interface: str) -> None:
    text = f"'{interface}' does not fit; give {DEVICES}"
    assert problems(dynamic(interface=interface)) == [f"office: extrude_wans[0].interface: {text}"]


def test_two_links_may_have_one_pattern_where_pppd_tells_them_apart() -> None:
    first, second = dynamic(interface="ppp*", match="a"), dynamic(name="b", interface="ppp*", match="b")
    assert problems(first, second) == []
    assert problems(first, {**second, "match": "a"}) == [
        "office: extrude_wans[1].match: 'a' is also the match of extrude_wans[0]; give its own"
    ]
    assert problems(dynamic(interface="ppp*"), dynamic(name="b", interface="ppp*")) == [
        "office: extrude_wans[1].interface: 'ppp*' is also the interface of extrude_wans[0]; give its own"
    ]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "dsl"}, "name: 'dsl' is also the name of extrude_wans[0]; give its own"),
        ({"interface": "dsl0"}, "interface: 'dsl0' is also the interface of extrude_wans[0]; give its own"),
        ({"slot": 1}, "slot: 1 is also the slot of extrude_wans[0] (by its position); give its own"),
    ],
)
def test_what_two_links_have_in_common(changes: dict[str, Any], problem: str) -> None:
    assert problems(dsl(), cable(**changes)) == [f"office: extrude_wans[1].{problem}"]


@pytest.mark.parametrize(
    ("first", "second", "problems_of"),
    [
        ({"weight": 3}, {}, ["[1].weight: is missing: extrude_wans[0]"]),
        ({"up": 20}, {"weight": 3, "up": 20}, ["[0].weight: is missing: extrude_wans[1]"]),
        ({"up": 20, "down": 50}, {"up": 10}, ["[1].down: is missing: extrude_wans[0]"]),
        ({}, {"up": 10, "down": 9}, ["[0].up: is missing: extrude_wans[1]", "[0].down: is missing: extrude_wans[1]"]),
    ],
)
def test_links_of_a_tier_share_by_the_same(
    first: dict[str, Any], second: dict[str, Any], problems_of: list[str]
) -> None:
    told = " of the same metric has one, and links share by that; give it to all of metric 1 or to none"
    assert problems(dsl(**first), cable(**second)) == [f"office: extrude_wans{text}{told}" for text in problems_of]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"weight": 3, "up": 20}, {"weight": 1}),
        ({"weight": 3}, {"metric": 2, "up": 20}),
        ({"up": 20}, {"up": 10}),
    ],
)
def test_links_that_share_by_the_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert problems(dsl(**first), cable(**second)) == []


def test_a_wrong_rate_is_told_once() -> None:
    assert problems(dsl(up=0), cable(up=5)) == [f"office: extrude_wans[0].up: 0 is out of range; give {RATE}"]


def test_a_slot_that_is_another_links_default() -> None:
    text = "office: extrude_wans[1].slot: 2 (by its position) is also the slot of extrude_wans[0]; give its own"
    assert problems(dsl(slot=2), cable()) == [text]


def many(count: int) -> list[dict[str, Any]]:
    return [dsl(name=f"w{n}", interface=f"eth{n}", address=f"192.0.2.{n + 10}") for n in range(count)]


def test_sixteen_links_are_the_limit() -> None:
    assert problems(*many(16)) == []
    assert problems(*many(17)) == ["office: extrude_wans: has 17 links; give 1 to 16"]


@pytest.mark.parametrize(
    ("wans", "problem"),
    [
        ({}, f"is missing; {LINKS}"),
        ({"extrude_wans": []}, "is empty; give 1 to 16 links"),
        ({"extrude_wans": None}, f"is empty; {LINKS}"),
        ({"extrude_wans": dsl()}, f"a dictionary is not a list; {LINKS}"),
        ({"extrude_wans": "dsl"}, f"'dsl' is not a list; {LINKS}"),
    ],
)
def test_no_links(wans: dict[str, Any], problem: str) -> None:
    one = reader(wans)
    assert read_wans(one) == ()
    assert noted(one) == [f"office: extrude_wans: {problem}"]


def test_all_problems_of_a_link_are_noted() -> None:
    assert problems({"name": "A", "mtu": 1}) == [
        f"office: extrude_wans[0].name: 'A' does not fit; give {NAME}",
        f"office: extrude_wans[0].interface: is missing; give {DEVICES}",
        "office: extrude_wans[0].mtu: 1 is out of range; give a whole number from 576 to 9216",
    ]


def test_ipv6_needs_1280_bytes_inside() -> None:
    one = reader({"extrude_wans": [dsl(mtu=1308), cable(mtu=1307)]})
    check_ipv6(one, read_wans(one))
    problem = "1307 leaves IPv6 too little inside the tunnel; give 1308 or more, or extrude IPv4 only"
    assert noted(one) == [f"office: extrude_wans[1].mtu: {problem}"]


@pytest.mark.parametrize(
    ("keys", "default", "encrypted", "behind_nat"),
    [
        ({}, ..., False, False),
        ({}, False, False, False),
        ({}, True, True, False),
        ({"ipsec": True}, ..., True, False),
        ({"ipsec": False}, True, False, False),
        ({"nat": True}, ..., True, True),
        ({"nat": True}, False, True, True),
        ({"nat": True, "ipsec": True}, False, True, True),
        ({"nat": False}, True, True, False),
        ({"nat": False, "ipsec": False}, True, False, False),
    ],
)
@pytest.mark.parametrize("addresses", [{}, {"address": ..., "gateway": ...}])
def test_which_links_are_encrypted(
    keys: dict[str, Any], default: Any, encrypted: bool, behind_nat: bool, addresses: dict[str, Any]
) -> None:
    links = [dsl(**keys, **addresses), cable(ipsec=False)]
    one = reader(changed({"extrude_wans": links}, {"extrude_ipsec": default}))
    wan, other = read_wans(one)
    assert (wan.ipsec, wan.nat) == (encrypted, behind_nat)
    assert (other.ipsec, other.nat) == (False, False)
    assert noted(one) == []


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("yes", "'yes' is a text, as quotes and -e NAME=VALUE make it"),
        ("dsl", "'dsl' is not a truth value"),
        (["dsl"], "a list is not a truth value"),
    ],
)
def test_a_default_that_is_no_truth_value_is_told_once(value: object, wrong: str) -> None:
    one = reader({"extrude_wans": [dsl(), cable()], "extrude_ipsec": value})
    assert [wan.ipsec for wan in read_wans(one)] == [False, False]
    allowed = "give true or false; to encrypt single links: ipsec: true in extrude_wans"
    assert noted(one) == [f"office: extrude_ipsec: {wrong}; {allowed}"]


def test_a_link_behind_nat_is_encrypted_even_where_it_is_told_not_to_be_by_default() -> None:
    text = "false does not go with nat: GRE can't pass NAT without IPsec; leave out one of both"
    assert problems(dsl(nat=True, ipsec=False), cable(nat=True)) == [f"office: extrude_wans[0].ipsec: {text}"]


def inside_mtu(**keys: Any) -> int:
    (wan,) = read_wans(reader({"extrude_wans": [dsl(**keys)]}))
    return wan.tunnel_mtu


def on_the_wire(inner: int, nat: bool) -> int:
    """Bytes of a packet of the link that carries *inner* bytes: IPv4, ESP header and IV, GRE with key, padding, tag."""
    encrypted = 8 + inner + 2
    return 20 + 8 + 8 + -(-encrypted // 4) * 4 + 16 + (8 if nat else 0)


@pytest.mark.parametrize(
    ("keys", "mtu"),
    [
        ({}, 1472),
        ({"ipsec": True}, 1430),
        ({"nat": True}, 1422),
        ({"ipsec": True, "mtu": 1492}, 1422),
        ({"nat": True, "mtu": 1492}, 1414),
        ({"ipsec": True, "mtu": 1503}, 1430),
        ({"ipsec": True, "mtu": 1504}, 1434),
    ],
)
def test_what_fits_inside(keys: dict[str, Any], mtu: int) -> None:
    assert inside_mtu(**keys) == mtu


def test_what_was_seen_on_the_wire() -> None:
    """The table of docs/decisions/0008."""
    assert (on_the_wire(1400, nat=False), on_the_wire(1400, nat=True)) == (1464, 1472)


@given(st.integers(576, 9216), st.booleans())
def test_an_encrypted_packet_fills_the_link_and_no_larger_one_fits(mtu: int, nat: bool) -> None:
    spare = 8  # which Linux keeps free in BEET mode
    largest = max(inner for inner in range(mtu) if on_the_wire(inner, nat) + spare <= mtu)
    assert inside_mtu(mtu=mtu, nat=nat, ipsec=True) == largest


@pytest.mark.parametrize(("keys", "least"), [({}, 1308), ({"ipsec": True}, 1352), ({"nat": True}, 1360)])
def test_what_a_link_needs_for_ipv6(keys: dict[str, Any], least: int) -> None:
    for mtu in (576, least - 1, least):
        one = reader({"extrude_wans": [dsl(mtu=mtu, **keys)]})
        check_ipv6(one, read_wans(one))
        text = f"{mtu} leaves IPv6 too little inside the tunnel; give {least} or more, or extrude IPv4 only"
        assert noted(one) == ([f"office: extrude_wans[0].mtu: {text}"] if mtu < least else [])


@pytest.mark.parametrize("use", ["both", "extruded", "direct"])
def test_a_link_may_be_for_one_thing_only(use: str) -> None:
    one = reader({"extrude_wans": [dsl(use=use), cable()], "extrude_ipsec": True})
    wan, _other = read_wans(one)
    assert noted(one) == []
    assert (wan.has_tunnel, wan.is_exit) == (use != "direct", use != "extruded")
    assert wan.ipsec is (use != "direct")


def test_what_it_may_be_for() -> None:
    told = "office: extrude_wans[1].use: 'tunnel' is no choice; give both, direct or extruded"
    assert problems(dsl(), cable(use="tunnel")) == [told]


def test_one_link_at_least_has_a_tunnel() -> None:
    told = "office: extrude_wans: all have use direct, so none is left for a tunnel; give one of them another"
    assert problems(dsl(use="direct"), cable(use="direct")) == [told]


@pytest.mark.parametrize(("key", "value"), [("ipsec", True), ("detect", 300), ("hold_down", 5), ("hold_down_max", 9)])
def test_what_is_of_tunnels_is_not_for_a_link_without_one(key: str, value: Any) -> None:
    told = "is for the tunnel of a link, and one with use direct has none; leave one of both out"
    assert problems(dsl(), cable(use="direct", **{key: value})) == [f"office: extrude_wans[1].{key}: {told}"]


def test_a_link_without_a_tunnel_may_be_behind_nat_and_as_small_as_it_likes() -> None:
    one = reader({"extrude_wans": [dsl(), cable(use="direct", nat=True, mtu=576)]})
    wans = read_wans(one)
    check_ipv6(one, wans)
    assert noted(one) == []
    assert wans[1].nat


def test_links_share_only_with_those_of_one_use() -> None:
    assert problems(dsl(up=20, down=50), cable(use="direct", down=30)) == []
    assert problems(dsl(use="extruded", up=20, down=50), cable(use="direct")) == []
    told = "is missing: extrude_wans[0] of the same metric has one, and links share by that; give it to all of metric 1"
    assert problems(dsl(up=20, down=50), cable(use="direct")) == [f"office: extrude_wans[1].down: {told} or to none"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"interface": "ppp*", "match": "isp"}, {"interface": "ppp*"}),
        ({"interface": "ppp*", "match": "isp"}, {"interface": "p*"}),
        ({"interface": "ppp*", "match": "isp"}, {"interface": "ppp1"}),
        ({"interface": "ppp*"}, {"interface": "pp*"}),
    ],
)
def test_links_of_one_pattern_are_told_apart_by_what_pppd_calls_them(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    (problem,) = problems(dynamic(**first), dynamic(name="lte", **second))
    assert problem == (
        f"office: extrude_wans[1].match: is missing: extrude_wans[0].interface is '{first['interface']}', which means "
        "the same devices; give each a pattern, and what pppd calls it"
    )
    assert problems(dynamic(**first), dynamic(name="lte", **{**second, "interface": "wwan*"})) == []


def test_a_match_is_for_a_pattern() -> None:
    (problem,) = problems(dynamic(interface="eth1", match="isp"))
    assert problem == (
        "office: extrude_wans[0].match: is for a pattern, and 'eth1' is one device; leave it out, or give "
        "interface: ppp*"
    )
