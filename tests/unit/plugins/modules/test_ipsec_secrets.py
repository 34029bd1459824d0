# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _vici

Run = Callable[..., dict[str, Any]]
SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "none")


@pytest.mark.parametrize("check", [True, False])
def test_a_secret_is_kept_and_never_shown(run: Run, tmp_path: Path, check: bool) -> None:
    folder = tmp_path / "conf.d"
    entry = {"site": "acme.1", "links": "*.1.acme.extrude", "secret": SECRET}
    result = run("ipsec_secrets", check=check, secrets=[entry], directory=str(folder))
    assert (result["changed"], result["sites"]) == (True, ["acme.1"])
    assert result["diff"] == {"before": "", "after": "secret of acme.1\n"}
    assert SECRET not in json.dumps(result)
    assert folder.exists() is not check


def test_a_second_run_changes_nothing_and_one_without_a_secret_takes_it_away(run: Run, tmp_path: Path) -> None:
    entry = {"site": "acme.1", "links": "*.1.acme.extrude"}
    run("ipsec_secrets", secrets=[{**entry, "secret": SECRET}], directory=str(tmp_path))
    again = run("ipsec_secrets", secrets=[{**entry, "secret": SECRET}], directory=str(tmp_path))
    assert again["changed"] is False
    assert run("ipsec_secrets", secrets=[entry], directory=str(tmp_path))["changed"] is True
    assert list(tmp_path.glob("*.conf")) == []


@pytest.mark.parametrize(("former", "stays"), [("use", True), ("accept", True), ("forget", False)])
@pytest.mark.parametrize("check", [True, False])
def test_one_that_is_of_no_use_any_more_stays_until_it_is_to_be_forgotten(
    run: Run, tmp_path: Path, former: str, stays: bool, check: bool
) -> None:
    entry = {"site": "acme.1", "links": "*.1.acme.extrude"}
    run("ipsec_secrets", secrets=[{**entry, "secret": SECRET}], directory=str(tmp_path))
    result = run("ipsec_secrets", check=check, secrets=[entry], directory=str(tmp_path), former=former)
    assert (result["changed"], result["sites"]) == (not stays, [] if stays else ["acme.1"])
    assert (list(tmp_path.glob("*.conf")) != []) is (stays or check)


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    entry = {"site": "acme.1", "links": "*.1.acme.extrude", "secret": SECRET}
    result = run("ipsec_secrets", secrets=[entry], directory=str(tmp_path / "file" / "conf.d"))
    assert "conf.d" in result["msg"]
    assert SECRET not in result["msg"]
