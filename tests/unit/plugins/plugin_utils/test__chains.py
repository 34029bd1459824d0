# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import defaultdict

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._chains import by_device, joined
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import Part
from tests.unit.plugins.plugin_utils.walk import Packet

ALL = range(1, 4096)


def test_parts_of_a_chain_come_together_in_their_order() -> None:
    parts = [Part.at("FORWARD", ["one"]), Part("EXTRUDE-MINE", ("two",)), Part.at("FORWARD", ["three"])]
    assert [(chain["name"], chain["rules"]) for chain in joined(4, "mangle", parts)] == [
        ("EXTRUDE-FORWARD", ["one", "three"]),
        ("EXTRUDE-MINE", ["two"]),
    ]


def test_of_empty_chains_only_those_stay_that_rules_of_ours_may_jump_to() -> None:
    parts = [Part.at("FORWARD", []), Part("EXTRUDE-MINE", ())]
    assert [chain["name"] for chain in joined(4, "mangle", parts)] == ["EXTRUDE-MINE"]


@pytest.fixture(scope="module")
def tree() -> dict[tuple[str, str], list[str]]:
    """The branches of all sites that a colo can have."""
    chains: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for number in ALL:
        for part in by_device("EXTRUDE-FORWARD", "-i", number, [f"-j MARK --set-xmark {number:#x}/0x3f000000"]):
            chains["mangle", part.name].update(dict.fromkeys(part.rules))
    return {place: list(rules) for place, rules in chains.items()}


def test_each_device_finds_its_own_site_past_few_rules(tree: dict[tuple[str, str], list[str]]) -> None:
    longest = 0
    for number in ALL:
        packet = Packet(f"ex{number}-dsl", "eth0")
        packet.passes(tree)
        assert packet.mark == number
        longest = max(longest, packet.walked)
    assert longest <= 68


@pytest.mark.parametrize("device", ["eth0", "extern0", "ex0-dsl", "ex4096-dsl", "ex-dsl", "ex1", "extrude0"])
def test_no_other_device_finds_one(tree: dict[tuple[str, str], list[str]], device: str) -> None:
    packet = Packet(device, "eth0")
    packet.passes(tree)
    assert packet.mark == 0
