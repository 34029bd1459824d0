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
from ._learned import endpoints_of
from ._local import Store, bound
from ._model import Tunnel
from ._request import Operation, Request


def move(store: Store) -> Sequence[Operation]:
    """Bring the tunnels of the sites that report to where these are, and return what that took."""
    with store.records.locked():
        reporting = [state for state in store.states.load() if endpoints_of(state)]
        states = bound(reporting, store, patient=True)
        tunnels = tuple(replace(state, objects=tuple(state.of(Tunnel))) for state in states)
        request = Request(tunnels, kinds={Tunnel.KIND}, purge=False, folder=store.states.folder, yields=True)
        return _apply.run(store.records, request, check=False).operations
