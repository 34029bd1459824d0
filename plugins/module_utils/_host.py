# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host: read what it holds, plan, and apply as one transaction over all kinds.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from shutil import which

from . import _announce, _iptables, _netlink, _sysctl
from ._model import Chain, Current, EngineError, Proxy, Route, Rule, Sysctl
from ._plan import Operation, Request, merged_chains, plan


@dataclass(frozen=True)
class Survey:
    """What a host holds, and the operations that a request takes there."""

    current: Current
    operations: tuple[Operation, ...]


def survey(request: Request) -> Survey:
    """Reads each kind once and plans. Changes nothing, and needs neither pyroute2 nor iptables."""
    current = _netlink.read(_tables(request))
    if Sysctl.KIND in request.kinds:
        names = [item.name for item in request.wanted(Sysctl).values()]
        current = replace(current, sysctls=_sysctl.read(names))
    chains = merged_chains(request)
    if chains or request.dropped(Chain):
        current = replace(current, chains=_iptables.read((4, 6)))
        if which("iptables-save"):  # without it there are no chains yet, so nothing to compare with
            chains = _iptables.canonical(chains)
    return Survey(current, plan(current, request, chains))


def _tables(request: Request) -> set[int]:
    """The routing tables that the request reserves, or that any record or wanted route names."""
    states = [*request.desired, *request.recorded]
    tables = {route.table for state in states for route in state.of(Route)}
    return tables | {table for state in request.desired for table in state.reserved_tables}


def apply(request: Request, found: Survey) -> None:
    """Applies the operations in order; at the first error everything done so far is undone.

    Afterwards the host is read again: it must hold what was asked for, or that is an error too.
    """
    done: list[Operation] = []
    with closing(_netlink.Writer(found.current.devices)) as writer:
        try:
            for operations in _batches(found.operations):
                _apply_batch(operations, writer, done)
            _flush_caches(found.operations)
            if left := survey(request).operations:
                raise EngineError(f"the kernel did not keep what was written; still to do: {'; '.join(map(str, left))}")
        except BaseException as error:
            _undo(done, writer, error)
            raise
    new = [operation.item for operation in found.operations if operation.action == "add"]
    _announce.announce([(item.device, item.address) for item in new if isinstance(item, Proxy)])


def _batches(operations: Sequence[Operation]) -> Iterator[list[Operation]]:
    """Neighbours of one kind; chains of one table go to iptables-restore together."""
    for _, group in groupby(operations, key=lambda operation: operation.kind):
        yield list(group)


def _apply_batch(operations: list[Operation], writer: _netlink.Writer, done: list[Operation]) -> None:
    if operations[0].kind == Chain.KIND:
        _iptables.apply([_chain_change(operation) for operation in operations])
        done += operations
        return
    for operation in operations:
        if isinstance(operation.item, Sysctl):
            _write_sysctl(operation)
        else:
            writer.apply(operation)
        done.append(operation)


def _chain_change(operation: Operation) -> tuple[Chain | None, Chain | None]:
    before, after = operation.before, operation.after
    assert before is None or isinstance(before, Chain)
    assert after is None or isinstance(after, Chain)
    return before, after


def _write_sysctl(operation: Operation) -> None:
    """A setting that is "deleted" belonged to a device that the undo is about to take away again."""
    if isinstance(operation.after, Sysctl):
        _sysctl.write(operation.after.name, operation.after.value)


def _flush_caches(operations: Sequence[Operation]) -> None:
    """Forget routes learned per destination (redirects, path MTU): they bypass new next hops.

    Source: Documentation/networking/ip-sysctl.rst, ``route/flush``.
    """
    if any(isinstance(operation.item, Route | Rule) for operation in operations):
        for family in ("ipv4", "ipv6"):
            if Path(f"/proc/sys/net/{family}/route/flush").exists():  # write-only
                _sysctl.write(f"net/{family}/route/flush", "1")


def _undo(done: list[Operation], writer: _netlink.Writer, error: BaseException) -> None:
    """Reverses *done*, last first. What cannot be reversed is added to the error."""
    problems = []
    for operation in reversed(done):
        try:
            _apply_batch([operation.inverse()], writer, [])
        except EngineError as problem:
            problems.append(str(problem))
    if problems:
        raise EngineError(f"{error}; and could not undo all of it: {'; '.join(problems)}") from error
