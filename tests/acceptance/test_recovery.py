# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are cut short, reboots, and other programs that load rules of their own."""

from __future__ import annotations

import signal
import time

import pytest

from tests.acceptance import kill, modules, playbook, snapshot, traffic
from tests.acceptance.conftest import HEALING, HOSTS, restart_networkd
from tests.acceptance.traffic import DESK_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

COLO_INSIDE = {"dsl": "10.254.0.0", "cable": "10.254.0.2"}
PATIENCE = 60
"""Seconds; a busy lab is slow."""
HEALS = 150
"""Seconds: a minute, and time to look and to mend."""
NOTHING = [{"customer": "acme", "site": "office"}]
# as dockerd does (docs.docker.com, packet filtering and firewalls)
DOCKERS_RULES = """*filter
:FORWARD DROP
:DOCKER-USER -
:DOCKER-FORWARD -
-A DOCKER-USER -j RETURN
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-I FORWARD 1 -j DOCKER-FORWARD
-I FORWARD 1 -j DOCKER-USER
COMMIT
"""
NO_DOCKER = "iptables -P FORWARD ACCEPT; iptables -D FORWARD -j DOCKER-USER; iptables -D FORWARD -j DOCKER-FORWARD"


@pytest.mark.parametrize(
    "point", ["first tunnel", *(pytest.param(point, marks=pytest.mark.long) for point in list(kill.POINTS)[1:])]
)
def test_a_module_that_is_killed_half_way_is_run_again(mended: Lab, point: str) -> None:
    assert not modules.apply(mended, "office", NOTHING).failed
    killer = kill.arm(mended, "office", point)
    assert modules.apply(mended, "office").failed
    assert killer.has_killed()
    again = modules.apply(mended, "office")
    assert not again.failed, again.message
    assert any(text.startswith("add rule") for text in again.texts), "the kill came too late"
    assert not any(text.startswith("add tunnel ex-dsl") for text in again.texts), "the kill came too early"
    assert modules.drift(mended) == []
    assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS


def test_networkd_restarted_leaves_what_is_ours(mended: Lab) -> None:
    for host in HOSTS:
        restart_networkd(mended, host)
    assert modules.drift(mended) == []
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)


def test_chains_that_docker_puts_in_front_and_its_policy_leave_ours_at_work(mended: Lab) -> None:
    for host in HOSTS:
        mended.exec(host, ["iptables-restore", "--noflush"], stdin=DOCKERS_RULES)
    try:
        assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
        assert traffic.fetch(mended, "internet", f"http://{DESK_ADDRESS}/name") == "desk"
        assert modules.drift(mended) == []
    finally:
        for host in HOSTS:
            mended.exec(host, ["sh", "-c", NO_DOCKER])


@pytest.mark.parametrize("link", [pytest.param("dsl", marks=pytest.mark.long), "cable"])
def test_a_cable_that_is_pulled_and_put_back_carries_its_tunnel_again_without_a_run(mended: Lab, link: str) -> None:
    ping = ["ping", "-c", "3", "-i", "0.2", "-W", "2", "-I", f"ex-{link}", COLO_INSIDE[link]]
    mended.cut(link)
    assert mended.exec("office", ping, check=False).returncode > 0
    mended.heal(link)
    end = time.monotonic() + PATIENCE
    while mended.exec("office", ping, check=False).returncode:
        assert time.monotonic() < end, f"after {PATIENCE} s {link} still carries nothing"


def test_ufw_reloaded_leaves_what_is_ours(mended: Lab) -> None:
    mended.exec("office", ["apt-get", "install", "-y", "-qq", "ufw"], timeout=180)
    try:
        mended.exec("office", ["ufw", "allow", "22/tcp"], timeout=60)
        mended.exec("office", ["ufw", "--force", "enable"], timeout=60)
        mended.exec("office", ["ufw", "reload"], timeout=60)
        assert "-P FORWARD DROP" in mended.exec("office", ["iptables", "-S", "FORWARD"]).stdout
        assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
        assert traffic.fetch(mended, "internet", f"http://{DESK_ADDRESS}/name") == "desk"
        assert modules.drift(mended) == []
    finally:
        mended.exec("office", ["ufw", "disable"], timeout=60)


@pytest.mark.long
def test_what_flushes_the_firewall_is_healed_within_two_minutes_and_a_sound_host_is_left_alone(mended: Lab) -> None:
    for host in HOSTS:
        mended.exec(host, ["touch", HEALING])
    try:
        flush = "for table in filter mangle nat; do iptables -t $table -F; iptables -t $table -X; done"
        mended.exec("office", ["sh", "-c", flush])
        mended.exec("colo", ["ip", "neigh", "del", "proxy", DESK_ADDRESS, "dev", "eth0"])
        end = time.monotonic() + HEALS
        while modules.drift(mended):
            assert time.monotonic() < end, f"after {HEALS} s it is still not healed"
        assert traffic.fetch(mended, "internet", f"http://{DESK_ADDRESS}/name") == "desk"
        before = {host: snapshot.take(mended, host) for host in HOSTS}
        since = mended.exec("office", ["date", "+%s"]).stdout.strip()
        mended.exec("office", ["systemctl", "start", "extrude-apply.service"])
        mended.exec("colo", ["systemctl", "start", "extrude-apply.service"])
        after = {host: snapshot.take(mended, host) for host in HOSTS}
        assert [snapshot.difference(before[host], after[host]) for host in HOSTS] == ["", ""]
        journal = ["journalctl", "-q", "--since", f"@{since}", "-u", "extrude-apply.service", "-o", "cat"]
        assert mended.exec("office", journal).stdout == ""
    finally:
        for host in HOSTS:
            mended.exec(host, ["rm", HEALING])


def test_where_the_states_cannot_be_written_nothing_is_changed(mended: Lab) -> None:
    read_only = "mount --bind /etc/extrude /etc/extrude && mount -o remount,bind,ro /etc/extrude"
    mended.exec("office", ["sh", "-c", read_only])
    try:
        before = snapshot.take(mended, "office")
        result = modules.apply(mended, "office", NOTHING)
        after = snapshot.take(mended, "office")
    finally:
        mended.exec("office", ["umount", "/etc/extrude"])
    assert result.message == "cannot write /etc/extrude/acme.json: Read-only file system"
    assert snapshot.difference(before, after) == ""


@pytest.mark.long
def test_a_playbook_that_is_killed_is_put_right_by_the_next_run(mended: Lab) -> None:
    bare = modules.apply_all(mended, dict.fromkeys(HOSTS, NOTHING))
    assert not any(result.failed for result in bare.values())
    assert not traffic.reaches(mended, "internet", DESK_ADDRESS, 1)
    killed = playbook.start(mended)
    _wait_for_device(mended, "colo", "ex1-cable")
    playbook.kill(killed)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    run = playbook.run(mended)
    assert run.code == 0, run.output
    assert run.operations("office")
    assert modules.drift(mended) == []
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)
    assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS


def _wait_for_device(lab: Lab, host: str, device: str) -> None:
    end = time.monotonic() + 120
    while lab.exec(host, ["ip", "link", "show", device], check=False).returncode != 0:
        assert time.monotonic() < end, f"{device} never came on {host}"
        time.sleep(0.1)
