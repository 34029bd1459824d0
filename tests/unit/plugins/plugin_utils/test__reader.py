# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from jinja2 import StrictUndefined

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from tests.unit.plugins.plugin_utils.samples import Templates, noted, reader

SLOT = _kinds.integer(1, 16)


def test_a_value() -> None:
    one = reader({"slot": 3})
    assert one.read("slot", SLOT) == 3
    assert noted(one) == []


def test_a_missing_value() -> None:
    one = reader({})
    assert one.read("slot", SLOT) == 0
    assert one.read("other", SLOT, 7) == 7
    assert noted(one) == ["office: slot: is missing; give a whole number from 1 to 16"]


def test_what_needs_a_missing_value_is_told() -> None:
    one = reader({"slott": 3})
    one.read("slot", SLOT, why="the tunnel has none")
    told = "is missing (slott is there: a misspelling?), and the tunnel has none; give a whole number from 1 to 16"
    assert noted(one) == [f"office: slot: {told}"]


def test_what_stands_there_is_known_without_its_template() -> None:
    templates = Templates({"slot": ValueError("no vault secrets found")})
    one = Reader("office", templates, Problems())
    assert (one.names("slot"), one.names("mtu")) == (True, False)
    assert (noted(one), templates.reads) == ([], [])


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
    assert [(index, child.read("slot", SLOT)) for index, child in one.children("wans", "{slot: 1}")] == [(0, 1), (3, 0)]
    assert noted(one) == [
        "office: wans[1]: 5 is not a dictionary; give a dictionary such as {slot: 1}",
        "office: wans[2]: is empty; give a dictionary such as {slot: 1}",
        "office: wans[3].slot: 99 is out of range; give a whole number from 1 to 16",
    ]


def test_unknown_keys_name_the_nearest_known_one() -> None:
    one = reader({"gatway": 1, "slot": 2, "x": 3})
    one.only(("gateway", "slot"))
    assert noted(one) == [
        "office: gatway: is not known; the nearest known key is gateway",
        "office: x: is not known; known are gateway, slot",
    ]


@pytest.mark.parametrize(("typed", "meant"), [("nta", "nat"), ("mut", "mtu"), ("ipsek", "ipsec"), ("ues", "use")])
def test_also_short_ones_with_two_letters_in_the_wrong_order(typed: str, meant: str) -> None:
    one = reader({typed: 1})
    one.only(("name", "use", "mtu", "nat", "ipsec", "metric"))
    assert noted(one) == [f"office: {typed}: is not known; the nearest known key is {meant}"]


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


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        (
            "Attempting to decrypt but no vault secrets found.",
            "give the vault's password: --ask-vault-pass, or --vault-id NAME@prompt",
        ),
        (
            "Decryption failed (no vault secrets were found that could decrypt).",
            "give the password of this vault; of several ones: --vault-id NAME@prompt for each",
        ),
    ],
)
def test_what_to_type_for_a_vault_is_told(said: str, typed: str) -> None:
    one = Reader("office", Templates({"slot": ValueError(said)}), Problems())
    one.read("slot", SLOT)
    assert noted(one) == [f"office: slot: cannot be evaluated: {said.removesuffix('.')}; {typed}"]


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


def test_a_key_with_nothing_behind_it_is_a_problem() -> None:
    one = reader({"slot": None, "slots": [None], "addresses": None, "wans": None})
    assert one.read("slot", SLOT, 8) == 0
    assert one.each("addresses", _kinds.ADDRESS4, ["203.0.113.10"]) == []
    assert list(one.children("wans", "{slot: 1}")) == []
    assert one.some("slots", SLOT) == []
    assert noted(one) == [
        "office: slot: is empty; leave it out, or give a whole number from 1 to 16",
        "office: addresses: is empty; leave it out, or give a list of which each entry is one IPv4 address",
        "office: wans: is empty; give a list of dictionaries such as {slot: 1}",
        "office: slots[0]: is empty; give a whole number from 1 to 16",
    ]
    assert (one.lacks("slot"), one.has("slot"), one.lacks("other"), one.has("other")) == (False, False, True, False)


def test_but_a_list_that_has_no_entries_by_default_has_none_then() -> None:
    one = reader({"slots": None, "wans": None})
    assert one.each("slots", SLOT, []) == []
    assert list(one.children("wans", "{slot: 1}", [])) == []
    assert noted(one) == []


@pytest.mark.parametrize(("value", "none", "refused"), [(None, False, True), (None, True, True), ([], False, True)])
def test_one_or_some(value: object, none: bool, refused: bool) -> None:
    one = reader({"slots": value})
    one.some("slots", SLOT, none)
    told = ["office: slots: is empty; leave it out, or give a whole number from 1 to 16"]
    assert noted(one) == (told if refused else [])


def test_an_empty_list_may_say_none() -> None:
    one = reader({"slots": [], "one": 3})
    assert (one.some("slots", SLOT, none=True), one.some("one", SLOT), one.some("other", SLOT)) == ([], [3], [])
    assert noted(one) == []


class _OmitType:
    """As Ansible's `omit`; tests/unit/plugins/filter/test_topology.py has that itself."""


def test_what_is_omitted_is_not_given() -> None:
    omit = _OmitType()
    one = reader({"slot": omit, "slots": [omit, 3], "wans": [omit, {"slot": omit, "metric": 5}]})
    assert (one.lacks("slot"), one.read("slot", SLOT, 7)) == (True, 7)
    assert one.each("slots", SLOT) == [("slots[0]", 3)]
    ((_index, child),) = one.children("wans", "{slot: 1}")
    assert (child.lacks("slot"), child.lacks("metric")) == (True, False)
    assert noted(one) == []
