# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils._conflict import Conflict
from ansible_collections.multihome.extrude.plugins.module_utils._host import sysctl_names
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    KINDS,
    PROTOCOL,
    Address,
    Chain,
    Current,
    Device,
    Dummy,
    File,
    Proxy,
    Route,
    Rule,
    State,
    Sysctl,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._plan import merged_chains, plan
from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation, Request
from tests.unit.simulator import apply_to, same, undone
from tests.unit.states import DEVICES, RP_FILTERS, Plain, elsewhere, plain_states, states

NAMES = [f"net/ipv4/conf/{name}/rp_filter" for name in ("ex-1", "ex-2", "ex-3", "extrude0", "extrude1")]
HOST = Current(
    devices={name: Device(name, index) for index, name in enumerate(("lo", *DEVICES), 1)},
    addresses=(Address("a0", "10.1.0.1/24"), Address("b0", "10.2.0.1/24")),
    proxies=frozenset({Proxy("b0", "192.0.2.77")}),
    rules=((Rule(4, 0, 255), 2), (Rule(4, 32766, 254), 2)),
    sysctls={**dict.fromkeys(NAMES), **dict.fromkeys((*RP_FILTERS, "net/ipv4/conf/default/rp_filter"), "0")},
)
ONE = {"name": "ex-1", "local": "192.0.2.1", "remote": "203.0.113.1", "key": 17}
TWO = {"name": "ex-2", "local": "192.0.2.1", "remote": "203.0.113.1", "key": 18}


def state(owner: str = "acme", site: str = "office", **lists: object) -> State:
    return State.parse({"customer": owner, "site": site, **lists})


def planned(current: Current, request: Request) -> tuple[Operation, ...]:
    """The plan for what a host reads of *current*."""
    sysctls = {name: current.sysctls.get(name) for name in sysctl_names(request)}
    return plan(replace(current, sysctls=sysctls), request, merged_chains(request))


def after(current: Current, request: Request) -> Current:
    return apply_to(current, planned(current, request))


def texts(current: Current, request: Request) -> list[str]:
    return [str(operation) for operation in planned(current, request)]


# --- laws -----------------------------------------------------------------------------------------


@given(states())
def test_after_a_plan_is_applied_nothing_is_left_to_do(wanted: State) -> None:
    assert planned(after(HOST, Request((wanted,))), Request((wanted,), (wanted,))) == ()


@given(states(), states())
def test_any_state_leads_to_any_other_and_undo_leads_back(first: State, second: State) -> None:
    current = after(HOST, Request((first,)))
    request = Request((second,), (first,))
    operations = planned(current, request)
    reached = apply_to(current, operations)
    assert planned(reached, Request((second,), (second,))) == ()
    assert same(undone(reached, operations), current)


@given(states(), states(), st.data())
def test_what_is_cut_off_anywhere_can_be_undone_or_finished(first: State, second: State, data: st.DataObject) -> None:
    current = after(HOST, Request((first,)))
    request = Request((second,), (first,))
    operations = planned(current, request)
    part = operations[: data.draw(st.integers(0, len(operations)))]
    reached = apply_to(current, part)
    assert same(undone(reached, part), current)
    both = replace(second, objects=tuple({(i.KIND, i.place): i for i in first.objects + second.objects}.values()))
    finished = after(reached, Request((second,), (both,)))
    assert planned(finished, Request((second,), (second,))) == ()


@given(states())
def test_what_was_applied_can_be_taken_away_without_a_trace(wanted: State) -> None:
    gone = after(after(HOST, Request((wanted,))), Request((state(),), (wanted,)))
    settings = {**HOST.sysctls, **{item.name: "any" for item in wanted.of(Sysctl)}}
    assert same(replace(gone, sysctls={}), replace(HOST, sysctls={}))
    assert {name for name, value in gone.sysctls.items() if value} <= settings.keys()


@given(states(), plain_states(owner=("other", "office")).map(elsewhere).map(State.parse))
def test_one_owner_never_disturbs_another(mine: State, theirs: State) -> None:
    held = after(HOST, Request((theirs,)))
    with_mine = after(held, Request((mine,), (theirs,)))
    without_mine = after(with_mine, Request((state(),), (mine, theirs)))
    assert planned(without_mine, Request((theirs,), (theirs,))) == ()


@given(states(), st.sampled_from(KINDS))
def test_a_request_for_one_kind_touches_no_other(wanted: State, kind: str) -> None:
    everything = after(HOST, Request((wanted,)))
    request = Request((state(),), (wanted,), kinds={kind})
    assert {operation.kind for operation in planned(everything, request)} <= (
        set(KINDS) if kind in ("tunnels", "dummies") else {kind}
    )


# --- order ----------------------------------------------------------------------------------------

WHOLE: Plain = {
    "tunnels": [ONE],
    "dummies": [{"name": "extrude0"}],
    "groups": [{"device": "a0", "group": 4200}],
    "addresses": [{"device": "ex-1", "address": "10.254.0.1/31"}],
    "sysctls": [{"name": RP_FILTERS[0], "value": "2"}],
    "chains": [{"name": "EXTRUDE-A", "hook": "INPUT"}],
    "routes": [{"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "ex-1"}]}],
    "rules": [{"priority": 4290, "table": 4200}, {"priority": 4210, "table": 4221, "source": "192.0.2.1/32"}],
    "proxies": [{"device": "a0", "address": "203.0.113.10"}],
    "files": [{"path": "bird.conf", "content": "router id 192.0.2.1;"}],
    "connections": [{"name": "ex-a", "settings": {"mobike": "no"}}],
}


def test_adds_go_from_the_ground_up_and_deletes_back_down() -> None:
    operations = planned(HOST, Request((state(**WHOLE),)))
    kinds = [
        "chains",
        "connections",
        "tunnels",
        "dummies",
        "addresses",
        "sysctls",
        "routes",
        "rules",
        "rules",
        "groups",
        "proxies",
        "files",
    ]
    assert [operation.kind for operation in operations] == kinds
    assert [op.item.priority for op in operations if isinstance(op.item, Rule)] == [4210, 4290]
    back = planned(apply_to(HOST, operations), Request((state(),), (state(**WHOLE),)))
    assert {operation.action for operation in back} == {"delete"}
    assert [operation.kind for operation in back] == [kind for kind in reversed(kinds) if kind != "sysctls"]
    assert [op.item.priority for op in back if isinstance(op.item, Rule)] == [4290, 4210]


def test_the_new_rule_is_there_before_the_old_one_goes() -> None:
    old, new = state(rules=[{"priority": 4290, "table": 4200}]), state(rules=[{"priority": 4290, "table": 4201}])
    assert texts(after(HOST, Request((old,))), Request((new,), (old,))) == [
        "add rule 4290: lookup 4201",
        "delete rule 4290: lookup 4200",
    ]


def test_routes_keep_the_order_in_which_gateways_become_reachable() -> None:
    link = {"destination": "10.9.0.0/24", "table": 4221, "nexthops": [{"device": "a0"}]}
    default = {"destination": "0.0.0.0/0", "table": 4221, "nexthops": [{"device": "a0", "gateway": "10.9.0.1"}]}
    operations = planned(HOST, Request((state(routes=[link, default]),)))
    assert [op.item.destination for op in operations if isinstance(op.item, Route)] == ["10.9.0.0/24", "0.0.0.0/0"]


def test_secondary_addresses_go_before_their_primary() -> None:
    wanted = state(addresses=[{"device": "lo", "address": f"198.51.100.{number}/24"} for number in (1, 2, 3)])
    assert texts(after(HOST, Request((wanted,))), Request((state(),), (wanted,))) == [
        f"delete address 198.51.100.{number}/24 on lo" for number in (3, 2, 1)
    ]


# --- changes in place -----------------------------------------------------------------------------


def test_differences_are_changed_in_place_and_told() -> None:
    routes = [
        {"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "ex-1", "weight": 1}, {"device": "a0"}]}
    ]
    old = state(tunnels=[ONE], addresses=[{"device": "lo", "address": "2001:db8::1/64"}], routes=routes)
    routes = [{"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "a0"}]}]
    new = state(
        tunnels=[{**ONE, "remote": "203.0.113.9", "mtu": 1400}],
        addresses=[{"device": "lo", "address": "2001:db8::1/128"}],
        routes=routes,
    )
    assert texts(after(HOST, Request((old,))), Request((new,), (old,))) == [
        "change tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17 (remote: 203.0.113.1 -> 203.0.113.9, mtu: 1472 -> 1400)",
        "change address 2001:db8::1/64 on lo (address: 2001:db8::1/64 -> 2001:db8::1/128)",
        (
            "change route 0.0.0.0/0 table 4200 metric 0 dev a0 weight 1 dev ex-1 weight 1 (nexthops:"
            " [{'device': 'a0', 'weight': 1}, {'device': 'ex-1', 'weight': 1}] -> [{'device': 'a0', 'weight': 1}])"
        ),
    ]


@pytest.mark.parametrize("extra", ["down", "encap", "flags 0xa000/0xa000 keys [17, 17]", "ignore-df"])
def test_what_somebody_did_to_a_tunnel_by_hand_is_put_right(extra: str) -> None:
    wanted = state(tunnels=[ONE])
    host = after(HOST, Request((wanted,)))
    device = host.devices["ex-1"]
    assert device.tunnel is not None
    touched = replace(device, tunnel=replace(device.tunnel, extra=extra))
    host = replace(host, devices={**host.devices, "ex-1": touched})
    assert texts(host, Request((wanted,), (wanted,))) == [
        f"change tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17 (extra: {extra} -> unset)"
    ]


def test_a_dummy_that_somebody_has_switched_off_is_put_right() -> None:
    wanted = state(dummies=[{"name": "extrude0"}])
    host = after(HOST, Request((wanted,)))
    off = Device("extrude0", 9, "dummy", Dummy.ALIAS, dummy=Dummy("extrude0", extra="down"))
    assert texts(replace(host, devices={**host.devices, "extrude0": off}), Request((wanted,), (wanted,))) == [
        "change dummy extrude0 (extra: down -> unset)"
    ]


def test_files_are_replaced_whatever_they_hold() -> None:
    wanted = state(files=WHOLE["files"])
    host = replace(HOST, files={("bird.conf",): File("bird.conf", "an administrator's")})
    assert texts(host, Request((wanted,))) == ["change file bird.conf"]
    untold = replace(HOST, files={("bird.conf",): File("bird.conf", WHOLE["files"][0]["content"], "untold")})
    assert texts(untold, Request((wanted,), (wanted,))) == ["change file bird.conf (extra: untold -> unset)"]


# --- stand-by rules ------------------------------------------------------------------------------------

LIVE, STATIC = {"priority": 4290, "table": 4200}, {"priority": 4291, "table": 4217, "standby": True}


def test_stand_by_rules_are_rules_while_nobody_watches() -> None:
    wanted = state(rules=[LIVE, STATIC])
    assert texts(HOST, Request((wanted,))) == ["add rule 4290: lookup 4200", "add rule 4291: lookup 4217"]


@pytest.mark.parametrize("stands", [True, False])
def test_stand_by_rules_are_left_alone_while_somebody_watches(stands: bool) -> None:
    wanted = state(rules=[LIVE, STATIC])
    host = after(HOST, Request((wanted if stands else state(rules=[LIVE]),)))
    watched = replace(host, watched=True)
    assert texts(watched, Request((wanted,), (wanted,))) == []
    assert texts(watched, Request((wanted,))) == []
    missing = texts(replace(host, watched=False), Request((wanted,), (wanted,)))
    assert missing == ([] if stands else ["add rule 4291: lookup 4217"])


def test_stand_by_rules_that_are_wanted_no_more_go_if_they_stand() -> None:
    former, wanted = state(rules=[LIVE, STATIC]), state(rules=[LIVE])
    for host in (after(HOST, Request((former,))), after(HOST, Request((wanted,)))):
        expected = ["delete rule 4291: lookup 4217"] if len(host.rules) == 4 else []
        assert texts(replace(host, watched=True), Request((wanted,), (former,))) == expected


def test_a_rule_that_becomes_one_for_always_is_put_in() -> None:
    former, wanted = state(rules=[STATIC]), state(rules=[{**STATIC, "standby": False}])
    watched = replace(HOST, watched=True)
    assert texts(watched, Request((wanted,), (former,))) == ["add rule 4291: lookup 4217"]


# --- purge ----------------------------------------------------------------------------------------


def test_only_what_the_owner_had_is_purged() -> None:
    wanted = state(**WHOLE)
    other = replace(state("other", **WHOLE), objects=())
    host = after(HOST, Request((wanted,)))
    assert planned(host, Request((state("other"),), (wanted, other))) == ()
    assert planned(host, Request((state(),), (wanted,), purge=False)) == ()


def test_a_tunnel_is_purged_by_its_alias_even_without_a_record() -> None:
    host = after(HOST, Request((state(tunnels=[ONE]),)))
    assert texts(host, Request((state(),))) == ["delete tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17"]


def test_a_route_that_somebody_else_has_put_in_our_place_is_not_purged() -> None:
    wanted = state(routes=WHOLE["routes"], tunnels=[ONE])
    host = after(HOST, Request((wanted,)))
    stranger = {place: (route, 4) for place, (route, _protocol) in host.routes.items()}
    assert texts(replace(host, routes=stranger), Request((state(tunnels=[ONE]),), (wanted,))) == []


def test_a_link_group_that_somebody_has_changed_since_is_not_purged() -> None:
    wanted = state(groups=[{"device": "a0", "group": 4200}])
    host = after(HOST, Request((wanted,)))
    changed = replace(host, devices={**host.devices, "a0": replace(host.devices["a0"], group=7)})
    assert texts(changed, Request((state(),), (wanted,))) == []


def test_what_goes_with_a_purged_tunnel_is_listed() -> None:
    """The kernel drops it with the device, whatever kinds the request is about."""
    whole = state(**{**WHOLE, "sysctls": [{"name": NAMES[0], "value": "2"}]})
    host = after(HOST, Request((whole,)))
    operations = texts(host, Request((state(),), (whole,), kinds={"tunnels"}))
    assert operations == [
        "delete route 0.0.0.0/0 table 4200 metric 0 dev ex-1 weight 1",
        f"delete sysctl {NAMES[0]} = 2",
        "delete address 10.254.0.1/31 on ex-1",
        "delete tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17",
    ]


def test_addresses_that_the_kernel_makes_go_unlisted() -> None:
    host = after(HOST, Request((state(tunnels=[ONE]),)))
    host = replace(host, addresses=(*host.addresses, Address("ex-1", "fe80::5efe:c000:201/64")))
    assert texts(host, Request((state(),))) == ["delete tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17"]


def test_what_goes_with_a_purged_dummy_is_listed() -> None:
    nowhere = {"destination": "203.0.113.0/24", "table": 4218, "nexthops": [{"device": "extrude0"}]}
    wanted = state(dummies=[{"name": "extrude0"}], routes=[nowhere])
    host = after(HOST, Request((wanted,)))
    assert texts(host, Request((state(),), (wanted,), kinds={"dummies"})) == [
        "delete route 203.0.113.0/24 table 4218 metric 0 dev extrude0 weight 1",
        "delete dummy extrude0",
    ]
    other = state("other", dummies=[{"name": "extrude0"}])
    assert texts(host, Request((state(),), (wanted, other), kinds={"dummies"})) == []


# --- tunnels that take over each other's endpoints -------------------------------------------------


def test_two_tunnels_that_swap_their_endpoints_are_made_anew_with_all_that_stands_on_them() -> None:
    lists = {
        **WHOLE,
        "tunnels": [ONE, TWO],
        "sysctls": [{"name": NAMES[0], "value": "2"}],
        "routes": [
            {"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "ex-1"}, {"device": "ex-2"}]},
            {"destination": "198.18.0.0/15", "table": 4200, "nexthops": [{"device": "a0"}]},
        ],
    }
    old = state(**lists)
    new = state(**{**lists, "tunnels": [{**ONE, "key": 18}, {**TWO, "key": 17}]})
    host = after(HOST, Request((old,)))
    request = Request((new,), (old,))
    gone = [
        "route 0.0.0.0/0 table 4200 metric 0 dev ex-1 weight 1 dev ex-2 weight 1",
        f"sysctl {NAMES[0]} = 2",
        "address 10.254.0.1/31 on ex-1",
        "tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17",
        "tunnel ex-2 192.0.2.1 -> 203.0.113.1 key 18",
    ]
    back = ["tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 18", "tunnel ex-2 192.0.2.1 -> 203.0.113.1 key 17"]
    back += [gone[2], gone[1], gone[0]]
    assert texts(host, request) == [*(f"delete {text}" for text in gone), *(f"add {text}" for text in back)]
    assert planned(after(host, request), Request((new,), (new,))) == ()


def test_what_other_kinds_and_owners_have_on_a_tunnel_made_anew_comes_back() -> None:
    mine = state(**{**WHOLE, "tunnels": [ONE, TWO]})
    theirs = state("other", proxies=[{"device": "ex-2", "address": "203.0.113.66"}])
    host = after(after(HOST, Request((mine,))), Request((theirs,), (mine,)))
    swap = state(tunnels=[{**ONE, "key": 18}, {**TWO, "key": 17}])
    reached = after(host, Request((swap,), (mine, theirs), kinds={"tunnels"}))
    assert set(reached.addresses) == set(host.addresses)
    assert reached.routes == host.routes
    assert reached.proxies == host.proxies


def test_a_renamed_tunnel_frees_its_endpoints_first() -> None:
    old, new = state(tunnels=[ONE]), state(tunnels=[{**ONE, "name": "ex-9"}])
    assert texts(after(HOST, Request((old,))), Request((new,), (old,))) == [
        "delete tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17",
        "add tunnel ex-9 192.0.2.1 -> 203.0.113.1 key 17",
    ]


# --- several owners at one colo --------------------------------------------------------------------


def colo_state(site: str, address: str) -> State:
    return state(
        site=site,
        rules=[{"priority": 4290, "table": 4200}],
        chains=[
            {"name": "EXTRUDE-A", "hook": "FORWARD", "rules": ["-m conntrack -j ACCEPT", f"-d {address} -j ACCEPT"]},
        ],
        proxies=[{"device": "a0", "address": address}],
    )


ALPHA, BETA = colo_state("alpha", "203.0.113.1"), colo_state("beta", "203.0.113.2")


def test_a_chain_has_the_rules_of_all_its_owners_once_and_in_order() -> None:
    both = ("-m conntrack -j ACCEPT", "-d 203.0.113.1 -j ACCEPT", "-d 203.0.113.2 -j ACCEPT")
    for request in (Request((BETA, ALPHA)), Request((ALPHA,), (BETA,)), Request((BETA,), (ALPHA, BETA))):
        (chain,) = merged_chains(request)
        assert chain.rules == both


def test_removing_one_owner_keeps_what_the_others_hold() -> None:
    host = after(HOST, Request((ALPHA, BETA)))
    gone = state(site="alpha")
    operations = planned(host, Request((gone,), (ALPHA, BETA)))
    assert [str(operation).partition(" (")[0] for operation in operations] == [
        "delete proxy 203.0.113.1 on a0",
        "change iptables chain EXTRUDE-A in filter, 3 rules",
    ]
    reached = apply_to(host, operations)
    assert [chain.rules for chain in reached.chains.values()] == [BETA.of(Chain)[0].rules]
    assert texts(reached, Request((state(site="beta"),), (BETA,))) == [
        "delete proxy 203.0.113.2 on a0",
        "delete rule 4290: lookup 4200",
        "delete iptables chain EXTRUDE-A in filter, 2 rules",
    ]


def test_what_keeps_an_encrypted_tunnel_closed_goes_last() -> None:
    closed = {"table": "raw", "name": "EXTRUDE-OUTPUT", "hook": "OUTPUT", "rules": ["-d 10.252.0.0/15 -j DROP"]}
    tunnel, end = {**ONE, "local": "10.252.0.1"}, {"device": "lo", "address": "10.252.0.1/32"}
    other = state(site="plain", chains=[{**closed, "rules": ["-d 192.0.2.9 -j DROP"]}])
    encrypted = state(chains=[closed], tunnels=[tunnel], addresses=[end])
    host = after(HOST, Request((encrypted, other)))
    for part, recorded in (("", (encrypted, other)), ("purge", (encrypted, other))):
        request = Request((state(),), recorded, only=part)  # type: ignore[arg-type]
        assert [operation.kind for operation in planned(host, request)] == ["addresses", "tunnels", "chains"]
    assert texts(host, Request((state(),), (encrypted, other), only="make")) == []


def test_chains_of_nobody_in_the_request_are_left_alone() -> None:
    assert merged_chains(Request((state(),), (ALPHA,))) == ()
    assert merged_chains(Request((ALPHA,), kinds={"routes"})) == ()


def test_chains_that_are_jumped_to_come_along_where_the_host_lacks_them() -> None:
    root = {"table": "mangle", "name": "EXTRUDE-ROOT", "hook": "PREROUTING"}

    def site(number: int) -> State:
        own = {"table": "mangle", "name": f"EXTRUDE-S{number}", "rules": [f"-g EXTRUDE-S{number}-ACK"]}
        last = {"table": "mangle", "name": f"EXTRUDE-S{number}-ACK", "rules": []}
        jump = {**root, "rules": [f"-d 192.0.2.{number}/32 -g EXTRUDE-S{number}"]}
        return state(site=f"site{number}", chains=[jump, own, last])

    request = Request((site(1),), (site(2),))
    standing = {(4, "mangle", "EXTRUDE-S2"), (4, "mangle", "EXTRUDE-S2-ACK")}
    few = {"EXTRUDE-ROOT", "EXTRUDE-S1", "EXTRUDE-S1-ACK"}
    assert {chain.name for chain in merged_chains(request, standing)} == few
    assert {chain.name for chain in merged_chains(request)} == few | {"EXTRUDE-S2", "EXTRUDE-S2-ACK"}
    assert len(merged_chains(request)[0].rules) == 2


# --- sysctls --------------------------------------------------------------------------------------


def test_settings_of_a_device_that_the_plan_makes_are_added_after_it() -> None:
    wanted = state(tunnels=[ONE], sysctls=[{"name": NAMES[0], "value": "2"}])
    assert texts(HOST, Request((wanted,))) == [
        "add tunnel ex-1 192.0.2.1 -> 203.0.113.1 key 17",
        f"add sysctl {NAMES[0]} = 2",
    ]


@pytest.mark.parametrize("name", ["net/ipv4/nonsense", "net/ipv4/conf/ex-1/nonsense"])
def test_optional_settings_that_the_kernel_lacks_are_passed_over(name: str) -> None:
    wanted = state(tunnels=[ONE], sysctls=[{"name": name, "value": "2", "optional": True}])
    assert [operation.kind for operation in planned(HOST, Request((wanted,)))] == ["tunnels"]


def test_optional_settings_of_new_devices_that_the_kernel_has_are_set_at_once() -> None:
    wanted = state(tunnels=[ONE], sysctls=[{"name": NAMES[0], "value": "2", "optional": True}])
    assert [operation.kind for operation in planned(HOST, Request((wanted,)))] == ["tunnels", "sysctls"]


def test_settings_that_are_wanted_no_more_stay() -> None:
    wanted = state(sysctls=[{"name": RP_FILTERS[0], "value": "2"}])
    assert planned(after(HOST, Request((wanted,))), Request((state(),), (wanted,))) == ()


# --- a run that was cut short ----------------------------------------------------------------------


def test_a_tunnel_of_the_record_without_alias_is_ours() -> None:
    """A run that was cut short between the making of the device and its alias."""
    wanted = state(tunnels=[ONE])
    host = after(HOST, Request((wanted,)))
    bare = Tunnel("ex-1", "192.0.2.1", "203.0.113.1", 17)
    host = replace(host, devices={**host.devices, "ex-1": Device("ex-1", 9, "gre", "", 0, bare)})
    assert [operation.action for operation in planned(host, Request((wanted,), (wanted,)))] == ["change"]
    assert [operation.action for operation in planned(host, Request((state(),), (wanted,)))] == ["delete"]
    with pytest.raises(Conflict):
        planned(host, Request((wanted,)))


def test_a_request_may_be_made_first_and_purged_later() -> None:
    former = State.parse({"customer": "acme", "site": "office", "rules": [{"priority": 4290, "table": 4200}]})
    wanted = State.parse({"customer": "acme", "site": "office", "rules": [{"priority": 4291, "table": 4200}]})
    current = Current(rules=tuple((rule, PROTOCOL) for rule in former.of(Rule)))
    whole = plan(current, Request((wanted,), (former,)))
    made = plan(current, Request((wanted,), (former,), only="make"))
    purged = plan(current, Request((wanted,), (former,), only="purge"))
    assert [operation.action for operation in made] == ["add"]
    assert [operation.action for operation in purged] == ["delete"]
    assert (*made, *purged) == whole


# --- lasting routes --------------------------------------------------------------------------------


def sources(*tunnels: Plain) -> State:
    """A site with these tunnels, of which it may send by any."""
    legs = [{"device": tunnel["name"]} for tunnel in tunnels]
    routes = [{"destination": "203.0.113.10/32", "table": 4219, "nexthops": legs, "lasting": True}]
    return state(tunnels=list(tunnels), routes=routes)


def test_a_lasting_route_loses_a_next_hop_just_before_its_tunnel_goes() -> None:
    former, wanted = sources(ONE, TWO), sources(TWO)
    host = after(HOST, Request((former,)))
    assert texts(host, Request((wanted,), (former,), only="make")) == []
    purge = Request((wanted,), (former,), only="purge")
    route, tunnel = texts(host, purge)
    assert route.startswith("change route 203.0.113.10/32 table 4219 metric 0 dev ex-1 weight 1 dev ex-2 weight 1 (")
    assert tunnel.startswith("delete tunnel ex-1 ")
    operations = planned(host, purge)
    assert same(undone(apply_to(host, operations), operations), host)
    assert planned(apply_to(host, operations), Request((wanted,), (wanted,))) == ()


def test_a_lasting_route_gets_new_next_hops_beside_those_that_go() -> None:
    three = {**ONE, "name": "ex-3", "key": 19}
    former, wanted = sources(ONE, TWO), sources(TWO, three)
    make, purge = (Request((wanted,), (former,), only=part) for part in ("make", "purge"))
    made = after(after(HOST, Request((former,))), make)
    ((route, _protocol),) = made.routes.values()
    assert [hop.device for hop in route.nexthops] == ["ex-1", "ex-2", "ex-3"]
    # the run may be cut short here, when the record has the new route
    for again in (make, Request((wanted,), (wanted,), only="make")):
        assert planned(made, again) == ()
    ((route, _protocol),) = after(made, purge).routes.values()
    assert [hop.device for hop in route.nexthops] == ["ex-2", "ex-3"]


def test_a_next_hop_that_is_down_does_not_last() -> None:
    former, wanted = sources(ONE, TWO), sources(TWO)
    host = after(HOST, Request((former,)))
    device = host.devices["ex-1"]
    assert device.tunnel is not None
    down = replace(device, tunnel=replace(device.tunnel, extra="down"))
    host = replace(host, devices={**host.devices, "ex-1": down})
    assert [text[:12] for text in texts(host, Request((wanted,), (former,), only="make"))] == ["change route"]


@given(states(), states())
def test_what_is_made_and_then_purged_is_what_was_asked_for(first: State, second: State) -> None:
    first, second = lasting(first), lasting(second)
    made = after(after(HOST, Request((first,))), Request((second,), (first,), only="make"))
    assert planned(made, Request((second,), (first,), only="make")) == ()
    purged = after(made, Request((second,), (first,), only="purge"))
    assert planned(purged, Request((second,), (second,))) == ()


def lasting(one: State) -> State:
    """The same, where all routes with next hops last."""
    made = (replace(item, lasting=bool(item.nexthops)) if isinstance(item, Route) else item for item in one.objects)
    return replace(one, objects=tuple(made))
