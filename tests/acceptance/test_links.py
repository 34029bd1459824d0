# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes back by itself: after reboots, and when links and devices go and come."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.acceptance import modules, traffic
from tests.acceptance.conftest import give_back
from tests.acceptance.traffic import DESK_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

PATIENCE = 90
"""Seconds; a busy lab is slow."""
CUSTOMER = "/etc/extrude/acme.json"


def wait_until(true: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"after {patience} s still not: {what}"
        time.sleep(0.5)


def extrude(lab: Lab, host: str, *words: str) -> str:
    return lab.exec(host, ["extrude", *words], timeout=60).stdout


def settled(lab: Lab) -> bool:
    """Whether the hosts hold what the inventory asks for."""
    return modules.drift(lab) == []


def works(lab: Lab) -> bool:
    return traffic.reaches(lab, "internet", DESK_ADDRESS, 1) and traffic.reaches(lab, "internet", ROUTER_ADDRESS, 1)


@pytest.mark.parametrize(
    "reboots",
    [
        pytest.param([("office", True)], marks=pytest.mark.long),
        pytest.param([("colo", True)], marks=pytest.mark.long),
        pytest.param([("office", False), ("colo", False)], marks=pytest.mark.long),
        [("colo", False), ("office", True)],
    ],
    ids=["office", "colo", "office then colo", "colo then office"],
)
def test_hosts_that_reboot_come_back_without_a_run(mended: Lab, reboots: list[tuple[str, bool]]) -> None:
    for host, hard in reboots:
        mended.reboot(host, hard=hard)
    wait_until(lambda: works(mended), "extruded addresses answer")
    assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
    for host, _hard in reboots:
        assert mended.exec(host, ["systemctl", "is-failed", "extrude.service"], check=False).returncode != 0
    wait_until(lambda: settled(mended), "no drift")


@pytest.mark.long
def test_events_in_heaps_leave_one_unit_that_waits(mended: Lab) -> None:
    """As on a host that is too busy to follow: here somebody else holds the lock."""
    hold = ["flock", "/run/extrude/lock", "sh", "-c", "echo held; sleep 45"]
    with mended.popen("office", hold) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        mended.exec("office", ["sh", "-c", "for n in 1 2 3 4 5 6; do /usr/lib/extrude/run apply --lazy; done"])
        wait_until(lambda: len(_waiting(mended)) == 1, "one of six waits", 40)
    wait_until(lambda: not _waiting(mended), "it has had its turn")
    assert settled(mended)


def _waiting(lab: Lab) -> list[str]:
    """The units of hooks that have not ended."""
    return lab.exec(
        "office", ["systemctl", "list-units", "--plain", "--no-legend", "run-*.service"]
    ).stdout.splitlines()


FOREIGN = """[Unit]
DefaultDependencies=no
Before=extrude.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/ip rule add priority 4250 from 10.9.9.0/24 lookup main
[Install]
WantedBy=sysinit.target
"""


def test_a_foreign_rule_at_boot_keeps_nothing_from_coming_back_and_delays_nothing(mended: Lab) -> None:
    unit = "/etc/systemd/system/foreign.service"
    mended.exec("office", ["sh", "-c", f"cat >{unit} && systemctl enable foreign.service"], stdin=FOREIGN)
    try:
        mended.reboot("office")
        wait_until(lambda: works(mended), "extruded addresses answer")
        told = mended.exec("office", ["journalctl", "-b", "-u", "extrude.service", "-o", "cat"]).stdout
        assert "extrude: rule 4250: from 10.9.9.0/24 lookup 254 stands where only ours may" in told
        assert mended.exec("office", ["systemctl", "is-failed", "extrude.service"], check=False).stdout == "failed\n"
        ended = microseconds(mended, "extrude.service", "ExecMainExit")
        begun = microseconds(mended, "extrude.service", "ExecMainStart")
        assert 0 < begun < ended <= microseconds(mended, "network-pre.target", "ActiveEnter"), "it was tried once"
    finally:
        mended.exec("office", ["sh", "-c", f"systemctl disable foreign.service; rm {unit}; systemctl daemon-reload"])
        mended.exec("office", ["ip", "rule", "del", "priority", "4250"])
    extrude(mended, "office", "apply")
    wait_until(lambda: settled(mended), "no drift")


def microseconds(lab: Lab, unit: str, event: str) -> int:
    """When something last happened to a unit of the office, since boot."""
    show = ["systemctl", "show", "--value", f"--property={event}TimestampMonotonic", unit]
    return int(lab.exec("office", show).stdout)


@pytest.mark.parametrize("device", ["dsl0", pytest.param("lan0", marks=pytest.mark.long)])
def test_a_device_that_goes_down_and_up_at_the_office_has_its_routes_back(mended: Lab, device: str) -> None:
    before = _routes(mended)
    mended.exec("office", ["ip", "link", "set", device, "down"])
    wait_until(lambda: _routes(mended) != before, f"{device} is down")
    mended.exec("office", ["ip", "link", "set", device, "up"])
    wait_until(lambda: _routes(mended) == before, f"the routes by {device} are back")
    wait_until(lambda: works(mended), "extruded addresses answer")


def test_a_device_that_goes_down_and_up_at_the_colo_has_its_proxy_entries_back(mended: Lab) -> None:
    command = ["ip", "neigh", "show", "proxy"]
    before = sorted(mended.exec("colo", command).stdout.splitlines())
    mended.exec("colo", ["ip", "link", "set", "eth0", "down"])
    mended.exec("colo", ["ip", "link", "set", "eth0", "up"])
    wait_until(lambda: sorted(mended.exec("colo", command).stdout.splitlines()) == before, "proxy entries are back")
    wait_until(lambda: works(mended), "extruded addresses answer")


def test_an_address_that_a_link_loses_takes_its_tunnel_along_and_brings_it_back(mended: Lab) -> None:
    mended.exec("office", ["ip", "address", "del", "198.51.100.2/24", "dev", "cable0"])
    try:
        extrude(mended, "office", "wan", "down", "cable0")
        status = json.loads(extrude(mended, "office", "status", "--json"))["sites"][0]
        assert [(link["name"], link["up"], link["reason"]) for link in status["links"]] == [
            ("dsl", True, ""),
            ("cable", False, "cable0 does not have the address 198.51.100.2"),
        ]
        assert mended.exec("office", ["ip", "link", "show", "ex-cable"], check=False).returncode != 0
        wait_until(lambda: works(mended), "the other link carries all")
    finally:
        give_back(mended)
    extrude(mended, "office", "wan", "up", "cable0")
    assert settled(mended)
    assert "tunnel  ex-cable  up" in extrude(mended, "office", "status")


@pytest.mark.long
def test_a_damaged_file_does_not_keep_a_host_from_coming_back(mended: Lab) -> None:
    mended.exec("office", ["truncate", "--size=100", CUSTOMER])
    mended.reboot("office", hard=True)
    wait_until(lambda: works(mended), "extruded addresses answer")
    told = mended.exec("office", ["journalctl", "-b", "-u", "extrude.service", "-o", "cat"]).stdout
    assert f"extrude: warning: {CUSTOMER} is no list of states, so its copy acme.json.last-good is used" in told


def test_events_that_mean_nothing_cost_nothing_and_change_nothing(mended: Lab) -> None:
    for words in (["up", "mgmt0"], ["down", "ex-dsl"], ["up", "nonesuch", "--match", "x", "--gateway", "192.0.2.1"]):
        assert extrude(mended, "office", "wan", *words) == ""
    assert (
        mended.exec("office", ["find", "/run/extrude/links", "-type", "f", "!", "-name", ".*"], check=False).stdout
        == ""
    )
    assert settled(mended)


def test_an_apply_that_is_killed_half_way_is_put_right_by_the_next(mended: Lab) -> None:
    remove = "ip link del ex-dsl; ip link del ex-cable; ip rule del priority 4230"
    mended.exec("office", ["sh", "-c", remove], check=False)
    for hundredths in range(5, 100, 20):
        mended.exec("office", ["timeout", "-s", "KILL", str(hundredths / 100), "extrude", "apply"], check=False)
    extrude(mended, "office", "apply")
    assert settled(mended)
    wait_until(lambda: works(mended), "extruded addresses answer")


def _routes(lab: Lab) -> list[str]:
    return sorted(lab.exec("office", ["ip", "route", "show", "table", "all", "proto", "120"]).stdout.splitlines())
