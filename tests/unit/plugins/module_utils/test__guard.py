# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _guard, _storage
from ansible_collections.multihome.extrude.plugins.module_utils._conflict import Conflict
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, HostError
from ansible_collections.multihome.extrude.plugins.module_utils._guard import Guarded, Guards, refuse_gone
from tests.unit.timers import Timers

OFFICE, BRANCH = ("acme", "office"), ("globex", "branch")
FORMER = {"customer": "acme", "site": "office", "rules": []}


@pytest.fixture
def timers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers(tmp_path, monkeypatch)


@pytest.fixture
def guards(tmp_path: Path) -> Guards:
    return Guards(tmp_path / "guard")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds since boot, to be changed."""
    seconds = [100.0]
    monkeypatch.setattr(_guard, "_now", lambda: seconds[0])
    return seconds


def change(guards: Guards, owner: tuple[str, str] = OFFICE, seconds: int = 60) -> None:
    with guards.guarding([Guarded(*owner, FORMER if owner == OFFICE else None)], seconds):
        pass


def test_a_change_waits_with_what_stood_before_and_a_timer_that_asks_for_it(
    guards: Guards, timers: Timers, clock: list[float]
) -> None:
    change(guards)
    change(guards, BRANCH, 90)
    office, branch = guards.waiting()
    assert (str(office), office.restored, office.left) == ("acme/office", FORMER, 60)
    assert (branch.owner, branch.restored) == (BRANCH, {"customer": "globex", "site": "branch"})
    first, second = timers.calls()
    assert "--on-active=60s" in first
    assert first.endswith("/usr/sbin/extrude rollback --due")
    assert "--on-active=90s" in second
    clock[0] += 60
    assert [one.owner for one in guards.due()] == [OFFICE]


def test_a_second_change_keeps_what_stood_before_the_first_and_gets_as_long_again(
    guards: Guards, timers: Timers, clock: list[float]
) -> None:
    change(guards)
    clock[0] += 50
    with guards.guarding([Guarded(*OFFICE, {**FORMER, "rules": [{}]})], 60):
        pass
    (office,) = guards.waiting()
    assert (office.former, office.left) == (FORMER, 60)
    clock[0] += 5
    guards.hold([office], 10)
    assert [one.left for one in guards.waiting()] == [10]


def test_a_change_that_fails_is_not_guarded_and_one_that_waits_still_is(
    guards: Guards, timers: Timers, clock: list[float]
) -> None:
    with pytest.raises(RuntimeError), guards.guarding([Guarded(*OFFICE, FORMER)], 60):
        raise RuntimeError
    assert guards.load() == []
    change(guards)
    before = guards.load()
    with pytest.raises(RuntimeError), guards.guarding([Guarded(*OFFICE, None)], 600):
        raise RuntimeError
    assert guards.load() == before


def test_a_timer_that_cannot_be_armed_refuses_the_change(guards: Guards, timers: Timers) -> None:
    timers.refuse("Failed to connect to bus: Host is down")
    with pytest.raises(EngineError, match=r"cannot arm the timer .* Failed to connect to bus: Host is down"):
        change(guards)
    assert guards.load() == []


def test_after_a_reboot_it_is_due_whatever_the_clock_says(
    guards: Guards, timers: Timers, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(guards)
    clock[0] = 1
    assert guards.due() == []
    monkeypatch.setattr(_guard, "_boot", lambda: "another")
    (due,) = guards.due()
    assert (str(due), due.why) == ("acme/office", "not confirmed before the host was booted")
    guards.undo([due])
    assert [one.why for one in guards.load()] == [due.why]


def test_on_a_full_disk_a_change_may_be_told_to_go_back_but_not_to_stay(
    guards: Guards, timers: Timers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guards = Guards(tmp_path / "guard", tmp_path / "spare")
    change(guards)
    stage_all = _storage._stage_all

    def full(folder: Path, *more: Any) -> None:
        if folder == tmp_path / "guard":
            raise HostError("cannot write") from OSError(errno.ENOSPC, "No space left on device")
        stage_all(folder, *more)

    with monkeypatch.context() as patch:
        patch.setattr(_storage, "_stage_all", full)
        with pytest.raises(HostError):
            guards.drop([OFFICE])  # it would be back with the next boot
        with pytest.raises(HostError):
            change(guards, BRANCH)
        assert guards.due() == []
        guards.expire(guards.waiting(), "")
        assert [one.owner for one in guards.due()] == [OFFICE]
    guards.undo(guards.due())
    assert list((tmp_path / "spare").iterdir()) == []
    assert [one.owner for one in guards.load() if one.undone] == [OFFICE]


def test_what_went_back_waits_no_more_but_is_told(guards: Guards, timers: Timers) -> None:
    change(guards)
    guards.undo(guards.waiting())
    (gone,) = guards.load()
    assert guards.waiting() == []
    assert gone.former is None
    with pytest.raises(Conflict, match=r"^acme/office: not confirmed within 60 s, so since 20\S* all is as it was"):
        refuse_gone([gone])
    change(guards)
    assert [one.former for one in guards.waiting()] == [FORMER]


def test_the_last_run_that_changes_something_has_it(guards: Guards, timers: Timers) -> None:
    for run in ("first", "second"):
        with guards.guarding([Guarded(*OFFICE, FORMER, run=run)], 60):
            pass
    waiting = guards.waiting()
    refuse_gone(waiting, "second")
    refuse_gone(waiting)  # somebody at the host
    with pytest.raises(Conflict, match=r"^acme/office: another run is changing it; let that one come to its end"):
        refuse_gone(waiting, "first")


def test_what_is_confirmed_leaves_no_file(guards: Guards, timers: Timers, tmp_path: Path) -> None:
    change(guards)
    change(guards, BRANCH)
    guards.drop([OFFICE])
    assert timers.calls()[-1].endswith("rollback --due"), "one waits for its timer"
    guards.drop([OFFICE, BRANCH])
    assert timers.calls()[-1] == "stop extrude-guard-*.timer"
    assert guards.load() == []
    assert not (tmp_path / "guard").exists()


def test_a_file_that_makes_no_sense_is_told_and_hinders_nothing(guards: Guards, timers: Timers, tmp_path: Path) -> None:
    change(guards)
    for path in (tmp_path / "guard").iterdir():
        path.write_text('{"schema": 1, "sites": {"office": {"customer": "acme", "site": "office"}}}')
    assert guards.load() == []
