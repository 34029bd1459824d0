# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong, in the inventory or on a host, is told in words; or it is put right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, playbook, snapshot, traffic
from tests.acceptance.conftest import HOSTS
from tests.acceptance.traffic import DESK_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

ADMINS_RULES = """*filter
[7:700] -I FORWARD 1 -s 192.0.2.200/32 -j DROP
[8:800] -A INPUT -s 192.0.2.201/32 -j ACCEPT
COMMIT
"""


def test_all_errors_of_the_inventory_are_shown_together_before_any_host_is_touched(lab: Lab, tmp_path: Path) -> None:
    office = inventory.lab_host("office")
    office["extrude_addresses"].append("203.0.114.7")
    office["extrude_wans"][1]["name"] = "dsl"
    run = playbook.run(lab, inventory=inventory.write(tmp_path / "wrong", {"office": office}))
    assert run.code != 0
    (message,) = run.failures()
    assert "203.0.114.7" in message
    assert "extrude_wans[1].name" in message
    assert run.answers[-1].task == playbook.VALIDATED, "nothing comes after it"


def test_what_others_put_into_our_places_is_named_and_nothing_is_changed(mended: Lab) -> None:
    route, rule = "198.51.100.128/25", "10.9.9.0/24"
    mended.exec("office", ["ip", "route", "add", route, "via", "192.168.10.2", "table", "4200"])
    mended.exec("office", ["ip", "rule", "add", "priority", "4250", "from", rule, "lookup", "main"])
    mended.exec("office", ["ip", "link", "set", "ex-dsl", "alias", "of somebody else"])
    try:
        before = {host: snapshot.take(mended, host) for host in HOSTS}
        run = playbook.run(mended)
        after = {host: snapshot.take(mended, host) for host in HOSTS}
    finally:
        mended.exec("office", ["ip", "route", "del", route, "table", "4200"])
        mended.exec("office", ["ip", "rule", "del", "priority", "4250"])
        mended.exec("office", ["ip", "link", "set", "ex-dsl", "alias", "extrude:acme/office/dsl"])
    assert run.code != 0
    (message,) = run.failures()
    assert f"{route} table 4200" in message
    assert f"4250: from {rule}" in message
    assert "device ex-dsl is there already and is not ours" in message
    assert "of somebody else" in message
    for host in HOSTS:
        lines = snapshot.difference(before[host], after[host]).splitlines()
        changed = [line for line in lines if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")]
        # the colo has noted that its purge is still to come, which the next run brings
        assert [line for line in changed if host != "colo" or "/etc/extrude/acme.json" not in line] == []


@pytest.mark.core
def test_what_changed_since_is_put_right_as_the_check_said_and_the_admins_rules_stay(mended: Lab) -> None:
    mended.exec("office", ["iptables-restore", "--noflush", "--counters"], stdin=ADMINS_RULES)
    mended.exec("office", ["iptables", "-I", "EXTRUDE-FORWARD", "1", "-d", DESK_ADDRESS, "-j", "DROP"])
    mended.exec("colo", ["iptables", "-D", "FORWARD", "-j", "EXTRUDE-FORWARD"])
    for address in (ROUTER_ADDRESS, DESK_ADDRESS):
        mended.exec("colo", ["ip", "neigh", "del", "proxy", address, "dev", "eth0"])
    assert not traffic.reaches(mended, "internet", DESK_ADDRESS, 1)
    planned = modules.apply_all(mended, None, "--check", "--diff")
    done = modules.apply_all(mended, None, "--diff")
    for host in HOSTS:
        assert not done[host].failed, done[host].message
        for told in ("operations", "diff"):
            assert done[host].values[told] == planned[host].values[told]

    assert {*done["colo"].texts} >= {f"add proxy {address} on eth0" for address in (ROUTER_ADDRESS, DESK_ADDRESS)}
    assert "chains" in {operation["kind"] for operation in done["colo"].values["operations"]}
    assert [operation["kind"] for operation in done["office"].values["operations"]] == ["chains"]
    diff = done["office"].values["diff"]
    assert f"EXTRUDE-FORWARD   1: -d {DESK_ADDRESS}/32 -j DROP" in diff["before"]
    assert f"-d {DESK_ADDRESS}/32 -j DROP" not in diff["after"]

    rules = mended.exec("office", ["iptables-save", "--counters", "-t", "filter"]).stdout
    assert "[7:700] -A FORWARD -s 192.0.2.200/32 -j DROP" in rules
    assert "[8:800] -A INPUT -s 192.0.2.201/32 -j ACCEPT" in rules
    assert rules.index("-A FORWARD -s 192.0.2.200") < rules.index("-A FORWARD -j EXTRUDE-FORWARD")
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)
    mended.exec("office", ["iptables", "-D", "FORWARD", "-s", "192.0.2.200/32", "-j", "DROP"])
    mended.exec("office", ["iptables", "-D", "INPUT", "-s", "192.0.2.201/32", "-j", "ACCEPT"])


def test_a_gateway_that_nobody_answers_for_is_refused_and_nothing_is_changed_at_either_end(
    mended: Lab, tmp_path: Path
) -> None:
    office = inventory.lab_host("office")
    office["extrude_wans"][1].update(gateway="198.51.100.99", up=90)
    before = {host: snapshot.take(mended, host) for host in HOSTS}
    run = playbook.run(mended, inventory=inventory.write(tmp_path / "silent", {"office": office}))
    assert run.code != 0
    (message,) = run.failures()
    assert message.startswith(
        "office: extrude_wans[1].gateway: nobody answers ARP for 198.51.100.99 on cable0: correct it"
    )
    for host in HOSTS:
        assert not snapshot.difference(before[host], snapshot.take(mended, host))


def test_an_interface_of_the_colo_that_is_not_the_racks_is_refused(mended: Lab) -> None:
    wanted = inventory.states(extrude_colo_interface="spare0")["colo"]
    mended.exec("colo", ["ip", "link", "add", "spare0", "type", "dummy"])
    try:
        result = modules.plan(mended, "colo", wanted)
    finally:
        mended.exec("colo", ["ip", "link", "del", "spare0"])
    for address in (ROUTER_ADDRESS, DESK_ADDRESS):
        assert f"colo: extrude_colo_interface: {address} is not on the link of spare0" in result.message


def test_a_device_of_that_name_is_an_error_for_a_new_wan(mended: Lab) -> None:
    office = inventory.lab_host("office")
    office["extrude_wans"].append(
        {"name": "lte", "interface": "lte0", "address": "192.0.2.130/30", "gateway": "192.0.2.129", "metric": 2}
    )
    mended.exec("office", ["ip", "link", "add", "ex-lte", "type", "dummy"])
    try:
        result = modules.plan(mended, "office", inventory.states({"office": office})["office"])
    finally:
        mended.exec("office", ["ip", "link", "del", "ex-lte"])
    assert "device ex-lte is there already and is not ours: kind dummy" in result.message
    assert "there is no device lte0" in result.message
