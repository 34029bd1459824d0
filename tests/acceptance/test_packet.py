# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet mode: packets of one connection take all tunnels by their rates, levelled, and no site disturbs another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, playbook, sessions, traffic
from tests.acceptance.conftest import put_back
from tests.acceptance.inventory import lab_host
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

PACKETS = 600
SENDER = """
import socket, sys, time
source, port, sizes, count = sys.argv[1], int(sys.argv[2]), list(map(int, sys.argv[3].split(","))), int(sys.argv[4])
targets = sys.argv[5].split(",")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.bind((source, port))
    for number in range(count):
        for size, target in zip(sizes, targets):
            try:
                sender.sendto(bytes(size), (target, 9))
            except ConnectionRefusedError:
                pass
        time.sleep(0.002)
"""
"""Sends steadily: packets of each size to each target in turn."""


@pytest.fixture(scope="module")
def switched(deployed: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Path, playbook.Run]]:
    """The run that switches the office to packet mode."""
    folder = inventory.write(tmp_path_factory.mktemp("packet"), {"office": packet_site()})
    yield deployed, folder, playbook.run(deployed, inventory=folder)
    put_back(deployed)


@pytest.fixture
def packet(switched: tuple[Lab, Path, playbook.Run]) -> Lab:
    """The lab in packet mode."""
    assert switched[2].code == 0, switched[2].output
    sessions.wait_up(switched[0])
    return switched[0]


def packet_site() -> inventory.Variables:
    return {**lab_host("office"), "extrude_balance": "packet"}


def carried(lab: Lab, direction: str) -> dict[str, int]:
    """Bytes that each tunnel of the office has carried."""
    links = json.loads(lab.exec("office", ["ip", "-j", "-s", "link", "show", "type", "gre"]).stdout)
    named = {link["ifname"]: link["stats64"][direction]["bytes"] for link in links if "ifname" in link}
    return {name.removeprefix("ex-"): count for name, count in named.items() if name.startswith("ex-")}


def share_of_dsl(lab: Lab, direction: str, sizes: list[int], targets: list[str] | None = None) -> float:
    """The part of one steady stream that dsl carries, in percent of the bytes."""
    sender, source = ("desk", DESK_ADDRESS) if direction == "tx" else ("internet", INTERNET_ADDRESS)
    goals = targets or [INTERNET_ADDRESS if direction == "tx" else DESK_ADDRESS] * len(sizes)
    before = carried(lab, direction)
    words = [source, "20100", ",".join(map(str, sizes)), str(PACKETS), ",".join(goals)]
    lab.exec(sender, ["python3", "-c", SENDER, *words], timeout=60)
    counts = {wan: count - before[wan] for wan, count in carried(lab, direction).items()}
    return 100 * counts["dsl"] / sum(counts.values())


def test_the_first_run_measures_levels_and_switches(packet: Lab) -> None:
    site = json.loads(packet.exec("office", ["tc", "-j", "qdisc", "show", "dev", "ex-dsl"]).stdout)
    colo = json.loads(packet.exec("colo", ["tc", "-j", "qdisc", "show", "dev", "ex1-dsl"]).stdout)
    held = [queue["options"]["delay"]["delay"] for queue in (*site, *colo) if queue["kind"] == "netem"]
    # the lab's links take 10 and 15 ms one way
    assert held == [pytest.approx(0.005, abs=0.002), pytest.approx(0.005, abs=0.002)]


@pytest.mark.long
def test_a_second_run_changes_nothing(switched: tuple[Lab, Path, playbook.Run]) -> None:
    lab, folder, _run = switched
    again = playbook.run(lab, "--diff", inventory=folder)
    assert (again.code, again.changed) == (0, 0), again.output


@pytest.mark.parametrize(("direction", "share"), [("tx", 67), ("rx", 62)])
def test_one_connection_uses_all_tunnels_by_their_rates(packet: Lab, direction: str, share: int) -> None:
    assert share_of_dsl(packet, direction, [1000]) == pytest.approx(share, abs=4)


@pytest.mark.long
@pytest.mark.parametrize(("direction", "share"), [("tx", 67), ("rx", 62)])
def test_data_with_acknowledgements_between_is_shared_alike(packet: Lab, direction: str, share: int) -> None:
    assert share_of_dsl(packet, direction, [1000, 20]) == pytest.approx(share, abs=4)


def test_two_steady_streams_to_two_sites_do_not_bias_each_other(packet: Lab) -> None:
    """The second site has the same colo, and counters of its own there; its links end nowhere."""
    even = [{**wan, "weight": 1} for wan in lab_host("office")["extrude_wans"]]
    office = {**packet_site(), "extrude_wans": even, "extrude_measured": alike("dsl", "cable")}
    branch = {**inventory.branch(), "extrude_balance": "packet", "extrude_measured": alike("fibre", "wifi")}
    wifi = {"name": "wifi", "interface": "eth2", "address": "198.51.100.77/24", "gateway": "198.51.100.1", "weight": 1}
    branch["extrude_wans"] = [{**branch["extrude_wans"][0], "weight": 1}, wifi]
    wanted = inventory.states({"office": office, "branch": branch})
    assert not modules.apply(packet, "colo", wanted["colo"]).failed
    targets = [DESK_ADDRESS, branch["extrude_addresses"][0]]
    try:
        assert share_of_dsl(packet, "rx", [1000, 1000], targets) == pytest.approx(50, abs=4)
    finally:
        gone = modules.apply(packet, "colo", [{"customer": "globex", "site": "branch"}])
    assert not gone.failed, gone.message


def alike(*names: str) -> dict[str, dict[str, float]]:
    """A measurement in which all tunnels are the same."""
    return {name: {"rtt": 20.0, "transit": 10.0, "site_delay": 0.0, "colo_delay": 0.0} for name in names}


def test_a_dead_tunnel_leaves_its_share_to_those_that_live(packet: Lab) -> None:
    packet.cut("cable")
    try:
        packet.exec("office", ["sh", "-c", "sleep 3"])
        assert traffic.source_seen_outside(packet, "desk") == ROUTER_ADDRESS
        assert share_of_dsl(packet, "tx", [1000]) > 99
    finally:
        packet.heal("cable")


def test_links_that_differ_too_much_are_refused_and_stay_as_they_are(packet: Lab, tmp_path: Path) -> None:
    packet.shape("cable", delay=60)
    before = packet.exec("office", ["tc", "qdisc", "show"]).stdout
    try:
        refused = playbook.run(packet, inventory=inventory.write(tmp_path / "far", {"office": packet_site()}))
    finally:
        packet.shape("cable")
    assert refused.code != 0
    assert "extrude_balance: packet would hold back dsl by" in refused.output
    assert refused.changed == 0
    assert packet.exec("office", ["tc", "qdisc", "show"]).stdout == before
