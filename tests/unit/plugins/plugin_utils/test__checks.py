# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError
from ansible_collections.multihome.extrude.plugins.plugin_utils._topology import topology
from tests.unit.plugins.plugin_utils.samples import Vars, cable, colo, dsl, office, problems, run, shop

OUTSIDE = "is outside the extrude_prefixes of rack; give one in 203.0.113.0/24, 2001:db8:100::/48"


def test_two_sound_sites() -> None:
    assert list(run(office=office(), shop=shop())["sites"]) == ["office", "shop"]


@pytest.mark.parametrize(
    ("addresses", "others", "problem"),
    [
        (
            ["203.0.113.10"],
            ["203.0.113.10"],
            (
                "shop: extrude_addresses[0]: 203.0.113.10 is claimed twice: "
                "office has that in extrude_addresses[0]; leave one of both out"
            ),
        ),
        (
            ["203.0.113.16/28"],
            ["203.0.113.10", "203.0.113.20"],
            (
                "shop: extrude_addresses[1]: 203.0.113.20 overlaps 203.0.113.16/28: "
                "office has that in extrude_addresses[0]; leave one of both out"
            ),
        ),
        (
            ["203.0.113.20"],
            ["203.0.113.16/28"],
            (
                "shop: extrude_addresses[0]: 203.0.113.16/28 overlaps 203.0.113.20: "
                "office has that in extrude_addresses[0]; leave one of both out"
            ),
        ),
        (
            ["2001:db8:100:1::/64"],
            ["2001:db8:100:1::5"],
            (
                "shop: extrude_addresses[0]: 2001:db8:100:1::5 overlaps 2001:db8:100:1::/64: "
                "office has that in extrude_addresses[0]; leave one of both out"
            ),
        ),
    ],
)
def test_claims_of_two_sites(addresses: list[str], others: list[str], problem: str) -> None:
    lan = [{"interface": "lan0", "mode": "routed"}]
    one = office(extrude_addresses=addresses, extrude_lan=lan)
    assert problems(office=one, shop=shop(extrude_addresses=others, extrude_lan=lan)) == [problem]


def test_claims_of_one_site() -> None:
    site = shop(extrude_addresses=["203.0.113.20", "203.0.113.21", "203.0.113.20"])
    problem = "203.0.113.20 is claimed twice: shop has that in extrude_addresses[0]; leave one of both out"
    assert problems(shop=site) == [f"shop: extrude_addresses[2]: {problem}"]


def test_each_claim_inside_a_prefix_is_noted_not_only_the_next() -> None:
    lan = [{"interface": "lan0", "mode": "routed"}]
    wide = office(extrude_addresses=["203.0.113.16/28"], extrude_lan=lan)
    assert len(problems(office=wide, shop=shop(extrude_addresses=["203.0.113.17", "203.0.113.19"]))) == 2


def test_neighbours_do_not_overlap() -> None:
    lan = [{"interface": "lan0", "mode": "routed"}]
    one = office(extrude_addresses=["203.0.113.16/29", "203.0.113.24/29"], extrude_lan=lan)
    run(office=one, shop=shop(extrude_addresses=["203.0.113.15", "203.0.113.32"]))


@pytest.mark.parametrize(
    ("claim", "problem"),
    [
        ("198.18.0.1", f"198.18.0.1 {OUTSIDE}"),
        ("203.0.112.0/24", f"203.0.112.0/24 {OUTSIDE}"),
        ("2001:db8::1", f"2001:db8::1 {OUTSIDE}"),
        (
            "203.0.113.2",
            "203.0.113.2 is the colo's own address, the extrude_colo_address of rack; give another",
        ),
        (
            "203.0.113.0/29",
            "203.0.113.0/29 holds the colo's own address, the extrude_colo_address of rack; give another",
        ),
        ("203.0.113.0", "203.0.113.0 is the address of the network 203.0.113.0/24 itself; give another"),
        ("203.0.113.255", "203.0.113.255 is the broadcast address of 203.0.113.0/24; give another"),
        ("2001:db8:100::", "2001:db8:100:: is the address of the network 2001:db8:100::/48 itself; give another"),
    ],
)
def test_space_that_the_colo_does_not_have(claim: str, problem: str) -> None:
    site = shop(extrude_addresses=[claim], extrude_lan=[{"interface": "lan0", "mode": "routed"}])
    assert problems(shop=site) == [f"shop: extrude_addresses[0]: {problem}"]


def test_all_addresses_of_small_prefixes_can_be_extruded() -> None:
    rack = colo(extrude_prefixes=["203.0.113.8/31", "203.0.113.20"])
    run(rack=rack, shop=shop(extrude_addresses=["203.0.113.8", "203.0.113.9", "203.0.113.20"]))


def test_prefixes_that_lie_in_one_another() -> None:
    rack = colo(extrude_prefixes=["203.0.113.0/24", "203.0.113.0/25"])
    site = shop(extrude_addresses=["203.0.113.127"])
    problem = "203.0.113.127 is the broadcast address of 203.0.113.0/25; give another"
    assert problems(rack=rack, shop=site) == [f"shop: extrude_addresses[0]: {problem}"]


def test_no_follow_up_problems_where_a_prefix_of_the_colo_is_bad() -> None:
    assert len(problems(rack=colo(extrude_prefixes=["203.0.113.0/33"]), office=office())) == 1


def test_site_ids_twice_name_the_next_free_ones() -> None:
    sites = {f"s{n}": shop(extrude_site_id=number) for n, number in enumerate([1, 2, 1, 4, 2])}
    for n, site in enumerate(sites.values()):
        site["extrude_addresses"] = [f"203.0.113.{20 + n}"]
        site["extrude_wans"] = [dsl(address=f"192.0.2.{20 + n}/24")]
    assert problems(**sites) == [
        "s2: extrude_site_id: 1 is also that of s0 at rack; the next free one is 3",
        "s4: extrude_site_id: 2 is also that of s1 at rack; the next free one is 5",
    ]


@pytest.mark.parametrize(
    ("rack", "problem"),
    [
        (
            {"extrude_inside_pool": "10.254.0.0/27"},
            "2 has no inside addresses: extrude_inside_pool of rack, 10.254.0.0/27, has room for site ids 1 to 1",
        ),
        (
            {"extrude_inside_pool": "10.254.0.0/28"},
            "2 has no inside addresses: extrude_inside_pool of rack, 10.254.0.0/28, has room for no site",
        ),
        (
            {"extrude_inside_pool6": "fd00::/60"},
            "2 has no inside addresses: extrude_inside_pool6 of rack, fd00::/60, has room for site ids 1 to 1",
        ),
    ],
)
def test_inside_pools_that_are_too_small(rack: Vars, problem: str) -> None:
    site = shop(extrude_addresses=["203.0.113.20", "2001:db8:100::20"])
    assert problems(rack=colo(**rack), shop=site) == [f"shop: extrude_site_id: {problem}"]


PSK = "correct horse battery staple"


@pytest.mark.parametrize(
    ("pool", "held"),
    [("10.252.0.0/27", "room for site ids 1 to 1"), ("10.252.0.0/28", "room for no site")],
)
def test_a_pool_for_encrypted_tunnels_that_is_too_small(pool: str, held: str) -> None:
    site = shop(extrude_wans=[dsl(address="192.0.2.20", ipsec=True)], extrude_ipsec_psk=PSK)
    problem = f"2 has no addresses for encrypted tunnels: extrude_ipsec_pool of rack, {pool}, has {held}"
    assert problems(rack=colo(extrude_ipsec_pool=pool), shop=site) == [f"shop: extrude_site_id: {problem}"]


def test_it_only_matters_to_sites_that_encrypt() -> None:
    run(rack=colo(extrude_ipsec_pool="10.252.0.0/27"), shop=shop())
    last = shop(extrude_wans=[dsl(address="192.0.2.20", ipsec=True)], extrude_ipsec_psk=PSK)
    run(rack=colo(extrude_ipsec_pool="10.252.0.0/26"), shop=last)


def test_the_ipv6_pool_only_matters_to_sites_with_ipv6() -> None:
    run(rack=colo(extrude_inside_pool6="fd00::/60"), shop=shop())


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("203.0.113.2", "203.0.113.2 is also the extrude_colo_address of rack; give the link's own"),
        ("192.0.2.2", "192.0.2.2 is also that of office in extrude_wans[0]; give the link's own"),
        ("203.0.113.11/24", "203.0.113.11 is also extruded to office; give the link's own"),
        ("10.254.7.7/16", "10.254.7.7 is also in the extrude_inside_pool of rack, 10.254.0.0/15; give the link's own"),
        ("10.252.7.7/16", "10.252.7.7 is also in the extrude_ipsec_pool of rack, 10.252.0.0/15; give the link's own"),
    ],
)
def test_links_with_somebody_elses_address(address: str, problem: str) -> None:
    found = problems(office=office(), shop=shop(extrude_wans=[dsl(address=address)]))
    assert found == [f"shop: extrude_wans[0].address: {problem}"]


def test_two_links_of_one_site_with_one_address() -> None:
    found = problems(shop=shop(extrude_wans=[dsl(), cable(address="192.0.2.2")]))
    problem = "192.0.2.2 is also that of shop in extrude_wans[0]; give the link's own"
    assert found == [f"shop: extrude_wans[1].address: {problem}"]


def behind_nat(address: str, **more: Any) -> Vars:
    return dsl(address=address, nat=True, **more)


def test_links_behind_nat_may_have_the_address_of_another_sites_link() -> None:
    one = office(extrude_wans=[behind_nat("192.168.1.2/24"), cable()], extrude_ipsec_psk=PSK)
    run(office=one, shop=shop(extrude_wans=[behind_nat("192.168.1.2/24")], extrude_ipsec_psk=PSK))
    run(office=one, shop=shop(extrude_wans=[dsl(address="192.168.1.2/24")]))
    run(office=office(), shop=shop(extrude_wans=[behind_nat("192.0.2.2")], extrude_ipsec_psk=PSK))


@pytest.mark.parametrize(
    ("first", "second"), [({"nat": True}, {"nat": True}), ({"nat": True}, {}), ({}, {"nat": True}), ({}, {})]
)
def test_links_of_one_site_have_their_own_addresses_behind_nat_too(first: Vars, second: Vars) -> None:
    wans = [dsl(**first), cable(address="192.0.2.2", **second)]
    problem = "192.0.2.2 is also that of shop in extrude_wans[0]; give the link's own"
    assert problems(shop=shop(extrude_wans=wans, extrude_ipsec_psk=PSK)) == [
        f"shop: extrude_wans[1].address: {problem}"
    ]


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("203.0.113.11", "extruded to office"),
        ("10.254.7.7", "in the extrude_inside_pool of rack, 10.254.0.0/15"),
        ("10.252.7.7", "in the extrude_ipsec_pool of rack, 10.252.0.0/15"),
    ],
)
def test_nat_does_not_make_everything_a_links_address(address: str, owner: str) -> None:
    site = shop(extrude_wans=[behind_nat(address)], extrude_ipsec_psk=PSK)
    problem = f"{address} is also {owner}; give the link's own"
    assert problems(office=office(), shop=site) == [f"shop: extrude_wans[0].address: {problem}"]


def two_colos(**first: Any) -> tuple[Vars, dict[str, list[str]]]:
    second = colo(extrude_colo_address="198.51.100.200", extrude_prefixes=["203.0.113.0/24"])
    hostvars = {"rack": colo(), "rack2": second, "office": office(**first), "shop": shop(extrude_colo="rack2")}
    return hostvars, {"extrude_colos": ["rack", "rack2"], "extrude_sites": ["office", "shop"]}


def test_numbers_and_addresses_are_unique_at_one_colo_only() -> None:
    result = topology(*two_colos(extrude_site_id=2, extrude_addresses=["203.0.113.20", "203.0.113.11"]))
    assert [(name, [state["site"] for state in states]) for name, states in result["colos"].items()] == [
        ("rack", ["office"]),
        ("rack2", ["shop"]),
    ]


def test_two_colos_with_one_address() -> None:
    hostvars, groups = two_colos()
    hostvars["rack2"]["extrude_colo_address"] = "203.0.113.2"
    with pytest.raises(TopologyError) as caught:
        topology(hostvars, groups)
    problem = "203.0.113.2 is also that of rack; give its own"
    assert str(caught.value).splitlines()[1:] == [f"rack2: extrude_colo_address: {problem}"]


def test_all_problems_of_all_hosts_come_together() -> None:
    rack = colo(extrude_colo_interface=...)
    found = problems(rack=rack, office=office(extrude_customer="X"), shop=shop(extrude_site_id=1))
    assert [line.partition(" ")[0] for line in found] == ["rack:", "office:", "shop:"]


def warned(**sites: Vars) -> list[str]:
    told: list[str] = []
    topology({"rack": colo(), **sites}, {"extrude_colos": ["rack"], "extrude_sites": list(sites)}, [], told.append)
    return told


def test_customers_of_whom_one_lists_the_other_are_told() -> None:
    one = office(extrude_peers=["initech", "globex"])
    more = office(
        extrude_peers=["initech"],
        extrude_site_id=3,
        extrude_addresses=["203.0.113.30"],
        extrude_lan=[],
        extrude_wans=[dsl(address="192.0.2.30")],
    )
    text = "initech has sites at rack, and none of them lists acme: they stay apart until one does"
    assert warned(office=one, more=more, shop=shop()) == [f"office: extrude_peers: {text}"]
    assert warned(office=one, shop=shop(extrude_peers=["acme"])) == []


def test_a_customer_without_a_site_here_may_list_them_elsewhere() -> None:
    assert warned(office=office(extrude_peers=["globex"]), shop=shop()) == []
    hosts, groups = two_colos(extrude_peers=["initech"])
    told: list[str] = []
    topology(hosts, groups, None, told.append)
    assert told == []


def test_the_sites_of_a_customer_have_one_limit() -> None:
    limit = {"up": 100, "down": 50}
    branch = shop(extrude_customer="acme", extrude_limit={"up": 100})
    text = "is up 100, and office of the same customer at rack has up 100 and down 50; give all sites of acme there"
    assert problems(office=office(extrude_limit=limit), branch=branch) == [f"branch: extrude_limit: {text} the same"]
    assert problems(office=office(), branch=branch)[0].startswith(
        "branch: extrude_limit: is up 100, and office of the same customer at rack has none; give"
    )
    assert list(run(office=office(extrude_limit=limit), shop=shop(extrude_limit={"up": 1}))["sites"])


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ("203.0.113.5", "203.0.113.5 is in the extrude_prefixes of rack"),
        ("203.0.113.128/25", "203.0.113.128/25 is in the extrude_prefixes of rack"),
        ("203.0.113.2", "203.0.113.2 is the extrude_colo_address of rack"),
        ("2001:db8:100:7::/64", "2001:db8:100:7::/64 is in the extrude_prefixes of rack"),
    ],
)
def test_what_only_the_tunnels_lead_to_is_not_listed_as_direct(destination: str, told: str) -> None:
    site = office(extrude_direct=[{"protocol": "tcp"}, {"destination": ["198.18.0.1", destination]}])
    text = f"{told}, which the tunnels lead to; leave it out"
    assert problems(office=site) == [f"office: extrude_direct[1].destination[1]: {text}"]


@pytest.mark.parametrize(
    ("to", "owner"),
    [
        ("203.0.113.2", "the extrude_colo_address of rack"),
        ("203.0.113.99", "in the extrude_prefixes of rack"),
        ("203.0.113.20", "in the extrude_prefixes of rack"),
        ("10.254.0.1", "in the extrude_inside_pool of rack, 10.254.0.0/15"),
        ("10.252.0.1", "in the extrude_ipsec_pool of rack, 10.252.0.0/15"),
    ],
)
def test_nothing_is_forwarded_to_what_is_on_no_lan(to: str, owner: str) -> None:
    forwards = [
        {"protocol": "tcp", "port": 80, "to": "192.168.1.20"},
        {"protocol": "tcp", "port": 81, "to": to},
    ]
    text = f"{to} is {owner}; give the address of a host on a LAN"
    found = problems(office=office(extrude_forwards=forwards), shop=shop())
    assert found == [f"office: extrude_forwards[1].to: {text}"]


def test_what_a_site_itself_has_is_told_once() -> None:
    forwards = [{"protocol": "tcp", "port": 80, "to": "203.0.113.11"}]
    (told,) = problems(office=office(extrude_forwards=forwards))
    assert told.startswith("office: extrude_forwards[0].to: 203.0.113.11 is in extrude_addresses[1]; give")


def test_around_it_more_may_be_listed() -> None:
    run(office=office(extrude_direct=[{"destination": "203.0.112.0/23"}]))


def test_a_single_destination_is_told_by_its_key() -> None:
    (told,) = problems(office=office(extrude_direct=[{"destination": "203.0.113.5"}]))
    assert told.startswith("office: extrude_direct[0].destination: 203.0.113.5 is in the extrude_prefixes of rack")
