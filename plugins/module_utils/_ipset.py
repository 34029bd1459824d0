# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our sets of addresses (ipset(8)), which iptables rules look into and somebody else fills.

What is in a set is nobody's business here: it stays when a set is as it should be. This module util is private to the
collection.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from . import _programs
from ._fields import EngineError, HostError
from ._model import AddressSet, Place

PACKAGE = "ipset"
TYPE = "hash:ip"
FAMILIES = {4: "inet", 6: "inet6"}
_PATIENCE = 3.0
"""Seconds."""
_SPARE = "EXTRUDE-."
"""What a set is called for the moment in which another one takes its name."""


def installed() -> bool:
    """Whether this host has ipset, without which there are no sets."""
    return _programs.find("ipset") is not None


def program() -> str:
    """The path of ipset; HostError where it is not installed."""
    path = _programs.find("ipset")
    if path is None:
        raise HostError(f"ipset is missing on this host: install the package {PACKAGE}")
    return path


def parse(listed: str) -> dict[Place, AddressSet]:
    """The sets in what ``ipset list -t`` prints, those of others too."""
    found = (_parse(block.splitlines()) for block in listed.split("\n\n") if block.strip())
    return {one.place: one for one in found}


def _parse(lines: Sequence[str]) -> AddressSet:
    values = dict(line.split(": ", 1) for line in lines if ": " in line)
    words = values.get("Header", "").split()
    header = dict(zip(words[::2], words[1::2], strict=False))
    kind, family, timeout = values.get("Type", ""), header.get("family", ""), header.get("timeout", "")
    extra = "" if kind == TYPE and family in FAMILIES.values() else f"{kind} {family}".strip()
    version = 6 if family == FAMILIES[6] else 4
    return AddressSet(values.get("Name", ""), int(timeout) if timeout.isdecimal() else 0, extra, version)


def read(names: Iterable[str]) -> dict[Place, AddressSet]:
    """Those of these sets that are there. Where ipset is not installed, none are."""
    asked = {(name,) for name in names}
    if not asked or not installed():
        return {}
    return {place: one for place, one in parse(_run("list", "-t")).items() if place in asked}


def apply(before: AddressSet | None, after: AddressSet | None) -> None:
    """Bring one set from what it is to what it should be. One that changes loses what is in it."""
    if after is None:
        if before is not None:
            _destroy(before.name)
        return
    if before is None:
        _run("create", *_words(after.name, after))
        return
    # chains look into it, so that it cannot go first
    with suppress(EngineError):  # of a run that was cut short
        _run("destroy", _SPARE)
    _run("create", *_words(_SPARE, after))
    try:
        _run("swap", _SPARE, after.name)
    finally:
        _run("destroy", _SPARE)


def _destroy(name: str) -> None:
    """Destroy a set. The kernel lets go of rules a moment after they are gone (nf_tables_api.c, destroy_work)."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            _run("destroy", name)
        except EngineError as error:
            if "in use" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _words(name: str, wanted: AddressSet) -> list[str]:
    return [name, TYPE, "family", FAMILIES[wanted.family], "timeout", str(wanted.timeout)]


def _run(*words: str) -> str:
    done = _programs.run([program(), *words])
    if done.returncode:
        raise EngineError(f"ipset {words[0]} {' '.join(words[1:2])}: {_programs.words(done.stderr)}")
    return done.stdout
