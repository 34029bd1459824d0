# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.multihome.extrude.plugins.module_utils._iptables import canonical
from ansible_collections.multihome.extrude.plugins.module_utils._model import KINDS, Chain, State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, colo, dsl, office, run, run_all, shop

PSK = "correct horse battery staple"
POOL = "10.252.0.0/15"


def made(rack: Vars | None = None, **changes: Any) -> tuple[Vars, Vars]:
    """The states of the sample site, one link of which is encrypted, and of its colo."""
    wans = {"extrude_wans": [dsl(ipsec=True), cable()], "extrude_ipsec_psk": PSK}
    found = run(rack=rack, office=office(**{**wans, **changes}))
    return found["sites"]["office"], found["colos"]["rack"][0]


def raw(state: Vars) -> list[Vars]:
    """The chains of the table raw, without what a colo says of sources there."""
    chains = [chain for chain in state["chains"] if (chain["table"], chain["family"]) == ("raw", 4)]
    mine = [{**chain, "rules": [rule for rule in chain["rules"] if "SOURCES" not in rule]} for chain in chains]
    return [chain for chain in mine if "SOURCES" not in chain["name"] and chain["rules"]]


def test_what_is_not_encrypted_neither_comes_nor_leaves_at_either_end() -> None:
    expected = [
        {
            "family": 4,
            "table": "raw",
            "name": "EXTRUDE-PREROUTING",
            "hook": "PREROUTING",
            "rules": [
                f"-s {POOL} -m policy --dir in --pol none -j DROP",
                f"-d {POOL} ! -i lo -m policy --dir in --pol none -j DROP",
                f"-d {POOL} -m addrtype ! --dst-type LOCAL -j DROP",
                f"-s {POOL} -j CT --notrack",
            ],
        },
        {
            "family": 4,
            "table": "raw",
            "name": "EXTRUDE-OUTPUT",
            "hook": "OUTPUT",
            "rules": [f"-d {POOL} ! -o lo -m policy --dir out --pol none -j DROP", f"-d {POOL} -j CT --notrack"],
        },
    ]
    assert [raw(state) for state in made()] == [expected, expected]


def test_it_is_in_the_words_of_iptables_save() -> None:
    for state in made():
        chains = [chain for chain in State.parse(state).of(Chain) if chain.table == "raw"]
        assert len(chains) >= 2
        assert set(canonical(chains)) == set(chains)


def test_where_nothing_is_encrypted_there_is_no_such_rule() -> None:
    assert [raw(state) for state in made(extrude_wans=[dsl(), cable()])] == [[], []]


def test_ipv6_inside_changes_nothing() -> None:
    one = made(extrude_addresses=["203.0.113.10", "2001:db8:100::10"], extrude_lan=[])
    assert [raw(state) for state in one] == [raw(state) for state in made()]


def test_the_pool_of_the_colo() -> None:
    for state in made(rack=colo(extrude_ipsec_pool="10.9.0.0/20")):
        rules = [rule for chain in raw(state) for rule in chain["rules"]]
        assert len([rule for rule in rules if "10.9.0.0/20" in rule]) == len(rules) == 6


def test_more_sites_are_no_more_rules_at_the_colo() -> None:
    wans = [dsl(address="192.0.2.20/24", nat=True)]
    sites = {
        "office": office(extrude_ipsec=True, extrude_ipsec_psk=PSK),
        "shop": shop(extrude_wans=wans, extrude_ipsec_psk=PSK),
    }
    first, second = run_all(sites)["colos"]["rack"]
    assert raw(first) == raw(second) != []


def test_a_host_is_closed_before_it_has_an_address_of_the_pool_and_until_it_has_none() -> None:
    # kinds are added in this order, and go in the other one
    assert KINDS.index("chains") < KINDS.index("addresses")
    assert KINDS.index("connections") < KINDS.index("tunnels")
