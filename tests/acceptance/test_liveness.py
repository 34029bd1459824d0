# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dead path leaves both directions by itself and comes back, whatever becomes of the daemon that watches.

The limits are generous, for a lab on a busy machine; tests/bench measures what users get.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.acceptance import inventory, modules, sessions, stream, traffic
from tests.acceptance.conftest import HOSTS
from tests.acceptance.inventory import Variables
from tests.acceptance.traffic import DESK_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

MOST_LOST = 2500
"""Milliseconds, where the lab's inventory lets a path be silent for 900."""
MOST_LOST_BY_A_RESTART = 2500
QUICK = {"detect": 150, "hold_down": 1, "hold_down_max": 2}
MOST_LOST_QUICKLY = 300
FLAPPING_SECONDS = int(os.environ.get("EXTRUDE_FLAPPING", "30"))
MOST_FLAPS_FELT = 8
"""A path that is held down 2, 4, 8, 16 and then 30 seconds comes back so often in two minutes, and no more."""
ORDERS = (("dsl", "cable"), ("cable", "dsl"))
TURNS = 6
"""How often a busy machine may be in the way of a cut that is found quickly."""


def office(**changes: dict[str, int]) -> Variables:
    """The lab's site; *changes* are those of a link, under its name."""
    variables = inventory.lab_host("office")
    for wan in variables["extrude_wans"]:
        wan.update(changes.get(wan["name"], {}))
    return variables


def bring(lab: Lab, site: Variables) -> None:
    """Bring both ends to the states of a site, and wait until all its sessions are up."""
    modules.bring(lab, site)
    names = [wan["name"] for wan in site["extrude_wans"]]
    sessions.wait_up(lab, {"colo": [f"ex1-{name}" for name in names], "office": [f"ex-{name}" for name in names]})


def cut_and_heal(lab: Lab, link: str) -> dict[str, stream.Stream]:
    """What a stream loses while a link is black-holed and comes back."""
    with stream.streams(lab) as fared:
        time.sleep(1)
        lab.cut(link, black_hole=True)
        sessions.wait_down(lab, "colo", f"ex1-{link}")
        time.sleep(1)
        lab.heal(link)
        sessions.wait_up(lab)
        time.sleep(1)
    return fared


# --- paths that die ------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [pytest.param("dsl", marks=pytest.mark.long), "cable"])
def test_a_path_that_dies_under_a_link_that_is_up_costs_a_moment_and_its_return_nothing(mended: Lab, link: str) -> None:
    fared = cut_and_heal(mended, link)
    for direction in ("up", "down"):
        assert 0 < fared[direction].longest <= MOST_LOST, fared
        assert fared[direction].most_gaps == 1, fared


def test_a_path_is_found_dead_as_quickly_as_is_asked_for(mended: Lab) -> None:
    bring(mended, office(dsl=QUICK, cable=QUICK))
    lost = []
    for _turn in range(TURNS):
        fared = cut_and_heal(mended, "dsl")
        lost.append((fared["up"].longest, fared["down"].longest))
        if min(lost[-1]) > 0 and max(lost[-1]) <= MOST_LOST_QUICKLY:
            return
    pytest.fail(f"a cut never cost less than {MOST_LOST_QUICKLY} ms, but {lost}")


@pytest.mark.parametrize("toward", ["office", "isp-dsl"])
def test_a_path_that_is_dead_in_one_direction_leaves_both(mended: Lab, toward: str) -> None:
    with stream.streams(mended) as fared:
        time.sleep(1)
        mended.shape("dsl", toward=toward, loss=100)
        try:
            sessions.wait_down(mended, "colo", "ex1-dsl")
            assert sessions.ways(mended, "colo", DESK_ADDRESS).keys() == {"ex1-cable"}
            sessions.wait_down(mended, "office", "ex-dsl")
            assert sessions.ways(mended, "office", "default").keys() == {"ex-cable"}
        finally:
            mended.shape("dsl", toward=toward)
        sessions.wait_up(mended)
    assert fared["down" if toward == "office" else "up"].longest > 0
    for direction in ("up", "down"):
        assert fared[direction].longest <= MOST_LOST, fared
        assert fared[direction].most_gaps <= 1, fared


@pytest.mark.core
def test_the_kernel_has_what_lives_with_its_weights(deployed: Lab) -> None:
    sessions.wait_up(deployed)
    assert sessions.ways(deployed, "colo", DESK_ADDRESS) == {"ex1-dsl": 5, "ex1-cable": 3}
    assert sessions.ways(deployed, "office", "default") == {"ex-dsl": 2, "ex-cable": 1}


@pytest.mark.long
def test_a_flapping_link_is_held_down_longer_each_time(mended: Lab) -> None:
    bring(mended, office(cable={"hold_down": 3, "hold_down_max": 10}))
    held = []
    for _turn in range(3):
        mended.cut("cable", black_hole=True)
        sessions.wait_down(mended, "colo", "ex1-cable")
        held.append(sessions.hold_down(mended, "colo", "ex1-cable"))
        mended.heal("cable")
        sessions.wait_up(mended)
    assert held == [3, 6, 10]


@pytest.mark.long
def test_a_path_that_dies_every_second_is_left_alone_and_the_other_carries(mended: Lab) -> None:
    bring(mended, office(dsl={"detect": 150}))
    with stream.streams(mended) as fared:
        end = time.monotonic() + FLAPPING_SECONDS
        while time.monotonic() < end:
            mended.cut("dsl", black_hole=True)
            time.sleep(1)
            mended.heal("dsl")
            time.sleep(1)
        sessions.wait_up(mended)
    for direction in ("up", "down"):
        assert 0 < fared[direction].longest <= MOST_LOST, fared
        assert fared[direction].most_gaps <= MOST_FLAPS_FELT, fared


@pytest.mark.long
@pytest.mark.parametrize("dying", ORDERS, ids=" then ".join)
@pytest.mark.parametrize("returning", ORDERS, ids=" then ".join)
def test_all_paths_die_and_come_back_in_every_order(
    mended: Lab, dying: tuple[str, str], returning: tuple[str, str]
) -> None:
    for link in dying:
        mended.cut(link, black_hole=True)
    for link in dying:
        sessions.wait_down(mended, "colo", f"ex1-{link}")
        sessions.wait_down(mended, "office", f"ex-{link}")
    assert not traffic.reaches(mended, "internet", DESK_ADDRESS, 1)
    first, last = returning
    mended.heal(first)
    sessions.wait_up(mended, {"colo": [f"ex1-{first}"], "office": [f"ex-{first}"]})
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)
    assert sessions.ways(mended, "office", "default").keys() == {f"ex-{first}"}
    mended.heal(last)
    sessions.wait_up(mended)
    assert sessions.ways(mended, "colo", DESK_ADDRESS).keys() == {"ex1-dsl", "ex1-cable"}
    assert sessions.ways(mended, "office", "default").keys() == {"ex-dsl", "ex-cable"}


# --- tiers and changes ---------------------------------------------------------------------------


def test_the_next_tier_carries_when_the_last_of_a_tier_dies_and_gives_back(mended: Lab) -> None:
    bring(mended, office(cable={"metric": 2}))
    assert sessions.ways(mended, "colo", DESK_ADDRESS).keys() == {"ex1-dsl"}
    assert sessions.ways(mended, "office", "default").keys() == {"ex-dsl"}
    with stream.streams(mended) as fared:
        time.sleep(1)
        mended.cut("dsl", black_hole=True)
        sessions.wait_down(mended, "colo", "ex1-dsl")
        time.sleep(1)
        assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
        assert sessions.ways(mended, "office", "default").keys() == {"ex-cable"}
        mended.heal("dsl")
        sessions.wait_up(mended)
        time.sleep(1)
    assert sessions.ways(mended, "colo", DESK_ADDRESS).keys() == {"ex1-dsl"}
    for direction in ("up", "down"):
        assert 0 < fared[direction].longest <= MOST_LOST, fared
        assert fared[direction].most_gaps == 1, fared


def test_changes_of_a_link_under_traffic_cost_nothing_and_leave_the_other_sessions_alone(mended: Lab) -> None:
    fared = stream.undisturbed(mended, _change_links)
    assert (fared["up"].longest, fared["down"].longest) == (0, 0), fared


def _change_links(lab: Lab, step: int) -> dict[str, stream.Stream]:
    """What streams lose while a link gets another tier, the other one another weight, goes and comes."""
    alone = office()
    del alone["extrude_wans"][1]
    with stream.streams(lab, step=step) as fared:
        before = {host: sessions.since(lab, host) for host in HOSTS}
        bring(lab, office(dsl={"metric": 3}, cable={"weight": 9}))
        bring(lab, alone)
        assert sessions.ways(lab, "colo", DESK_ADDRESS).keys() == {"ex1-dsl"}
        bring(lab, office())
        after = {host: sessions.since(lab, host) for host in HOSTS}
    for host, names in sessions.TUNNELS.items():
        assert set(names) == after[host].keys()
        assert sessions.kept(before[host], after[host]) == {names[0]}, "that of the link that stayed, and no other"
    return fared


# --- the watcher itself ----------------------------------------------------------------------------


def _kill(lab: Lab, host: str) -> None:
    lab.exec(host, ["systemctl", "kill", "--kill-whom=main", "--signal=KILL", sessions.UNIT])


def _stop(lab: Lab, host: str) -> None:
    lab.exec(host, ["systemctl", "stop", sessions.UNIT], timeout=60)
    lab.exec(host, ["systemctl", "start", sessions.UNIT], timeout=60)


@pytest.mark.parametrize(
    "way", [_kill, pytest.param(_stop, marks=pytest.mark.long)], ids=["killed", "stopped and started"]
)
@pytest.mark.parametrize("host", HOSTS)
def test_a_daemon_that_dies_costs_a_moment_at_either_end(
    mended: Lab, host: str, way: Callable[[Lab, str], None]
) -> None:
    before = sessions.since(mended, host)
    with stream.streams(mended) as fared:
        time.sleep(1)
        way(mended, host)
        sessions.wait(mended, host, "test -e /run/extrude/live")
        sessions.wait_up(mended)
        time.sleep(1)
    assert not sessions.kept(before, sessions.since(mended, host)), "it has not died"
    assert max(fared["up"].longest, fared["down"].longest) <= MOST_LOST_BY_A_RESTART, fared
    assert modules.drift(mended) == []


@pytest.mark.parametrize("host", ["colo", pytest.param("office", marks=pytest.mark.long)])
def test_a_daemon_that_reads_its_files_again_costs_nothing(mended: Lab, host: str) -> None:
    def reload(lab: Lab, step: int) -> dict[str, stream.Stream]:
        with stream.streams(lab, step=step) as fared:
            lab.exec(host, ["systemctl", "reload", sessions.UNIT])
            time.sleep(1)
        return fared

    before = sessions.since(mended, host)
    fared = stream.undisturbed(mended, reload)
    assert sessions.kept(before, sessions.since(mended, host)) == before.keys()
    assert (fared["up"].longest, fared["down"].longest) == (0, 0), fared


def test_without_daemons_the_static_routes_carry_and_a_run_finds_nothing_to_do(mended: Lab) -> None:
    for host in HOSTS:
        mended.exec(host, ["systemctl", "stop", sessions.UNIT], timeout=60)
        assert sessions.ways(mended, host, "default" if host == "office" else DESK_ADDRESS) == {}
    assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)
    assert modules.drift(mended) == []
    sessions.wait_up(mended)
    assert modules.drift(mended) == []


# --- others ------------------------------------------------------------------------------------------


def test_a_site_that_announces_what_is_not_its_own_is_refused_logged_and_counted(mended: Lab) -> None:
    file, foreign = "/etc/extrude/bird.d/acme.1.conf", "203.0.113.77/32"
    more = f"s|  route {ROUTER_ADDRESS}/32 blackhole;|&\\n  route {foreign} blackhole;|"
    mended.exec("office", ["sed", "-i", more, file])
    mended.exec("office", ["systemctl", "reload", sessions.UNIT])
    sessions.wait(mended, "colo", f"journalctl -u {sessions.UNIT} | grep -q 'acme/office announces {foreign}'")
    counted = sessions.details(mended, "colo", "ex1-dsl")
    (line,) = (line.split() for line in counted.splitlines() if "Import updates:" in line)
    assert int(line[4]) == 1, counted
    assert sessions.ways(mended, "colo", "203.0.113.77") == {}
    assert sessions.ways(mended, "colo", ROUTER_ADDRESS).keys() == {"ex1-dsl", "ex1-cable"}


def test_inside_addresses_are_reached_through_tunnels_only(mended: Lab) -> None:
    mended.exec("upstream", ["ip", "route", "add", "10.254.0.0/31", "via", "203.0.113.2"])
    try:
        assert not traffic.reaches(mended, "upstream", "10.254.0.0", 1)
    finally:
        mended.exec("upstream", ["ip", "route", "del", "10.254.0.0/31"])
    assert traffic.reaches(mended, "office", "10.254.0.0")


@pytest.mark.parametrize(
    "changes",
    [
        {"extrude_addresses": [ROUTER_ADDRESS, "2001:db8:113::10"], "extrude_lan": []},
        {"extrude_addresses": ["2001:db8:113::10"], "extrude_lan": []},
        {"extrude_wans": [{**office()["extrude_wans"][0], "metric": 255, "weight": 255, "slot": 16, "detect": 31}]},
    ],
    ids=["both IP versions", "IPv6", "a link with all its keys"],
)
@pytest.mark.parametrize("host", HOSTS)
def test_bird_takes_the_files_of_other_sites(deployed: Lab, host: str, changes: Variables) -> None:
    prefixes = ["203.0.113.0/24", "2001:db8:113::/64"]
    states = inventory.states({"office": {**office(), **changes}}, extrude_prefixes=prefixes)
    deployed.exec(host, ["rm", "-rf", "/tmp/files"])
    for file in states[host][0]["files"]:
        deployed.exec(host, ["install", "-D", "/dev/stdin", f"/tmp/files/{file['path']}"], stdin=file["content"])
    done = deployed.exec(host, ["bird", "-p", "-c", "/tmp/files/bird.conf"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
