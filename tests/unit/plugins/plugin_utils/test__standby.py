# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._standby import standby_files, steps
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Numbers

NUMBERS = Numbers(table=1000, priority=100)
RULE = {"family": 4, "priority": 180, "source": "203.0.113.10/32"}


def test_three_steps_at_three_priorities() -> None:
    assert list(steps(RULE, NUMBERS, [NUMBERS.last])) == [
        {**RULE, "table": 1000},
        {**RULE, "priority": 181, "table": 1017, "standby": True},
        {**RULE, "priority": 182, "table": 1018},
    ]


def test_without_a_last_resort_main_comes_next() -> None:
    assert [rule["priority"] for rule in steps(RULE, NUMBERS, [])] == [180, 181]


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({}, "lookup 1017"),
        ({"source": "203.0.113.10/32"}, "from 203.0.113.10/32 lookup 1017"),
        ({"destination": "203.0.113.0/28"}, "to 203.0.113.0/28 lookup 1017"),
        ({"iif": "lo", "source": "0.0.0.0/32"}, "from 0.0.0.0/32 iif lo lookup 1017"),
    ],
)
def test_stand_by_rules_in_the_words_of_ip_rule(match: dict[str, str], words: str) -> None:
    rules = list(steps({"family": 4, "priority": 180, **match}, NUMBERS, [NUMBERS.last]))
    (file,) = standby_files("acme.1", rules)
    assert file == {"path": "standby.d/acme.1.4", "content": f"priority 181 {words} protocol 120\n"}


def test_each_ip_version_has_a_file_where_it_has_rules() -> None:
    rules = [rule for family in (6, 4) for rule in steps({**RULE, "family": family}, NUMBERS, [])]
    assert [file["path"] for file in standby_files("acme.1", rules)] == ["standby.d/acme.1.4", "standby.d/acme.1.6"]


def test_a_match_that_the_words_lack_is_an_error_and_not_a_wider_rule() -> None:
    with pytest.raises(ValueError, match="mark"):
        list(standby_files("acme.1", [{**RULE, "mark": 1, "standby": True, "table": 1}]))
