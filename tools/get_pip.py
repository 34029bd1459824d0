# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand in for the get-pip.py that ansible-test would download: Python brings a pip of its own.

Called like the real one: `get_pip.py PACKAGE... --no-setuptools --no-wheel`.
"""

from __future__ import annotations

import subprocess
import sys


def main(words: list[str]) -> None:
    """Put pip into this interpreter's environment, then the packages that are asked for; raise when a step fails."""
    wanted = [word for word in words if word not in ("--no-setuptools", "--no-wheel")]
    for command in (["ensurepip", "--default-pip"], ["pip", "install", *wanted]):
        subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
