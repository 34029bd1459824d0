# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import yaml

from ansible_collections.multihome.extrude.plugins.plugin_utils._plan_text import plan_text
from tests.unit.plugins.plugin_utils.samples import office, run, shop


class Tagged(str):
    """As Ansible's texts, which know where they are from."""

    __slots__ = ()


class Lazy(dict[str, Any]):
    """As Ansible's dictionaries, which evaluate what is in them."""


def test_it_is_yaml_of_both_ends() -> None:
    topology = run(office=office(), shop=shop())
    plan = yaml.safe_load(plan_text(topology))
    assert plan == {"sites": topology["sites"], "colos": topology["colos"]}
    assert list(plan["sites"]) == ["office", "shop"]


def test_files_stand_there_line_by_line() -> None:
    text = plan_text(run(office=office()))
    assert "content: |\n" in text
    assert "\\n" not in text


def test_what_ansible_hands_over_is_what_it_stands_for() -> None:
    state = Lazy(site=Tagged("office"), content=Tagged("a\n b\n"), number=7, rate=0.5, flag=True, none=None)
    text = plan_text(Lazy(sites=Lazy(office=state), colos=Lazy(), checks=Lazy()))
    lines = "content: |\n      a\n       b\n    number: 7\n    rate: 0.5\n    flag: true\n    none: null\n"
    assert text == f"sites:\n  office:\n    site: office\n    {lines}colos: {{}}\n"


def test_what_hosts_have_in_common_is_said_of_each() -> None:
    common = {"ports": [1, 2]}
    text = plan_text({"sites": {"a": common, "b": common}, "colos": {}})
    assert text.count("ports:") == 2
    assert "&" not in text
