# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Switching forwarding on or off has the kernel set other settings as well: those of all devices, and whether redirects
are accepted (Documentation/networking/ip-sysctl.rst, ``ip_forward``).

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import _sysctl

SWITCHES = {"net/ipv4/ip_forward": "net/ipv4/conf", "net/ipv6/conf/all/forwarding": "net/ipv6/conf"}
"""Each with the folder of what it sets as well."""
OPPOSITE = {"0": "1", "1": "0"}


def contrary(switches: Iterable[str], root: Path = _sysctl.ROOT) -> dict[str, str]:
    """What is not as it would be if *switches*, which are off, had just been switched off: admins have set that.

    Switching them on lets it stay.
    """
    found: dict[str, str] = {}
    for folder in (SWITCHES[switch] for switch in switches):
        devices = sorted(path.name for path in root.joinpath(folder).glob("*") if path.name != "all")
        forwarding = _sysctl.read((f"{folder}/{device}/forwarding" for device in devices), root)
        found |= {name: "1" for name, value in forwarding.items() if value == "1"}
        redirects = f"{folder}/all/accept_redirects"
        if folder == SWITCHES["net/ipv4/ip_forward"] and _sysctl.read([redirects], root)[redirects] == "0":
            found[redirects] = "0"
    return found


def is_set_by(name: str, switches: Iterable[str]) -> bool:
    """Whether one of *switches* sets this setting as well."""
    return any(name not in SWITCHES and name.startswith(f"{SWITCHES[switch]}/") for switch in switches)
