# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proposals with ML-KEM (FIPS 203, RFC 9370), which a host offers where its strongSwan can do it.

A state has them for all hosts: each end offers what it can, and IKE takes the first that both can. A daemon that can't
do ML-KEM would not take the connection (5.9), or take it and fail when the far end can (6.0 without a library for it).
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import _strongswan, _vici
from ._bind import Plain

KEYWORD = "mlkem"
"""What proposals with it have in them (src/libstrongswan/crypto/proposal/proposal_keywords_static.txt)."""


def offered(states: Iterable[Plain]) -> list[Plain]:
    """States without the proposals that this host cannot do."""
    listed = list(states)
    if not any(map(_has, listed)) or is_known():
        return listed
    return [_without(state) if _has(state) else state for state in listed]


def is_known() -> bool:
    """Whether the daemon can do ML-KEM. While it does not run, as at boot, it is taken for what it was when the
    connections were written, so that these stay as they are."""
    try:
        with _vici.Session() as daemon:
            exchanges = daemon.request("get-algorithms").get("ke")
    except _vici.ViciError:
        files = _strongswan.FOLDER.glob(_strongswan.path_of("*"))
        return any(KEYWORD in file.read_text(errors="replace") for file in files)
    return isinstance(exchanges, dict) and any(name.startswith("ML_KEM_") for name in exchanges)


def _has(state: Plain) -> bool:
    return KEYWORD in str(state.get("connections") or "")


def _without(state: Plain) -> Plain:
    return {**state, "connections": [_bare(connection) for connection in state["connections"]]}


def _bare(settings: Plain) -> Plain:
    """Settings without these proposals; a list of nothing else stays, and the daemon says what it thinks of it."""
    made: Plain = {}
    for name, setting in settings.items():
        if isinstance(setting, list):
            made[name] = [text for text in setting if KEYWORD not in str(text)] or setting
        else:
            made[name] = _bare(setting) if isinstance(setting, dict) else setting
    return made
