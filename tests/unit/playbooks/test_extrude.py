# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from tests.unit.playbooks.nowhere import EXAMPLE, playbook, run

EXTRUDE = [*playbook("extrude"), "-i", str(EXAMPLE), "-e", "extrude_connect_timeout=1"]


def test_a_site_that_is_not_reached_stops_it_before_anything_of_its_batch_is_changed() -> None:
    done = run(EXTRUDE, "-e", "extrude_batches=1,100%")
    assert done.returncode != 0
    first = "acme-office: not reached, so the rollout stops here; nothing of this batch was changed"
    assert f"{first}. Without it: --limit 'extrude_sites:!acme-office'" in done.stdout
    assert "acme-office: timed out waiting for ping module test: " in done.stdout
    assert "acme-shop" not in done.stdout


def test_without_the_sites_of_a_limit_there_is_nothing_to_go_on_with() -> None:
    done = run(EXTRUDE, "-e", "extrude_batches=100%", "--limit", "acme")
    assert "acme-office, acme-shop: not reached, so the rollout stops here" in done.stdout
    assert "Without" not in done.stdout


def test_batches_that_make_no_sense_are_an_error_before_anything_is_done() -> None:
    done = run(EXTRUDE, "-e", '{"extrude_batches": [0]}')
    assert done.returncode != 0
    assert "extrude_batches: 0 is no size of a batch; give numbers of sites" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Reach the sites" not in done.stdout
