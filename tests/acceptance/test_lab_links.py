# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself, where links come and go: what the tests of such links rely on."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import dynamic_lab
from tests.lab.lab import Lab

pytestmark = [pytest.mark.dynamic, pytest.mark.long]

OUTSIDE = "198.18.0.10"
LINKS = {  # link -> its customer
    "dsl": "office",
    "cable": "office",
    "dsl-branch": "branch",
    "cable-branch": "branch",
    "dsl-depot": "depot",
    "cable-depot": "depot",
}
PPPOE = [name for name in LINKS if name.startswith("dsl")]


@pytest.fixture(scope="module")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    yield from dynamic_lab(pytestconfig, "links")


def device_with(lab: Lab, node: str, address: str) -> str | None:
    """The device of a node that has an address."""
    for line in lab.exec(node, ["ip", "-br", "-4", "addr"]).stdout.splitlines():
        device, _state, *words = line.split()
        if address in (word.partition("/")[0] for word in words):
            return device.partition("@")[0]
    return None


def source_seen(lab: Lab, node: str, device: str) -> str:
    """The address that the internet sees when a node sends by a device."""
    fetch = ["curl", "-sS", "--max-time", "5", "--retry", "3", "--interface", device, f"http://{OUTSIDE}/ip"]
    return lab.exec(node, fetch).stdout.strip()


def works(lab: Lab, link: str) -> None:
    """A link's customer has what its provider gives, and reaches the internet from there."""
    node, address = LINKS[link], lab.given()[link]
    device = device_with(lab, node, address)
    assert device is not None, f"{node} hasn't {address} on {link}"
    assert source_seen(lab, node, device) == address


def until(lab: Lab, node: str, address: str, *, there: bool, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while (device_with(lab, node, address) is not None) != there:
        assert time.monotonic() < end, f"{address} is {'not ' if there else ''}on {node} after {seconds} s"
        time.sleep(0.5)


@pytest.mark.parametrize("link", LINKS)
def test_a_link_is_up_by_the_customers_own_means(lab: Lab, link: str) -> None:
    works(lab, link)


def test_each_site_uses_the_client_that_it_should(lab: Lab) -> None:
    programs = {"office": {"pppd", "dhclient"}, "branch": {"pppd"}, "depot": {"pppd", "NetworkManager"}}
    for node, wanted in programs.items():
        running = set(lab.exec(node, ["ps", "-C", "pppd,dhclient,NetworkManager", "-o", "comm="]).stdout.split())
        assert running == wanted, node
    assert "kernel mode" not in lab.exec("office", ["ps", "-C", "pppoe", "-o", "comm="], check=False).stdout


@pytest.mark.parametrize("link", LINKS)
def test_a_provider_gives_another_address_and_drops_packets_from_the_old_one(lab: Lab, link: str) -> None:
    node, old = LINKS[link], lab.given()[link]
    new = lab.readdress(link)
    assert new != old
    assert device_with(lab, node, old) is None
    works(lab, link)
    device = device_with(lab, node, new)
    lab.exec(node, ["ip", "addr", "add", f"{old}/32", "dev", "lo"])
    ping = ["ping", "-c", "2", "-i", "0.3", "-W", "1", "-I"]
    try:
        route = ["ip", "route", "add", OUTSIDE, "dev", str(device)]
        gateway = lab.topology.link(link).provider.addresses[0].partition("/")[0]
        lab.exec(node, [*route[:4], "via", gateway, *route[4:]])
        assert lab.exec(node, [*ping, new, OUTSIDE], check=False).returncode == 0
        assert lab.exec(node, [*ping, old, OUTSIDE], check=False).returncode == 1
    finally:
        lab.exec(node, ["ip", "route", "del", OUTSIDE], check=False)
        lab.exec(node, ["ip", "addr", "del", f"{old}/32", "dev", "lo"])


def test_an_address_can_be_chosen(lab: Lab) -> None:
    assert lab.readdress("dsl", "192.0.2.77") == "192.0.2.77"
    assert device_with(lab, "office", "192.0.2.77") == "ppp0"


@pytest.mark.parametrize(("link", "other"), [("dsl", "dsl-branch"), ("cable", "cable-branch")])
def test_two_customers_swap_addresses(lab: Lab, link: str, other: str) -> None:
    before = lab.given()
    lab.swap(link, other)
    after = lab.given()
    assert (after[link], after[other]) == (before[other], before[link])
    works(lab, link)
    works(lab, other)


@pytest.mark.parametrize(("link", "program"), [("dsl", "chap"), ("dsl-branch", "pap")])
def test_a_wrong_password_gets_no_session(lab: Lab, link: str, program: str) -> None:
    node, secrets = LINKS[link], f"/etc/ppp/{program}-secrets"
    address = lab.given()[link]
    lab.exec(node, ["sed", "-i.right", "s/secret of/guess at/", secrets])
    try:
        lab.redial(link, wait=False)
        refused = (
            f"until journalctl -t pppd --since -30s | grep -qi '{program} authentication failed'; do sleep 0.5; done"
        )
        lab.exec(node, ["sh", "-c", refused], timeout=60)
        assert device_with(lab, node, address) is None
    finally:
        lab.exec(node, ["mv", f"{secrets}.right", secrets])
        lab.redial(link)
    works(lab, link)


def test_a_session_comes_back_as_another_device(lab: Lab) -> None:
    lab.redial("dsl", device="ppp1")
    assert device_with(lab, "office", lab.given()["dsl"]) == "ppp1"
    works(lab, "dsl")
    lab.redial("dsl", device="ppp0")
    assert device_with(lab, "office", lab.given()["dsl"]) == "ppp0"


@pytest.mark.parametrize("link", PPPOE)
def test_a_dead_line_ends_a_session_and_a_mended_one_brings_it_back(lab: Lab, link: str) -> None:
    node, address = LINKS[link], lab.given()[link]
    lab.cut(link, black_hole=True)
    until(lab, node, address, there=False)
    lab.heal(link)
    until(lab, node, address, there=True, seconds=60)
    works(lab, link)


@pytest.mark.parametrize(("node", "hard"), [("office", False), ("branch", True), ("depot", True)])
def test_a_reboot_brings_links_back(lab: Lab, node: str, hard: bool) -> None:
    lab.reboot(node, hard=hard)
    for link in (link for link in LINKS if LINKS[link] == node):
        works(lab, link)


@pytest.mark.parametrize("late", ["dsl", "cable"])
def test_a_line_that_is_dead_at_boot_comes_up_later(lab: Lab, late: str) -> None:
    lab.cut(late)
    lab.reboot("office", hard=True)
    address = lab.given()[late]
    assert device_with(lab, "office", address) is None
    works(lab, "cable" if late == "dsl" else "dsl")
    lab.heal(late)
    until(lab, "office", address, there=True, seconds=60)
    works(lab, late)
