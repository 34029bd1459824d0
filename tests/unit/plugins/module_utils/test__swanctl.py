# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils._swanctl import (
    LISTS,
    WARNING,
    Settings,
    message,
    parse,
    render,
    section,
)

SETTINGS = {
    "connections": {
        "ex-dsl": {
            "version": "2",
            "remote_addrs": "%any",
            "proposals": ["aes256gcm16-prfsha384-x25519", "aes128gcm16-prfsha256-ecp256"],
            "local": {"auth": "psk", "id": "*.1.acme.extrude"},
            "children": {"ex-dsl": {"local_ts": ["10.252.0.1/32[gre]"], "start_action": "trap|start"}},
        }
    }
}
TEXT = """\
connections {
  ex-dsl {
    version = 2
    remote_addrs = %any
    proposals = aes256gcm16-prfsha384-x25519,aes128gcm16-prfsha256-ecp256
    local {
      auth = psk
      id = *.1.acme.extrude
    }
    children {
      ex-dsl {
        local_ts = 10.252.0.1/32[gre]
        start_action = trap|start
      }
    }
  }
}
"""

NAMES = st.text(f"{string.ascii_letters}{string.digits}_-", min_size=1, max_size=12)
VALUES = st.text(min_size=1, max_size=20).filter(lambda text: not set(text) & set('{}#="\\') and not _blank(text))
TREES = st.recursive(
    st.dictionaries(NAMES, VALUES, max_size=4),
    lambda inner: st.dictionaries(NAMES, st.one_of(VALUES, inner), max_size=4),
    max_leaves=12,
)


def _blank(text: str) -> bool:
    return any(character.isspace() for character in text)


def test_the_text_of_a_file() -> None:
    assert render(SETTINGS) == f"{WARNING}{TEXT}"
    assert WARNING.startswith("#")
    assert WARNING.endswith("\n")


def test_a_list_comes_back_as_a_text_with_commas() -> None:
    assert parse(render({"a": ["x", "y"], "b": ("z",)})) == {"a": "x,y", "b": "z"}


@given(TREES)
def test_what_is_rendered_is_parsed(settings: Settings) -> None:
    assert parse(render(settings)) == settings


@given(st.text())
def test_a_value_stands_as_it_is_or_not_at_all(value: str) -> None:
    try:
        text = render({"a": value, "b": "c"})
    except ValueError:
        return
    assert parse(text) == {"a": value, "b": "c"}


@given(st.text(f"ab{{}}= \n#{chr(0x2028)}{chr(0x85)}"))
def test_no_text_is_taken_for_more_than_it_says(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    assert parse(render(found)) == found


@pytest.mark.parametrize(
    "value",
    [
        *("", "a b", "a\nb", "a\tb", "a{", "}", "#", "a=b", '"a"', "a\\", 5, None, True),
        *([], ["a b"], ["a", "}"], [""], ["a", 5], ["a", ""]),
    ],
)
def test_values_that_cannot_stand_there(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^inner cannot be "):
        render({"outer": {"inner": value}})


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a=", "a{", "ä", "a\n", "#a"])
def test_names_that_cannot_stand_there(name: str) -> None:
    wrong: list[dict[str, object]] = [{name: "x"}, {name: {}}, {"outer": {name: "x"}}]
    for settings in wrong:
        with pytest.raises(ValueError, match=r" is no name of a setting$"):
            render(settings)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a {\n", "the end is missing"),
        ("a {\n  b {\n  }\n", "the end is missing"),
        ("}\n", "'}' is not of our making"),
        ("a {\n}\n}\n", "'}' is not of our making"),
        ("a { b = c }\n", "'a { b = c }' is not of our making"),
        ("a = b c\n", "'a = b c' is not of our making"),
        ("a = \n", "'a = ' is not of our making"),
        ("a=b\n", "'a=b' is not of our making"),
        ('a = "b"\n', "'a = \"b\"' is not of our making"),
        ("include x.conf\n", "'include x.conf' is not of our making"),
    ],
)
def test_texts_that_are_not_of_our_making(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert str(caught.value) == problem


def test_comments_and_empty_lines_say_nothing() -> None:
    assert parse(f"{WARNING}\n# a = b\n  c = d\n") == {"c": "d"}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), parse(TEXT)),
        (("connections", "ex-dsl", "local"), {"auth": "psk", "id": "*.1.acme.extrude"}),
        (("connections", "ex-cable"), {}),
        (("secrets",), {}),
        (("connections", "ex-dsl", "version"), {}),
        (("connections", "ex-dsl", "version", "2"), {}),
    ],
)
def test_a_section_by_the_names_that_lead_there(names: tuple[str, ...], found: Settings) -> None:
    assert section(TEXT, *names) == found


def test_a_damaged_text_has_no_sections() -> None:
    assert section(TEXT.replace("version = 2", "version 2"), "connections") == {}
    assert section(TEXT[:-2], "connections") == {}


def test_the_daemon_gets_lists_as_lists() -> None:
    (connection,) = section(TEXT, "connections").values()
    assert isinstance(connection, dict)
    assert message(connection) == {
        "version": "2",
        "remote_addrs": ["%any"],
        "proposals": ["aes256gcm16-prfsha384-x25519", "aes128gcm16-prfsha256-ecp256"],
        "local": {"auth": "psk", "id": "*.1.acme.extrude"},
        "children": {"ex-dsl": {"local_ts": ["10.252.0.1/32[gre]"], "start_action": "trap|start"}},
    }


@given(TREES)
def test_a_message_says_what_the_file_says(settings: Settings) -> None:
    assert parse(render(message(settings))) == settings


@pytest.mark.parametrize("name", sorted(LISTS))
def test_each_list(name: str) -> None:
    assert message({name: "a,b", f"{name}s": "a,b"}) == {name: ["a", "b"], f"{name}s": "a,b"}
