# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with as many links as a site can have, 16: eight by each provider of the lab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance import inventory, modules, playbook, sessions, stream, traffic
from tests.acceptance.inventory import Variables
from tests.lab.lab import Lab

pytestmark = pytest.mark.long

FIRST = inventory.lab_host("office")["extrude_wans"]
MORE = range(3, 17)
"""Slots of the links that the lab does not have."""
NAMES = [wan["name"] for wan in FIRST] + [f"w{slot}" for slot in MORE]
BY_DSL = {"dsl", *(f"w{slot}" for slot in MORE if slot % 2)}


def link(slot: int) -> Variables:
    """A further link by one of the two providers, with an address of its own there."""
    like = FIRST[0 if slot % 2 else 1]
    network = like["gateway"].rsplit(".", 1)[0]
    return {**like, "name": f"w{slot}", "interface": f"w{slot}", "address": f"{network}.{100 + slot}/24"}


def office() -> Variables:
    """The site with all its links, which carry the same."""
    site = inventory.lab_host("office")
    wans = [*site["extrude_wans"], *map(link, MORE)]
    return {**site, "extrude_wans": [{**wan, "up": 10, "down": 10} for wan in wans]}


@contextmanager
def devices(lab: Lab) -> Iterator[None]:
    """Devices of further links at the office, each with a MAC address of its own on the wire of a first one."""
    commands = ["sysctl -q net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2"]
    for wan in map(link, MORE):
        below = FIRST[0 if wan["name"] in BY_DSL else 1]["interface"]
        name = wan["interface"]
        commands += [f"ip link add {name} link {below} type macvlan mode private", f"ip link set {name} up"]
        commands += [f"ip address add {wan['address']} dev {name} noprefixroute"]
    try:
        lab.exec("office", ["sh", "-ec", "\n".join(commands)])
        yield
    finally:
        undo = [f"ip link del w{slot}" for slot in MORE]
        undo += ["sysctl -q net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.all.arp_announce=0"]
        lab.exec("office", ["sh", "-c", "\n".join(undo)], check=False)


@pytest.fixture(scope="module")
def many(deployed: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, playbook.Run, playbook.Run]]:
    """The lab with all links deployed, the run that did it, and a second one; afterwards the lab is as it was."""
    folder = inventory.write(tmp_path_factory.mktemp("many") / "inventory", {"office": office()})
    with devices(deployed):
        try:
            yield deployed, playbook.run(deployed, inventory=folder), playbook.run(deployed, inventory=folder)
        finally:
            modules.bring(deployed, inventory.lab_host("office"))
    sessions.wait_up(deployed)


def test_all_links_are_deployed_and_proved(many: tuple[Lab, playbook.Run, playbook.Run]) -> None:
    _lab, run, second = many
    assert run.code == 0, run.output
    assert [text.split(":")[0] for text in run.words()] == [f"{name} ok" for name in NAMES]
    assert (second.code, second.changed) == (0, 0), second.output


def test_all_links_carry_their_share_and_half_of_them_may_die_at_once(
    many: tuple[Lab, playbook.Run, playbook.Run],
) -> None:
    lab, _run, _second = many
    sessions.wait_up(lab, tunnels())
    for carried in vars(traffic.shares(lab)).values():
        assert carried.keys() == set(NAMES)
        assert min(carried.values()) >= 2, carried
        assert max(carried.values()) <= 13, carried
    with stream.streams(lab) as fared:
        lab.cut("dsl", black_hole=True)
        try:
            for host, names in tunnels(BY_DSL).items():
                for name in names:
                    sessions.wait_down(lab, host, name)
            alive = {name.removeprefix("ex-") for name in sessions.ways(lab, "office", "default")}
            assert alive == set(NAMES) - BY_DSL
        finally:
            lab.heal("dsl")
        sessions.wait_up(lab, tunnels())
    for one in fared.values():
        assert 0 < one.longest <= 3000, fared


def tunnels(names: set[str] | None = None) -> dict[str, list[str]]:
    """The tunnels of links (None: of all) at both ends."""
    chosen = [name for name in NAMES if names is None or name in names]
    return {"colo": [f"ex1-{name}" for name in chosen], "office": [f"ex-{name}" for name in chosen]}
