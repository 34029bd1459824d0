# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils._model import Address, Owner, State
from ansible_collections.multihome.extrude.plugins.module_utils._overlap import Claim, alone, claims, overlapping, span

STATE = State.parse(
    {
        "customer": "acme",
        "site": "office",
        "tunnels": [{"name": "ex1-dsl", "local": "203.0.113.2", "remote": "192.0.2.2", "key": 17}],
        "addresses": [
            {"device": "ex1-dsl", "address": "10.254.0.0/31"},
            {"device": "lo", "address": "10.252.0.0/32"},
        ],
        "routes": [
            {"destination": "2001:db8:1::/64", "table": table, "nexthops": [{"device": "ex1-dsl"}]}
            for table in (4217, 4219, 254)
        ]
        + [{"destination": "0.0.0.0/0", "table": 4217, "nexthops": [{"device": "ex1-dsl"}]}],
        "reserved": {"tables": [4200, 4217, 4219], "priorities": [4200, 4299]},
    }
)


def claim(prefix: str, owner: str, wanted: bool = True) -> Claim:
    return Claim(prefix, span(prefix), Address("ex1-dsl", prefix), Owner(owner, "office"), wanted)


def pairs(*listed: Claim) -> list[tuple[str, str]]:
    """Owner and prefix of the wanted one, and of the other."""
    return [
        (f"{one.owner.customer} {one.prefix}", f"{other.owner.customer} {other.prefix}")
        for one, other in overlapping(listed)
    ]


def test_a_state_claims_its_prefixes_once_and_the_networks_in_its_tunnels() -> None:
    found = claims([STATE], wanted=True)
    assert [(one.prefix, one.item.KIND) for one in found] == [
        ("2001:db8:1::/64", "routes"),
        ("10.254.0.0/31", "addresses"),
    ]
    assert "table 4219 " in str(found[0].item)
    assert [one.prefix for one in claims([STATE], True, {"addresses"})] == ["10.254.0.0/31"]


def test_what_is_no_whole_state_claims_nothing() -> None:
    data = {**STATE.plain(), "reserved": {}}
    assert claims([State.parse(data)], wanted=True) == []


@pytest.mark.parametrize(
    ("prefix", "size", "first", "last"),
    [
        ("10.254.0.1/31", 4, "10.254.0.0", "10.254.0.1"),
        ("203.0.113.10/32", 4, "203.0.113.10", "203.0.113.10"),
        ("2001:db8::/126", 16, "2001:db8::", "2001:db8::3"),
    ],
)
def test_the_span_of_a_prefix(prefix: str, size: int, first: str, last: str) -> None:
    assert span(prefix) == (size, *(int(ipaddress.ip_address(end)) for end in (first, last)))


@pytest.mark.parametrize(("address", "prefix"), [("10.254.0.1/16", "10.254.0.1/32"), ("fd65::1/64", "fd65::1/128")])
def test_an_address_alone(address: str, prefix: str) -> None:
    assert alone(address) == span(prefix)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("2001:db8:1::/64", "2001:db8:1::5/128", True),
        ("2001:db8:1:100::/56", "2001:db8:1:1ff::/64", True),
        ("2001:db8:1::/64", "2001:db8:1::/64", True),
        ("2001:db8:1::/64", "2001:db8:1:1::/64", False),
        ("10.254.0.0/31", "10.254.0.1/31", True),
        ("10.254.0.0/31", "10.254.0.2/31", False),
        ("0.0.0.1/32", "::1/128", False),
    ],
)
def test_prefixes_of_two_owners_overlap_whichever_is_wanted(one: str, other: str, overlap: bool) -> None:
    for mine, theirs in ((one, other), (other, one)):
        found = pairs(claim(theirs, "globex", wanted=False), claim(mine, "acme"))
        assert found == [(f"acme {mine}", f"globex {theirs}")] * overlap


def test_within_one_owner_and_among_what_is_held_nothing_is_refused() -> None:
    assert pairs(claim("2001:db8::/48", "acme"), claim("2001:db8::/64", "acme")) == []
    assert pairs(claim("2001:db8::/48", "acme", False), claim("2001:db8::/64", "globex", False)) == []


def test_what_others_hold_is_found_behind_what_is_ones_own() -> None:
    held = claim("2001:db8::/32", "globex", wanted=False)
    assert pairs(claim("2001:db8::/64", "acme"), claim("2001:db8::/48", "acme"), held) == [
        ("acme 2001:db8::/48", "globex 2001:db8::/32"),
        ("acme 2001:db8::/64", "globex 2001:db8::/32"),
    ]


PREFIXES = st.builds(
    lambda value, length: str(ipaddress.ip_network((value, length), strict=False)),
    st.integers(0, 15).map(lambda value: 0x0A000000 + value),
    st.integers(28, 32),
)


@given(st.lists(st.builds(claim, PREFIXES, st.sampled_from(["acme", "globex", "initech"]), st.booleans()), max_size=8))
def test_something_is_found_where_comparing_each_with_each_finds_it(listed: list[Claim]) -> None:
    expected = {
        max(one.span, other.span, key=lambda span: (span.first, -span.last))
        for one in listed
        for other in listed
        if one.owner != other.owner and (one.wanted or other.wanted)
        if ipaddress.ip_network(one.prefix).overlaps(ipaddress.ip_network(other.prefix))
    }
    found = list(overlapping(listed))
    assert all(one.wanted and one.owner != other.owner for one, other in found)
    assert {max(one.span, other.span, key=lambda span: (span.first, -span.last)) for one, other in found} == expected


def test_thousands_of_claims_are_compared_in_a_moment() -> None:
    listed = [claim(f"10.{number >> 8}.{number & 255}.0/24", f"c{number}") for number in range(20_000)]
    started = process_time()
    assert pairs(*listed) == []
    assert process_time() - started < 2
