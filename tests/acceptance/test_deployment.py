# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first runs: a check on bare hosts, the real one, and both again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance import modules, playbook, snapshot
from tests.acceptance.conftest import HOSTS, First, FirstCheck
from tests.lab.lab import Lab

ROLES = playbook.CHECKOUT / "roles"
INCLUDED = ("host", "liveness", "command")
PARTS = {"site": ("site", *INCLUDED), "colo": ("colo", *INCLUDED), "verify": ("verify",)}
"""Each role that the playbook calls, with those that it includes."""
MOST_TASKS = 24
OTHERS = ("absent.yml", "compare.yml")
"""What a deployment never comes to: teardown.yml and status.yml do."""

core = pytest.mark.core


def test_the_first_check_on_bare_hosts_works_and_changes_nothing(first_check: FirstCheck) -> None:
    assert first_check.run.code == 0, first_check.run.output
    for host in HOSTS:
        assert not snapshot.difference(first_check.before[host], first_check.after[host])


@pytest.mark.parametrize("host", HOSTS)
def test_the_first_check_says_which_packages_are_missing(first_check: FirstCheck, first: First, host: str) -> None:
    before = [result["missing_packages"] for result in first_check.run.states(host)]
    assert before
    assert all("python3-pyroute2" in missing for missing in before)
    assert [missing for result in first.run.states(host) for missing in result["missing_packages"]] == []


@pytest.mark.parametrize("host", HOSTS)
def test_the_first_run_does_exactly_what_the_check_said(first_check: FirstCheck, first: First, host: str) -> None:
    assert first.run.operations(host) == first_check.run.operations(host)
    assert first.run.diffs(host) == first_check.run.diffs(host)
    assert first.run.diffs(host)[0]["after"] != ""


@core
@pytest.mark.parametrize("host", HOSTS)
def test_the_first_run_makes_every_kind(first: First, host: str) -> None:
    assert first.run.code == 0, first.run.output
    kinds = {operation["kind"] for operation in first.run.operations(host)}
    assert kinds >= {"tunnels", "addresses", "sysctls", "chains", "routes", "rules"}


@pytest.mark.long
def test_a_second_check_finds_nothing_to_do(second_check: playbook.Run) -> None:
    _assert_nothing_done(second_check)


def test_a_second_run_finds_nothing_to_do(second: playbook.Run) -> None:
    _assert_nothing_done(second)


@core
def test_the_same_states_applied_again_change_nothing(deployed: Lab) -> None:
    for host, result in modules.apply_all(deployed).items():
        assert not result.failed, result.message
        assert result.texts == [], host
        assert not result.values["changed"], host


@core
def test_the_recap_says_in_words_that_each_tunnel_works(first: First) -> None:
    (dsl, cable) = first.run.words()
    assert dsl.startswith("dsl ok")
    assert cable.startswith("cable ok")
    assert "203.0.113.10" in dsl
    assert dsl in first.run.output.partition("PLAY RECAP")[2]


@core
def test_an_ssh_session_lives_through_the_deployment(first: First) -> None:
    assert first.ssh.whole


@core
def test_a_connection_to_a_wan_address_lives_through_the_deployment(first: First) -> None:
    assert first.wan.whole
    assert first.wan.answers > 20
    assert first.wan.longest < 5


@core
@pytest.mark.parametrize("host", HOSTS)
def test_what_is_on_the_hosts(deployed: Lab, hosts: dict[str, Any], host: str) -> None:
    there = hosts[host]
    assert there.package("python3-pyroute2").is_installed
    for wan in ("dsl", "cable"):
        device = f"ex-{wan}" if host == "office" else f"ex1-{wan}"
        assert there.interface(device).exists
        assert f"alias extrude:acme/office/{wan}" in there.check_output(f"ip link show {device}")
        assert there.sysctl(f"net.ipv4.conf.{device}.rp_filter") == 2
    assert there.sysctl("net.ipv4.ip_forward") == 1
    assert there.file("/var/lib/extrude/acme.json").exists
    assert "ManageForeignRoutes=no" in there.file("/etc/systemd/networkd.conf.d/50-extrude.conf").content_string
    assert there.check_output("systemctl is-active systemd-networkd") == "active"


@pytest.mark.parametrize("roles", [*PARTS.values(), ("endpoint",)])
def test_a_host_costs_few_tasks_and_no_task_loops_over_objects(roles: tuple[str, ...]) -> None:
    files = [file for role in roles for file in sorted((ROLES / role / "tasks").glob("*.yml"))]
    tasks = [task for file in files for task in _tasks(file)]
    assert 0 < sum(len(_tasks(file)) for file in files if file.name not in OTHERS) <= MOST_TASKS
    assert not [task for task in tasks if any(key == "loop" or key.startswith("with_") for key in task)]


@pytest.mark.parametrize("end", PARTS)
def test_no_host_sees_more_tasks_of_a_role_than_that(first: First, end: str) -> None:
    for host in HOSTS:
        seen = [answer for answer in first.run.on(host) if _role(answer.task) in PARTS[end]]
        assert len(seen) <= MOST_TASKS * (2 if end == "colo" else 1)  # the colo is called to make, and to purge
    assert {_role(answer.task) for host in HOSTS for answer in first.run.on(host)} >= set(PARTS)


def _role(task: str) -> str:
    """The role that a task is of."""
    return task.partition(" : ")[0].rpartition(".")[2]


def _assert_nothing_done(run: playbook.Run) -> None:
    assert run.code == 0, run.output
    assert run.changed == 0, run.output
    for host in HOSTS:
        assert run.operations(host) == []
        assert run.diffs(host)
        assert "".join(diff["before"] + diff["after"] for diff in run.diffs(host)) == ""


def _tasks(path: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for task in listed:
        assert not {"block", "import_tasks"} & {key.rpartition(".")[2] for key in task}, "count these too"
    return listed
