# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run on a host: read and plan; unless it is a check, record and apply.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import TypeAlias

from . import _advertised, _files, _host, _netlink
from ._fields import HostError
from ._model import Address, EngineError, File, Group, Place, Proxy, State
from ._record import Records
from ._request import Request, merged

Slot: TypeAlias = tuple[str, Place]
"""Kind and place of an object."""
Keep: TypeAlias = Callable[[_host.Survey], AbstractContextManager[None]]
"""What is around a change, of which it is told."""


def run(records: Records, request: Request, check: bool, keep: Keep = lambda _found: nullcontext()) -> _host.Survey:
    """What the host held, and the operations that were done; with *check*: that it would take.

    Outside of a check the caller holds the lock of *records*, and *keep* is around the change: it keeps what was asked
    for, and fails before anything is changed where it could not. Whoever yields gets all else where files cannot be
    written, and is told of these.
    """
    if not check and not _netlink.has_pyroute2():
        raise HostError(_netlink.MISSING)
    request = _advertised.keep(replace(request, recorded=records.load()))
    found = _host.survey(request)
    if check:
        return found
    if request.only == "purge":  # while the far end had not followed, tunnels may have led over other paths
        _host.flush_caches()
    try:
        with keep(found):
            _apply(records, request, found)
    except _files.Unwritable as error:
        if not request.yields:
            raise
        kinds = [kind for kind in request.kinds if kind not in _host.ON_DISK]
        found = run(records, replace(request, kinds=kinds), check, keep)
        return replace(found, left=replace(found.left, problems=(*found.left.problems, str(error))))
    return found


def _apply(records: Records, request: Request, found: _host.Survey) -> None:
    """Between the two records of a change everything that may be there has an owner."""
    former = {state.owner: state for state in request.former}
    strange = _not_ours(found, request)
    wanted = [_outcome(state, former.get(state.owner), request, strange) for state in request.desired]
    if found.operations:
        records.store(merged([former.get(state.owner, state), state]) for state in wanted)
    try:
        with records.storing([*wanted, *_followers(request)]):
            if found.operations:
                _host.apply(request, found)
    except _host.NotUndone:
        raise
    except BaseException:
        with suppress(EngineError):  # where that cannot be written, what stands names all that may be there
            records.store(former.get(state.owner, State(state.owner)) for state in wanted)
        raise


def _followers(request: Request) -> list[State]:
    """Others who share files that this request wants: their records have these as they are now."""
    files = request.wanted(File)
    return [
        replace(
            state,
            objects=tuple(files.get(item.place, item) if isinstance(item, File) else item for item in state.objects),
        )
        for state in request.others
        if any(files.get(file.place, file) != file for file in state.of(File))
    ]


def _outcome(state: State, former: State | None, request: Request, strange: Container[Slot]) -> State:
    """What the record will hold: other kinds stay; so do, without purge, objects that are not listed."""
    own = replace(state, objects=tuple(item for item in state.objects if (item.KIND, item.place) not in strange))
    if former is None:
        return own
    stays = request.only == "make" or not request.purge
    kept = tuple(item for item in former.objects if item.KIND not in request.kinds or stays)
    return replace(
        merged([replace(former, objects=kept), own]),
        reserved_tables=own.reserved_tables or former.reserved_tables,
        reserved_priorities=own.reserved_priorities or former.reserved_priorities,
    )


def _not_ours(found: _host.Survey, request: Request) -> set[Slot]:
    """Addresses, proxy entries and link groups that stood there before any run of ours, and whatever is left to
    others: they never go with us."""
    current = found.current
    groups = [Group(device.name, device.group) for device in current.devices.values() if device.group]
    present: list[Address | Proxy | Group] = [*current.addresses, *current.proxies, *groups]
    recorded = _slots(request.recorded)
    slots = {(item.KIND, item.place) for item in present if item.device not in request.device_names}
    left = {(item.KIND, item.place) for item in request.asked if found.left.has(item)}
    return (slots - recorded) | (left - _slots(request.former))


def _slots(states: Iterable[State]) -> set[Slot]:
    return {(item.KIND, item.place) for state in states for item in state.objects}
