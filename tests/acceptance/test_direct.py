# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site keeps off the extruded space: by which link it leaves, and that it stays there."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance import modules, names, sessions, traffic, watch
from tests.acceptance.conftest import brought
from tests.acceptance.inventory import Variables, lab_host
from tests.acceptance.test_when_down import LINKS, SENDER
from tests.acceptance.traffic import DESK_ADDRESS, FLOWS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

UPDATES = "198.18.0.20"
"""Another address on the internet."""
PRETENDED = "198.18.0.30"
"""One that nobody has."""
ONE = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.bind((sys.argv[1], 9))
    sender.sendto(b"x", (sys.argv[2], 20000))
"""
"""Sends one datagram, which seems to begin what traffic.SENDER then sends first."""
PORT = 9150
LIST = (
    {"destination": UPDATES},
    {"protocol": "udp", "ports": "9100-9199"},
    {"protocol": "icmp", "dscp": "cs1"},
)
NAME_SERVERS = {"dsl": "198.18.5.2", "cable": "198.18.6.2"}
"""Of the providers, none of whose customers' networks they are in."""
EXITS = 4237
"""The table of the links that live."""
SHARES = {"dsl": 62, "cable": 38}
"""Of what is received: 50 and 30 Mbit/s."""


def listed(*direct: Variables) -> Variables:
    """The office with a list."""
    return {**lab_host("office"), "extrude_direct": list(direct)}


@pytest.fixture(scope="module")
def direct(deployed: Lab) -> Iterator[Lab]:
    """The lab where one destination, some ports and a class of service are direct."""
    deployed.exec("internet", ["ip", "address", "replace", f"{UPDATES}/24", "dev", "eth0"])
    by_link = ({"destination": address, "wan": link} for link, address in NAME_SERVERS.items())
    with brought(deployed, listed(*LIST, *by_link)):
        yield deployed
    deployed.exec("internet", ["ip", "address", "del", f"{UPDATES}/24", "dev", "eth0"])


@pytest.fixture
def neighbour(direct: Lab) -> Iterator[str]:
    """Somebody on a link who knows which router has the desk's address."""
    direct.exec("isp-cable", ["ip", "route", "replace", DESK_ADDRESS, "via", LINKS["cable"]])
    yield "isp-cable"
    direct.exec("isp-cable", ["ip", "route", "del", DESK_ADDRESS])


def seen(lab: Lab, node: str, address: str, *options: str) -> str:
    """The source that a web server with this address sees."""
    return traffic.fetch(lab, node, f"http://{address}/ip", *options)


def sending(lab: Lab, to: str, port: int, seconds: float) -> subprocess.Popen[str]:
    """Send from 8 ports of the desk, from this one on."""
    sender = SENDER.replace(INTERNET_ADDRESS, to)
    return lab.popen("desk", ["python3", "-c", sender, "192.168.10.2", str(port), str(seconds)])


def begin(lab: Lab, port: int) -> None:
    """Begin so many connections at the desk, from this port on, that each link has some that may have any."""
    sender = traffic.SENDER.replace("20000", str(port))
    lab.exec("desk", ["python3", "-c", sender, "192.168.10.2", UPDATES, "40", "1"])


def ways_of(lines: Iterable[str]) -> dict[str, list[str]]:
    """The sources that a capture saw one after another, by port."""
    ways: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        found = re.search(r"([\d.]+)\.(20\d\d\d) > ", line)
        if found and ways[found[2]][-1:] != [found[1]]:
            ways[found[2]].append(found[1])
    return ways


def used(lines: Iterable[str]) -> set[str]:
    """All sources that a capture saw."""
    return {source for sources in ways_of(lines).values() for source in sources}


@contextmanager
def dead_further_on(lab: Lab, link: str) -> Iterator[None]:
    """Lose all packets on a link for the body; its interface stays up."""
    lab.cut(link, black_hole=True)
    try:
        sessions.wait_down(lab, "office", f"ex-{link}")
        yield
    finally:
        lab.heal(link)
        sessions.wait_up(lab)


@pytest.mark.core
@pytest.mark.parametrize("node", ["desk", "office"])
def test_what_is_listed_leaves_by_a_link_as_its_address_and_all_else_by_tunnels(direct: Lab, node: str) -> None:
    assert seen(direct, node, UPDATES) in LINKS.values()
    assert seen(direct, node, INTERNET_ADDRESS) == ROUTER_ADDRESS


def test_hosts_that_own_an_address_are_no_exception(direct: Lab) -> None:
    assert seen(direct, "desk", UPDATES, "--interface", DESK_ADDRESS) in LINKS.values()
    assert seen(direct, "desk", INTERNET_ADDRESS, "--interface", DESK_ADDRESS) == DESK_ADDRESS


def test_by_port_and_by_class_of_service(direct: Lab) -> None:
    with watch.capture(direct, "internet", "eth0", f"icmp[icmptype] == icmp-echo or udp dst port {PORT}") as arrived:
        ping = ["ping", "-c", "1", "-W", "2", INTERNET_ADDRESS]
        direct.exec("desk", [*ping, "-Q", "0x20"])
        direct.exec("desk", ping)
        direct.exec("desk", ["python3", "-c", SENDER.replace(", 9)", f", {PORT})"), "192.168.10.2", "20080", "0.1"])
    listed_ping, other_ping, *datagrams = [line.split(" > ")[0].split()[-1] for line in arrived.lines]
    assert listed_ping in LINKS.values()
    assert other_ping == ROUTER_ADDRESS
    assert datagrams
    assert all(source.rpartition(".")[0] in LINKS.values() for source in datagrams)


def test_links_share_it_by_what_they_receive(direct: Lab) -> None:
    command = ["python3", "-c", traffic.SENDER, "192.168.10.2", UPDATES, str(FLOWS), "1"]
    with watch.capture(direct, "internet", "eth0", f"udp and dst {UPDATES}") as arrived:
        direct.exec("desk", command)
    counts = [sum(f" {address}." in line for line in arrived.lines) for address in LINKS.values()]
    assert sum(counts) == len(arrived.lines) == FLOWS
    assert 100 * counts[0] / FLOWS == pytest.approx(SHARES["dsl"], abs=12)


def test_a_neighbour_on_a_link_gets_no_answer_from_an_extruded_address_by_it(direct: Lab, neighbour: str) -> None:
    """A provider, or another customer on its segment, needs no tunnel to ask for one."""
    with (
        watch.capture(direct, "desk", "eth0", f"icmp and dst host {DESK_ADDRESS}") as asked,
        watch.capture(direct, neighbour, "office0", f"icmp and src host {DESK_ADDRESS}") as answered,
    ):
        traffic.reaches(direct, neighbour, DESK_ADDRESS, count=3)
    assert asked.lines, "it is about answers"
    assert answered.lines == []


def test_nor_does_what_goes_to_an_address_that_it_has_pretended_to_have(direct: Lab, neighbour: str) -> None:
    direct.exec(neighbour, ["ip", "address", "add", f"{PRETENDED}/32", "dev", "lo"])
    direct.exec(neighbour, ["python3", "-c", ONE, PRETENDED, DESK_ADDRESS])
    direct.exec(neighbour, ["ip", "address", "del", f"{PRETENDED}/32", "dev", "lo"])
    with watch.capture(direct, "colo", "eth0", f"udp and dst {PRETENDED}") as arrived:
        direct.exec("desk", ["python3", "-c", traffic.SENDER, DESK_ADDRESS, PRETENDED, "2", "3"])
    assert sorted(line.split(" > ")[0].split()[-1] for line in arrived.lines) == [
        f"{DESK_ADDRESS}.{port}" for port in (20000, 20001) for _packet in range(3)
    ]


@pytest.mark.parametrize("link", LINKS)
def test_a_provider_s_name_server_is_asked_by_its_own_link(direct: Lab, link: str) -> None:
    provider, address = f"isp-{link}", NAME_SERVERS[link]
    customers_only = ["INPUT", "-p", "udp", "--dport", "53", "!", "-s", f"{LINKS[link]}/24", "-j", "DROP"]
    direct.exec(provider, ["iptables", "-I", *customers_only])
    with names.server(direct, provider, address, {"example": UPDATES}):
        for node in ("desk", "office"):
            assert [names.ask(direct, node, "mail.example", address) for _turn in range(3)] == [UPDATES] * 3
    direct.exec(provider, ["iptables", "-D", *customers_only])


def test_a_changed_list_moves_no_connection_that_is_under_way(direct: Lab) -> None:
    senders = [sending(direct, to, port, 40) for to, port in ((UPDATES, 20050), (INTERNET_ADDRESS, 20060))]
    with watch.capture(direct, "internet", "eth0", "udp and src portrange 20050-20069") as arrived:
        direct.exec("office", ["sh", "-c", "until grep -q sport=2006 /proc/net/nf_conntrack; do sleep 0.1; done"])
        modules.bring(direct, listed({"destination": INTERNET_ADDRESS}))
        for sender in senders:
            sender.communicate(timeout=90)
    ways = ways_of(arrived.lines)
    assert len(ways) == 16
    assert all(len(set(sources)) == 1 for sources in ways.values()), ways
    assert all(set(sources) <= set(LINKS.values()) for port, sources in ways.items() if port < "20060")
    assert all(set(sources) == {ROUTER_ADDRESS} for port, sources in ways.items() if port >= "20060")
    assert seen(direct, "desk", INTERNET_ADDRESS) in LINKS.values()
    assert seen(direct, "desk", UPDATES) == ROUTER_ADDRESS
    modules.bring(direct, listed(*LIST))


@pytest.mark.parametrize(("gone", "left"), [("dsl", "cable"), ("cable", "dsl")])
def test_a_link_without_carrier_gets_none_of_it(direct: Lab, gone: str, left: str) -> None:
    direct.cut(gone)
    sessions.wait_down(direct, "office", f"ex-{gone}")
    try:
        assert {seen(direct, "desk", UPDATES) for _turn in range(6)} == {LINKS[left]}
    finally:
        direct.heal(gone)
        sessions.wait_up(direct)


def test_it_needs_no_tunnel(direct: Lab) -> None:
    with sessions.tunnels_down(direct):
        assert seen(direct, "desk", UPDATES) in LINKS.values()
    assert seen(direct, "desk", UPDATES) in LINKS.values()


def test_blocked_it_needs_none_either_and_nor_does_a_port_forward_of_the_admin_s(direct: Lab) -> None:
    forward = f"PREROUTING -d {LINKS['cable']} -p tcp --dport 2222 -j DNAT --to 192.168.10.2".split()
    modules.bring(direct, {**listed(*LIST), "extrude_when_down": "block"})
    direct.exec("office", ["iptables", "-t", "nat", "-A", *forward])
    with watch.connection(direct, "internet", "desk", LINKS["cable"]) as kept, sessions.tunnels_down(direct):
        for source in ((), ("--interface", DESK_ADDRESS)):
            assert {seen(direct, "desk", UPDATES, *source) for _turn in range(3)} <= set(LINKS.values())
    direct.exec("office", ["iptables", "-t", "nat", "-D", *forward])
    modules.bring(direct, listed(*LIST))
    assert kept.whole
    assert kept.longest < 3


@pytest.mark.core
@pytest.mark.parametrize(("gone", "left", "port"), [("dsl", "cable", 20300), ("cable", "dsl", 20400)])
def test_a_link_that_is_dead_further_on_gets_none_of_it_and_what_it_had_goes_on_elsewhere_and_stays_there(
    direct: Lab, gone: str, left: str, port: int
) -> None:
    with watch.capture(direct, "internet", "eth0", f"udp and src portrange {port}-{port + 15}") as arrived:
        senders = [sending(direct, UPDATES, first, 15) for first in (port, port + 8)]
        direct.exec("office", ["sh", "-c", f"until grep -q sport={port} /proc/net/nf_conntrack; do sleep 0.1; done"])
        with (
            names.server(direct, f"isp-{gone}", NAME_SERVERS[gone], {"example": UPDATES}),
            dead_further_on(direct, gone),
        ):
            assert names.ask(direct, "desk", "mail.example", NAME_SERVERS[gone]) == UPDATES  # by the other tunnel
            assert {seen(direct, node, UPDATES) for node in ("desk", "office") for _turn in range(4)} == {LINKS[left]}
        for sender in senders:
            sender.communicate(timeout=60)
    ways = ways_of(arrived.lines)
    assert len(ways) == 16
    assert {tuple(sources) for sources in ways.values()} == {(LINKS[gone], LINKS[left]), (LINKS[left],)}
    with watch.capture(direct, "internet", "eth0", f"udp and dst {UPDATES}") as arrived:
        begin(direct, port + 20)
    assert used(arrived.lines) == set(LINKS.values())


@pytest.mark.parametrize(
    ("host", "signal", "port"), [("colo", "TERM", 20500), ("colo", "KILL", 20600), ("office", "KILL", 20700)]
)
def test_nothing_moves_because_of_bird_and_all_links_go_on(direct: Lab, host: str, signal: str, port: int) -> None:
    """Stopped in order it stays away, killed it comes back at once."""
    with watch.capture(direct, "internet", "eth0", f"udp and dst {UPDATES}") as arrived:
        sender = sending(direct, UPDATES, port, 12)
        direct.exec("office", ["sh", "-c", f"until grep -q sport={port} /proc/net/nf_conntrack; do sleep 0.1; done"])
        if signal == "TERM":
            direct.exec(host, ["systemctl", "stop", sessions.UNIT])
            for link in LINKS:
                sessions.wait_down(direct, "office", f"ex-{link}")
        else:
            direct.exec(host, ["systemctl", "kill", "--signal=KILL", sessions.UNIT])
        begin(direct, port + 10)
        sessions.wait_up(direct)
        sender.communicate(timeout=60)
    ways = ways_of(arrived.lines)
    assert {port: len(sources) for port, sources in ways.items()} == dict.fromkeys(ways, 1)
    assert used(arrived.lines) == set(LINKS.values())


@pytest.mark.long
def test_a_link_without_a_tunnel_counts_as_alive_while_it_is_up_and_the_colo_is_reached(direct: Lab) -> None:
    base = listed(*LIST)
    dsl, cable = base["extrude_wans"]
    del cable["detect"]
    tunnels = {"colo": ("ex1-dsl",), "office": ("ex-dsl",)}
    with brought(direct, {**base, "extrude_wans": [dsl, {**cable, "use": "direct"}]}, tunnels):
        assert sessions.ways(direct, "office", "default", EXITS).keys() == {"dsl0", "cable0"}
        with sessions.tunnels_down(direct, tunnels):
            assert sessions.ways(direct, "office", "default", EXITS) == {}
            assert seen(direct, "desk", UPDATES) in LINKS.values()
        direct.exec("office", ["sh", "-c", "ip link set cable0 down && extrude apply"])
        assert sessions.ways(direct, "office", "default", EXITS).keys() == {"dsl0"}
        direct.exec("office", ["sh", "-c", "ip link set cable0 up && extrude apply"])
        assert sessions.ways(direct, "office", "default", EXITS).keys() == {"dsl0", "cable0"}
