# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError
from ansible_collections.multihome.extrude.plugins.plugin_utils._teardown import teardown
from tests.unit.plugins.plugin_utils.samples import Vars, colo, dsl, office, shop

GROUPS = {"extrude_colos": ["rack"], "extrude_sites": ["office", "lab", "shop"]}
LAB = office(
    extrude_site_id=3, extrude_addresses=["203.0.113.30"], extrude_wans=[dsl(address="192.0.2.30/24")], extrude_lan=...
)
OFFICE = {"schema": 1, "customer": "acme", "site": "office"}
SHOP = {"schema": 1, "customer": "initech", "site": "shop"}


def run(asked: Vars, play: list[str] | None = None, **changes: Any) -> Vars:
    hostvars = {"rack": colo(), "office": office(**changes), "lab": LAB, "shop": shop()}
    return teardown(hostvars, GROUPS, ["office", "lab", "shop", "rack"] if play is None else play, asked)


def refused(asked: Vars, play: list[str] | None = None, **changes: Any) -> str:
    with pytest.raises(TopologyError) as caught:
        run(asked, play, **changes)
    return str(caught.value)


def test_a_site_goes_from_both_ends() -> None:
    found = {"sites": {"office": OFFICE}, "colos": {"rack": [OFFICE]}, "hosts": ["office"]}
    assert run({"teardown_sites": "office"}) == found
    assert run({"teardown_sites": "office"}, ["office"]) == found


@pytest.mark.parametrize("sites", ["office,shop", " shop, office ,office", ["office", "shop"]])
def test_several_sites(sites: Any) -> None:
    found = run({"teardown_sites": sites})
    assert set(found["sites"]) == set(found["hosts"]) == {"office", "shop"}
    assert sorted(state["site"] for state in found["colos"]["rack"]) == ["office", "shop"]


def test_all_sites_of_a_customer() -> None:
    assert list(run({"teardown_customer": "acme"})["sites"]) == ["office", "lab"]


@pytest.mark.parametrize("gone", [True, "true", "yes", "1"])
def test_a_router_that_is_gone_is_left_out(gone: Any) -> None:
    found = {"sites": {}, "colos": {"rack": [OFFICE]}, "hosts": ["rack"]}
    assert run({"teardown_sites": "office", "teardown_gone": gone}) == found
    assert run({"teardown_sites": "office", "teardown_gone": gone}, ["office"]) == {**found, "hosts": ["office"]}


def test_a_site_of_no_inventory_goes_from_its_colo() -> None:
    old = {"schema": 1, "customer": "globex", "site": "old.example"}
    asked = {"teardown_forgotten": "globex/old.example", "teardown_colo": "rack"}
    assert run(asked) == {"sites": {}, "colos": {"rack": [old]}, "hosts": ["rack"]}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {},
            "say which sites are to be taken off: -e teardown_sites=SITE, or several with commas",
        ),
        ({"teardown_sites": ""}, "say which sites are to be taken off"),
        (
            {"teardown_sites": "office,offcie"},
            "teardown_sites: offcie: not in the inventory, which has office (acme), lab (acme), shop (initech). ",
        ),
        ({"teardown_customer": "x"}, "teardown_customer: x has no site in the inventory; there are acme, initech"),
        (
            {"teardown_site": "office"},
            "teardown_site: not known; there are teardown_sites, teardown_customer, teardown_forgotten",
        ),
        (
            {"teardown_sites": "office", "teardown_customer": "acme"},
            "teardown_sites and teardown_customer are given; give one of them",
        ),
        ({"teardown_sites": "office", "teardown_gone": "perhaps"}, "teardown_gone: perhaps is neither true nor false"),
        (
            {"teardown_customer": "acme", "teardown_gone": True},
            "teardown_gone: goes with teardown_sites, which names the sites whose routers are gone",
        ),
        (
            {"teardown_sites": "office", "teardown_colo": "rack"},
            "teardown_colo: goes with teardown_forgotten; the inventory says at which colo a site is",
        ),
        ({"teardown_forgotten": "acme/old"}, "teardown_colo: is missing; there are rack"),
        (
            {"teardown_forgotten": "acme/old", "teardown_colo": "shop"},
            "teardown_colo: shop is not a colo of the inventory; there are rack",
        ),
        (
            {"teardown_forgotten": "old", "teardown_colo": "rack"},
            "teardown_forgotten: old is not CUSTOMER/SITE, as status.yml tells it",
        ),
        (
            {"teardown_forgotten": "acme/office", "teardown_colo": "rack"},
            "teardown_forgotten: the inventory has acme/office at rack; take it off by -e teardown_sites=office",
        ),
    ],
)
def test_what_is_not_clear_is_refused_with_what_to_type(asked: Vars, message: str) -> None:
    assert refused(asked).startswith(message)


def test_a_limit_that_leaves_out_a_site_is_refused() -> None:
    assert refused({"teardown_sites": "office,shop"}, ["office"]) == (
        "teardown_sites: --limit leaves out shop; a site goes at both ends, or not at all"
    )
    asked = {"teardown_forgotten": "acme/old", "teardown_colo": "rack"}
    assert refused(asked, ["office"]).startswith("--limit leaves out rack")


@pytest.mark.parametrize("host", ["203.0.113.10", "10.254.0.1", "fd65:7874:7275::1"])
def test_a_site_is_not_taken_off_by_an_address_that_goes_with_it(host: str) -> None:
    message = refused({"teardown_sites": "office"}, ansible_host=host)
    assert message.startswith(f"office: Ansible reaches it by {host}, which goes with it")
    assert run({"teardown_sites": "office", "teardown_gone": True}, ansible_host=host)["sites"] == {}
    assert run({"teardown_sites": "shop"}, ansible_host=host)["sites"] == {"shop": SHOP}


@pytest.mark.parametrize("host", ["192.0.2.2", "office.example"])
def test_other_ways_to_a_site_are_fine(host: str) -> None:
    assert run({"teardown_sites": "office"}, ansible_host=host)["hosts"] == ["office"]


def test_the_inventory_is_checked_first() -> None:
    assert refused({}, extrude_site_id=0).startswith("the inventory has a problem:\noffice: extrude_site_id")
