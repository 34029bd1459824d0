# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._report import report, times

TUNNEL: dict[str, Any] = {
    "wan": "dsl",
    "device": "ex-dsl",
    "ok": True,
    "sent": 20,
    "received": 20,
    "rtt_ms": {"min": 20.1, "avg": 20.44, "p90": 21.0, "max": 22.0},
    "mtu": 1472,
    "sources": ["203.0.113.10"],
    "silent": [],
    "error": "",
    "delay_ms": 2.5,
    "carrier": True,
    "present": True,
}
SEEN: dict[str, Any] = {
    "device": "ex1-dsl",
    "sources": ["203.0.113.10"],
    "packets": 5,
    "transit_ms": 1010.5,
    "error": "",
    "delay_ms": 0.0,
}


def test_a_tunnel_that_works() -> None:
    text = "dsl ok: 1472 bytes whole both ways in 20.4 ms, the colo sees 203.0.113.10"
    assert report([TUNNEL], [SEEN]) == [
        {"wan": "dsl", "ok": True, "down": False, "excused": False, "text": text, "warning": ""}
    ]


@pytest.mark.parametrize(
    ("dynamic", "present", "down", "text"),
    [
        (["dsl"], False, True, "dsl is down: its tunnel comes with its link"),
        (["dsl"], True, False, "dsl FAILED: no"),
        (["cable"], False, False, "dsl FAILED: no"),
    ],
)
def test_a_dynamic_link_may_be_down(dynamic: list[str], present: bool, down: bool, text: str) -> None:
    tunnel = {**TUNNEL, "ok": False, "present": present, "error": "no", "rtt_ms": None}
    (verdict,) = report([tunnel], [SEEN], dynamic=dynamic)
    assert (verdict["ok"], verdict["down"], verdict["excused"], verdict["text"]) == (False, down, down, text)


def test_a_tunnel_that_is_not_encrypted_says_why() -> None:
    tunnel = {**TUNNEL, "ok": False, "rtt_ms": None, "unencrypted": "received AUTHENTICATION_FAILED notify error"}
    (verdict,) = report([tunnel], [SEEN])
    reason = "no answer through ex-dsl; it is not encrypted: received AUTHENTICATION_FAILED notify error"
    assert verdict["text"] == f"dsl FAILED: {reason}"


SILENT = {**TUNNEL, "wan": "cable", "ok": False, "error": "no answer", "rtt_ms": None}


@pytest.mark.parametrize(
    ("tunnel", "dead", "excused", "text"),
    [
        ({}, ["cable"], True, "cable was dead before this run and still is: no answer"),
        ({}, ["dsl"], False, "cable FAILED: no answer"),
        ({"carrier": False}, [], True, "cable is down: its link has no carrier: no answer"),
        ({"rtt_ms": TUNNEL["rtt_ms"], "error": "too large"}, ["cable"], False, "cable FAILED: too large"),
    ],
)
def test_what_the_run_is_not_to_blame_for_is_excused(
    tunnel: dict[str, Any], dead: list[str], excused: bool, text: str
) -> None:
    seen = {**SEEN, "sources": []}
    (first, verdict) = report([TUNNEL, {**SILENT, "sources": [], **tunnel}], [SEEN, seen], dead=dead)
    assert (first["ok"], first["excused"]) == (True, False)
    assert (verdict["ok"], verdict["excused"], verdict["text"]) == (False, excused, text)


OUT = {**SILENT, "present": False, "carrier": False}


def test_a_static_link_without_carrier_has_no_tunnel() -> None:
    (_works, verdict) = report([TUNNEL, OUT], [SEEN, SEEN])
    assert (verdict["ok"], verdict["down"], verdict["excused"]) == (False, True, True)
    assert verdict["text"] == "cable is down: its tunnel comes with its link"


def test_static_links_that_are_all_out_are_not_excused() -> None:
    dsl, cable, phone = report(
        [{**OUT, "wan": "dsl"}, OUT, {**OUT, "wan": "phone"}], [SEEN, SEEN, SEEN], dynamic=["phone"]
    )
    assert [verdict["down"] for verdict in (dsl, cable, phone)] == [True, True, True]
    assert [verdict["excused"] for verdict in (dsl, cable, phone)] == [False, False, True]
    assert cable["text"] == "cable FAILED: its link is down, and no other works"


def test_nothing_is_excused_where_nothing_works() -> None:
    (verdict,) = report([{**SILENT, "sources": []}], [SEEN], dead=["cable"])
    assert (verdict["ok"], verdict["excused"], verdict["text"]) == (False, False, "cable FAILED: no answer")


def test_some_loss_is_told_and_no_failure() -> None:
    (verdict,) = report([{**TUNNEL, "received": 19}], [SEEN])
    assert verdict["ok"]
    assert "1 of 20 lost" in verdict["text"]


@pytest.mark.parametrize(
    ("tunnel", "seen", "text"),
    [
        (
            {"ok": False, "error": "nothing came back through ex-dsl"},
            {},
            "dsl FAILED: nothing came back through ex-dsl",
        ),
        ({}, {"sources": []}, "dsl FAILED: nothing from 203.0.113.10 came out of ex1-dsl at the colo"),
        (
            {"sources": ["203.0.113.10", "2001:db8::1"], "silent": ["2001:db8::1"]},
            {},
            "dsl FAILED: no answer to packets from 2001:db8::1",
        ),
        ({}, {"sources": ["192.0.2.2"]}, "dsl FAILED: the colo sees 192.0.2.2 where 203.0.113.10 was sent"),
        (
            {},
            {"error": "there is no device ex1-dsl"},
            "dsl FAILED: the colo could not look: there is no device ex1-dsl",
        ),
    ],
)
def test_a_tunnel_that_does_not(tunnel: dict[str, Any], seen: dict[str, Any], text: str) -> None:
    (verdict,) = report([{**TUNNEL, **tunnel}], [{**SEEN, **seen}])
    assert (verdict["ok"], verdict["text"]) == (False, text)


def test_a_site_without_extruded_addresses_is_judged_by_its_path() -> None:
    (verdict,) = report([{**TUNNEL, "sources": []}], [{**SEEN, "sources": []}])
    assert verdict["text"] == "dsl ok: 1472 bytes whole both ways in 20.4 ms"


def test_the_topology_gets_what_it_levels_tunnels_by() -> None:
    dead = {**TUNNEL, "wan": "cable", "ok": False, "rtt_ms": None}
    assert times([TUNNEL, dead], [SEEN, {**SEEN, "transit_ms": None}]) == {
        "dsl": {"rtt": 20.1, "transit": 1010.5, "site_delay": 2.5, "colo_delay": 0.0},
        "cable": {"rtt": None, "transit": None, "site_delay": 2.5, "colo_delay": 0.0},
    }


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"received": 19}, "1 of 20 packets were lost"),
        ({"rtt_ms": {"min": 20, "avg": 24, "p90": 26, "max": 30}}, "take 20 ms and one in ten more than 26"),
    ],
)
def test_packet_mode_is_doubted_where_packets_are_lost_or_late(found: dict[str, Any], reason: str) -> None:
    (verdict,) = report([{**TUNNEL, **found}], [SEEN], packet=True)
    assert verdict["ok"]
    assert reason in verdict["warning"]
    assert report([{**TUNNEL, **found}], [SEEN])[0]["warning"] == ""


def test_packet_mode_is_not_doubted_on_a_steady_tunnel() -> None:
    assert report([TUNNEL], [SEEN], packet=True)[0]["warning"] == ""


def test_many_addresses_are_counted() -> None:
    (verdict,) = report([{**TUNNEL, "sources": [f"203.0.113.{number}" for number in range(10, 15)]}], [SEEN])
    assert verdict["text"].endswith("the colo sees 203.0.113.10, 203.0.113.11, 203.0.113.12 and 2 more")


def test_the_colo_may_have_begun_too_late_for_some_of_the_addresses() -> None:
    (verdict,) = report([{**TUNNEL, "sources": ["203.0.113.10", "203.0.113.11"]}], [SEEN])
    assert verdict["ok"]
