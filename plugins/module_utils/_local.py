# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps on disk, and its states bound to what its kernel has now.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from . import _host, _links, _post_quantum
from ._bind import Plain, bind, devices_of, hold_sources, is_open, reserved
from ._fields import EngineError
from ._guard import Guards
from ._learned import Endpoints, Hints, Reports
from ._links import Kernel, Link
from ._model import State
from ._record import Records
from ._states import States


@dataclass(frozen=True)
class Store:
    """The folders of a host: states as asked for, records of what was applied, and what was learnt.

    Those of the command take what they can get: a damaged file must not keep the others from being applied at boot.
    """

    states: States = field(default_factory=partial(States, patient=True))
    records: Records = field(default_factory=partial(Records, patient=True))
    hints: Hints = field(default_factory=Hints)
    endpoints: Endpoints = field(default_factory=Endpoints)
    reports: Reports = field(default_factory=Reports)
    guards: Guards = field(default_factory=Guards)

    @property
    def warnings(self) -> list[str]:
        return [*self.states.warnings, *self.records.warnings, *self.guards.warnings]

    @property
    def lost(self) -> list[str]:
        return [*self.states.lost, *self.records.lost, *self.guards.lost]

    def settle(self) -> None:
        """Let go of the files that changes may go back to, once none waits."""
        if not self.guards.waiting():
            with suppress(EngineError):  # one that stays is in nobody's way
                _host.forget_files(self.states.folder)


def bound(states: Iterable[Plain], store: Store, patient: bool = False) -> tuple[State, ...]:
    """The states with what the kernel and the hooks tell in place of their placeholders.

    A *patient* caller, such as boot, takes the host as it is: what stands on devices that have not come yet is
    left out, and so is the source of routes that has not; a static link without its address counts as down.
    Others get an error for these, but for static links that this host had before and that are out now.
    """
    listed = _post_quantum.offered(states)
    linked = any(map(_links.wans_of, listed))
    kernel = kernel_for(listed) if patient or linked else Kernel()
    places = (name_of(state) if patient else f"states[{number}]" for number, state in enumerate(listed))
    known = _static_links(store) if linked and not patient else set()
    made = (_bound(state, store, kernel, None if patient else known) for state in listed)
    return tuple(State.parse(state, place) for state, place in zip(made, places, strict=True))


def kernel_for(states: Iterable[Plain]) -> Kernel:
    """What the links of these states may take their values from."""
    return _links.read([wan for state in states for wan in _links.wans_of(state)])


def links_of(state: Plain, store: Store, kernel: Kernel) -> dict[str, Link]:
    """The links of a state as they are."""
    lans = [str(device) for device in state.get("lans") or ()]
    return _links.find(_links.wans_of(state), store.hints.load(), kernel, reserved(state), lans)


def misnamed(states: Iterable[Plain], store: Store) -> list[str]:
    """The links of these states that came up by other names than their ``match``, in words."""
    wans = [wan for state in states for wan in _links.wans_of(state)]
    if not any(wan.match for wan in wans):
        return []
    return _links.misnamed(wans, store.hints.load(), _links.read(wans))


_Known: TypeAlias = set[tuple[str, _links.Wan]]
"""Links, each with the owner of its state."""


def _static_links(store: Store) -> _Known:
    """The static links that this host has had."""
    states = store.states.load()
    return {(name_of(state), wan) for state in states for wan in _links.wans_of(state) if wan.address is not None}


def _bound(state: Plain, store: Store, kernel: Kernel, known: _Known | None) -> Plain:
    """A state with its placeholders filled; without *known* links for a patient caller."""
    wans = _links.wans_of(state)
    links = links_of(state, store, kernel) if wans else {}
    values = {**_links.values(wans, links), **store.endpoints.values(state)} if is_open(state) else {}
    unready = {wan.interface: wan for wan in wans if wan.address is not None and links[wan.name].reason}
    if known is not None:
        out = {name for name, wan in unready.items() if (name_of(state), wan) in known and _is_out(name, kernel)}
        left = [item for item in state.get("expects") or () if item.get("device") not in out]
        return {**bind(state, values, out), **({"expects": left} if out else {})}
    named = devices_of(state)
    absent = (named - kernel.devices.keys()) | unready.keys()
    down = {name for name in named if name in kernel.devices and not kernel.devices[name].up}
    held = {local.address for local in kernel.addresses}
    return {**hold_sources(bind(state, values, absent, down), held), "expects": []}


def _is_out(device: str, kernel: Kernel) -> bool:
    """Whether a device is gone, down or without carrier; some programs take its addresses away then."""
    found = kernel.devices.get(device)
    return not (found and found.up and found.carrier)


def name_of(state: Plain) -> str:
    """The owner of a state, in a word."""
    return f"{state.get('customer')}/{state.get('site')}"
