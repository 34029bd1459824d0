# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that nobody confirms: hosts put them back by themselves, whatever has become of the controller."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.acceptance import disk, inventory, modules, playbook, remains, traffic
from tests.acceptance.conftest import HOSTS, hold
from tests.acceptance.inventory import Variables, lab_host
from tests.acceptance.test_links import extrude, wait_until, works
from tests.acceptance.traffic import DESK_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

SECONDS = 60
ADDED = "203.0.113.14"
POINTS = range(5, 60, 6)
"""How many tasks have answered when the controller is killed: ten points of a run, which has 64."""


def changed() -> Variables:
    """The office with an address more, a link less, and nothing left to leave by."""
    base = lab_host("office")
    return {
        **base,
        "extrude_addresses": [*base["extrude_addresses"], ADDED],
        "extrude_wans": base["extrude_wans"][:1],
        "extrude_when_down": "block",
    }


def cuts() -> dict[str, dict[str, list[Variables]]]:
    """Ten changes that cut an operator off who comes by an extruded address: what hosts are given, by their names."""
    base = lab_host("office")
    dsl, cable = base["extrude_wans"]
    nowhere = [{**dsl, "gateway": "192.0.2.99"}, {**cable, "gateway": "198.51.100.99"}]
    gone = [{"customer": "acme", "site": "office"}]
    ssh = {"address": ROUTER_ADDRESS, "protocol": "tcp", "port": 22, "to": "192.168.10.2:9"}

    def site(host: str, colo: Variables | None = None, **changes: object) -> dict[str, list[Variables]]:
        made = inventory.states({"office": {**base, "extrude_renumber": True, **changes}}, **(colo or {}))
        return {host: made[host]}

    return {
        "wrong gateways": site("office", extrude_wans=nowhere, extrude_take_over=True),
        "another colo": site("office", {"extrude_colo_address": "203.0.113.3"}),
        "other keys": site("office", extrude_site_id=9),
        "links swapped": site("office", extrude_wans=[{**dsl, "slot": 2}, {**cable, "slot": 1}]),
        "another address": site("office", extrude_addresses=[ADDED], extrude_lan=[]),
        "ssh sent on": site("office", extrude_forwards=[ssh], ansible_host="192.0.2.2"),
        "nothing at the site": {"office": gone},
        "nothing at the colo": {"colo": gone},
        "other keys at the colo": site("colo", extrude_site_id=9),
        "addresses of others at the colo": site("colo", extrude_addresses=[ADDED], extrude_lan=[]),
    }


def lets_in(lab: Lab) -> bool:
    """Whether sshd of the router answers from the internet."""
    asked = lab.exec("internet", ["sh", "-c", f"nc -w 2 {ROUTER_ADDRESS} 22 </dev/null"], check=False)
    return asked.stdout.startswith("SSH-2.0-")


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
    assert f"acme/office: not confirmed within {SECONDS} s, so it goes back to what was before" in told
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


def settings(lab: Lab, host: str) -> set[str]:
    """The settings of IP that a host has, but for those of our devices."""
    lines = lab.exec(host, ["sysctl", "-a"]).stdout.splitlines()
    return {line for line in lines if line.startswith("net.ipv") and ".ex" not in line}


@pytest.mark.parametrize("host", HOSTS)
def test_of_a_first_deployment_that_goes_back_not_even_kernel_settings_stay(mended: Lab, host: str) -> None:
    assert not modules.apply(mended, host, [{"customer": "acme", "site": "office"}]).failed
    off = ["net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0", "net.ipv4.fib_multipath_hash_policy=0"]
    mended.exec(host, ["sysctl", "-w", *off])
    before = settings(mended, host), remains.kernel(mended, host)
    done = modules.call(mended, host, "extrude_state", states=inventory.states()[host], guard=3600)
    assert not done.failed, done.message
    assert "net.ipv4.ip_forward = 1" in settings(mended, host)
    extrude(mended, host, "rollback")
    assert (settings(mended, host), remains.kernel(mended, host)) == before


def test_where_the_disks_are_full_by_then_all_goes_back_but_the_file_of_the_next_boot(mended: Lab) -> None:
    def held(host: str) -> tuple[str, frozenset[str]]:
        return mended.exec(host, ["sh", "-c", "cat /etc/extrude/bird.d/*"]).stdout, remains.kernel(mended, host)

    wanted = inventory.states({"office": changed()})
    before = {host: held(host) for host in HOSTS}
    for host in HOSTS:
        done = modules.call(mended, host, "extrude_state", states=wanted[host], guard=3600)
        assert not done.failed, done.message
        assert held(host)[0] != before[host][0]
    with disk.full(mended):
        for host in HOSTS:
            gone = mended.exec(host, ["extrude", "rollback"], check=False)
            assert "No space left on device" in gone.stderr
            assert "a change is going back" in extrude(mended, host, "status")
        wait_until(lambda: works(mended), "the extruded addresses answer")
        wait_until(lambda: {host: held(host) for host in HOSTS} == before, "both ends hold what they held")
        refused = mended.exec("office", ["extrude", "confirm"], check=False)
        assert refused.returncode != 0
    for host in HOSTS:
        mended.exec(host, ["extrude", "apply"], check=False)  # which tells what has gone back, and ends with 1
        assert not waits(mended, host)
    assert as_before(mended)


@pytest.mark.long
@pytest.mark.parametrize("cut", cuts())
def test_whatever_locks_the_operator_out_is_undone(mended: Lab, cut: str) -> None:
    ((host, wanted),) = cuts()[cut].items()
    assert lets_in(mended)
    done = modules.call(mended, host, "extrude_state", states=wanted, guard=30)
    assert not done.failed, done.message
    begun = time.monotonic()
    wait_until(lambda: not lets_in(mended), "nobody gets in", 30)
    wait_until(lambda: lets_in(mended) and not waits(mended, host), "it went back", SECONDS + 120)
    print(f"{cut}: undone {time.monotonic() - begun:.0f} s after the change, of which 30 s were its time")
    wait_until(lambda: as_before(mended), "both ends are as before")


@pytest.mark.long
@pytest.mark.parametrize("answers", POINTS)
def test_wherever_the_controller_is_killed_the_next_run_puts_it_right(
    mended: Lab, tmp_path: Path, answers: int
) -> None:
    results = tmp_path / "results"
    results.touch()
    where = inventory.write(tmp_path / "changed", {"office": changed()})
    run = playbook.start(mended, inventory=where, results=str(results))
    wait_until(lambda: run.poll() is not None or results.read_bytes().count(b"\n") >= answers, "it got so far", 300)
    assert run.poll() is None, "there are more answers to come"
    playbook.kill(run)
    run.communicate(timeout=60)
    again = playbook.run(mended)
    assert again.code == 0, again.output
    assert as_before(mended)
    assert works(mended)
    assert not any(waits(mended, host) for host in HOSTS)


@pytest.mark.long
def test_of_two_operators_at_once_the_last_one_has_it(mended: Lab, tmp_path: Path) -> None:
    where = inventory.write(tmp_path / "changed", {"office": changed()})
    first = playbook.start(mended, "-e", "extrude_guard_timeout=600", inventory=where)
    wait_until(lambda: waits(mended, "office"), "the first has changed the office", 300)
    second = playbook.run(mended)
    told, _errors = first.communicate(timeout=300)
    assert second.code == 0, second.output
    assert first.returncode != 0
    assert "acme/office: another run is changing it" in told
    assert as_before(mended)
    assert not waits(mended, "colo")


@pytest.mark.long
def test_however_long_the_colos_lock_is_held_both_ends_have_the_same_afterwards(mended: Lab, tmp_path: Path) -> None:
    """Links change places: ends of which one goes back do not meet. Another customer's run may hold the lock."""
    base = lab_host("office")
    dsl, cable = base["extrude_wans"]
    swapped = {**base, "extrude_renumber": True, "extrude_wans": [{**dsl, "slot": 2}, {**cable, "slot": 1}]}
    results = tmp_path / "results"
    results.touch()
    where = inventory.write(tmp_path / "swapped", {"office": swapped})
    run = playbook.start(mended, "-e", f"extrude_guard_timeout={SECONDS}", inventory=where, results=str(results))
    wait_until(lambda: run.poll() is not None or "that no colo has gone back" in results.read_text(), "so far", 300)
    assert run.poll() is None, run.communicate()[0]
    mended.exec("colo", ["flock", "/run/extrude/lock", "sleep", str(SECONDS - 3)], timeout=SECONDS * 2)
    told, _errors = run.communicate(timeout=300)
    wait_until(lambda: not any(waits(mended, host) for host in HOSTS), "nothing waits", SECONDS * 4)
    wait_until(lambda: works(mended), "the extruded addresses answer")
    left = modules.drift(mended, inventory.states({"office": swapped}) if run.returncode == 0 else None)
    modules.apply_all(mended, inventory.states({"office": {**base, "extrude_renumber": True}}))
    assert left == [], told


def test_an_end_that_went_back_is_not_confirmed(mended: Lab) -> None:
    wanted = inventory.states({"office": changed()})["office"]
    assert not modules.call(mended, "office", "extrude_state", states=wanted, guard=3600).failed
    assert "delete address" in extrude(mended, "office", "rollback")
    assert as_before(mended)
    late = mended.exec("office", ["extrude", "confirm", "acme/office"], check=False)
    assert late.returncode == 1
    assert "extrude: acme/office: put back by hand, so since 20" in late.stderr
    assert traffic.reaches(mended, "internet", DESK_ADDRESS)
