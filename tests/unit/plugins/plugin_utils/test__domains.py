# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils._model import SET, AddressSet, Resolver, State
from ansible_collections.multihome.extrude.plugins.plugin_utils._domains import set_name
from tests.unit.plugins.plugin_utils.samples import Vars, office, run

LONG = "a-very-long-name.with.many.labels.example"


def state(*direct: Vars, **changes: Any) -> Vars:
    return dict(run(office=office(extrude_direct=list(direct), **changes))["sites"]["office"])


@pytest.mark.parametrize(
    ("domain", "version", "name"),
    [
        ("netflix.example", 4, "EXTRUDE-netflix.example"),
        ("netflix.example", 6, "EXTRUDE-netflix.example.6"),
        ("123456789012345.example", 4, "EXTRUDE-123456789012345.example"),
        ("123456789012345.example", 6, "EXTRUDE-123456789012-92f436b5.6"),
        (LONG, 4, "EXTRUDE-a-very-long-na-e9907122"),
        (LONG, 6, "EXTRUDE-a-very-long--e9907122.6"),
    ],
)
def test_a_set_is_called_like_its_domain_as_far_as_that_fits(domain: str, version: int, name: str) -> None:
    assert set_name(domain, version) == name


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}\.[a-z]{2,9}", fullmatch=True))
def test_the_engine_takes_any_domain(domain: str) -> None:
    assert all(SET.matches(set_name(domain, version)) for version in (4, 6))


def test_each_domain_has_one_set_whatever_entries_name_it() -> None:
    made = state({"domains": ["b.example", "*.a.example"]}, {"domains": "a.example", "ports": 443})
    assert made["sets"] == [
        {"name": "EXTRUDE-a.example", "timeout": 172800},
        {"name": "EXTRUDE-b.example", "timeout": 172800},
    ]
    assert len(State.parse(made).of(AddressSet)) == 2


def test_dnsmasq_is_told_what_goes_where_and_a_name_counts_for_each_domain_around_it() -> None:
    made = state({"domains": ["example.org", "www.example.org", "notexample.org"]})
    ((resolver,), (warning, *lines)) = made["resolvers"], made["resolvers"][0]["content"].splitlines()
    assert resolver["name"] == "acme.1"
    assert warning.startswith("#")
    assert lines == [
        "ipset=/example.org/EXTRUDE-example.org",
        "ipset=/notexample.org/EXTRUDE-notexample.org",
        "ipset=/www.example.org/EXTRUDE-example.org,EXTRUDE-www.example.org",
    ]
    assert len(State.parse(made).of(Resolver)) == 1


def test_a_site_with_ipv6_addresses_has_a_set_of_these_too_unless_an_entry_is_for_ipv4_only() -> None:
    four = {"domains": ["b.example", "c.a.example"], "source": "192.168.1.0/24"}
    made = state({"domains": "a.example"}, four, extrude_addresses=["203.0.113.10", "203.0.113.11", "2001:db8:100::10"])
    assert made["sets"] == [
        *({"name": f"EXTRUDE-{name}", "timeout": 172800} for name in ("a.example", "b.example", "c.a.example")),
        {"name": "EXTRUDE-a.example.6", "timeout": 172800, "family": 6},
    ]
    assert made["resolvers"][0]["content"].splitlines()[1:] == [
        "ipset=/a.example/EXTRUDE-a.example,EXTRUDE-a.example.6",
        "ipset=/b.example/EXTRUDE-b.example",
        "ipset=/c.a.example/EXTRUDE-a.example,EXTRUDE-c.a.example,EXTRUDE-a.example.6",
    ]
    assert [one.family for one in State.parse(made).of(AddressSet)] == [4, 4, 4, 6]


def test_without_domains_there_is_nothing_of_it() -> None:
    made = state({"dscp": "cs1"})
    assert made["sets"] == made["resolvers"] == []
