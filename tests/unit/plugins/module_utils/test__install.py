# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what was installed is removed; the rest is tested by the module extrude_command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _install, _programs
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._install import Wanted, install, present, remove

Calls = list[list[str]]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What systemctl is asked, with a folder of units of its own."""
    made: Calls = []

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        made.append(words[1:])
        return subprocess.CompletedProcess(words, 1 if "broken.service" in words else 0, "", "no such thing")

    monkeypatch.setattr(_install, "UNITS", tmp_path / "units")
    monkeypatch.setattr(_programs, "find", lambda name: f"/bin/{name}")
    monkeypatch.setattr(_programs, "run", run)
    return made


def put(folder: Path, *paths: Path) -> list[Path]:
    install({path: Wanted("text") for path in paths}, [], folder)
    return present([folder, *paths])


def test_units_are_stopped_before_their_files_go(tmp_path: Path, calls: Calls) -> None:
    units = [tmp_path / "units" / name for name in ("a.service", "b@.service", "c.service.d/x.conf")]
    remove(put(tmp_path / "lib", *units), tmp_path / "lib")
    assert calls == [["disable", "--now", "a.service"], ["stop", "b@*.service"], ["daemon-reload"]]
    assert not any(path.exists() for path in (*units, units[2].parent, tmp_path / "lib"))


def test_without_units_systemd_is_not_asked(tmp_path: Path, calls: Calls) -> None:
    remove(put(tmp_path / "lib", tmp_path / "file"), tmp_path / "lib")
    assert calls == []


def test_a_unit_that_does_not_stop_keeps_its_file(tmp_path: Path, calls: Calls) -> None:
    there = put(tmp_path / "lib", tmp_path / "units" / "broken.service")
    with pytest.raises(EngineError, match="systemctl disable failed: no such thing"):
        remove(there, tmp_path / "lib")
    assert present(there) == there


def test_folders_go_that_had_to_be_made_and_are_empty(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "theirs").mkdir()
    files = [tmp_path / "theirs" / "x", tmp_path / "ours" / "deep" / "x", tmp_path / "shared" / "x"]
    put(tmp_path / "lib", *files[:2])
    there = [*put(tmp_path / "lib", files[2]), *files[:2]]  # which a later version has added
    (tmp_path / "shared" / "other").touch()
    remove(there, tmp_path / "lib")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared", "theirs"]
    assert calls == []


def test_a_link_to_a_folder_goes_and_not_what_is_there(tmp_path: Path, calls: Calls) -> None:
    (tmp_path / "theirs" / "x").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    remove(present([tmp_path / "link"]), tmp_path / "lib")
    assert (tmp_path / "theirs" / "x").exists()
    assert present([tmp_path / "link"]) == []
    assert calls == []
