# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

from ansible_collections.multihome.extrude.plugins.module_utils import _yield
from ansible_collections.multihome.extrude.plugins.module_utils._conflict import refuse
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    PROTOCOL,
    Address,
    Chain,
    Current,
    Device,
    Nexthop,
    Object,
    Route,
    Rule,
    State,
    Sysctl,
    Tunnel,
    normal_route,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request


def by(destination: str, table: int, *devices: str) -> Route:
    return normal_route(
        destination=destination,
        table=table,
        metric=0,
        type="unicast",
        scope=None,
        source=None,
        nexthops=[Nexthop(device) for device in devices],
    )


HOPS = [{"device": "ex-dsl", "weight": 3}, {"device": "ex-cable", "weight": 2}]
STATE = State.parse(
    {
        "customer": "acme",
        "site": "office",
        "tunnels": [
            {"name": "ex-dsl", "local": "192.0.2.2", "remote": "203.0.113.2", "key": 17, "wan": "dsl"},
            {"name": "ex-cable", "local": "192.0.2.130", "remote": "203.0.113.2", "key": 18, "wan": "cable"},
        ],
        "addresses": [{"device": f"ex-{wan}", "address": "10.254.0.1/31"} for wan in ("dsl", "cable")],
        "sysctls": [{"name": f"net/ipv4/conf/ex-{wan}/rp_filter", "value": "2"} for wan in ("dsl", "cable")],
        "routes": [
            {"destination": "0.0.0.0/0", "table": 4200, "nexthops": HOPS},
            {"destination": "0.0.0.0/0", "table": 4201, "nexthops": HOPS[:1]},
        ],
        "rules": [{"priority": 4280, "table": 4200}, {"priority": 4290, "table": 4200}],
        "reserved": {"tables": [4200, 4201], "priorities": [4200, 4299]},
    }
)


def test_what_another_owner_holds_is_left_to_it_with_what_stands_on_it() -> None:
    other = State.parse(
        {
            "customer": "globex",
            "site": "branch",
            "tunnels": [{"name": "ex-dsl", "local": "192.0.2.2", "remote": "203.0.113.2", "key": 17, "wan": "dsl"}],
        }
    )
    request = Request((STATE,), (other,), yields=True)
    found = _yield.left(Current(), request)
    assert (Tunnel.KIND, ("ex-dsl",)) in found.slots
    assert any(problem.endswith(" is held by customer globex, site branch") for problem in found.problems)
    (kept,) = found.out_of(request).desired
    assert [tunnel.name for tunnel in kept.of(Tunnel)] == ["ex-cable"]
    assert [address.device for address in kept.of(Address)] == ["ex-cable"]


RESOLVER = {"name": "acme.1", "content": "ipset=/a.example/EXTRUDE-a.example\n"}
SETTINGS: dict[str, str | None] = {f"net/ipv4/conf/{name}/rp_filter": "0" for name in ("default", "ex-dsl")}
BARE = Current(devices={name: Device(name, number) for number, name in enumerate(["lo", "dsl0"], 1)}, sysctls=SETTINGS)
OTHERS = Current(
    devices={**BARE.devices, "ex-dsl": Device("ex-dsl", 9, "veth")},
    routes={(4, 4201, "198.18.0.0/15", 0): (by("198.18.0.0/15", 4201, "dsl0"), 4)},
    rules=((Rule(4, 4250, 77), 4), (Rule(4, 4290, 4200), 0), (Rule(4, 4280, 4200), PROTOCOL)),
    sysctls=SETTINGS,
)


def test_where_nothing_collides_nothing_is_left() -> None:
    request = Request((STATE,))
    nothing = _yield.left(BARE, request)
    assert nothing == _yield.NOTHING
    assert nothing.out_of(request) is request
    assert nothing.hidden(BARE) is BARE
    assert not any(map(nothing.has, STATE.objects))


def test_what_collides_and_what_stands_on_it_is_left_and_all_else_can_stand() -> None:
    request = Request((STATE,))
    left = _yield.left(OTHERS, request)
    assert [problem.partition(" stands ")[0].partition(" is there ")[0] for problem in left.problems] == [
        "device ex-dsl",
        "route 198.18.0.0/15 table 4201 metric 0 dev dsl0 weight 1",
        "rule 4250: lookup 77",
        "rule 4290: lookup 4200",
    ]
    asked = left.out_of(request)
    assert kinds(asked.asked) == [
        "tunnel ex-cable",
        "address 10.254.0.1/31 on ex-cable",
        "sysctl net/ipv4/conf/ex-cable/rp_filter = 2",
        "route 0.0.0.0/0 table 4200 metric 0 dev ex-cable weight 1",
        "rule 4280: lookup 4200",
    ]
    refuse(left.hidden(OTHERS), asked)


def test_what_is_left_is_not_touched_either() -> None:
    left = _yield.left(OTHERS, Request((STATE,)))
    for item in (
        Tunnel("ex-dsl", "192.0.2.2", "203.0.113.2"),
        Address("ex-dsl", "10.254.0.9/31"),
        Sysctl("net/ipv4/conf/ex-dsl/forwarding", "1"),
        by("192.0.2.0/24", 4200, "ex-dsl"),
        Rule(4, 4290, 4200),
    ):
        assert left.has(item)
    for other in (Address("ex-cable", "10.254.0.9/31"), by("192.0.2.0/24", 4200, "ex-dsl", "ex-cable")):
        assert not left.has(other)


def kinds(items: list[Object]) -> list[str]:
    """The objects in words, tunnels by their name alone."""
    return [f"tunnel {item.name}" if isinstance(item, Tunnel) else str(item) for item in items]


def test_where_the_name_server_is_gone_only_its_file_is_left_out() -> None:
    wanted = State.parse({**STATE.plain(), "resolvers": [RESOLVER]})
    found = _yield.left(replace(BARE, resolves=False), Request((wanted,)))
    assert found.out_of(Request((wanted,))).desired == (STATE,)
    assert len(found.problems) == 1


def test_where_the_kernel_cannot_shape_all_else_can_stand() -> None:
    shaped = {
        "dummies": [{"name": "ifb-dsl", "kind": "ifb"}],
        "shapers": [{"device": name, "rate": 9, "variable": "office: extrude_shape"} for name in ("dsl0", "ifb-dsl")],
        "redirects": [{"device": "dsl0", "to": "ifb-dsl"}],
    }
    request = Request((State.parse({**STATE.plain(), **shaped}),))
    found = _yield.left(replace(BARE, shapes=False), request)
    assert found.out_of(request).desired == (STATE,)
    assert all(problem.startswith("office: extrude_shape: ") for problem in found.problems)


def test_where_ipset_is_gone_the_rules_that_look_into_sets_are_left_out() -> None:
    rules = ["-m set --match-set EXTRUDE-a.example dst -j RETURN", "-d 198.18.7.0/24 -j RETURN"]
    chain = {"table": "mangle", "name": "EXTRUDE-DIRECT", "rules": rules}
    sets = [{"name": "EXTRUDE-a.example", "timeout": 9}, {"name": "EXTRUDE-b.example", "timeout": 9}]
    request = Request((State.parse({**STATE.plain(), "chains": [chain], "sets": sets}),), yields=True)
    assert _yield.left(BARE, request) == _yield.NOTHING
    bare = replace(BARE, looks_up=False)
    found = _yield.left(bare, request)
    assert found.problems == ("office: extrude_direct: domains need ipset, and it is not installed on this host",)
    asked = found.out_of(request)
    assert asked.desired == (State.parse({**STATE.plain(), "chains": [{**chain, "rules": rules[1:]}]}),)
    assert not found.has(asked.desired[0].of(Chain)[0])
    refuse(found.hidden(bare), asked)


def test_a_run_brings_ipset() -> None:
    request = Request((State.parse({**STATE.plain(), "sets": [{"name": "EXTRUDE-a.example", "timeout": 9}]}),))
    assert _yield.left(replace(BARE, looks_up=False), request) == _yield.NOTHING
