# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.playbooks.nowhere import EXAMPLE, playbook, run

NONE = "no host of this run is there; "
NO_GROUP = f"extrude_sites: {NONE}the inventory has no such group, or nothing in it"
BOOKS = ("extrude", "status", "plan", "drill")


@pytest.mark.parametrize("name", BOOKS)
def test_a_run_that_is_limited_to_a_colo_fails(name: str) -> None:
    done = run(playbook(name), "-i", str(EXAMPLE), "--limit", "rack1")
    assert done.returncode != 0
    left = "--limit rack1 leaves them out: acme-office, acme-shop, initech-plant"
    assert f"extrude_sites: {NONE}{left}" in done.stdout


@pytest.mark.parametrize("more", [[], ["--limit", "office"], ["--limit", "rack1"]])
def test_a_run_with_a_misspelt_group_fails(tmp_path: Path, more: list[str]) -> None:
    # nothing of a host is needed for that, be it behind a vault
    hosts = "extrude_colos: {hosts: {rack1: {ansible_connection: '{{ nothing }}'}}}\n"
    (tmp_path / "hosts.yml").write_text(f"{hosts}extrude_site: {{hosts: {{office: }}}}\n", encoding="utf-8")
    done = run(playbook("plan"), "-i", str(tmp_path), *more)
    assert done.returncode != 0
    assert NO_GROUP in done.stdout


def test_a_run_without_any_host_fails(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {}}\n", encoding="utf-8")
    done = run(playbook("extrude"), "-i", str(tmp_path))
    assert done.returncode != 0
    assert NO_GROUP in done.stdout


def test_one_that_is_limited_to_a_site_goes_on() -> None:
    done = run(playbook("plan"), "-i", str(EXAMPLE), "--limit", "acme-office")
    assert done.returncode == 0, done.stdout
    assert "content: |" in done.stdout


def test_teardown_may_be_limited_to_a_colo() -> None:
    done = run(playbook("teardown"), "-i", str(EXAMPLE), "--limit", "rack1")
    assert "say which sites are to be taken off" in done.stdout
    assert NONE not in done.stdout
