# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _liveness, _programs
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from tests.unit.systemctl import Systemctl

IS_ACTIVE, RELOAD = "is-active extrude-bird.service", "reload extrude-bird.service"


@pytest.fixture
def main(tmp_path: Path) -> Path:
    main = tmp_path / "extrude" / "bird.conf"
    main.parent.mkdir()
    main.write_text("router id 192.0.2.1;\n")
    return main


def test_the_daemon_watches_while_its_file_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_liveness, "LIVE", tmp_path / "live")
    assert not _liveness.watched()
    (tmp_path / "live").touch()
    assert _liveness.watched()


ROUTES = """BIRD 2.0.12 ready.
Access restricted
Table live4:
0.0.0.0/0            unicast [ex-dsl 12:23:10.423] * (999) [AS4200000000i]
\tvia 10.254.0.0 on ex-dsl
                     unicast [ex-lte 12:23:48.242] (998) [AS4200000000i]
\tvia 10.254.0.4 on ex-lte
203.0.113.11/32      blackhole [own4 12:21:27.974] * (200)
"""


@pytest.mark.parametrize(
    ("watched", "code", "found"), [(True, 0, {"ex-dsl", "ex-lte"}), (True, 1, None), (False, 0, None)]
)
def test_the_daemon_has_ways_of_all_tiers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: bool, code: int, found: set[str] | None
) -> None:
    birdc = tmp_path / "birdc"
    birdc.write_text(f"#!/bin/sh\ncat <<'END'\n{ROUTES}END\nexit {code}\n")
    birdc.chmod(0o755)
    monkeypatch.setattr(_programs, "find", lambda _program: str(birdc))
    monkeypatch.setattr(_liveness, "LIVE", tmp_path if watched else tmp_path / "gone")
    assert _liveness.ways() == found


@pytest.mark.parametrize("states", [["active"], ["activating", "activating", "active"], ["reloading", "active"]])
def test_a_daemon_that_runs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Path, states: list[str]
) -> None:
    systemctl = Systemctl(tmp_path, monkeypatch, main, *states)
    _liveness.reload(main.parent)
    assert systemctl.calls() == [*[IS_ACTIVE] * len(states), RELOAD]


@pytest.mark.parametrize("state", ["inactive", "failed", "unknown", "deactivating", ""])
def test_a_daemon_that_does_not_run_is_left_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Path, state: str
) -> None:
    systemctl = Systemctl(tmp_path, monkeypatch, main, state)
    _liveness.reload(main.parent)
    assert systemctl.calls() == [IS_ACTIVE]


def test_a_daemon_that_does_not_come_up_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Path
) -> None:
    monkeypatch.setattr(_liveness, "_START_SECONDS", 0)
    systemctl = Systemctl(tmp_path, monkeypatch, main, "activating")
    _liveness.reload(main.parent)
    assert set(systemctl.calls()) == {IS_ACTIVE}


def test_without_a_main_file_there_is_nothing_to_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Path
) -> None:
    systemctl = Systemctl(tmp_path, monkeypatch, main, "active")
    main.unlink()
    _liveness.reload(main.parent)
    assert systemctl.calls() == []


def test_a_host_without_systemd_has_no_daemon(monkeypatch: pytest.MonkeyPatch, main: Path) -> None:
    monkeypatch.setattr(_programs, "find", lambda _program: None)
    _liveness.reload(main.parent)


def test_what_bird_says_to_its_files_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Path
) -> None:
    Systemctl(tmp_path, monkeypatch, main, "active")
    main.write_text("nonsense\n")
    with pytest.raises(EngineError) as error:
        _liveness.reload(main.parent)
    assert str(error.value) == (f"extrude-bird.service does not take its new files: bird: {main}:1:1 syntax error")


def test_where_bird_says_nothing_systemd_has_the_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Path
) -> None:
    Systemctl(tmp_path, monkeypatch, main, "active")
    main.write_text("nonsense\n")
    find = _programs.find
    monkeypatch.setattr(_programs, "find", lambda program: None if program == "bird" else find(program))
    with pytest.raises(
        EngineError, match=r"^extrude-bird.service does not take its new files: Job for the unit failed\.$"
    ):
        _liveness.reload(main.parent)


def test_a_reload_without_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, main: Path) -> None:
    Systemctl(tmp_path, monkeypatch, main, "active")
    (tmp_path / "systemctl").write_text("#!/bin/sh\nexec sleep 9\n")
    monkeypatch.setattr(_programs, "_SECONDS", 0.1)
    with pytest.raises(EngineError, match=r"systemctl is-active extrude-bird.service has not ended after 0.1 s$"):
        _liveness.reload(main.parent)


PROTOCOLS = """BIRD 2.0.12 ready.
Access restricted
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     12:43:50.817\x20\x20
slot1v4_pipe Pipe       ---        up     12:43:50.817  live4 <=> slot1v4
ex-dsl     BGP        ---        up     12:44:57.502  Established\x20
ex-cable   BGP        ---        start  2026-11-21    Idle          Error: BFD session down
ex-lte     BGP        ---        start  2026-11-21 09:01:02.500 Connect\x20
"""


def test_the_sessions_of_the_daemon() -> None:
    assert _liveness.parse_sessions(PROTOCOLS) == {
        "ex-dsl": _liveness.Session(None, "Established", ""),
        "ex-cable": _liveness.Session(None, "Idle", "Error: BFD session down"),
        "ex-lte": _liveness.Session(datetime(2026, 11, 21, 9, 1, 2, 500_000).astimezone(), "Connect", ""),
    }
    assert [session.up for session in _liveness.parse_sessions(PROTOCOLS).values()] == [True, False, False]
