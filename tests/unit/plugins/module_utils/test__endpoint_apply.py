# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _apply, _host, _iptables
from ansible_collections.multihome.extrude.plugins.module_utils._endpoint_apply import move
from ansible_collections.multihome.extrude.plugins.module_utils._learned import Endpoints
from ansible_collections.multihome.extrude.plugins.module_utils._local import Store
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, Current, Place, State, Tunnel
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from ansible_collections.multihome.extrude.plugins.module_utils._states import States

TUNNEL = {"name": "ex1-dsl", "local": "203.0.113.2", "remote": "{dsl.endpoint}", "key": 17, "wan": "dsl"}
CHAIN = {"table": "filter", "name": "EXTRUDE-INPUT", "hook": "INPUT", "rules": ["-i lo -j RETURN"]}
STATE = {"customer": "acme", "site": "office", "endpoints": ["dsl"], "tunnels": [TUNNEL], "chains": [CHAIN]}
STILL = {**STATE, "site": "shop", "endpoints": [], "tunnels": [{**TUNNEL, "name": "ex2-dsl", "remote": "192.0.2.2"}]}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(States(tmp_path / "etc"), Records(tmp_path / "var"), endpoints=Endpoints(tmp_path / "endpoints"))
    made.states.store([STATE, STILL])
    return made


def test_only_tunnels_of_sites_that_report_are_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []

    def run(_records: Records, request: Request, check: bool) -> _host.Survey:
        assert not check
        asked.append(request)
        return _host.Survey(Current(), ())

    monkeypatch.setattr(_apply, "run", run)
    store.endpoints.store(STATE, "dsl", "100.64.0.7")
    assert move(store) == ([], [])
    (request,) = asked
    assert [str(item) for item in request.asked] == ["tunnel ex1-dsl 203.0.113.2 -> 100.64.0.7 key 17"]
    assert not request.purge
    assert request.yields, "what stands in the way of a tunnel keeps no other from moving"


def test_a_site_that_cannot_be_applied_keeps_no_other_from_moving(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []

    def run(_records: Records, request: Request, check: bool) -> _host.Survey:
        assert not check
        moved.extend(str(item) for item in request.asked)
        return _host.Survey(Current(), ())

    monkeypatch.setattr(_apply, "run", run)
    store.states.store(
        [{**STATE, "site": "shop", "tunnels": [{"name": "ex2-dsl", "local": "oops", "remote": "203.0.113.9"}]}]
    )
    store.endpoints.store(STATE, "dsl", "100.64.0.7")
    operations, (problem,) = move(store)
    assert operations == []
    assert moved == ["tunnel ex1-dsl 203.0.113.2 -> 100.64.0.7 key 17"]
    assert problem.startswith("acme/shop: acme/shop.tunnels[0].local: 'oops' ")


def test_iptables_is_not_asked_for_tunnels(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[int]] = []

    def read(families: Iterable[int]) -> dict[Place, Chain]:
        asked.append(set(families))
        return {}

    monkeypatch.setattr(_iptables, "read", read)
    states = (State.parse({"customer": "acme", "site": "office", "chains": [CHAIN]}),)
    _host.read(Request(states, kinds={Tunnel.KIND}))
    _host.read(Request(states))
    assert asked == [set(), {4}]
