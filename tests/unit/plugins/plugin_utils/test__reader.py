# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jinja2 import StrictUndefined

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from tests.unit.plugins.plugin_utils.samples import noted, reader

SLOT = _kinds.integer(1, 16)


class Templates(Mapping[str, Any]):
    """Variables as Ansible has them: each is evaluated when it is read, and may fail."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values_ = values
        self.reads: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.reads.append(key)
        value = self.values_[key]
        if isinstance(value, Exception):
            raise value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_a_value() -> None:
    one = reader({"slot": 3})
    assert one.read("slot", SLOT) == 3
    assert noted(one) == []


def test_a_missing_value() -> None:
    one = reader({"slot": None})
    assert one.read("slot", SLOT) == 0
    assert one.read("other", SLOT, 7) == 7
    assert one.read("slot", SLOT, 8) == 8
    assert noted(one) == ["office: slot: is missing; give a whole number from 1 to 16"]


def test_a_misspelt_variable_is_pointed_at() -> None:
    one = reader({"extrude_adresses": 1, "extrude_table": 4200})
    one.read("extrude_addresses", _kinds.items("addresses"))
    assert noted(one) == [
        "office: extrude_addresses: is missing (extrude_adresses is there: a misspelling?); give a list of addresses"
    ]


def test_a_variable_that_only_begins_like_another_is_no_misspelling() -> None:
    one = reader({"extrude_ipsec": True})
    one.read("extrude_ipsec_psk", _kinds.items("addresses"))
    assert noted(one) == ["office: extrude_ipsec_psk: is missing; give a list of addresses"]


def test_a_bad_value_gives_the_neutral_one() -> None:
    one = reader({"slot": 17})
    assert one.read("slot", SLOT) == 0
    assert noted(one) == ["office: slot: 17 is out of range; give a whole number from 1 to 16"]


def test_each_returns_the_good_entries_with_their_paths() -> None:
    one = reader({"slots": [1, "x", 3, None]})
    assert one.each("slots", SLOT) == [("slots[0]", 1), ("slots[2]", 3)]
    assert noted(one) == [
        "office: slots[1]: 'x' is not a whole number; give a whole number from 1 to 16",
        "office: slots[3]: is empty; give a whole number from 1 to 16",
    ]


def test_a_text_where_a_list_is_wanted() -> None:
    one = reader({"slots": "1"})
    assert one.each("slots", SLOT) == []
    assert noted(one) == [
        "office: slots: '1' is not a list; give a list of which each entry is a whole number from 1 to 16"
    ]


def test_children_have_their_place_in_their_paths() -> None:
    one = reader({"wans": [{"slot": 1}, 5, None, {"slot": 99}]})
    assert [(index, child.read("slot", SLOT)) for index, child in one.children("wans", "links")] == [(0, 1), (3, 0)]
    assert noted(one) == [
        "office: wans[1]: 5 is not a dictionary; give a list of links",
        "office: wans[2]: is empty; give a list of links",
        "office: wans[3].slot: 99 is out of range; give a whole number from 1 to 16",
    ]


def test_unknown_keys_name_the_nearest_known_one() -> None:
    one = reader({"gatway": 1, "slot": 2, "x": 3})
    one.only(("gateway", "slot"))
    assert noted(one) == [
        "office: gatway: is not known; the nearest known key is gateway",
        "office: x: is not known; known are gateway, slot",
    ]


def test_keys_need_not_be_texts() -> None:
    one = reader({"wans": [{7: 1}]})
    for _index, child in one.children("wans", "links"):
        child.only(("name",))
    assert noted(one) == ["office: wans[0].7: is not known; known are name"]


def test_a_template_that_fails_is_noted_once_and_its_reason_on_one_line() -> None:
    templates = Templates({"slot": ValueError("first\n  second")})
    one = Reader("office", templates, Problems())
    assert one.lacks("slot") is False
    assert one.read("slot", SLOT, 5) == 0
    assert noted(one) == ["office: slot: cannot be evaluated: first second"]
    assert templates.reads == ["slot"]


def test_an_undefined_value_inside_a_list_or_dictionary() -> None:
    nothing = StrictUndefined(name="nope")
    one = reader({"slots": [1, nothing], "wans": [nothing, {"slot": nothing}], "slot": nothing})
    assert one.each("slots", SLOT) == [("slots[0]", 1)]
    assert [child.read("slot", SLOT) for _index, child in one.children("wans", "links")] == [0]
    assert one.read("slot", SLOT) == 0
    assert noted(one) == [
        "office: slots[1]: cannot be evaluated: 'nope' is undefined",
        "office: wans[0]: cannot be evaluated: 'nope' is undefined",
        "office: wans[1].slot: cannot be evaluated: 'nope' is undefined",
        "office: slot: cannot be evaluated: 'nope' is undefined",
    ]


def test_each_variable_is_read_once() -> None:
    templates = Templates({"slot": 3})
    one = Reader("office", templates, Problems())
    one.lacks("slot")
    one.read("slot", SLOT)
    one.read("slot", SLOT)
    assert templates.reads == ["slot"]


@pytest.mark.parametrize(("value", "names"), [(..., False), (None, True), ([], True), ([5], True), ("", True)])
def test_a_key_with_nothing_in_it_may_be_refused(value: object, names: bool) -> None:
    one = reader({} if value is ... else {"port": value})
    one.refuse_blank("port", "which says nothing", "a port")
    assert one.names("port") is names
    told = ["office: port: is empty, which says nothing; leave it out, or give a port"]
    assert noted(one) == (told if value in (None, []) else [])
