# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _vici
from tests.unit.certificates import pair

Run = Callable[..., dict[str, Any]]
END = datetime(2027, 11, 23, tzinfo=UTC)
OWN, KEY = pair(END)


@pytest.fixture(autouse=True)
def no_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "none")


@pytest.mark.parametrize("check", [True, False])
def test_certificates_are_kept_and_shown_but_for_the_key(run: Run, tmp_path: Path, check: bool) -> None:
    folder = made(tmp_path)
    given = {"certificate": OWN.strip(), "authority": "authority\n", "directory": str(folder)}
    result = run("ipsec_certificate", check=check, **given)
    files = ["x509ca/extrude.pem", "private/extrude.pem", "x509/extrude.pem"]
    assert (result["changed"], result["files"]) == (True, files)
    shown = f"# x509ca/extrude.pem\nauthority\n# x509/extrude.pem\n{OWN}"
    assert result["diff"] == {"before": "", "after": shown}
    assert (folder / "x509").exists() is not check
    assert run("ipsec_certificate", **given)["changed"] is check


def test_a_certificate_for_another_key_is_an_error(run: Run, tmp_path: Path) -> None:
    other, _key = pair(END)
    result = run("ipsec_certificate", certificate=other, authority="ca", directory=str(made(tmp_path)))
    assert "the certificate is for another key than that in" in result["msg"]


def test_they_can_be_removed_and_no_key_is_shown(run: Run, tmp_path: Path) -> None:
    folder = made(tmp_path)
    options = {"directory": str(folder)}
    run("ipsec_certificate", certificate=OWN, authority="authority", **options)
    planned = run("ipsec_certificate", state="absent", check=True, **options)
    assert (folder / "private" / "extrude.pem").exists()
    assert run("ipsec_certificate", state="absent", **options) == planned
    assert set(planned["files"]) == {"extrude.key", "x509ca/extrude.pem", "private/extrude.pem", "x509/extrude.pem"}
    assert "PRIVATE" not in str(planned)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert run("ipsec_certificate", state="absent", **options)["changed"] is False


def test_one_without_an_authority_is_refused(run: Run, tmp_path: Path) -> None:
    assert "authority" in run("ipsec_certificate", certificate=OWN, directory=str(tmp_path))["msg"]


def made(tmp_path: Path) -> Path:
    """The folder, with the key."""
    folder = tmp_path / "swanctl"
    folder.mkdir()
    (folder / "extrude.key").write_text(KEY)
    return folder
