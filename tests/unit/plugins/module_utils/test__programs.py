# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _programs


def test_programs_are_found_as_the_path_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ip"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _programs.find("ip") == str(program)
    assert _programs.find("no-such-program") is None


def test_those_of_the_administrator_are_found_in_a_login_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = _programs.find("iptables")
    assert found is not None
    assert "/sbin/" in found
