# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in the midst of a run for more than one site, in the lab of encrypted links."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.acceptance import disk, playbook, remains
from tests.acceptance.conftest import dynamic_lab
from tests.acceptance.inventory import Variables
from tests.acceptance.test_guard import waits
from tests.acceptance.test_ipsec import (
    ALL_AT_ONCE,
    CONNECTIONS,
    EXTRUDED,
    HOSTS,
    INVENTORY,
    ONE_FIRST,
    all_up,
    is_clear,
)
from tests.acceptance.test_ipsec import count as count_packets
from tests.acceptance.test_links import extrude, wait_until
from tests.acceptance.test_status import STATUS, text
from tests.acceptance.test_teardown import OF_KIOSK, TEARDOWN, pinged
from tests.lab.lab import Lab
from tests.lab.topology import NAT

pytestmark = [pytest.mark.dynamic, pytest.mark.long]

MINUTES = 600
"""Seconds."""
UNREACHABLE_NOW = "systemctl stop ssh.socket ssh.service; pkill -KILL -x sshd || true"
REACHABLE_AGAIN = "systemctl start ssh.service"


@pytest.fixture(scope="module")
def bare(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab with nothing deployed."""
    for made in dynamic_lab(pytestconfig, "fleet", NAT):
        count_packets(made)
        yield made


@pytest.fixture(scope="module")
def forgotten(bare: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The office is deployed; the controller died when the colo had got its part of the kiosk."""
    run = playbook.run(bare, "--limit", "office", inventory=INVENTORY)
    assert run.code == 0, run.output
    cut_short(bare, lambda: waits(bare, "colo"), "--limit", "kiosk", "-e", "extrude_guard_timeout=3600")
    return bare


@pytest.fixture(scope="module")
def lab(forgotten: Lab) -> Lab:
    """The lab with both sites deployed."""
    run = playbook.run(forgotten, *ALL_AT_ONCE, inventory=INVENTORY)
    assert run.code == 0, run.output
    return forgotten


def cut_short(lab: Lab, when: Callable[[], bool], *arguments: str) -> None:
    """Begin a run, and kill the controller at some moment."""
    run = playbook.start(lab, *arguments, inventory=INVENTORY)
    try:
        wait_until(lambda: run.poll() is not None or when(), "it got so far", MINUTES)
        assert run.poll() is None, run.communicate()[0]
    finally:
        playbook.kill(run)
        run.communicate(timeout=60)


def varied(folder: Path) -> tuple[str, str]:
    """Words for a run in which each site's first link has half the weight."""
    links = {site: wans_of(site) for site in EXTRUDED}
    for first, second in links.values():
        first.update(up=first.get("up", 10) / 2, down=first.get("down", 20) / 2)
        second.update(up=second.get("up", 10), down=second.get("down", 20))
    return with_wans(folder, links)


def wans_of(site: str) -> list[Variables]:
    """The links of a site, as the inventory has them."""
    text = (INVENTORY / "host_vars" / f"{site}.yml").read_text(encoding="utf-8")
    return list(yaml.safe_load(text)["extrude_wans"])


def with_wans(folder: Path, links: dict[str, list[Variables]]) -> tuple[str, str]:
    """Words for a run in which sites have these links instead."""
    (folder / "host_vars").mkdir()
    for site, wans in links.items():
        (folder / "host_vars" / f"{site}.yml").write_text(yaml.safe_dump({"extrude_wans": wans}), encoding="utf-8")
    file = folder / "links.yml"
    file.write_text(yaml.safe_dump({"all": {"hosts": {site: {} for site in links}}}), encoding="utf-8")
    return "-i", str(file)


@contextmanager
def narrow(lab: Lab, site: str) -> Iterator[None]:
    """Have the links of a site lose large packets, as tunnels have them, but not those by which these are encrypted."""
    rules = [f"PREROUTING -i {wan['interface']} -m length --length 1300: -j DROP" for wan in wans_of(site)]
    for rule in rules:
        lab.exec(site, ["iptables", "-t", "raw", "-I", *rule.split()])
    try:
        yield
    finally:
        for rule in rules:
            lab.exec(site, ["iptables", "-t", "raw", "-D", *rule.split()])


def differences(lab: Lab) -> list[str]:
    """What status says beside that nothing differs."""
    run = playbook.run(lab, inventory=INVENTORY, playbook=STATUS)
    return [line for line in text(run) if "nothing differs" not in line]


# --- a site whose only deployment went back -------------------------------------------------------------


def test_of_a_site_whose_only_deployment_went_back_teardown_leaves_nothing_either(bare: Lab) -> None:
    hosts = ("colo", "office")
    before = {host: remains.take(bare, host) for host in hosts}
    with narrow(bare, "office"):
        assert playbook.run(bare, "--limit", "office", inventory=INVENTORY).code != 0
    wait_until(lambda: not any(waits(bare, host) for host in hosts), "both ends went back", MINUTES)
    assert "secrets.conf" in bare.exec("office", ["ls", CONNECTIONS]).stdout
    run = playbook.run(bare, "-e", "teardown_sites=office", inventory=INVENTORY, playbook=TEARDOWN)
    assert run.code == 0, run.output
    for host in hosts:
        now = remains.take(bare, host)
        assert now.named - before[host].named == set()
        assert now.files - before[host].files == set()
        assert now.kernel - before[host].kernel == set()


# --- a site that was never confirmed --------------------------------------------------------------------


def test_a_site_that_was_never_confirmed_goes_from_a_colo_whose_inventory_lacks_it(
    forgotten: Lab, tmp_path: Path
) -> None:
    folder = shutil.copytree(INVENTORY, tmp_path / "lacking")
    listed = yaml.safe_load((folder / "hosts.yml").read_text())
    del listed["all"]["children"]["extrude_sites"]["hosts"]["kiosk"]
    (folder / "hosts.yml").write_text(yaml.safe_dump(listed))
    assert remains.of(forgotten, "colo", OF_KIOSK)
    words = ("-e", "teardown_forgotten=globex/kiosk", "-e", "teardown_colo=colo")
    run = playbook.run(forgotten, *words, inventory=folder, playbook=TEARDOWN)
    assert run.code == 0, run.output
    assert not waits(forgotten, "colo")
    extrude(forgotten, "colo", "apply")
    assert remains.of(forgotten, "colo", OF_KIOSK) == []


# --- a batch that loses one -----------------------------------------------------------------------------


def test_a_site_that_is_lost_on_the_way_ends_the_run_and_goes_back_at_both_ends(lab: Lab, tmp_path: Path) -> None:
    words = (*ONE_FIRST, *varied(tmp_path), "-e", "extrude_guard_timeout=60")
    run = playbook.start(lab, *words, inventory=INVENTORY)
    try:
        wait_until(lambda: run.poll() is not None or waits(lab, "colo"), "the colo has changed", MINUTES)
        lab.exec("office", ["sh", "-c", UNREACHABLE_NOW])
        told, _errors = run.communicate(timeout=MINUTES * 2)
    finally:
        playbook.kill(run)
        lab.exec("office", ["sh", "-c", REACHABLE_AGAIN])
    assert run.returncode != 0
    assert "office: lost on the way, so the run stops here; kiosk and all behind are as they were" in told, told
    assert not waits(lab, "kiosk")
    extrude(lab, "colo", "rollback", "--within", "1")  # it would wait for sites that install packages
    wait_until(lambda: not any(waits(lab, host) for host in HOSTS), "all have gone back", MINUTES)
    assert differences(lab) == []


def test_where_the_proof_of_one_site_fails_all_of_its_batch_goes_back_at_once(lab: Lab, tmp_path: Path) -> None:
    words = (*ALL_AT_ONCE, *varied(tmp_path), "-e", "extrude_guard_timeout=3600")
    with narrow(lab, "kiosk"):
        run = playbook.run(lab, *words, inventory=INVENTORY)
        assert run.code != 0
        (message,) = run.failures()
        assert "lte FAILED" in message
        wait_until(lambda: not any(waits(lab, host) for host in HOSTS), "all have gone back", MINUTES)
    for host in HOSTS:
        assert "ago: its run has failed" in extrude(lab, host, "status")
    assert differences(lab) == []


@pytest.mark.parametrize("host", ["colo", "kiosk"])
def test_where_a_host_loses_its_power_in_the_midst_of_a_batch_all_of_it_goes_back(
    lab: Lab, tmp_path: Path, host: str
) -> None:
    run = playbook.start(lab, *ALL_AT_ONCE, *varied(tmp_path), inventory=INVENTORY)
    try:
        wait_until(lambda: run.poll() is not None or all(waits(lab, each) for each in HOSTS), "all wait", MINUTES)
        assert run.poll() is None, run.communicate()[0]
        lab.reboot(host, hard=True)
        told, _errors = run.communicate(timeout=MINUTES * 2)
    finally:
        playbook.kill(run)
    assert run.returncode != 0, told
    wait_until(lambda: not any(waits(lab, each) for each in HOSTS), "all have gone back", MINUTES)
    wait_until(lambda: all_up(lab), "all tunnels are up", MINUTES)
    assert differences(lab) == []


def test_a_run_for_each_of_two_customers_at_once(lab: Lab, tmp_path: Path) -> None:
    words = varied(tmp_path)
    runs = [playbook.start(lab, "--limit", site, *words, inventory=INVENTORY) for site in EXTRUDED]
    for run in runs:
        told, _errors = run.communicate(timeout=MINUTES * 4)
        assert run.returncode == 0, told
    assert differences(lab) != []
    run_back = playbook.run(lab, *ALL_AT_ONCE, inventory=INVENTORY)
    assert run_back.code == 0, run_back.output
    assert differences(lab) == []


# --- disks ----------------------------------------------------------------------------------------------


def test_encrypted_links_go_back_too_where_the_disks_are_full(lab: Lab, tmp_path: Path) -> None:
    """The office changes from two encrypted links to one, at both ends."""

    def held(host: str) -> str:
        return lab.exec(host, ["sh", "-c", f"cat /etc/extrude/bird.d/* {CONNECTIONS}/ex*"]).stdout

    before = {host: held(host) for host in ("colo", "office")}
    less = (
        *with_wans(tmp_path, {"office": wans_of("office")[:1]}),
        "--limit",
        "office",
        "-e",
        "extrude_guard_timeout=3600",
    )
    cut_short(lab, lambda: all(held(host) != before[host] for host in before) and waits(lab, "office"), *less)
    with pinged(lab, EXTRUDED["kiosk"]) as unanswered, disk.full(lab):
        for host in before:
            gone = lab.exec(host, ["extrude", "rollback"], check=False, timeout=MINUTES)
            assert "No space left on device" in gone.stderr
        assert {host: held(host) for host in before} == before
        wait_until(lambda: all_up(lab), "all tunnels are up", MINUTES)
    assert unanswered[0] <= 1
    for host in before:
        lab.exec(host, ["extrude", "apply"], check=False)  # which tells what has gone back, and ends with 1
        assert not waits(lab, host)
    assert differences(lab) == []
    assert not is_clear(lab)
