# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site reports by SSH where its link is; and what its key can't do, should it be stolen.

Links that really come and go are in test_lab_sites.py; here the office's cable link only looks like one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance import inventory, modules, playbook, traffic
from tests.acceptance.conftest import give_back
from tests.acceptance.test_links import extrude, wait_until
from tests.lab.lab import Lab

OLD, NEW = "198.51.100.2/24", "198.51.100.77/24"
SSH = ["ssh", "-F", "/etc/extrude/endpoint_ssh", "-b"]
PLACE = "/var/lib/extrude/endpoints/acme/office"


@pytest.fixture(scope="module")
def reporting(deployed: Lab) -> Lab:
    """The lab with a colo that hears of one link of the office, as the playbook makes it."""
    office = inventory.lab_host("office")
    for key in ("address", "gateway"):
        del office["extrude_wans"][1][key]
    (key,) = modules.call(deployed, "office", "endpoint_keys", end="site").values["public_keys"]
    door = modules.call(deployed, "colo", "endpoint_keys", end="colo").values
    _open_the_door(deployed)
    deployed.exec("colo", ["rm", "-rf", PLACE])
    office["extrude_endpoint"] = {"key": key, "port": door["port"], "host_keys": door["public_keys"]}
    for result in modules.apply_all(deployed, inventory.states({"office": office})).values():
        assert not result.failed, result.message
    assert far_end(deployed) == "127.0.0.2", "it has never been told"
    assert extrude(deployed, "office", "endpoint", "tell") == ""
    wait_until(lambda: far_end(deployed) == OLD.partition("/")[0], "the colo knows the link")
    return deployed


@pytest.fixture(autouse=True, scope="module")
def _put_back(deployed: Lab) -> Iterator[None]:
    yield
    deployed.exec("office", ["ip", "address", "del", NEW, "dev", "cable0"], check=False)
    give_back(deployed)
    for result in modules.apply_all(deployed).values():
        assert not result.failed, result.message


def _open_the_door(lab: Lab) -> None:
    words = ("-m", "ansible.builtin.include_role", "-a", "name=multihome.extrude.endpoint")
    done = playbook.command(lab, "ansible", "-i", str(playbook.INVENTORY), "colo", *words, results="/dev/null")
    output, _errors = done.communicate(timeout=120)
    assert done.returncode == 0, output


def tunnel(lab: Lab) -> dict[str, Any]:
    """The colo's end of the link's tunnel."""
    found: list[dict[str, Any]] = json.loads(lab.exec("colo", ["ip", "-j", "-d", "link", "show", "ex1-cable"]).stdout)
    return found[0]


def far_end(lab: Lab) -> str:
    return str(tunnel(lab)["linkinfo"]["info_data"]["remote"])


def test_a_link_that_moves_takes_its_tunnel_along(reporting: Lab) -> None:
    before = tunnel(reporting)["ifindex"]
    reporting.exec("office", ["ip", "address", "add", NEW, "dev", "cable0"])
    reporting.exec("office", ["ip", "address", "del", OLD, "dev", "cable0"])
    reporting.exec("office", ["ip", "address", "replace", NEW, "dev", "cable0"])  # the second of a network goes too
    extrude(reporting, "office", "wan", "up", "cable0", "--gateway", "198.51.100.1")
    wait_until(lambda: far_end(reporting) == NEW.partition("/")[0], "the tunnel ends at the new address")
    assert tunnel(reporting)["ifindex"] == before, "changed in place"
    assert traffic.reaches(reporting, "colo", "10.254.0.3")
    assert reporting.exec("colo", ["cat", f"{PLACE}/cable"]).stdout == "198.51.100.77\n"
    assert "the colo heard of it" in extrude(reporting, "office", "status")
    assert "to 198.51.100.77, reported" in extrude(reporting, "colo", "status")


@pytest.mark.parametrize(
    ("words", "told", "logged"),
    [
        (["colo", "dsl"], "'dsl' is not a link of acme/office whose address changes", "refused: 'dsl' is not a link"),
        (["colo", "../shop/lte"], "'../shop/lte' is not a link", "refused: '../shop/lte' is not a link"),
        (["colo", "id"], "'id' is not a link", "refused: 'id' is not a link"),
        (["colo"], "no link is named", "refused: no link is named"),
        (["-tt", "colo"], "PTY allocation request failed", "no link is named"),
        (["-s", "colo", "sftp"], "", "sftp"),
        (["-W", "127.0.0.1:22", "colo"], "stdio forwarding failed", "refused local port forward"),
        (["-o", "ExitOnForwardFailure=yes", "-NR", "7777:127.0.0.1:22", "colo"], "remote port forwarding failed", ""),
    ],
    ids=["a link of its own", "another site's link", "a command", "a shell", "a terminal", "files", "forward", "back"],
)
def test_what_a_stolen_key_tries_is_refused_and_logged(
    reporting: Lab, words: list[str], told: str, logged: str
) -> None:
    done = reporting.exec("office", ["timeout", "20", *SSH, far_end(reporting), *words], check=False)
    assert done.returncode not in (0, 124), done.stdout
    assert told in done.stderr
    journal = ["journalctl", "-b", "-n", "30", "-o", "cat"]
    wait_until(lambda: logged in reporting.exec("colo", journal).stdout, f"the colo's journal has: {logged}")


def test_many_logins_with_a_key_start_one_program_at_a_time(reporting: Lab) -> None:
    lock = "/var/lib/extrude/endpoints/.acme.office"
    hold = ["flock", lock, "sh", "-c", "echo held; sleep 45"]
    with reporting.popen("colo", hold) as holder:  # as a report does that takes long
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        done = reporting.exec("office", ["timeout", "40", *SSH, far_end(reporting), "colo", "cable"], check=False)
        holder.kill()
    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")
    assert reporting.exec("colo", ["runuser", "-u", "nobody", "--", "flock", lock, "true"], check=False).returncode != 0


def test_nothing_of_that_has_moved_anything(reporting: Lab) -> None:
    assert reporting.exec("colo", ["ls", "/var/lib/extrude/endpoints", PLACE]).stdout.split()[1:] == [
        *("acme", f"{PLACE}:", "cable")
    ]


def test_the_user_of_the_door_owns_nothing_that_root_believes(reporting: Lab) -> None:
    found = reporting.exec("colo", ["find", "/var/lib/extrude", "/etc/extrude", "/run/extrude", "-user", "extrude"])
    assert found.stdout.split()
    assert all(path.startswith("/var/lib/extrude/endpoints") for path in found.stdout.split())
    lock = [
        "setpriv",
        "--reuid=extrude",
        "--regid=extrude",
        "--clear-groups",
        "flock",
        "-n",
        "/run/extrude/lock",
        "true",
    ]
    assert "Permission denied" in reporting.exec("colo", lock, check=False).stderr


def test_the_user_of_the_door_has_no_other_way_in(reporting: Lab) -> None:
    shadow = reporting.exec("colo", ["getent", "shadow", "extrude"]).stdout
    assert shadow.split(":")[1] == "*"
    asked = ["sshd", "-T", "-C", "user=extrude,host=x,addr=192.0.2.1"]
    settings = reporting.exec("colo", asked).stdout.splitlines()
    assert {"authenticationmethods publickey", "authorizedkeysfile none", "disableforwarding yes"} <= set(settings)
    others = reporting.exec("colo", ["sshd", "-T", "-C", "user=root,host=x,addr=192.0.2.1"]).stdout.splitlines()
    assert "disableforwarding no" in others
    owners = reporting.exec("colo", ["stat", "-c", "%U", "/var/lib/extrude", "/etc/extrude/keys.d"]).stdout.split()
    assert owners == ["root", "root"]
