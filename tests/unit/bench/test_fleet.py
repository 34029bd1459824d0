# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark of a fleet measures: its inventories, plays and states."""

from __future__ import annotations

import json

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._model import Dummy, State, Tunnel
from ansible_collections.multihome.extrude.plugins.plugin_utils._topology import topology
from tests.bench import fleet, worker


def test_the_inventory_without_templates_is_a_sound_one_of_as_many_sites() -> None:
    groups = fleet.inventory(300, templates=False)["all"]["children"]
    hostvars = groups["extrude_colos"]["hosts"] | groups["extrude_sites"]["hosts"]
    made = topology(hostvars, {name: list(group["hosts"]) for name, group in groups.items()})
    assert len(made["sites"]) == 300
    assert all(len(state["tunnels"]) == 2 for state in made["sites"].values())


def test_the_one_with_templates_says_the_same() -> None:
    plain = fleet.inventory(1, templates=False)["all"]["children"]["extrude_sites"]["hosts"]["site1"]
    sites = fleet.inventory(1)["all"]["children"]["extrude_sites"]
    assert json.dumps(sites["vars"]).count("{{") == 6
    assert {**sites["hosts"]["site1"], **fleet.evaluated(sites["vars"], sites["hosts"]["site1"])} == plain
    assert "{{" not in json.dumps(plain)


def test_the_plays_that_are_compared_differ_in_the_topology_only() -> None:
    (without,), (with_topology,) = fleet.play(1000, with_topology=False), fleet.play(1000, with_topology=True)
    assert without["serial"] == with_topology["serial"] == [1, 250, 1000]
    first, *others = with_topology["tasks"]
    assert "topology" in first["ansible.builtin.set_fact"]["extrude_topology"]
    assert first["run_once"]
    assert len(others) == len(without["tasks"]) == fleet.TASKS


def test_a_state_of_the_colo_has_devices_in_the_place_of_its_tunnels() -> None:
    (made,) = fleet.colo_states(1)
    state = State.parse(made)
    assert state.of(Tunnel) == []
    assert [device.name for device in state.of(Dummy)] == ["extrude0", "ex1-dsl", "ex1-cable"]


def test_tunnels_have_addresses_and_routes_of_their_own() -> None:
    kinds = {kind.removeprefix(worker.OF_TUNNELS): worker.objects(kind, fleet.TUNNELS) for kind in fleet.KINDS}
    state = State.parse({**worker.OWNER, **kinds})
    assert len(state.objects) == 3 * fleet.TUNNELS
    assert len({item.place for item in state.objects}) == 3 * fleet.TUNNELS
    assert len(worker.batch("tunnel-routes", 4).splitlines()) == 4


@pytest.mark.parametrize(("mode", "counts"), [("flow", False), ("packet", True)])
def test_packets_are_shared_out_by_number_in_packet_mode_only(mode: str, counts: bool) -> None:
    (made,) = fleet.states(1, **fleet.MODES[mode])
    assert ("-m statistic --mode nth" in json.dumps(made["chains"])) is counts
