# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.lab import topology, wiring
from tests.lab.topology import Route, Shape


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return wiring.guest_files(topology.load(topology.DEFAULT))


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        (Shape(), ""),
        (Shape(delay=10), "delay 10ms limit 20000"),
        (Shape(delay=10, jitter=2.5), "delay 10ms 2.5ms limit 20000"),
        (Shape(loss=1), "loss 1% limit 20000"),
        (Shape(rate=50, delay=10), "delay 10ms rate 50000kbit limit 289"),
        (Shape(rate=0.1), "rate 100kbit limit 32"),
    ],
)
def test_netem(shape: Shape, parameters: str) -> None:
    assert wiring.netem(shape) == parameters


def test_mac_addresses_are_local_stable_and_differ() -> None:
    first = wiring.mac_address("colo", "eth0")
    assert first == wiring.mac_address("colo", "eth0")
    assert first != wiring.mac_address("desk", "eth0")
    assert int(first.split(":")[0], 16) & 3 == 2


def test_every_end_is_plugged_in_once(files: dict[str, str]) -> None:
    default = topology.load(topology.DEFAULT)
    plugged = [port for node in default.nodes for port in files[f"net/{node.name}.ports"].split()]
    assert sorted(plugged) == sorted(port for link in default.links for port in link.ports)


def test_device_names_fit_the_kernel(files: dict[str, str]) -> None:
    words = [line.split() for name, text in files.items() if name.endswith(".cables") for line in text.splitlines()]
    names = [line[index + 1] for line in words for index, word in enumerate(line) if word == "name"]
    assert names
    assert all(len(name) <= 15 for name in names)


def test_isps_drop_foreign_sources_of_both_families(files: dict[str, str]) -> None:
    assert files["net/isp-dsl.filter4"].splitlines()[2:4] == [
        "-A FORWARD -i office0 -s 192.0.2.0/24 -j ACCEPT",
        "-A FORWARD -i office0 -j DROP",
    ]
    assert "ACCEPT\n-A" not in files["net/isp-dsl.filter6"]
    assert "-A FORWARD -i office0 -j DROP" in files["net/isp-dsl.filter6"]
    assert "net/core.filter4" not in files


def test_networkd_has_each_route_at_the_device_of_its_gateway(files: dict[str, str]) -> None:
    dsl = files["files/office/etc/systemd/network/20-dsl0.network"]
    cable = files["files/office/etc/systemd/network/20-cable0.network"]
    assert "Gateway=192.0.2.1\nMetric=100\n" in dsl
    assert "Gateway=198.51.100.1\nMetric=200\n" in cable
    assert "198.51.100" not in dsl


def test_management_network_has_no_route_on_hosts(files: dict[str, str]) -> None:
    assert "[Route]" not in files["files/office/etc/systemd/network/10-mgmt0.network"]


def test_networkd_unit_is_what_an_administrator_writes() -> None:
    unit = wiring.networkd_unit("wan0", ("192.0.2.2/24",), (Route("0.0.0.0/0", "192.0.2.1"),))
    assert unit == (
        "[Match]\nName=wan0\n\n[Network]\nIPv6AcceptRA=no\nAddress=192.0.2.2/24\n\n"
        "[Route]\nDestination=0.0.0.0/0\nGateway=192.0.2.1\n"
    )


def test_only_routers_forward(files: dict[str, str]) -> None:
    assert "net/ipv4/ip_forward 1" in files["net/core.sysctl"]
    assert "ip_forward" not in files["net/desk.sysctl"]


def test_hosts_have_machine_ids_of_their_own(files: dict[str, str]) -> None:
    ids = {files[f"files/{host}/etc/machine-id"] for host in ("colo", "office")}
    assert len(ids) == 2
    assert all(len(text) == 33 for text in ids)


@pytest.fixture(scope="module")
def dynamic() -> dict[str, str]:
    return wiring.guest_files(topology.load(topology.DYNAMIC))


def test_providers_serve_their_links_and_nobody_else_does(dynamic: dict[str, str], files: dict[str, str]) -> None:
    assert dynamic["net/isp-dsl.provided"] == "dsl dsl-branch dsl-depot\n"
    assert dynamic["net/core.provided"] == files["net/isp-dsl.provided"] == "\n"


def test_addresses_of_dynamic_links_are_set_at_neither_end(dynamic: dict[str, str]) -> None:
    assert "192.0.2.1/" not in dynamic["net/isp-dsl.ip"]
    assert not any("192.0.2.10" in text for name, text in dynamic.items() if name.startswith("files/office"))
    assert "files/office/etc/systemd/network/20-dsl0.network" not in dynamic


def test_a_lease_goes_to_the_device_that_the_customer_has(dynamic: dict[str, str]) -> None:
    mac = wiring.mac_address("office", "cable0")
    assert f"dhcp-host={mac}," in dynamic["net/cable.server"]
    assert f"address {mac}" in dynamic["net/office.cables"]


def test_static_links_of_a_dynamic_lab_are_as_ever(dynamic: dict[str, str], files: dict[str, str]) -> None:
    lan = "files/office/etc/systemd/network/20-lan0.network"
    assert dynamic[lan] == files[lan]
    assert dynamic["net/transit-a.ip"] == files["net/transit-a.ip"]


@pytest.fixture(scope="module")
def nat() -> dict[str, str]:
    return wiring.guest_files(topology.load(topology.NAT))


def test_a_nat_forwards_and_keeps_udp_as_long_as_the_file_says(nat: dict[str, str], files: dict[str, str]) -> None:
    sysctls = nat["net/cgnat.sysctl"].splitlines()
    assert {
        "net/ipv4/ip_forward 1",
        "net/netfilter/nf_conntrack_udp_timeout 25",
        "net/netfilter/nf_conntrack_udp_timeout_stream 25",
    } <= set(sysctls)
    assert "conntrack" not in files["net/core.sysctl"]


def test_a_nat_drops_what_has_no_ports_and_what_nobody_asked_for(nat: dict[str, str]) -> None:
    rules = nat["net/lte-router.nat"].splitlines()
    assert "-A POSTROUTING -o cell0 -j MASQUERADE --random-fully" in rules
    passed = [rule.split()[3] for rule in rules if rule.endswith("RETURN")]
    assert passed == ["tcp", "udp", "icmp"]
    assert rules.index("-A outward -j DROP") > max(n for n, rule in enumerate(rules) if rule.endswith("RETURN"))
    for chain in ("FORWARD", "INPUT"):
        assert f"-A {chain} -i cell0 -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP" in rules


def test_only_a_nat_has_such_rules(nat: dict[str, str], files: dict[str, str]) -> None:
    assert [name for name in nat if name.endswith(".nat")] == [
        "net/cgnat.nat",
        "net/lte-router.nat",
        "net/kiosk-router.nat",
    ]
    assert not [name for name in files if name.endswith(".nat")]
    assert nat["net/isp-dsl.filter4"] == files["net/isp-dsl.filter4"]
