# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from netaddr import IPNetwork

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_colo import read_colo
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Numbers
from tests.unit.plugins.plugin_utils.samples import colo, noted, reader

PREFIX = "an address or a prefix such as 203.0.113.0/28"
DEVICE = (
    "a network device: 1 to 15 of the characters A-Z a-z 0-9 _ . - and neither lo nor one that begins with ex, by which"
    " the colo's firewall knows our tunnels"
)


def test_a_colo_with_its_defaults() -> None:
    assert read_colo(reader(colo())) == Colo(
        name="office",
        address=IPNetwork("203.0.113.2/32"),
        interface="eth0",
        prefixes=(IPNetwork("203.0.113.0/24"), IPNetwork("2001:db8:100::/48")),
        pool=IPNetwork("10.254.0.0/15"),
        pool6=IPNetwork("fd65:7874:7275::/48"),
        ipsec_pool=IPNetwork("10.252.0.0/15"),
        services=None,
        numbers=Numbers(4200, 4200),
    )


def test_a_colo_with_numbers_of_its_own() -> None:
    read = read_colo(
        reader(
            colo(
                extrude_inside_pool="10.0.0.0/16",
                extrude_inside_pool6="fd00::/48",
                extrude_ipsec_pool="10.1.0.0/16",
                extrude_table=300,
                extrude_rule_priority=100,
            )
        )
    )
    assert (str(read.pool), str(read.pool6), read.numbers) == ("10.0.0.0/16", "fd00::/48", Numbers(300, 100))
    assert str(read.ipsec_pool) == "10.1.0.0/16"
    assert read.numbers.priorities == [100, 199]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"extrude_colo_address": ...}, "extrude_colo_address: is missing; give one IPv4 address"),
        (
            {"extrude_colo_address": "2001:db8::2"},
            "extrude_colo_address: '2001:db8::2' is not an IPv4 address; give one IPv4 address",
        ),
        ({"extrude_colo_interface": ...}, f"extrude_colo_interface: is missing; give {DEVICE}"),
        ({"extrude_colo_interface": "lo"}, f"extrude_colo_interface: 'lo' does not fit; give {DEVICE}"),
        ({"extrude_prefixes": ...}, f"extrude_prefixes: is missing; give a list of which each entry is {PREFIX}"),
        ({"extrude_prefixes": []}, f"extrude_prefixes: is empty; give a list of which each entry is {PREFIX}"),
        (
            {"extrude_prefixes": "203.0.113.0/24"},
            f"extrude_prefixes: '203.0.113.0/24' is not a list; give a list of which each entry is {PREFIX}",
        ),
        (
            {"extrude_prefixes": ["0.0.0.0/0"]},
            "extrude_prefixes[0]: '0.0.0.0/0' is every address; give what is routed to the rack for you",
        ),
        (
            {"extrude_prefixes": None},
            f"extrude_prefixes: is empty; give a list of which each entry is {PREFIX}",
        ),
        (
            {"extrude_prefixes": ["203.0.113.0/24", "203.0.113.1/24"]},
            f"extrude_prefixes[1]: '203.0.113.1/24' has host bits set; its prefix is 203.0.113.0/24; give {PREFIX}",
        ),
        (
            {"extrude_inside_pool": "10.254.0.0"},
            None,
        ),
        (
            {"extrude_inside_pool": "fd00::/48"},
            "extrude_inside_pool: 'fd00::/48' is not an IPv4 address; give an IPv4 prefix such as 10.254.0.0/15",
        ),
        (
            {"extrude_inside_pool": "203.0.113.128/25"},
            "extrude_inside_pool: 203.0.113.128/25 overlaps 203.0.113.0/24 of the same colo; give another private one",
        ),
        (
            {"extrude_inside_pool": "198.18.0.0/15", "extrude_colo_address": "198.18.0.1"},
            "extrude_inside_pool: 198.18.0.0/15 overlaps 198.18.0.1 of the same colo; give another private one",
        ),
        (
            {"extrude_inside_pool6": "2001:db8::/32"},
            "extrude_inside_pool6: 2001:db8::/32 overlaps 2001:db8:100::/48 of the same colo; give another private one",
        ),
        (
            {"extrude_ipsec_pool": "fd00::/48"},
            "extrude_ipsec_pool: 'fd00::/48' is not an IPv4 address; give an IPv4 prefix such as 10.254.0.0/15",
        ),
        (
            {"extrude_ipsec_pool": "203.0.113.128/25"},
            "extrude_ipsec_pool: 203.0.113.128/25 overlaps 203.0.113.0/24 of the same colo; give another private one",
        ),
        (
            {"extrude_ipsec_pool": "198.18.0.0/15", "extrude_colo_address": "198.19.255.255"},
            "extrude_ipsec_pool: 198.18.0.0/15 overlaps 198.19.255.255 of the same colo; give another private one",
        ),
        (
            {"extrude_ipsec_pool": "10.255.0.0/16"},
            "extrude_ipsec_pool: 10.255.0.0/16 overlaps 10.254.0.0/15 of the same colo; give another private one",
        ),
        (
            {"extrude_inside_pool": "10.252.0.0/14"},
            "extrude_ipsec_pool: 10.252.0.0/15 overlaps 10.252.0.0/14 of the same colo; give another private one",
        ),
        ({"extrude_inside_pool": "10.252.0.0/15", "extrude_ipsec_pool": "10.254.0.0/15"}, None),
        ({"extrude_table": 254}, "extrude_table: 254 is out of range; give a whole number from 256 to 4294967242"),
        (
            {"extrude_rule_priority": 32700},
            "extrude_rule_priority: 32700 is out of range; give a whole number from 1 to 32666",
        ),
    ],
)
def test_problems(changes: dict[str, Any], problem: str | None) -> None:
    one = reader(colo(**changes))
    read_colo(one)
    assert noted(one) == ([f"office: {problem}"] if problem else [])


def test_no_prefix_counts_where_one_is_bad() -> None:
    assert read_colo(reader(colo(extrude_prefixes=["203.0.113.0/24", "x"]))).prefixes == ()
