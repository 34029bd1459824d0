# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _gateway, _host
from ansible_collections.multihome.extrude.plugins.module_utils._conflict import Conflict
from ansible_collections.multihome.extrude.plugins.module_utils._model import State
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.unit.netns import Netns, ip, scratch, wait_for_links

THERE, NOBODY = "192.0.2.1", "192.0.2.99"
VARIABLE = "office: extrude_wans[0].gateway"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Netns]:
    """A provider's end of wan0, whose near end is in the namespace that the test runs in."""
    monkeypatch.setattr(_gateway, "PAUSES", (0.1, 0.1))
    with scratch() as near, scratch() as far:
        with near.entered():
            ip(
                f"link add wan0 type veth peer far0 netns {far.path}",
                "link set wan0 up",
                "address add 192.0.2.2/24 dev wan0",
            )
        with far.entered():
            ip("link set far0 up", f"address add {THERE}/24 dev far0")
            wait_for_links("far0")
        with near.entered():
            wait_for_links("wan0")
            yield far


def state(gateway: str) -> State:
    expected = {"device": "wan0", "address": "192.0.2.2", "gateway": gateway, "variable": VARIABLE}
    default = {"destination": "0.0.0.0/0", "table": 4221, "nexthops": [{"device": "wan0", "gateway": gateway}]}
    return State.parse({"customer": "acme", "site": "office", "routes": [default], "expects": [expected]})


def refusals(gateway: str) -> tuple[str, ...]:
    try:
        _host.survey(Request((state(gateway),)))
    except Conflict as conflict:
        return conflict.problems
    return ()


@pytest.mark.usefixtures("provider")
def test_a_gateway_that_answers_is_taken_and_one_that_does_not_is_named() -> None:
    assert refusals(THERE) == ()
    (problem,) = refusals(NOBODY)
    assert problem == (
        f"{VARIABLE}: nobody answers ARP for {NOBODY} on wan0: correct it, or, where that router is off or"
        " never answers, give this site extrude_take_over: true for a run"
    )


def test_a_gateway_that_answers_only_to_its_own_network_is_found(
    provider: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_gateway, "PAUSES", (1, 1))  # such answers take up to 0.8 s (arp(7), proxy_delay)
    with provider.entered():  # as those do that answer ARP on behalf of others
        ip(f"address del {THERE}/24 dev far0", "address add 192.0.2.3/24 dev far0", "link add up0 type veth peer up1")
        ip("link set up0 up", "link set up1 up")
        ip(f"route add {THERE}/32 dev up0", f"neighbour add proxy {THERE} dev far0")
        for name in ("forwarding", "proxy_arp"):
            Path(f"/proc/sys/net/ipv4/conf/far0/{name}").write_text("1", encoding="ascii")
    assert refusals(THERE) == ()


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    "command",
    [
        f"route add default via {NOBODY} dev wan0 table 4221 proto 120",
        f"route add default via {NOBODY} dev wan0 metric 5",
        f"route add default via {THERE} dev wan0 metric 4\nroute add default via {NOBODY} dev wan0 metric 5",
        "link set wan0 arp off",
        "link set wan0 down",
    ],
    ids=["in use", "main knows it", "main knows two", "no ARP", "down"],
)
def test_nobody_is_asked_where_it_is_known_or_cannot_be_told(command: str) -> None:
    ip(*command.splitlines())
    assert refusals(NOBODY) == ()


def test_a_gateway_may_have_the_hardware_address_of_a_device_here(provider: Netns) -> None:
    shared = "00:00:5e:00:01:01"  # as where both ends have a virtual router (VRRP) of that number
    ip(f"link add v0 address {shared} type veth peer name v1")
    with provider.entered():
        ip(f"link set far0 address {shared}")
    assert refusals(THERE) == ()


def test_without_a_carrier_nobody_is_asked(provider: Netns) -> None:
    with provider.entered():
        ip("link set far0 down")
    assert refusals(NOBODY) == ()
