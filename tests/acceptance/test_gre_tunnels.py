# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module gre_tunnels by itself, on a real host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance import modules
from tests.lab.lab import Lab

OWNER = {"customer": "alone", "site": "here"}
FIRST = {"name": "gt0", "local": "192.0.2.2", "remote": "203.0.113.99", "key": 5}


@pytest.fixture
def office(deployed: Lab) -> Iterator[Lab]:
    yield deployed
    purged = _tunnels(deployed, [], purge=True)
    assert not purged.failed, purged.message


def test_a_tunnel_is_made_changed_in_place_and_purged_alone(office: Lab) -> None:
    made = _tunnels(office, [FIRST])
    assert made.texts == ["add tunnel gt0 192.0.2.2 -> 203.0.113.99 key 5"]
    link = _link(office, "gt0")
    assert link["ifalias"] == "extrude:alone/here/gt0"
    assert link["linkinfo"]["info_data"]["ikey"] == "0.0.0.5"
    office.exec("office", ["ip", "address", "add", "10.99.0.1/31", "dev", "gt0"])
    office.exec("office", ["ip", "route", "add", "10.99.1.0/24", "dev", "gt0"])

    changed = _tunnels(
        office, [{**FIRST, "key": 6, "mtu": 1400, "remote": "203.0.113.98", "pmtudisc": False, "ttl": 32}]
    )
    assert [operation["action"] for operation in changed.values["operations"]] == ["change"]
    after = _link(office, "gt0")
    assert after["ifindex"] == link["ifindex"]
    assert after["mtu"] == 1400
    assert (
        after["linkinfo"]["info_data"] | {"remote": "203.0.113.98", "ikey": "0.0.0.6", "ttl": 32}
        == (after["linkinfo"]["info_data"])
    )
    assert "10.99.0.1/31" in office.exec("office", ["ip", "address", "show", "dev", "gt0"]).stdout
    assert "10.99.1.0/24" in office.exec("office", ["ip", "route", "show", "dev", "gt0"]).stdout

    purged = _tunnels(office, [], purge=True)
    assert [text.split()[:3] for text in purged.texts if "tunnel" in text] == [["delete", "tunnel", "gt0"]]
    names = office.exec("office", ["ls", "/sys/class/net"]).stdout.split()
    assert "gt0" not in names
    assert {"ex-dsl", "ex-cable"} <= set(names)


def test_the_same_tunnel_twice_is_an_error_and_nothing_is_made(office: Lab) -> None:
    result = _tunnels(office, [FIRST, {**FIRST, "name": "gt1"}])
    assert "gt1" in result.message
    assert "gt0" in result.message
    assert not {"gt0", "gt1"} & set(office.exec("office", ["ls", "/sys/class/net"]).stdout.split())


def test_a_device_of_somebody_else_is_never_taken_over(office: Lab) -> None:
    office.exec("office", ["ip", "tunnel", "add", "gt2", "mode", "gre", "local", "192.0.2.2", "remote", "203.0.113.97"])
    try:
        by_name = _tunnels(office, [{**FIRST, "name": "gt2"}])
        assert "device gt2 is there already and is not ours" in by_name.message
        other = _tunnels(office, [{**FIRST, "name": "ex-dsl"}])
        assert "extrude:acme/office/dsl" in other.message
        assert _link(office, "gt2")["linkinfo"]["info_data"]["remote"] == "203.0.113.97"
    finally:
        office.exec("office", ["ip", "link", "del", "gt2"])


def _tunnels(lab: Lab, tunnels: list[dict[str, Any]], *, purge: bool = False) -> modules.Result:
    return modules.call(lab, "office", "gre_tunnels", **OWNER, tunnels=tunnels, purge=purge)


def _link(lab: Lab, name: str) -> dict[str, Any]:
    return dict(json.loads(lab.exec("office", ["ip", "-d", "-j", "link", "show", "dev", name]).stdout)[0])
