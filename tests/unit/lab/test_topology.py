# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import topology
from tests.lab.topology import Nat, Shape, TopologyError

Change = Callable[[dict[str, Any]], object]


def small() -> dict[str, Any]:
    return {
        "management": {"network": "10.0.2.0/24"},
        "nodes": {
            "router": {"kind": "host", "routes": [{"to": "0.0.0.0/0", "via": "192.0.2.1", "metric": 10}]},
            "isp": {"kind": "namespace", "forward": True, "services": ["http"]},
        },
        "links": {
            "line": {
                "ends": [
                    {"node": "isp", "device": "eth0", "addresses": ["192.0.2.1/24"], "accept": ["192.0.2.0/24"]},
                    {"node": "router", "device": "wan0", "addresses": ["192.0.2.2/24"]},
                ],
                "down": 50,
                "up": 20,
                "delay": 10,
            }
        },
    }


def test_default_topology_is_sound() -> None:
    default = topology.load(topology.DEFAULT)
    assert default.hosts == ("colo", "office")
    assert {"internet", "transit-a", "transit-b", "upstream", "isp-dsl", "isp-cable", "desk"} <= set(default.namespaces)


def test_links_of_the_dynamic_topology_come_with_each_client() -> None:
    dynamic = topology.load(topology.DYNAMIC)
    pairs = {(link.kind, link.customer.client) for link in dynamic.dynamic_links}
    assert pairs == {(kind, client) for kind in ("pppoe", "dhcp") for client in topology.CLIENTS[kind]}
    assert {link.login for link in dynamic.dynamic_links if link.kind == "pppoe"} == {"chap", "pap"}


def test_everything_but_the_dsl_link_is_behind_two_nats() -> None:
    nat = topology.load(topology.NAT)
    assert nat.nats == ("cgnat", "lte-router", "kiosk-router")
    assert {end.node for end in nat.link("cell").ends} == set(nat.nats)
    assert {link.name for name in ("office", "kiosk") for link in nat.links_of(name)} == {
        *("dsl", "lan"),
        *(link.name for name in ("lte-router", "kiosk-router") for link in nat.links_of(name) if link.name != "cell"),
    }


@pytest.mark.parametrize("file", [topology.DEFAULT, topology.DYNAMIC, topology.NAT])
def test_data_survives_a_round_trip(file: Path) -> None:
    parsed = topology.load(file)
    assert topology.parse(parsed.as_data()) == parsed


def test_management_addresses_start_at_ten() -> None:
    assert topology.parse(small()).management_addresses == {"labvm": "10.0.2.10", "router": "10.0.2.11"}


def test_first_end_receives_up_and_the_others_down() -> None:
    link = topology.parse(small()).link("line")
    assert link.shape(0) == Shape(rate=20, delay=10)
    assert link.shape(1) == Shape(rate=50, delay=10)


def test_links_of_a_node_are_all_that_end_there() -> None:
    default = topology.load(topology.DEFAULT)
    assert [link.name for link in default.links_of("transit-a")] == ["core-ta", "ta-rack"]
    assert [link.name for link in default.links_of("dsl")] == ["dsl"]


def test_a_node_is_left_out_with_its_links_and_what_hangs_on_them() -> None:
    whole = topology.load(topology.DYNAMIC)
    less = whole.without(["depot"])
    assert set(whole.hosts) - set(less.hosts) == {"depot"}
    assert set(whole.namespaces) - set(less.namespaces) == {"scanner"}
    assert {link.name for link in whole.links} - {link.name for link in less.links} == {
        "dsl-depot",
        "cable-depot",
        "lan-depot",
    }
    assert whole.without([]) == whole
    with pytest.raises(TopologyError, match="no node nobody"):
        whole.without(["nobody"])


def test_unknown_link_is_named_with_what_there_is() -> None:
    with pytest.raises(TopologyError, match="no link nosuch; there are: line"):
        topology.parse(small()).links_of("nosuch")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda data: data["nodes"]["router"].update(kind="vm"), "node router: kind is 'vm'"),
        (lambda data: data["nodes"]["router"].update(colour="red"), "node router: unknown key colour"),
        (lambda data: data["nodes"]["isp"].pop("kind"), "node isp: kind is missing"),
        (lambda data: data["nodes"].update({"a-much-too-long-name": {"kind": "host"}}), "a name is up to 13"),
        (lambda data: data["nodes"].update(wires={"kind": "namespace"}), "node wires: a name is"),
        (lambda data: data["nodes"]["isp"].update(services=["ftp"]), "service 'ftp' is not one of http, iperf3"),
        (lambda data: data["nodes"]["router"].update(services=["http"]), "service 'http' is not one of"),
        (lambda data: data["nodes"]["router"]["routes"][0].update(via="198.51.100.1"), "is in no network of router"),
        (lambda data: data["nodes"]["router"]["routes"][0].update(to="0.0.0.0/33"), "'0.0.0.0/33' is not a network"),
        (lambda data: data["links"]["line"]["ends"].pop(), "link line: needs at least two ends"),
        (lambda data: data["links"]["line"]["ends"][1].update(node="nobody"), "link line: no node nobody"),
        (lambda data: data["links"]["line"]["ends"][1].update(device="mgmt0"), "'mgmt0' is not a free device name"),
        (lambda data: data["links"]["line"]["ends"][1].update(addresses=["192.0.2.300"]), "is not an address"),
        (lambda data: data["links"]["line"]["ends"][0].update(accept=["192.0.2.2/24"]), "is not a network"),
        (lambda data: data["links"]["line"].update(down=0), "link line: rate 0 is not above 0"),
        (lambda data: data["links"]["line"].update(delay=-1), "delay and jitter can't be negative"),
        (lambda data: data["links"]["line"].update(loss=101), "loss 101 is not a percentage"),
        (lambda data: data["links"].update(isp=data["links"]["line"]), "link isp: a name is up to 12"),
        (lambda data: data["links"].update(copy=data["links"]["line"]), "router has a second device wan0"),
        (lambda data: data["management"].update(network="10.0.2.0/29"), "10.0.2.0/29 is too small"),
        (lambda data: data.pop("nodes"), "no nodes"),
    ],
)
def test_faults_are_named(change: Change, complaint: str) -> None:
    data = small()
    change(data)
    with pytest.raises(TopologyError, match=complaint):
        topology.parse(data)


def test_a_static_link_has_no_client() -> None:
    data = small()
    data["links"]["line"]["ends"][1]["client"] = "networkd"
    with pytest.raises(TopologyError, match="router has a client on a static link"):
        topology.parse(data)


def small_dynamic() -> dict[str, Any]:
    data = small()
    data["nodes"]["router"].pop("routes")
    data["links"]["line"] |= {"kind": "pppoe"}
    data["links"]["line"]["ends"][0].pop("accept")
    data["links"]["line"]["ends"][1]["client"] = "ifupdown"
    return data


def test_a_dynamic_link_names_provider_and_customer() -> None:
    (link,) = topology.parse(small_dynamic()).dynamic_links
    assert (link.provider.node, link.customer.node) == ("isp", "router")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda link: link.update(kind="isdn"), "kind is 'isdn', not one of static, pppoe, dhcp"),
        (lambda link: link.update(login="none"), "login 'none' is not one of chap, pap"),
        (lambda link: link["ends"].reverse(), "the first end is the provider's"),
        (lambda link: link["ends"].append({"node": "isp", "device": "eth1"}), "joins a provider and one customer"),
        (lambda link: link["ends"][1].update(client="telnet"), "client 'telnet' is not one of ifupdown"),
        (lambda link: link["ends"][0].update(accept=["192.0.2.0/24"]), "nothing to accept"),
        (lambda link: link["ends"][1].update(addresses=["198.51.100.2/24"]), "one IPv4 address, of one network"),
        (lambda link: link["ends"][1].update(addresses=[]), "one IPv4 address, of one network"),
    ],
)
def test_faults_of_dynamic_links_are_named(change: Change, complaint: str) -> None:
    data = small_dynamic()
    change(data["links"]["line"])
    with pytest.raises(TopologyError, match=complaint):
        topology.parse(data)


def test_a_nat_forgets_silent_flows_after_half_a_minute() -> None:
    data = small()
    data["nodes"]["isp"]["nat"] = {"outside": "eth0"}
    parsed = topology.parse(data)
    assert parsed.nats == ("isp",)
    assert parsed.nodes[1].nat == Nat("eth0", udp_timeout=30)


@pytest.mark.parametrize(
    ("node", "nat", "complaint"),
    [
        ("isp", {}, "node isp: nat: outside is missing"),
        ("isp", {"outside": "eth0", "inside": "eth1"}, "node isp: nat: unknown key inside"),
        ("isp", {"outside": "eth1"}, "node isp: nat: outside is 'eth1', not a device of isp"),
        ("isp", {"outside": "eth0", "udp_timeout": 0}, "node isp: nat: udp_timeout 0 is not above 0"),
        ("router", {"outside": "wan0"}, "node router: nat: only a namespace has one"),
    ],
)
def test_faults_of_a_nat_are_named(node: str, nat: dict[str, Any], complaint: str) -> None:
    data = small()
    data["nodes"][node]["nat"] = nat
    with pytest.raises(TopologyError, match=complaint):
        topology.parse(data)


def test_all_faults_are_told_at_once() -> None:
    data = small()
    data["nodes"]["router"]["kind"] = "vm"
    data["links"]["line"]["loss"] = 200
    with pytest.raises(TopologyError) as raised:
        topology.parse(data)
    assert len(str(raised.value).splitlines()) >= 2


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=r"none\.toml: No such file"):
        topology.load(tmp_path / "none.toml")


def test_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("nodes = [", encoding="utf-8")
    with pytest.raises(TopologyError, match=r"bad\.toml: "):
        topology.load(path)
