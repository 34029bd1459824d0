# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._command_status import age, lines

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86400, "1 d"), (10**7, "115 d")]
)
def test_the_age_of_a_link(seconds: float, text: str) -> None:
    assert age(timedelta(seconds=seconds)) == text


def test_the_status_for_people() -> None:
    up = {"name": "dsl", "up": True, "reason": "", "device": "ppp0", "address": "100.64.0.7", "gateway": "100.64.0.1"}
    down = {
        "name": "lte",
        "up": False,
        "reason": "there is no device wwan*",
        "device": "",
        "address": "",
        "gateway": "",
    }
    site = {
        "customer": "acme",
        "site": "office",
        "links": [{**up, "since": "2026-11-22T11:57:00+00:00"}, {**down, "since": None}],
        "tunnels": [
            {"name": "ex-dsl", "link": "dsl", "up": True, "reason": ""},
            {"name": "ex-lte", "link": "lte", "up": False, "reason": "it is not there"},
        ],
    }
    status = {"sites": [site], "drift": {"operations": ["add rule 1"], "problems": ["no"]}}
    assert list(lines(status, NOW)) == [
        "acme/office",
        "  link    dsl     up    ppp0 100.64.0.7 by 100.64.0.1, for 3 min",
        "  link    lte     down  there is no device wwan*",
        "  tunnel  ex-dsl  up",
        "  tunnel  ex-lte  down  it is not there",
        "to do: add rule 1",
        "problem: no",
    ]


def test_a_bare_host_says_so() -> None:
    status = {"sites": [], "drift": {"operations": [], "problems": []}}
    assert list(lines(status, NOW)) == ["nothing is deployed on this host"]
