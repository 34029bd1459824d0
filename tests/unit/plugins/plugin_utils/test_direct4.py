# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's router does with IPv4 that comes in by its links: chains and rules at work in network namespaces."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _iptables
from ansible_collections.multihome.extrude.plugins.module_utils._model import Chain, Rule, State
from tests.unit.netns import Netns, ip, join, output, scratch, sysctl
from tests.unit.plugins.plugin_utils.samples import Vars, office, rule_words, run

ROUTER, OWNER, DESK = "203.0.113.10", "203.0.113.11", "192.168.10.2"
"""Extruded to the router and to a host on its LAN, and that host's private address, which has NAT."""
INTERNET, DMZ = "198.18.0.10", "172.17.0.2"
"""The latter is on a network that the inventory does not know, such as that of containers."""
LISTED, OTHER = 443, 8080
FORWARDS = {2222: DESK, 2223: DMZ}
"""What the admin sends on that comes for the links' own addresses."""
LINKS, TUNNEL = {"dsl0": "192.0.2", "cable0": "198.51.100"}, {"ex-dsl": "10.254.0"}
"""The networks of the links, and of what is a tunnel here."""
SITE: Vars = {
    "extrude_lan": [
        {"interface": "lan0", "mode": "nat"},
        {"interface": "lan0", "mode": "routed", "addresses": [OWNER]},
    ],
    "extrude_direct": [{"ports": LISTED}],
}
BY_LINKS = {f"{network}.2" for network in LINKS.values()}
PATIENCE = 0.5
"""Seconds after which a packet does not come any more."""


class World:
    """A router, a host on its LAN, and a far end of both links that is the providers, the internet and the colo."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.router, self.host, self.dmz, self.far = (stack.enter_context(scratch()) for _end in range(4))
        with self.router.entered():
            join(self.host, "lan0")
            join(self.dmz, "dmz0")
            join(self.far, *LINKS, *TUNNEL)
            ip("address add 192.168.10.1/24 dev lan0", f"address add {ROUTER}/32 dev lo")
            ip("address add 172.17.0.1/24 dev dmz0")
            ip(*(f"address add {network}.2/24 dev {device}" for device, network in {**LINKS, **TUNNEL}.items()))
            for network, (port, to) in product(LINKS.values(), FORWARDS.items()):
                dnat = f"-d {network}.2 -p udp --dport {port} -j DNAT --to-destination {to}"
                output("iptables", "-t", "nat", "-A", "PREROUTING", *dnat.split())
        with self.far.entered():
            ip(*(f"address add {network}.1/24 dev {device}" for device, network in {**LINKS, **TUNNEL}.items()))
            ip(f"address add {INTERNET}/32 dev lo")
            ip(*(f"route add {address}/32 via 10.254.0.2" for address in (ROUTER, OWNER)))
            for device, network in LINKS.items():  # as providers do
                others = ",".join(
                    ["203.0.113.0/24", *(f"{other}.0/24" for other in LINKS.values() if other != network)]
                )
                output("iptables", "-t", "raw", "-A", "PREROUTING", "-i", device, "-s", others, "-j", "DROP")
            sysctl("net/ipv4/conf/ex-dsl/arp_announce", 2)  # no tunnel needs ARP; this one is asked in its own name
        with self.host.entered():
            ip(f"address add {DESK}/24 dev lan0", f"address add {OWNER}/32 dev lan0")
            ip("route add default via 192.168.10.1")
        with self.dmz.entered():
            ip(f"address add {DMZ}/24 dev dmz0", "route add default via 172.17.0.1")
        self.servers = {port: self.sender(self.far, INTERNET, port) for port in (LISTED, OTHER)}

    def apply(self, *, alive: bool = True, **changes: Any) -> World:
        """Hold what a site's state says, as far as these tests go; main has no default."""
        made = run(office=office(**{**SITE, **changes}))["sites"]["office"]
        state = State.parse(made)
        chains = {chain.place: chain for chain in state.of(Chain) if chain.family == 4}
        with self.router.entered():
            ip(*(f"link set {group['device']} group {group['group']}" for group in made["groups"]))
            for setting in made["sysctls"]:
                if "ipv4/" in setting["name"] and "ex-cable" not in setting["name"] and not setting["optional"]:
                    sysctl(setting["name"], setting["value"])
            ip("rule flush", "rule add priority 32766 lookup main")
            ip(*(rule_words(rule) for rule in state.of(Rule) if rule.family == 4 and not rule.standby))
            for table, network, device in ((4221, "192.0.2", "dsl0"), (4222, "198.51.100", "cable0")):
                ip(f"route replace {network}.0/24 dev {device} scope link table {table}")
                ip(f"route replace default via {network}.1 dev {device} table {table}")
            hops = (f"nexthop via {network}.1 dev {device}" for device, network in LINKS.items())
            gateways = (f"route replace {network}.1 dev {device} table 4219" for device, network in LINKS.items())
            ip(*gateways, f"route replace default table 4219 {' '.join(hops)}")
            ip(
                f"route replace {OWNER}/32 dev lan0 scope link table 4200",
                "route replace unreachable default table 4218",
            )
            live = f"default via 10.254.0.1 dev ex-dsl src {ROUTER}" if alive else "unreachable 0.0.0.0/32"
            ip("route flush exact default table 4200", f"route replace {live} table 4200")
            before = _iptables.read([4])
            _iptables.apply([(before.get(place), chains.get(place)) for place in {**before, **chains}])
        return self

    def sender(self, where: Netns, address: str = "0.0.0.0", port: int = 0, device: str = "") -> socket.socket:
        """A socket, whose packets to one port are one connection."""
        with where.entered():
            made = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made.settimeout(PATIENCE)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        made.bind((address, port))
        return made

    def seen(self, sender: socket.socket, port: int = LISTED) -> str:
        """Send to the internet. Return the source that is seen there, once the answer has come back as well."""
        return exchange(sender, (INTERNET, port), self.servers[port])[0]


def exchange(sender: socket.socket, to: tuple[str, int], server: socket.socket) -> tuple[str, int]:
    """Have a packet sent and answered. Return from where it seemed to come, or what has happened."""
    try:
        sender.sendto(b"?", to)
    except OSError as error:
        return str(error.strerror), 0
    try:
        _data, peer = server.recvfrom(9)
    except TimeoutError:
        return "silence", 0
    server.sendto(b"!", peer)
    try:
        assert sender.recv(9) == b"!"
    except TimeoutError:
        return "no answer", 0
    return str(peer[0]), int(peer[1])


@pytest.fixture(scope="module")
def built() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


def test_what_is_listed_leaves_by_a_link_and_all_else_by_the_tunnel(built: World) -> None:
    built.apply()
    for address in (DESK, OWNER):
        sender = built.sender(built.host, address)
        assert built.seen(sender) in BY_LINKS
        assert built.seen(sender, OTHER) == {DESK: ROUTER, OWNER: OWNER}[address]


@pytest.mark.parametrize("when_down", ["direct", "block"])
def test_without_a_tunnel_answers_come_in_by_links_though_main_has_no_way_back(built: World, when_down: str) -> None:
    built.apply(alive=False, extrude_when_down=when_down)
    for address in (DESK, OWNER):
        sender = built.sender(built.host, address)
        assert {built.seen(sender) for _turn in range(3)} < BY_LINKS
        assert built.seen(sender, OTHER) not in BY_LINKS


@pytest.mark.parametrize("port", FORWARDS)
@pytest.mark.parametrize("to", sorted(BY_LINKS))
def test_a_port_forward_of_the_admin_s_on_a_link_works_with_and_without_a_tunnel(
    built: World, to: str, port: int
) -> None:
    host = built.sender(built.dmz if FORWARDS[port] == DMZ else built.host, FORWARDS[port], port)
    asker = built.sender(built.far, INTERNET)
    for alive in (True, False, True):
        built.apply(alive=alive, extrude_when_down="block")
        newcomer = built.sender(built.far, INTERNET)
        for one in (asker, newcomer):
            assert exchange(one, (to, port), host) == one.getsockname()
    host.close()


@pytest.mark.parametrize("direct", [SITE["extrude_direct"], []])
def test_a_neighbour_on_a_link_takes_no_flow_of_a_host_that_owns_an_address(built: World, direct: list[Vars]) -> None:
    built.apply(extrude_direct=direct)
    owner = built.sender(built.host, OWNER)
    with built.far.entered():
        ip(f"route replace {OWNER}/32 via 192.0.2.2 dev dsl0")
        built.servers[OTHER].sendto(b"?", owner.getsockname())
        assert owner.recv(9) == b"?", "it is about what the host sends then"
        ip(f"route replace {OWNER}/32 via 10.254.0.2")
    assert built.seen(owner, OTHER) == OWNER


def test_a_link_answers_whoever_asks_for_its_own_address_and_for_no_other(built: World) -> None:
    built.apply()
    asked = ("192.0.2.2", "198.51.100.2", ROUTER)
    with built.router.entered():
        ip(f"route add 10.0.0.0/8 via {DESK}")  # so the asker's address is one of the LAN's
    with built.far.entered():
        ip("address add 10.1.1.1/32 dev lo", "neigh flush dev dsl0")
        ip(*(f"route replace {address}/32 dev dsl0" for address in asked))
        for address in asked:
            built.sender(built.far, "10.1.1.1").sendto(b"?", (address, OTHER))
        time.sleep(PATIENCE)
        known = json.loads(output("ip", "-json", "neigh", "show", "dev", "dsl0"))
        ip(*(f"route del {address}/32 dev dsl0" for address in asked))
        ip("address del 10.1.1.1/32 dev lo", f"route replace {ROUTER}/32 via 10.254.0.2")
    with built.router.entered():
        ip("route del 10.0.0.0/8")
    assert {one["dst"] for one in known} == set(asked)
    assert [one["dst"] for one in known if "lladdr" in one] == ["192.0.2.2"]


@pytest.mark.parametrize("alive", [True, False])
def test_what_the_router_binds_to_a_device_leaves_by_its_gateway_but_to_main_s_networks_there(
    built: World, alive: bool
) -> None:
    built.apply(alive=alive, extrude_when_down="block")
    modem = "192.168.178.1"
    with built.far.entered():
        ip(f"address add {modem}/24 dev dsl0")
    with built.router.entered():
        ip("address add 192.168.178.9/24 dev dsl0")
    server = built.sender(built.far, modem, OTHER)
    for device, network in LINKS.items():
        assert built.seen(built.sender(built.router, device=device)) == f"{network}.2"
    to_modem = exchange(built.sender(built.router, device="dsl0"), (modem, OTHER), server)
    with built.router.entered():
        ip("address del 192.168.178.9/24 dev dsl0")
    server.close()
    with built.far.entered():
        ip(f"address del {modem}/24 dev dsl0")
    assert to_modem[0] == "192.168.178.9"


@pytest.mark.parametrize("listed", [{"destination": INTERNET}, {"ports": "8000-8999"}])
def test_data_connections_take_the_way_of_the_one_that_has_announced_them(built: World, listed: Vars) -> None:
    """FTP's, of which a helper of the kernel knows."""
    built.apply(extrude_direct=[listed])
    helper = ["PREROUTING", "-p", "tcp", "--dport", "21", "-j", "CT", "--helper", "ftp"]
    with built.router.entered():
        output("iptables", "-t", "raw", "-A", *helper)
    ways = [_ftp(built, port) for port in range(8000, 8008)]  # so many that each link has some
    with built.router.entered():
        output("iptables", "-t", "raw", "-D", *helper)
    assert [of_data for _of_control, of_data in ways] == [of_control for of_control, _of_data in ways]


def _ftp(world: World, port: int) -> tuple[str, str]:
    """Have the server name a port, and the host connect there. Return the sources that the server has seen."""
    with ExitStack() as stack:
        with world.far.entered():
            control, data = (stack.enter_context(socket.create_server((INTERNET, number))) for number in (21, port))
        with world.host.entered():
            asker = stack.enter_context(socket.create_connection((INTERNET, 21), PATIENCE))
            teller, by_control = control.accept()
            with teller:
                for line in ("220 ready", f"227 Entering Passive Mode (198,18,0,10,{port // 256},{port % 256})."):
                    teller.sendall(f"{line}\r\n".encode())
                    assert asker.recv(99)
                try:
                    stack.enter_context(socket.create_connection((INTERNET, port), PATIENCE))
                except TimeoutError:
                    return by_control[0], "silence"
        taken, by_data = data.accept()
        taken.close()
        return by_control[0], by_data[0]
