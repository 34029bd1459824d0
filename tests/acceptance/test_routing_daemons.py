# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other routing daemons: the admin's own beside ours, and one that is a site's end in place of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance import playbook, sessions, traffic
from tests.acceptance.conftest import HOSTS
from tests.acceptance.traffic import DESK_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

# BGP on all addresses, and BFD too, as an admin of a colo would have it
ADMINS_BIRD = """
router id 203.0.113.2;
protocol device { }
protocol bfd { }
protocol kernel { ipv4 { export none; }; }
protocol bgp upstream { local as 64496; neighbor 203.0.113.1 as 64497; bfd on; ipv4 { import all; export none; }; }
"""
BGP_OF_A_SITE = """
route-map NONE deny 10
router bgp 4200000001
 bgp router-id 10.254.0.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 {neighbours}
 address-family ipv4 unicast
  network {router}/32
  network {desk}/32
  table-map NONE
"""
NEIGHBOUR = """\
neighbor {address} remote-as 4200000000
 neighbor {address} port 1179
 neighbor {address} bfd 3 300 300
 neighbor {address} timers connect 1
 """


@pytest.fixture
def frr(mended: Lab) -> Iterator[Lab]:
    """FRR at the office as a site's end, with BGP and BFD; ours runs until a test stops it."""
    mended.exec("office", ["apt-get", "install", "-y", "-qq", "frr"], timeout=300)
    neighbours = "".join(NEIGHBOUR.format(address=address) for address in ("10.254.0.0", "10.254.0.2"))
    config = BGP_OF_A_SITE.format(neighbours=neighbours, router=ROUTER_ADDRESS, desk=DESK_ADDRESS)
    mended.exec("office", ["sed", "-i", "s/^bgpd=no/bgpd=yes/; s/^bfdd=no/bfdd=yes/", "/etc/frr/daemons"])
    mended.exec("office", ["sh", "-c", "cat >/etc/frr/frr.conf"], stdin=config)
    yield mended
    mended.exec("office", ["systemctl", "disable", "--now", "frr"], timeout=120)


@pytest.fixture
def admins_bird(mended: Lab) -> Iterator[Lab]:
    """An admin's BIRD runs at the colo."""
    mended.exec("colo", ["sh", "-c", "cat >/etc/bird/bird.conf"], stdin=ADMINS_BIRD)
    mended.exec("colo", ["systemctl", "enable", "--now", "bird"], timeout=60)
    yield mended
    mended.exec("colo", ["systemctl", "disable", "--now", "bird"], timeout=60)


def test_the_packages_own_bird_is_left_to_the_admin(deployed: Lab) -> None:
    for host in HOSTS:
        told = deployed.exec(host, ["systemctl", "is-enabled", "bird"], check=False).stdout.strip()
        assert told == "disabled"
        assert deployed.exec(host, ["systemctl", "is-active", "bird"], check=False).stdout.strip() == "inactive"


def test_an_admins_bird_and_ours_run_side_by_side_whoever_starts_first(admins_bird: Lab) -> None:
    lab = admins_bird
    for unit in (sessions.UNIT, "bird"):
        lab.exec("colo", ["systemctl", "restart", unit], timeout=60)
        sessions.wait_up(lab)
        assert "bird" in lab.exec("colo", ["ss", "-Hltnp", "sport = :179"]).stdout
        assert "bird" in lab.exec("colo", ["ss", "-Hlunp", "src = 0.0.0.0 and sport = :3784"]).stdout
        assert lab.exec("colo", ["systemctl", "is-active", "bird"]).stdout.strip() == "active"
    before = lab.exec("colo", ["systemctl", "show", "-p", "MainPID,UnitFileState", "bird"]).stdout
    run = playbook.run(lab)
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
    assert lab.exec("colo", ["systemctl", "show", "-p", "MainPID,UnitFileState", "bird"]).stdout == before
    assert lab.exec("colo", ["cat", "/etc/bird/bird.conf"]).stdout == ADMINS_BIRD


@pytest.mark.long
def test_frr_and_ours_run_side_by_side(frr: Lab) -> None:
    frr.exec("office", ["systemctl", "restart", "frr"], timeout=120)
    frr.exec("office", ["systemctl", "restart", sessions.UNIT], timeout=60)
    sessions.wait_up(frr)
    listening = frr.exec("office", ["ss", "-Hlnup", "sport = :3784"]).stdout
    assert "bird" in listening
    assert "bfdd" in listening
    assert "bgpd" in frr.exec("office", ["ss", "-Hltnp", "sport = :179"]).stdout


def test_frr_is_a_sites_end(frr: Lab) -> None:
    frr.exec("office", ["systemctl", "stop", sessions.UNIT], timeout=60)
    frr.exec("office", ["systemctl", "enable", "frr"], timeout=120)
    frr.exec("office", ["systemctl", "restart", "frr"], timeout=120)
    sessions.wait_established(frr, "colo", ("ex1-dsl", "ex1-cable"))
    ways = f"ip route show table 4200 {DESK_ADDRESS}"
    sessions.wait(frr, "colo", f"[ $({ways} | grep -c nexthop) = 2 ]")
    assert sessions.ways(frr, "colo", DESK_ADDRESS) == {"ex1-dsl": 5, "ex1-cable": 3}
    sessions.wait(frr, "colo", "[ $(birdc -s /run/extrude/bird.ctl show bfd sessions | grep -c ' Up ') = 2 ]")
    assert traffic.reaches(frr, "internet", DESK_ADDRESS)
    frr.cut("dsl", black_hole=True)
    sessions.wait_down(frr, "colo", "ex1-dsl")
    sessions.wait(frr, "colo", f"! {ways} | grep -q ex1-dsl")
    assert sessions.ways(frr, "colo", DESK_ADDRESS).keys() == {"ex1-cable"}
    received = "vtysh -c 'show bgp ipv4 unicast 0.0.0.0/0'"
    sessions.wait(frr, "office", f"! {received} | grep -q '10.254.0.0 '")
    assert "10.254.0.2" in frr.exec("office", ["sh", "-c", received]).stdout
