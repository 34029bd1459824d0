# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings below ``/proc/sys`` (sysctl(8)), named by their path since device names may hold dots.

This module util is private to the collection.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from ._fields import EngineError

ROOT = Path("/proc/sys")


def read(names: Iterable[str], root: Path = ROOT) -> dict[str, str | None]:
    """The value of each setting with its white space as single spaces; None where the kernel lacks it."""
    return {name: _read(name, _path(name, root)) for name in names}


def write(name: str, value: str, root: Path = ROOT) -> None:
    """Set one setting. Raises EngineError where the kernel lacks it or refuses the value, or we may not."""
    path = _path(name, root)
    try:
        # some settings can only be written, and none may be created
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise EngineError(_sentence(name, f"be set to {value!r}", error)) from error


def _read(name: str, path: Path) -> str | None:
    try:
        return " ".join(path.read_text(encoding="utf-8").split())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise EngineError(_sentence(name, "be read", error)) from error


def _path(name: str, root: Path) -> Path:
    """The file of a setting; refuses names that lead out of *root*."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise EngineError(f"{name!r} is no name of a sysctl: give its path below {root}, such as net/ipv4/ip_forward")
    return root.joinpath(*parts)


def _sentence(name: str, what: str, error: OSError) -> str:
    reasons = {
        errno.ENOENT: "this kernel or device has none of that name",
        errno.ENOTDIR: "this kernel or device has none of that name",
        errno.EISDIR: "that is a folder of settings",
        errno.EACCES: "no permission (root is needed, and the setting may be read-only)",
        errno.EPERM: "no permission (root is needed, and the setting may be read-only)",
        errno.EROFS: "it is read-only here, as in a container without its own network settings",
        errno.EINVAL: "the kernel refuses this value",
    }
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    return f"sysctl {name} cannot {what}: {reason}"
