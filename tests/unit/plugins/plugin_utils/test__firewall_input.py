# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.multihome.extrude.plugins.module_utils._iptables import canonical
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, run, shop

BOTH = ["203.0.113.10", "2001:db8:100::10"]
LANS = [{"interface": "lan0", "mode": "nat"}]


def both() -> tuple[Vars, Vars]:
    made = run(office=office(extrude_addresses=BOTH, extrude_lan=LANS), shop=shop())
    return made["sites"]["office"], made["colos"]["rack"][0]


def rules(state: Vars, family: int) -> list[str]:
    (chain,) = (
        chain
        for chain in state["chains"]
        if (chain.get("hook"), chain["table"], chain["family"]) == ("INPUT", "filter", family)
    )
    return list(chain["rules"])


def test_the_rules_are_in_the_words_of_iptables_save() -> None:
    for state in both():
        chains = [chain for chain in State.parse(state).of(Chain) if (chain.hook, chain.table) == ("INPUT", "filter")]
        assert len(chains) == 2
        assert set(canonical(chains)) == set(chains)


def test_what_carries_the_packets_comes_first() -> None:
    site, colo = both()
    assert rules(site, 4)[0] == "-s 203.0.113.2/32 -p gre -j ACCEPT"
    assert rules(colo, 4)[0] == "-d 203.0.113.2/32 -p gre -j ACCEPT"


def encrypted() -> tuple[Vars, Vars]:
    wans = [dsl(nat=True), cable()]
    site = office(extrude_addresses=BOTH, extrude_lan=LANS, extrude_wans=wans, extrude_ipsec_psk="x" * 20)
    made = run(office=site)
    return made["sites"]["office"], made["colos"]["rack"][0]


def test_of_encrypted_tunnels_ike_and_esp_and_what_was_in_it_are_let_in() -> None:
    for state, far in zip(encrypted(), ("-s 203.0.113.2/32", "-d 203.0.113.2/32"), strict=True):
        assert rules(state, 4)[:5] == [
            f"{far} -p gre -j ACCEPT",
            "-s 10.252.0.0/15 -p gre -m policy --dir in --pol ipsec -j ACCEPT",
            f"{far} -p esp -j ACCEPT",
            f"{far} -p udp -m udp --dport 500 -j ACCEPT",
            f"{far} -p udp -m udp --dport 4500 -j ACCEPT",
        ]
        listed = State.parse(state).of(Chain)
        chains = [chain for chain in listed if (chain.name, chain.table) == ("EXTRUDE-INPUT", "filter")]
        assert set(canonical(chains)) == set(chains)


def test_all_else_is_as_it_is_without_encryption() -> None:
    for state, plain in zip(encrypted(), both(), strict=True):
        assert rules(state, 6) == rules(plain, 6)
        assert rules(state, 4)[5:] == rules(plain, 4)[1:]


def test_a_site_speaks_for_its_own_inside_addresses_only() -> None:
    site, _colo = both()
    assert rules(site, 4)[-1] == "-d 10.254.0.0/27 ! -i ex-+ -j DROP"
    assert rules(site, 6)[-1] == "-d fd65:7874:7275::/60 ! -i ex-+ -j DROP"


def test_a_host_that_has_an_address_of_its_own_in_the_block_is_not_locked_out() -> None:
    own = "-m addrtype --dst-type LOCAL --limit-iface-in -j RETURN"
    site, _colo = both()
    assert rules(site, 4)[-2] == f"-d 10.254.0.0/27 {own}"


def test_more_sites_are_no_more_rules_at_the_colo() -> None:
    states = run(office=office(), shop=shop())["colos"]["rack"]
    assert rules(states[0], 4) == rules(states[1], 4)
