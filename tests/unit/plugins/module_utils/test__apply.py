# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _apply
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Current,
    Device,
    File,
    Object,
    Owner,
    Proxy,
    Rule,
    State,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request

OWNER = Owner("acme", "office")
ADDRESS, PROXY, RULE = Address("lo", "203.0.113.10/32"), Proxy("a0", "203.0.113.10"), Rule(4, 4290, 4200)


def state(*objects: Object) -> State:
    return State(OWNER, objects)


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
