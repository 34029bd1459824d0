# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a run could change on a host, as text: two snapshots are equal if nothing was changed."""

from __future__ import annotations

import difflib
import re

from tests.lab.lab import Lab

_SHOW = r"""
ip -d link show
ip address show
ip -4 route show table all
ip -6 route show table all
ip -4 rule
ip -6 rule
ip neigh show proxy
ip -6 neigh show proxy
iptables-save
ip6tables-save
sysctl -a -r '^net\.(ipv4|ipv6)\.(conf|neigh|route|ip_|fib_)' 2>/dev/null
find /etc /usr/lib/python3 /var/lib/dpkg /var/lib/extrude -xdev -type f -printf '%p %T@ %s\n' 2>/dev/null |
    grep -v __pycache__ | sort
"""
_MOVES = (
    (r"^#.*$", ""),  # iptables-save's dates
    (r"\[\d+:\d+\]", ""),  # counters
)


def take(lab: Lab, host: str) -> str:
    """The kernel's network objects and settings, and the names, times and sizes of the system's files."""
    text = lab.exec(host, ["sh", "-c", _SHOW]).stdout
    for pattern, replacement in _MOVES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def difference(before: str, after: str) -> str:
    """The lines that came and went, for people; empty if the snapshots are equal."""
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))
