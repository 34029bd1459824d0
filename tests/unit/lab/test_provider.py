# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests.lab import provider, topology
from tests.lab.topology import Link

MAC = "02:00:00:00:00:01"


@pytest.fixture(scope="module")
def links() -> dict[str, Link]:
    return {link.name: link for link in topology.load(topology.DYNAMIC).dynamic_links}


def test_a_provider_gives_first_what_the_file_says(links: dict[str, Link]) -> None:
    assert provider.provider_files(links["dsl"], MAC)["state/address.dsl"] == "192.0.2.10\n"
    assert provider.provider_files(links["cable"], MAC)["state/address.cable"] == "198.51.100.10\n"


def test_what_the_guests_script_reads_is_one_line(links: dict[str, Link]) -> None:
    files = provider.provider_files(links["dsl"], MAC)
    assert files["net/dsl.provider"] == "pppoe isp-dsl office0 office 192.0.2.1\n"


def test_a_session_needs_the_links_login_and_takes_its_address_from_the_secrets(links: dict[str, Link]) -> None:
    options = provider.pppoe_server(links["dsl"]).splitlines()
    assert {"auth", "require-chap", "name isp-dsl", "mtu 1492"} <= set(options)
    assert "require-pap" in provider.pppoe_server(links["dsl-branch"])
    secret = provider.provider_files(links["dsl"], MAC)["net/dsl.secret"]
    assert secret == '"office@isp-dsl" * "secret of dsl" @ADDRESS@\n'
    assert provider.secret(links["dsl"], "*") == secret.replace("@ADDRESS@", "*")


def test_a_lease_is_for_one_customer_and_renewed_early(links: dict[str, Link]) -> None:
    text = provider.dhcp_server(links["cable"], MAC)
    assert f"dhcp-host={MAC},@ADDRESS@\n" in text
    assert "dhcp-range=198.51.100.0,static,255.255.255.0,120\n" in text
    assert "dhcp-option=option:router,198.51.100.1\n" in text
    assert 2 < provider.RENEW_SECONDS < provider.REBIND_SECONDS < provider.LEASE_SECONDS


def test_sessions_validate_sources_and_ethernet_customers_reach_each_other(links: dict[str, Link]) -> None:
    assert provider.provider_sysctls([links["dsl"]]) == {"net/ipv4/conf/default/rp_filter": 1}
    assert provider.provider_sysctls([links["cable"]]) == {"net/ipv4/conf/office0/proxy_arp": 1}


def test_addresses_of_nobody_are_unreachable(links: dict[str, Link]) -> None:
    assert provider.provider_batch(links["dsl"]) == ["route replace unreachable 192.0.2.0/24 metric 9999"]
    assert provider.provider_batch(links["cable"])[1] == "addr add 198.51.100.1/24 dev office0 noprefixroute"


@pytest.mark.parametrize(
    ("own", "given", "following"),
    [
        ("192.0.2.10", [], "192.0.2.11"),
        ("192.0.2.10", ["192.0.2.11", "192.0.2.12"], "192.0.2.13"),
        ("192.0.2.254", ["192.0.2.2"], "192.0.2.3"),
    ],
)
def test_the_next_address_is_nobody_elses(links: dict[str, Link], own: str, given: list[str], following: str) -> None:
    assert provider.next_address(links["dsl"], own, [own, *given]) == following


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("192.0.2.99", None),
        ("192.0.2.1", "not for customers"),
        ("192.0.2.255", "not for customers"),
        ("198.51.100.9", "not for customers of isp-dsl, whose network is 192.0.2.0/24"),
        ("nine", "'nine' is not an IPv4 address"),
    ],
)
def test_addresses_that_cannot_be_given_are_told(links: dict[str, Link], address: str, fault: str | None) -> None:
    told = provider.address_fault(links["dsl"], address)
    assert told is None if fault is None else fault in str(told)
