# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody else's traffic at the colo: forged sources and tunnels, inside addresses, other customers, the colo itself.

The site of another customer is a tunnel from the network of the office's DSL provider, with no daemon that watches it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, sessions, traffic, watch
from tests.acceptance.conftest import put_back
from tests.acceptance.inventory import Variables, lab_host
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

FORGE = Path(__file__).with_name("forge.py").read_text(encoding="utf-8")
COLO, BRANCH, NOBODY = "203.0.113.2", "203.0.113.20", "203.0.113.99"
BRANCH_LINK = "192.0.2.77"
OFFICE_INSIDE = {"ex-dsl": "10.254.0.1", "ex-cable": "10.254.0.3"}
FORGED = (BRANCH, NOBODY, COLO, "198.18.0.77", "192.0.2.2", "192.168.10.2", *OFFICE_INSIDE.values(), "10.254.0.0")
COUNT = 20
SERVICES = (
    {"protocol": "tcp", "port": 22, "customers": []},
    {"protocol": "tcp", "port": 8443, "customers": ["acme"]},
    {"protocol": "tcp", "port": 9443, "customers": ["globex"]},
)
REFUSED = "Packet filtered"
"""What ping says to an ICMP message of type 3 and code 13 (RFC 1812 section 5.2.7.1)."""
# The branch has the inside addresses of site 2, and the key of its first slot. No daemon puts its route among those
# that live, so a rule of ours would find none.
BRANCH_SITE = f"""
ip address add {BRANCH_LINK}/32 dev lo
ip address add {BRANCH}/32 dev lo
ip link add branch type gre local {BRANCH_LINK} remote {COLO} key 33
ip address add 10.254.0.33/31 dev branch
ip link set branch up
ip route add default dev branch table 77
ip rule add from {BRANCH} lookup 77
"""
BRANCH_GONE = f"""
ip rule del from {BRANCH} lookup 77
ip link del branch
ip address del {BRANCH}/32 dev lo
ip address del {BRANCH_LINK}/32 dev lo
"""
ALIVE = f"priority 4199 to {BRANCH} lookup 4217"
LISTEN = 'import socket, sys, time; kept = [socket.create_server(("", int(p))) for p in sys.argv[1:]]; time.sleep(60)'


def states(*peers: str) -> dict[str, list[Variables]]:
    """What the hosts hold: the office has a tunnel of a lower tier, the branch talks to acme, the office to *peers*."""
    office, branch = lab_host("office"), inventory.branch()
    office["extrude_wans"][1]["metric"] = 2
    return inventory.states(
        {
            "office": {**office, "extrude_peers": list(peers)},
            "branch": {**branch, "extrude_peers": ["acme"]},
        },
        extrude_services=list(SERVICES),
    )


def shell(lab: Lab, node: str, script: str) -> None:
    lab.exec(node, ["sh", "-ec", script])


@pytest.fixture(scope="module")
def shared(deployed: Lab) -> Iterator[Lab]:
    """A colo with sites of two customers, which don't both say that they talk to each other."""
    wanted = states()
    for host in ("colo", "office"):
        result = modules.apply(deployed, host, wanted[host])
        assert not result.failed, result.message
    shell(deployed, "isp-dsl", BRANCH_SITE)
    shell(deployed, "colo", f"ip rule add {ALIVE}")
    sessions.wait_up(deployed)
    yield deployed
    shell(deployed, "colo", f"ip rule del {ALIVE}")
    shell(deployed, "isp-dsl", BRANCH_GONE)
    result = modules.apply(deployed, "colo", [{"customer": "globex", "site": "branch"}])
    assert not result.failed, result.message
    put_back(deployed)


def forge(lab: Lab, node: str, device: str, *sources: str, key: int = 0, outer: str = "-") -> None:
    """Send datagrams with these sources; with a *key* in GRE packets, which come from *outer*."""
    tunnel = [outer, COLO, str(key)] if key else []
    lab.exec(node, ["python3", "-c", FORGE, device, str(COUNT), INTERNET_ADDRESS, ",".join(sources), *tunnel])


def connects(lab: Lab, node: str, source: str, target: str, port: str) -> bool:
    """Whether a TCP connection can be opened."""
    return lab.exec(node, ["nc", "-z", "-w", "2", "-s", source, target, port], check=False).returncode == 0


def arrived(capture: watch.Capture) -> Counter[str]:
    """How many datagrams of each source were seen."""
    found = (re.search(r"([\d.]+)\.\d+ > [\d.]+\.9: UDP", line) for line in capture.lines)
    return Counter(match[1] for match in found if match)


@pytest.mark.parametrize("tunnel", ["ex-dsl", "ex-cable"], ids=["first tier", "lower tier"])
def test_a_tunnel_brings_what_has_a_source_of_its_site_and_nothing_else(shared: Lab, tunnel: str) -> None:
    with watch.capture(shared, "upstream", "rack0", "udp dst port 9") as seen:
        forge(shared, "office", tunnel, ROUTER_ADDRESS, *FORGED, DESK_ADDRESS)
    assert arrived(seen) == {ROUTER_ADDRESS: COUNT, DESK_ADDRESS: COUNT}


def test_packets_in_tunnels_come_from_the_ends_of_these(shared: Lab) -> None:
    """A tunnel's key is right from a host that is not its end, or wrong from its end."""
    with (
        watch.capture(shared, "colo", "eth0", "proto gre and src host 198.18.0.10 or src host 192.0.2.2") as came,
        watch.capture(shared, "upstream", "rack0", "udp dst port 9") as seen,
    ):
        forge(shared, "internet", "eth0", ROUTER_ADDRESS, DESK_ADDRESS, key=17, outer=INTERNET_ADDRESS)
        forge(shared, "internet", "eth0", ROUTER_ADDRESS, DESK_ADDRESS, key=18, outer="192.0.2.2")
    assert sum(" > 203.0.113.2: GRE" in line and ".9: UDP" in line for line in came.lines) == 4 * COUNT
    assert arrived(seen) == {}


def test_inside_addresses_are_not_reached_from_outside_nor_from_lans(shared: Lab) -> None:
    shared.exec("upstream", ["ip", "route", "replace", "10.254.0.0/15", "via", COLO])
    try:
        with watch.capture(shared, "office", "ex-dsl", "icmp[icmptype] == icmp-echo and dst host 10.254.0.1") as seen:
            for inside in ("10.254.0.0", "10.254.0.1", "10.254.0.33"):
                assert not traffic.reaches(shared, "upstream", inside, count=1), inside
        assert not traffic.reaches(shared, "desk", "10.254.0.33", count=1)
        # of the colo's own ends they see no more than that they are there
        assert not connects(shared, "desk", DESK_ADDRESS, "10.254.0.0", "22")
        assert not connects(shared, "upstream", "203.0.113.1", "10.254.0.0", "22")
        assert [line for line in seen.lines if "203.0.113.1 >" in line] == []
    finally:
        shared.exec("upstream", ["ip", "route", "del", "10.254.0.0/15"])
    for tunnel, inside in OFFICE_INSIDE.items():  # the ends of tunnels themselves
        assert traffic.reaches(shared, "colo", inside, count=1), tunnel


def test_sites_of_two_customers_are_apart_until_both_say_that_they_talk(shared: Lab) -> None:
    ways = [("desk", DESK_ADDRESS, BRANCH), ("office", ROUTER_ADDRESS, BRANCH), ("isp-dsl", BRANCH, DESK_ADDRESS)]

    def told(node: str, source: str, target: str) -> str:
        return shared.exec(node, ["ping", "-c", "2", "-i", "0.2", "-W", "2", "-I", source, target], check=False).stdout

    with watch.capture(
        shared, "isp-dsl", "branch", f"icmp[icmptype] == icmp-echo and src net {ROUTER_ADDRESS}/31"
    ) as seen:
        answers = [told(*way) for way in ways]
    assert [f"From {COLO}" in answer and REFUSED in answer for answer in answers] == [True] * 3, answers
    assert seen.lines == []
    assert not modules.apply(shared, "colo", states("globex")["colo"]).failed
    assert [" 2 received" in told(*way) for way in ways] == [True] * 3


def test_what_sites_reach_of_the_colo_itself(shared: Lab) -> None:
    ports = ("8443", "9443", "7443")
    listening = f"echo $$ >/tmp/listen.pid; exec python3 -c '{LISTEN}' {' '.join(ports)}"
    server = shared.popen("colo", ["sh", "-c", listening])
    shared.exec("colo", ["sh", "-c", f"until ss -ltn | grep -q :{ports[-1]}; do sleep 0.1; done"])
    nodes = {"office": ROUTER_ADDRESS, "isp-dsl": BRANCH, "internet": INTERNET_ADDRESS}
    try:
        reached = {(node, port) for node in nodes for port in ports if connects(shared, node, nodes[node], COLO, port)}
    finally:
        shared.exec("colo", ["sh", "-c", "kill $(cat /tmp/listen.pid)"])
        server.communicate(timeout=30)
    assert reached == {("office", "8443"), ("isp-dsl", "9443"), *(("internet", port) for port in ports)}
    assert not connects(shared, "office", ROUTER_ADDRESS, COLO, "22")
    assert connects(shared, "colo", COLO, ROUTER_ADDRESS, "22")
    assert traffic.reaches(shared, "desk", COLO, count=1)


def test_errors_on_the_way_come_back_through_tunnels(shared: Lab) -> None:
    """A traceroute and the discovery of a path's MTU, of which the office's router and its LAN host are hops."""
    hops = [
        shared.exec("internet", ["ping", "-c", "1", "-W", "2", "-t", str(hops), DESK_ADDRESS], check=False).stdout
        for hops in range(4, 7)
    ]
    assert [re.findall(r"[Ff]rom ([\d.]+)", text) for text in hops] == [[COLO], [ROUTER_ADDRESS], [DESK_ADDRESS]]
    shared.exec("office", ["ip", "link", "set", "lan0", "mtu", "1300"])
    try:
        large = ["ping", "-c", "2", "-W", "2", "-M", "do", "-s", "1372", DESK_ADDRESS]
        told = shared.exec("internet", large, check=False).stdout
        assert f"From {ROUTER_ADDRESS}" in told
        assert "mtu = 1300" in told
    finally:
        shared.exec("office", ["ip", "link", "set", "lan0", "mtu", "1500"])
        shared.exec("internet", ["ip", "route", "flush", "cache"])
    back = ["ping", "-c", "1", "-W", "2", "-t", "2", "-I", DESK_ADDRESS, INTERNET_ADDRESS]
    assert f"From {COLO}" in shared.exec("desk", back, check=False).stdout


def test_what_the_tunnels_are_for_goes_on(shared: Lab) -> None:
    assert traffic.source_seen_outside(shared, "desk") == ROUTER_ADDRESS
    assert traffic.source_seen_outside(shared, "desk", DESK_ADDRESS) == DESK_ADDRESS
    assert traffic.fetch(shared, "internet", f"http://{DESK_ADDRESS}/name") == "desk"
    assert traffic.reaches(shared, "isp-dsl", BRANCH)


@pytest.mark.long
def test_a_site_is_not_cut_off_while_only_another_one_is_deployed_anew(shared: Lab) -> None:
    """The office's part of the colo is that of a version which knew neither sources nor the group of tunnels."""
    (branch, office) = sorted(states()["colo"], key=lambda state: str(state["site"]))
    devices = [tunnel["name"] for tunnel in office["tunnels"]]
    accepted = [
        rule
        for address in (ROUTER_ADDRESS, DESK_ADDRESS)
        for rule in (f"-s {address}/32 -i ex1-+ -j ACCEPT", f"-d {address}/32 -o ex1-+ -j ACCEPT")
    ]
    old = {"family": 4, "table": "filter", "name": "EXTRUDE-FORWARD", "hook": "FORWARD", "rules": accepted}
    former = {
        **office,
        "groups": [],
        "routes": [route for route in office["routes"] if route["table"] != 4219],
        "rules": [rule for rule in office["rules"] if rule["table"] != 4219],
        "chains": [
            *(chain for chain in office["chains"] if chain["name"] == "EXTRUDE-INPUT" and chain["table"] == "filter"),
            old,
        ],
    }
    assert not modules.apply(shared, "colo", [former, branch]).failed
    groups = shared.exec("colo", ["ip", "-br", "link", "show", "group", "4201"]).stdout
    assert "ex2-fibre" in groups
    assert not any(device in groups for device in devices)
    for device in OFFICE_INSIDE:
        with watch.capture(shared, "upstream", "rack0", "udp dst port 9") as seen:
            forge(shared, "office", device, ROUTER_ADDRESS)
        assert arrived(seen) == {ROUTER_ADDRESS: COUNT}
    assert traffic.source_seen_outside(shared, "desk", DESK_ADDRESS) == DESK_ADDRESS
    sessions.wait_up(shared)
    assert not modules.apply(shared, "colo", states()["colo"]).failed
