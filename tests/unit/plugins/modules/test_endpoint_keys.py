# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., dict[str, Any]]


def test_check_mode_says_what_the_run_does_and_a_second_run_does_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "key"
    planned = run("endpoint_keys", check=True, end="site", path=str(path))
    assert planned["changed"] is True
    assert not path.exists()
    done = run("endpoint_keys", end="site", path=str(path))
    assert done["changed"] is True
    again = run("endpoint_keys", end="site", path=str(path))
    assert (again["changed"], again["public_keys"]) == (False, done["public_keys"])


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("endpoint_keys", end="site", path=str(tmp_path / "file" / "key"))
    assert result["msg"].startswith(f"cannot write {tmp_path}/file/key: ")
