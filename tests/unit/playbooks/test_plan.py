# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.playbooks.nowhere import EXAMPLE, ROOT, playbook, run


@pytest.fixture
def play(tmp_path: Path) -> list[str]:
    """The command that plans for the example."""
    return [*playbook("plan"), "-i", str(EXAMPLE), "-e", f"plan_file={tmp_path / 'plan.yml'}"]


def test_both_ends_are_written_down_and_no_host_is_touched(play: list[str], tmp_path: Path) -> None:
    done = run(play)
    assert done.returncode == 0, done.stdout
    plan = yaml.safe_load((tmp_path / "plan.yml").read_text())
    at_colos = [state["site"] for states in plan["colos"].values() for state in states]
    assert sorted(plan["sites"]) == sorted(at_colos) != []
    for state in plan["sites"].values():
        assert [tunnel["name"] for tunnel in state["tunnels"]]
    assert "changed=0" in run(play).stdout, "the same inventory makes the same plan"


def test_a_relative_name_is_one_in_the_callers_directory(play: list[str], tmp_path: Path) -> None:
    for changed in (1, 0):
        done = run(play, "-e", "plan_file=after.yml", PWD=str(tmp_path))
        assert f"changed={changed}" in done.stdout
        assert f"The plan is in {tmp_path}/after.yml" in done.stdout
    assert yaml.safe_load((tmp_path / "after.yml").read_text())["sites"]
    assert not (ROOT / "playbooks" / "after.yml").exists()


def test_a_check_writes_the_plan_too(play: list[str], tmp_path: Path) -> None:
    done = run(play, "--check")
    assert done.returncode == 0, done.stdout
    assert "content: |\n" in (tmp_path / "plan.yml").read_text()


def test_a_variable_that_it_does_not_know_is_refused(play: list[str]) -> None:
    done = run(play, "-e", "plan_directory=/tmp")
    assert done.returncode != 0
    assert "plan_directory: not known; there is plan_file" in done.stdout
