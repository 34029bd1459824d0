# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems, TopologyError


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
