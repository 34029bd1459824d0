# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _programs
from ansible_collections.multihome.extrude.plugins.module_utils._blackhole import (
    BlackHole,
    chain_of,
    refusal,
    running,
    script,
    timer,
)
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._model import Tunnel
from tests.unit.netns import Netns, ip, output, scratch, wait_for_links

DSL = Tunnel("ex-dsl", "192.0.2.2", "203.0.113.2", 17)
CABLE = Tunnel("ex-cable", "198.51.100.2", "203.0.113.2", 18)


# --- pure -----------------------------------------------------------------------------------------


def test_both_directions_of_one_tunnel_are_dropped() -> None:
    chain = chain_of(DSL)
    assert (chain.table, chain.name, chain.hook) == ("mangle", "EXTRUDE-DRILL", "PREROUTING OUTPUT")
    assert chain.rules == (
        "-s 203.0.113.2/32 -d 192.0.2.2/32 -p gre -j DROP",
        "-s 192.0.2.2/32 -d 203.0.113.2/32 -p gre -j DROP",
    )


def test_the_undoing_begins_with_what_ends_the_black_hole() -> None:
    commands = script("/sbin/iptables").split("; ")
    assert commands[0] == "/sbin/iptables -w -t mangle -F EXTRUDE-DRILL"
    assert commands[-1] == "/sbin/iptables -w -t mangle -X EXTRUDE-DRILL"
    assert len(commands) == 4


def test_the_timer_is_exact_and_leaves_no_failed_unit() -> None:
    command = timer(30, "true")
    assert command[-3:] == ["/bin/sh", "-c", "true"]
    assert {"--unit=extrude-drill", "--on-active=30.000s", "--timer-property=AccuracySec=10ms", "--collect"} <= set(
        command
    )


def test_a_tunnel_between_the_same_endpoints_would_die_too() -> None:
    twin = Tunnel("gre9", "192.0.2.2", "203.0.113.2", 99)
    assert "ex-dsl and gre9 run between the same endpoints" in refusal(DSL, [DSL, CABLE, twin])
    assert refusal(DSL, [DSL, CABLE]) == ""


# --- on a kernel ----------------------------------------------------------------------------------


@pytest.fixture(params=["nft", "legacy"])
def ends(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Netns, Netns]]:
    """A site, with iptables of either kind and a stand-in for systemd, and a colo."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for verb in ("", "-save", "-restore"):
        program = shutil.which(f"iptables-{request.param}{verb}", path="/usr/sbin:/sbin")
        assert program, "install iptables"
        (folder / f"iptables{verb}").symlink_to(program)
    stand_in(
        folder / "systemctl", 'test "$1" = stop || exec test -e "$(dirname "$0")/armed"; rm -f "$(dirname "$0")/armed"'
    )
    stand_in(folder / "systemd-run", 'touch "$(dirname "$0")/armed"')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin:/usr/sbin:/sbin")
    with scratch() as site, scratch() as colo:
        with site.entered():
            ip(f"link add s0 type veth peer c0 netns {colo.path}", "link set s0 up")
            ip("address add 192.0.2.2/24 dev s0", "address add 198.51.100.2/24 dev s0")
            ip("route add 203.0.113.2 dev s0")
        with colo.entered():
            ip("link set c0 up", "address add 203.0.113.2/32 dev c0", "route add default dev c0")
            wait_for_links("c0")
        yield site, colo


def stand_in(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def gre(source: str, destination: str, place: Netns, other: Netns) -> bool:
    """Whether a GRE packet comes through."""
    with other.entered():
        hears = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
    with place.entered():
        speaks = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
    with hears, speaks:
        hears.bind((destination, 0))
        speaks.bind((source, 0))
        hears.settimeout(0.3)
        try:
            speaks.sendto(b"\0\0\x08\0", (destination, 0))
            return bool(hears.recvfrom(99)[1][0] == source)
        except (TimeoutError, PermissionError):
            return False


def rules() -> str:
    return re.sub(r"(?m)^#.*\n|\[\d+:\d+\]", "", output("iptables-save"))


def test_the_tunnel_is_dead_both_ways_and_others_to_the_same_colo_live(ends: tuple[Netns, Netns]) -> None:
    site, colo = ends
    hole = BlackHole(DSL, 30)
    with site.entered():
        # an admin's rule that would let all in stands before ours no more
        subprocess.run(["iptables", "-t", "mangle", "-A", "PREROUTING", "-p", "gre", "-j", "ACCEPT"], check=True)
        subprocess.run(["iptables", "-t", "mangle", "-A", "OUTPUT", "-p", "47", "-j", "ACCEPT"], check=True)
        before = rules()
        hole.arm()
        hole.make()
        assert running()
    for own, alive in (("192.0.2.2", False), ("198.51.100.2", True)):
        assert gre(own, "203.0.113.2", site, colo) is alive
        assert gre("203.0.113.2", own, colo, site) is alive
    with site.entered():
        assert hole.end() is True
    assert gre("192.0.2.2", "203.0.113.2", site, colo)
    with site.entered():
        hole.tidy()
        assert rules() == before
        assert not running()


@pytest.mark.parametrize("left", ["all", "no jump", "nothing"])
def test_the_script_of_the_timer_tidies_whatever_is_left(ends: tuple[Netns, Netns], left: str) -> None:
    hole = BlackHole(DSL, 30)
    with ends[0].entered():
        subprocess.run(["iptables", "-t", "mangle", "-A", "PREROUTING", "-p", "udp", "-j", "ACCEPT"], check=True)
        subprocess.run(["iptables", "-t", "mangle", "-A", "OUTPUT", "-p", "udp", "-j", "ACCEPT"], check=True)
        before = rules()
        if left != "nothing":
            hole.make()
        if left == "no jump":
            subprocess.run(["iptables", "-t", "mangle", "-D", "OUTPUT", "-j", "EXTRUDE-DRILL"], check=True)
        subprocess.run(["/bin/sh", "-c", script("iptables")], check=False, capture_output=True)
        assert rules() == before
        assert hole.end() is False
        hole.tidy()


def test_what_a_dead_drill_has_left_is_replaced(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        BlackHole(CABLE, 30).make()
        hole = BlackHole(DSL, 30)
        hole.make()
        assert rules().count("-j EXTRUDE-DRILL") == 2
        assert "198.51.100.2" not in rules()
        hole.tidy()


def test_a_second_drill_is_refused_while_one_runs(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        BlackHole(DSL, 30).arm()
        with pytest.raises(EngineError, match="another drill is running"):
            BlackHole(CABLE, 30).arm()


def test_when_systemd_refuses_the_timer_that_is_the_error(ends: tuple[Netns, Netns], tmp_path: Path) -> None:
    stand_in(tmp_path / "bin" / "systemd-run", "echo 'Failed to start transient timer unit' >&2; exit 1")
    with ends[0].entered(), pytest.raises(EngineError, match=r"cannot arm the timer .*: Failed to start"):
        BlackHole(DSL, 30).arm()


def test_without_systemd_nothing_is_drilled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "find", lambda _program: None)
    with pytest.raises(EngineError, match="systemd-run is missing"):
        running()
