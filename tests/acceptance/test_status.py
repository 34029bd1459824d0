# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""status.yml says what differs and how the links are, changes nothing, and goes on where hosts are not reached."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance import inventory, modules, playbook, sessions, snapshot
from tests.acceptance.conftest import HOSTS
from tests.lab.lab import Lab

STATUS = playbook.CHECKOUT / "playbooks" / "status.yml"
SAYS = "Say how it is"
BRANCH = {**inventory.branch(), "ansible_host": "192.0.2.77"}
"""A site whose router is not there."""


def status(lab: Lab, *arguments: str, folder: Path = playbook.INVENTORY) -> playbook.Run:
    return playbook.run(lab, *arguments, inventory=folder, playbook=STATUS)


def text(run: playbook.Run) -> list[str]:
    """What it says at the end."""
    said = [answer.result["msg"] for answer in run.answers if answer.task == SAYS]
    assert said, run.output
    return list(said[0])


def test_hosts_that_are_as_the_inventory_says(deployed: Lab) -> None:
    sessions.wait_up(deployed)
    before = {host: snapshot.take(deployed, host) for host in HOSTS}
    run = status(deployed)
    assert run.code == 0, run.output
    assert text(run) == ["office (acme): dsl alive, cable alive; nothing differs", "colo: nothing differs"]
    assert run.changed == 0
    for host in HOSTS:
        assert not snapshot.difference(before[host], snapshot.take(deployed, host))


def test_all_that_differs_is_told_and_stays_as_it_is(mended: Lab) -> None:
    old = {**inventory.branch(), "extrude_customer": "acme"}
    harm = {
        "colo": "systemctl stop extrude-links.path; ip neigh del proxy 203.0.113.10 dev eth0",
        "office": "systemctl stop extrude-links.path; ip link del ex-cable; echo '# mine' >>/usr/lib/extrude/run",
    }
    assert not modules.apply(mended, "colo", inventory.states({"old": old})["colo"]).failed
    try:
        for host, command in harm.items():
            mended.exec(host, ["sh", "-c", command])
        run = status(mended)
        assert run.code != 0
        said = text(run)
        assert said[0].startswith("office (acme): dsl alive, cable DEAD; ")
        forgotten = "teardown.yml -e teardown_forgotten=acme/old -e teardown_colo=colo"
        for line in (
            "office: file /usr/lib/extrude/run is missing, or another",
            "colo: add proxy 203.0.113.10 on eth0",
            "colo: extrude-links.path does not run, or would not after a reboot",
            f"colo: has acme/old, which the inventory lacks; to take it off: {forgotten}",
        ):
            assert line in said, said
        assert any(line.startswith("office: cable is dead: it is not there (at office)") for line in said), said
        assert any(line.startswith("office: add tunnel ex-cable ") for line in said), said
        assert run.changed == 0
        assert "203.0.113.10" not in mended.exec("colo", ["ip", "neigh", "show", "proxy"]).stdout
    finally:
        modules.apply(mended, "colo", [{"customer": "acme", "site": "old"}])
        mended.exec("office", ["sed", "-i", "/^# mine/d", "/usr/lib/extrude/run"])
        for host in harm:
            mended.exec(host, ["systemctl", "start", "extrude-links.path"])


def test_it_goes_on_where_a_site_is_not_reached(deployed: Lab, tmp_path: Path) -> None:
    sites = {"branch": BRANCH, "office": inventory.lab_host("office")}
    folder = inventory.write(tmp_path / "both", sites)
    run = status(deployed, "-e", '{"extrude_connect_timeout": 2}', folder=folder)
    assert run.code != 0
    said = text(run)
    assert "branch (globex): fibre DEAD; NOT REACHED" in said
    assert "office (acme): dsl alive, cable alive; nothing differs" in said
    assert any(line.startswith("branch was not reached: ") for line in said), said
    assert "branch: fibre is dead: it is not deployed (at colo)" in said
    limited = status(deployed, "--limit", "office", folder=folder)
    assert limited.code == 0, limited.output
    assert text(limited)[1] == "colo: nothing differs"
