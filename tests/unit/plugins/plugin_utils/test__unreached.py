# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._unreached import SHOWN, unreached

THERE = {"elapsed": 0}
GONE = {"elapsed": 30, "msg": "timed out:\n  Connection refused"}
STOPS = "so the rollout stops here; nothing of this batch was changed"


def test_nothing_is_said_where_all_are_reached() -> None:
    assert unreached({"office": THERE, "shop": {"skipped": True}}, ["office", "shop"], "extrude_sites") == ""


def test_who_why_and_what_to_type() -> None:
    assert unreached({"office": GONE, "shop": THERE}, ["office", "shop"], "extrude_sites").splitlines() == [
        f"office: not reached, {STOPS}. Without it: --limit 'extrude_sites:!office'",
        "office: timed out: Connection refused",
    ]


@pytest.mark.parametrize(
    ("limit", "without"),
    [("acme", "acme:!office:!shop"), ("a:b", "a:b:!office:!shop"), ("a,b", "a,b,!office,!shop")],
)
def test_a_limit_is_kept(limit: str, without: str) -> None:
    told = unreached({"office": GONE, "shop": GONE}, ["office", "shop", "plant"], limit)
    assert told.splitlines()[0] == f"office, shop: not reached, {STOPS}. Without them: --limit '{without}'"


def test_without_the_only_site_there_is_nothing_to_do() -> None:
    assert unreached({"office": GONE}, ["office"], "office").splitlines()[0] == f"office: not reached, {STOPS}"


def test_of_many_all_are_left_out_and_some_are_named() -> None:
    sites = [f"s{number}" for number in range(SHOWN + 5)]
    first, *reasons = unreached(dict.fromkeys(sites, GONE), [*sites, "office"], "extrude_sites").splitlines()
    assert f"s{SHOWN - 1} and 5 more: not reached" in first
    assert first.endswith(f":!s{SHOWN + 4}'")
    assert len(reasons) == SHOWN
