# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import subprocess
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _endpoint_tell, _liveness, _programs
from ansible_collections.multihome.extrude.plugins.module_utils._endpoint_tell import (
    answer,
    follow,
    is_known,
    is_silent,
    pauses,
    reported,
    ssh,
    tell,
    tell_all,
)
from ansible_collections.multihome.extrude.plugins.module_utils._learned import Report, Reports
from ansible_collections.multihome.extrude.plugins.module_utils._links import Link, Wan
from ansible_collections.multihome.extrude.plugins.module_utils._liveness import Session
from ansible_collections.multihome.extrude.plugins.module_utils._local import Store
from ansible_collections.multihome.extrude.plugins.module_utils._states import States

STATE: dict[str, Any] = {
    "customer": "acme",
    "site": "office",
    "links": [{"wan": "dsl", "interface": "ppp*"}, {"wan": "fibre", "interface": "a0", "address": "10.1.0.1"}],
    "files": [{"path": "endpoint_ssh", "content": "Host colo\n"}],
}
UP = Link("ppp0", "100.64.0.7", "100.64.0.1", "100.64.0.1/32", 5.0)
WHEN = "2026-11-22T12:00:00+00:00"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(states=States(tmp_path / "etc"), reports=Reports(tmp_path / "reports"))
    made.states.store([STATE])
    (tmp_path / "etc" / "endpoint_ssh").touch()
    return made


class Host:
    """A host whose programs are told to a list, and whose link changes with each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *links: Link) -> None:
        self.commands: list[list[str]] = []
        self.answers: list[tuple[int, str, str]] = []
        looks = itertools.chain(links, itertools.repeat(links[-1]))
        monkeypatch.setattr(_endpoint_tell, "links", lambda _store: {"dsl": next(looks)})
        monkeypatch.setattr(_endpoint_tell, "_systemctl", lambda *words: self.commands.append(list(words)))
        monkeypatch.setattr(_endpoint_tell, "_run", self._run)
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)

    def _run(self, _folder: str, wan: str, address: str) -> tuple[int, str, str]:
        self.commands.append([wan, address])
        return self.answers.pop(0)


def test_pauses_grow_to_a_minute_and_are_never_the_same_for_all() -> None:
    assert list(itertools.islice(pauses(lambda _low, high: high), 8)) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert list(itertools.islice(pauses(lambda low, _high: low), 3)) == [0.5, 1, 2]
    assert len(set(itertools.islice(pauses(), 5))) == 5


def test_ssh_is_told_nothing_but_where_to_send_from() -> None:
    command = ["/usr/bin/ssh", "-F", "/etc/extrude/endpoint_ssh", "-b", "100.64.0.7", "colo", "dsl"]
    assert ssh("/usr/bin/ssh", "/etc/extrude", "dsl", "100.64.0.7") == command


@pytest.mark.parametrize(
    ("code", "output", "errors", "told"),
    [
        (0, "heard 100.64.0.7\n", "", ("100.64.0.7", "")),
        (255, "", "\nssh: connect to host: Connection refused\n\n", ("", "ssh: connect to host: Connection refused")),
        (1, "", "extrude: 'dsl' is not a link", ("", "extrude: 'dsl' is not a link")),
        (0, "Welcome", "", ("", "ssh ended with 0 and said nothing")),
        (1, "heard 100.64.0.7", "", ("", "ssh ended with 1 and said nothing")),
        (75, "", "", ("", "the colo was busy with another report of this site")),
    ],
)
def test_what_the_colo_answers(code: int, output: str, errors: str, told: tuple[str, str]) -> None:
    assert answer(code, output, errors) == told


def test_only_dynamic_links_are_reported_and_only_where_ssh_is_set_up() -> None:
    assert reported(STATE) == [Wan("dsl", "ppp*")]
    assert reported({**STATE, "files": []}) == []


@pytest.mark.parametrize(
    ("report", "known"),
    [
        (None, False),
        (Report("100.64.0.7", WHEN, "100.64.0.7"), True),
        (Report("100.64.0.7", WHEN, "198.51.100.1"), True),
        (Report("100.64.0.7", WHEN, "", "refused"), False),
        (Report("100.64.0.8", WHEN, "100.64.0.8"), False),
    ],
)
def test_what_the_colo_knows(report: Report | None, known: bool) -> None:
    assert is_known(report, UP) is known


SESSIONS = {"ex-dsl": Session(None, "Idle", "BFD session down"), "ex-lte": Session(None, "Established", "")}


@pytest.mark.parametrize(
    ("heard", "again", "tunnels", "later", "silent"),
    [
        ("100.64.0.7", 0, ["ex-dsl"], 61, True),
        ("100.64.0.7", 0, ["ex-none"], 61, True),
        ("100.64.0.7", 0, ["ex-dsl"], -3600, True),
        ("100.64.0.7", 0, ["ex-dsl"], 59, False),
        ("100.64.0.7", 1, ["ex-dsl"], 119, False),
        ("100.64.0.7", 1, ["ex-dsl"], 121, True),
        ("100.64.0.7", 99, ["ex-dsl"], 961, True),
        ("100.64.0.7", 0, ["ex-dsl", "ex-lte"], 61, False),
        ("100.64.0.7", 0, [], 61, False),
        ("", 0, ["ex-dsl"], 61, False),
    ],
)
def test_a_link_whose_tunnel_stays_dead(heard: str, again: int, tunnels: list[str], later: float, silent: bool) -> None:
    now = datetime.fromisoformat(WHEN) + timedelta(seconds=later)
    assert is_silent(Report("100.64.0.7", WHEN, heard, again=again), tunnels, SESSIONS, now) is silent


def test_a_link_that_was_never_reported_is_not_silent() -> None:
    assert not is_silent(None, ["ex-dsl"], SESSIONS, datetime.fromisoformat(WHEN) + timedelta(days=1))


@pytest.mark.parametrize(("sessions", "told"), [(SESSIONS, True), ({}, True), (None, False)])
def test_the_colo_is_told_again_of_a_link_whose_tunnel_stays_dead(
    store: Store, monkeypatch: pytest.MonkeyPatch, sessions: dict[str, Session] | None, told: bool
) -> None:
    host = Host(monkeypatch, UP)
    store.states.store([{**STATE, "tunnels": [{"name": "ex-dsl", "wan": "dsl"}]}])
    store.reports.store("dsl", Report("100.64.0.7", WHEN, "100.64.0.7"))
    monkeypatch.setattr(_liveness, "sessions", lambda: sessions)
    follow(store)
    assert host.commands == ([["--no-block", "start", "extrude-endpoint@dsl.service"]] if told else [])


def test_a_colo_that_hears_though_nothing_comes_through_is_told_less_and_less_often(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while its BIRD is off: it has thousands of links to hear of."""
    host = Host(monkeypatch, UP)
    store.states.store([{**STATE, "tunnels": [{"name": "ex-dsl", "wan": "dsl"}]}])
    monkeypatch.setattr(_liveness, "sessions", lambda: SESSIONS)
    for again in range(3):
        store.reports.store("dsl", Report("100.64.0.7", WHEN, "100.64.0.7", again=again))
        follow(store)
        host.answers.append((0, "heard 100.64.0.7", ""))
        tell(store, "dsl")
        assert (report := store.reports.read("dsl"))
        assert (report.heard, report.again) == ("100.64.0.7", again + 1)
    lives = {"ex-dsl": SESSIONS["ex-lte"]}
    monkeypatch.setattr(_liveness, "sessions", lambda: lives)
    follow(store)
    assert (report := store.reports.read("dsl"))
    assert (report.heard, report.again) == ("100.64.0.7", 0)


@pytest.mark.parametrize(
    ("report", "commands"),
    [
        (None, [["--no-block", "restart", "extrude-endpoint@dsl.service"]]),
        (Report("100.64.0.8", WHEN, "100.64.0.8"), [["--no-block", "restart", "extrude-endpoint@dsl.service"]]),
        (Report("100.64.0.7", WHEN, "", "refused"), [["--no-block", "start", "extrude-endpoint@dsl.service"]]),
        (Report("100.64.0.7", WHEN, "100.64.0.7"), []),
    ],
)
def test_the_colo_is_told_what_it_does_not_know(
    store: Store, monkeypatch: pytest.MonkeyPatch, report: Report | None, commands: list[list[str]]
) -> None:
    host = Host(monkeypatch, UP)
    store.reports.store("dsl", report)
    follow(store)
    assert host.commands == commands
    follow(store)
    again = [["--no-block", "start", "extrude-endpoint@dsl.service"]] if commands else []
    assert host.commands[len(commands) :] == again, "an event more does not begin it anew"


def test_of_a_link_that_is_down_nothing_is_told_and_its_report_is_forgotten(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(monkeypatch, Link(reason="there is no device ppp*"))
    store.reports.store("dsl", Report("100.64.0.7", WHEN, "100.64.0.7"))
    follow(store)
    assert host.commands == []
    assert store.reports.read("dsl") is None


def test_a_host_without_anything_to_report_looks_at_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "etc" / "endpoint_ssh").unlink()
    (tmp_path / "etc" / "acme.json").write_text("{")
    follow(store)


def test_it_is_told_until_it_is_heard_and_from_the_address_of_the_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(monkeypatch, UP, UP, Link("ppp0", "100.64.0.9", "100.64.0.1"))
    host.answers = [(255, "", "refused"), (255, "", "refused again"), (0, "heard 100.64.0.9", "")]
    tell(store, "dsl")
    assert host.commands == [["dsl", "100.64.0.7"], ["dsl", "100.64.0.7"], ["dsl", "100.64.0.9"]]
    report = store.reports.read("dsl")
    assert report is not None
    assert (report.address, report.heard, report.trouble) == ("100.64.0.9", "100.64.0.9", "")


def test_what_is_known_is_not_told_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, UP)
    store.reports.store("dsl", Report("100.64.0.7", WHEN, "100.64.0.7"))
    tell(store, "dsl")
    assert host.commands == []


def test_since_when_it_is_told_in_vain_is_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, UP, Link(reason="gone"))
    host.answers = [(255, "", "refused")]
    seen: list[Report | None] = []
    monkeypatch.setattr(time, "sleep", lambda _seconds: seen.append(store.reports.read("dsl")))
    store.reports.store("dsl", Report("100.64.0.7", WHEN, "", "timeout"))
    tell(store, "dsl")
    assert seen == [Report("100.64.0.7", WHEN, "", "refused")]
    assert store.reports.read("dsl") is None


def test_all_are_told_anew_and_what_is_not_heard_in_time_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, UP)
    store.reports.store("dsl", Report("100.64.0.7", WHEN, "100.64.0.7"))
    assert tell_all(store, 0, 0) == ([], ["dsl: no answer from the colo yet"])
    assert host.commands == [["--no-block", "restart", "extrude-endpoint@dsl.service"]]
    told = Report("100.64.0.7", WHEN, "100.64.0.7")
    monkeypatch.setattr(time, "sleep", lambda _seconds: store.reports.store("dsl", told))
    assert tell_all(store, 5, 5) == (["dsl"], [])


def test_a_link_with_a_dead_path_is_waited_for_no_longer_once_another_is_heard(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    Host(monkeypatch, UP)
    monkeypatch.setattr(_endpoint_tell, "links", lambda _store: {"dsl": UP, "lte": replace(UP, address="100.64.0.9")})
    told = Report("100.64.0.7", WHEN, "100.64.0.7")
    monkeypatch.setattr(time, "sleep", lambda _seconds: store.reports.store("dsl", told))
    assert tell_all(store, 600, 0) == (["dsl"], ["lte: no answer from the colo yet"])


def test_a_link_whose_tunnel_lives_is_not_told_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, UP)
    store.states.store([{**STATE, "tunnels": [{"name": "ex-lte", "wan": "dsl"}]}])
    store.reports.store("dsl", Report("100.64.0.7", WHEN, "100.64.0.7"))
    monkeypatch.setattr(_liveness, "sessions", lambda: SESSIONS)
    assert tell_all(store, 0, 0) == (["dsl"], [])
    assert host.commands == []


ROUTE = "203.0.113.2 from 100.64.0.7 via 100.64.0.1 dev {} table 101 uid 0 \n    cache \n"


def test_nothing_is_told_by_another_link(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its NAT would have the colo hear the address of that link."""
    host = Host(monkeypatch, UP)
    store.states.store([{**STATE, "tunnels": [{"name": "ex-dsl", "wan": "dsl", "remote": "203.0.113.2"}]}])
    answers = [(2, "", "RTNETLINK answers: Network is unreachable\n"), (0, ROUTE.format("eth1"), "")]
    answers.append((0, ROUTE.format("ppp0"), ""))
    asked: list[list[str]] = []

    def ip(command: list[str], *_seconds: float) -> subprocess.CompletedProcess[str]:
        asked.append(command[1:])
        return subprocess.CompletedProcess(command, *answers.pop(0))

    monkeypatch.setattr(_programs, "run", ip)
    seen: list[Report | None] = []
    monkeypatch.setattr(time, "sleep", lambda _seconds: seen.append(store.reports.read("dsl")))
    host.answers = [(0, "heard 100.64.0.7", "")]
    tell(store, "dsl")
    assert asked == [["route", "get", "203.0.113.2", "from", "100.64.0.7"]] * 3
    assert [report and report.trouble for report in seen] == [
        "nothing leads from 100.64.0.7 to 203.0.113.2: RTNETLINK answers: Network is unreachable",
        "what comes from 100.64.0.7 would leave by eth1: no rule yet",
    ]
    assert host.commands == [["dsl", "100.64.0.7"]]


def test_a_host_without_ssh_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "find", lambda _name: None)
    code, _output, errors = _endpoint_tell._run("/etc/extrude", "dsl", "100.64.0.7")
    assert code != 0
    assert errors == "ssh is missing on this host (Debian package openssh-client)"


def test_nobody_has_to_know_where_a_link_without_a_tunnel_is() -> None:
    links = [{"wan": "dsl", "interface": "ppp*"}, {"wan": "lte", "interface": "w*", "use": "direct"}]
    assert [wan.name for wan in reported({**STATE, "links": links})] == ["dsl"]
