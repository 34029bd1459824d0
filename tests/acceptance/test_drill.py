# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drill cuts a link on purpose, measures what that costs, and leaves nothing behind, whatever becomes of it.

The limits are generous, for a lab on a busy machine.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance import modules, playbook, sessions, snapshot
from tests.acceptance.conftest import HOSTS
from tests.acceptance.inventory import lab_host, states
from tests.lab.lab import Lab

DRILL = playbook.CHECKOUT / "playbooks" / "drill.yml"
MOST_LOST = 2500
"""Milliseconds that a drill may cost each direction."""
CHAIN = "EXTRUDE-DRILL"
_UNITS = "systemctl list-units --all --plain --no-legend --type=timer,service | awk '{print $1}' | grep extrude- | sort"
_FILES = "find /run/systemd/transient -type f 2>/dev/null"
_RESULTS = "grep -cE ' @[0-9a-f]{5}$' /proc/net/unix"
"""Sockets with a name that the kernel chose."""
_TRACES = f"{_UNITS}; {_FILES}; {_RESULTS}; iptables-save | grep {CHAIN}"


def traces(lab: Lab) -> dict[str, str]:
    """All that a drill could leave on the hosts."""
    return {
        host: lab.exec(host, ["sh", "-c", _TRACES], check=False).stdout + snapshot.take(lab, host) for host in HOSTS
    }


def drill(lab: Lab, *arguments: str) -> playbook.Run:
    return playbook.run(lab, *arguments, playbook=DRILL)


def reports(run: playbook.Run) -> dict[str, dict[str, Any]]:
    """What the drill found, by link."""
    stats = [answer.result.get("ansible_stats", {}).get("data", {}) for answer in run.answers]
    return {found["wan"]: found for data in stats for found in data.get("drilled", [])}


@dataclass(frozen=True)
class Drilled:
    """A drill of both links, and what the hosts held before and after."""

    before: dict[str, str]
    run: playbook.Run
    after: dict[str, str]


@pytest.fixture(scope="module")
def drilled(deployed: Lab) -> Drilled:
    sessions.wait_up(deployed)
    before = traces(deployed)
    run = drill(deployed)
    sessions.wait_up(deployed)
    return Drilled(before, run, traces(deployed))


@pytest.mark.parametrize("wan", ["dsl", "cable"])
def test_each_link_has_its_turn_and_is_measured_both_ways(drilled: Drilled, wan: str) -> None:
    assert drilled.run.code == 0, drilled.run.output
    found = reports(drilled.run)[wan]
    assert found["ok"]
    for direction in ("up", "down"):
        one = found[direction]
        assert one["carried"]
        assert 50 <= one["lost_ms"] <= MOST_LOST
        assert 50 <= one["switch_ms"] <= MOST_LOST
        assert one["return_ms"] < 45000
        assert one["lost_on_return_ms"] <= 100


def test_the_recap_says_it_in_words(drilled: Drilled) -> None:
    words = (
        r"office dsl: \d+ ms lost up, \d+ ms down; switched after [\d.]+ m?s; back after [\d.]+ m?s, \S+.* on return"
    )
    assert re.search(words, drilled.run.output.partition("PLAY RECAP")[2])


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_is_left_behind(drilled: Drilled, host: str) -> None:
    assert not snapshot.difference(drilled.before[host], drilled.after[host])


@pytest.mark.long
def test_check_mode_says_what_a_run_would_do_and_does_nothing(deployed: Lab) -> None:
    sessions.wait_up(deployed)
    before = traces(deployed)
    run = drill(deployed, "--check", "-e", "drill_wan=dsl", "--limit", "office")
    assert run.code == 0, run.output
    said = "office dsl: would drop GRE between 192.0.2.2 and 203.0.113.2 (ex-dsl) for 5 s; live besides it: cable"
    assert said in run.output
    assert run.changed == 1
    assert traces(deployed) == before


@pytest.mark.long
def test_the_last_live_link_is_drilled_only_when_told_so(mended: Lab) -> None:
    mended.cut("cable", black_hole=True)
    sessions.wait_down(mended, "office", "ex-cable")
    refused = drill(mended, "-e", "drill_wan=dsl")
    assert refused.code != 0
    assert "dsl is the last live link of this site (cable is dead" in refused.failures()[0]
    dead = drill(mended, "-e", "drill_wan=cable")
    assert "cable is dead" in dead.failures()[0]
    told = drill(mended, "-e", "drill_wan=dsl", "-e", "drill_last=true", "-e", "drill_seconds=2")
    found = reports(told)["dsl"]
    assert found["up"]["lost_ms"] >= 1900
    assert found["up"]["cut_off"]
    assert "and no other link took over" in told.output
    assert "BIRD" not in told.output


def test_a_link_that_the_site_does_not_have_is_named(deployed: Lab) -> None:
    run = drill(deployed, "-e", "drill_wan=lte")
    assert run.code != 0
    assert "office: drill_wan: there is no link lte with a tunnel; there are dsl, cable" in run.failures()[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("drill_link=dsl", "drill_link: not known; there are drill_wan, drill_seconds, drill_timeout"),
        pytest.param(
            "drill_seconds=1",
            "office: drill_seconds: 1 is not from 1.8, twice the time in which a dead dsl is found out",
            marks=pytest.mark.long,
        ),
        pytest.param("drill_timeout=9", "office: drill_timeout: 9 is not from 10.0 to 600", marks=pytest.mark.long),
    ],
)
def test_settings_that_make_no_sense_are_named_and_nothing_is_drilled(deployed: Lab, given: str, said: str) -> None:
    before = traces(deployed)
    run = drill(deployed, "-e", given)
    assert run.code != 0
    assert said in run.failures()[0]
    assert traces(deployed) == before


# --- what goes wrong in the middle of it -----------------------------------------------------------


@contextmanager
def black_holed(lab: Lab, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A drill of dsl that has begun."""
    process = playbook.start(lab, "-e", "drill_wan=dsl", *arguments, playbook=DRILL)
    try:
        while lab.exec("office", ["sh", "-c", f"iptables-save | grep -q -- '-A {CHAIN}'"], check=False).returncode:
            assert process.poll() is None, process.communicate()[0]
        yield process
    finally:
        playbook.kill(process)
        process.communicate()


def wait(lab: Lab, condition: str, seconds: float) -> float:
    """Wait until a shell command succeeds on the office's router; how long that took."""
    started = time.monotonic()
    while lab.exec("office", ["sh", "-c", condition], check=False).returncode:
        assert time.monotonic() < started + seconds, f"after {seconds} s still not: {condition}"
        time.sleep(0.1)
    return time.monotonic() - started


GONE = f"! iptables-save | grep -q {CHAIN} && ! systemctl list-units --all | grep -q extrude-drill"


@pytest.mark.long
def test_a_killed_module_is_undone_by_the_timer_and_meanwhile_no_second_drill_begins(mended: Lab) -> None:
    sessions.wait_up(mended)
    before = traces(mended)["office"]
    with black_holed(mended, "-e", "drill_seconds=25", "-e", "drill_timeout=30"):
        started = time.monotonic()
        # who hears packets on the tunnel
        killed = mended.exec(
            "office", ["sh", "-c", "ss -0 -p -n | grep -m1 ex-dsl | grep -o 'pid=[0-9]*' | cut -d= -f2"]
        )
        mended.exec("office", ["kill", "-9", killed.stdout.strip()])
        time.sleep(1)
        assert CHAIN in mended.exec("office", ["iptables-save"]).stdout
        second = modules.call(mended, "office", "path_drill", "--check", **_ends())
        assert "another drill is running on this host" in second.message
        wait(mended, GONE, 40)
        assert time.monotonic() - started < 40
    sessions.wait_up(mended)
    assert not snapshot.difference(before, traces(mended)["office"])


@pytest.mark.long
def test_a_controller_that_vanishes_leaves_no_black_hole(mended: Lab) -> None:
    sessions.wait_up(mended)
    before = traces(mended)["office"]
    with black_holed(mended) as process:
        playbook.kill(process)
        assert wait(mended, GONE, 60) < 40
    sessions.wait_up(mended)
    assert not snapshot.difference(before, traces(mended)["office"])


def _ends() -> dict[str, Any]:
    """Options of a drill of the other link."""
    tunnels = [
        {"wan": "dsl", "device": "ex-dsl", "local": "10.254.0.1", "remote": "10.254.0.0"},
        {"wan": "cable", "device": "ex-cable", "local": "10.254.0.3", "remote": "10.254.0.2"},
    ]
    return {"wan": "cable", "tunnels": tunnels, "source": "203.0.113.10", "destination": "203.0.113.2"}


# --- one end has other weights or metrics ------------------------------------------------------------

VERIFY = playbook.CHECKOUT / "tests" / "acceptance" / "playbooks" / "verify.yml"


@pytest.mark.long
@pytest.mark.parametrize(
    ("host", "change", "said"),
    [
        ("colo", {"down": 90}, "colo sends 203.0.113.10/32, 203.0.113.11/32 by dsl 5, cable 9"),
        ("office", {"metric": 2}, "office sends 0.0.0.0/0 by dsl "),
    ],
    ids=["rate at the colo", "metric at the site"],
)
def test_a_weight_or_metric_of_one_end_only_is_told(mended: Lab, host: str, change: dict[str, int], said: str) -> None:
    sessions.wait_up(mended)
    site = lab_host("office")
    site["extrude_wans"][1].update(change)
    assert not modules.apply(mended, host, states({"office": site})[host]).failed
    sessions.wait_up(mended)
    run = playbook.run(mended, playbook=VERIFY)
    assert run.code != 0
    (message,) = run.failures()
    assert said in message
    assert "where the inventory has dsl" in message
    assert "dsl ok" in message
    assert any(said in text for text in run.words())
