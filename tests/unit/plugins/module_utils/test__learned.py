# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._bind import UNHEARD
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._learned import (
    Endpoints,
    Hints,
    Report,
    Reports,
    endpoints_of,
)
from ansible_collections.multihome.extrude.plugins.module_utils._links import Hint


def test_hints_are_kept_and_forgotten(tmp_path: Path) -> None:
    hints = Hints(tmp_path / "links")
    assert hints.load() == {}
    hints.store("dsl", Hint("ppp0"))
    hints.store("cable", Hint("eth1", "198.51.100.1"))
    assert hints.load() == {"dsl": Hint("ppp0"), "cable": Hint("eth1", "198.51.100.1")}
    hints.store("dsl", None)
    hints.store("dsl", None)
    assert hints.load() == {"cable": Hint("eth1", "198.51.100.1")}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"device": "eth1", "gateway": "nonsense"}', '{"gateway": "192.0.2.1"}']
)
def test_a_hint_that_cannot_be_understood_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "dsl").write_text(text)
    (tmp_path / ".dsl.new").write_text('{"device": "eth1"}')
    assert Hints(tmp_path).load() == {}


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [(None, "127.0.0.2"), ("100.64.0.7\n", "100.64.0.7"), ("", "127.0.0.2"), ("2001:db8::1\n", "127.0.0.2")],
)
def test_an_endpoint_is_what_was_reported_or_leads_nowhere(tmp_path: Path, text: str | None, endpoint: str) -> None:
    endpoints = Endpoints(tmp_path)
    state = {"customer": "acme", "site": "office", "endpoints": ["dsl"]}
    if text is not None:
        path = endpoints.path("acme", "office", "dsl")
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert endpoints.values(state) == {"dsl.endpoint": endpoint}


def test_an_endpoint_that_is_known_is_no_news_but_reported_anew(tmp_path: Path) -> None:
    endpoints = Endpoints(tmp_path)
    state = {"customer": "acme", "site": "office", "endpoints": ["dsl"]}
    news, file = tmp_path / ".news", endpoints.path("acme", "office", "dsl")
    for address, told in (("100.64.0.7", True), ("100.64.0.7", False), ("100.64.0.8", True)):
        endpoints.store(state, "dsl", address)
        assert (news.exists(), endpoints.read(state, "dsl")) == (told, address)
        news.unlink(missing_ok=True)
        os.utime(file, (0, 0))
    endpoints.store(state, "dsl", "100.64.0.8")
    assert (endpoints.reported(state, "dsl") or 0) > 0


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """The folder is that of a user with few rights."""
    endpoints = Endpoints(tmp_path)
    state = {"customer": "acme", "site": "office", "endpoints": ["dsl", "cable"]}
    dsl, cable = (endpoints.path("acme", "office", wan) for wan in ("dsl", "cable"))
    dsl.parent.mkdir(parents=True)
    os.mkfifo(dsl)
    (tmp_path / "elsewhere").write_text("192.0.2.7")
    cable.symlink_to(tmp_path / "elsewhere")
    assert [endpoints.read(state, wan) for wan in ("dsl", "cable")] == [UNHEARD, UNHEARD]


def test_what_a_site_has_reported_can_be_forgotten(tmp_path: Path) -> None:
    endpoints = Endpoints(tmp_path)
    for site in ("office", "shop"):
        endpoints.store({"customer": "acme", "site": site, "endpoints": ["dsl"]}, "dsl", "100.64.0.7")
    (tmp_path / endpoints.turn("acme", "office")).touch()
    assert endpoints.known("acme", "office") == ["dsl"]
    endpoints.forget("acme", "office")
    assert not (tmp_path / endpoints.turn("acme", "office")).exists()
    assert [path.name for path in (tmp_path / "acme").iterdir()] == ["shop"]
    endpoints.forget("acme", "shop")
    assert not (tmp_path / "acme").exists()
    endpoints.forget("acme", "shop")
    assert endpoints.known("acme", "shop") == []


def test_no_link_leads_to_what_is_not_ours(tmp_path: Path) -> None:
    endpoints, theirs = Endpoints(tmp_path / "endpoints"), tmp_path / "theirs" / "office"
    theirs.mkdir(parents=True)
    (tmp_path / "endpoints").mkdir()
    (tmp_path / "endpoints" / "acme").symlink_to(theirs.parent)
    (tmp_path / "endpoints" / "globex").mkdir()
    (tmp_path / "endpoints" / "globex" / "office").symlink_to(theirs)
    for customer in ("acme", "globex"):
        with pytest.raises(EngineError, match="cannot remove"):
            endpoints.forget(customer, "office")
    assert theirs.exists()
    assert endpoints.known("globex", "..") == []


def test_links_whose_names_lead_elsewhere_are_passed_over() -> None:
    assert endpoints_of({"endpoints": ["dsl", "..", "."]}) == ["dsl"]


WHEN = "2026-11-22T12:00:00+00:00"


def test_reports_are_kept_and_forgotten(tmp_path: Path) -> None:
    reports = Reports(tmp_path / "reports")
    for report in (Report("100.64.0.7", WHEN, "100.64.0.7"), Report("100.64.0.7", WHEN, "", "refused"), None):
        reports.store("dsl", report)
        assert reports.read("dsl") == report


@pytest.mark.parametrize(
    "data", [None, [], {}, {"address": "x", "since": WHEN}, {"address": "100.64.0.7", "since": "then"}]
)
def test_a_report_that_cannot_be_understood_is_none(tmp_path: Path, data: Any) -> None:
    (tmp_path / "dsl").write_text(json.dumps(data))
    assert Reports(tmp_path).read("dsl") is None
