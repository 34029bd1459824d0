# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_pins import read_pins
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Match, Pin, Ports
from tests.unit.plugins.plugin_utils.samples import cable, dsl, noted, reader


def found(*entries: Any) -> tuple[tuple[Pin, ...], list[str]]:
    one = reader({"extrude_wans": [dsl(), cable()], "extrude_pins": list(entries)})
    return read_pins(one, read_wans(one)), noted(one)


def test_a_class_and_some_ports() -> None:
    (first, second), problems = found(
        {"dscp": "ef", "wan": "dsl"}, {"protocol": "udp", "ports": [5060, "10000-10100"], "wan": "cable"}
    )
    assert problems == []
    assert (first.match, first.wan.slot) == (Match(dscps=(46,)), 1)
    assert second.match == Match(protocols=("udp",), ports=(Ports(5060, 5060), Ports(10000, 10100)))
    assert second.wan.name == "cable"


def test_nothing_is_pinned_by_default() -> None:
    one = reader({})
    assert read_pins(one, ()) == ()
    assert noted(one) == []


def test_the_first_pin_counts_so_the_same_match_has_one_link() -> None:
    entries = {"dscp": "ef", "wan": "dsl"}, {"ports": 53, "wan": "dsl"}, {"dscp": 46, "wan": "cable"}
    text = "is pinned to dsl by extrude_pins[0], and the first that fits counts; leave one of them out"
    assert found(*entries)[1] == [f"office: extrude_pins[2]: {text}"]
    assert found(*entries[:2], entries[0])[1] == []


def test_nothing_follows_from_links_that_have_a_problem() -> None:
    one = reader({"extrude_pins": [{"dscp": "ef", "wan": "dsl"}]})
    assert read_pins(one, ()) == ()
    assert noted(one) == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"dscp": "ef"}, ".wan: is missing; give the name of one of extrude_wans"),
        ({"dscp": "ef", "wan": "lte"}, ".wan: 'lte' is no link with a tunnel; give dsl or cable"),
        ({"dscp": [], "wan": "dsl"}, ".dscp: is empty; leave it out, or give a number from"),
        ("ef", ": 'ef' is not a dictionary; give a dictionary such as {protocol: udp, ports: 10000-20000, "),
        ({"wan": "dsl"}, ": has nothing but a link, and everything fits that; give some of destination, protocol,"),
        ({"source": "192.168.1.9", "wan": "dsl"}, ".source: is not known; known are destination, protocol, ports,"),
        ({"protocol": "icmp", "ports": 7, "wan": "dsl"}, ".protocol: icmp with ports; only tcp and udp have those"),
    ],
)
def test_bad_values(entry: Any, problem: str) -> None:
    _pins, (told,) = found(entry)
    assert told.startswith(f"office: extrude_pins[0]{problem}")
