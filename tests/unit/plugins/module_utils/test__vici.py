# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils import _vici
from ansible_collections.multihome.extrude.plugins.module_utils._vici import Message, Session, ViciError, decode, encode
from tests.unit.charon import EVENT, NO_EVENT, RESPONSE, UNKNOWN, Charon, event, frame, response

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MESSAGES: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(TEXTS, st.one_of(TEXTS, st.lists(TEXTS, max_size=3)), max_size=4),
    lambda inner: st.dictionaries(TEXTS, st.one_of(TEXTS, st.lists(TEXTS, max_size=3), inner), max_size=4),
    max_leaves=12,
)

# the example of strongSwan's src/libcharon/plugins/vici/README.md
EXAMPLE: Message = {"key1": "value1", "section1": {"sub-section": {"key2": "value2"}, "list1": ["item1", "item2"]}}
EXAMPLE_BYTES = (
    b"\x03\x04key1\x00\x06value1"
    b"\x01\x08section1"
    b"\x01\x0bsub-section"
    b"\x03\x04key2\x00\x06value2"
    b"\x02"
    b"\x04\x05list1"
    b"\x05\x00\x05item1"
    b"\x05\x00\x05item2"
    b"\x06"
    b"\x02"
)


# --- messages ----------------------------------------------------------------------------------------


def test_the_example_of_the_protocol() -> None:
    assert encode(EXAMPLE) == EXAMPLE_BYTES
    assert decode(EXAMPLE_BYTES) == EXAMPLE
    assert (encode({}), decode(b"")) == (b"", {})


@given(MESSAGES)
def test_what_is_encoded_is_decoded(message: Message) -> None:
    assert decode(encode(message)) == message


def test_sizes_are_those_of_the_bytes() -> None:
    assert encode({"ä": "ü"}) == b"\x03\x02\xc3\xa4\x00\x02\xc3\xbc"
    assert decode(encode({"a" * 255: "b" * 65535})) == {"a" * 255: "b" * 65535}


def test_numbers_go_as_texts() -> None:
    assert decode(encode({"timeout": -1, "owners": (1, 2)})) == {"timeout": "-1", "owners": ["1", "2"]}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x00", "sent what is no message (element 0)"),
        (b"\x07", "sent what is no message (element 7)"),
        (b"\x02", "sent what is no message (element 2)"),
        (b"\x01\x01a\x02\x02", "sent what is no message (element 2)"),
        (b"\x03\x04key", "sent less than a message"),
        (b"\x03\x03key\x00", "sent less than a message"),
        (b"\x03\x03key\x00\x02v", "sent less than a message"),
        (b"\x05\x00\x09item", "sent less than a message"),
        (b"\x01", "sent less than a message"),
        (b"\x01\x01a", "sent less than a message"),
        (b"\x01\x01a\x01\x01b\x02", "sent less than a message"),
    ],
)
def test_what_is_no_message(data: bytes, problem: str) -> None:
    with pytest.raises(ViciError) as caught:
        decode(data)
    assert str(caught.value) == f"strongSwan's daemon {problem}"


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_a_message_or_an_error(data: bytes) -> None:
    try:
        decode(data)
    except ViciError:
        return


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_short_holds_nothing_that_was_not_said(message: Message, data: st.DataObject) -> None:
    whole = encode(message)
    try:
        found = decode(whole[: data.draw(st.integers(0, len(whole)))])
    except ViciError:
        return
    assert found.keys() <= message.keys()


def test_bytes_that_are_no_text_are_no_error() -> None:
    assert decode(b"\x03\x01\xff\x00\x01\xff") == {"\ufffd": "\ufffd"}


# --- the daemon --------------------------------------------------------------------------------------


def test_a_command_and_its_answer(tmp_path: Path) -> None:
    charon = Charon(tmp_path / "vici", {"get-conns": response({"conns": ["ex-dsl", "admins"]})})
    with charon, Session(charon.path) as session:
        assert session.request("get-conns") == {"conns": ["ex-dsl", "admins"]}
        assert session.request("get-conns", {"a": ["b"], "c": {"d": "e"}}) == {"conns": ["ex-dsl", "admins"]}
    assert charon.asked() == [("get-conns", {}), ("get-conns", {"a": ["b"], "c": {"d": "e"}})]


def test_a_large_answer_that_comes_in_pieces(tmp_path: Path) -> None:
    conns = [f"ex{n}-dsl" for n in range(20_000)]
    charon = Charon(tmp_path / "vici", {"get-conns": response({"conns": conns})})
    with charon, Session(charon.path) as session:
        assert session.request("get-conns") == {"conns": conns}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (response({"success": "no", "errmsg": "invalid value"}), "invalid value"),
        (response({"success": "no"}), "strongSwan's daemon refuses load-conn"),
        (response({"success": "no", "errmsg": ""}), "strongSwan's daemon refuses load-conn"),
        (frame(UNKNOWN), "strongSwan's daemon knows no command load-conn"),
        (frame(EVENT), "strongSwan's daemon knows no command load-conn"),
        (frame(RESPONSE, b"\x03"), "strongSwan's daemon sent less than a message"),
        (struct.pack("!I", 0), "strongSwan's daemon sent less than a message"),
        (struct.pack("!I", 9) + b"\x01", "strongSwan's daemon has hung up"),
        (b"\0\0", "strongSwan's daemon has hung up"),
        (b"", "strongSwan's daemon has hung up"),
    ],
)
def test_a_command_that_is_not_done(tmp_path: Path, answer: bytes, problem: str) -> None:
    charon = Charon(tmp_path / "vici", {"load-conn": answer}, last="load-conn")
    with charon, Session(charon.path) as session:
        with pytest.raises(ViciError) as caught:
            session.request("load-conn", {"ex-dsl": {}})
        assert str(caught.value) == problem


def test_an_error_is_no_reason_to_hang_up(tmp_path: Path) -> None:
    charon = Charon(tmp_path / "vici", {"get-conns": response({"success": "yes"})})
    with charon, Session(charon.path) as session:
        with pytest.raises(ViciError, match=r"knows no command terminate$"):
            session.request("terminate")
        assert session.request("get-conns") == {"success": "yes"}


def test_a_command_that_answers_by_events(tmp_path: Path) -> None:
    answers = event("list-sa", {"ex-dsl": {"state": "ESTABLISHED"}}) + event("list-sa", {"ex-cable": {}}) + response({})
    charon = Charon(tmp_path / "vici", {"list-sas": answers}, events=["list-sa"])
    with charon, Session(charon.path) as session:
        assert session.stream("list-sas", "list-sa", {"ike": "x"}) == [
            {"ex-dsl": {"state": "ESTABLISHED"}},
            {"ex-cable": {}},
        ]
    assert charon.asked() == [("register", "list-sa"), ("list-sas", {"ike": "x"})]


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (event("list-sa", {"a": {}}) + response({"success": "no", "errmsg": "busy"}), "busy"),
        (frame(UNKNOWN), "strongSwan's daemon knows no command list-sas"),
        (event("list-sa", {}), "strongSwan's daemon has hung up"),
        (frame(EVENT, b"\x09list"), "strongSwan's daemon sent less than a message"),
    ],
)
def test_events_that_end_badly(tmp_path: Path, answers: bytes, problem: str) -> None:
    charon = Charon(tmp_path / "vici", {"list-sas": answers}, events=["list-sa"], last="list-sas")
    with charon, Session(charon.path) as session:
        with pytest.raises(ViciError) as caught:
            session.stream("list-sas", "list-sa")
        assert str(caught.value) == problem


def test_an_event_that_the_daemon_does_not_know(tmp_path: Path) -> None:
    charon = Charon(tmp_path / "vici", {"list-sas": response({})})
    told = r"^strongSwan's daemon knows no event list-sa$"
    with charon, Session(charon.path) as session, pytest.raises(ViciError, match=told):
        session.stream("list-sas", "list-sa")
    assert charon.asked() == [("register", "list-sa")]
    assert NO_EVENT == _vici._NO_EVENT


def test_a_daemon_that_says_nothing_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_vici, "_SECONDS", 0.05)
    charon, told = Charon(tmp_path / "vici", {}, silent=True), r"^strongSwan's daemon does not answer: timed out$"
    with charon, Session(charon.path) as session, pytest.raises(ViciError, match=told):
        session.request("get-conns")


def test_a_daemon_that_has_gone(tmp_path: Path) -> None:
    charon = Charon(tmp_path / "vici", {"get-conns": b""}, last="get-conns")
    with charon, Session(charon.path) as session:
        with pytest.raises(ViciError, match=r"has hung up$"):
            session.request("get-conns")
        with pytest.raises(ViciError, match=r"^strongSwan's daemon is gone: Broken pipe$"):
            session.request("get-conns")


def test_nobody_listens(tmp_path: Path) -> None:
    path = tmp_path / "vici"
    with pytest.raises(ViciError) as caught:
        Session(path)
    assert str(caught.value) == f"strongSwan's daemon does not listen at {path}: No such file or directory"
    with Charon(path, {}):
        pass
    with pytest.raises(ViciError, match=r": Connection refused$"):
        Session(path)


def test_a_daemon_that_hangs_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "vici")
    monkeypatch.setattr(_vici, "_SOON", 0.05)
    assert not _vici.hangs(), "it is not there"
    with Charon(tmp_path / "vici", {}, silent=True) as charon:
        assert (_vici.hangs(), _vici.runs()) == (True, False)
        assert [name for name, _message in charon.asked()] == ["version"]
        with pytest.raises(ViciError, match=r"^strongSwan's daemon does not answer$"):
            Session()
        assert charon.asked() == []


def test_a_daemon_that_answers_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "vici")
    with Charon(tmp_path / "vici", {}):
        assert (_vici.hangs(), _vici.runs()) == (False, True)


def test_the_daemon_runs_while_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "vici")
    assert not _vici.runs()
    with Charon(tmp_path / "vici", {}):
        assert _vici.runs()
    assert (tmp_path / "vici").exists()
    assert not _vici.runs()
