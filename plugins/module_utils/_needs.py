# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host needs beside objects in its kernel: packages, and units that run.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import _certificate, _ipset, _iptables, _liveness, _netlink, _programs, _strongswan

_AT_BOOT = "extrude.service"
UNITS = (_liveness.UNIT, "extrude-links.path", "extrude-apply.timer", _AT_BOOT)
"""Those that run, and will after a reboot; the last one only has to run then."""
_PROPERTIES = ("Id", "ActiveState", "UnitFileState")


_RIVALS = ("strongswan-starter.service", "ipsec.service")
"""strongSwan's former daemon, which reads ipsec.conf, and Libreswan."""


def missing_packages() -> list[str]:
    """Debian packages that a run needs and the host lacks."""
    missing = {
        "python3-pyroute2": not _netlink.has_pyroute2(),
        "iptables": not _iptables.installed(),
        "bird2": _programs.find("bird") is None,
    }
    return [name for name, is_missing in missing.items() if is_missing]


def missing_for_ipsec() -> list[str]:
    """Debian packages that encrypted links need and the host lacks."""
    return [] if _strongswan.installed() else list(_strongswan.PACKAGES)


def missing_for_certificates() -> list[str]:
    """Debian packages that links with certificates need beside, and the host lacks."""
    return [] if _certificate.has_cryptography() else ["python3-cryptography"]


def missing_for_domains() -> list[str]:
    """Debian packages that domains in extrude_direct need and the host lacks."""
    return [] if _ipset.installed() else [_ipset.PACKAGE]


def ike_rival() -> str:
    """The unit of another IKE daemon, which would take the ports that ours needs; empty without one."""
    systemctl = _programs.find("systemctl")
    if systemctl is None:
        return ""
    shown = _programs.run([systemctl, "show", f"--property={','.join(_PROPERTIES)}", *_RIVALS]).stdout
    used = [block.get("Id") for block in _blocks(shown) if {"active", "enabled"} & set(block.values())]
    return next((unit for unit in _RIVALS if unit in used), "")


def stopped_units() -> list[str]:
    """Units that do not run, or would not after a reboot; all of them where systemd does not answer."""
    systemctl = _programs.find("systemctl")
    if systemctl is None:
        return list(UNITS)
    done = _programs.run([systemctl, "show", f"--property={','.join(_PROPERTIES)}", *UNITS])
    return stopped(UNITS, done.stdout)


def networkd_runs() -> bool:
    """Whether systemd-networkd runs, so that new settings take a restart of it."""
    systemctl = _programs.find("systemctl")
    if systemctl is None:
        return False
    return _programs.run([systemctl, "is-active", "--quiet", "systemd-networkd.service"]).returncode == 0


def stopped(units: Sequence[str], shown: str) -> list[str]:
    """Those of *units* that are not active and enabled in what ``systemctl show`` prints: a block of lines for each."""
    up = [
        block.get("Id")
        for block in _blocks(shown)
        if block.get("UnitFileState") == "enabled" and (block.get("ActiveState") == "active" or block["Id"] == _AT_BOOT)
    ]
    return [unit for unit in units if unit not in up]


def _blocks(shown: str) -> list[dict[str, str]]:
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n")]
