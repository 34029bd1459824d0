# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Chain,
    Current,
    Device,
    Dummy,
    File,
    Group,
    Proxy,
    Route,
    Rule,
    State,
    Sysctl,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import (
    Operation,
    Request,
    default_of,
    device_of_sysctl,
    doomed,
    is_known,
    merged,
)

ADDRESS = Address("lo", "203.0.113.10/32")
OTHER = Address("lo", "203.0.113.11/32")


def state(*addresses: Address, owner: str = "acme") -> State:
    return replace(State.parse({"customer": owner, "site": "office"}), objects=addresses)


def test_what_an_owner_had_and_wants_no_more_is_dropped() -> None:
    request = Request((state(OTHER),), (state(ADDRESS, OTHER),))
    assert list(request.dropped(Address).values()) == [ADDRESS]
    assert request.drops(ADDRESS)
    assert not request.drops(OTHER)


@pytest.mark.parametrize(
    "request_",
    [
        Request((state(),), (state(ADDRESS),), purge=False),
        Request((state(),), (state(ADDRESS),), kinds={"routes"}),
        Request((state(),), (state(ADDRESS, owner="other"),)),
        Request((state(),), (state(ADDRESS), state(ADDRESS, owner="other"))),
        Request((state(), state(ADDRESS, owner="other")), (state(ADDRESS),)),
    ],
    ids=["no purge", "other kinds", "another owner", "still held", "taken over in the same request"],
)
def test_nothing_else_is_dropped(request_: Request) -> None:
    assert not request_.dropped(Address)


def test_only_the_kinds_of_the_request_are_wanted() -> None:
    request = Request((state(ADDRESS),), kinds={"routes"})
    assert not request.wanted(Address)


@pytest.mark.parametrize(
    ("alias", "recorded", "owned"),
    [
        ("extrude:acme/office/dsl", False, True),
        ("extrude:acme/office2/dsl", False, False),
        ("extrude:acme/office", True, False),
        ("somebody's", True, False),
        ("", True, True),
        ("", False, False),
    ],
)
def test_a_tunnel_belongs_to_whom_its_alias_names_or_else_the_record(alias: str, recorded: bool, owned: bool) -> None:
    tunnel = Tunnel("ex-dsl", "192.0.2.1", "192.0.2.2", alias=alias)
    former = replace(state(), objects=(tunnel,) if recorded else ())
    assert Request((state(),), (former,)).owns(tunnel) is owned


@pytest.mark.parametrize(
    ("alias", "recorded", "shared"),
    [
        ("extrude:dummy", False, True),
        ("extrude:acme/office/dsl", True, False),
        ("somebody's", True, False),
        ("", True, True),
        ("", False, False),
    ],
)
@pytest.mark.parametrize("owner", ["acme", "other"])
def test_a_dummy_is_of_all_owners_by_its_alias_or_else_the_record(
    alias: str, recorded: bool, shared: bool, owner: str
) -> None:
    dummy = Dummy("extrude0", alias)
    former = replace(state(owner=owner), objects=(dummy,) if recorded else ())
    assert Request((state(),), (former,)).shares(dummy) is shared


def test_a_dummy_goes_when_nobody_wants_it_any_more() -> None:
    dummy = Dummy("extrude0")
    current = Current(devices={"extrude0": Device("extrude0", 9, "dummy", dummy.alias, dummy=dummy)})
    mine, theirs = replace(state(), objects=(dummy,)), replace(state(owner="other"), objects=(dummy,))
    assert doomed(current, Request((state(),), (mine,))) == [dummy]
    assert doomed(current, Request((state(),), (mine, theirs))) == []
    assert doomed(current, Request((state(), theirs), (mine,))) == []
    assert doomed(current, Request((mine,), (mine,))) == []
    assert doomed(current, Request((state(),), (mine,), purge=False)) == []
    assert doomed(current, Request((state(),), (mine,), kinds={"tunnels"})) == []


def test_operations_have_inverses() -> None:
    add, change = Operation("add", None, ADDRESS), Operation("change", ADDRESS, OTHER)
    assert add.inverse() == Operation("delete", ADDRESS)
    assert change.inverse() == Operation("change", OTHER, ADDRESS)
    for operation in (add, change, add.inverse()):
        assert operation.inverse().inverse() == operation
    with pytest.raises(ValueError, match="without an object"):
        print(Operation("add").item)


def test_operations_say_what_they_do() -> None:
    route = Route("0.0.0.0/0", 4200, 1, type="blackhole")
    assert str(Operation("add", None, route)) == "add blackhole route 0.0.0.0/0 table 4200 metric 1"
    assert str(Operation("change", Group("a0", 1), Group("a0", 2))) == "change group 1 of a0 (group: 1 -> 2)"
    settings = Sysctl("net/a", "0"), Sysctl("net/a", "1", optional=True)
    assert str(Operation("change", *settings)) == "change sysctl net/a = 0 (value: 0 -> 1)"
    assert str(Operation("delete", Proxy("a0", "192.0.2.1"))) == "delete proxy 192.0.2.1 on a0"
    assert str(Operation("change", File("bird.conf", "a\nb"), File("bird.conf", "c"))) == "change file bird.conf"
    untold = File("bird.conf", "a", "not yet told"), File("bird.conf", "a")
    assert str(Operation("change", *untold)) == "change file bird.conf (extra: not yet told -> unset)"
    assert str(Operation("change", Dummy("extrude0", extra="down"), Dummy("extrude0"))) == (
        "change dummy extrude0 (extra: down -> unset)"
    )
    rules = tuple(f"-s 192.0.2.{number} -j ACCEPT" for number in range(5))
    chains = [Chain(4, "filter", "EXTRUDE-INPUT", "INPUT", some) for some in (rules, rules[1:], rules[::-1])]
    chain = "change iptables chain EXTRUDE-INPUT in filter, 5 rules"
    assert str(Operation("change", *chains[:2])) == f"{chain} (rules: 1 gone, 0 new)"
    assert str(Operation("change", chains[0], chains[2])) == f"{chain} (rules: in another order)"
    rule = Rule(6, 4230, 254, None, "2001:db8::/32", "a0", "b0", 1, 255, 0, 4200)
    assert str(rule) == (
        "rule 4230: to 2001:db8::/32 iif a0 oif b0 fwmark 0x1/0xff lookup 254 suppress_prefixlength 0"
        " suppress_ifgroup 4200 (IPv6)"
    )


def test_settings_of_devices_are_told_by_their_path() -> None:
    setting = Sysctl("net/ipv4/conf/eth0.10/rp_filter", "2")
    assert device_of_sysctl(setting, {"eth0.10"}) == "eth0.10"
    assert device_of_sysctl(setting, {"eth0"}) is None


def test_a_setting_of_a_new_tunnel_is_known_by_its_default() -> None:
    setting = Sysctl("net/ipv4/conf/ex-dsl/rp_filter", "2")
    made = replace(state(), objects=(Tunnel("ex-dsl", "192.0.2.1", "192.0.2.2"), setting))
    request = Request((made,))
    assert default_of(setting, request) == "net/ipv4/conf/default/rp_filter"
    assert is_known(setting, Current(sysctls={"net/ipv4/conf/default/rp_filter": "0"}), request)
    assert not is_known(setting, Current(), request)
    assert default_of(setting, Request((state(),))) is None


def test_a_setting_of_a_new_dummy_is_known_by_its_default() -> None:
    setting = Sysctl("net/ipv4/conf/extrude0/rp_filter", "0")
    request = Request((replace(state(), objects=(Dummy("extrude0"), setting)),))
    assert is_known(setting, Current(sysctls={"net/ipv4/conf/default/rp_filter": "0"}), request)


def test_merging_keeps_the_later_of_two_in_one_place() -> None:
    one, two = Address("lo", "2001:db8::1/64"), Address("lo", "2001:db8::1/128")
    assert merged([state(one, ADDRESS), state(two)]).objects == (two, ADDRESS)
