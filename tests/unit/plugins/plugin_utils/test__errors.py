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


def test_a_problem_stays_on_its_line() -> None:
    problems = Problems()
    problems.add("office", "a\nb", "'\r\x00\ud800' is wrong")
    with pytest.raises(TopologyError) as caught:
        problems.raise_if_any()
    assert str(caught.value).splitlines()[1:] == [r"office: a\nb: '\r\x00\ud800' is wrong"]
