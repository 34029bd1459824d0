# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites go from both ends with all that there is of them, in the lab of encrypted links: one of two, then the last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.acceptance import playbook, remains
from tests.acceptance.conftest import dynamic_lab
from tests.acceptance.test_ipsec import ALL_AT_ONCE, EXTRUDED, HOSTS, INVENTORY, SECRET, count, is_clear
from tests.acceptance.test_status import STATUS, text
from tests.lab.lab import Lab
from tests.lab.topology import NAT

pytestmark = [pytest.mark.dynamic, pytest.mark.long]

TEARDOWN = playbook.CHECKOUT / "playbooks" / "teardown.yml"
OFFICE = ("-e", "teardown_sites=office")
OF_OFFICE = r"ex1-|203[.]0[.]113[.]10|acme|10[.]25[24][.]0[.][0-3](?!/15|\d)"
OF_KIOSK = "ex2-|203[.]0[.]113[.]20|globex"


def teardown(lab: Lab, *arguments: str) -> playbook.Run:
    return playbook.run(lab, *arguments, inventory=INVENTORY, playbook=TEARDOWN)


@pytest.fixture(scope="module")
def bare(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab, in which providers count what passes before anything else happens."""
    for made in dynamic_lab(pytestconfig, "teardown", NAT):
        count(made)
        yield made


@pytest.fixture(scope="module")
def before(bare: Lab) -> dict[str, remains.Host]:
    """What the hosts were before anything was deployed."""
    return {host: remains.take(bare, host) for host in HOSTS}


@pytest.fixture(scope="module")
def lab(bare: Lab, before: dict[str, remains.Host]) -> Lab:
    """The lab with both sites deployed."""
    run = playbook.run(bare, *ALL_AT_ONCE, inventory=INVENTORY)
    assert run.code == 0, run.output
    assert before
    return bare


@dataclass(frozen=True)
class Gone:
    """The office's teardown: what a check said, what was done, what of the other site stood before and after it, and
    how many of the pings to that had no answer."""

    check: playbook.Run
    run: playbook.Run
    others: tuple[list[str], list[str]]
    unanswered: list[int]


@pytest.fixture(scope="module")
def gone(lab: Lab) -> Gone:
    others = remains.of(lab, "colo", OF_KIOSK)
    assert len(others) > 20
    check = teardown(lab, *OFFICE, "--check", "--diff")
    with pinged(lab, EXTRUDED["kiosk"]) as unanswered:
        run = teardown(lab, *OFFICE, "--diff")
    return Gone(check, run, (others, remains.of(lab, "colo", OF_KIOSK)), unanswered)


@contextmanager
def pinged(lab: Lab, address: str) -> Iterator[list[int]]:
    """Ping an address from the colo all the while; then the list has the number of answers that are missing."""
    process = lab.popen("colo", ["ping", "-q", "-i", "0.1", address])
    missing: list[int] = []
    yield missing
    lab.exec("colo", ["pkill", "-INT", "-x", "ping"])
    said, _errors = process.communicate(timeout=60)
    sent, received = map(int, re.findall(r"(\d+) (?:packets transmitted|received)", said))
    assert sent > 50
    missing.append(sent - received)


# --- before anything is changed -------------------------------------------------------------------------


def test_status_knows_of_encrypted_links_and_shows_no_secret(lab: Lab) -> None:
    run = playbook.run(lab, "-vvv", inventory=INVENTORY, playbook=STATUS)
    assert run.code == 0, run.output
    assert text(run)[0] == "office (acme): dsl alive, lte alive; nothing differs"
    assert SECRET not in run.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say which sites are to be taken off: -e teardown_sites=SITE"),
        (["-e", "teardown_sites=offcie"], "offcie: not in the inventory, which has office (acme), kiosk (globex)"),
        ([*OFFICE, "--limit", "kiosk"], "--limit leaves out office"),
    ],
)
def test_what_is_not_clear_changes_nothing(lab: Lab, words: list[str], said: str) -> None:
    run = teardown(lab, *words)
    assert run.code != 0
    assert said in "".join(run.failures())
    assert not any(" : " in answer.task for answer in run.answers)


def test_a_site_that_is_not_reached_is_an_error_before_anything_is_changed(lab: Lab, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yml"
    hosts = {"extrude_sites": {"hosts": {"office": {"ansible_host": "192.0.2.77"}}}}
    elsewhere.write_text(yaml.safe_dump(hosts), encoding="utf-8")
    run = teardown(lab, "-i", str(elsewhere), *OFFICE, "-e", '{"extrude_connect_timeout": 2}')
    assert run.code != 0
    (message,) = run.failures()
    assert message.startswith("office: not reached, and nothing was changed.")
    assert "-e teardown_sites=office -e teardown_gone=true" in message
    assert not any(" : " in answer.task for answer in run.answers)


# --- one of two sites -----------------------------------------------------------------------------------


def test_a_check_says_exactly_what_goes(gone: Gone) -> None:
    assert (gone.check.code, gone.run.code) == (0, 0), gone.run.output
    for host in ("office", "colo"):
        assert gone.check.operations(host) == gone.run.operations(host)
        assert {operation["action"] for operation in gone.run.operations(host)} <= {"delete", "change"}
        promised, removed = (set(_removed(run, host)) for run in (gone.check, gone.run))
        assert promised - {"/etc/extrude"} == removed  # that goes with the last state in it
    assert "/usr/sbin/extrude" in _removed(gone.run, "office")
    assert _removed(gone.check, "colo") == _removed(gone.run, "colo") == []
    assert not [answer for answer in gone.run.answers if answer.host == "kiosk"]


def _removed(run: playbook.Run, host: str) -> list[str]:
    return [path for answer in run.on(host) for path in answer.result.get("removed", [])]


def test_the_site_is_as_before_the_deployment(lab: Lab, gone: Gone, before: dict[str, remains.Host]) -> None:
    assert gone.run.code == 0
    assert remains.difference(before["office"], remains.take(lab, "office")) == []


def test_the_colo_has_nothing_of_the_site_and_all_of_the_other(lab: Lab, gone: Gone) -> None:
    assert remains.of(lab, "colo", OF_OFFICE) == []
    assert gone.others[0] == gone.others[1]


def test_the_other_site_loses_nothing(gone: Gone) -> None:
    assert gone.unanswered[0] <= 1  # the one that was on its way at the end


def test_nothing_was_ever_sent_in_the_clear(lab: Lab, gone: Gone) -> None:
    assert gone.run.code == 0
    assert not is_clear(lab)


def test_a_second_run_changes_nothing(lab: Lab, gone: Gone) -> None:
    assert gone.run.code == 0
    run = teardown(lab, *OFFICE)
    assert run.code == 0, run.output
    assert run.changed == 0, run.output


# --- the last one ---------------------------------------------------------------------------------------


def test_the_last_site_takes_the_collection_from_the_colo(
    lab: Lab, gone: Gone, before: dict[str, remains.Host]
) -> None:
    """Its router is given up first, and comes back then: the second run finds the colo's part gone."""
    assert gone.run.code == 0
    run = teardown(lab, "-e", "teardown_sites=kiosk", "-e", "teardown_gone=true", "--limit", "colo")
    assert run.code == 0, run.output
    assert not [answer for answer in run.answers if answer.host == "kiosk"]
    assert remains.difference(before["colo"], remains.take(lab, "colo")) == []
    run = teardown(lab, "-e", "teardown_customer=globex")
    assert run.code == 0, run.output
    assert remains.difference(before["kiosk"], remains.take(lab, "kiosk")) == []
    assert not is_clear(lab)
