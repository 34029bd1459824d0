# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.unit.netns import ip, output

Run = Callable[..., dict[str, Any]]
RULES = [
    {"priority": 4290, "table": 4200},
    {"priority": 4210, "table": 4221, "source": "192.0.2.2/32", "mark": 0x1000000, "mask": 0x3F000000},
    {"family": 6, "priority": 4230, "table": 254, "suppress_prefixlength": 0, "suppress_ifgroup": 4200},
]


def test_rules_are_made_once_the_lowest_first(run: Run) -> None:
    result = run("policy_rules", customer="acme", rules=RULES)
    assert [operation["text"] for operation in result["operations"]] == [
        "add rule 4210: from 192.0.2.2/32 fwmark 0x1000000/0x3f000000 lookup 4221",
        "add rule 4230: lookup 254 suppress_prefixlength 0 suppress_ifgroup 4200 (IPv6)",
        "add rule 4290: lookup 4200",
    ]
    assert "4290:\tfrom all lookup 4200 proto 120" in output("ip", "-d", "rule")
    assert run("policy_rules", customer="acme", rules=RULES)["changed"] is False


def test_purge_takes_away_what_the_owner_had(run: Run) -> None:
    before = output("ip", "rule")
    run("policy_rules", customer="acme", rules=RULES)
    run("policy_rules", customer="other", rules=RULES[:1])
    gone = run("policy_rules", customer="acme", rules=[], purge=True)
    assert [operation["text"].split(":")[0] for operation in gone["operations"]] == [
        "delete rule 4230",
        "delete rule 4210",
    ]
    run("policy_rules", customer="other", rules=[], purge=True)
    assert output("ip", "rule") == before


def test_a_strangers_rule_is_named(run: Run) -> None:
    ip("rule add priority 4290 lookup 4200 protocol 4")
    result = run("policy_rules", customer="acme", rules=RULES)
    assert result["msg"] == (
        "rule 4290: lookup 4200 stands where only ours may and was made by hand or networkd (protocol 4)"
    )


def test_a_bad_rule_is_one_sentence(run: Run) -> None:
    result = run("policy_rules", customer="acme", rules=[RULES[0], {"priority": 1, "table": 5, "mask": 1}])
    assert result["msg"] == "rules[1].mark: is missing, but mask is given"


def test_routes_by_devices_in_no_group_can_be_left_out(run: Run) -> None:
    by_groups = {"family": 6, "priority": 4220, "table": 254, "mark": 0x20000000, "suppress_ifgroup": 0}
    assert run("policy_rules", customer="acme", rules=[by_groups])["changed"] is True
    assert "suppress_ifgroup default" in output("ip", "-6", "rule")
    assert run("policy_rules", customer="acme", rules=[by_groups])["changed"] is False
