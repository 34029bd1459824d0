# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import MOST, Problems, TopologyError, some


def test_nothing_wrong_raises_nothing() -> None:
    Problems().raise_if_any()


def test_one_problem() -> None:
    problems = Problems()
    problems.add("office", "extrude_colo", "is missing")
    with pytest.raises(TopologyError) as caught:
        problems.raise_if_any()
    assert str(caught.value) == "the inventory has a problem:\noffice: extrude_colo: is missing"


def test_all_problems_come_together_in_order_and_once() -> None:
    problems = Problems()
    for path in ("b", "a", "b"):
        problems.add("office", path, "is wrong")
    with pytest.raises(TopologyError) as caught:
        problems.raise_if_any()
    assert str(caught.value) == "the inventory has 2 problems:\noffice: b: is wrong\noffice: a: is wrong"
    assert len(problems) == 3


def told(problems: Problems) -> list[str]:
    with pytest.raises(TopologyError) as caught:
        problems.raise_if_any()
    return str(caught.value).splitlines()


def test_what_many_hosts_have_in_common_is_one_problem() -> None:
    problems = Problems()
    for number in range(1, 501):
        problems.add(f"s{number:03}", "extrude_lan[0].mode", "'natt' is no choice")
    problems.add("s007", "extrude_colo", "is missing")
    for host in ("s008", "s009"):
        problems.add(host, "extrude_wans", "is missing")
    assert told(problems) == [
        "the inventory has 3 problems:",
        "s001, s002, s003 and 497 more: extrude_lan[0].mode: 'natt' is no choice",
        "s007: extrude_colo: is missing",
        "s008, s009: extrude_wans: is missing",
    ]


def test_where_each_host_has_a_problem_of_its_own_the_first_ones_are_shown() -> None:
    problems = Problems()
    for number in range(500):
        problems.add(f"s{number}", "extrude_site_id", f"{number} is held")
    first, *lines, last = told(problems)
    assert first == "the inventory has 500 problems:"
    assert lines == [f"s{number}: extrude_site_id: {number} is held" for number in range(MOST)]
    assert last == f"and {500 - MOST} more, which are told once these are right"


@pytest.mark.parametrize(("names", "listed"), [("", "none"), ("a", "a"), ("ab", "a, b"), ("abc", "a, b and 1 more")])
def test_some_names(names: str, listed: str) -> None:
    assert some(names, 2) == listed


def test_those_of_a_list_come_in_the_order_of_its_entries() -> None:
    problems = Problems()
    given = ["a[2].x", "b[1]", "a[10]", "a[0].y", "c", "a[0].x[3]", "b[0]", "a"]
    for path in given:
        problems.add("office", path, "is wrong")
    problems.add("shop", "a[1]", "is wrong")
    with pytest.raises(TopologyError) as caught:
        problems.raise_if_any()
    ordered = ["a[0].y", "b[0]", "a[0].x[3]", "a[2].x", "c", "a[10]", "b[1]", "a"]
    lines = str(caught.value).splitlines()[1:]
    assert lines == [*(f"office: {path}: is wrong" for path in ordered), "shop: a[1]: is wrong"]


def test_a_problem_stays_on_its_line() -> None:
    problems = Problems()
    problems.add("office", "a\nb", "'\r\x00\ud800' is wrong")
    with pytest.raises(TopologyError) as caught:
        problems.raise_if_any()
    assert str(caught.value).splitlines()[1:] == [r"office: a\nb: '\r\x00\ud800' is wrong"]
