# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from netaddr import IPNetwork

from ansible_collections.multihome.extrude.plugins.module_utils._iptables import canonical
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, State
from ansible_collections.multihome.extrude.plugins.module_utils._plan import merged_chains
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._firewall_colo import colo_chains
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_inventory import read_inventory
from ansible_collections.multihome.extrude.plugins.plugin_utils._spread import spread_down
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Claim
from tests.unit.plugins.plugin_utils.samples import Vars, cable, colo, dsl, office, shop
from tests.unit.plugins.plugin_utils.walk import Chains, Packet

BOTH = ["203.0.113.10", "2001:db8:100:1::/64"]
LANS = [{"interface": "lan0", "mode": "nat"}, {"interface": "lan1", "mode": "routed"}]
SERVICES = [{"protocol": "tcp", "port": 22}]
OLD = (
    "-s 203.0.113.77/32 -i ex77-+ -j ACCEPT",
    "-d 203.0.113.77/32 -o ex77-+ -j ACCEPT",
    "-o extrude0 -j REJECT --reject-with icmp-host-unreachable",
)
"""What a former version of the collection had for a site."""


def chains_of(sites: dict[str, Vars], rack: Vars | None = None) -> list[Chain]:
    """The chains of a colo with some sites, as the engine puts them together."""
    groups = {"extrude_colos": ["rack"], "extrude_sites": list(sites)}
    inventory = read_inventory({"rack": rack or colo(), **sites}, groups, Problems())
    states = [
        {"customer": site.customer, "site": site.name, "chains": list(colo_chains(site, inventory.colos["rack"]))}
        for site in inventory.sites.values()
    ]
    return list(merged_chains(Request(tuple(map(State.parse, states)))))


def placed(chains: list[Chain], version: int = 4) -> Chains:
    return {(chain.table, chain.name): chain.rules for chain in chains if chain.family == version}


def offices(*others: tuple[str, list[str]], **changes: Any) -> dict[str, Vars]:
    """Two sites of acme, and one for each other customer, each with the customers that it talks to."""
    sites = {"office": office(**changes), "annex": office(**{**changes, "extrude_site_id": 12})}
    for number, (customer, peers) in enumerate(others, 21):
        sites[customer] = shop(extrude_customer=customer, extrude_site_id=number, extrude_peers=peers)
    return sites


def test_the_rules_are_in_the_words_of_iptables_save() -> None:
    rack = colo(extrude_services=[*SERVICES, {"protocol": "udp", "port": "5000-5010", "customers": ["acme"]}])
    sites = offices(("globex", ["acme"]), extrude_addresses=BOTH, extrude_lan=LANS, extrude_peers=["globex"])
    chains = chains_of(sites, rack)
    assert {chain.family for chain in chains} == {4, 6}
    assert set(canonical(chains)) == set(chains)


def test_what_comes_out_of_a_tunnel_is_asked_for_its_source_and_nothing_else_is() -> None:
    for version in (4, 6):  # also where no IPv6 is extruded
        chains = placed(chains_of({"office": office()}), version)
        assert chains["raw", "EXTRUDE-PREROUTING"] == ("-m devgroup --src-group 0x1069 -j EXTRUDE-SOURCES",)
        assert chains["raw", "EXTRUDE-SOURCES"] == (
            "-j MARK --set-xmark 0x3f000000/0x3f000000",
            "-m rpfilter --validmark --invert -j DROP",
            "-j MARK --set-xmark 0x0/0x3f000000",
        )
    forged = Packet("ex1-dsl", "eth0", told=("-m rpfilter --validmark --invert",))
    assert forged.passes(placed(chains_of({"office": office()}))) == "DROP"


def test_between_rack_and_tunnels_all_passes_and_what_nobody_carries_is_answered() -> None:
    chains = placed(chains_of(offices()))
    for comes, goes in (("eth0", "ex1-dsl"), ("ex12-cable", "eth0"), ("extern0", "ex1-dsl")):
        for first in (True, False):
            assert Packet(comes, goes, first).passes(chains) == ""  # not held back where it leaves
    for comes in ("eth0", "ex1-dsl"):
        assert Packet(comes, "extrude0").passes(chains) == "REJECT"
    assert Packet("eth0", "extern0").passes(chains) == ""


@pytest.mark.parametrize("told", [("-s 10.254.0.0/15",), ("-d 10.254.0.0/15",)])
def test_inside_addresses_are_neither_reached_through_the_colo_nor_do_they_leave(told: tuple[str]) -> None:
    chains = placed(chains_of(offices()))
    verdicts = {way: Packet(*way, told=told).passes(chains) for way in (("eth0", "ex1-dsl"), ("ex1-dsl", "eth0"))}
    assert verdicts[("ex1-dsl", "eth0") if "-s" in told[0] else ("eth0", "ex1-dsl")] == "DROP"
    assert Packet("eth0", "eth1", told=told).passes(chains) == ""


def test_inside_addresses_of_the_colo_are_for_the_far_ends_of_tunnels() -> None:
    chains = placed(chains_of(offices()))
    to, ends = "-d 10.254.0.0/15", "-s 10.254.0.0/15"
    own = "-m addrtype --dst-type LOCAL --limit-iface-in"
    assert Packet("ex1-dsl", told=(to, "-p tcp", own)).passes(chains) == "DROP"
    assert Packet("ex1-dsl", told=(to, "-p icmp")).passes(chains) == "DROP"
    assert Packet("ex1-dsl", told=(to, "-p icmp", own)).passes(chains) == ""
    assert Packet("eth0", told=(to,)).passes(chains) == "DROP"
    assert Packet("ex1-dsl", told=(ends, to, "-p icmp")).passes(chains) == "ACCEPT"
    assert Packet("ex77-dsl", told=(ends, to, "-p icmp")).passes(chains) == "ACCEPT"
    assert Packet("eth0", told=(to, own)).passes(chains) == ""
    assert Packet("lo", told=(to,)).passes(chains) == ""


def between(chains: Chains, sender: int, receiver: int, **more: Any) -> str:
    return Packet(f"ex{sender}-dsl", f"ex{receiver}-cable", **more).passes(chains)


@pytest.mark.parametrize(
    ("theirs", "ours", "verdict"),
    [([], [], "REJECT"), (["acme"], [], "REJECT"), ([], ["globex"], "REJECT"), (["acme"], ["globex"], "")],
    ids=["none", "they", "we", "both"],
)
def test_sites_of_two_customers_talk_where_both_say_so(theirs: list[str], ours: list[str], verdict: str) -> None:
    chains = placed(chains_of(offices(("globex", theirs), ("initech", ["acme", "globex"]), extrude_peers=ours)))
    for sender, receiver in ((1, 21), (21, 1), (12, 21), (21, 12)):
        assert between(chains, sender, receiver) == verdict
    for sender, receiver in ((1, 22), (22, 21), (21, 22)):
        assert between(chains, sender, receiver) == "REJECT"


def test_sites_of_a_customer_talk_and_it_is_said_for_each_site() -> None:
    sites = offices(("globex", ["acme"]))
    sites["annex"]["extrude_peers"] = ["globex"]
    chains = placed(chains_of(sites))
    assert [between(chains, *pair) for pair in ((1, 12), (12, 1), (12, 21), (21, 12))] == [""] * 4
    assert between(chains, 1, 21) == between(chains, 21, 1) == "REJECT"


def test_an_open_connection_goes_on() -> None:
    assert between(placed(chains_of(offices(("globex", [])))), 1, 21, first=False) == ""


def test_what_the_administrator_lets_through_is_dropped_where_it_leaves() -> None:
    chains = {**placed(chains_of(offices(("globex", [])))), ("filter", "EXTRUDE-FORWARD"): ("-j ACCEPT",)}
    assert between(chains, 1, 21) == "DROP"


def test_refused_senders_are_told_so() -> None:
    for version, told in ((4, "icmp-admin-prohibited"), (6, "icmp6-adm-prohibited")):
        chains = placed(chains_of({"office": office(extrude_addresses=BOTH, extrude_lan=LANS)}), version)
        refused = [rule for rule in chains["filter", "EXTRUDE-FORWARD"] if told in rule]
        assert refused == [f"-m mark --mark 0x3e000000/0x3f000000 -j REJECT --reject-with {told}"]


def test_names_of_chains_fit() -> None:
    sites = {"a": office(extrude_customer="x" * 32, extrude_site_id=4095, extrude_peers=["y" * 32])}
    assert all(len(chain.name) <= 28 for chain in chains_of(sites))


def test_segments_fit_the_site_of_each_device() -> None:
    sites = {"office": office(extrude_wans=[dsl(mtu=1492), cable()]), "annex": office(extrude_site_id=12)}
    chains = placed(chains_of(sites))
    for way, sizes in (
        (("ex1-dsl", "eth0"), " 1424"),
        (("eth0", "ex12-cable"), " 1432"),
        (("ex1-dsl", "ex12-dsl"), " 1424 1432"),
    ):
        packet = Packet(*way)
        packet.passes(chains)
        assert packet.clamped == sizes


def test_a_site_that_is_not_deployed_anew_yet_is_as_it_was() -> None:
    old = {"family": 4, "name": "EXTRUDE-FORWARD", "hook": "FORWARD", "rules": list(OLD)}
    states = [State.parse({"customer": "aaa", "site": "old", "chains": [old]})]
    parsed = read_inventory(
        {"rack": colo(), "office": office()}, {"extrude_colos": ["rack"], "extrude_sites": ["office"]}, Problems()
    )
    made = list(colo_chains(parsed.sites["office"], parsed.colos["rack"]))
    states.append(State.parse({"customer": "acme", "site": "office", "chains": made}))
    rules = {
        (chain.table, chain.name): chain.rules for chain in merged_chains(Request(tuple(states))) if chain.family == 4
    }
    assert rules["filter", "EXTRUDE-FORWARD"][:3] == OLD
    # its devices are in no group of ours, and no rule but those of a group and of its own names asks for them
    for place, listed in rules.items():
        for rule in listed if place[1] in ("EXTRUDE-FORWARD", "EXTRUDE-PREROUTING", "EXTRUDE-POSTROUTING") else ():
            assert rule in OLD or "-group" in rule or "--mark 0x3e000000" in rule or "extrude0" in rule


@lru_cache
def many(count: int) -> Chains:
    """A colo with so many sites, of ten customers."""
    rack = colo(extrude_services=SERVICES)
    groups = {"extrude_colos": ["rack"], "extrude_sites": ["office"]}
    inventory = read_inventory({"rack": rack, "office": office(extrude_peers=["c1", "c2"])}, groups, Problems())
    rules: dict[tuple[str, str], dict[str, None]] = {}
    for number in range(1, count + 1):
        site = replace(inventory.sites["office"], number=number, customer=f"c{number % 10}")
        for chain in colo_chains(site, inventory.colos["rack"]):
            if chain["family"] == 4:
                rules.setdefault((chain["table"], chain["name"]), {}).update(dict.fromkeys(chain["rules"]))
    return {place: tuple(listed) for place, listed in rules.items()}


def longest(count: int, *, first: bool) -> dict[str, int]:
    """The rules that a packet passes at most, by what it is."""
    last = count
    ways = {
        "up": [(f"ex{number}-dsl", "eth0") for number in range(1, count + 1)],
        "down": [("eth0", f"ex{number}-dsl") for number in range(1, count + 1)],
        "between": [(f"ex{number}-dsl", f"ex{last}-dsl") for number in range(1, count + 1)],
        "local": [(f"ex{number}-dsl", "") for number in range(1, count + 1)],
        "other": [("eth0", "eth1")],
    }
    walked = {}
    for name, listed in ways.items():
        packets = [Packet(*way, first=first) for way in listed]
        for packet in packets:
            packet.passes(many(count))
        walked[name] = max(packet.walked for packet in packets)
    return walked


def test_packets_of_a_connection_pass_the_same_rules_at_10_and_at_1000_sites() -> None:
    assert longest(10, first=False) == longest(1000, first=False)
    assert max(longest(1000, first=False).values()) <= 20


def test_first_packets_pass_few_more_at_1000_sites() -> None:
    few, most = longest(10, first=True), longest(1000, first=True)
    assert max(few["up"], few["down"], few["local"]) <= 30
    assert max(most["up"], most["down"], most["local"]) <= 70
    assert most["between"] <= 250


def pinned(count: int) -> tuple[Chains, list[IPNetwork]]:
    """A colo with so many sites that pin something, each with the next address, and these."""
    groups = {"extrude_colos": ["rack"], "extrude_sites": ["office"]}
    office_with_pins = office(extrude_pins=[{"dscp": "ef", "wan": "dsl"}])
    inventory = read_inventory({"rack": colo(), "office": office_with_pins}, groups, Problems())
    rules: dict[tuple[str, str], dict[str, None]] = {}
    addresses = [IPNetwork((0xC6120000 + number, 32), version=4) for number in range(1, count + 1)]  # 198.18.0.1 …
    for number, address in enumerate(addresses, 1):
        site = replace(inventory.sites["office"], number=number, claims=(Claim("", address),))
        for part in spread_down(site, 4):
            rules.setdefault(("mangle", part.name), {}).update(dict.fromkeys(part.rules))
    return {place: tuple(listed) for place, listed in rules.items()}, addresses


@pytest.mark.parametrize(("count", "most"), [(10, 16), (1000, 39)])
def test_where_sites_have_pins_a_tree_of_chains_finds_the_site(count: int, most: int) -> None:
    chains, addresses = pinned(count)
    walked = []
    for address in addresses:
        told = tuple(f"-d {around}" for around in (*address.supernet(16), address) if around.prefixlen % 4 == 0)
        packet = Packet("eth0", "ex1-dsl", told=(*told, "-m dscp --dscp 0x2e"))
        packet.passes(chains)
        assert packet.mark == 0x01000000
        walked.append(packet.walked)
    assert max(walked) == most
