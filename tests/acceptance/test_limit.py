# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a customer may send and receive at the colo: no more than that by all tunnels together, and nearly all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance import inventory, modules, traffic, watch
from tests.acceptance.call import bulk
from tests.acceptance.conftest import brought
from tests.acceptance.inventory import Variables, lab_host, states
from tests.acceptance.test_sources import ALIVE, BRANCH, BRANCH_GONE, BRANCH_SITE, FORGE
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

LIMIT = 4
SECONDS = 5
LIMITED: Variables = {**lab_host("office"), "extrude_limit": {"up": LIMIT, "down": LIMIT}}
TUNNELS = ("ex1-dsl", "ex1-cable")


@pytest.fixture(scope="module")
def limited(deployed: Lab) -> Iterator[Lab]:
    """The lab where the office's customer has a limit."""
    with brought(deployed, LIMITED):
        yield deployed


def colo(lab: Lab, *command: str) -> str:
    return lab.exec("colo", list(command), check=False).stdout


def carried(lab: Lab) -> dict[str, tuple[int, int]]:
    """The bytes that each tunnel has received and sent, as the colo says."""
    (site,) = json.loads(colo(lab, "extrude", "status", "--json"))["sites"]
    return {one["name"]: (one["received"]["bytes"], one["sent"]["bytes"]) for one in site["tunnels"]}


def test_all_tunnels_together_carry_the_limit_and_no_more(limited: Lab) -> None:
    before = carried(limited)
    rates = {direction: bulk(limited, direction, SECONDS, flows=8) for direction in ("up", "down")}
    after = carried(limited)
    assert all(0.7 * LIMIT < rate <= LIMIT for rate in rates.values()), rates
    for tunnel in TUNNELS:
        assert all(new - old > 100_000 for old, new in zip(before[tunnel], after[tunnel], strict=True)), (before, after)
    total = sum(after[tunnel][1] - before[tunnel][1] for tunnel in TUNNELS)
    assert total > rates["down"] * 1e6 / 8 * SECONDS


def test_a_tunnel_lets_through_its_own_sources_only_as_before(limited: Lab) -> None:
    assert traffic.source_seen_outside(limited, "desk", DESK_ADDRESS) == DESK_ADDRESS
    with watch.capture(limited, "internet", "eth0", "udp dst port 9") as seen:
        sources = f"203.0.113.99,{ROUTER_ADDRESS}"
        limited.exec("office", ["python3", "-c", FORGE, "ex-cable", "3", INTERNET_ADDRESS, sources])
    assert len(seen.lines) == 3
    assert all(f"{ROUTER_ADDRESS}." in line for line in seen.lines)


@pytest.fixture
def branch(limited: Lab) -> Iterator[Lab]:
    """With a site of another customer, which has no limit."""
    (_office, other) = states({"office": LIMITED, "branch": inventory.branch()})["colo"]
    result = modules.apply(limited, "colo", [other])
    assert not result.failed, result.message
    limited.exec("isp-dsl", ["sh", "-ec", BRANCH_SITE])
    limited.exec("colo", ["sh", "-c", f"ip rule add {ALIVE}"])
    yield limited
    limited.exec("colo", ["sh", "-c", f"ip rule del {ALIVE}"])
    limited.exec("isp-dsl", ["sh", "-ec", BRANCH_GONE])
    result = modules.apply(limited, "colo", [{"customer": "globex", "site": "branch"}])
    assert not result.failed, result.message


@pytest.mark.long
def test_another_customer_has_no_part_in_it(branch: Lab) -> None:
    command = ["iperf3", "-c", INTERNET_ADDRESS, "-B", BRANCH, "-J", "-P", "4", "-t", str(SECONDS)]
    told = json.loads(branch.exec("isp-dsl", command, timeout=60).stdout)
    assert told["end"]["sum_received"]["bits_per_second"] > 1.5e6 * LIMIT
    assert "bandwidth 4Mbit" in colo(branch, "tc", "qdisc", "show", "dev", "exu-acme")


def test_another_limit_and_none(limited: Lab) -> None:
    assert modules.plan(limited, "colo", states({"office": LIMITED})["colo"]).texts == []
    modules.bring(limited, {**LIMITED, "extrude_limit": {"down": 2 * LIMIT}})
    assert "bandwidth 8Mbit" in colo(limited, "tc", "qdisc", "show", "dev", "exd-acme")
    assert colo(limited, "ip", "link", "show", "dev", "exu-acme") == ""
    assert colo(limited, "tc", "filter", "show", "dev", "ex1-dsl", "ingress") == ""
    modules.bring(limited, lab_host("office"))
    assert colo(limited, "ip", "link", "show", "dev", "exd-acme") == ""
    assert "clsact" not in colo(limited, "tc", "qdisc", "show")
    assert bulk(limited, "down", SECONDS, flows=8) > 1.5 * LIMIT
    modules.bring(limited, LIMITED)
