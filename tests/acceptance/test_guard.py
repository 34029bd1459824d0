# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that nobody confirms: hosts put them back by themselves, whatever has become of the controller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, playbook, traffic
from tests.acceptance.conftest import HOSTS, hold
from tests.acceptance.inventory import Variables, lab_host
from tests.acceptance.test_links import extrude, wait_until, works
from tests.acceptance.traffic import DESK_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

SECONDS = 60
ADDED = "203.0.113.14"


def changed() -> Variables:
    """The office with an address more, a link less, and nothing left to leave by."""
    base = lab_host("office")
    return {
        **base,
        "extrude_addresses": [*base["extrude_addresses"], ADDED],
        "extrude_wans": base["extrude_wans"][:1],
        "extrude_when_down": "block",
    }


def waits(lab: Lab, host: str) -> bool:
    """Whether a change of a host waits to be confirmed."""
    return any(one["undone"] is None for one in json.loads(extrude(lab, host, "status", "--json"))["guarded"])


def as_before(lab: Lab) -> bool:
    """Whether both ends hold what the lab's inventory says."""
    return modules.drift(lab) == []


def test_a_run_that_proves_its_change_confirms_it(deployed: Lab) -> None:
    for host in HOSTS:
        assert json.loads(extrude(deployed, host, "status", "--json"))["guarded"] == []


def test_a_controller_that_vanishes_leaves_both_ends_as_they_were(mended: Lab, tmp_path: Path) -> None:
    where = inventory.write(tmp_path / "changed", {"office": changed()})
    run = playbook.start(mended, "-e", f"extrude_guard_timeout={SECONDS}", inventory=where)
    wait_until(lambda: waits(mended, "office"), "the office has changed", 300)
    playbook.kill(run)
    run.communicate(timeout=60)
    assert waits(mended, "colo")
    assert mended.exec("office", ["ip", "link", "show", "ex-cable"], check=False).returncode != 0
    wait_until(lambda: not waits(mended, "office"), "the office went back", SECONDS + 120)
    extrude(mended, "colo", "rollback", "--within", "1")  # it would wait for sites that install packages
    wait_until(lambda: as_before(mended), "both ends are as before")
    wait_until(lambda: works(mended), "the extruded addresses answer")
    assert traffic.source_seen_outside(mended, "desk") == ROUTER_ADDRESS
    told = mended.exec("office", ["journalctl", "-t", "extrude", "-o", "cat"]).stdout
    assert "acme/office: not confirmed, so it goes back to what was before" in told
    assert "add tunnel ex-cable" in told
    status = extrude(mended, "office", "status")
    assert "acme/office: a change went back" in status


@pytest.mark.parametrize("host", HOSTS)
def test_a_reboot_half_way_comes_back_with_what_was_before(mended: Lab, host: str) -> None:
    wanted = inventory.states({"office": changed()})[host]
    done = modules.call(mended, host, "extrude_state", states=wanted, guard=3600)
    assert not done.failed, done.message
    assert done.values["guarded"] is True
    mended.reboot(host, hard=True)
    hold(mended, HOSTS)
    wait_until(lambda: as_before(mended), "no drift")
    wait_until(lambda: works(mended), "the extruded addresses answer")
    assert not waits(mended, host)


def test_an_end_that_went_back_is_not_confirmed(mended: Lab) -> None:
    wanted = inventory.states({"office": changed()})["office"]
    assert not modules.call(mended, "office", "extrude_state", states=wanted, guard=3600).failed
    assert "delete address" in extrude(mended, "office", "rollback")
    assert as_before(mended)
    late = mended.exec("office", ["extrude", "confirm", "acme/office"], check=False)
    assert late.returncode == 1
    assert "extrude: acme/office: not confirmed within 3600 s, so since 20" in late.stderr
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)
