# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_direct import read_direct
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_wans import read_wans
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Match, Ports
from tests.unit.plugins.plugin_utils.samples import cable, dsl, noted, reader

LINKS = read_wans(reader({"extrude_wans": [dsl(), cable(use="extruded")]}))


class Failing(dict[str, Any]):
    """A dictionary in which each "x" is a template that fails."""

    def __getitem__(self, key: str) -> Any:
        if (value := super().__getitem__(key)) == "x":
            raise ValueError("'x' is undefined")
        return value


def found(*entries: Any) -> tuple[tuple[Match, ...], list[str]]:
    one = reader({"extrude_direct": list(entries)})
    return read_direct(one, LINKS), noted(one)


def test_one_value_or_a_list_of_each() -> None:
    (one, other), problems = found(
        {"protocol": "tcp", "ports": 443, "dscp": "AF11"},
        {"protocol": ["TCP", "Udp"], "ports": ["53", "8000-8010"], "dscp": ["0", "ef"]},
    )
    assert problems == []
    assert one == Match(protocols=("tcp",), ports=(Ports(443, 443),), dscps=(10,))
    assert other == Match(protocols=("tcp", "udp"), ports=(Ports(53, 53), Ports(8000, 8010)), dscps=(0, 46))


def test_networks() -> None:
    ((match,), problems) = found({"destination": ["192.0.2.1", "198.18.0.0/15"], "source": "192.168.1.0/24"})
    assert problems == []
    assert list(map(str, match.destinations)) == ["192.0.2.1/32", "198.18.0.0/15"]
    assert match.destination_paths == ("extrude_direct[0].destination[0]", "extrude_direct[0].destination[1]")
    assert list(map(str, match.sources)) == ["192.168.1.0/24"]


def test_addresses_of_one_family_are_for_that_only() -> None:
    (mixed, four, six, none, named), problems = found(
        {"destination": ["192.0.2.1", "2001:db8::/32"], "source": "192.168.1.0/24"},
        {"destination": "192.0.2.1"},
        {"source": "2001:db8::1", "protocol": ["icmp", "udp"]},
        {"protocol": "icmp"},
        {"dscp": 1, "wan": "dsl"},
    )
    assert problems == []
    for version, fitting in ((4, [mixed, four, none, named]), (6, [six, none])):
        assert [one for one in (mixed, four, six, none, named) if one.of(version)] == fitting
    assert list(map(str, getattr(mixed.of(4), "destinations", ()))) == ["192.0.2.1/32"]
    assert getattr(six.of(6), "protocols", ()) == ("ipv6-icmp", "udp")


def test_the_link_to_leave_by() -> None:
    (one, other), problems = found({"dscp": 1, "wan": "dsl"}, {"dscp": 1})
    assert problems == []
    assert (one.slot, other.slot) == (1, None)


def test_domains_with_all_below_them() -> None:
    ((match,), problems) = found(
        {"domains": ["*.Example.org", "example.org.", "xn--mll-hoa.example", "_a.b-c.example", "1.2.3.4x"]}
    )
    assert problems == []
    assert match == Match(domains=("example.org", "xn--mll-hoa.example", "_a.b-c.example", "1.2.3.4x"))


def test_no_list_is_no_match() -> None:
    one = reader({})
    assert read_direct(one, LINKS) == ()
    assert noted(one) == []


def test_no_link_is_left_for_it() -> None:
    one = reader({"extrude_direct": [{"dscp": "cs1"}]})
    read_direct(one, read_wans(reader({"extrude_wans": [dsl(use="extruded")]})))
    text = "has no link to leave by: all of extrude_wans have use extruded; give one of them another"
    assert noted(one) == [f"office: extrude_direct: {text}"]


def test_nothing_follows_from_a_template_that_fails() -> None:
    one = reader({"extrude_direct": [Failing(destination="x"), Failing(protocol="x", ports=443)]})
    read_direct(one, LINKS)
    assert noted(one) == [
        "office: extrude_direct[0].destination: cannot be evaluated: 'x' is undefined",
        "office: extrude_direct[1].protocol: cannot be evaluated: 'x' is undefined",
    ]


def test_nothing_follows_from_links_that_have_a_problem() -> None:
    one = reader({"extrude_direct": [{"dscp": 1, "wan": "dsl"}]})
    read_direct(one, ())
    assert noted(one) == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "web",
            (
                "extrude_direct[0]: 'web' is not a dictionary; give a dictionary such as {protocol: tcp,"
                " ports: [80, 443]}"
            ),
        ),
        ({}, "extrude_direct[0]: is empty, which everything fits; give some of destination, source"),
        (
            {"destination": []},
            "extrude_direct[0].destination: is empty; leave it out, or give an address",
        ),
        ({"source": None, "protocol": "tcp"}, "extrude_direct[0].source: is empty; leave it out, or give "),
        (
            {"protocol": None},
            "extrude_direct[0].protocol: is empty; leave it out, or give tcp",
        ),
        ({"protocol": "tcp", "ports": []}, "extrude_direct[0].ports: is empty; leave it out, or give "),
        ({"dscp": None}, "extrude_direct[0].dscp: is empty; leave it out, or give "),
        ({"domains": []}, "extrude_direct[0].domains: is empty; leave it out, or give "),
        (
            {"destination": "windowsupdate.com"},
            (
                "extrude_direct[0].destination: 'windowsupdate.com' is not an IP address; give an address or"
                " prefix, or a list of these; names go into domains"
            ),
        ),
        ({"ports": "443-80"}, "extrude_direct[0].ports: '443-80' begins after its end; give 80-443"),
        ({"port": 443}, "extrude_direct[0].port: is not known; the nearest known key is ports"),
        ({"destination": "192.0.2.1/24"}, "extrude_direct[0].destination: '192.0.2.1/24' has host bits set"),
        (
            {"destination": ["2001:db8::1", "2001:db8::2"], "source": "192.168.1.0/24"},
            (
                "extrude_direct[0]: no packet has the source 192.168.1.0/24 and the destination 2001:db8::1; give"
                " addresses of one family"
            ),
        ),
        (
            {"destination": ["192.0.2.53", "2001:db8::53"], "wan": "dsl"},
            (
                "extrude_direct[0].wan: dsl can't be named for 2001:db8::53: in IPv6 the router's main table says which"
                " link; leave it out, or give IPv4 addresses only"
            ),
        ),
        ({"destination": ["192.0.2.1", 5]}, "extrude_direct[0].destination[1]: 5 is not a text"),
        ({"source": {"a": 1}}, "extrude_direct[0].source: a dictionary is not a text"),
        ({"protocol": "gre"}, "extrude_direct[0].protocol: 'gre' is no choice; give tcp, udp or icmp"),
        (
            {"protocol": ["tcp", "icmp"], "ports": 443},
            "extrude_direct[0].protocol: icmp with ports; only tcp and udp have those: leave them out, or give icmp",
        ),
        ({"ports": [443, 0]}, "extrude_direct[0].ports[1]: 0 is out of range"),
        ({"ports": list(range(1, 17))}, "extrude_direct[0].ports: are too many; give up to 15"),
        ({"ports": [f"{port}-{port + 1}" for port in range(1, 24, 3)]}, "extrude_direct[0].ports: are too many"),
        (
            {"destination": "0.0.0.0/0"},
            "extrude_direct[0].destination: '0.0.0.0/0' is every address; leave the key out, and every address fits;",
        ),
        ({"source": ["::/0"]}, "extrude_direct[0].source[0]: '::/0' is every address; leave the key out"),
        ({"dscp": 64}, "extrude_direct[0].dscp: 64 is out of range; give a number from 0 to 63, or a class"),
        ({"dscp": "gold"}, "extrude_direct[0].dscp: 'gold' is no class"),
        ({"dscp": 1, "wan": "cable"}, "extrude_direct[0].wan: 'cable' is no link for direct traffic; give dsl"),
        ({"dscp": 1, "wan": None}, "extrude_direct[0].wan: is empty; leave it out, or give the name"),
        (
            {"wan": "dsl"},
            "extrude_direct[0]: has nothing but a link, and everything fits that; give some of destination, source",
        ),
        ({"domains": ["org"]}, "extrude_direct[0].domains[0]: 'org' is no domain; give a domain such as example.org"),
        ({"domains": "a_b.-c"}, "extrude_direct[0].domains: 'a_b.-c' is no domain"),
        ({"domains": "müll.example"}, "extrude_direct[0].domains: 'müll.example' is no domain"),
        ({"domains": "www.*.example"}, "extrude_direct[0].domains: 'www.*.example' is no domain"),
        ({"domains": "a" * 64 + ".example"}, "extrude_direct[0].domains: 'aaa"),
        ({"domains": ".".join(["a" * 62] * 5)}, "extrude_direct[0].domains: 'aaa"),
        ({"domains": "example.org/x,"}, "extrude_direct[0].domains: 'example.org/x,' is no domain"),
        *(
            (
                {"domains": ["example.org", given]},
                f"extrude_direct[0].domains[1]: '{given}' is an address; that goes into destination",
            )
            for given in ("192.0.2.1", "2001:db8::1", "192.0.2.0/24", "2001:db8::/32", "224.0.0.1")
        ),
        ({"domains": "192.0.2.300"}, "extrude_direct[0].domains: '192.0.2.300' is no domain"),
        ({"destination": "224.0.0.0/4"}, "extrude_direct[0].destination: '224.0.0.0/4' is not an address that a host"),
        ({"domains": 5}, "extrude_direct[0].domains: 5 is not a text"),
    ],
)
def test_problems(entry: Any, told: str) -> None:
    _matches, (problem,) = found(entry)
    assert problem.startswith(f"office: {told}")
