# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    State,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.unit.conflicts import HOST, PROXY, RESERVED, ROUTE, RULE, TUNNEL, claiming, problems, state, with_tunnel
from tests.unit.states import Plain


def test_a_state_without_problems_is_taken() -> None:
    wanted = state(
        tunnels=[TUNNEL],
        addresses=[{"device": "ex-dsl", "address": "10.254.0.1/31"}],
        routes=[ROUTE, {**ROUTE, "metric": 9, "nexthops": [{"device": "ex-dsl"}]}],
        rules=[RULE],
        reserved=RESERVED,
    )
    assert problems(Request((wanted,))) == ()


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        (
            {"tunnels": [TUNNEL, TUNNEL]},
            (
                "tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17 of customer acme, site office is also asked for by"
                " customer acme, site office"
            ),
        ),
        (
            {"tunnels": [TUNNEL, {**TUNNEL, "name": "ex-2"}]},
            "tunnel ex-2 192.0.2.2 -> 203.0.113.2 key 17 has the same endpoints and key as ex-dsl",
        ),
        (
            {"routes": [ROUTE, {**ROUTE, "nexthops": [{"device": "b0"}]}]},
            (
                "route 198.18.0.0/15 table 4200 metric 0 dev b0 weight 1 of customer acme, site office is also asked"
                " for by customer acme, site office as route 198.18.0.0/15 table 4200 metric 0 dev a0 weight 1"
            ),
        ),
        (
            {"sysctls": [{"name": "net/ipv4/x", "value": 1}, {"name": "net/ipv4/x", "value": 2}]},
            (
                "sysctl net/ipv4/x = 2 of customer acme, site office is also asked for by customer acme, site office as"
                " sysctl net/ipv4/x = 1"
            ),
        ),
        (
            {"chains": [{"name": "EXTRUDE-A", "hook": "INPUT"}, {"name": "EXTRUDE-A", "hook": "INPUT"}]},
            (
                "iptables chain EXTRUDE-A in filter, 0 rules of customer acme, site office is also asked for by"
                " customer acme, site office"
            ),
        ),
    ],
)
def test_what_contradicts_itself_is_refused(lists: Plain, problem: str) -> None:
    assert problem in problems(Request((state(**lists),)))


def test_an_owner_has_one_state() -> None:
    assert problems(Request((state(), state()))) == ("customer acme, site office has more than one state here",)


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("tunnels", TUNNEL),
        ("routes", ROUTE),
        ("addresses", {"device": "lo", "address": "203.0.113.10/32"}),
        ("proxies", {"device": "a0", "address": "203.0.113.10"}),
    ],
)
def test_what_another_owner_holds_is_an_error_that_names_it(kind: str, item: Plain) -> None:
    (problem,) = problems(Request((state("acme", **{kind: [item]}),), (state("other", **{kind: [item]}),)))
    assert problem.endswith("of customer acme, site office is held by customer other, site office")


WAITS = ", whose change waits to be confirmed; run again once it is, or has gone back"


def test_what_another_owner_may_have_again_is_his_until_his_change_is_confirmed() -> None:
    """An error by then would be that he cannot go back."""
    former = state(proxies=[PROXY], tunnels=[{**TUNNEL, "name": "ex1-dsl"}], rules=[RULE], reserved=RESERVED)
    claims = of_site("globex", "ex1-lte", proxies=[PROXY])
    holder = "customer acme, site office"
    found = problems(Request((claims,), (state(),), returning=(former,)))
    assert f"proxy 203.0.113.10 on a0 of customer globex, site office is held by {holder}{WAITS}" in found
    assert f"site id 1 of customer globex, site office is held by {holder}{WAITS}" in found
    same = state("globex", tunnels=[{**TUNNEL, "name": "ex9-dsl"}])
    (problem,) = problems(Request((same,), returning=(former,)))
    assert problem.endswith(f" has the same endpoints and key as ex1-dsl of {holder}{WAITS}")
    shared = state("globex", rules=[{**RULE, "table": 77}])
    assert problems(Request((shared,), returning=(former,))) == (), "others may have changed that since"


def test_two_owners_in_one_request_collide_too() -> None:
    (problem,) = problems(Request((state(routes=[ROUTE]), state("other", routes=[ROUTE]))))
    assert problem.endswith("of customer other, site office is also asked for by customer acme, site office")


def test_another_owners_endpoints_and_key_are_an_error_that_names_the_tunnel() -> None:
    mine = state(tunnels=[TUNNEL])
    theirs = state("other", tunnels=[{**TUNNEL, "name": "ex9-dsl"}])
    assert problems(Request((mine,), (theirs,))) == (
        "tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17 has the same endpoints and key as ex9-dsl",
    )


@pytest.mark.parametrize(
    "lists",
    [
        {"rules": [RULE]},
        {"sysctls": [{"name": "net/ipv4/ip_forward", "value": 1}]},
        {"groups": [{"device": "a0", "group": 4200}]},
        {"chains": [{"name": "EXTRUDE-A", "hook": "INPUT", "rules": ["-j RETURN"]}]},
        {"dummies": [{"name": "extrude0"}]},
        {"files": [{"path": "bird.conf", "content": "router id 192.0.2.1;"}]},
    ],
)
def test_owners_may_share(lists: Plain) -> None:
    host = replace(HOST, sysctls={"net/ipv4/ip_forward": "0"})
    assert problems(Request((state(**lists),), (state("other", **lists),)), host) == ()


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"groups": [{"device": "a0", "group": 1}]}, {"groups": [{"device": "a0", "group": 2}]}),
        (
            {"chains": [{"name": "EXTRUDE-A", "hook": "INPUT"}]},
            {"chains": [{"name": "EXTRUDE-A", "hook": "FORWARD"}]},
        ),
    ],
)
def test_what_is_shared_has_to_be_alike(mine: Plain, theirs: Plain) -> None:
    assert len(problems(Request((state(**mine),), (state("other", **theirs),)))) == 1


@pytest.mark.parametrize(
    ("mine", "theirs", "told"),
    [
        (
            ("10.254.1.0/31", "2001:db8:1::5/128"),
            ("10.254.0.0/31", "2001:db8:1::/64"),
            (
                "route 2001:db8:1::5/128 table 4219 metric 1024 dev ex2-dsl weight 1 of customer globex, site office"
                " overlaps 2001:db8:1::/64, which is {} by customer acme, site office:"
                " give its site other extrude_addresses"
            ),
        ),
        (
            ("10.254.16.0/31",),
            ("10.254.16.0/31",),
            (
                "address 10.254.16.0/31 on ex2-dsl of customer globex, site office overlaps 10.254.16.0/31, which is {}"
                " by customer acme, site office: give the colo the same extrude_inside_pool in all inventories"
            ),
        ),
        (
            ("fd65::/127",),
            ("fd65::/64",),
            (
                "address fd65::/127 on ex2-dsl of customer globex, site office overlaps fd65::/64, which is {}"
                " by customer acme, site office: give the colo the same extrude_inside_pool6 in all inventories"
            ),
        ),
    ],
)
def test_what_overlaps_another_owners_addresses_is_an_error_that_names_him(
    mine: tuple[str, ...], theirs: tuple[str, ...], told: str
) -> None:
    globex, acme = claiming("globex", 2, *mine), claiming("acme", 1, *theirs)
    assert problems(Request((globex,), (acme,))) == (told.format("held"),)
    assert problems(Request((acme, globex))) == (told.format("also asked for"),)
    assert problems(Request((globex,), (acme,), kinds={"tunnels"})) == ()


def test_equal_prefixes_are_told_once() -> None:
    one, two = (
        claiming("acme", 1, "10.254.0.0/31", "2001:db8::/64"),
        claiming("globex", 2, "10.254.1.0/31", "2001:db8::/64"),
    )
    (problem,) = problems(Request((two,), (one,)))
    assert " is held by customer acme, site office as route 2001:db8::/64 " in problem


def test_prefixes_of_one_owner_may_overlap_and_what_stood_stands_again() -> None:
    both = claiming("acme", 1, "10.254.0.0/31", "2001:db8::/48", "2001:db8::/64")
    other = claiming("globex", 2, "10.254.1.0/31", "2001:db8::5/128")
    assert problems(Request((both,))) == ()
    assert len(problems(Request((both,), (both, other)))) == 1
    assert problems(Request((both,), (both, other), yields=True)) == ()


def test_a_file_has_one_content_in_a_request_and_may_have_another_than_before() -> None:
    one = state(files=[{"path": "bird.conf", "content": "one"}])
    two = state("other", files=[{"path": "bird.conf", "content": "two"}])
    assert problems(Request((one, two))) == (
        (
            "file bird.conf of customer other, site office is also asked for by customer acme, site office"
            " with other contents"
        ),
    )
    assert problems(Request((one,), (two,))) == ()


def test_a_dummy_and_a_tunnel_have_no_name_in_common() -> None:
    tunnel, dummy = state(tunnels=[TUNNEL]), state("other", dummies=[{"name": "ex-dsl"}])
    text = "dummy ex-dsl has the name of tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17"
    for request in (Request((tunnel, dummy)), Request((tunnel,), (dummy,)), Request((dummy,), (tunnel,))):
        assert text in problems(request)


def test_other_kinds_than_those_of_the_request_are_no_matter() -> None:
    request = Request((state(routes=[ROUTE]),), (state("other", routes=[ROUTE]),), kinds={"rules"})
    assert problems(request) == ()


def test_a_tunnel_keeps_its_key_unless_renumbering_is_asked_for() -> None:
    former, moved = state(tunnels=[TUNNEL]), {**TUNNEL, "key": 18}
    current = with_tunnel(TUNNEL, "extrude:acme/office/ex-dsl")
    (problem,) = problems(Request((state(tunnels=[moved], renumber=False),), (former,)), current)
    assert problem.startswith("tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 18 had the key 17")
    assert "extrude_renumber" in problem
    assert problems(Request((state(tunnels=[moved], renumber=True),), (former,)), current) == ()
    assert problems(Request((state(tunnels=[TUNNEL], renumber=False),), (former,)), current) == ()


def of_site(owner: str, name: str, **more: object) -> State:
    """A state at a colo with one tunnel."""
    tunnel = {"name": name, "local": "203.0.113.2", "remote": "192.0.2.9", "key": 17}
    return state(owner, tunnels=[tunnel], **{"reserved": RESERVED, **more})


@pytest.mark.parametrize("name", ["ex1-lte", "ex1-dsl"])
def test_a_site_id_is_that_of_one_owner_whatever_its_links_are_called(name: str) -> None:
    other = state("other", tunnels=[{**TUNNEL, "name": "ex1-dsl"}], reserved=RESERVED)
    found = problems(Request((of_site("acme", name),), (other,)))
    assert any(told.startswith("site id 1 of customer acme, site office is held by customer other, ") for told in found)


@pytest.mark.parametrize(("name", "more"), [("ex11-lte", {}), ("ex-lte", {}), ("ex1-lte", {"reserved": {}})])
def test_no_tunnel_of_that_site_id_is_no_claim_to_it(name: str, more: Plain) -> None:
    other = state("other", tunnels=[{**TUNNEL, "name": "ex1-dsl"}], reserved=RESERVED)
    assert not [one for one in problems(Request((of_site("acme", name, **more),), (other,))) if "site id" in one]


def test_owners_who_share_the_daemons_file_have_the_same_tables_and_rules() -> None:
    file = {"path": "bird.conf", "content": "a"}
    other = state("other", files=[file], reserved={"tables": [4200, 4217], "priorities": [4200, 4299]})
    moved = state(files=[file], reserved={"tables": [4300], "priorities": [4400, 4499]})
    (problem,) = problems(Request((moved,), (other,)))
    assert problem == (
        "customer acme, site office has tables and rules from 4300 and 4400, customer other, site office from"
        " 4200 and 4200: give both the same extrude_table and extrude_rule_priority"
    )
    longer = state(files=[file], reserved={"tables": [4200, 4230], "priorities": [4200, 4350]})
    assert problems(Request((longer,), (other,))) == ()
    assert problems(Request((state(reserved=RESERVED),), (other,))) == ()
