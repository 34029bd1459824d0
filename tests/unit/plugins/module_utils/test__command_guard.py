# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes that wait to be confirmed, on a host in a namespace."""

from __future__ import annotations

import os
import re
import syslog
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import (
    _command,
    _guard,
    _host,
    _rollback,
    _sysctl,
)
from ansible_collections.multihome.extrude.plugins.module_utils._fields import HostError
from ansible_collections.multihome.extrude.plugins.module_utils._guard import Guarded, Guards, Settings
from ansible_collections.multihome.extrude.plugins.module_utils._learned import Endpoints, Hints
from ansible_collections.multihome.extrude.plugins.module_utils._local import Store, bound
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from ansible_collections.multihome.extrude.plugins.module_utils._states import States
from tests.unit.host import host, snapshot
from tests.unit.netns import output
from tests.unit.timers import Timers

Run = Callable[[str], int]


def state(site: str, *addresses: str) -> dict[str, Any]:
    """A state with these addresses."""
    listed = [{"device": "lo", "address": f"{address}/32"} for address in addresses]
    return {"customer": "acme", "site": site, "addresses": listed}


OLD, NEW = state("office", "203.0.113.1"), state("office", "203.0.113.2")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    Timers(tmp_path, monkeypatch)
    return Store(
        States(tmp_path / "etc", patient=True),
        Records(tmp_path / "var", patient=True),
        Hints(tmp_path / "run"),
        Endpoints(tmp_path / "var" / "endpoints"),
        guards=Guards(tmp_path / "var" / "guard"),
    )


@pytest.fixture
def run(store: Store) -> Iterator[Run]:
    """``run("rollback")`` gives the exit code, on a host that OLD was deployed to."""
    store.states.store([OLD])
    with host():
        assert _command.main(["apply"], store) == 0
        yield lambda words: _command.main(words.split(), store)


def change(store: Store, *states: dict[str, Any], by: str = "", settings: Settings = MappingProxyType({})) -> None:
    """What a guarded run of the module does."""
    changes = [
        Guarded("acme", one["site"], store.states.find("acme", one["site"]), run=by, settings=settings)
        for one in states
    ]
    with store.guards.guarding(changes, 60), store.states.storing(states):
        pass
    assert _command.main(["apply"], store) == 0


def held() -> set[str]:
    words = output("ip", "-o", "-4", "address", "show", "dev", "lo").split()
    return {word.partition("/")[0] for word in words if word.startswith("203.0.113.")}


def test_a_change_that_is_confirmed_stays(run: Run, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    change(store, NEW)
    capsys.readouterr()
    assert run("confirm acme/office") == 0
    assert capsys.readouterr().out == "acme/office: confirmed\n"
    assert run("rollback") == 0
    assert run("confirm") == 0
    assert run("rollback --within 60") == 0
    assert held() == {"203.0.113.2"}
    assert capsys.readouterr() == (3 * "nothing waits to be confirmed\n", "")
    assert run("rollback --due") == 0
    assert capsys.readouterr() == ("", ""), "a timer has nobody to tell"


def test_a_change_that_is_not_goes_back_with_all_that_follows(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    before, kept = snapshot(), store.states.load()
    change(store, NEW, state("branch", "203.0.113.7"))
    assert held() == {"203.0.113.2", "203.0.113.7"}
    capsys.readouterr()
    assert run("rollback acme/office acme/branch") == 0
    assert (snapshot(), store.states.load()) == (before, kept)
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == [
        f"{site}: put back by hand, so it goes back to what was before" for site in ("acme/branch", "acme/office")
    ]
    assert "delete address 203.0.113.7/32 on lo" in told
    assert run("confirm") == 1
    assert "acme/office: put back by hand, so since 20" in capsys.readouterr().err
    assert len(store.guards.load()) == 2, "whoever asks is told, until it is changed again"
    assert run("rollback acme/office") == 0, "as was asked"
    assert "acme/office: put back by hand, so since 20" in capsys.readouterr().out


def test_a_run_decides_on_what_is_its_own_only(run: Run, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    change(store, NEW, by="run-2")
    capsys.readouterr()
    for command in ("confirm --run run-1 acme/office", "rollback --run run-1 --within 99 acme/office"):
        assert run(command) == 1
        assert "acme/office: another run is changing it" in capsys.readouterr().err
    assert run("rollback --run run-2 --within 99 acme/office") == 0
    assert run("confirm --run run-2 acme/office") == 0
    assert store.guards.load() == []


def test_what_went_back_long_ago_hinders_no_other_that_waits(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, state("never", "203.0.113.9"))
    assert run("rollback") == 0
    change(store, NEW, state("branch", "203.0.113.7"))
    capsys.readouterr()
    warning = "extrude: warning: acme/never: put back by hand, so since "
    assert run("rollback --within 600") == 0
    said, warned = capsys.readouterr()
    assert said == "acme/branch: goes back in 600 s\nacme/office: goes back in 600 s\n"
    assert warned.startswith(warning)
    for command in ("confirm acme/never", "confirm acme/never acme/office"):
        assert run(command) == 1, "who names it is told, and nothing else is decided"
    capsys.readouterr()
    assert run("confirm") == 0
    said, warned = capsys.readouterr()
    assert said == "acme/branch: confirmed\nacme/office: confirmed\n"
    assert warned.startswith(warning)
    assert [str(one) for one in store.guards.load()] == ["acme/never"]
    assert run("confirm") == 1, "no other waits"


def test_only_what_is_due_goes_back_by_itself(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    change(store, NEW)
    assert run("rollback --due") == 0
    assert run("rollback --within 300 acme/office") == 0
    assert 290 < store.guards.waiting()[0].left <= 300
    assert run("apply") == 0
    assert held() == {"203.0.113.2"}
    monkeypatch.setattr(_guard, "_now", lambda: 10.0**9)
    assert run("rollback --due --run run-1") == 1
    assert run("rollback --due acme/strange") == 1
    assert held() == {"203.0.113.2"}
    assert run("rollback --due") == 0
    assert held() == {"203.0.113.1"}
    assert run("rollback --within 300 acme/office") == 1


def test_what_is_going_back_can_not_be_kept_any_more(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a full disk: the kernel has what was before, and the next boot would bring what was not confirmed."""
    change(store, state("branch", "203.0.113.7"), NEW)
    store.guards.expire([one for one in store.guards.waiting() if one.site == "office"], "put back by hand")
    capsys.readouterr()
    for command in ("confirm acme/office", "confirm --run run-1 acme/office", "rollback --within 99 acme/office"):
        assert run(command) == 1
        assert capsys.readouterr().err == (
            "extrude: acme/office: its time to be confirmed is over, so it goes back\n"
        ), command
    assert run("confirm") == 0
    assert "acme/office: its time to be confirmed is over" in capsys.readouterr().err
    assert [str(one) for one in store.guards.waiting()] == ["acme/office"]
    assert run("confirm") == 1, "no other waits"
    assert run("rollback --due") == 0
    assert held() == {"203.0.113.1", "203.0.113.7"}


def test_each_apply_puts_back_what_is_due_so_a_reboot_does(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, NEW)
    monkeypatch.setattr(_guard, "_boot", lambda: "another")
    capsys.readouterr()
    assert run("apply") == 1
    assert held() == {"203.0.113.1"}
    told = "acme/office: not confirmed before the host was booted, so it goes back to what was before"
    assert told in capsys.readouterr().err
    assert run("apply") == 0


def test_why_it_goes_back_is_told_and_kept(run: Run, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    change(store, NEW, by="run-1")
    assert run("rollback --run run-1 --within 1 --because its_run_failed acme/office") == 0
    (waiting,) = store.guards.waiting()
    capsys.readouterr()
    assert run("rollback") == 0
    assert (waiting.why, store.guards.load()[0].why) == ("its_run_failed", "put back by hand")
    change(store, NEW)
    assert run("rollback --because oops") == 0
    assert "acme/office: oops, so it goes back to what was before\n" in capsys.readouterr().out
    assert store.guards.load()[0].why == "oops"
    change(store, NEW)
    assert store.guards.waiting()[0].why == "not confirmed within 60 s"


def test_what_is_decided_by_hand_is_in_the_journal_too(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _level, text: told.append(text))
    change(store, NEW)
    run("confirm")
    assert told == ["acme/office: confirmed"]
    change(store, state("office", "203.0.113.3"))
    capsys.readouterr()
    run("rollback")
    assert told[1:] == capsys.readouterr().out.splitlines()
    out = os.fstat(1)
    monkeypatch.setenv("JOURNAL_STREAM", f"{out.st_dev}:{out.st_ino}")
    change(store, NEW)
    lines = len(told)
    run("rollback")
    run("confirm")
    assert len(told) == lines, "systemd has it from the output"


def test_one_that_is_gone_or_anothers_keeps_no_other_from_going_back(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, state("gone", "203.0.113.7"), state("taken", "203.0.113.8"), NEW, by="run-1")
    assert run("rollback acme/gone") == 0
    change(store, state("taken", "203.0.113.9"), by="run-2")
    named = "acme/gone acme/taken acme/office acme/strange"
    assert run(f"rollback --run run-1 --within 1 {named}") == 1
    capsys.readouterr()
    assert run(f"rollback --run run-1 --remaining --within 1 {named}") == 0
    told = capsys.readouterr()
    assert told.out == "acme/office: goes back in 1 s\n"
    assert "acme/gone: put back by hand, so since" in told.err
    assert "acme/taken: another run is changing it" in told.err
    assert run("rollback --run run-1 acme/taken") == 1, "without --within too"
    assert run(f"rollback --run run-1 --remaining {named}") == 0
    assert held() == {"203.0.113.1", "203.0.113.9"}


def test_a_reason_is_one_line_whatever_was_typed(store: Store) -> None:
    store.states.store([OLD])
    with host():
        change(store, NEW)
        because = "a\udcffb\nacme/x: confirmed \x1b[31m" + 300 * "y"
        assert _command.main(["rollback", "--because", because], store) == 0
        assert held() == {"203.0.113.1"}
    (note,) = store.guards.load()
    assert note.why.startswith("a?b acme/x: confirmed [31my")
    assert len(note.why) == 200


def test_who_is_told_may_be_gone(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    change(store, NEW)
    nobody, pipe = os.pipe()
    os.close(nobody)
    with monkeypatch.context() as patch, os.fdopen(pipe, "w") as gone:
        patch.setattr("sys.stdout", gone)
        run("rollback")
    assert held() == {"203.0.113.1"}


# --- kernel settings ----------------------------------------------------------------------------------

FORWARD = "net/ipv4/ip_forward"


def forwarding(site: str, value: str = "1") -> dict[str, Any]:
    return {**state(site, f"203.0.113.{ord(site[0])}"), "sysctls": [{"name": FORWARD, "value": value}]}


def value() -> str:
    return Path("/proc/sys", FORWARD).read_text(encoding="ascii").strip()


def test_kernel_settings_go_back_with_the_last_change_that_asks_for_them(run: Run, store: Store) -> None:
    _sysctl.write(FORWARD, "0")
    change(store, forwarding("office"), settings={FORWARD: ("0", "1")})
    change(store, forwarding("branch"))
    assert value() == "1"
    assert run("rollback acme/office") == 0
    assert value() == "1", "the branch asks for it"
    assert run("rollback acme/branch") == 0
    assert value() == "0"
    assert [one.settings for one in store.guards.load()] == [{}, {}]


@pytest.mark.parametrize("confirmed", ["acme/office", "acme/branch"])
def test_they_stay_where_a_change_that_is_confirmed_asks_for_them(run: Run, store: Store, confirmed: str) -> None:
    _sysctl.write(FORWARD, "0")
    change(store, forwarding("office"), forwarding("branch"), settings={FORWARD: ("0", "1")})
    assert run(f"confirm {confirmed}") == 0
    assert run("rollback") == 0
    assert value() == "1"


def test_they_stay_as_somebody_has_set_them_meanwhile(run: Run, store: Store) -> None:
    name = "net/ipv4/conf/lo/rp_filter"
    change(store, {**NEW, "sysctls": [{"name": name, "value": "2"}]}, settings={name: ("0", "2")})
    _sysctl.write(name, "1")
    assert run("rollback") == 0
    assert _sysctl.read([name]) == {name: "1"}


def test_after_a_reboot_they_are_what_files_say(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    change(store, forwarding("office"), settings={FORWARD: ("0", "1")})
    monkeypatch.setattr(_guard, "_boot", lambda: "another")
    assert run("apply") == 1
    assert value() == "1"
    change(store, forwarding("office"), settings={FORWARD: ("0", "1")})
    monkeypatch.setattr(_guard, "_boot", lambda: "a third")
    assert run("rollback") == 0, "by hand"
    assert value() == "1"


def test_what_forwarding_takes_along_comes_back_as_it_was(run: Run, store: Store) -> None:
    """Some devices forwarded alone, and redirects were not accepted."""
    _sysctl.write(FORWARD, "0")
    kept = {"net/ipv4/conf/all/accept_redirects": "0", "net/ipv4/conf/lo/forwarding": "1"}
    for name, former in kept.items():
        _sysctl.write(name, former)
    change(store, forwarding("office"), settings={FORWARD: ("0", "1"), **{name: (it, it) for name, it in kept.items()}})
    assert _sysctl.read(["net/ipv4/conf/a0/forwarding"]) == {"net/ipv4/conf/a0/forwarding": "1"}
    assert run("rollback") == 0
    assert (value(), _sysctl.read(kept)) == ("0", kept)
    assert _sysctl.read(["net/ipv4/conf/a0/forwarding"]) == {"net/ipv4/conf/a0/forwarding": "0"}


def test_a_setting_whose_device_has_gone_hinders_nothing(run: Run, store: Store) -> None:
    change(store, NEW, settings={"net/ipv4/conf/gone0/rp_filter": ("0", "2")})
    assert run("rollback") == 0
    assert held() == {"203.0.113.1"}


def test_a_change_that_renumbers_goes_back_too(store: Store) -> None:
    """The former inventory did not allow it."""
    asked: list[Any] = []

    def bound(states: Any, *_store: Any, **_how: Any) -> tuple[()]:
        asked.extend(states)
        return ()

    guarded = Guarded("acme", "office", {**OLD, "renumber": False}, 60, "", 0.0)
    with host(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rollback, "bound", bound)
        _rollback.roll_back(store, [guarded])
    assert [state["renumber"] for state in asked] == [True]


def test_a_disk_that_cannot_be_written_keeps_nothing_from_going_back(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, NEW)
    monkeypatch.setattr(_guard, "_boot", lambda: "another")

    def full(*_states: Any) -> Any:
        raise HostError("cannot write: No space left on device")

    monkeypatch.setattr(States, "storing", full)
    assert run("apply") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert held() == {"203.0.113.1"}
    monkeypatch.undo()
    assert [str(one) for one in store.guards.waiting()] == ["acme/office"]


def filed(address: str, content: str) -> dict[str, Any]:
    """A state with a file."""
    return {**state("office", address), "files": [{"path": "bird.d/acme.conf", "content": content}]}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk with the configuration, on a host that a state with a file was deployed to."""
    folder = tmp_path / "etc"
    folder.mkdir()
    with host():
        output("mount", "-t", "tmpfs", "-o", "size=200k", "none", str(folder))
        try:
            yield folder
        finally:
            output("umount", str(folder))


@pytest.fixture
def one_disk(disk: Path, store: Store, tmp_path: Path) -> Store:
    """All that a host keeps is on that disk."""
    return replace(
        store,
        states=States(disk / "etc", patient=True),
        records=Records(disk / "var", tmp_path / "records", patient=True),
        guards=Guards(disk / "var" / "guard", tmp_path / "guards"),
    )


def keeping(store: Store, *states: dict[str, Any]) -> None:
    """What a guarded run does with files."""
    found = _host.survey(Request(bound(states, store), store.records.load(), folder=store.states.folder))
    _host.keep_files(store.states.folder, found.operations)
    change(store, *states)


def fill(disk: Path) -> Path:
    """Leave no room at all."""
    rest = disk / "rest"
    with suppress(OSError), rest.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    return rest


OLD_FILE, NEW_FILE = filed("203.0.113.1", "# old\n"), filed("203.0.113.2", "# new\n")


@pytest.mark.parametrize("words", ["rollback acme/office", "rollback --due", "apply"])
def test_on_a_full_disk_a_change_of_files_goes_back_too(
    disk: Path, one_disk: Store, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, files = one_disk, disk / "etc" / "bird.d"
    store.states.store([OLD_FILE])
    assert _command.main(["apply"], store) == 0
    keeping(store, NEW_FILE)
    rest = fill(disk)
    if "acme" not in words:
        monkeypatch.setattr(_guard, "_boot", lambda: "another")
    capsys.readouterr()
    for again in (words, "apply"):
        assert _command.main(again.split(), store) == 1
        assert "acme.json: No space left on device" in capsys.readouterr().err
        assert held() == {"203.0.113.1"}
        assert (files / "acme.conf").read_text() == "# old\n"
    assert _command.main(["status"], store) == 0
    assert "acme/office: a change is going back: " in capsys.readouterr().out
    rest.unlink()
    before = snapshot()
    assert _command.main(["apply"], store) == 1
    assert snapshot() == before, "no surprise, however late"
    assert _command.main(["apply"], store) == 0
    assert [path.name for path in files.iterdir()] == ["acme.conf"]
    assert store.guards.waiting() == []


def test_a_disk_that_takes_nothing_at_all_keeps_nothing_else_from_going_back(
    disk: Path, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store.states.store([OLD_FILE])
    assert _command.main(["apply"], store) == 0
    keeping(store, NEW_FILE)
    monkeypatch.setattr(_guard, "_boot", lambda: "another")
    output("mount", "-o", "remount,ro", str(disk))
    capsys.readouterr()
    for words in ("rollback --due", "apply"):
        assert _command.main(words.split(), store) == 1
        assert "Read-only file system" in capsys.readouterr().err
        assert held() == {"203.0.113.1"}
    output("mount", "-o", "remount,rw", str(disk))
    _command.main(["apply"], store)
    assert (disk / "bird.d" / "acme.conf").read_text() == "# old\n"
    assert held() == {"203.0.113.1"}
    assert store.guards.waiting() == []


def test_what_goes_back_by_hand_does_not_come_again_where_that_cannot_be_kept(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(store, NEW)

    def full(*_states: Any) -> Any:
        raise HostError("cannot write: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(States, "storing", full)
        for words in ("rollback", "apply"):
            assert run(words) == 1
            assert held() == {"203.0.113.1"}
    assert run("apply") == 1, "told once more"
    assert (held(), store.guards.waiting()) == ({"203.0.113.1"}, [])


def test_what_cannot_go_back_is_told_tried_again_and_hinders_no_other(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store.states.store([{**state("branch"), "rules": [{"priority": "nonsense", "table": 1}]}])
    branch = Guarded("acme", "branch", store.states.find("acme", "branch"))
    with (
        store.guards.guarding([branch], 60),
        store.states.storing([state("branch", "203.0.113.7")]),
    ):
        pass
    change(store, NEW)
    capsys.readouterr()
    assert run("rollback") == 1
    assert "acme/branch: cannot go back to what was before" in capsys.readouterr().err
    assert held() == {"203.0.113.1", "203.0.113.7"}
    assert [str(one) for one in store.guards.waiting()] == ["acme/branch"]


def test_what_another_has_taken_meanwhile_is_left_to_it_and_the_rest_goes_back(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.states.store([state("office", "203.0.113.1", "203.0.113.5")])
    assert run("apply") == 0
    change(store, NEW)
    store.states.store([state("branch", "203.0.113.5")])
    assert run("apply") == 0
    before = held()
    capsys.readouterr()
    problem = "address 203.0.113.5/32 on lo of customer acme, site office is held by customer acme, site branch\n"
    assert run("rollback") == 1
    assert capsys.readouterr().err == f"extrude: not put back: {problem}"
    assert held() == before - {"203.0.113.2"} | {"203.0.113.1"}
    assert store.guards.waiting() == []
    assert run("apply") == 1, "the states of both want it"
    assert capsys.readouterr().err == f"extrude: {problem}"
    assert held() == {"203.0.113.1", "203.0.113.5"}
    store.states.store([OLD])
    assert run("apply") == 0
    assert held() == {"203.0.113.1", "203.0.113.5"}, "it was never the office's again"


@pytest.mark.parametrize("words", ["confirm office", "rollback acme/ofice", "rollback --within 9 office"])
def test_a_name_that_is_none_is_told(run: Run, store: Store, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    change(store, NEW)
    assert run(words) == 1
    assert capsys.readouterr().err.endswith(": not here. Here are acme/office\n")
    assert [str(one) for one in store.guards.waiting()] == ["acme/office"]


@pytest.mark.parametrize("seconds", [0, 86401])
def test_a_time_that_makes_no_sense_is_refused(run: Run, seconds: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"rollback --within {seconds}") == 1
    assert f"--within: {seconds} is not from 1 to 86400" in capsys.readouterr().err


def test_status_tells_what_waits_and_what_went_back(run: Run, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    change(store, NEW)
    capsys.readouterr()
    assert run("status") == 0
    assert "acme/office: a change waits to be confirmed and goes back in " in capsys.readouterr().out
    run("rollback")
    capsys.readouterr()
    assert run("status") == 0
    told = capsys.readouterr().out
    assert re.search(r"acme/office: a change went back \d+ s ago: put back by hand", told)
