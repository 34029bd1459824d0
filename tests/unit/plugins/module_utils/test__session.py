# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _session
from ansible_collections.multihome.extrude.plugins.module_utils._session import own_end

SSH = b"SSH_CONNECTION=192.0.2.9 50022 203.0.113.10 22"


def process(proc: Path, pid: int, parent: int, *environment: bytes, name: str = "sh") -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "environ").write_bytes(b"".join(entry + b"\0" for entry in environment))
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} 1 1 0")


def test_it_is_found_above_sudo(tmp_path: Path) -> None:
    process(tmp_path, 40, 30, b"SUDO_USER=ops")
    process(tmp_path, 30, 20, b"LANG=C", SSH, name="a) S 99 (b")
    process(tmp_path, 20, 1, b"SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22")
    assert own_end(tmp_path, 40) == "203.0.113.10"


@pytest.mark.parametrize("entry", [b"LANG=C", b"SSH_CONNECTION=", b"A_SSH_CONNECTION=1 2 3 4", b"SSH_CONNECTION=1 2"])
def test_without_one_there_is_no_address(tmp_path: Path, entry: bytes) -> None:
    process(tmp_path, 40, 30, entry)  # and the one above it is gone
    assert own_end(tmp_path, 40) == ""


def test_it_is_that_of_this_program() -> None:
    folder = str(Path(_session.__file__).parent)
    script = f"import sys; sys.path.insert(0, {folder!r}); import _session; print(_session.own_end())"
    shell = ["sh", "-c", 'env -u SSH_CONNECTION "$@"; :', "sh", sys.executable, "-c", script]
    told = {"SSH_CONNECTION": "a 1 2001:db8::2 22"}
    done = subprocess.run(shell, env=told, capture_output=True, text=True, check=True)
    assert done.stdout == "2001:db8::2\n"
