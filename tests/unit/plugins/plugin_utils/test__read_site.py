# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from netaddr import IPNetwork

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_site import read_site
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Claim, Lan, Numbers
from tests.unit.plugins.plugin_utils.samples import cable, dsl, noted, office, reader

PREFIX = "an address or a prefix such as 203.0.113.0/28"
CUSTOMER = "1 to 32 of the characters a-z 0-9 -"


def test_a_site() -> None:
    one = reader(office())
    site = read_site(one, ["rack"])
    assert noted(one) == []
    assert (site.name, site.customer, site.number, site.colo, site.block) == ("office", "acme", 1, "rack", False)
    assert site.numbers == Numbers(4200, 4200)
    assert site.claims == (
        Claim("extrude_addresses[0]", IPNetwork("203.0.113.10/32")),
        Claim("extrude_addresses[1]", IPNetwork("203.0.113.11/32")),
    )
    assert [wan.name for wan in site.wans] == ["dsl", "cable"]
    assert site.lans == (
        Lan("lan0", "nat", (IPNetwork("203.0.113.10/32"),)),
        Lan("lan0", "routed", (IPNetwork("203.0.113.11/32"),)),
    )
    assert site.held == (IPNetwork("203.0.113.10/32"),)


def test_what_a_site_says_of_its_addresses() -> None:
    one = reader(office(extrude_addresses=["203.0.113.10", "203.0.113.11", "2001:db8:100::1"], extrude_lan=[]))
    site = read_site(one, ["rack"])
    assert site.versions == [4, 6]
    assert [str(network) for network in site.claimed(4)] == ["203.0.113.10/32", "203.0.113.11/32"]
    assert [str(network) for network in site.holds(6)] == ["2001:db8:100::1/128"]
    assert site.routed(4) == []
    assert site.colo_device(site.wans[0]) == "ex1-dsl"


def test_a_list_of_one_colo_and_what_later_versions_use_left_empty() -> None:
    more = {"extrude_balance": "flow", "extrude_direct": [], "extrude_forwards": [], "extrude_when_down": "block"}
    one = reader(office(extrude_colo=["rack"], **more))
    site = read_site(one, ["rack"])
    assert (site.colo, site.block, noted(one)) == ("rack", True, [])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"extrude_customer": ...}, f"extrude_customer: is missing; give {CUSTOMER}"),
        ({"extrude_customer": None}, f"extrude_customer: is empty; give {CUSTOMER}"),
        ({"extrude_customer": "Acme"}, f"extrude_customer: 'Acme' does not fit; give {CUSTOMER}"),
        ({"extrude_customer": "../x"}, f"extrude_customer: '../x' does not fit; give {CUSTOMER}"),
        ({"extrude_customer": "a" * 33}, f"extrude_customer: '{'a' * 33}' does not fit; give {CUSTOMER}"),
        ({"extrude_peers": ["Globex"]}, f"extrude_peers[0]: 'Globex' does not fit; give {CUSTOMER}"),
        (
            {"extrude_peers": "globex"},
            f"extrude_peers: 'globex' is not a list; give a list of which each entry is {CUSTOMER}",
        ),
        (
            {"extrude_addresses": ["0.0.0.0/0"]},
            (
                "extrude_addresses[0]: '0.0.0.0/0' is every address; give those of the colo's extrude_prefixes that are"
                " for this site; what its LANs send takes the tunnels anyway"
            ),
        ),
        ({"extrude_when_down": None}, "extrude_when_down: is empty; leave it out, or give direct or block"),
        ({"extrude_site_id": None}, "extrude_site_id: is empty; give a whole number from 1 to 4095"),
        ({"extrude_site_id": ...}, "extrude_site_id: is missing; give a whole number from 1 to 4095"),
        ({"extrude_site_id": 0}, "extrude_site_id: 0 is out of range; give a whole number from 1 to 4095"),
        ({"extrude_site_id": 4096}, "extrude_site_id: 4096 is out of range; give a whole number from 1 to 4095"),
        (
            {"extrude_site_id": "1"},
            "extrude_site_id: '1' is a text, as quotes and -e NAME=VALUE make it; give a whole number from 1 to 4095",
        ),
        ({"extrude_colo": ...}, "extrude_colo: is missing; give the inventory name of one colo"),
        ({"extrude_colo": []}, "extrude_colo: a list is not a name; give the inventory name of one colo"),
        ({"extrude_colo": [""]}, "extrude_colo: a list is not a name; give the inventory name of one colo"),
        ({"extrude_colo": {}}, "extrude_colo: a dictionary is not a name; give the inventory name of one colo"),
        ({"extrude_colo": "shed"}, "extrude_colo: 'shed' is not in the group extrude_colos; give rack or rack2"),
        ({"extrude_colo": ["shed"]}, "extrude_colo: 'shed' is not in the group extrude_colos; give rack or rack2"),
        (
            {"extrude_colo": ["rack", "rack2"]},
            "extrude_colo: a second colo is not supported by this version yet; give the inventory name of one colo",
        ),
        (
            {"extrude_addresses": ..., "extrude_lan": ...},
            f"extrude_addresses: is missing; give a list of which each entry is {PREFIX}",
        ),
        (
            {"extrude_addresses": []},
            f"extrude_addresses: is empty; give a list of which each entry is {PREFIX}",
        ),
        (
            {"extrude_addresses": "203.0.113.10"},
            f"extrude_addresses: '203.0.113.10' is not a list; give a list of which each entry is {PREFIX}",
        ),
        (
            {"extrude_addresses": ["203.0.113.10", "203.0.113.11", "203.0.113.0/33"]},
            f"extrude_addresses[2]: '203.0.113.0/33' has no prefix length from /1 to /32; give {PREFIX}",
        ),
        (
            {"extrude_addresses": ["203.0.113.10", "198.18.0.0/23"]},
            (
                "extrude_addresses[1]: 198.18.0.0/23 has 512 addresses, and this version answers ARP for up to 256 of "
                "a prefix; give it in prefixes of /24 or longer"
            ),
        ),
        (
            {"extrude_balance": "packet", "extrude_wans": [dsl(up=20), cable(up=20, metric=2)]},
            "extrude_wans[0]: has no rates, which packet mode shares packets by; give up and down, or weight",
        ),
        ({"extrude_balance": "round"}, "extrude_balance: 'round' is no choice; give flow or packet"),
        (
            {"extrude_forwards": "80"},
            (
                "extrude_forwards: '80' is not a list; "
                "give a list of dictionaries such as {protocol: tcp, port: 443, to: 192.168.1.20}"
            ),
        ),
        ({"extrude_when_down": "drop"}, "extrude_when_down: 'drop' is no choice; give direct or block"),
        ({"extrude_table": 1}, "extrude_table: 1 is out of range; give a whole number from 256 to 4294967242"),
        (
            {"extrude_rule_priority": 0},
            "extrude_rule_priority: 0 is out of range; give a whole number from 1 to 32666",
        ),
        (
            {"extrude_addresses": ["203.0.113.10", "2001:db8:100::1"], "extrude_wans": [dsl(mtu=1300)]},
            (
                "extrude_wans[0].mtu: 1300 leaves IPv6 too little inside the tunnel; "
                "give 1308 or more, or extrude IPv4 only"
            ),
        ),
    ],
)
def test_problems(changes: dict[str, Any], problem: str) -> None:
    one = reader(office(**changes))
    read_site(one, ["rack", "rack2"])
    assert noted(one) == [f"office: {problem}"]


def test_the_customers_that_a_site_talks_to_are_others() -> None:
    one = reader(office(extrude_peers=["globex", "acme", "initech", "globex"]))
    assert read_site(one, ["rack"]).peers == ("globex", "initech")
    assert read_site(reader(office()), ["rack"]).peers == ()


def test_no_colo_at_all() -> None:
    one = reader(office())
    read_site(one, [])
    assert noted(one) == [
        "office: extrude_colo: 'rack' is not in the group extrude_colos; put it there: no host is in it"
    ]


@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 65])
def test_names_of_hosts_that_make_no_site(name: str) -> None:
    one = Reader(name, office(), Problems())
    read_site(one, ["rack"])
    shown = name if len(name) <= 60 else f"{name[:60]}…"
    assert noted(one) == [
        (
            f"{name}: inventory_hostname: '{shown}' does not fit; give it another name in the inventory: "
            "1 to 64 characters, neither blanks nor slashes"
        )
    ]
