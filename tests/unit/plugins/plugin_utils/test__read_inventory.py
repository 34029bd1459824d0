# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems, TopologyError
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_inventory import (
    KNOWN,
    OF_BOTH,
    OF_COLOS,
    OF_SITES,
    keys_as_variables,
    read_inventory,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from tests.unit.plugins.plugin_utils.samples import Templates, Vars, changed, colo, office, shop

ROOT = Path(__file__).parents[4]

HOSTS = {"rack": colo(), "office": office(), "shop": shop(), "printer": {}}


def problems(groups: dict[str, list[str]]) -> list[str]:
    noted = Problems()
    read_inventory(HOSTS, groups, noted)
    with pytest.raises(TopologyError) as caught:
        noted.raise_if_any()
    return str(caught.value).splitlines()[1:]


def test_only_the_hosts_of_the_two_groups_are_read() -> None:
    noted = Problems()
    inventory = read_inventory(HOSTS, {"extrude_colos": ["rack"], "extrude_sites": ["shop", "office"]}, noted)
    assert (list(inventory.colos), list(inventory.sites)) == (["rack"], ["shop", "office"])
    noted.raise_if_any()


def test_no_sites_yet() -> None:
    assert read_inventory(HOSTS, {"extrude_colos": ["rack"], "extrude_sites": []}, Problems()).sites == {}


def test_missing_groups() -> None:
    assert problems({"all": ["rack"]}) == [
        "inventory: groups: there is no group extrude_colos; give one with the hosts of that kind",
        "inventory: groups: there is no group extrude_sites; give one with the hosts of that kind",
    ]


def test_a_missing_group_is_told_once_and_not_for_each_site_too() -> None:
    assert problems({"extrude_sites": ["office", "shop"]}) == [
        "inventory: groups: there is no group extrude_colos; give one with the hosts of that kind"
    ]
    named = "extrude_colo: 'rack' is not in the group extrude_colos; put it there: no host is in it"
    assert problems({"extrude_colos": [], "extrude_sites": ["office", "shop"]}) == [f"office, shop: {named}"]


def test_a_host_is_either_colo_or_site() -> None:
    found = problems({"extrude_colos": ["rack", "office"], "extrude_sites": ["office"]})
    assert found[0] == "office: groups: is in extrude_colos and in extrude_sites; a host can be only one of them"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("extrude_lans", "extrude_lan"),
        ("extrude_when_dwon", "extrude_when_down"),
        ("extrude_tables", "extrude_table"),
        ("extrude_adresses", "extrude_addresses"),  # the host has that one too, from its group
        ("extrude_guard_timout", "extrude_guard_timeout"),
        ("extrude_conect_timeout", "extrude_connect_timeout"),
    ],
)
def test_a_misspelt_variable_is_told(name: str, meant: str) -> None:
    noted = Problems()
    hosts = {"rack": colo(), "office": office(**{name: "x"})}
    read_inventory(hosts, {"extrude_colos": ["rack"], "extrude_sites": ["office"]}, noted)
    with pytest.raises(TopologyError, match=f"office: {name}: is not known; the nearest known variable is {meant}"):
        noted.raise_if_any()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("extrude_detect", "give detect to each link of extrude_wans"),
        ("extrude_wans_mtu", "give mtu to each link of extrude_wans"),
        ("extrude_shape_up", "give up to each link of extrude_wans"),
        ("extrude_mode", "give mode to entries of extrude_lan"),
        ("extrude_dscp", "give dscp to entries of extrude_direct or extrude_pins"),
        (
            "extrude_port",
            "give port to entries of extrude_forwards or extrude_services",
        ),
        ("extrude_direct_ports", "give ports to entries of extrude_direct"),
        ("extrude_limit_up", "give up to extrude_limit"),
    ],
)
def test_a_key_of_another_variable_is_none_itself(name: str, advice: str) -> None:
    noted = Problems()
    hosts = {"rack": colo(), "office": office(**{name: 1})}
    read_inventory(hosts, {"extrude_colos": ["rack"], "extrude_sites": ["office"]}, noted)
    with pytest.raises(TopologyError) as caught:
        noted.raise_if_any()
    assert str(caught.value).splitlines()[1:] == [f"office: {name}: is not a variable; {advice}"]


def test_but_whether_links_are_encrypted_is_one_too() -> None:
    noted = Problems()
    hosts = {"rack": colo(), "office": office(extrude_ipsec=True, extrude_ipsec_psk="x" * 20)}
    found = read_inventory(hosts, {"extrude_colos": ["rack"], "extrude_sites": ["office"]}, noted)
    noted.raise_if_any()
    assert len(found.sites["office"].encrypted) == 2


def test_other_variables_are_nobodys_business() -> None:
    noted = Problems()
    hosts = {"rack": colo(), "office": office(extrude_site_phone="1", lans="x", extrude_topology={})}
    read_inventory(hosts, {"extrude_colos": ["rack"], "extrude_sites": ["office"]}, noted)
    noted.raise_if_any()


OWN = "give that, or one of your own a name that is less like it"


def test_no_name_of_our_own_playbooks_roles_and_inventories_is_refused() -> None:
    files = [*(ROOT / "playbooks").glob("*.yml"), *(ROOT / "playbooks").glob("[pt]*s/*.yml")]
    files += [file for folder in ("roles", "inventories") for file in (ROOT / folder).rglob("*.yml")]
    ours = {name for file in files for name in re.findall(r"\bextrude_[a-z0-9_]+", file.read_text(encoding="utf-8"))}
    assert {"extrude_topology", "extrude_command", "extrude_wans"} <= ours
    noted = Problems()
    Reader("office", dict.fromkeys(ours - {"extrude_colos"}), noted).refuse_misspelt(
        KNOWN, keys_as_variables()
    )  # a group
    noted.raise_if_any()


def test_all_variables_of_the_documentation_are_known() -> None:
    table = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8").splitlines()
    listed = {
        name
        for line in table
        if line.startswith("| `extrude_")
        for name in re.findall(r"`(extrude_[a-z0-9_]+)`", line.split("|")[1])
    }
    assert listed <= set(KNOWN)
    assert set(OF_COLOS) | set(OF_SITES) | set(OF_BOTH) <= listed


SERVICES = [{"protocol": "tcp", "port": 22}]
LIMIT = {"up": 100}


def read(rack: Vars, site: Vars, other: Vars) -> list[str]:
    noted = Problems()
    groups = {"extrude_colos": ["rack"], "extrude_sites": ["office", "shop"]}
    read_inventory({"rack": colo(**rack), "office": office(**site), "shop": shop(**other)}, groups, noted)
    try:
        noted.raise_if_any()
    except TopologyError as error:
        return str(error).splitlines()[1:]
    return []


def test_a_variable_that_no_host_looks_at_is_told() -> None:
    assert read({"extrude_limit": LIMIT}, {"extrude_services": SERVICES}, {}) == [
        "office: extrude_services: is a variable of colos; give it to rack",
        "rack: extrude_limit: is a variable of sites; give it to these, or to the customer's group",
    ]


@pytest.mark.parametrize("key", OF_SITES)
def test_what_only_sites_look_at_is_not_for_a_colo_alone(key: str) -> None:
    noted = Problems()
    hosts = {"rack": colo(**{key: True}), "office": changed(office(), {key: ...})}
    read_inventory(hosts, {"extrude_colos": ["rack"], "extrude_sites": ["office"]}, noted)
    with pytest.raises(TopologyError, match=f"rack: {key}: is a variable of sites; give it to these"):
        noted.raise_if_any()


def test_a_template_of_another_kind_s_variable_need_not_make_sense() -> None:
    hosts = {"rack": Templates({**colo(), "extrude_lan": ValueError("no such thing")}), "office": office()}
    noted = Problems()
    read_inventory(hosts, {"extrude_colos": ["rack"], "extrude_sites": ["office"]}, noted)
    noted.raise_if_any()


def test_what_all_hosts_have_is_for_those_that_look_at_it() -> None:
    common: Vars = {"extrude_limit": LIMIT, "extrude_services": SERVICES, "extrude_peers": []}
    assert read(common, common, common) == []
    assert read(common, common, {}) == []


def test_before_there_is_a_site_nothing_is_misplaced() -> None:
    noted = Problems()
    read_inventory({"rack": colo(extrude_peers=[])}, {"extrude_colos": ["rack"], "extrude_sites": []}, noted)
    noted.raise_if_any()


def test_encryption_that_is_asked_for_of_the_wrong_host_is_told() -> None:
    noted = read({"extrude_ipsec": True}, {"extrude_ipsec_pool": "10.0.0.0/15"}, {})
    assert "rack: extrude_ipsec: is a variable of sites; give it to these, or to the customer's group" in noted
    assert "office: extrude_ipsec_pool: is a variable of colos; give it to rack" in noted


def test_what_sounds_like_encryption_and_is_not_known_is_told() -> None:
    (problem,) = read({}, {"extrude_ipsec_enabled": True}, {})
    assert problem.startswith(
        "office: extrude_ipsec_enabled: is not known; known are extrude_ipsec, extrude_ipsec_auth"
    )
    (problem,) = read({}, {"extrude_ipsec_renwe": True}, {})
    assert (
        problem
        == f"office: extrude_ipsec_renwe: is not known; the nearest known variable is extrude_ipsec_renew; {OWN}"
    )
    for_a_run: Vars = {"extrude_ipsec_renew": True, "extrude_ipsec_new_authority": True}
    assert read(for_a_run, for_a_run, for_a_run) == []


CERTIFIED: Vars = {"extrude_ipsec": True, "extrude_ipsec_auth": "certificate"}


@pytest.mark.parametrize(
    ("site", "told"),
    [
        ({}, []),
        ({"extrude_ipsec": True, "extrude_ipsec_psk": "x" * 20}, []),
        (CERTIFIED, ["rack: extrude_ipsec_ca_passphrase: cannot be evaluated: 'vault_ca_passphrase' is undefined"]),
    ],
)
def test_the_authority_s_vault_is_for_those_who_have_certificates(site: Vars, told: list[str]) -> None:
    key = "extrude_ipsec_ca_passphrase"
    rack = Templates({**colo(extrude_ipsec_ca="/ca"), key: ValueError("'vault_ca_passphrase' is undefined")})
    noted = Problems()
    groups = {"extrude_colos": ["rack"], "extrude_sites": ["office"]}
    read_inventory({"rack": rack, "office": office(**site)}, groups, noted)
    try:
        noted.raise_if_any()
        found = []
    except TopologyError as error:
        found = str(error).splitlines()[1:]
    assert found == told
    assert (key in rack.reads) is bool(told)


def test_an_authority_is_asked_for_at_the_colo_of_who_needs_it_only() -> None:
    noted = Problems()
    hosts = {"rack": colo(), "far": colo(extrude_colo_address="203.0.113.3"), "office": office(**CERTIFIED)}
    read_inventory(hosts, {"extrude_colos": ["rack", "far"], "extrude_sites": ["office"]}, noted)
    with pytest.raises(TopologyError) as caught:
        noted.raise_if_any()
    assert {line.partition(":")[0] for line in str(caught.value).splitlines()[1:]} == {"rack"}


@pytest.mark.parametrize("key", ["extrude_ipsec_renew", "extrude_ipsec_new_authority"])
def test_what_is_said_to_a_run_is_true_or_false(key: str) -> None:
    for given in (True, False, "true", "True", "false", "yes", "no"):  # texts, as -e has them
        assert read({}, {key: given}, {}) == []
    for wrong in ("maybe", "", 2, ["true"]):
        (problem,) = read({}, {key: wrong}, {})
        assert problem.startswith(f"office: {key}: ")
        assert problem.endswith("; give true or false, to a run and not to a host (-e)")


@pytest.mark.parametrize("seconds", [-1, 3601, "a minute"])
@pytest.mark.parametrize(("key", "least"), [("extrude_guard_timeout", 0), ("extrude_connect_timeout", 1)])
def test_a_time_that_makes_no_sense_is_told(key: str, least: int, seconds: Any) -> None:
    (problem,) = read({}, {key: seconds}, {})
    assert problem.startswith(f"office: {key}: {seconds!r} is ")
    assert problem.endswith(f"; give a whole number from {least} to 3600")
    assert bool(read({}, {key: least - 1}, {}))
    for given in (least, "180"):  # a text, as -e has it
        assert read({}, {key: given}, {}) == []


@pytest.mark.parametrize("key", ["extrude_renumber", "extrude_take_over"])
def test_what_is_said_of_a_site_for_one_run_may_be_a_text(key: str) -> None:
    for given in (True, "true", "false"):
        assert read({key: given}, {key: given}, {key: given}) == []
    assert read({}, {key: "maybe"}, {}) == [f"office: {key}: 'maybe' is not a truth value; give true or false"]
