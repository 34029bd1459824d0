# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _command
from ansible_collections.multihome.extrude.plugins.module_utils._install import PACKAGE
from ansible_collections.multihome.extrude.plugins.modules import extrude_command

Run = Callable[..., dict[str, Any]]


def test_what_is_installed_is_the_command_and_runs_without_the_collection(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    result = run("extrude_command", directory=str(folder))
    assert result["changed"] is True
    done = subprocess.run(
        ["/usr/bin/python3", "-I", str(folder), "wan", "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: extrude wan [-h]")
    own = Path(_command.__file__).read_text()
    assert (folder / PACKAGE / "_command.py").read_text() == own
    assert not list((folder / PACKAGE).glob("_runner*")), "what needs Ansible is of no use there"


def test_check_mode_says_what_the_run_does_and_a_second_run_does_nothing(run: Run, tmp_path: Path) -> None:
    options = {"directory": str(tmp_path / "lib"), "files": [{"path": str(tmp_path / "x" / "y"), "content": "text\n"}]}
    planned = run("extrude_command", check=True, **options)
    assert not (tmp_path / "lib").exists()
    assert run("extrude_command", **options) == planned
    assert str(tmp_path / "x" / "y") in planned["installed"]
    assert run("extrude_command", **options)["changed"] is False


def test_files_have_their_text_and_mode_whatever_the_umask(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "script"
    before = os.umask(0o077)
    try:
        run("extrude_command", directory=str(tmp_path), files=[{"path": str(path), "content": "x", "mode": "0755"}])
    finally:
        os.umask(before)
    modes = [item.stat().st_mode & 0o777 for item in (path, path.parent, path.parent.parent, tmp_path / "__main__.py")]
    assert modes == [0o755, 0o755, 0o755, 0o644]
    path.chmod(0o700)
    again = run("extrude_command", directory=str(tmp_path), files=[{"path": str(path), "content": "x", "mode": "0755"}])
    assert again["installed"] == [str(path)]


def test_a_command_that_is_older_than_what_it_has_to_apply_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, lib = tmp_path / "kept", tmp_path / "lib"
    kept.mkdir()
    monkeypatch.setattr(extrude_command, "KEPT", (kept,))
    (kept / "acme.json").write_text('{"schema": 99, "sites": {}}')
    (kept / "broken.json").write_text("nonsense")
    for check in (True, False):
        refused = run("extrude_command", directory=str(lib), check=check)
        told = f"{kept}/acme.json: run the collection that wrote it: schema: 99 is newer than this version understands"
        assert refused["msg"].startswith(told)
        assert not lib.exists()
    (kept / "acme.json").unlink()
    assert run("extrude_command", directory=str(lib))["changed"] is True
    (kept / "acme.json").write_text('{"schema": 99, "sites": {}}')
    assert run("extrude_command", directory=str(lib))["changed"] is False, "it is that version"


def test_what_earlier_versions_had_goes(run: Run, tmp_path: Path) -> None:
    old = tmp_path / PACKAGE / "_old.py"
    old.parent.mkdir()
    old.write_text("")
    assert run("extrude_command", directory=str(tmp_path))["removed"] == [str(old)]
    assert not old.exists()


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("extrude_command", directory=str(tmp_path / "file"))
    assert result["msg"].startswith(f"cannot write {tmp_path}/file/")


def test_it_is_removed_with_its_files_and_folders_as_check_mode_says(run: Run, tmp_path: Path) -> None:
    file, kept = tmp_path / "x" / "y", tmp_path / "kept"
    options = {"directory": str(tmp_path / "lib"), "files": [{"path": str(file), "content": "text\n"}]}
    run("extrude_command", **options)
    kept.mkdir()
    (kept / "record").touch()
    options |= {"state": "absent", "folders": [str(kept)]}
    planned = run("extrude_command", check=True, **options)
    assert planned["removed"] == [str(kept), str(tmp_path / "lib"), str(file)]
    assert planned["diff"] == {"before": "".join(f"{path}\n" for path in planned["removed"]), "after": ""}
    assert file.exists()
    assert run("extrude_command", **options) == planned
    assert list(tmp_path.iterdir()) == []
    assert run("extrude_command", **options)["changed"] is False


def test_it_stays_while_a_site_is_deployed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "acme.json").touch()
    options = {"directory": str(tmp_path / "lib"), "folders": [str(tmp_path / "states")]}
    run("extrude_command", **options)
    result = run("extrude_command", state="absent", **options)
    assert result["msg"].endswith("acme.json is there: a site is still deployed on this host, or is again")
    assert (tmp_path / "lib").exists()
