# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _programs
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError


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


def test_a_program_is_run_whatever_it_returns() -> None:
    done = _programs.run(["sh", "-c", "echo one; echo two >&2; exit 3"])
    assert (done.returncode, done.stdout, _programs.words(done.stderr + "\n three")) == (3, "one\n", "two three")


def test_a_program_that_cannot_run_or_does_not_end_is_an_error() -> None:
    with pytest.raises(EngineError, match=r"^/no/such cannot be run: "):
        _programs.run(["/no/such"])
    with pytest.raises(EngineError, match=r"^sleep 9 has not ended after 0.1 s$"):
        _programs.run(["sleep", "9"], 0.1)
