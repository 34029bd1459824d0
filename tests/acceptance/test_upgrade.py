# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of an older version gets this one, a site at a time, in the lab of encrypted links: docs/tasks/upgrade.md."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import playbook, traffic
from tests.acceptance.conftest import dynamic_lab
from tests.acceptance.test_ipsec import ALL_AT_ONCE, EXTRUDED, HOSTS, INVENTORY
from tests.acceptance.test_links import wait_until
from tests.acceptance.test_status import STATUS, text
from tests.acceptance.test_teardown import pinged
from tests.lab.lab import Lab
from tests.lab.topology import NAT

pytestmark = [pytest.mark.dynamic, pytest.mark.long]

OLDER = "a2e9df57f5327a80c16065d36d2008bdde65fe46"
"""The last commit without guards. The checkout needs its history for this test."""
BOOT = 300
"""Seconds."""
OF_ANOTHER_VERSION = "files of the collection are missing, or of another version"


@pytest.fixture(scope="module")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab with nothing deployed."""
    yield from dynamic_lab(pytestconfig, "upgrade", NAT)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the older version, set up as tools/setup.sh does."""
    folder = tmp_path_factory.mktemp("older")
    archive = subprocess.run(["git", "-C", str(playbook.CHECKOUT), "archive", OLDER], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    link = folder / "playbooks" / "collections" / "ansible_collections" / "multihome" / "extrude"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to("../../../..")
    return folder


@pytest.fixture(scope="module")
def before(lab: Lab, older: Path) -> Lab:
    """The lab as the older version has deployed it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(playbook, "CHECKOUT", older)
        folder = older / INVENTORY.relative_to(playbook.PLAYBOOK.parents[1])
        run = playbook.run(lab, *ALL_AT_ONCE, inventory=folder, playbook=older / "playbooks" / "extrude.yml")
    assert run.code == 0, run.output
    assert _reached(lab) == EXTRUDED
    return lab


def _reached(lab: Lab) -> dict[str, str]:
    return {site: address for site, address in EXTRUDED.items() if traffic.reaches(lab, "internet", address, 5)}


def test_one_site_gets_it_and_the_other_that_stays_old_goes_on(before: Lab) -> None:
    with pinged(before, EXTRUDED["kiosk"]) as unanswered:
        run = playbook.run(before, "--limit", "office", inventory=INVENTORY)
    assert run.code == 0, run.output
    assert unanswered[0] <= 1
    assert {answer.host for answer in run.answers if answer.result.get("changed")} <= {"office", "colo"}
    status = playbook.run(before, inventory=INVENTORY, playbook=STATUS)
    of_kiosk = [line for line in text(status) if line.startswith("kiosk") and OF_ANOTHER_VERSION in line]
    assert of_kiosk, text(status)
    assert _reached(before) == EXTRUDED


@pytest.mark.parametrize("host", HOSTS)
def test_old_and_new_ends_find_each_other_after_a_power_cut_of_either(before: Lab, host: str) -> None:
    before.reboot(host, hard=True)
    wait_until(lambda: _reached(before) == EXTRUDED, "both are reached again", BOOT)


def test_a_run_for_all_brings_it_everywhere_and_a_second_one_changes_nothing(before: Lab) -> None:
    run = playbook.run(before, inventory=INVENTORY)
    assert run.code == 0, run.output
    assert _reached(before) == EXTRUDED
    again = playbook.run(before, inventory=INVENTORY)
    assert (again.code, again.changed) == (0, 0), again.output
    status = playbook.run(before, inventory=INVENTORY, playbook=STATUS)
    assert all("nothing differs" in line for line in text(status)), text(status)
