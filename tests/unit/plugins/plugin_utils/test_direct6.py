# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's router does with direct traffic of IPv6: its chains and rules at work in network namespaces."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _ipset, _iptables
from ansible_collections.multihome.extrude.plugins.module_utils._model import AddressSet, Chain, Rule, State
from tests.unit.netns import Netns, ip, ip6, join, output, scratch, sysctl, wait_until
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, rule_words, run

ROUTER, DESK, NATIVE = "2001:db8:100::10", "2001:db8:100::11", "2001:db8:d:7::11"
"""Extruded to the router and to a host on its LAN, and an address of a provider's that this host has too."""
INTERNET, RACK, NEAR = "2001:db8:18::10", "2001:db8:100::77", "2001:db8:18::20"
WEB, OTHER = 443, 8080
TUNNEL, BROKER = "ex-dsl", "broker0"
"""The broker is an uplink that the inventory does not know."""
LINKS = {"dsl0": "2001:db8:d::", "cable0": "2001:db8:c::", BROKER: "2001:db8:b::", TUNNEL: "2001:db8:e::"}
SITE: Vars = {
    "extrude_addresses": ["203.0.113.10", ROUTER, DESK],
    "extrude_lan": [{"interface": "lan0", "mode": "nat"}, {"interface": "lan0", "mode": "routed", "addresses": [DESK]}],
    "extrude_direct": [{"ports": WEB}, {"protocol": "icmp"}],
}
TOLD = "Network is unreachable"
PATIENCE = 1
"""Seconds after which a packet does not come any more."""
IPV6_RECVERR, IPV6_DONTFRAG = 25, 62


class Seen(NamedTuple):
    """By which device of the router a packet has come to the internet, and from which address."""

    device: str
    source: str


BY_TUNNEL, BY_DSL, BY_CABLE = Seen(TUNNEL, DESK), *(Seen(link, f"{LINKS[link]}2") for link in ("dsl0", "cable0"))


class World:
    """A router, a host on its LAN, and at the far end of each link somebody who is the internet."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._servers: dict[socket.socket, str] = {}
        self.neighbours: dict[str, Netns] = {}
        self.router, self.host = self._namespace(), self._namespace()
        with self.router.entered():
            sysctl("net/ipv6/conf/all/forwarding", 1)
            join(self.host, "lan0")
            ip("address add fe80::1/64 dev lan0", f"address add {ROUTER}/128 dev lo")
            ip(f"route add {NATIVE}/128 dev lan0", f"route add {DESK}/128 dev lan0 table 4200")
        with self.host.entered():
            ip(*(f"address add {address}/128 dev lan0" for address in (DESK, NATIVE)))
            ip6("route add default via fe80::1 dev lan0")
        for device, network in LINKS.items():
            self._neighbour(device, network)

    def _namespace(self) -> Netns:
        made = self._stack.enter_context(scratch())
        with made.entered():
            sysctl("net/ipv6/conf/default/accept_dad", 0)  # addresses count at once
        return made

    def _neighbour(self, device: str, network: str) -> None:
        there = self.neighbours[device] = self._namespace()
        with self.router.entered():
            join(there, device)
            ip(f"address add {network}2/64 dev {device}")
        with there.entered():
            ip(f"address add {network}1/64 dev {device}")
            ip(*(f"address add {address}/128 dev lo" for address in (INTERNET, RACK, NEAR)))
            ip6(f"route add default via {network}2 dev {device}")
            for address in (INTERNET, RACK, NEAR):
                for port in (WEB, OTHER):
                    server = self._stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
                    server.bind((address, port))
                    self._servers[server] = device

    def apply(self, **changes: Any) -> World:
        """Hold the chains, rules and groups of a site, with a tunnel that lives, and nothing in main."""
        made = run(office=office(**{**SITE, **changes}))["sites"]["office"]
        state = State.parse(made)
        chains = {chain.place: chain for chain in state.of(Chain) if chain.family == 6}
        with self.router.entered():
            ip(*(f"link set {group['device']} group {group['group']}" for group in made["groups"]))
            for setting in made["sysctls"]:
                if "linkdown" in setting["name"]:
                    sysctl(setting["name"], setting["value"])
            ip6("rule flush", "rule add priority 32766 lookup main")
            ip6(*(rule_words(rule) for rule in state.of(Rule) if rule.family == 6 and not rule.standby))
            ip6("route replace unreachable default table 4218")
            for one in state.of(AddressSet):
                _ipset.apply(None, one)
            before = _iptables.read([6])
            _iptables.apply([(before.get(place), chains.get(place)) for place in {**before, **chains}])
        self.main()
        self.tunnel(alive=True)
        return self

    def main(self, *devices: str, to: str = "default") -> None:
        """Have main lead there by these devices, the first one first."""
        with self.router.entered():
            ip6(f"route flush exact {to} table main")
            ip6(*(f"route add {to} via {LINKS[name]}1 dev {name} metric {10 + n}" for n, name in enumerate(devices)))

    def tunnel(self, alive: bool) -> None:
        """Have the table of the ways that live lead by the tunnel, or not."""
        with self.router.entered():
            ip6("route flush exact default table 4200")
            ip6(*([f"route add default via {LINKS[TUNNEL]}1 dev {TUNNEL} table 4200 src {ROUTER}"] if alive else []))

    def sender(self, source: str = DESK) -> socket.socket:
        """A socket, whose packets to one port are one connection."""
        with (self.router if source in (ROUTER, "::") else self.host).entered():
            made = self._stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        made.bind((source, 0))
        return made

    def seen(self, sender: socket.socket, port: int = WEB, to: str = INTERNET, data: bytes = b"?") -> Seen | str:
        """Send a packet. Return how it came, and was answered; or what the sender was told."""
        try:
            sender.sendto(data, (to, port))
        except OSError as error:
            return str(error.strerror)
        come = _ready([sender, *self._servers])
        for server in come if sender not in come else ():
            _data, peer = server.recvfrom(9)
            server.sendto(b"!", peer)
            sender.settimeout(1)
            assert sender.recv(9) == b"!"
            return Seen(self._servers[server], peer[0])
        try:
            sender.setblocking(False)
            sender.recv(9)
        except BlockingIOError:
            return "silence"
        except OSError as error:
            return str(error.strerror)
        return "an answer from nowhere"


def _ready(sockets: Iterable[socket.socket]) -> list[socket.socket]:
    """Those that have something, in time. A run of all tests has more files open than select(2) can count."""
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ, one)
        return [key.data for key, _events in selector.select(PATIENCE)]


@pytest.fixture(scope="module")
def built() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


def test_what_is_listed_leaves_by_main_s_link_as_its_address_and_all_else_by_the_tunnel(built: World) -> None:
    world = built.apply()
    world.main("dsl0")
    assert world.seen(world.sender()) == BY_DSL
    assert world.seen(world.sender(), OTHER) == BY_TUNNEL
    assert world.seen(world.sender(), to=RACK) == BY_TUNNEL
    assert world.seen(world.sender(ROUTER)) == BY_DSL
    assert world.seen(world.sender(ROUTER), OTHER) == Seen(TUNNEL, ROUTER)
    world.main("cable0", "dsl0")
    assert world.seen(world.sender()) == BY_CABLE


def test_without_a_default_of_main_s_by_a_wan_it_takes_the_tunnel(built: World) -> None:
    world = built.apply()
    assert world.seen(world.sender()) == BY_TUNNEL
    assert world.seen(world.sender("::")) == Seen(TUNNEL, ROUTER)
    world.main(BROKER, "dsl0")
    assert world.seen(world.sender()) == BY_TUNNEL


def test_a_way_of_main_s_that_is_no_default_counts_too(built: World) -> None:
    world = built.apply()
    world.main("cable0", to=NEAR)
    assert world.seen(world.sender(), to=NEAR) == BY_CABLE
    assert world.seen(world.sender(), OTHER, to=NEAR) == BY_TUNNEL
    world.main(to=NEAR)


def test_a_provider_s_own_address_is_left_alone(built: World) -> None:
    world = built.apply()
    world.main("dsl0")
    assert world.seen(world.sender(NATIVE)) == Seen("dsl0", NATIVE)


def test_a_connection_stays_direct_and_begins_anew_when_main_has_another_way(built: World) -> None:
    world = built.apply()
    world.main("dsl0")
    kept = world.sender()
    assert world.seen(kept) == BY_DSL
    world.apply(extrude_direct=[{"ports": 9}])
    world.main("dsl0")
    assert world.seen(kept) == BY_DSL
    assert world.seen(world.sender()) == BY_TUNNEL
    world.apply()
    world.main("cable0")
    assert [world.seen(kept) for _turn in range(2)] == ["silence", BY_CABLE]
    world.main()
    assert [world.seen(kept) for _turn in range(2)] == ["silence", BY_TUNNEL]
    world.main("dsl0")
    assert world.seen(kept) == BY_TUNNEL


def test_a_link_that_is_no_exit_gets_none_of_it_and_senders_are_told(built: World) -> None:
    world = built.apply(extrude_wans=[dsl(), cable(use="extruded")])
    world.main("cable0", "dsl0")
    assert world.seen(world.sender()) == TOLD
    assert world.seen(world.sender(), OTHER) == BY_TUNNEL
    world.tunnel(alive=False)
    assert world.seen(world.sender(), OTHER) == TOLD
    world.main("dsl0")
    assert world.seen(world.sender()) == world.seen(world.sender(), OTHER) == BY_DSL


@pytest.mark.parametrize("direct", [SITE["extrude_direct"], []])
def test_without_a_tunnel_hosts_leave_by_main_s_link(built: World, direct: list[Vars]) -> None:
    world = built.apply(extrude_direct=direct)
    world.main("dsl0")
    extruded = world.sender()
    assert world.seen(extruded, OTHER) == BY_TUNNEL
    world.tunnel(alive=False)
    assert world.seen(extruded, OTHER) == "silence"
    kept = world.sender()
    assert world.seen(kept, OTHER) == BY_DSL
    assert world.seen(world.sender()) == BY_DSL
    assert world.seen(world.sender("::"), OTHER) == BY_DSL
    assert world.seen(world.sender(ROUTER), OTHER) == "No route to host"
    world.tunnel(alive=True)
    assert world.seen(kept, OTHER) == BY_DSL
    assert world.seen(extruded, OTHER) == BY_TUNNEL
    assert world.seen(world.sender(), OTHER) == BY_TUNNEL


def test_without_a_tunnel_and_a_default_by_a_wan_senders_are_told(built: World) -> None:
    world = built.apply()
    world.tunnel(alive=False)
    assert world.seen(world.sender(), OTHER) == world.seen(world.sender()) == TOLD
    world.main(BROKER)
    assert world.seen(world.sender(), OTHER) == world.seen(world.sender()) == TOLD


def test_blocked_only_what_is_listed_leaves(built: World) -> None:
    world = built.apply(extrude_when_down="block")
    world.main("dsl0")
    world.tunnel(alive=False)
    assert world.seen(world.sender(), OTHER) == TOLD
    assert world.seen(world.sender()) == BY_DSL


def test_a_link_without_an_address_shows_no_more_than_a_first_packet(built: World) -> None:
    world = built.apply()
    network = LINKS["dsl0"]
    with world.router.entered():
        others = [f"address change {LINKS[name]}2/64 dev {name} preferred_lft" for name in LINKS if name != "dsl0"]
        ip(f"address del {network}2/64 dev dsl0", f"route add {network}/64 dev dsl0", *(f"{line} 0" for line in others))
    world.main("dsl0")
    sender = world.sender()
    shown = [world.seen(sender) for _turn in range(3)]
    with world.router.entered():
        back = (f"route del {network}/64 dev dsl0", f"address add {network}2/64 dev dsl0")
        ip(*back, *(f"{line} forever" for line in others))
    assert shown == [Seen("dsl0", ROUTER), "silence", "silence"]


def test_who_sends_too_large_packets_is_told(built: World) -> None:
    world = built.apply()
    world.main("dsl0")
    with world.router.entered():
        ip("link set dsl0 mtu 1280")
    sender = world.sender()
    sender.setsockopt(socket.IPPROTO_IPV6, IPV6_DONTFRAG, 1)
    assert world.seen(sender, data=bytes(1400)) == "Message too long"
    with world.router.entered():
        ip("link set dsl0 mtu 1500")


def test_what_has_an_address_of_a_listed_domain_is_direct(built: World) -> None:
    world = built.apply(extrude_direct=[{"domains": "a.example"}])
    world.main("dsl0")
    assert world.seen(world.sender(), to=NEAR) == BY_TUNNEL
    with world.router.entered():
        output("ipset", "add", "EXTRUDE-a.example.6", NEAR)
    assert world.seen(world.sender(), to=NEAR) == BY_DSL
    assert world.seen(world.sender()) == BY_TUNNEL


def test_a_link_without_carrier_gets_none_of_it(built: World) -> None:
    world = built.apply()
    world.main("dsl0", "cable0")
    kept = world.sender()
    assert world.seen(kept) == BY_DSL
    with world.neighbours["dsl0"].entered():
        ip("link set dsl0 down")
    with world.router.entered():
        wait_until(lambda: "linkdown" in output("ip", "-6", "route", "show", "default"), "dsl0 without carrier")
    assert world.seen(world.sender()) == BY_CABLE
    assert [world.seen(kept) for _turn in range(2)] == ["silence", BY_CABLE]
    world.main("dsl0")
    assert world.seen(world.sender()) == BY_TUNNEL
    with world.neighbours["dsl0"].entered():
        ip("link set dsl0 up", f"address replace {LINKS['dsl0']}1/64 dev dsl0")
        ip6(f"route replace default via {LINKS['dsl0']}2 dev dsl0")
