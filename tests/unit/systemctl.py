# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for systemctl and bird, which write down what they are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

SYSTEMCTL = """#!/bin/sh
echo "$*" >> {folder}/calls
case $1 in
is-active) sed -n 1p {folder}/states; [ "$(wc -l < {folder}/states)" = 1 ] || sed -i 1d {folder}/states;;
reload) grep -L nonsense $(cat {folder}/main) | grep -q . || {{ echo 'Job for the unit failed.' >&2; exit 1; }};;
esac
"""
BIRD = """#!/bin/sh
[ "$1 $2" = "-p -c" ] || exit 9
! grep -q nonsense "$3" || { printf 'bird: %s:1:1 syntax\\nerror\\n' "$3" >&2; exit 1; }
"""


class Systemctl:
    """*states* are what ``is-active`` says, one after the other; the last one stays. Files that say nonsense are
    refused."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, main: Path, *states: str) -> None:
        self._calls = folder / "calls"
        (folder / "states").write_text("".join(f"{state}\n" for state in states))
        (folder / "main").write_text(str(main))
        for name, text in (("systemctl", SYSTEMCTL.replace("{folder}", str(folder))), ("bird", BIRD)):
            program = folder / name
            program.write_text(text.replace("{{", "{").replace("}}", "}"))
            program.chmod(0o755)
        patch.setenv("PATH", str(folder), prepend=":")

    def calls(self) -> list[str]:
        """What systemctl was asked for since the last look."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return lines
