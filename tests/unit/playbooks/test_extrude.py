# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does without doing anything: with an ssh that knows one module, by which hosts are reached at first."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.playbooks import nowhere
from tests.unit.playbooks.nowhere import EXAMPLE, playbook

EXTRUDE = [*playbook("extrude"), "-i", str(EXAMPLE), "-e", "extrude_connect_timeout=1"]
SITES = ["canary", "second", "third"]
SSH = """#!/bin/sh
# a host that answers ping, and is lost with the first thing that is to be done there
for words; do :; done
input=$(timeout 20 cat)
case $input in
    *ansible.modules.ping*) printf '%s\\n' "$input" | sh -c "$words" ;;
    "") sh -c "$words" ;;
    *) exit 255 ;;
esac
"""


@pytest.fixture
def play(tmp_path: Path) -> list[str]:
    """The command that deploys three sites."""
    sites = {
        name: {
            "extrude_customer": "acme",
            "extrude_colo": "rack",
            "extrude_site_id": number,
            "extrude_addresses": [f"203.0.113.{number}"],
            "extrude_wans": [
                {"name": "dsl", "interface": "dsl0", "address": f"192.0.2.{number}/24", "gateway": "192.0.2.254"}
            ],
        }
        for number, name in enumerate(SITES, 10)
    }
    colo = {
        "extrude_colo_address": "198.51.100.2",
        "extrude_colo_interface": "eth0",
        "extrude_prefixes": ["203.0.113.0/24"],
    }
    groups = {"extrude_colos": {"hosts": {"rack": colo}}, "extrude_sites": {"hosts": sites}}
    inventory, ssh = tmp_path / "hosts.yml", tmp_path / "ssh"
    everywhere = {"ansible_python_interpreter": sys.executable}
    inventory.write_text(yaml.safe_dump({"all": {"children": groups, "vars": everywhere}}))
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    return [*playbook("extrude"), "-i", str(inventory), "-e", "extrude_connect_timeout=30"]


def lost(play: list[str], tmp_path: Path, *more: str) -> str:
    """What a run that fails says."""
    done = nowhere.run(play, *more, ANSIBLE_SSH_EXECUTABLE=str(tmp_path / "ssh"), ANSIBLE_PIPELINING="1")
    assert done.returncode != 0, done.stdout
    return done.stdout


def test_a_site_that_is_lost_in_the_midst_of_its_batch_stops_all_that_are_behind(
    play: list[str], tmp_path: Path
) -> None:
    said = lost(play, tmp_path)
    assert "UNREACHABLE!" in said
    assert "canary: lost on the way, so the run stops here; second and all behind are as they were" in said
    assert "TASK [Reach the sites]" not in said.partition("lost on the way")[2]


def test_a_run_has_no_parts(play: list[str], tmp_path: Path) -> None:
    said = lost(play, tmp_path, "--tags", "colo")
    assert "--tags colo: a run is proved as a whole and has no parts" in said
    assert "TASK [Reach the sites]" not in said


def test_a_site_that_is_not_reached_stops_it_before_anything_of_its_batch_is_changed() -> None:
    done = nowhere.run(EXTRUDE, "-e", "extrude_batches=1,100%")
    assert done.returncode != 0
    first = "acme-office: not reached, so the rollout stops here; nothing of this batch was changed"
    assert f"{first}. Without it: --limit 'extrude_sites:!acme-office'" in done.stdout
    assert "acme-office: timed out waiting for ping module test: " in done.stdout
    assert "acme-shop" not in done.stdout


def test_without_the_sites_of_a_limit_there_is_nothing_to_go_on_with() -> None:
    done = nowhere.run(EXTRUDE, "-e", "extrude_batches=100%", "--limit", "acme")
    assert "acme-office, acme-shop: not reached, so the rollout stops here" in done.stdout
    assert "Without" not in done.stdout


def test_batches_that_make_no_sense_are_an_error_before_anything_is_done() -> None:
    done = nowhere.run(EXTRUDE, "-e", '{"extrude_batches": [0]}')
    assert done.returncode != 0
    assert "extrude_batches: 0 is no size of a batch; give numbers of sites" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Reach the sites" not in done.stdout
