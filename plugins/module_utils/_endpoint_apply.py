# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The colo's tunnels follow what sites have reported: nothing else is looked at, since a link waits for it.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import _apply
from ._bind import Plain
from ._fields import EngineError, HostError
from ._learned import endpoints_of
from ._local import Store, bound, name_of
from ._model import Tunnel
from ._request import Operation, Request
from ._signals import Stopped


def move(store: Store) -> tuple[list[Operation], list[str]]:
    """Bring the tunnels of the sites that report to where these are: what that took, and what hindered it.

    All together; where that fails each site by itself, so that one does not hinder the others.
    """
    with store.records.locked():
        reporting = [state for state in store.states.load() if endpoints_of(state)]
        try:
            return _move(reporting, store), []
        except (Stopped, HostError):
            raise
        except EngineError as error:
            if len(reporting) == 1:
                return [], [str(error)]
        done: list[Operation] = []
        problems: list[str] = []
        for state in reporting:
            try:
                done += _move([state], store)
            except (Stopped, HostError):
                raise
            except EngineError as error:
                problems.append(f"{name_of(state)}: {error}")
        return done, problems


def _move(states: Sequence[Plain], store: Store) -> list[Operation]:
    tunnels = tuple(replace(state, objects=tuple(state.of(Tunnel))) for state in bound(states, store, patient=True))
    request = Request(tunnels, kinds={Tunnel.KIND}, purge=False, folder=store.states.folder, yields=True)
    return list(_apply.run(store.records, request, check=False).operations)
