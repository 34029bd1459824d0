# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host: read what it holds, plan, and apply as one transaction over all kinds.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from . import (
    _announce,
    _dnsmasq,
    _dump,
    _duplicate,
    _files,
    _forwarding,
    _gateway,
    _ipset,
    _iptables,
    _liveness,
    _netlink,
    _shape,
    _strongswan,
    _sysctl,
    _yield,
)
from ._conflict import Conflict
from ._forwarding import SWITCHES
from ._model import (
    AddressSet,
    AnyObject,
    Chain,
    Connection,
    Current,
    Delay,
    EngineError,
    File,
    Proxy,
    Redirect,
    Resolver,
    Route,
    Rule,
    Shaper,
    Sysctl,
)
from ._plan import merged_chains, plan
from ._request import Operation, Request, default_of
from ._signals import Signals

_SHOWN = 5
"""Operations that a message spells out."""


class NotUndone(EngineError):
    """An apply failed, and so did a part of its undo."""


@dataclass(frozen=True)
class Survey:
    """What a host holds, the operations that a request takes there, and what it leaves to others."""

    current: Current
    operations: tuple[Operation, ...]
    left: _yield.Left = _yield.NOTHING


# --- reading ---------------------------------------------------------------------------------------


def survey(request: Request) -> Survey:
    """Reads each kind once and plans. Changes nothing, and needs neither pyroute2 nor iptables."""
    current = read(request)
    left = _yield.left(current, request) if request.yields else _yield.NOTHING
    asked = left.out_of(request)
    chains = merged_chains(asked, current.chains)
    if _iptables.can_check(chains):  # what it takes is not there yet, so neither is anything to compare with
        chains = _iptables.canonical(chains, current.chains)
    planned = plan(left.hidden(current), asked, chains)
    operations = tuple(operation for operation in planned if not left.has(operation.item))
    _refuse_held(asked, operations)
    _gateway.refuse_silent(asked, current)
    return Survey(current, operations, left)


def _refuse_held(request: Request, operations: Iterable[Operation]) -> None:
    """Raises Conflict where a neighbour holds an address that this host is about to answer for.

    An address that is on record was asked for when it was new, and only comes back.
    """
    wary = {proxy for state in request.desired if not state.take_over for proxy in state.of(Proxy)}
    new = (operation.item for operation in operations if operation.action == "add")
    asked = [item for item in new if isinstance(item, Proxy) and item in wary and item.place not in request.had(Proxy)]
    held = _duplicate.holders([(proxy.device, proxy.address) for proxy in asked])
    if held:
        raise Conflict(
            [f"{Proxy(*pair)}: {mac} answers for that address; take it from there first" for pair, mac in held.items()]
        )


def read(request: Request) -> Current:
    """What the host holds of the kinds and tables that the request touches."""
    watched = _liveness.watched()
    current = _dump.read(_tables(request))
    queued = [request.wanted(Delay), request.wanted(Shaper), request.wanted(Redirect)]
    queued += [request.had(Delay), request.had(Shaper), request.had(Redirect)]
    queues = _dump.queues(current.devices) if any(queued) else _dump.Queues([], [], [], {}, {})
    shapers = {shaper.place: shaper for shaper in queues.shapers}
    chains = {**request.wanted(Chain), **request.had(Chain)} if Chain.KIND in request.kinds else {}
    files = {**request.wanted(File), **request.had(File)}
    connections = {**request.wanted(Connection), **request.had(Connection)}
    sets = {**request.wanted(AddressSet), **request.had(AddressSet)}
    resolvers = {**request.wanted(Resolver), **request.had(Resolver)}
    return replace(
        current,
        delays={delay.place: delay for delay in queues.delays},
        shapers=shapers,
        redirects={redirect.place: redirect for redirect in queues.redirects},
        queues=queues.others,
        filtered=queues.filtered,
        shapes=_shapes(request, queues),
        sysctls=_sysctl.read(sysctl_names(request)),
        chains=_iptables.read({chain.family for chain in chains.values()}),
        files=_files.Folder(request.folder).read(file.path for file in files.values()),
        connections=_strongswan.Connections().read(connection.name for connection in connections.values()),
        sets=_ipset.read(one.name for one in sets.values()),
        resolvers=_dnsmasq.Resolvers().read(resolver.name for resolver in resolvers.values()),
        looks_up=not request.wanted(AddressSet) or _ipset.installed(),
        resolves=not request.wanted(Resolver) or _dnsmasq.installed(),
        # the stand-by rules may have come or gone between the two looks; they are the daemon's business then
        watched=watched or _liveness.watched(),
    )


def _shapes(request: Request, queues: _dump.Queues) -> bool:
    """Whether the kernel can do what is wanted of shaping. It isn't asked where it does so already, nor for nothing."""
    by_others = bool(request.wanted(Redirect))
    does = queues.shapers and (not by_others or any(redirect.to for redirect in queues.redirects))
    return bool(does) or not request.wanted(Shaper) or _shape.works(by_others)


def _tables(request: Request) -> set[int]:
    """The routing tables that the request reserves, or that any record or wanted route names."""
    states = [*request.desired, *request.recorded]
    tables = {route.table for state in states for route in state.of(Route)}
    return tables | {table for state in request.desired for table in state.reserved_tables}


def sysctl_names(request: Request) -> list[str]:
    """The settings that are wanted, that a new device brings, or that may go with one or go back; always in the same
    order."""
    wanted = request.wanted(Sysctl).values()
    names = [*(sysctl.name for sysctl in [*wanted, *request.had(Sysctl).values()]), *request.settings]
    return list(dict.fromkeys([*names, *(name for sysctl in wanted if (name := default_of(sysctl, request)))]))


# --- files of changes that may go back ---------------------------------------------------------------

ON_DISK = (File.KIND, Connection.KIND, Resolver.KIND)
"""What a disk that cannot be written keeps as it is."""


def _folders(folder: str) -> dict[str, _files.Folder]:
    """Where our files stand, by their kinds."""
    return {
        File.KIND: _files.Folder(folder),
        Connection.KIND: _files.Folder(_strongswan.FOLDER, shared=True),
        Resolver.KIND: _files.Folder(_dnsmasq.FOLDER, shared=True),
    }


def keep_files(folder: str, operations: Iterable[Operation]) -> None:
    """Keep the files that operations are about to replace or remove."""
    folders = _folders(folder)
    for before in (operation.before for operation in operations):
        if isinstance(before, File):
            folders[before.KIND].keep(before.path)
        elif isinstance(before, Connection):
            folders[before.KIND].keep(_strongswan.path_of(before.name))
        elif isinstance(before, Resolver):
            folders[before.KIND].keep(_dnsmasq.path_of(before.name))


def forget_files(folder: str) -> None:
    """Let go of the files that were kept."""
    for one in _folders(folder).values():
        one.forget()


# --- writing ---------------------------------------------------------------------------------------


class _Writers(NamedTuple):
    """Those that are made for one apply."""

    netlink: _netlink.Writer
    files: _files.Folder


def apply(request: Request, found: Survey) -> None:
    """Applies the operations in order; at the first error everything done so far is undone.

    So it is when the process is told to end. Afterwards the host is read again: it must hold what
    was asked for, or that is an error too.
    """
    done: list[Operation] = []
    contrary = _forwarding.contrary(_switched_on(found.operations))
    with closing(_netlink.Writer(found.current)) as netlink, Signals() as signals:
        writers = _Writers(netlink, _files.Folder(request.folder))
        try:
            for operations in _batches(found.operations):
                for part in _parts(operations):
                    signals.check()
                    _apply_part(part, writers)
                    done += part
            _settle(request, found.operations)
        except BaseException as error:
            _undo(done, writers, error, contrary)
            raise


def _switched_on(operations: Iterable[Operation]) -> list[str]:
    """The switches of forwarding that operations switch on."""
    items = (operation.after for operation in operations if operation.action == "change")
    return [item.name for item in items if isinstance(item, Sysctl) and item.name in SWITCHES and item.value == "1"]


def _settle(request: Request, operations: Sequence[Operation]) -> None:
    """What has to follow the operations: caches forget, the kernel is asked, and neighbours are told."""
    if any(isinstance(operation.item, Route | Rule) for operation in operations):
        flush_caches()
    if left := survey(request).operations:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        still = "; ".join(map(str, left[:_SHOWN]))
        raise EngineError(f"the kernel did not keep what was written; still to do: {still}{more}")
    new = [operation.item for operation in operations if operation.action == "add"]
    _announce.announce([(item.device, item.address) for item in new if isinstance(item, Proxy)])


def _batches(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    """Neighbours of one kind."""
    for _kind, group in groupby(operations, key=lambda operation: operation.kind):
        yield list(group)


def _parts(operations: list[Operation]) -> list[list[Operation]]:
    """What is done or undone in one step: chains and files of a batch together, all else one by one."""
    together = operations[0].kind in (Chain.KIND, File.KIND, Connection.KIND, Resolver.KIND)
    return [operations] if together else [[operation] for operation in operations]


def _apply_part(operations: list[Operation], writers: _Writers) -> None:
    first = operations[0]
    if isinstance(first.item, Chain):
        _iptables.apply([_change(operation, Chain) for operation in operations])
    elif isinstance(first.item, File):
        writers.files.apply([_change(operation, File) for operation in operations])
    elif isinstance(first.item, Connection):
        _strongswan.Connections().apply([_change(operation, Connection) for operation in operations])
    elif isinstance(first.item, Resolver):
        _dnsmasq.Resolvers().apply([_change(operation, Resolver) for operation in operations])
    elif isinstance(first.item, AddressSet):
        _ipset.apply(*_change(first, AddressSet))
    elif isinstance(first.item, Shaper | Redirect):
        _shape.apply(first)
    elif not isinstance(first.item, Sysctl):
        writers.netlink.apply(first)
    elif isinstance(first.after, Sysctl):  # a deleted setting goes with its device
        _sysctl.write(first.after.name, first.after.value)


def _change(operation: Operation, model: type[AnyObject]) -> tuple[AnyObject | None, AnyObject | None]:
    before, after = (side if isinstance(side, model) else None for side in (operation.before, operation.after))
    return before, after


def flush_caches() -> None:
    """Forget routes learned per destination (redirects, path MTU): they bypass new next hops.

    Source: Documentation/networking/ip-sysctl.rst, ``route/flush``.
    """
    for family in ("ipv4", "ipv6"):
        if Path(f"/proc/sys/net/{family}/route/flush").exists():  # write-only
            _sysctl.write(f"net/{family}/route/flush", "1")


def _undo(done: list[Operation], writers: _Writers, error: BaseException, contrary: Mapping[str, str]) -> None:
    """Reverses *done*, last first, and what the kernel sets as well then (*contrary*). What cannot be reversed is told
    together with the error."""
    problems = []
    for operations in reversed(list(_batches(done))):
        for part in reversed(_parts(operations)):
            try:
                _apply_part([operation.inverse() for operation in part], writers)
            except _netlink.Gone:
                continue
            except EngineError as problem:
                problems.append(str(problem))
    for name in (name for name in contrary if _forwarding.is_set_by(name, _switched_on(done))):
        try:
            _sysctl.write(name, contrary[name])
        except EngineError as problem:
            problems.append(str(problem))
    if problems:
        raise NotUndone(f"{error}; and not all of it could be undone: {'; '.join(problems)}") from error
