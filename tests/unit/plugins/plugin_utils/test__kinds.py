# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils import _address, _kinds

AS_TEXT = "is a text, as quotes and -e NAME=VALUE make it"


def wrong(kind: _kinds.Kind[Any], value: object) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        kind.convert(value)
    return str(caught.value)


def test_integer() -> None:
    kind = _kinds.integer(1, 16)
    assert [kind.convert(1), kind.convert(16)] == [1, 16]
    assert kind.allowed == "a whole number from 1 to 16"
    assert wrong(kind, 0) == "0 is out of range"
    assert wrong(kind, 17) == "17 is out of range"
    assert wrong(kind, "3") == f"'3' {AS_TEXT}"
    assert wrong(kind, "x3") == "'x3' is not a whole number"
    assert wrong(kind, 3.0) == "3.0 is not a whole number"
    assert wrong(kind, True) == "true is not a whole number"
    assert wrong(kind, [3]) == "a list is not a whole number"


def test_text_matches_as_a_whole() -> None:
    kind = _kinds.text(r"[a-z]{1,3}", "letters")
    assert kind.convert("abc") == "abc"
    assert wrong(kind, "abcd") == "'abcd' does not fit"
    assert wrong(kind, "abc\n") == "'abc\n' does not fit"
    assert wrong(kind, "") == "'' does not fit"
    assert wrong(kind, 12) == "12 is not a text (quotes make it one)"
    assert wrong(kind, False) == "false is not a text (quotes make it one)"
    assert wrong(kind, ["abc"]) == "a list is not a text"


def test_choice() -> None:
    kind = _kinds.choice("flow", "packet")
    assert kind.convert("packet") == "packet"
    assert kind.allowed == "flow or packet"
    assert wrong(kind, "Flow") == "'Flow' is no choice"
    assert wrong(kind, ["flow"]) == "a list is no choice"


def test_a_protocol_in_capitals_or_not() -> None:
    kind = _kinds.protocol("tcp", "udp")
    assert [kind.convert("TCP"), kind.convert("udp")] == ["tcp", "udp"]
    assert kind.allowed == "tcp or udp"
    assert wrong(kind, "GRE") == "'GRE' is no choice"
    assert wrong(kind, ["tcp"]) == "a list is no choice"
    assert wrong(kind, 6) == "6 is no choice"


def test_classes() -> None:
    named = {"cs0": 0, "BE": 0, "df": 0, "le": 1, "cs1": 8, "af11": 10, "AF43": 38, "va": 44, "EF": 46, "cs7": 56}
    assert {name: _kinds.DSCP.convert(name) for name in named} == named
    assert _kinds.DSCP.convert("46") == 46
    assert wrong(_kinds.DSCP, "af44") == "'af44' is no class"


def test_what_there_is_to_choose_from() -> None:
    assert [_kinds.either(some) for some in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a or b", "a, b or c"]


def test_flag() -> None:
    assert _kinds.FLAG.convert(True) is True
    assert wrong(_kinds.FLAG, "yes") == f"'yes' {AS_TEXT}"
    assert wrong(_kinds.FLAG, "maybe") == "'maybe' is not a truth value"
    assert wrong(_kinds.FLAG, 1) == "1 is not a truth value"


def test_what_is_given_to_a_run_may_be_a_text() -> None:
    for value, truth in ((True, True), ("true", True), ("Yes", True), (False, False), ("false", False), ("0", False)):
        assert _kinds.SWITCH.convert(value) is truth
    assert wrong(_kinds.SWITCH, "maybe") == "'maybe' is not a truth value"
    assert wrong(_kinds.SWITCH, 1) == "1 is not a truth value"
    seconds = _kinds.given(1, 60)
    assert (seconds.convert("60"), seconds.convert(5), seconds.allowed) == (60, 5, "a whole number from 1 to 60")
    assert wrong(seconds, "61") == "61 is out of range"
    for value in ("abc", "", "1.5", True):
        assert "whole number" in wrong(seconds, value) or "text" in wrong(seconds, value)


@pytest.mark.parametrize("rate", [0.5, 1, 1_000_000])
def test_rate(rate: float) -> None:
    assert _kinds.RATE.convert(rate) == rate


@pytest.mark.parametrize("rate", [0, -1, 1_000_001, float("nan"), float("inf")])
def test_rates_out_of_range(rate: float) -> None:
    assert wrong(_kinds.RATE, rate) == f"{rate} is out of range"


def test_rates_of_the_wrong_type() -> None:
    assert wrong(_kinds.RATE, "1.5") == f"'1.5' {AS_TEXT}"
    assert wrong(_kinds.RATE, "100M") == "'100M' is not a number"
    assert wrong(_kinds.RATE, True) == "true is not a number"


@pytest.mark.parametrize("name", ["eth0", "ppp0", "eth0.100", "br-lan", "wg_0", "enp0s31f6", "exo", "ext-0", "a" * 15])
def test_interface(name: str) -> None:
    assert _kinds.INTERFACE.convert(name) == name


@pytest.mark.parametrize("name", ["lo", "ex-dsl", "ex10-dsl", "a" * 16, "", "a b", "a/b", "eth+", "eth0:1", ".", "-o"])
def test_what_is_no_interface_of_the_operator(name: str) -> None:
    assert wrong(_kinds.INTERFACE, name) == f"'{name}' does not fit"


@pytest.mark.parametrize(("name", "fits"), [("eth0", True), ("bond0.ex", True), ("ext0", False), ("ex", False)])
def test_the_firewall_of_a_colo_takes_every_name_with_ex_for_a_tunnel(name: str, fits: bool) -> None:
    assert (_kinds.COLO_INTERFACE.convert(name) == name) if fits else wrong(_kinds.COLO_INTERFACE, name)


def test_addresses() -> None:
    assert str(_kinds.ADDRESS4.convert("192.0.2.1")) == "192.0.2.1/32"
    assert str(_kinds.LINK_ADDRESS.convert("192.0.2.1/24")) == "192.0.2.1/24"
    assert str(_kinds.NETWORK.convert("2001:db8::/64")) == "2001:db8::/64"
    assert wrong(_kinds.NETWORK4, "2001:db8::/64") == "'2001:db8::/64' is not an IPv4 address"
    assert wrong(_kinds.NETWORK6, "192.0.2.0/24") == "'192.0.2.0/24' is not an IPv6 address"
    assert wrong(_kinds.NETWORK, 3232235777) == "3232235777 is not a text"


@pytest.mark.parametrize("value", ["0.0.0.0/0", "::/0"])
def test_where_every_address_is_given_something_is_said_to_give_instead(value: str) -> None:
    kind = _kinds.network("a prefix", _address.prefix, "leave it out")
    assert wrong(kind, value) == f"'{value}' is every address; leave it out"
    assert wrong(kind, "0.0.0.0/1") == "'0.0.0.0/1' is not an address that a host may have"


@pytest.mark.parametrize(("value", "found"), [("192.0.2.1", None), ("192.0.2.1:80", 80)])
def test_target(value: str, found: int | None) -> None:
    target = _kinds.TARGET.convert(value)
    assert target
    assert (str(target[0].ip), target[1]) == ("192.0.2.1", found)


def test_a_target_is_of_ipv4() -> None:
    assert wrong(_kinds.TARGET, "2001:db8::1") == "'2001:db8::1' is not an IPv4 address"


def test_items() -> None:
    kind = _kinds.items("links")
    assert kind.convert(("a", "b")) == ["a", "b"]
    assert kind.allowed == "a list of links"
    assert wrong(kind, "ab") == "'ab' is not a list"
    assert wrong(kind, {"a": 1}) == "a dictionary is not a list"


def test_long_texts_are_shortened() -> None:
    assert _kinds.describe("x" * 60) == f"'{'x' * 60}'"
    assert _kinds.describe("x" * 61) == f"'{'x' * 60}…'"
