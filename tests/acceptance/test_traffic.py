# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users feel, and that it really goes the way that it should."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.acceptance import sessions, traffic, watch
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

WANS = {"dsl": (4221, "0x11"), "cable": (4222, "0x12")}
"""Routing table and key of each tunnel."""
ENDS = (("office", "ex-{}"), ("colo", "ex1-{}"))
FOREIGN_ADDRESS = "100.64.0.9"
MSS = 1432
LARGEST = 1472

core = pytest.mark.core


@pytest.fixture
def narrow_path(deployed: Lab) -> Iterator[Lab]:
    """Somewhere behind the DSL provider packets of more than 1400 bytes do not fit; its routers say so."""
    _set_mtu(deployed, 1400)
    yield deployed
    _set_mtu(deployed, 1500)
    for node in ("office", "colo", "desk", "internet"):  # what they have learnt would last for ten minutes
        deployed.exec(node, ["ip", "route", "flush", "cache"])


def _set_mtu(lab: Lab, mtu: int) -> None:
    for node, device in (("core", "dsl0"), ("isp-dsl", "core0")):
        lab.exec(node, ["ip", "link", "set", device, "mtu", str(mtu)])


@core
@pytest.mark.parametrize("address", [ROUTER_ADDRESS, DESK_ADDRESS])
def test_the_internet_reaches_the_address_and_the_upstream_router_finds_it_at_the_colo(
    deployed: Lab, address: str
) -> None:
    deployed.exec("upstream", ["ip", "neigh", "flush", "dev", "rack0"])
    assert traffic.reaches(deployed, "internet", address)
    assert traffic.neighbour(deployed, "upstream", address) == traffic.mac(deployed, "colo", "eth0") != ""


@core
def test_the_address_of_a_lan_host_leads_to_that_host(deployed: Lab) -> None:
    assert traffic.fetch(deployed, "internet", f"http://{DESK_ADDRESS}/name") == "desk"


@core
@pytest.mark.parametrize(
    ("node", "source", "seen"),
    [("desk", None, ROUTER_ADDRESS), ("desk", DESK_ADDRESS, DESK_ADDRESS), ("office", None, ROUTER_ADDRESS)],
    ids=["LAN host", "LAN host by its extruded address", "router"],
)
def test_the_source_seen_outside_is_an_extruded_one(deployed: Lab, node: str, source: str | None, seen: str) -> None:
    assert traffic.source_seen_outside(deployed, node, source) == seen


@core
def test_each_link_carries_its_share_in_both_directions(deployed: Lab) -> None:
    shares = traffic.shares(deployed)
    assert shares.up["dsl"] == pytest.approx(67, abs=12)
    assert shares.down["dsl"] == pytest.approx(62, abs=12)


def test_one_transit_provider_is_enough(deployed: Lab) -> None:
    deployed.cut("transit-a")
    try:
        assert traffic.reaches(deployed, "internet", DESK_ADDRESS, 5)
        assert traffic.source_seen_outside(deployed, "desk") == ROUTER_ADDRESS
    finally:
        deployed.heal("transit-a")


@pytest.mark.parametrize(("gone", "left"), [("dsl", "cable"), pytest.param("cable", "dsl", marks=pytest.mark.long)])
def test_one_link_alone_carries_everything(mended: Lab, gone: str, left: str) -> None:
    mended.cut(gone)
    for node, device in ENDS:
        sessions.wait_down(mended, node, device.format(gone))
    shares = traffic.shares(mended)
    # BIRD knocks at the dead one, and that is counted too
    assert min(shares.up[left], shares.down[left]) >= 97
    assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
    assert traffic.fetch(mended, "internet", f"http://{DESK_ADDRESS}/name") == "desk"


@pytest.mark.parametrize("direction", ["up", "down"])
def test_full_segments_pass_whole_and_nobody_has_to_say_that_they_do_not_fit(deployed: Lab, direction: str) -> None:
    wanted = "tcp port 5201 or icmp[icmptype] == icmp-unreach"
    command = ["iperf3", "-c", INTERNET_ADDRESS, "-B", DESK_ADDRESS, "-n", "100K", "-l", "10K"]
    with (
        watch.capture(deployed, "desk", "eth0", wanted) as desk,
        watch.capture(deployed, "internet", "eth0", wanted) as internet,
    ):
        deployed.exec("desk", [*command, *(["-R"] if direction == "down" else [])], timeout=60)
    receiver = internet if direction == "up" else desk
    assert max(_length(line) for line in receiver.lines) == LARGEST
    for end, sender in ((internet, DESK_ADDRESS), (desk, INTERNET_ADDRESS)):
        openings = [line for line in end.lines if "Flags [S" in line and f" {sender}." in line.partition(" > ")[0]]
        assert openings
        assert all(f"mss {MSS}," in line for line in openings)
        assert all("flags [DF]" in line for line in end.lines if "proto TCP" in line)
        assert not [line for line in end.lines if "proto ICMP" in line]


@pytest.mark.parametrize("direction", [pytest.param("up", marks=pytest.mark.long), "down"])
def test_a_path_that_takes_smaller_packets_goes_on_carrying_connections(narrow_path: Lab, direction: str) -> None:
    command = ["iperf3", "-c", INTERNET_ADDRESS, "-B", DESK_ADDRESS, "-P", "8", "-t", "5", "-J"]
    done = narrow_path.exec("desk", [*command, *(["-R"] if direction == "down" else [])], timeout=60)
    received = [stream["receiver"]["bytes"] for stream in json.loads(done.stdout)["end"]["streams"]]
    assert len(received) == 8
    assert min(received) >= 100 * LARGEST


def test_what_is_extruded_crosses_the_providers_in_tunnels_with_the_right_keys_only(deployed: Lab) -> None:
    wanted = f"ip proto 47 or host {ROUTER_ADDRESS} or host {DESK_ADDRESS}"
    with (
        watch.capture(deployed, "isp-dsl", "office0", wanted) as dsl,
        watch.capture(deployed, "isp-cable", "office0", wanted) as cable,
    ):
        traffic.shares(deployed)
        assert traffic.source_seen_outside(deployed, "desk") == ROUTER_ADDRESS
    for lines, (_table, key) in zip((dsl.lines, cable.lines), WANS.values(), strict=True):
        assert len([line for line in lines if DESK_ADDRESS in line]) > traffic.FLOWS
        assert {_key(line) for line in lines} == {key}


@pytest.mark.parametrize("wan", WANS)
def test_a_wan_never_sees_an_extruded_source_whatever_a_hand_made_rule_says(deployed: Lab, wan: str) -> None:
    before, _behind = _sent_by_a_wan(deployed, wan, ROUTER_ADDRESS)
    assert before == []
    assert deployed.exec("office", _ping(ROUTER_ADDRESS)).returncode == 0


@pytest.mark.parametrize("wan", WANS)
def test_the_providers_drop_foreign_sources_so_only_tunnels_explain_what_arrives(deployed: Lab, wan: str) -> None:
    deployed.exec("office", ["ip", "address", "add", f"{FOREIGN_ADDRESS}/32", "dev", "lo"])
    try:
        before, behind = _sent_by_a_wan(deployed, wan, FOREIGN_ADDRESS)
    finally:
        deployed.exec("office", ["ip", "address", "del", f"{FOREIGN_ADDRESS}/32", "dev", "lo"])
    assert len(before) == 3
    assert behind == []


def _sent_by_a_wan(lab: Lab, wan: str, source: str) -> tuple[list[str], list[str]]:
    """Send pings that a hand-made rule leads to a WAN; returns those before and behind its provider's filter."""
    way = ["priority", "100", "from", source, "lookup", str(WANS[wan][0])]
    wanted = f"icmp and src {source}"
    lab.exec("office", ["ip", "rule", "add", *way])
    try:
        with (
            watch.capture(lab, f"isp-{wan}", "office0", wanted) as before,
            watch.capture(lab, f"isp-{wan}", "core0", wanted) as behind,
        ):
            assert lab.exec("office", _ping(source), check=False).returncode == 1
    finally:
        lab.exec("office", ["ip", "rule", "del", *way])
    return before.lines, behind.lines


def _ping(source: str) -> list[str]:
    return ["ping", "-c", "3", "-i", "0.2", "-W", "1", "-I", source, INTERNET_ADDRESS]


def _length(line: str) -> int:
    """The length of an IP packet in bytes."""
    found = re.search(r"length (\d+)\)", line)
    return int(found[1]) if found else 0


def _key(line: str) -> str:
    """The GRE key of a packet."""
    found = re.search(r"GREv0, Flags \[key present\], key=(0x[0-9a-f]+)", line)
    return found[1] if found else f"no tunnel: {line}"
