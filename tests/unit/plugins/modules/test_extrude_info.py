# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _liveness
from ansible_collections.multihome.extrude.plugins.module_utils._guard import Guards
from tests.unit.host import snapshot
from tests.unit.netns import ip
from tests.unit.timers import Timers

Run = Callable[..., dict[str, Any]]
STATE: dict[str, Any] = {
    "customer": "acme",
    "site": "office",
    "addresses": [{"device": "lo", "address": "203.0.113.10/32"}],
    "routes": [{"destination": "198.18.0.0/15", "table": 4200, "type": "unreachable"}],
    "rules": [{"priority": 4290, "table": 4200}],
    "proxies": [{"device": "a0", "address": "203.0.113.11"}],
    "dummies": [{"name": "extrude0"}],
    "files": [{"path": "bird.conf", "content": "router id 192.0.2.1;\n"}],
    "reserved": {"tables": [4200], "priorities": [4200, 4299]},
}


def test_a_host_without_records_has_nothing_of_ours(run: Run, folder: Path) -> None:
    before = snapshot()
    result = run("extrude_info")
    assert {name: result[name] for name in ("applied", "drift", "tunnels", "addresses", "routes", "rules")} == {
        "applied": [],
        "drift": [],
        "tunnels": [],
        "addresses": [],
        "routes": [],
        "rules": [],
    }
    assert result["proxies"] == [{"device": "b0", "address": "192.0.2.77"}]
    assert (result["dummies"], result["files"], result["watched"]) == ([], [], False)
    assert result["changed"] is False
    assert not folder.exists()
    assert snapshot() == before


def test_what_was_applied_is_shown_as_it_was_asked_for_and_as_it_is(run: Run) -> None:
    run("extrude_state", states=[STATE])
    result = run("extrude_info")
    assert result["drift"] == []
    (applied,) = result["applied"]
    assert applied["proxies"] == STATE["proxies"]
    assert applied["reserved"] == STATE["reserved"]
    assert run("extrude_state", states=result["applied"])["changed"] is False
    (route,) = result["routes"]
    assert (route["destination"], route["type"]) == ("198.18.0.0/15", "unreachable")
    assert result["rules"] == [{"family": 4, "priority": 4290, "table": 4200}]
    assert (result["dummies"], result["files"]) == (STATE["dummies"], STATE["files"])
    assert (applied["dummies"], applied["files"]) == (STATE["dummies"], STATE["files"])


def test_it_says_whose_things_there_are_and_what_their_secrets_are_called(run: Run, config: Path, folder: Path) -> None:
    secret = {"site": "acme.1", "links": "*.1.acme.extrude"}
    run("extrude_state", states=[{**STATE, "secret": secret}])
    assert run("extrude_info")["owners"] == [{"name": "acme/office", "secret": secret, "gone": False}]
    for file in config.glob("acme.json*"):
        file.unlink()
    assert run("extrude_info")["owners"] == [{"name": "acme/office", "secret": None, "gone": False}]
    heard = folder / "endpoints" / "acme" / "shop" / "dsl"
    heard.parent.mkdir(parents=True)
    assert [owner["name"] for owner in run("extrude_info")["owners"]] == ["acme/office", "acme/shop"]
    heard.parent.rmdir()
    run("extrude_state", states=[{"customer": "acme", "site": "office"}])
    assert run("extrude_info")["owners"] == []


@pytest.mark.parametrize("arguments", [{}, {"routes_of": {"tables": [], "destinations": []}}])
def test_it_says_whose_change_waits_to_be_confirmed(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    Timers(tmp_path, monkeypatch)
    run("extrude_state", states=[STATE], guard=60)
    assert run("extrude_info", **arguments)["waiting"] == ["acme/office"]
    guards = Guards(folder / "guard")
    guards.undo(guards.waiting())
    assert run("extrude_info", **arguments)["waiting"] == []


def test_drift_says_what_the_next_run_would_do(run: Run) -> None:
    run("extrude_state", states=[STATE])
    ip("neigh del proxy 203.0.113.11 dev a0", "rule del priority 4290")
    assert run("extrude_info")["drift"] == ["add rule 4290: lookup 4200", "add proxy 203.0.113.11 on a0"]


def test_a_file_that_somebody_has_changed_is_shown_as_it_is(run: Run, config: Path) -> None:
    run("extrude_state", states=[STATE])
    (config / "bird.conf").write_text("an administrator's\n")
    result = run("extrude_info")
    assert result["drift"] == ["change file bird.conf"]
    assert result["files"] == [{"path": "bird.conf", "content": "an administrator's\n"}]


def test_stand_by_rules_are_on_record_and_no_drift_while_somebody_watches(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = tmp_path / "live"
    live.touch()
    monkeypatch.setattr(_liveness, "LIVE", live)
    standby = {"family": 4, "priority": 4291, "table": 4217, "standby": True}
    assert run("extrude_state", states=[{**STATE, "rules": [standby]}])["changed"] is True
    result = run("extrude_info")
    assert (result["watched"], result["drift"], result["rules"]) == (True, [], [])
    assert result["applied"][0]["rules"] == [standby]
    live.unlink()
    result = run("extrude_info")
    assert (result["watched"], result["drift"]) == (False, ["add rule 4291: lookup 4217"])


def test_what_stands_in_the_way_is_drift_too(run: Run) -> None:
    run("extrude_state", states=[STATE])
    ip("route add 192.0.2.0/25 dev a0 table 4200 proto 4", "link set a0 name c0")
    assert run("extrude_info")["drift"] == [
        (
            "route 192.0.2.0/25 table 4200 metric 0 dev c0 weight 1 stands where only ours may and was made by"
            " hand or networkd (protocol 4)"
        ),
        "proxy 203.0.113.11 on a0: there is no device a0 on this host",
    ]


def test_routes_of_ours_in_tables_that_no_record_names_are_shown(run: Run) -> None:
    ip("route add 192.0.2.0/25 dev a0 table 999 proto 120")
    assert [route["table"] for route in run("extrude_info")["routes"]] == [999]


def test_a_corrupt_record_is_named(run: Run, folder: Path) -> None:
    folder.mkdir()
    (folder / "acme.json").write_text("[]")
    assert run("extrude_info")["msg"].startswith(f"{folder}/acme.json is no record of what was applied")


def test_the_routes_to_some_destinations_are_told_whoever_made_them(run: Run, folder: Path) -> None:
    ip("route add 203.0.113.10 table 4200 metric 32 proto bird nexthop dev a0 weight 5 nexthop dev b0 weight 3")
    ip("route add 203.0.113.11 table 4200 dev a0", "route add 203.0.113.10 table 4217 metric 1 dev b0")
    asked = {"tables": [4200, 4217], "destinations": ["203.0.113.10/32", "2001:db8::/32"]}
    result = run("extrude_info", routes_of=asked)
    assert {key for key in result if key != "invocation"} == {"changed", "routes", "waiting", "watched"}
    assert [(route["table"], route["metric"]) for route in result["routes"]] == [(4200, 32), (4217, 1)]
    hops = [(hop["device"], hop["weight"]) for hop in result["routes"][0]["nexthops"]]
    assert hops == [("a0", 5), ("b0", 3)]
    assert (result["watched"], result["waiting"]) == (False, [])
    assert not folder.exists()


def test_it_tells_whether_bird_watches(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "live").touch()
    monkeypatch.setattr(_liveness, "LIVE", tmp_path / "live")
    assert run("extrude_info", routes_of={"tables": [4200], "destinations": []})["watched"] is True


def test_a_bad_prefix_is_named(run: Run) -> None:
    failed = run("extrude_info", routes_of={"tables": [4200], "destinations": ["203.0.113.10/24"]})
    assert "routes_of.destinations: '203.0.113.10/24' is no prefix" in failed["msg"]
