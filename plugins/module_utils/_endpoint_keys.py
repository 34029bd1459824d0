# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys by which a site and its colo know each other: the site's own, made where there is none, and those of sshd.

This module util is private to the collection.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from . import _programs
from ._fields import EngineError
from ._storage import cannot, write

STAND_IN = "ssh-ed25519 TheKeyThatTheRunMakes"
"""Stands for a key in check mode, where none is made."""


class Door(NamedTuple):
    """What a client has to know of a host: the port of its sshd, and its public keys."""

    port: int
    keys: tuple[str, ...]


def site_key(path: Path, check: bool) -> tuple[bool, str]:
    """Whether a key had to be made, and the public key, without a comment; with *check* nothing is made."""
    is_new = not path.exists() or not path.stat().st_size  # an empty one is what a power cut leaves
    if is_new and check:
        return True, STAND_IN
    if is_new:
        _make(path)
    return is_new, _bare(_run("ssh-keygen", "-y", "-P", "", "-f", str(path)))


def host_door() -> Door:
    """What this host's sshd says of itself."""
    settings = [line.split(None, 1) for line in _run("sshd", "-T").splitlines()]
    keys = [Path(f"{value.strip()}.pub") for name, value in filter(_is_pair, settings) if name == "hostkey"]
    ports = [int(value) for name, value in filter(_is_pair, settings) if name == "port"]
    return Door(ports[0] if ports else 22, tuple(_texts(keys)))


def _make(path: Path) -> None:
    """Make a key aside, so that it is there whole or not at all."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".key-") as folder:
            made = Path(folder) / "key"
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(made))
            write(path, made.read_text(encoding="ascii"), mode=0o600)
    except OSError as error:
        raise cannot("write", path, error) from error


def _texts(paths: Iterable[Path]) -> list[str]:
    try:
        found = [_bare(path.read_text(encoding="utf-8")) for path in paths if path.exists()]
    except OSError as error:
        raise EngineError(f"cannot read the host's keys: {error}") from error
    if not found:
        raise EngineError("sshd has no host keys")
    return found


def _is_pair(words: list[str]) -> bool:
    return len(words) == 2


def _bare(text: str) -> str:
    """A public key without its comment."""
    return " ".join(text.split()[:2])


def _run(program: str, *words: str) -> str:
    path = _programs.find(program)
    if path is None:
        package = "openssh-server" if program == "sshd" else "openssh-client"
        raise EngineError(f"{program} is missing on this host (Debian package {package})")
    done = _programs.run([path, *words])
    if done.returncode:
        raise EngineError(f"{program} failed: {_programs.words(done.stderr)}")
    return done.stdout
