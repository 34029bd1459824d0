# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 addresses beside the IPv4 ones, through the same tunnels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, playbook, sessions, traffic
from tests.acceptance.inventory import Variables
from tests.acceptance.traffic import DESK_ADDRESS
from tests.lab.lab import Lab

VERIFY = playbook.CHECKOUT / "tests" / "acceptance" / "playbooks" / "verify.yml"
ROUTER, DESK, INTERNET = "2001:db8:113::10", "2001:db8:113::11", "2001:db8:18::10"


@pytest.fixture
def both(mended: Lab) -> Iterator[tuple[Lab, dict[str, list[Variables]]]]:
    """The lab with an IPv6 address for the router and one for the LAN host, and what its hosts should hold."""
    states = inventory.states({"office": _office()}, extrude_prefixes=["203.0.113.0/24", "2001:db8:113::/64"])
    assert not any(result.failed for result in modules.apply_all(mended, states).values())
    mended.exec("desk", ["ip", "address", "add", f"{DESK}/128", "dev", "eth0", "nodad"])
    mended.exec("desk", ["ip", "-6", "route", "add", "default", "via", _link_local(mended, "lan0"), "dev", "eth0"])
    yield mended, states
    mended.exec("desk", ["ip", "-6", "route", "del", "default"])
    mended.exec("desk", ["ip", "address", "del", f"{DESK}/128", "dev", "eth0"])


@pytest.mark.core
def test_ipv6_addresses_are_extruded_too(both: tuple[Lab, dict[str, list[Variables]]]) -> None:
    lab, states = both
    for address in (ROUTER, DESK):
        assert traffic.reaches(lab, "internet", address)
        assert traffic.neighbour(lab, "upstream", address) == traffic.mac(lab, "colo", "eth0")
    assert traffic.fetch(lab, "internet", f"http://[{DESK}]/name") == "desk"
    assert traffic.fetch(lab, "desk", f"http://[{INTERNET}]/ip") == DESK
    assert traffic.fetch(lab, "office", f"http://[{INTERNET}]/ip") == ROUTER
    assert traffic.reaches(lab, "internet", DESK_ADDRESS)
    assert modules.drift(lab, states) == []
    with sessions.tunnels_down(lab):
        # no link can carry it, and nobody has to wait to learn that
        told = lab.exec("desk", ["ping", "-c", "1", "-W", "9", "-I", DESK, INTERNET], check=False)
        assert "Destination unreachable" in told.stdout


def test_the_verification_proves_an_address_of_every_entry_of_both_families(
    both: tuple[Lab, dict[str, list[Variables]]], tmp_path: Path
) -> None:
    lab, _states = both
    sites, colo = {"office": _office()}, {"extrude_prefixes": ["203.0.113.0/24", "2001:db8:113::/64"]}
    where = inventory.write(tmp_path / "both", sites, **colo)
    run = playbook.run(lab, playbook=VERIFY, inventory=where)
    assert run.code == 0, run.output
    (probed,) = (answer.result["tunnels"] for answer in run.answers if "tunnels" in answer.result)
    for tunnel in probed:
        assert tunnel["sources"] == ["203.0.113.10", DESK_ADDRESS, ROUTER, DESK]
        assert tunnel["silent"] == []
        assert tunnel["source_received"] >= 15
    # an address that the colo does not know is named
    sites["office"]["extrude_addresses"].append("2001:db8:113::12")
    sites["office"]["extrude_lan"][1]["addresses"].append("2001:db8:113::12")
    failed = playbook.run(lab, playbook=VERIFY, inventory=inventory.write(tmp_path / "more", sites, **colo))
    assert failed.code != 0
    assert "dsl FAILED: no answer to packets from 2001:db8:113::12" in failed.failures()[0]


def _office() -> Variables:
    office = inventory.lab_host("office")
    office["extrude_addresses"] += [ROUTER, DESK]
    office["extrude_lan"][1]["addresses"].append(DESK)
    return office


def _link_local(lab: Lab, device: str) -> str:
    shown = lab.exec("office", ["ip", "-j", "-6", "address", "show", "dev", device, "scope", "link"]).stdout
    return str(json.loads(shown)[0]["addr_info"][0]["local"])
