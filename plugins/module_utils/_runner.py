# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow that the modules share: read, plan, report; and outside check mode record and apply.

This module util is private to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from . import _apply, _certificate, _dnsmasq, _dump, _host, _liveness, _rollback, _session, _strongswan
from ._bind import Plain
from ._conflict import Conflict
from ._fields import Fields
from ._forwarding import SWITCHES, contrary
from ._guard import SUBFOLDER as GUARD_FOLDER
from ._guard import Guard, Guarded, Guards, refuse_gone
from ._learned import Endpoints
from ._links import Wan, wans_of
from ._local import Store, bound, misnamed, name_of
from ._model import (
    LABEL,
    PROTOCOL,
    Chain,
    Connection,
    Current,
    EngineError,
    File,
    Object,
    Resolver,
    State,
    Sysctl,
    plain,
)
from ._needs import (
    ike_rival,
    missing_for_certificates,
    missing_for_domains,
    missing_for_ipsec,
    missing_packages,
    networkd_runs,
    stopped_units,
)
from ._record import Records
from ._request import Operation, Part, Request
from ._states import States, differ, has_any, owner_of


def run_kind(module: AnsibleModule, kind: str, needed: Callable[[State], Sequence[Object]] = lambda _: ()) -> None:
    """For a module with a list of one kind; *needed* says which other objects these take."""
    params = module.params
    with _told(module):
        names = ("customer", "site", "take_over", kind)
        state = State.parse({name: params[name] for name in names if name in params})
        others = tuple(needed(state))
        kinds = {kind, *(item.KIND for item in others)}
        _run(module, Request((replace(state, objects=(*others, *state.objects)),), (), kinds, params["purge"]))


def _store(module: AnsibleModule) -> Store:
    """The folders that the options of a module name. Unlike the command it goes without no file."""
    folder = module.params["directory"]
    states, endpoints = States(module.params["config_directory"]), Endpoints(f"{folder}/endpoints")
    return Store(states, Records(folder), endpoints=endpoints, guards=Guards(Path(folder) / GUARD_FOLDER))


def run_states(module: AnsibleModule) -> None:
    """For whole states: bound to what the host has, applied, and kept for boot and hooks."""
    listed, check = module.params["states"], module.check_mode
    only: Part = module.params["only"] or ""
    store = _store(module)
    with _told(module):
        if any(state.get("connections") for state in listed) and (rival := ike_rival()):
            raise EngineError(
                f"{rival} is in use on this host, and would fight with strongswan.service for the ports of IKE"
            )
        with nullcontext() if check else store.records.locked():
            former = store.states.load()  # what cannot be read could not be kept either
            guard = Guard(module.params["guard"], module.params["run"])
            if guard.seconds and only == "purge":
                refuse_gone(_guards_of(listed, store), guard.run)
            came_by = "" if module.params["cut"] else _session.own_end()
            returning = _rollback.returning(store, set(map(owner_of, listed)))
            folder = store.states.folder
            request = Request(bound(listed, store), only=only, folder=folder, came_by=came_by, returning=returning)
            found = _apply.run(store.records, request, check, partial(_keeping, store, listed, former, only, guard))
            guarded = {guarded.owner for guarded in store.guards.waiting()} & set(map(owner_of, listed))
            heard = [] if only == "make" else _forget_reports(listed, store, check)
        known = {name_of(state) for state in listed}
        links = _links_of(state for state in former if name_of(state) in known), _links_of(listed)
        told = [*store.warnings, *misnamed(listed, store), *_dnsmasq.warnings(listed)]
        before, after = _differing(*links)
        _exit(module, found, told, before + "".join(heard), after, guarded=bool(guarded))


def _forget_reports(listed: Iterable[Plain], store: Store, check: bool) -> list[str]:
    """What sites that go have reported goes with them; a line for each link."""
    owners = [owner_of(state) for state in listed if not has_any(state)]
    heard = [f"heard: {'/'.join(owner)} where {wan} is\n" for owner in owners for wan in store.endpoints.known(*owner)]
    for owner in owners if heard and not check else ():
        store.endpoints.forget(*owner)
    return heard


@contextmanager
def _keeping(
    store: Store, listed: Sequence[Plain], former: Iterable[Plain], only: Part, guard: Guard, found: _host.Survey
) -> Iterator[None]:
    """Keep the states around their change; with seconds to guard it what stood before too, unless nothing changes.

    Without any, a change that waits to be confirmed is none any more: somebody has taken it from there.
    """
    stood = {owner_of(state): state for state in former}
    secrets = {owner_of(state): state.get("secret") for state in listed}
    owners = secrets.keys()
    waiting = {guarded.owner for guarded in store.guards.waiting()}
    storing = store.states.storing(listed, only)
    try:
        if not guard.seconds:
            with storing:
                yield
            store.guards.drop(owners)
            return
        store.guards.drop(owners - waiting)  # what became of an earlier change
        asked = any(differ(stood.get(owner_of(state)), state) for state in listed)
        settings = _altered(found.operations)
        changes = [
            Guarded(*owner, stood.get(owner), run=guard.run, settings=settings, secret=secret)
            for owner, secret in secrets.items()
        ]
        guarded = asked or found.operations or waiting & owners
        with store.guards.guarding(changes, guard.seconds) if guarded else nullcontext(), storing:
            _host.keep_files(store.states.folder, found.operations)
            yield
    finally:
        store.settle()


def _altered(operations: Iterable[Operation]) -> dict[str, tuple[str, str]]:
    """The kernel settings that operations change, and those that would not stay if that were only reversed: values
    before and after it."""
    changes = [(one.before, one.after) for one in operations if one.action == "change"]
    altered = {
        before.name: (before.value, after.value)
        for before, after in changes
        if isinstance(before, Sysctl) and isinstance(after, Sysctl)
    }
    switches = [name for name, (before, _after) in altered.items() if name in SWITCHES and before == "0"]
    return altered | {name: (value, value) for name, value in contrary(switches).items() if name not in altered}


def _guards_of(listed: Iterable[Plain], store: Store) -> list[Guarded]:
    owners = set(map(owner_of, listed))
    return [guarded for guarded in store.guards.load() if guarded.owner in owners]


def run_info(module: AnsibleModule) -> None:
    """What the kernel and the records hold."""
    with _told(module):
        store = _store(module)
        waiting = [str(guarded) for guarded in store.guards.waiting()]
        if module.params["routes_of"]:
            spread = _spread(Fields(module.params["routes_of"], "routes_of"))
            module.exit_json(changed=False, waiting=waiting, **spread)
        recorded = store.records.load()
        request = Request(recorded, recorded, folder=store.states.folder)
        current = _host.read(request)
        module.exit_json(
            changed=False,
            **_held(current),
            watched=current.watched,
            applied=[state.plain() for state in recorded],
            owners=_owners(current, recorded, store),
            waiting=waiting,
            drift=_drift(request),
            missing_packages=missing_packages(),
            missing_for_domains=missing_for_domains(),
            ipsec={
                "missing_packages": missing_for_ipsec(),
                "missing_for_certificates": missing_for_certificates(),
                "secrets": _strongswan.secrets_of(),
                "certificate": _certificate.present(),
                "rival": ike_rival(),
                "authority": _certificate.present(path=_certificate.AUTHORITY),
            },
            stopped_units=stopped_units(),
            networkd_runs=networkd_runs(),
        )


def _owners(current: Current, recorded: Iterable[State], store: Store) -> list[Plain]:
    """Whose anything on this host is, though a run was cut short, and what their secrets are called: by the record, by
    what boot would apply, by what was reported, by changes that were not confirmed, and by the tunnels themselves.
    Of one that is gone only a note is left that its change went back."""
    notes = {str(guarded): guarded.secret for guarded in store.guards.load()}
    secrets = {name_of(state): state.get("secret") for state in store.states.load()}
    tunnels = [device.tunnel for device in current.devices.values() if device.tunnel and device.tunnel.owner]
    names = {f"{state.owner.customer}/{state.owner.site}" for state in recorded} | secrets.keys()
    names |= {"/".join(owner) for owner in store.endpoints.owners()}
    names |= {str(guarded) for guarded in store.guards.waiting()}
    names |= {tunnel.owner.removeprefix(LABEL) for tunnel in tunnels}
    called = notes | secrets
    return [{"name": one, "secret": called.get(one), "gone": one not in names} for one in sorted(names | notes.keys())]


def _spread(asked: Fields) -> dict[str, Any]:
    """Where the kernel sends packets to some destinations, whoever made the routes, and whether BIRD watches."""
    destinations = set(asked.prefixes("destinations"))
    found = [route for route, _protocol in _dump.read(asked.integers("tables", 1, 2**32 - 1)).routes.values()]
    routes = [plain(route) for route in sorted(found, key=str) if route.destination in destinations]
    return {"routes": routes, "watched": _liveness.watched()}


def _run(module: AnsibleModule, request: Request) -> None:
    records = Records(module.params["directory"])
    with nullcontext() if module.check_mode else records.locked():
        found = _apply.run(records, request, module.check_mode)
    _exit(module, found, records.warnings)


def _exit(
    module: AnsibleModule, found: _host.Survey, warnings: Iterable[str], before: str = "", after: str = "", **more: bool
) -> None:
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**report(found.operations, before, after), missing_packages=missing_packages(), **more)


@contextmanager
def _told(module: AnsibleModule) -> Iterator[None]:
    """The one place where errors become the module's failure."""
    try:
        yield
    except EngineError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the system refused to be read: {error}", exception=error)


# --- what the user sees ----------------------------------------------------------------------------


def report(operations: Sequence[Operation], before: str = "", after: str = "") -> dict[str, Any]:
    """The result of a module: the same in check mode and in a real run. *before* and *after* are what else it keeps."""
    return {
        "changed": bool(operations) or before != after,
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
            "before": before + _lines(operation.before for operation in operations),
            "after": after + _lines(operation.after for operation in operations),
        },
    }


def _links_of(states: Iterable[Plain]) -> list[str]:
    """The links of states, a line each: what a host finds them by shows in no object."""
    links = [(name_of(state), wan) for state in states for wan in wans_of(state)]
    return sorted(f"links: {site} {_flat(_given(wan))}\n" for site, wan in links)


def _differing(before: Sequence[str], after: Sequence[str]) -> tuple[str, str]:
    """The lines that only one of both has."""
    return (
        "".join(line for line in before if line not in after),
        "".join(line for line in after if line not in before),
    )


def _given(wan: Wan) -> dict[str, Any]:
    return {name: value for name, value in asdict(wan).items() if value not in (None, False)}


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
        "shapers": current.shapers.values(),
        "redirects": (redirect for redirect in current.redirects.values() if redirect.to),
        "dummies": (
            dummy for device in current.devices.values() if (dummy := device.dummy) and dummy.alias == dummy.ALIAS
        ),
        "files": current.files.values(),
        "connections": current.connections.values(),
        "sets": current.sets.values(),
        "resolvers": current.resolvers.values(),
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
    files = sorted((item.path, item.content) for item in listed if isinstance(item, File | Connection | Resolver))
    lines += [f"{path}: {line}" for path, content in files for line in content.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _diff_lines(item: Object) -> list[str]:
    """One line an object with all its fields; a chain has one for each rule, numbered to keep the order."""
    if isinstance(item, File | Connection | Resolver):
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
