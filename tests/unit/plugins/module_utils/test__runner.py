# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _apply, _runner
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Chain,
    Current,
    Device,
    File,
    Object,
    Owner,
    Proxy,
    Rule,
    State,
    Sysctl,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation, Request

OWNER = Owner("acme", "office")
ADDRESS, PROXY, RULE = Address("lo", "203.0.113.10/32"), Proxy("a0", "203.0.113.10"), Rule(4, 4290, 4200)


def state(*objects: Object) -> State:
    return State(OWNER, objects)


# --- the report -----------------------------------------------------------------------------------


def test_a_report_without_operations_has_not_changed_anything() -> None:
    assert _runner.report([]) == {"changed": False, "operations": [], "diff": {"before": "", "after": ""}}


def test_a_diff_is_sorted_and_has_what_changes_only() -> None:
    operations = [
        Operation("add", None, PROXY),
        Operation("change", Sysctl("net/ipv4/ip_forward", "0"), Sysctl("net/ipv4/ip_forward", "1")),
        Operation("delete", ADDRESS),
    ]
    assert _runner.report(operations)["diff"] == {
        "before": "addresses: device=lo address=203.0.113.10/32\nsysctl net/ipv4/ip_forward = 0\n",
        "after": "proxies: device=a0 address=203.0.113.10\nsysctl net/ipv4/ip_forward = 1\n",
    }


def test_the_lines_of_a_chain_keep_their_order() -> None:
    chain = Chain(6, "filter", "EXTRUDE-A", "", tuple(f"-j {number}" for number in range(11)))
    lines = _runner.report([Operation("add", None, chain)])["diff"]["after"].splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == [str(number) for number in range(11)]
    assert lines[0] == "ip6tables -t filter EXTRUDE-A   1: -j 0"


def test_the_lines_of_files_come_last_and_keep_their_order() -> None:
    operations = [
        Operation("change", File("bird.conf", "z\na\n"), File("bird.conf", "z\nb\na\n")),
        Operation("add", None, File("a.conf", "new")),
        Operation("add", None, PROXY),
    ]
    assert _runner.report(operations)["diff"] == {
        "before": "bird.conf: z\nbird.conf: a\n",
        "after": ("proxies: device=a0 address=203.0.113.10\na.conf: new\nbird.conf: z\nbird.conf: b\nbird.conf: a\n"),
    }


# --- records --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("former", "kinds", "purge", "kept"),
    [
        (None, {"rules"}, True, {RULE}),
        (state(ADDRESS, PROXY), {"rules"}, True, {ADDRESS, PROXY, RULE}),
        (state(ADDRESS, Rule(4, 1, 1)), {"rules"}, True, {ADDRESS, RULE}),
        (state(ADDRESS, Rule(4, 1, 1)), {"rules"}, False, {ADDRESS, Rule(4, 1, 1), RULE}),
    ],
)
def test_a_record_keeps_other_kinds_and_what_is_not_purged(
    former: State | None, kinds: set[str], purge: bool, kept: set[Object]
) -> None:
    request = Request((state(RULE),), (), kinds, purge)
    assert set(_apply._outcome(state(RULE), former, request, set()).objects) == kept


def test_the_records_of_others_follow_the_files_that_they_share() -> None:
    old, new, own = File("bird.conf", "old"), File("bird.conf", "new"), File("bird.d/other.x.conf", "own")
    other, unconcerned = State(Owner("other", "x"), (ADDRESS, old, own)), State(Owner("third", "x"), (own,))
    request = Request((state(new),), (state(old), other, unconcerned))
    assert _apply._followers(request) == [State(Owner("other", "x"), (ADDRESS, new, own))]
    assert _apply._followers(replace(request, kinds={"rules"})) == []


def test_what_is_reserved_outlives_a_module_for_one_kind() -> None:
    former = replace(state(ADDRESS), reserved_tables=(4200,), reserved_priorities=(4200, 4299))
    request = Request((state(RULE),), (), {"rules"})
    made = _apply._outcome(state(RULE), former, request, set())
    assert (made.reserved_tables, made.reserved_priorities) == ((4200,), (4200, 4299))


def test_what_somebody_else_has_made_is_not_recorded() -> None:
    tunnel = Tunnel("ex-1", "192.0.2.1", "192.0.2.2")
    devices = {"a0": Device("a0", 2, group=4200), "ex-1": Device("ex-1", 3, "gre", tunnel=tunnel)}
    inside = Address("ex-1", "10.254.0.1/31")
    current = Current(devices=devices, addresses=(ADDRESS, inside), proxies=frozenset({PROXY}))
    request = Request((state(tunnel, ADDRESS, inside, PROXY),))
    strange = _apply._not_ours(current, request)
    assert strange == {("addresses", ADDRESS.place), ("proxies", PROXY.place), ("groups", ("a0",))}
    assert _apply._outcome(request.desired[0], None, request, strange).objects == (tunnel, inside)
    recorded = replace(request, recorded=(state(ADDRESS, PROXY),))
    assert _apply._not_ours(current, recorded) == {("groups", ("a0",))}
