# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._conflict import Conflict, collisions, refuse
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Current,
    Device,
    Dummy,
    Route,
    Rule,
    State,
    Tunnel,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.unit.conflicts import HOST, RESERVED, ROUTE, RULE, TUNNEL, claiming, problems, state, with_tunnel
from tests.unit.states import Plain

NO_C0 = "there is no device c0 on this host"


# --- what stands there ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (Device("ex-dsl", 9, "bridge"), "kind bridge"),
        (Device("ex-dsl", 9), "kind physical"),
        (
            Device("ex-dsl", 9, "gre", "mine", 0, Tunnel("ex-dsl", "192.0.2.9", "192.0.2.8", alias="mine")),
            "(alias mine)",
        ),
    ],
)
def test_somebody_elses_device_is_never_taken_over(device: Device, words: str) -> None:
    host = replace(HOST, devices={**HOST.devices, "ex-dsl": device})
    (problem,) = problems(Request((state(tunnels=[TUNNEL]),)), host)
    assert problem.startswith("device ex-dsl is there already and is not ours: kind")
    assert words in problem


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (Device("extrude0", 9, "bridge", "extrude:dummy"), "kind bridge (alias extrude:dummy)"),
        (Device("extrude0", 9, "dummy", dummy=Dummy("extrude0", "")), "kind dummy"),
        (Device("extrude0", 9, "dummy", "mine", dummy=Dummy("extrude0", "mine")), "kind dummy (alias mine)"),
    ],
)
def test_somebody_elses_device_does_not_become_a_dummy_of_ours(device: Device, words: str) -> None:
    host = replace(HOST, devices={**HOST.devices, "extrude0": device})
    (problem,) = problems(Request((state(dummies=[{"name": "extrude0"}]),)), host)
    assert problem == f"device extrude0 is there already and is not ours: {words}"
    assert problems(Request((state(),)), host) == ()


def test_a_dummy_of_ours_may_be_there_already() -> None:
    device = Device("extrude0", 9, "dummy", "extrude:dummy", dummy=Dummy("extrude0"))
    host = replace(HOST, devices={**HOST.devices, "extrude0": device})
    assert problems(Request((state(dummies=[{"name": "extrude0"}]),)), host) == ()


def test_a_dummy_does_not_become_an_ifb() -> None:
    device = Device("ifb-dsl", 9, "dummy", "extrude:dummy", dummy=Dummy("ifb-dsl"))
    host = replace(HOST, devices={**HOST.devices, "ifb-dsl": device})
    (problem,) = problems(Request((state(dummies=[{"name": "ifb-dsl", "kind": "ifb"}]),)), host)
    assert problem == "device ifb-dsl is there already and is not ours: kind dummy (alias extrude:dummy)"


SHAPED = state(
    dummies=[{"name": "ifb-dsl", "kind": "ifb"}],
    shapers=[
        {"device": "a0", "rate": 19000, "variable": "office: extrude_shape"},
        {"device": "ifb-dsl", "rate": 47500, "received": True},
    ],
    redirects=[{"device": "a0", "to": "ifb-dsl", "variable": "office: extrude_shape"}],
)


def test_links_that_somebody_shapes_already_are_left_to_him() -> None:
    assert problems(Request((SHAPED,)), HOST) == ()
    host = replace(HOST, queues={"a0": "htb 1:"}, filtered={"a0": "clsact ffff:"})
    assert problems(Request((SHAPED,)), host) == (
        "office: extrude_shape: a0 has a queueing discipline of somebody else's, htb 1:",
        "office: extrude_shape: a0 has a queueing discipline of somebody else's, clsact ffff:",
    )


@pytest.mark.parametrize(("other", "rate", "refused"), [("acme", 9, False), ("acme", 5, False), ("globex", 9, True)])
def test_the_sites_of_a_customer_share_a_shaper_whose_rate_comes_with_the_first(
    other: str, rate: int, refused: bool
) -> None:
    def limited(customer: str, site: str, kbits: int) -> State:
        dummies = [{"name": "exu-acme", "kind": "ifb"}]
        shapers = [{"device": "exu-acme", "rate": kbits}]
        return State.parse({"customer": customer, "site": site, "dummies": dummies, "shapers": shapers})

    found = problems(Request((limited("acme", "office", 5),), (limited(other, "hq", rate),)), HOST)
    held = "shaper of 5 kbit/s on exu-acme of customer acme, site office is held by customer globex, site hq"
    assert found == ((f"{held} as shaper of 9 kbit/s on exu-acme",) if refused else ())


def test_a_kernel_that_cannot_shape() -> None:
    lacks = "this kernel has no CAKE (module sch_cake), or lacks ifb, sch_ingress, cls_u32 or act_mirred"
    request = Request((SHAPED,))
    host = replace(HOST, shapes=False)
    assert problems(request, host) == (
        f"office: extrude_shape: a0 cannot be shaped: {lacks}",
        f"shaper of 47500 kbit/s on ifb-dsl: ifb-dsl cannot be shaped: {lacks}",
    )
    assert [collision.kind for collision in collisions(host, request)] == [*["shapers"] * 2, "redirects", "dummies"]


def test_another_owners_tunnel_in_the_kernel_is_named_by_its_alias() -> None:
    host = with_tunnel(TUNNEL, "extrude:other/x/dsl")
    assert problems(Request((state(tunnels=[TUNNEL]),)), host) == (
        "device ex-dsl is there already and is not ours: kind gre (alias extrude:other/x/dsl)",
    )


def test_endpoints_and_key_of_somebody_elses_tunnel_are_an_error_that_names_it() -> None:
    host = with_tunnel({**TUNNEL, "name": "admins"}, "")
    assert problems(Request((state(tunnels=[TUNNEL]),)), host) == (
        "tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17 has the same endpoints and key as admins",
    )


def test_a_tunnel_of_ours_may_hand_its_endpoints_on_when_it_goes() -> None:
    host = with_tunnel({**TUNNEL, "name": "ex-old"}, "extrude:acme/office/old")
    assert problems(Request((state(tunnels=[TUNNEL]),)), host) == ()
    assert len(problems(Request((state(tunnels=[TUNNEL]),), purge=False), host)) == 1


def test_a_link_group_of_somebody_else_stays() -> None:
    host = replace(HOST, devices={**HOST.devices, "a0": Device("a0", 2, group=7)})
    wanted = state(groups=[{"device": "a0", "group": 4200}])
    assert problems(Request((wanted,)), host) == ("device a0 is in link group 7 already, 4200 was asked for",)
    assert problems(Request((wanted,), (state(groups=[{"device": "a0", "group": 7}]),)), host) == ()


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (4, "hand or networkd (protocol 4)"),
        (12, "BIRD (protocol 12)"),
        (77, "protocol 77"),
        (2, "the kernel (protocol 2)"),
    ],
)
def test_a_strangers_route_is_named_with_its_maker(protocol: int, words: str) -> None:
    item = state(routes=[ROUTE]).of(Route)[0]
    host = replace(HOST, routes={item.place: (item, protocol)})
    text = f"route 198.18.0.0/15 table 4200 metric 0 dev a0 weight 1 stands where only ours may and was made by {words}"
    assert problems(Request((state(routes=[ROUTE]),)), host) == (text,)
    in_reserved = state(routes=[{**ROUTE, "destination": "0.0.0.0/0"}], reserved=RESERVED)
    assert problems(Request((in_reserved,)), host) == (text,)


def test_the_daemon_has_routes_in_our_tables_but_not_in_our_places() -> None:
    wanted = state(routes=[{**ROUTE, "destination": "0.0.0.0/0"}, {**ROUTE, "metric": 32}], reserved=RESERVED)
    mine, here = (replace(wanted.of(Route)[1], destination=prefix) for prefix in ("198.51.100.0/24", "198.18.0.0/15"))
    assert problems(Request((wanted,)), replace(HOST, routes={mine.place: (mine, 12)})) == ()
    for route, protocol in ((here, 12), (replace(mine, metric=0), 12), (mine, 4)):
        assert len(problems(Request((wanted,)), replace(HOST, routes={route.place: (route, protocol)}))) == 1


def test_routes_elsewhere_are_no_matter() -> None:
    item = state(routes=[ROUTE]).of(Route)[0]
    host = replace(HOST, routes={item.place: (item, 4)})
    assert problems(Request((state(routes=[{**ROUTE, "metric": 5}]),)), host) == ()
    assert problems(Request((state(rules=[RULE], reserved=RESERVED),)), host) == ()


def test_a_strangers_rule_is_named() -> None:
    host = replace(HOST, rules=((Rule(4, 0, 255), 2), (Rule(4, 4250, 9, iif="a0"), 0), (Rule(4, 32766, 254), 2)))
    (problem,) = problems(Request((state(rules=[RULE], reserved=RESERVED),)), host)
    assert problem == (
        "rule 4250: iif a0 lookup 9 stands where only ours may and was made by hand or an unknown program (protocol 0)"
    )
    assert problems(Request((state(rules=[RULE]),)), host) == ()
    same = replace(HOST, rules=((Rule(4, 4290, 4200), 4),))
    assert len(problems(Request((state(rules=[RULE]),)), same)) == 1


def test_our_own_routes_and_rules_may_stand_there() -> None:
    item = state(routes=[ROUTE]).of(Route)[0]
    host = replace(HOST, routes={item.place: (item, 120)}, rules=((Rule(4, 4250, 9), 120),))
    assert problems(Request((state(routes=[ROUTE], rules=[RULE], reserved=RESERVED),)), host) == ()


# --- what is missing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lists", "problem"),
    [
        (
            {"routes": [{**ROUTE, "nexthops": [{"device": "a0"}, {"device": "c0"}]}]},
            f"route 198.18.0.0/15 table 4200 metric 0 dev a0 weight 1 dev c0 weight 1: {NO_C0}",
        ),
        (
            {"proxies": [{"device": "c0", "address": "192.0.2.1"}]},
            f"proxy 192.0.2.1 on c0: {NO_C0}",
        ),
        ({"groups": [{"device": "c0", "group": 1}]}, f"group 1 of c0: {NO_C0}"),
        (
            {"addresses": [{"device": "c0", "address": "192.0.2.1"}]},
            f"address 192.0.2.1/32 on c0: {NO_C0}",
        ),
        (
            {"tunnels": [{**TUNNEL, "device": "c0"}]},
            f"tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17: {NO_C0}",
        ),
        (
            {"sysctls": [{"name": "net/ipv4/nonsense", "value": 1}]},
            "sysctl net/ipv4/nonsense = 1: this kernel has no such setting",
        ),
        (
            {"tunnels": [TUNNEL], "sysctls": [{"name": "net/ipv4/conf/ex-dsl/nonsense", "value": 1}]},
            "sysctl net/ipv4/conf/ex-dsl/nonsense = 1: this kernel has no such setting",
        ),
    ],
)
def test_missing_devices_and_settings_are_named(lists: Plain, problem: str) -> None:
    assert problems(Request((state(**lists),))) == (problem,)


def test_a_device_that_goes_is_missing() -> None:
    host = with_tunnel({**TUNNEL, "name": "ex-old"}, "extrude:acme/office/old")
    wanted = state(addresses=[{"device": "ex-old", "address": "10.254.0.1/31"}])
    assert len(problems(Request((wanted,)), host)) == 1
    assert problems(Request((wanted,), purge=False), host) == ()


def test_optional_settings_may_be_missing() -> None:
    assert problems(Request((state(sysctls=[{"name": "net/ipv4/x", "value": 1, "optional": True}]),))) == ()


def test_domains_need_somebody_who_learns_their_addresses() -> None:
    wanted = state(resolvers=[{"name": "acme.1", "content": "ipset=/a.example/EXTRUDE-a.example\n"}])
    assert problems(Request((wanted,))) == ()
    (told,) = problems(Request((wanted,)), replace(HOST, resolves=False))
    assert told.startswith("office: extrude_direct: domains need dnsmasq, which learns their addresses")
    assert problems(Request((state(),), (wanted,)), replace(HOST, resolves=False)) == ()


def test_all_problems_are_told_at_once_and_many_are_counted() -> None:
    wanted = state(proxies=[{"device": "c0", "address": f"192.0.2.{number}"} for number in range(30)])
    with pytest.raises(Conflict) as conflict:
        refuse(HOST, Request((wanted,)))
    assert len(conflict.value.problems) == 30
    assert str(conflict.value).count("there is no device") == 20
    assert str(conflict.value).endswith("; and 10 more")


# --- what the host holds elsewhere -------------------------------------------------------------------

HOLDER = replace(HOST, addresses=(Address("a0", "192.0.2.2/24"),))


@pytest.mark.parametrize(
    ("came_by", "wanted", "elsewhere", "refused"),
    [
        ("203.0.113.10", (), (), True),
        ("203.0.113.10", ({"device": "b0", "address": "203.0.113.10/24"},), (), False),
        ("203.0.113.10", (), (Address("b0", "203.0.113.10/24"),), False),
        ("192.0.2.2", (), (), False),
        ("", (), (), False),
    ],
)
def test_the_address_by_which_a_run_has_come_stays(
    came_by: str, wanted: tuple[Plain, ...], elsewhere: tuple[Address, ...], refused: bool
) -> None:
    had = state(addresses=[{"device": "a0", "address": "203.0.113.10/32"}])
    current = replace(HOST, addresses=(*had.of(Address), *elsewhere))
    told = problems(Request((state(addresses=list(wanted)),), (had,), came_by=came_by), current)
    assert [text.partition(" would go, and this run came by it")[0] for text in told] == ["203.0.113.10"] * refused


def expecting(**expected: str) -> Request:
    return Request((state(expects=[{"address": "192.0.2.2", **expected}]),))


def test_a_host_that_does_not_hold_what_the_inventory_knows_it_by_is_refused() -> None:
    assert problems(expecting(), HOLDER) == ()
    assert problems(expecting(device="a0"), HOLDER) == ()
    assert problems(expecting(device="b0"), HOLDER) == ("192.0.2.2 is on a0 of this host; the inventory has it on b0",)
    assert problems(expecting(), HOST) == ("192.0.2.2 is on no device of this host; the inventory has it here",)


@pytest.mark.parametrize(
    ("network", "device", "fits"),
    [
        ("192.0.2.10/32", "a0", True),
        ("192.0.2.128/25", "a0", True),
        ("192.0.2.10/32", "b0", False),
        ("192.0.2.0/24", "b0", False),
        ("203.0.113.10/32", "b0", True),
        ("2001:db8::10/128", "b0", True),
    ],
)
def test_a_network_is_not_on_the_link_of_another_device(network: str, device: str, fits: bool) -> None:
    wanted = state(expects=[{"network": network, "device": device, "variable": "rack: extrude_colo_interface"}])
    short = network.removesuffix("/32")
    problem = (
        f"rack: extrude_colo_interface: {short} is not on the link of {device} but of a0: correct it, or, where {short}"
        " is routed to this host, give its site extrude_take_over: true"
    )
    assert problems(Request((wanted,)), HOLDER) == (() if fits else (problem,))


def test_what_a_device_answers_for_already_is_not_asked_again() -> None:
    proxy = {"device": "b0", "address": "192.0.2.10"}
    wanted = state(proxies=[proxy], expects=[{"network": "192.0.2.10/32", "device": "b0"}])
    assert len(problems(Request((wanted,)), HOLDER)) == 1
    assert problems(Request((wanted,), (state(proxies=[proxy]),)), HOLDER) == ()


def test_a_host_does_not_answer_on_behalf_of_others_for_an_address_of_its_own() -> None:
    wanted = state(proxies=[{"device": "b0", "address": "192.0.2.2"}])
    assert problems(Request((wanted,)), HOST) == ()
    (problem,) = problems(Request((wanted,)), HOLDER)
    assert problem == "proxy 192.0.2.2 on b0: that is an address of this host itself, on a0"


SITE = claiming("acme", 1, "10.254.0.0/31")
IN_TUNNEL = "address 10.254.0.0/31 on ex1-dsl"


def beside(*addresses: Address) -> Current:
    return replace(HOST, addresses=(Address("lo", "127.0.0.1/8"), *addresses))


@pytest.mark.parametrize("address", ["10.254.0.0/31", "10.254.0.1/32", "10.254.0.0/16", "10.254.0.1/8"])
def test_an_inside_address_that_the_colo_has_already_is_refused(address: str) -> None:
    (problem,) = problems(Request((SITE,)), beside(Address("b0", address)))
    assert problem == (
        f"{IN_TUNNEL}: this host has address {address} on b0, which is within that tunnel: take it off, or give the"
        " colo another extrude_inside_pool"
    )
    (again,) = problems(Request((replace(SITE, take_over=True),), (SITE,)), beside(Address("b0", address)))
    assert again == problem


def test_of_an_address_in_the_tunnel_and_a_network_around_it_the_address_is_told() -> None:
    host = beside(Address("a0", "10.254.7.1/16"), Address("b0", "10.254.0.1/32"))
    (problem,) = problems(Request((SITE,)), host)
    assert "address 10.254.0.1/32 on b0, which is within that tunnel" in problem


def test_a_new_inside_address_in_a_network_of_the_colo_is_refused_unless_it_may_be_taken() -> None:
    host = beside(Address("b0", "10.254.7.1/16"), Address("a0", "10.254.0.2/31"), Address("a0", "fd65::9/48"))
    (problem,) = problems(Request((SITE,)), host)
    assert problem == (
        f"{IN_TUNNEL} is in the network of address 10.254.7.1/16 on b0 of this host: give the colo another"
        " extrude_inside_pool or, where nobody there has such addresses, the site extrude_take_over: true"
    )
    assert problems(Request((SITE,), (SITE,)), host) == ()
    assert problems(Request((replace(SITE, take_over=True),)), host) == ()
    assert problems(Request((SITE,), yields=True), host) == ()
    assert problems(Request((SITE,), kinds={"tunnels"}), host) == ()


def test_inside_addresses_of_ours_are_no_strangers() -> None:
    other, moved = claiming("globex", 2, "10.254.1.0/31"), claiming("acme", 1, "10.254.0.2/31")
    old = Address("ex1-old", "10.254.0.0/31")
    devices = with_tunnel({**TUNNEL, "name": "ex1-old"}, "extrude:acme/office/old").devices
    host = replace(
        beside(*SITE.of(Address), *moved.of(Address), *other.of(Address), old),
        devices=devices,
    )
    assert problems(Request((SITE,), (moved, other)), host) == ()


def marked(mark: int, mask: int, family: int = 4, protocol: int = 0) -> Current:
    return replace(HOST, rules=((Rule(family, 100, 99, mark=mark, mask=mask), protocol),))


MARKED = state(
    tunnels=[{**TUNNEL, "name": "ex1-dsl"}],
    rules=[{"priority": 4205, "table": 4219, "mark": 0x3F000000, "mask": 0x3F000000}],
    reserved={**RESERVED, "tables": [4200, 4219]},
)


@pytest.mark.parametrize(("mark", "mask"), [(0x1000000, 0x3F000000), (0x5000000, 0xFF000000), (0x20000000, 0xFFFFFFFF)])
def test_a_rule_of_others_on_our_marks_is_refused(mark: int, mask: int) -> None:
    (problem,) = problems(Request((MARKED,)), marked(mark, mask))
    assert problem == (
        f"rule 100: fwmark {mark:#x}/{mask:#x} lookup 99 asks for marks that are ours, of 0x3f000000, and was made by"
        " hand or an unknown program (protocol 0): give it others"
    )
    assert problems(Request((MARKED,), yields=True), marked(mark, mask)) == ()
    assert problems(Request((MARKED,), kinds={"tunnels"}), marked(mark, mask)) == ()


@pytest.mark.parametrize(
    "current",
    [
        marked(0xCA6C, 0xFFFFFFFF),
        marked(0x80000, 0xFF0000),
        marked(0, 0x3F000000),
        marked(0x1000000, 0x3F000000, protocol=120),
        marked(0x1000000, 0x3F000000, family=6),
        replace(HOST, rules=((Rule(4, 100, 99), 0),)),
    ],
)
def test_rules_that_ask_for_no_bit_of_ours_are_no_matter(current: Current) -> None:
    assert problems(Request((MARKED,)), current) == ()


def test_a_rule_on_our_marks_among_our_rules_is_told_once() -> None:
    host = replace(HOST, rules=((Rule(4, 4250, 99, mark=0x1000000, mask=0x3F000000), 0),))
    (problem,) = problems(Request((MARKED,)), host)
    assert "stands where only ours may" in problem
