# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that may be refused."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.multihome.extrude.plugins.module_utils._conflict import Conflict, refuse
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Current,
    Device,
    State,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.unit.states import Plain

TUNNEL = {"name": "ex-dsl", "local": "192.0.2.2", "remote": "203.0.113.2", "key": 17}
ROUTE = {"destination": "198.18.0.0/15", "table": 4200, "nexthops": [{"device": "a0"}]}
RULE = {"priority": 4290, "table": 4200}
PROXY = {"device": "a0", "address": "203.0.113.10"}
RESERVED = {"tables": [4200], "priorities": [4200, 4299]}
HOST = Current(devices={name: Device(name, index) for index, name in enumerate(["lo", "a0", "b0"], 1)})


def state(owner: str = "acme", **lists: object) -> State:
    return State.parse({"customer": owner, "site": "office", **lists})


def problems(request: Request, current: Current = HOST) -> tuple[str, ...]:
    try:
        refuse(current, request)
    except Conflict as conflict:
        return conflict.problems
    return ()


def claiming(owner: str, number: int, inside: str, *destinations: str) -> State:
    """A state at a colo with one tunnel, the addresses inside it and prefixes."""
    name = f"ex{number}-dsl"
    tunnel = {"name": name, "local": "203.0.113.2", "remote": "192.0.2.9", "key": 16 * number + 1}
    return state(
        owner,
        tunnels=[tunnel],
        addresses=[{"device": name, "address": inside}],
        routes=[{"destination": one, "table": 4219, "nexthops": [{"device": name}]} for one in destinations],
        reserved={**RESERVED, "tables": [4200, 4219]},
    )


def with_tunnel(tunnel: Plain, alias: str, **more: object) -> Current:
    made = replace(state(tunnels=[tunnel]).of(Tunnel)[0], alias=alias)
    device = replace(Device(made.name, 9, "gre", alias, 0, made), **more)  # type: ignore[arg-type]  # any field may be changed
    return replace(HOST, devices={**HOST.devices, made.name: device})
