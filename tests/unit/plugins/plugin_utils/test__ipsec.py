# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _swanctl
from ansible_collections.multihome.extrude.plugins.module_utils._bind import bind
from ansible_collections.multihome.extrude.plugins.module_utils._model import Connection, State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, problems, run, run_all, shop
from tests.unit.plugins.plugin_utils.samples import colo as rack

PSK = "correct horse battery staple"
SITE_DSL = {
    "name": "ex-dsl",
    "settings": {
        "version": "2",
        "local_addrs": "192.0.2.2",
        "remote_addrs": "203.0.113.2",
        "local": {"auth": "psk", "id": "dsl.1.acme.extrude"},
        "remote": {"auth": "psk", "id": "colo.extrude"},
        "proposals": ["aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-prfsha384-x25519"],
        "mobike": "no",
        "keyingtries": "0",
        "dpd_delay": "10s",
        "children": {
            "ex-dsl": {
                "mode": "beet",
                "local_ts": ["10.252.0.1/32[gre]"],
                "remote_ts": ["10.252.0.0/32[gre]"],
                "start_action": "trap|start",
                "dpd_action": "start",
                "close_action": "start",
                "esp_proposals": ["aes256gcm16-x25519"],
                "replay_window": "2048",
            }
        },
    },
}
COLO_DSL = {
    "name": "ex1-dsl",
    "settings": {
        "version": "2",
        "local_addrs": "203.0.113.2",
        "remote_addrs": "%any",
        "local": {"auth": "psk", "id": "colo.extrude"},
        "remote": {"auth": "psk", "id": "dsl.1.acme.extrude"},
        "proposals": ["aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-prfsha384-x25519"],
        "mobike": "no",
        "keyingtries": "0",
        "dpd_delay": "10s",
        "children": {
            "ex1-dsl": {
                "mode": "beet",
                "local_ts": ["10.252.0.0/32[gre]"],
                "remote_ts": ["10.252.0.1/32[gre]"],
                "start_action": "none",
                "dpd_action": "clear",
                "close_action": "none",
                "esp_proposals": ["aes256gcm16-x25519"],
                "replay_window": "2048",
            }
        },
    },
}


def made(*wans: Vars, **changes: Any) -> tuple[Vars, Vars]:
    """The states of the sample site and of its colo."""
    found = run(office=office(extrude_wans=list(wans), extrude_ipsec_psk=PSK, **changes))
    return found["sites"]["office"], found["colos"]["rack"][0]


def test_the_connections_of_both_ends() -> None:
    site, colo = made(dsl(ipsec=True), cable())
    assert (site["connections"], colo["connections"]) == ([SITE_DSL], [COLO_DSL])


def test_without_encryption_there_are_none() -> None:
    site, colo = made(dsl(), cable())
    assert (site["connections"], colo["connections"]) == ([], [])


def test_a_site_with_a_certificate() -> None:
    changes = {"extrude_ipsec_auth": "certificate", "extrude_wans": [dsl(ipsec=True), cable()]}
    authority = {"extrude_ipsec_ca": "/srv/ca", "extrude_ipsec_ca_passphrase": PSK}
    found = run(rack=rack(**authority), office=office(**changes))
    site, (colo,) = found["sites"]["office"], found["colos"]["rack"]
    assert site["certificate"] == {"subject": "1.acme.extrude", "names": ["dsl.1.acme.extrude"], "colo": "rack"}
    assert colo["certificate"] == {"subject": "colo.extrude", "names": ["colo.extrude"], "colo": "rack"}
    (near,), (far,) = ([entry["settings"] for entry in state["connections"]] for state in (site, colo))
    assert near["local"] == {"auth": "pubkey", "id": "dsl.1.acme.extrude"}
    assert near["remote"] == {"auth": "pubkey", "id": "colo.extrude", "ca_id": "ca.extrude"}
    assert far["local"] == {"auth": "pubkey", "id": "colo.extrude"}
    assert far["remote"] == {"auth": "pubkey", "id": "dsl.1.acme.extrude", "ca_id": "ca.extrude"}


def test_an_authority_is_missed_where_a_site_needs_one() -> None:
    site = office(extrude_ipsec_auth="certificate", extrude_ipsec=True)
    folder, passphrase = problems(office=site)
    why = "is missing, and office proves itself by a certificate; give "
    assert folder.startswith(f"rack: extrude_ipsec_ca: {why}")
    assert passphrase.startswith(f"rack: extrude_ipsec_ca_passphrase: {why}")


def test_the_engine_takes_them_and_gives_them_back() -> None:
    for state in made(dsl(ipsec=True), cable(nat=True)):
        parsed = State.parse(state).of(Connection)
        assert [connection.name for connection in parsed] == [entry["name"] for entry in state["connections"]]
        for connection, entry in zip(parsed, state["connections"], strict=True):
            assert _swanctl.message(connection.settings) == _swanctl.message(_joined(entry["settings"]))


def _joined(settings: Vars) -> Vars:
    return {
        name: _joined(value) if isinstance(value, dict) else ",".join(value) if isinstance(value, list) else value
        for name, value in settings.items()
    }


def ids(state: Vars) -> list[tuple[str, str]]:
    connections = [entry["settings"] for entry in state["connections"]]
    return [(settings["local"]["id"], settings["remote"]["id"]) for settings in connections]


def children(state: Vars) -> list[Vars]:
    return [child for entry in state["connections"] for child in entry["settings"]["children"].values()]


def test_each_link_has_a_name_of_its_own_and_both_ends_agree_on_it() -> None:
    site, colo = made(dsl(ipsec=True), cable(ipsec=True))
    assert ids(site) == [("dsl.1.acme.extrude", "colo.extrude"), ("cable.1.acme.extrude", "colo.extrude")]
    assert ids(colo) == [(far, near) for near, far in ids(site)]


def test_both_ends_carry_what_goes_between_the_ends_of_the_tunnel() -> None:
    wans = [dsl(ipsec=True, slot=16), cable(nat=True, slot=9), dsl(name="lte", interface="lte0", address="192.0.2.9")]
    for state in made(*wans, extrude_site_id=300):
        tunnels = {tunnel["name"]: tunnel for tunnel in state["tunnels"]}
        for entry in state["connections"]:
            ((name, child),) = entry["settings"]["children"].items()
            tunnel = tunnels[entry["name"]]
            assert name == entry["name"]
            assert child["local_ts"] == [f"{tunnel['local']}/32[gre]"]
            assert child["remote_ts"] == [f"{tunnel['remote']}/32[gre]"]
        assert len(state["connections"]) == 2


def test_the_site_calls_and_the_colo_waits() -> None:
    site, colo = made(dsl(ipsec=True), cable(ipsec=True))
    assert {child["start_action"] for child in children(site)} == {"trap|start"}
    assert {child["start_action"] for child in children(colo)} == {"none"}
    assert {entry["settings"]["remote_addrs"] for entry in colo["connections"]} == {"%any"}


def test_nat_and_the_links_address_change_nothing_at_the_colo() -> None:
    plain = made(dsl(ipsec=True))[1]["connections"]
    for other in (dsl(nat=True), dsl(ipsec=True, address="198.51.100.77/24"), dsl(nat=True, address=..., gateway=...)):
        assert made(other)[1]["connections"] == plain


def test_a_dynamic_link_calls_from_whatever_address_it_has() -> None:
    site, _colo = made(dsl(address=..., gateway=..., nat=True), cable(ipsec=True))
    assert [entry["settings"]["local_addrs"] for entry in site["connections"]] == ["{dsl.address}", "198.51.100.2"]


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (
            {"dsl.device": "ppp0", "dsl.address": "100.64.0.7", "dsl.gateway": "100.64.0.1"},
            ["100.64.0.7", "198.51.100.2"],
        ),
        ({}, ["198.51.100.2"]),
    ],
)
def test_while_a_link_is_down_it_has_no_connection(known: dict[str, str], found: list[str]) -> None:
    site, _colo = made(dsl(address=..., gateway=..., nat=True), cable(ipsec=True))
    connections = State.parse(bind(site, known)).of(Connection)
    assert [connection.settings["local_addrs"] for connection in connections] == found


def test_algorithms_of_the_inventory_the_preferred_ones_first() -> None:
    ike = ["chacha20poly1305-prfsha512-x448", "aes128gcm16-prfsha256-ecp256"]
    esp = ["chacha20poly1305", "aes128gcm16-ecp256"]
    for state in made(dsl(ipsec=True), extrude_ipsec_ike=ike, extrude_ipsec_esp=esp):
        (entry,) = state["connections"]
        assert entry["settings"]["proposals"] == ike
        assert [child["esp_proposals"] for child in children(state)] == [esp]


def test_the_secret_is_called_alike_at_both_ends_and_stands_for_all_links_of_the_site() -> None:
    site, colo = made(dsl(ipsec=True), cable())
    assert site["secret"] == colo["secret"] == {"site": "acme.1", "links": "*.1.acme.extrude"}
    assert all(near.endswith(site["secret"]["links"].removeprefix("*")) for near, _far in ids(site))


def test_no_sites_pattern_matches_links_of_another() -> None:
    sites = {
        "a": office(extrude_site_id=1, extrude_ipsec=True, extrude_ipsec_psk=PSK),
        "b": shop(extrude_site_id=11, extrude_customer="acme", extrude_ipsec=True, extrude_ipsec_psk=PSK),
        "c": shop(
            extrude_site_id=111,
            extrude_customer="1-acme",
            extrude_addresses=["203.0.113.21"],
            extrude_wans=[dsl(address="192.0.2.21", ipsec=True)],
            extrude_ipsec_psk=PSK,
        ),
    }
    states = run_all(sites)["sites"]
    for name, state in states.items():
        suffix = state["secret"]["links"].removeprefix("*")
        matched = {other for other, found in states.items() for near, _far in ids(found) if near.endswith(suffix)}
        assert matched == {name}


def test_no_state_holds_a_secret() -> None:
    assert PSK not in str(made(dsl(ipsec=True), cable(nat=True)))
