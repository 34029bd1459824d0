# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk that a lab's hosts share, and how it fills up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.lab import Lab

_FILL = """
used=$(df --output=used /rw | tail -n 1)
mount -o remount,size=$((used + 256))k /rw
cat /dev/zero >/rw/full 2>/dev/null || true
"""
_MAKE_ROOM = """
rm -f /rw/full
mount -o remount,size=80% /rw
"""


@contextmanager
def full(lab: Lab) -> Iterator[None]:
    """Have no room on any host's disk during the body; what is in memory (/run, /tmp) goes on."""
    lab.exec("labvm", ["sh", "-ec", _FILL])
    try:
        yield
    finally:
        lab.exec("labvm", ["sh", "-ec", _MAKE_ROOM])
