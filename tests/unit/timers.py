# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for systemd-run and systemctl, which write down what they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAM = """#!/bin/sh
[ ! -e {folder}/refusal ] || {{ cat {folder}/refusal >&2; exit 1; }}
echo "$*" >> {folder}/timers
"""


class Timers:
    """The timers that were armed. None of them ever fires."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder / "systemd-run"
        self._folder.mkdir()
        for name in ("systemd-run", "systemctl"):
            program = self._folder / name
            program.write_text(PROGRAM.format(folder=self._folder))
            program.chmod(0o755)
        patch.setenv("PATH", str(self._folder), prepend=":")

    def calls(self) -> list[str]:
        """The words of each call so far."""
        file = self._folder / "timers"
        return file.read_text().splitlines() if file.exists() else []

    def refuse(self, reason: str) -> None:
        """From now on nothing can be armed."""
        (self._folder / "refusal").write_text(reason)
