# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, run, run_all, shop


def test_without_a_batch_all_sites_come_in_the_order_of_the_inventory() -> None:
    result = run(shop=shop(), office=office())
    assert list(result["sites"]) == ["shop", "office"]
    assert [state["site"] for state in result["colos"]["rack"]] == ["shop", "office"]
    assert list(result["checks"]) == ["shop", "office"]


def test_a_batch_limits_what_comes() -> None:
    result = run(batch=["shop"], office=office(), shop=shop())
    assert list(result["sites"]) == ["shop"]
    assert [state["customer"] for state in result["colos"]["rack"]] == ["initech"]
    assert list(result["checks"]) == ["shop"]


def test_an_empty_batch() -> None:
    kinds: dict[str, Any] = {"colos": {}, "sites": {}, "checks": {}, "drills": {}, "reporting": {}}
    whole = {"customers": {"office": "acme"}, "homes": {"office": "rack"}}
    assert run(batch=[], office=office()) == {**kinds, "spread": [], "waiting": [], **whole}


def test_customers_and_homes_are_those_of_the_whole_inventory() -> None:
    result = run(batch=["shop"], office=office(), shop=shop())
    assert result["customers"] == {"office": "acme", "shop": "initech"}
    assert result["homes"] == {"office": "rack", "shop": "rack"}


def test_a_batch_does_not_limit_what_is_checked() -> None:
    with pytest.raises(TopologyError, match=r"^the inventory has a problem:\noffice: extrude_customer: is missing"):
        run(batch=["shop"], office=office(extrude_customer=...), shop=shop())


def test_a_site_has_the_same_state_in_any_batch() -> None:
    both, one = run(office=office(), shop=shop()), run(batch=["shop"], office=office(), shop=shop())
    assert one["sites"]["shop"] == both["sites"]["shop"]
    assert one["colos"]["rack"] == both["colos"]["rack"][1:]


def test_a_batch_with_other_hosts() -> None:
    with pytest.raises(TopologyError) as caught:
        run(batch=["office", "rack"], office=office())
    problem = "rack: batch: is not in the group extrude_sites; give hosts of that group only"
    assert str(caught.value).splitlines()[1:] == [problem]


def test_checks() -> None:
    checks = run(office=office())["checks"]["office"]
    del checks["routes"]
    assert checks == {
        "colo": "rack",
        "token": "extrude-1",
        "packet": False,
        "dynamic": [],
        "tunnels": [
            {
                "wan": "dsl",
                "device": "ex-dsl",
                "link": "dsl0",
                "local": "10.254.0.1",
                "remote": "10.254.0.0",
                "mtu": 1472,
                "sources": ["203.0.113.10", "203.0.113.11"],
            },
            {
                "wan": "cable",
                "device": "ex-cable",
                "link": "cable0",
                "local": "10.254.0.3",
                "remote": "10.254.0.2",
                "mtu": 1472,
                "sources": ["203.0.113.10", "203.0.113.11"],
            },
        ],
        "observe": [{"device": "ex1-dsl", "token": "extrude-1"}, {"device": "ex1-cable", "token": "extrude-1"}],
    }


@pytest.mark.parametrize(
    ("addresses", "sources"),
    [
        (["203.0.113.16/28"], ["203.0.113.17"]),
        (["203.0.113.16/31"], ["203.0.113.16"]),
        (["203.0.113.10", "203.0.113.32/27"], ["203.0.113.10", "203.0.113.33"]),
        (["203.0.113.10", "2001:db8:100::1", "2001:db8:100:1::/64"], None),
    ],
)
def test_one_address_of_every_entry_is_proved(addresses: list[str], sources: list[str] | None) -> None:
    routed = [{"interface": "lan0", "mode": "routed"}]
    checks = run(shop=shop(extrude_addresses=addresses, extrude_lan=routed))["checks"]["shop"]
    (tunnel,) = checks["tunnels"]
    assert tunnel["sources"] == (sources or ["203.0.113.10", "2001:db8:100::1", "2001:db8:100:1::1"])
    assert ("remote6" in tunnel) is (sources is None)


def test_the_address_of_an_entry_is_rather_one_that_the_router_holds() -> None:
    lan = [{"interface": "lan0", "mode": "nat", "addresses": ["203.0.113.20"]}]
    site = shop(extrude_addresses=["203.0.113.20", "203.0.113.10"], extrude_lan=lan)
    made = run(shop=site)
    assert made["checks"]["shop"]["tunnels"][0]["sources"] == ["203.0.113.20", "203.0.113.10"]
    assert made["drills"]["shop"]["site_end"]["source"] == "203.0.113.20"


def test_the_routes_to_find_are_those_over_the_tunnels() -> None:
    made = run(office=office(extrude_wans=[dsl(weight=5), cable(metric=2)]))
    routes = made["checks"]["office"]["routes"]
    assert routes["site"] == {
        "live": 4200,
        "table": routes["site"]["routes"][0]["table"],
        "wans": {"ex-dsl": "dsl", "ex-cable": "cable"},
        "destinations": ["0.0.0.0/0"],
        "routes": [route for route in made["sites"]["office"]["routes"] if route["nexthops"][0]["device"][:3] == "ex-"],
    }
    assert [route["metric"] for route in routes["site"]["routes"]] == [1, 2]
    assert routes["colo"]["destinations"] == ["203.0.113.10/32", "203.0.113.11/32"]
    assert routes["colo"]["wans"] == {"ex1-dsl": "dsl", "ex1-cable": "cable"}
    assert len(routes["colo"]["routes"]) == 4


def test_drills() -> None:
    assert run(office=office())["drills"]["office"] == {
        "colo": "rack",
        "links": {name: {"least": 0.3, "seconds": 5.0, "return": 45} for name in ("dsl", "cable")},
        "site_end": {
            "source": "203.0.113.10",
            "destination": "203.0.113.2",
            "tunnels": [
                {"wan": "dsl", "device": "ex-dsl", "local": "10.254.0.1", "remote": "10.254.0.0"},
                {"wan": "cable", "device": "ex-cable", "local": "10.254.0.3", "remote": "10.254.0.2"},
            ],
        },
        "colo_end": {
            "source": "203.0.113.2",
            "destination": "203.0.113.10",
            "tunnels": [
                {"wan": "dsl", "device": "ex1-dsl", "local": "10.254.0.0", "remote": "10.254.0.1"},
                {"wan": "cable", "device": "ex1-cable", "local": "10.254.0.2", "remote": "10.254.0.3"},
            ],
        },
    }


def test_a_link_that_is_found_dead_late_or_held_down_long_is_drilled_for_longer() -> None:
    wans = [dsl(detect=30000, hold_down_max=3600), cable(detect=150, hold_down=60)]
    assert run(office=office(extrude_wans=wans))["drills"]["office"]["links"] == {
        "dsl": {"least": 60.0, "seconds": 60.0, "return": 600.0},
        "cable": {"least": 0.3, "seconds": 5.0, "return": 75},
    }


def test_a_site_with_ipv6_only_has_nothing_to_drill_with() -> None:
    routed = [{"interface": "lan0", "mode": "routed"}]
    drills = run(shop=shop(extrude_addresses=["2001:db8:100:1::/64"], extrude_lan=routed))["drills"]["shop"]
    assert drills["site_end"]["source"] is None


def fleet(count: int) -> dict[str, Vars]:
    """Return sites with two links and two addresses each."""
    sites = {}
    for n in range(count):
        wans = [
            dsl(address=f"100.64.{n // 200}.{n % 200 + 2}/16"),
            cable(address=f"100.65.{n // 200}.{n % 200 + 2}/16"),
        ]
        addresses = [f"198.18.{n // 100}.{n % 100 * 2 + 10}", f"198.18.{n // 100}.{n % 100 * 2 + 11}"]
        sites[f"site{n}"] = office(extrude_site_id=n + 1, extrude_wans=wans, extrude_addresses=addresses)
    return sites


def seconds(count: int) -> float:
    rack = {
        "extrude_colo_address": "203.0.113.2",
        "extrude_colo_interface": "eth0",
        "extrude_prefixes": ["198.18.0.0/16"],
    }
    sites = fleet(count)
    start = time.process_time()
    run_all(sites, rack)
    return time.process_time() - start


def test_a_thousand_sites_take_seconds_and_cost_grows_with_their_number_only() -> None:
    """The limit is for a busy machine; on one that is not they take less than two."""
    small, large = seconds(250), seconds(1000)
    assert large <= 8
    assert large <= 4 * small * 2


def test_sites_with_links_whose_addresses_change_report_to_their_colo() -> None:
    wanderer = shop(extrude_wans=[dsl(address=..., gateway=...)])
    assert run(office=office(), shop=wanderer)["reporting"] == {"shop": "rack"}
    assert run(batch=["office"], office=office(), shop=wanderer)["reporting"] == {}


def test_what_has_no_tunnel_is_neither_proved_nor_drilled_nor_reported() -> None:
    links = [dsl(), cable(address=..., gateway=..., use="direct")]
    found = run(office=office(extrude_wans=links))
    assert "cable" not in str([found["checks"], found["drills"], found["colos"]])
    assert found["reporting"] == {}
