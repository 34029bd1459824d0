# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of this host as the inventory made them, one file per customer, with their placeholders.

Boot, hooks and ``extrude apply`` bind them to what the host has then. This module util is private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ._bind import Plain
from ._fields import Fields
from ._model import CUSTOMER, FOLDER, KINDS, SITE
from ._request import Part
from ._storage import SiteFiles


class States:
    """The states in one folder. Errors are EngineErrors that name the file."""

    def __init__(self, folder: str | Path = FOLDER, patient: bool = False) -> None:
        """*patient*: what cannot be understood, nor its copy, is left out and goes to ``lost``."""
        self._files = SiteFiles(folder, "list of states", patient=patient)

    @property
    def folder(self) -> str:
        """Where the files of the states stand too."""
        return str(self._files.folder)

    @property
    def warnings(self) -> list[str]:
        """Files that could not be understood, in words."""
        return self._files.warnings

    @property
    def lost(self) -> list[str]:
        """Files that could not be understood and had no copy that can, in words."""
        return self._files.lost

    def load(self) -> tuple[Plain, ...]:
        """The states of every owner on this host."""
        return tuple(self._files.load(_checked))

    def find(self, customer: str, site: str) -> Plain | None:
        """The state of one owner, without reading those of other customers; None where there is none."""
        found = self._files.load(_checked, [customer])
        return next((state for state in found if owner_of(state) == (customer, site)), None)

    def store(self, states: Iterable[Plain], only: Part = "") -> None:
        """Put *states* in place of those of the same owners; one without objects goes. See :meth:`storing`."""
        with self.storing(states, only):
            pass

    @contextmanager
    def storing(self, states: Iterable[Plain], only: Part = "") -> Iterator[None]:
        """The same, if the body succeeds; that it can be written is known before that.

        *only*: the part of the work that was done. While nothing was purged, no event may purge either.
        """
        changed = self._changed(states, only)
        try:
            with self._files.storing(changed):
                yield
        finally:
            with suppress(OSError):  # the folder goes with its last file
                self._files.folder.rmdir()

    def _changed(self, states: Iterable[Plain], only: Part) -> dict[str, dict[str, Plain]]:
        """The customers whose files differ with *states*, each with all its sites."""
        part = {"only": only} if only == "make" else {}
        asked = {owner_of(state): json.loads(json.dumps({**state, **part})) for state in states}
        customers = sorted({customer for customer, _site in asked})
        kept = {owner_of(state): state for state in self._files.load(_checked, customers)}
        together = {owner: state for owner, state in {**kept, **asked}.items() if has_any(state)}
        files = {customer: _sites(together, customer) for customer in customers}
        return {customer: sites for customer, sites in files.items() if sites != _sites(kept, customer)}


def _checked(state: object, where: str) -> Plain:
    """A state that says whose it is and has lists of objects; what is wrong with those shows when it is bound."""
    top = Fields(state, where)
    top.text("customer", CUSTOMER)
    top.text("site", SITE)
    for kind in (*KINDS, "links"):
        top.items(kind)
    return dict(state) if isinstance(state, dict) else {}


def owner_of(state: Plain) -> tuple[str, str]:
    """Customer and site of a state."""
    return str(state.get("customer")), str(state.get("site"))


def differ(former: Plain | None, state: Plain) -> bool:
    """Whether a state asks for something else than one before it, whatever part of the work was done so far."""
    asked = json.loads(json.dumps(state)) if has_any(state) else {}
    return {**(former or {}), "only": ""} != {**asked, "only": ""}


def _sites(states: Mapping[tuple[str, str], Plain], customer: str) -> dict[str, Plain]:
    return {site: state for (owner, site), state in states.items() if owner == customer}


def has_any(state: Plain) -> bool:
    """Whether a state has objects; one without is how a site is taken off."""
    return any(state.get(kind) for kind in KINDS)
