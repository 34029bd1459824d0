# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _apply, _host, _netlink
from ansible_collections.multihome.extrude.plugins.module_utils._fields import HostError
from ansible_collections.multihome.extrude.plugins.module_utils._host import Survey
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Current,
    Device,
    Dummy,
    File,
    Object,
    Owner,
    Proxy,
    Rule,
    State,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.unit.simulator import apply_to, same

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
    strange = _apply._not_ours(Survey(current, ()), request)
    assert strange == {("addresses", ADDRESS.place), ("proxies", PROXY.place), ("groups", ("a0",))}
    assert _apply._outcome(request.desired[0], None, request, strange).objects == (tunnel, inside)
    recorded = replace(request, recorded=(state(ADDRESS, PROXY),))
    assert _apply._not_ours(Survey(current, ()), recorded) == {("groups", ("a0",))}


# --- what is left to others -------------------------------------------------------------------------

TUNNEL = Tunnel("ex-1", "192.0.2.1", "192.0.2.2", alias=f"{OWNER.label}/dsl")
WANTED = state(TUNNEL, Dummy("exd0"), Address("ex-1", "10.254.0.1/31"), Address("exd0", "10.9.9.9/24"), ADDRESS)
OTHERS = tuple(item for item in WANTED.objects if isinstance(item, Address) and item != ADDRESS)


def device(index: int, item: Tunnel | Dummy) -> Device:
    if isinstance(item, Tunnel):
        return Device(item.name, index, "gre", item.alias, tunnel=item)
    return Device(item.name, index, "dummy", item.alias, dummy=item)


BARE = Current(devices={"lo": Device("lo", 1)})
STRANGE = {
    "without alias": [device(2, replace(TUNNEL, alias="", mtu=1400)), device(3, Dummy("exd0", ""))],
    "with an alias": [device(2, replace(TUNNEL, alias="theirs")), device(3, Dummy("exd0", "theirs"))],
    "of another kind": [Device("ex-1", 2, "veth"), Device("exd0", 3, "bridge")],
}


def with_strange(current: Current, devices: list[Device]) -> Current:
    return replace(
        current,
        devices={**current.devices, **{one.name: one for one in devices}},
        addresses=(*current.addresses, *OTHERS),
    )


class Host:
    """A host on paper, with records on disk."""

    def __init__(self, records: Records, current: Current) -> None:
        self.records, self.current = records, current

    def apply(self, wanted: State) -> tuple[list[str], int]:
        """The operations in words, and the number of problems."""
        found = _apply.run(self.records, Request((wanted,), yields=True), check=False)
        return list(map(str, found.operations)), len(found.left.problems)

    def write(self, _request: Request, found: Survey) -> None:
        self.current = apply_to(self.current, found.operations)


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(Records(tmp_path), BARE)
    monkeypatch.setattr(_host, "read", lambda _request: host.current)
    monkeypatch.setattr(_host, "apply", host.write)
    return host


@pytest.mark.parametrize("devices", STRANGE.values(), ids=STRANGE)
def test_what_is_left_to_others_stays_theirs_at_every_apply_and_at_the_purge(
    paper: Host, devices: list[Device]
) -> None:
    paper.current = before = with_strange(BARE, devices)
    assert paper.apply(WANTED) == ([f"add {ADDRESS}"], 2)
    for _again in range(2):
        assert paper.apply(WANTED) == ([], 2)
    assert [item for one in paper.records.load() for item in one.objects] == [ADDRESS]
    assert paper.apply(state()) == ([f"delete {ADDRESS}"], 0)
    assert same(paper.current, before)


@pytest.mark.parametrize("devices", STRANGE.values(), ids=STRANGE)
def test_when_others_have_gone_what_was_left_to_them_is_made(paper: Host, devices: list[Device]) -> None:
    paper.current = with_strange(BARE, devices)
    paper.apply(WANTED)
    paper.current = replace(BARE, addresses=(ADDRESS,))
    operations, problems = paper.apply(WANTED)
    assert (len(operations), problems) == (4, 0)
    assert paper.records.load() == (WANTED,)
    paper.apply(state())
    assert same(paper.current, BARE)


@pytest.mark.parametrize("name", ["with an alias", "of another kind"])
def test_what_others_put_in_place_of_ours_is_not_purged_for_it(paper: Host, name: str) -> None:
    paper.apply(WANTED)
    paper.current = before = with_strange(BARE, STRANGE[name])
    for _again in range(2):
        assert paper.apply(WANTED)[1] == 2
    assert set(paper.records.load()[0].objects) == set(WANTED.objects)
    assert paper.apply(state()) == ([f"delete {ADDRESS}"], 0)
    assert same(paper.current, before)


def test_a_proxy_entry_of_ours_stays_on_record_though_its_address_is_taken(paper: Host) -> None:
    paper.current = replace(BARE, devices={**BARE.devices, "a0": Device("a0", 2)})
    paper.apply(state(PROXY))
    paper.current = replace(paper.current, addresses=(ADDRESS,))
    assert paper.apply(state(PROXY)) == ([], 1)
    assert paper.apply(state()) == ([f"delete {PROXY}"], 0)


def test_a_host_that_cannot_write_says_so_for_all_its_sites(paper: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_netlink, "has_pyroute2", lambda: False)
    with pytest.raises(HostError, match="pyroute2 is missing on this host"):
        paper.apply(WANTED)
