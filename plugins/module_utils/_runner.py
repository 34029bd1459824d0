# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow that the modules share: read, plan, report; and outside check mode record and apply.

This module util is private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeAlias

from ansible.module_utils.basic import AnsibleModule

from . import _dump, _host, _iptables, _liveness, _netlink, _programs
from ._conflict import Conflict
from ._fields import Fields
from ._model import (
    PROTOCOL,
    Address,
    Chain,
    Current,
    EngineError,
    File,
    Group,
    Object,
    Place,
    Proxy,
    State,
    Sysctl,
    plain,
)
from ._record import Records
from ._request import Operation, Request, merged

Slot: TypeAlias = tuple[str, Place]
"""Kind and place of an object."""


def run_kind(module: AnsibleModule, kind: str, needed: Callable[[State], Sequence[Object]] = lambda _: ()) -> None:
    """For a module with a list of one kind; *needed* says which other objects these take."""
    params = module.params
    with _told(module):
        names = ("customer", "site", "take_over", kind)
        state = State.parse({name: params[name] for name in names if name in params})
        others = tuple(needed(state))
        kinds = {kind, *(item.KIND for item in others)}
        _run(module, Request((replace(state, objects=(*others, *state.objects)),), (), kinds, params["purge"]))


def run_states(module: AnsibleModule) -> None:
    """For whole states."""
    with _told(module):
        listed = module.params["states"]
        states = tuple(State.parse(state, f"states[{number}]") for number, state in enumerate(listed))
        _run(module, Request(states, only=module.params["only"] or "", folder=module.params["config_directory"]))


def run_info(module: AnsibleModule) -> None:
    """What the kernel and the records hold."""
    with _told(module):
        if module.params["routes_of"]:
            module.exit_json(changed=False, **_spread(Fields(module.params["routes_of"], "routes_of")))
        recorded = Records(module.params["directory"]).load()
        request = Request(recorded, recorded, folder=module.params["config_directory"])
        current = _host.read(request)
        module.exit_json(
            changed=False,
            **_held(current),
            watched=current.watched,
            applied=[state.plain() for state in recorded],
            drift=_drift(request),
            missing_packages=missing_packages(),
        )


def _spread(asked: Fields) -> dict[str, Any]:
    """Where the kernel sends packets to some destinations, whoever made the routes, and whether BIRD watches."""
    destinations = set(asked.prefixes("destinations"))
    found = [route for route, _protocol in _dump.read(asked.integers("tables", 1, 2**32 - 1)).routes.values()]
    routes = [plain(route) for route in sorted(found, key=str) if route.destination in destinations]
    return {"routes": routes, "watched": _liveness.watched()}


def _run(module: AnsibleModule, request: Request) -> None:
    records = Records(module.params["directory"])
    if not module.check_mode and not _netlink.has_pyroute2():
        raise EngineError(_netlink.MISSING)
    with nullcontext() if module.check_mode else records.locked():
        request = replace(request, recorded=records.load())
        found = _host.survey(request)
        if not module.check_mode:
            _apply(records, request, found)
    module.exit_json(**report(found.operations), missing_packages=missing_packages())


@contextmanager
def _told(module: AnsibleModule) -> Iterator[None]:
    """The one place where errors become the module's failure."""
    try:
        yield
    except EngineError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the system refused to be read: {error}", exception=error)


# --- records ---------------------------------------------------------------------------------------


def _apply(records: Records, request: Request, found: _host.Survey) -> None:
    """Between the two records of a change everything that may be there has an owner."""
    former = {state.owner: state for state in request.former}
    strange = _not_ours(found.current, request)
    wanted = [_outcome(state, former.get(state.owner), request, strange) for state in request.desired]
    if found.operations:
        records.store(merged([former.get(state.owner, state), state]) for state in wanted)
        try:
            _host.apply(request, found)
        except _host.NotUndone:
            raise
        except BaseException:
            records.store(former.get(state.owner, State(state.owner)) for state in wanted)
            raise
    records.store([*wanted, *_followers(request)])


def _followers(request: Request) -> list[State]:
    """Others who share files that this request wants: their records have these as they are now."""
    files = request.wanted(File)
    return [
        replace(
            state,
            objects=tuple(files.get(item.place, item) if isinstance(item, File) else item for item in state.objects),
        )
        for state in request.others
        if any(file.place in files for file in state.of(File))
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


def _not_ours(current: Current, request: Request) -> set[Slot]:
    """Addresses, proxy entries and link groups that stood there before any run of ours: they never go with us."""
    groups = [Group(device.name, device.group) for device in current.devices.values() if device.group]
    present: list[Address | Proxy | Group] = [*current.addresses, *current.proxies, *groups]
    recorded = {(item.KIND, item.place) for state in request.recorded for item in state.objects}
    slots = {(item.KIND, item.place) for item in present if item.device not in request.device_names}
    return slots - recorded


# --- packages --------------------------------------------------------------------------------------


def missing_packages() -> list[str]:
    """Debian packages that a run needs and the host lacks."""
    missing = {
        "python3-pyroute2": not _netlink.has_pyroute2(),
        "iptables": not _iptables.installed(),
        "bird2": _programs.find("bird") is None,
    }
    return [name for name, is_missing in missing.items() if is_missing]


# --- what the user sees ----------------------------------------------------------------------------


def report(operations: Sequence[Operation]) -> dict[str, Any]:
    """The result of a module: the same in check mode and in a real run."""
    return {
        "changed": bool(operations),
        "operations": [
            {
                "action": operation.action,
                "kind": operation.kind,
                "text": str(operation),
                "before": None if operation.before is None else plain(operation.before),
                "after": None if operation.after is None else plain(operation.after),
            }
            for operation in operations
        ],
        "diff": {
            "before": _lines(operation.before for operation in operations),
            "after": _lines(operation.after for operation in operations),
        },
    }


def _held(current: Current) -> dict[str, Any]:
    """What is ours in the kernel, as plain data in a stable order."""
    tunnels = [device.tunnel for device in current.devices.values() if device.tunnel and device.tunnel.owner]
    names = {tunnel.name for tunnel in tunnels}
    listed: dict[str, Iterable[Object]] = {
        "tunnels": tunnels,
        "addresses": (address for address in current.addresses if address.device in names),
        "routes": _dump.our_routes(),
        "rules": (rule for rule, protocol in current.rules if protocol == PROTOCOL),
        "proxies": current.proxies,
        "delays": current.delays.values(),
        "dummies": (
            dummy for device in current.devices.values() if (dummy := device.dummy) and dummy.alias == dummy.ALIAS
        ),
        "files": current.files.values(),
    }
    return {kind: [plain(item) for item in sorted(objects, key=str)] for kind, objects in listed.items()}


def _drift(request: Request) -> list[str]:
    """What the next run would have to do, or why it could not."""
    try:
        return [str(operation) for operation in _host.survey(request).operations]
    except Conflict as conflict:
        return list(conflict.problems)


def _lines(objects: Iterable[Object | None]) -> str:
    """The lines of the objects, sorted; behind them those of files, in their order."""
    listed = [item for item in objects if item is not None]
    lines = sorted(line for item in listed for line in _diff_lines(item))
    files = sorted((item.path, item.content) for item in listed if isinstance(item, File))
    lines += [f"{path}: {line}" for path, content in files for line in content.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _diff_lines(item: Object) -> list[str]:
    """One line an object with all its fields; a chain has one for each rule, numbered to keep the order."""
    if isinstance(item, File):
        return []
    if isinstance(item, Chain):
        head = f"{'iptables' if item.family == 4 else 'ip6tables'} -t {item.table} {item.name}"
        jump = [f"{head}: from {item.hook}"] if item.hook else []
        return jump + [f"{head} {number:3}: {rule}" for number, rule in enumerate(item.rules, 1)]
    if isinstance(item, Sysctl):
        return [str(item)]
    return [f"{item.KIND}: {_flat(plain(item))}"]


def _flat(data: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={json.dumps(value) if isinstance(value, list) else value}" for name, value in data.items())
