# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a kernel without GRE, as most containers have: what is planned, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.host import snapshot
from tests.unit.netns import ip

Run = Callable[..., dict[str, Any]]
TUNNEL = {"name": "ex-dsl", "local": "192.0.2.2", "remote": "203.0.113.2", "key": 17}


def test_a_plan_needs_no_gre(run: Run) -> None:
    result = run("gre_tunnels", customer="acme", site="office", tunnels=[TUNNEL], check=True)
    assert result["operations"] == [
        {
            "action": "add",
            "kind": "tunnels",
            "text": "add tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17",
            "before": None,
            "after": {**TUNNEL, "ttl": 64, "tos": 0, "pmtudisc": True, "mtu": 1472, "wan": "ex-dsl"},
        }
    ]
    assert result["diff"]["after"].startswith("tunnels: name=ex-dsl local=192.0.2.2 remote=203.0.113.2 key=17 ")


def test_a_kernel_without_gre_says_so_and_nothing_stays(run: Run, folder: Path) -> None:
    before = snapshot()
    result = run("gre_tunnels", customer="acme", tunnels=[TUNNEL])
    assert result["msg"] == (
        "cannot add tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17: this kernel has no GRE tunnels (module ip_gre)"
    )
    assert snapshot() == before
    assert list(folder.glob("*.json")) == []


@pytest.mark.parametrize(
    ("tunnels", "message"),
    [
        ([TUNNEL, TUNNEL], "is also asked for by customer acme, site local"),
        ([TUNNEL, {**TUNNEL, "name": "ex-2"}], "has the same endpoints and key as ex-dsl"),
        ([{**TUNNEL, "name": "a0"}], "device a0 is there already and is not ours: kind veth"),
        ([{**TUNNEL, "name": "a-very-long-name"}], "tunnels[0].name: 'a-very-long-name' is not the name of a device"),
        ([{**TUNNEL, "device": "dsl0"}], "there is no device dsl0 on this host"),
        ([{**TUNNEL, "ttl": 256}], "tunnels[0].ttl: 256 is not a number from 0 to 255"),
    ],
)
def test_bad_tunnels_are_one_sentence(run: Run, tunnels: list[dict[str, Any]], message: str) -> None:
    for check in (True, False):
        result = run("gre_tunnels", customer="acme", tunnels=tunnels, check=check)
        assert result["failed"]
        assert message in result["msg"]


def test_the_alias_names_whose_a_device_is(run: Run) -> None:
    ip("link set b0 name ex-dsl alias extrude:other/office/dsl")
    result = run("gre_tunnels", customer="acme", tunnels=[TUNNEL], check=True)
    assert result["msg"] == (
        "device ex-dsl is there already and is not ours: kind veth (alias extrude:other/office/dsl)"
    )
