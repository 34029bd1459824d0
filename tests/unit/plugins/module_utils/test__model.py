# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    KINDS,
    MODELS,
    Dummy,
    EngineError,
    File,
    Nexthop,
    Owner,
    Route,
    Rule,
    State,
    Sysctl,
    Tunnel,
    needed_by_proxies,
    plain,
)
from tests.unit.states import Plain, states

TUNNEL = {"name": "ex-dsl", "local": "192.0.2.2", "remote": "203.0.113.2"}


def parse(**lists: object) -> State:
    return State.parse({"customer": "acme", "site": "office", **lists})


def route(**values: object) -> Route:
    values.setdefault("nexthops", [{"device": "a0"}])
    (item,) = parse(routes=[{"destination": "0.0.0.0/0", **values}]).of(Route)
    return item


# --- normal forms ---------------------------------------------------------------------------------


def test_the_weight_of_a_single_hop_means_nothing() -> None:
    assert route(nexthops=[{"device": "a0", "weight": 7}]) == route(nexthops=[{"device": "a0"}])


def test_the_order_of_hops_means_nothing_but_their_weights_do() -> None:
    one, two = {"device": "a0", "weight": 2}, {"device": "b0", "weight": 1}
    assert route(nexthops=[one, two]) == route(nexthops=[two, one])
    assert route(nexthops=[one, two]) != route(nexthops=[{**one, "weight": 1}, two])


def test_ipv6_has_no_metric_0_and_no_scope() -> None:
    item = route(destination="::/0", metric=0, scope="link")
    assert (item.metric, item.scope) == (1024, "global")
    assert item.place == (6, 254, "::/0", 1024)


@pytest.mark.parametrize(
    ("values", "scope"),
    [
        ({"nexthops": [{"device": "a0"}]}, "link"),
        ({"nexthops": [{"device": "a0"}, {"device": "b0"}]}, "link"),
        ({"nexthops": [{"device": "a0", "gateway": "10.1.0.9"}]}, "global"),
        ({"nexthops": [{"device": "a0"}, {"device": "b0", "gateway": "10.2.0.9"}]}, "global"),
        ({"nexthops": [{"device": "a0"}], "scope": "host"}, "host"),
        ({"nexthops": [], "type": "blackhole"}, "global"),
    ],
)
def test_the_scope_follows_from_the_gateways(values: Plain, scope: str) -> None:
    assert route(**values).scope == scope


def test_a_rule_that_names_all_addresses_names_none() -> None:
    (item,) = parse(rules=[{"priority": 5, "table": 9, "source": "0.0.0.0/0"}]).objects
    assert item == parse(rules=[{"priority": 5, "table": 9}]).objects[0]


def test_a_mark_without_mask_has_the_full_one() -> None:
    (item,) = parse(rules=[{"priority": 5, "table": 9, "mark": 1}]).objects
    assert plain(item)["mask"] == 0xFFFFFFFF


def test_an_ipv6_address_is_in_one_place_whatever_its_prefix_length() -> None:
    long, short, v4, other4 = parse(
        addresses=[
            {"device": "lo", "address": address}
            for address in ("2001:db8::1/128", "2001:db8::1/64", "192.0.2.1/32", "192.0.2.1/24")
        ]
    ).objects
    assert long.place == short.place
    assert long != short
    assert v4.place != other4.place


@pytest.mark.parametrize(
    ("value", "stored"), [(1, "1"), (True, "1"), (False, "0"), (" 4096\t131072  6291456\n", "4096 131072 6291456")]
)
def test_values_of_sysctls_are_texts_with_single_blanks(value: object, stored: str) -> None:
    (item,) = parse(sysctls=[{"name": "net/ipv4/tcp_rmem", "value": value}]).of(Sysctl)
    assert item.value == stored


def test_the_alias_of_a_tunnel_names_customer_site_and_link() -> None:
    first, second = parse(tunnels=[TUNNEL, {**TUNNEL, "name": "ex-2", "key": 1, "wan": "cable"}]).of(Tunnel)
    assert first.alias == "extrude:acme/office/ex-dsl"
    assert second.alias == "extrude:acme/office/cable"
    assert {first.owner, second.owner} == {Owner("acme", "office").label}
    assert Tunnel("x", "192.0.2.1", "192.0.2.2", alias="of/somebody/else").owner == ""


@pytest.mark.parametrize("site", ["büro", "a.b-c_d", "10.0.0.1", "%s{{x}}", "'\"$(reboot)"])
def test_odd_names_of_sites_come_back_from_the_alias(site: str) -> None:
    state = State.parse({"customer": "a-1", "site": site, "tunnels": [{**TUNNEL, "wan": "l:1"}]})
    assert state.of(Tunnel)[0].owner == state.owner.label
    assert plain(state.of(Tunnel)[0])["wan"] == "l:1"


def test_a_tunnel_that_has_no_alias_yet_names_no_wan() -> None:
    tunnel = parse(tunnels=[TUNNEL]).of(Tunnel)[0]
    assert "wan" not in plain(replace(tunnel, alias=""))


def test_a_key_of_0_is_a_key() -> None:
    keyed, keyless = parse(tunnels=[{**TUNNEL, "key": 0}, {**TUNNEL, "name": "ex-2"}]).of(Tunnel)
    assert keyed.identity != keyless.identity


def test_stand_by_is_no_part_of_what_a_rule_is_but_is_kept() -> None:
    plain_rule, standby = {"family": 4, "priority": 4291, "table": 4217}, {"standby": True}
    one, two = parse(rules=[plain_rule, {**plain_rule, **standby}]).of(Rule)
    assert (one, one.place) == (two, two.place)
    assert (plain(one), plain(two)) == (plain_rule, {**plain_rule, **standby})


def test_that_a_route_lasts_is_no_part_of_what_it_is_but_is_kept() -> None:
    route = {"destination": "203.0.113.10/32", "table": 4219, "type": "throw", "scope": "global"}
    one, two = parse(routes=[route, {**route, "lasting": True}]).of(Route)
    assert (one, one.place, one.by(())) == (two, two.place, one)
    assert (plain(one).get("lasting"), plain(two)["lasting"], two.by(()).lasting) == (None, True, True)


def test_what_is_expected_comes_back_from_plain_data() -> None:
    expects = [
        {"address": "203.0.113.2"},
        {
            "address": "192.0.2.2",
            "device": "eth1",
            "gateway": "192.0.2.1",
            "variable": "office: extrude_wans[0].gateway",
        },
        {"network": "203.0.113.0/24", "device": "eth0"},
    ]
    state = State.parse({"customer": "acme", "site": "office", "expects": expects})
    assert state.plain()["expects"] == expects
    assert State.parse(state.plain()) == state


def test_dummies_and_files_come_back_from_plain_data() -> None:
    file = {"path": "bird.d/acme.office.conf", "content": "protocol bgp {\n}\n"}
    dummy, made = parse(dummies=[{"name": "extrude0"}], files=[file]).objects
    assert (dummy, made) == (Dummy("extrude0", "extrude:dummy"), File(file["path"], file["content"]))
    assert (plain(dummy), plain(made)) == ({"name": "extrude0"}, file)
    assert plain(Dummy("extrude0", "", "down")) == {"name": "extrude0", "extra": "down"}


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        ({"routes": [{"destination": "0.0.0.0/0"}]}, "routes[0].nexthops: a unicast route needs at least one"),
        (
            {"routes": [{"destination": "10.0.0.0/8", "type": "prohibit", "nexthops": [{"device": "a0"}]}]},
            "routes[0].nexthops: a unicast route needs at least one, any other type takes none",
        ),
        (
            {"routes": [{"destination": "::/0", "nexthops": [{"device": "a0", "gateway": "10.0.0.1"}]}]},
            "routes[0].nexthops: a gateway is not of IPv6 as the destination is",
        ),
        (
            {"routes": [{"destination": "::/0", "nexthops": [{"device": "a0"}, {"device": "b0"}]}]},
            "routes[0].nexthops: IPv6 takes several next hops only when each has a gateway",
        ),
        (
            {"routes": [{"destination": "0.0.0.0/0", "nexthops": [{"device": "a0"}, {"device": "a0", "weight": 2}]}]},
            "routes[0].nexthops: the same next hop stands there twice",
        ),
        (
            {"routes": [{"destination": "0.0.0.0/0", "nexthops": [{"gateway": "10.0.0.1"}]}]},
            "routes[0].nexthops[0].device: is missing",
        ),
        (
            {"routes": [{"destination": "0.0.0.0/0", "nexthops": [{"device": "a0", "weight": 256}]}]},
            "routes[0].nexthops[0].weight: 256 is not a number from 1 to 255",
        ),
        (
            {"routes": [{"destination": "0.0.0.0/0", "source": "::1", "nexthops": [{"device": "a0"}]}]},
            "routes[0].source: '::1' is no IPv4 address",
        ),
        (
            {"routes": [{"destination": "192.0.2.1/24", "nexthops": [{"device": "a0"}]}]},
            "routes[0].destination: '192.0.2.1/24' is no prefix (192.0.2.1/24 has host bits set)",
        ),
        ({"routes": [{"destination": "0.0.0.0/0", "tabel": 5, "type": "blackhole"}]}, "routes[0].tabel: is not known"),
        ({"rules": [{"priority": 0, "table": 5}]}, "rules[0].priority: 0 is not a number from 1"),
        ({"rules": [{"priority": 5, "table": 5, "mask": 1}]}, "rules[0].mark: is missing, but mask is given"),
        ({"rules": [{"priority": 5, "table": 5, "source": "::/0"}]}, "rules[0].source: '::/0' is no IPv4 prefix"),
        ({"rules": [{"priority": 5, "table": 5, "suppress_prefixlength": 33}]}, "33 is not a number from 0 to 32"),
        ({"tunnels": [{**TUNNEL, "local": "::1"}]}, "tunnels[0].local: '::1' is no IPv4 address"),
        ({"tunnels": [{**TUNNEL, "key": 2**32}]}, "tunnels[0].key: 4294967296 is not a number from 0 to 4294967295"),
        ({"tunnels": [{**TUNNEL, "mtu": 67}]}, "tunnels[0].mtu: 67 is not a number from 68"),
        ({"tunnels": [{**TUNNEL, "wan": "a/b"}]}, "tunnels[0].wan: 'a/b' is not the name of a link"),
        ({"tunnels": [TUNNEL, {**TUNNEL, "extra": "down"}]}, "tunnels[1].extra: is not known here"),
        ({"addresses": [{"device": "lo", "address": "10.0.0"}]}, "addresses[0].address: '10.0.0' is no address"),
        ({"proxies": [{"device": "a0", "address": "10.0.0.0/30"}]}, "proxies[0].address: '10.0.0.0/30' is no address"),
        ({"groups": [{"device": "a0", "group": 0}]}, "groups[0].group: 0 is not a number from 1"),
        ({"sysctls": [{"name": "../etc/passwd", "value": 1}]}, "sysctls[0].name: '../etc/passwd' is not the path"),
        ({"sysctls": [{"name": "net.ipv4.ip_forward", "value": 1}]}, "is not the path of a setting below /proc/sys"),
        ({"sysctls": [{"name": "net/ipv4/ip_forward", "value": []}]}, "[] is neither a text nor a number"),
        ({"chains": [{"name": "FORWARD", "hook": "FORWARD"}]}, "chains[0].name: 'FORWARD' is not the name of a chain"),
        ({"chains": [{"name": "EXTRUDE-A", "hook": "x"}]}, "chains[0].hook: 'x' is not a built-in chain"),
        ({"dummies": [{"name": "extrude0/1"}]}, "dummies[0].name: 'extrude0/1' is not the name of a device"),
        (
            {"dummies": [{"name": "extrude0", "alias": "x"}]},
            "dummies[0].alias: is not known here; known are kind, name",
        ),
        ({"rules": [{"priority": 5, "table": 5, "standby": 1}]}, "rules[0].standby: 1 is neither true nor false"),
        ({"files": [{"path": "bird.conf"}]}, "files[0].content: is missing"),
        ({"files": [{"path": "bird.conf", "content": ""}]}, "files[0].content: '' is not what a text file may hold"),
        ({"files": [{"path": "bird.conf", "content": "\0"}]}, "files[0].content: '\\x00' is not what a text file"),
        ({"files": [{"path": "bird.conf", "content": "\udc80"}]}, "files[0].content: '\\udc80' is not what a text"),
        ({"files": [{"path": "bird.conf", "content": "x", "mode": "0600"}]}, "files[0].mode: is not known here"),
        ({"customer": "ACME"}, "customer: 'ACME' is not the name of a customer"),
        ({"site": "a/b"}, "site: 'a/b' is not the name of a site"),
        ({"schema": 2}, "schema: 2 is newer than this version understands (1)"),
        ({"reserved": {"priorities": [1]}}, "reserved.priorities: takes the first and the last one"),
        ({"reserved": {"tables": ["x"]}}, "reserved.tables: ['x'] is no list of numbers"),
        ({"reserved": {"chains": []}}, "reserved.chains: is not known here"),
        ({"tunnel": []}, "tunnel: is not known here; known are addresses, certificate, chains"),
        ({"routes": {}}, "routes: {} is no list"),
    ],
)
def test_bad_values_are_named_with_their_place(state: Plain, complaint: str) -> None:
    with pytest.raises(EngineError) as error:
        parse(**state)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../passwd",
        "a/../b",
        "a/b/c",
        "a/",
        ".hidden",
        "a/.hidden",
        "a b",
        "a\n",
        "ä",
        "-f",
    ],
)
def test_files_stand_in_their_folder_or_one_below(path: str) -> None:
    with pytest.raises(EngineError, match=r"^files\[0\]\.path: .* is not the path of a file below /etc/extrude"):
        parse(files=[{"path": path, "content": "x"}])


def test_the_place_starts_with_that_of_the_state() -> None:
    with pytest.raises(EngineError, match=r"^states\[3\]\.rules\[0\]\.table: is missing$"):
        State.parse({"customer": "acme", "site": "x", "rules": [{"priority": 5}]}, "states[3]")
    with pytest.raises(EngineError, match=r"^states\[3\]: 5 is no dictionary$"):
        State.parse(5, "states[3]")


def test_an_alias_longer_than_the_kernel_takes_is_refused() -> None:
    with pytest.raises(EngineError, match=r"tunnels\[0\]\.wan: the alias .* is longer than 255 bytes"):
        State.parse({"customer": "a", "site": "ü" * 64, "tunnels": [{**TUNNEL, "wan": "ü" * 64}]})


# --- plain data -----------------------------------------------------------------------------------


@given(states())
def test_a_state_survives_json(state: State) -> None:
    assert State.parse(json.loads(json.dumps(state.plain()))) == state


@given(states())
def test_every_object_says_what_it_is_in_one_line(state: State) -> None:
    for item in state.objects:
        assert str(item)
        assert "\n" not in str(item)
        assert item.KIND in KINDS
        hash(item)


def test_kinds_are_in_the_order_of_what_stands_on_what() -> None:
    assert " ".join(MODELS) == (
        "sets chains connections tunnels dummies groups delays shapers redirects"
        " addresses sysctls routes rules proxies files resolvers"
    )


def test_hops_show_what_is_set() -> None:
    assert plain(route(nexthops=[{"device": "a0"}, {"device": "b0", "gateway": "10.2.0.9", "weight": 3}]))[
        "nexthops"
    ] == [
        {"device": "a0", "weight": 1},
        {"device": "b0", "gateway": "10.2.0.9", "weight": 3},
    ]
    assert str(Nexthop("b0", "10.2.0.9", 3)) == "via 10.2.0.9 dev b0 weight 3"


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("203.0.113.10", ["net/ipv4/ip_forward=1", "net/ipv4/neigh/eth0.10/proxy_delay=0"]),
        (
            "2001:db8::10",
            [
                "net/ipv6/conf/all/forwarding=1",
                "net/ipv6/conf/eth0.10/proxy_ndp=1",
                "net/ipv6/neigh/eth0.10/proxy_delay=0",
            ],
        ),
    ],
)
def test_proxies_need_forwarding_and_no_delay(address: str, names: list[Any]) -> None:
    needed = needed_by_proxies(parse(proxies=[{"device": "eth0.10", "address": address}]))
    assert [f"{item.name}={item.value}" for item in needed] == names
