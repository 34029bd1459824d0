# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's own proof fails when a link is broken, but for one that was so before."""

from __future__ import annotations

import pytest

from tests.acceptance import inventory, modules, playbook
from tests.acceptance.conftest import HOSTS
from tests.acceptance.test_guard import waits
from tests.acceptance.test_links import extrude, wait_until
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS
from tests.lab.lab import Lab

VERIFY = playbook.CHECKOUT / "tests" / "acceptance" / "playbooks" / "verify.yml"


def without_cable(lab: Lab) -> None:
    """Have both ends without one of the office's links."""
    office = inventory.lab_host("office")
    del office["extrude_wans"][1]
    done = modules.apply_all(lab, inventory.states({"office": office}))
    assert not any(one.failed for one in done.values())


def test_a_black_holed_link_makes_the_run_fail_in_words_that_name_it(mended: Lab) -> None:
    without_cable(mended)  # so that it is new to the run
    mended.cut("cable", black_hole=True)
    run = playbook.run(mended, "-e", "extrude_guard_timeout=600")
    assert run.code != 0
    (message,) = run.failures()
    assert "cable FAILED" in message
    assert "dsl ok" in message
    assert any("cable FAILED" in text for text in run.words())
    assert "cable FAILED" in run.output.partition("PLAY RECAP")[2]
    # at once, not when their time is up
    wait_until(lambda: not any(waits(mended, host) for host in HOSTS), "both ends went back", 60)
    for host in HOSTS:
        assert "ago: its run has failed" in extrude(mended, host, "status")
    assert mended.exec("office", ["ip", "link", "show", "ex-cable"], check=False).returncode != 0


def test_what_an_unconfirmed_change_has_killed_excuses_nothing(mended: Lab) -> None:
    without_cable(mended)
    mended.cut("cable", black_hole=True)
    wanted = inventory.states()["office"]
    assert not modules.call(mended, "office", "extrude_state", states=wanted, guard=3600).failed
    run = playbook.run(mended)
    assert run.code != 0
    assert "cable FAILED" in run.failures()[0]


@pytest.mark.long
def test_a_link_that_was_dead_before_the_run_is_told_and_stops_nothing(mended: Lab) -> None:
    mended.cut("cable", black_hole=True)
    run = playbook.run(mended)
    assert run.code == 0, run.output
    assert "cable was dead before this run and still is: no answer" in run.output.partition("PLAY RECAP")[2]
    assert any(text.startswith("dsl ok") for text in run.words())
    # a program may take the address of a link away with its carrier, as networkd does here; it is waited for
    mended.heal("cable")
    mended.cut("cable")
    gone = "until ! ip -4 address show cable0 | grep -q 198.51.100.2; do sleep 0.2; done"
    mended.exec("office", ["timeout", "30", "sh", "-c", gone])
    assert not modules.apply(mended, "office").failed
    proof = playbook.run(mended, playbook=VERIFY)
    assert proof.code == 0, proof.output
    assert any(text.startswith("cable is down: its ") for text in proof.words())


@pytest.mark.long
def test_a_daemon_that_does_not_come_up_makes_the_run_fail_in_words_that_name_the_host(mended: Lab) -> None:
    broken = "/run/systemd/system/extrude-bird.service.d/broken.conf"
    make = r"mkdir -p ${0%/*}; printf '[Service]\nExecStartPre=/bin/false\n' >$0"
    mended.exec("office", ["sh", "-c", f"{make}; systemctl daemon-reload; systemctl stop extrude-bird", broken])
    try:
        run = playbook.run(mended)
    finally:
        mended.exec("office", ["sh", "-c", "rm $0; systemctl daemon-reload; systemctl start extrude-bird", broken])
    assert run.code != 0
    (message,) = run.failures()
    assert "office does not watch its tunnels: extrude-bird.service is not up" in message


@pytest.mark.long
def test_a_path_that_carries_smaller_packets_only_is_told_with_its_size_and_survived(mended: Lab) -> None:
    ends = (("core", "dsl0"), ("isp-dsl", "core0"))
    for node, device in ends:
        mended.exec(node, ["ip", "link", "set", device, "mtu", "1400"])
    try:
        run = playbook.run(mended, playbook=VERIFY)
        for reverse in ([], ["-R"]):  # eight connections, so that each tunnel has some
            words = ["iperf3", "-c", INTERNET_ADDRESS, "-B", DESK_ADDRESS, "-P", "8", "-n", "300K", *reverse]
            mended.exec("desk", words, timeout=60)
    finally:
        for node, device in ends:
            mended.exec(node, ["ip", "link", "set", device, "mtu", "1500"])
        for host in HOSTS:
            mended.exec(host, ["ip", "route", "flush", "cache"])
    assert run.code != 0
    (message,) = run.failures()
    assert "lower the mtu of WAN dsl by 100" in message
    assert "cable ok" in message
