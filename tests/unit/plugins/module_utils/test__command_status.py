# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _programs
from ansible_collections.multihome.extrude.plugins.module_utils._command_status import (
    _carried,
    _encrypted,
    _explained,
    _link,
    _watched,
    age,
    lines,
    size,
)
from ansible_collections.multihome.extrude.plugins.module_utils._dump import Interface
from ansible_collections.multihome.extrude.plugins.module_utils._links import Kernel, Link
from ansible_collections.multihome.extrude.plugins.module_utils._liveness import Session
from ansible_collections.multihome.extrude.plugins.module_utils._wire import Traffic

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
    tunnel = {"name": "ex-dsl", "link": "dsl", "up": True, "reason": ""}
    site = {
        "customer": "acme",
        "site": "office",
        "links": [{**up, "since": "2026-11-22T11:57:00+00:00"}, {**down, "since": None}],
        "tunnels": [
            {**tunnel, "lives": True, "since": "2026-11-22T11:58:00+00:00"},
            {"name": "ex-lte", "link": "lte", "up": False, "reason": "it is not there"},
        ],
    }
    status = {"sites": [site], "drift": {"operations": ["add rule 1"], "problems": ["no"]}}
    assert list(lines(status, NOW)) == [
        "acme/office",
        "  link    dsl     up    ppp0 100.64.0.7 by 100.64.0.1, for 3 min",
        "  link    lte     down  there is no device wwan*",
        "  tunnel  ex-dsl  up    lives for 2 min",
        "  tunnel  ex-lte  down  it is not there",
        "to do: add rule 1",
        "problem: no",
    ]


@pytest.mark.parametrize(
    ("colo", "words"),
    [
        (None, ""),
        (
            {"heard": "100.64.0.7", "since": "2026-11-22T11:58:00+00:00", "trouble": ""},
            ", the colo heard of it 2 min ago",
        ),
        (
            {"heard": "192.0.2.7", "since": "2026-11-22T11:58:00+00:00", "trouble": ""},
            ", the colo sees 192.0.2.7 instead: behind NAT, so the link takes nat: true",
        ),
        (
            {"heard": None, "since": "2026-11-22T11:58:00+00:00", "trouble": "Connection refused"},
            ", the colo has not heard of it for 2 min: Connection refused",
        ),
        ({"heard": None, "since": None, "trouble": "not tried yet"}, ", the colo has not heard of it: not tried yet"),
    ],
)
def test_what_the_colo_knows_of_a_link(colo: dict[str, str | None] | None, words: str) -> None:
    link = {"name": "dsl", "up": True, "reason": "", "device": "ppp0", "address": "100.64.0.7", "gateway": ""}
    site = {"customer": "acme", "site": "office", "links": [{**link, "since": None, "colo": colo}], "tunnels": []}
    status = {"sites": [site], "drift": {"operations": [], "problems": []}}
    assert list(lines(status, NOW))[1] == f"  link  dsl  up  ppp0 100.64.0.7{words}"


def test_when_the_end_of_a_tunnel_was_reported() -> None:
    tunnel = {"name": "ex1-dsl", "link": "dsl", "up": True, "reason": "", "endpoint": "100.64.0.7"}
    site = {"customer": "a", "site": "b", "links": [], "tunnels": [{**tunnel, "reported": "2026-11-22T10:00:00+00:00"}]}
    status = {"sites": [site], "drift": {"operations": [], "problems": []}}
    assert list(lines(status, NOW))[1] == "  tunnel  ex1-dsl  up  to 100.64.0.7, reported 2 h ago"


def test_a_tunnel_that_is_dead_says_where_it_leads_too() -> None:
    tunnel = {"name": "ex1-dsl", "link": "dsl", "up": False, "reason": "no way through: x", "endpoint": "100.64.0.7"}
    site = {"customer": "a", "site": "b", "links": [], "tunnels": [{**tunnel, "reported": "2026-11-22T10:00:00+00:00"}]}
    status = {"sites": [site], "drift": {"operations": [], "problems": []}}
    row = "  tunnel  ex1-dsl  down  no way through: x, to 100.64.0.7, reported 2 h ago"
    assert list(lines(status, NOW))[1] == row


@pytest.mark.parametrize(
    ("use", "words"), [("both", ""), ("direct", ", for direct traffic only"), ("extruded", ", not for direct traffic")]
)
@pytest.mark.parametrize(("up", "row"), [(True, "up  dsl0 192.0.2.2"), (False, "down  dsl0 is down")])
def test_what_a_link_is_for(use: str, words: str, up: bool, row: str) -> None:
    link = {"name": "dsl", "up": up, "reason": "dsl0 is down", "device": "dsl0", "address": "192.0.2.2", "gateway": ""}
    site = {"customer": "a", "site": "b", "links": [{**link, "since": None, "use": use}], "tunnels": []}
    status = {"sites": [site], "drift": {"operations": [], "problems": []}}
    assert list(lines(status, NOW))[1] == f"  link  dsl  {row}{words}"


def test_what_the_tunnels_of_a_site_have_carried() -> None:
    interface = Interface("ex1-dsl", 7, True, traffic=Traffic(10, 20, 1500, 2_340_000))
    assert _carried(interface) == {
        "received": {"bytes": 1500, "packets": 10},
        "sent": {"bytes": 2_340_000, "packets": 20},
    }
    tunnels = [
        {"name": name, "link": name, "up": True, "reason": "", **_carried(found)}
        for name, found in (("ex1-dsl", interface), ("ex1-lte", interface), ("ex1-old", None))
    ]
    site = {"customer": "a", "site": "b", "links": [], "tunnels": tunnels}
    status = {"sites": [site], "drift": {"operations": [], "problems": []}}
    assert list(lines(status, NOW))[-1] == "  sum                  3.0 kB received, 4.7 MB sent"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5 * 10**13, "50.0 TB")])
def test_the_size_of_traffic(count: int, text: str) -> None:
    assert size(count) == text


def test_a_bare_host_says_so() -> None:
    status = {"sites": [], "drift": {"operations": [], "problems": []}}
    assert list(lines(status, NOW)) == ["nothing is deployed on this host"]


@pytest.mark.parametrize(
    ("sessions", "up", "reason"),
    [
        (None, True, ""),
        ({"ex-dsl": Session(NOW, "Established", "")}, True, ""),
        ({"ex-dsl": Session(NOW, "Idle", "Error: BFD session down")}, False, "no way through: BFD session down"),
        ({"ex-dsl": Session(NOW, "Connect", "")}, False, "no way through: the far end has not answered yet"),
        ({}, False, "no way through: BIRD has no session for it"),
    ],
)
def test_a_tunnel_is_up_when_bird_says_so(sessions: dict[str, Session] | None, up: bool, reason: str) -> None:
    tunnel = _watched({"name": "ex-dsl", "link": "dsl", "up": True, "reason": ""}, sessions)
    assert (tunnel["up"], tunnel["reason"]) == (up, reason)


def test_a_tunnel_that_is_not_there_keeps_its_reason() -> None:
    tunnel = {"name": "ex-dsl", "link": "dsl", "up": False, "reason": "it is not there"}
    assert _watched(tunnel, {})["reason"] == "it is not there"


@pytest.mark.parametrize(
    ("up", "carrier", "reason", "told"),
    [
        (True, True, "", ""),
        (True, False, "", "eth1 has no carrier"),
        (True, False, "eth1 does not have the address 192.0.2.9", "eth1 has no carrier"),
        (True, True, "eth1 does not have the address 192.0.2.9", "eth1 does not have the address 192.0.2.9"),
        (False, False, "eth1 is down", "eth1 is down"),
    ],
)
def test_the_reason_that_helps_is_told(up: bool, carrier: bool, reason: str, told: str) -> None:
    kernel = Kernel({"eth1": Interface("eth1", 2, up, carrier)})
    link = _link("dsl", Link("eth1", reason=reason), kernel, NOW)
    assert (link["up"], link["reason"]) == (not told, told)


@pytest.mark.parametrize(
    ("peers", "up", "reason", "words"),
    [
        ({"ex-dsl": "203.0.113.2"}, True, "", "up  encrypted, with 203.0.113.2"),
        ({}, False, "not encrypted: IKE is not up", "down  not encrypted: IKE is not up"),
        (None, False, "not encrypted: strongSwan does not run", "down  not encrypted: strongSwan does not run"),
    ],
)
def test_whether_a_tunnel_is_encrypted(
    peers: dict[str, str] | None, up: bool, reason: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_programs, "find", lambda _program: None)
    tunnel = {"name": "ex-dsl", "link": "dsl", "up": True, "reason": "", "lives": None, "since": None}
    found = _encrypted(tunnel, {"connections": [{"name": "ex-dsl"}]}, peers)
    (site,) = _explained([{"customer": "a", "site": "b", "links": [], "tunnels": [found]}], peers)
    (told,) = site["tunnels"]
    assert (told["up"], told["reason"], told["peer"]) == (up, reason, (peers or {}).get("ex-dsl"))
    assert list(lines({"sites": [site], "drift": {"operations": [], "problems": []}}, NOW))[1].endswith(words)


def test_a_tunnel_that_lives_is_encrypted_whatever_the_daemon_knows() -> None:
    tunnel = {"name": "ex-dsl", "link": "dsl", "up": True, "reason": "", "lives": True, "since": None}
    told = _encrypted(tunnel, {"connections": [{"name": "ex-dsl"}]}, None)
    assert told == {**tunnel, "peer": None}
    site = {"customer": "a", "site": "b", "links": [], "tunnels": [told]}
    assert list(lines({"sites": [site], "drift": {"operations": [], "problems": []}}, NOW))[1].endswith("up  encrypted")


def test_a_plain_tunnel_has_nothing_to_say_of_that() -> None:
    tunnel = {"name": "ex-dsl", "link": "dsl", "up": True, "reason": ""}
    assert _encrypted(tunnel, {"connections": [{"name": "ex-cable"}]}, {}) == tunnel
    absent = {**tunnel, "up": False, "reason": "it is not there", "lives": None}
    assert _encrypted(absent, {"connections": [{"name": "ex-dsl"}]}, {}) == {**absent, "peer": None}
