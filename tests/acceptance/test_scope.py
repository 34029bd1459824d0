# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run may touch: --limit, a canary that is not there, and a colo that holds two customers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, playbook, traffic
from tests.acceptance.inventory import Variables
from tests.acceptance.traffic import DESK_ADDRESS
from tests.lab.lab import Lab


@pytest.fixture
def shared_colo(mended: Lab) -> Iterator[Lab]:
    """The lab's colo holds another customer's site too, from that customer's own inventory."""
    result = modules.apply(mended, "colo", inventory.states({"branch": inventory.branch()})["colo"])
    assert not result.failed, result.message
    yield mended
    result = modules.apply(mended, "colo", [{"customer": "globex", "site": "branch"}])
    assert not result.failed, result.message


def test_a_limited_run_changes_that_site_at_both_ends_and_nothing_else(shared_colo: Lab, tmp_path: Path) -> None:
    office, branch = inventory.lab_host("office"), inventory.branch()
    office["extrude_wans"][0].update(up=40, down=90)
    branch["extrude_addresses"] = ["203.0.113.21"]
    folder = inventory.write(tmp_path / "both", {"branch": branch, "office": office})
    before = _of_branch(shared_colo)
    assert before
    run = playbook.run(shared_colo, "--limit", "office", inventory=folder)
    assert run.code == 0, run.output
    assert {operation["kind"] for host in ("colo", "office") for operation in run.operations(host)} == {
        "routes",
        "files",
    }
    assert run.operations("colo")
    assert run.operations("office")
    assert _of_branch(shared_colo) == before
    assert modules.drift(shared_colo, {"colo": inventory.states({"branch": inventory.branch()})["colo"]}) == []
    assert traffic.reaches(shared_colo, "internet", DESK_ADDRESS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extrude_addresses": ["203.0.113.10"]}, r"203\.0\.113\.10.* is held by customer acme, site office"),
        ({"extrude_site_id": 1}, r"key 17.* is held by customer acme, site office"),
        (
            {"extrude_addresses": ["203.0.113.8/29"], "extrude_lan": [{"interface": "eth0", "mode": "routed"}]},
            r"203\.0\.113\.8/29 .* overlaps 203\.0\.113\.10/32, which is held by customer acme, site office",
        ),
    ],
    ids=["address", "site id", "prefix"],
)
def test_what_another_customer_holds_is_an_error_that_names_the_owner(
    mended: Lab, changes: Variables, said: str
) -> None:
    claimed = {**inventory.branch(), **changes}
    claimed["extrude_wans"][0].update(name="dsl", address="192.0.2.2/24")
    result = modules.plan(mended, "colo", inventory.states({"branch": claimed})["colo"])
    assert re.search(said, result.message), result.message


def test_what_another_customers_change_would_give_up_is_still_theirs_until_that_is_confirmed(mended: Lab) -> None:
    office, branch = inventory.lab_host("office"), inventory.branch()
    given_up = office["extrude_addresses"].pop()
    office["extrude_lan"].pop()
    branch["extrude_addresses"] = [given_up]
    changed, claim = (inventory.states(site)["colo"] for site in ({"office": office}, {"branch": branch}))
    done = modules.call(mended, "colo", "extrude_state", states=changed, guard=3600)
    assert not done.failed, done.message
    said = rf"{given_up}\S* .* is held by customer acme, site office, whose change waits to be confirmed"
    refused = modules.apply(mended, "colo", claim)
    assert re.search(said, refused.message), refused.message
    mended.exec("colo", ["extrude", "confirm"])
    planned = modules.plan(mended, "colo", claim)
    assert not planned.failed, planned.message


def test_a_site_whose_customer_has_changed_in_the_inventory_is_not_called_off(deployed: Lab) -> None:
    words = ("-e", "teardown_sites=office", "-e", "extrude_customer=globex")
    run = playbook.run(deployed, *words, playbook=playbook.PLAYBOOK.with_name("teardown.yml"))
    assert run.code != 0
    (message,) = run.failures()
    assert message.startswith("office: here is acme/office, not globex/office, and nothing was changed.")
    assert modules.drift(deployed) == []


def test_a_bad_value_of_any_site_stops_a_run_limited_to_another(lab: Lab, tmp_path: Path) -> None:
    branch = {**inventory.branch(), "extrude_site_id": "two"}
    folder = inventory.write(tmp_path / "bad", {"branch": branch, "office": inventory.lab_host("office")})
    run = playbook.run(lab, "--limit", "office", inventory=folder)
    assert run.code != 0
    (message,) = run.failures()
    assert "branch: extrude_site_id" in message
    assert run.answers[-1].task == playbook.VALIDATED, "nothing comes after it"


def test_a_canary_that_is_not_reached_stops_the_run_before_the_next_site(deployed: Lab, tmp_path: Path) -> None:
    office = inventory.lab_host("office")
    office["extrude_wans"][0].update(up=40, down=90)
    branch = {**inventory.branch(), "ansible_host": "192.0.2.77"}
    folder = inventory.write(tmp_path / "canary", {"branch": branch, "office": office})
    run = playbook.run(deployed, "-e", '{"extrude_connect_timeout": 2}', inventory=folder)
    assert run.code != 0
    assert {answer.host for answer in run.answers if answer.status != "skipped"} == {"branch"}
    assert run.answers[-1].status == "failed"
    (message,) = run.failures()
    assert message.startswith("branch: not reached, so the rollout stops here; nothing of this batch was changed.")
    assert "--limit 'extrude_sites:!branch'" in message
    assert modules.drift(deployed) == []


def _of_branch(lab: Lab) -> list[str]:
    """Everything at the colo that belongs to the other customer."""
    lists = ("ip -d link", "ip address", "ip route show table 4217", "ip route show table 4218", "ip neigh show proxy")
    files = ("iptables-save", "python3 -m json.tool /var/lib/extrude/globex.json", "cat /etc/extrude/*.d/globex.*")
    commands = ("; ".join(shown) for shown in (lists, files))
    unordered, ordered = (lab.exec("colo", ["sh", "-c", command]).stdout.splitlines() for command in commands)
    marks = ("ex2-", "203.0.113.20", "192.0.2.77")
    return [line for line in (*sorted(unordered), *ordered) if any(mark in line for mark in marks)]
