# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _programs
from ansible_collections.multihome.extrude.plugins.module_utils._endpoint_keys import (
    STAND_IN,
    Door,
    host_door,
    site_key,
)
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError


def test_a_key_is_made_once_and_only_where_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "extrude" / "endpoint_key"
    assert site_key(path, check=True) == (True, STAND_IN)
    assert not path.parent.exists()
    made, key = site_key(path, check=False)
    assert made
    assert key.startswith("ssh-ed25519 AAAA")
    assert len(key.split()) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert site_key(path, check=False) == site_key(path, check=True) == (False, key)


def test_a_key_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "endpoint_key"
    path.write_text("junk")
    with pytest.raises(EngineError, match=r"^ssh-keygen failed: "):
        site_key(path, check=False)


def test_an_empty_key_as_a_power_cut_leaves_it_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "endpoint_key"
    path.touch()
    assert site_key(path, check=True) == (True, STAND_IN)
    made, key = site_key(path, check=False)
    assert made
    assert key.startswith("ssh-ed25519 AAAA")


def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, code: int = 0) -> None:
    """Have a program say this as ``sshd -T``."""
    program = tmp_path / "sshd"
    program.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines) + f"exit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(_programs, "find", lambda _name: str(program))


def test_the_door_of_a_host_is_what_sshd_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("rsa", "ed25519"):
        (tmp_path / f"{kind}.pub").write_text(f"ssh-{kind} AAAA{kind} root@rack\n")
    keys = [f"hostkey {tmp_path}/{kind}" for kind in ("rsa", "ecdsa", "ed25519")]
    sshd(tmp_path, monkeypatch, "port 2200", "port 22", "allowusers", *keys, "ciphers a,b")
    assert host_door() == Door(2200, ("ssh-rsa AAAArsa", "ssh-ed25519 AAAAed25519"))


def test_a_host_without_keys_or_sshd_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sshd(tmp_path, monkeypatch, "port 22")
    with pytest.raises(EngineError, match="sshd has no host keys"):
        host_door()
    monkeypatch.setattr(_programs, "find", lambda _name: None)
    with pytest.raises(EngineError, match=r"sshd is missing on this host \(Debian package openssh-server\)"):
        host_door()


def test_the_stand_in_is_told_from_a_key() -> None:
    done = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=STAND_IN, capture_output=True, text=True, check=False)
    assert done.returncode != 0
