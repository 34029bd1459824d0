# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _duplicate
from tests.unit.netns import ip, output

Run = Callable[..., dict[str, Any]]
PROXIES = [{"device": "a0", "address": "203.0.113.10"}, {"device": "a0", "address": "2001:db8::10"}]


def test_entries_come_with_what_they_need_to_answer(run: Run) -> None:
    result = run("proxy_arp", customer="acme", proxies=PROXIES)
    assert {operation["kind"] for operation in result["operations"]} == {"sysctls", "proxies"}
    assert "203.0.113.10 dev a0 proxy" in output("ip", "neigh", "show", "proxy")
    assert "2001:db8::10 dev a0 proxy" in output("ip", "-6", "neigh", "show", "proxy")
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding", "ipv6/conf/a0/proxy_ndp"):
        assert Path("/proc/sys/net", name).read_text() == "1\n"
    for name in ("ipv4/neigh/a0/proxy_delay", "ipv6/neigh/a0/proxy_delay"):
        assert Path("/proc/sys/net", name).read_text() == "0\n"
    assert run("proxy_arp", customer="acme", proxies=PROXIES)["changed"] is False


def test_purge_takes_entries_and_leaves_settings(run: Run) -> None:
    run("proxy_arp", customer="acme", proxies=PROXIES)
    gone = run("proxy_arp", customer="acme", proxies=[], purge=True)
    assert {operation["kind"] for operation in gone["operations"]} == {"proxies"}
    assert "203.0.113.10" not in output("ip", "neigh", "show", "proxy")


def test_an_entry_that_was_there_before_is_not_purged(run: Run) -> None:
    ip("neigh add proxy 203.0.113.10 dev a0")
    run("proxy_arp", customer="acme", proxies=PROXIES)
    run("proxy_arp", customer="acme", proxies=[], purge=True)
    assert "203.0.113.10 dev a0 proxy" in output("ip", "neigh", "show", "proxy")


def test_an_address_of_another_customer_is_an_error_that_names_it(run: Run) -> None:
    run("proxy_arp", customer="other", site="x", proxies=PROXIES[:1])
    result = run("proxy_arp", customer="acme", proxies=PROXIES[:1])
    assert result["msg"] == ("proxy 203.0.113.10 on a0 of customer acme, site local is held by customer other, site x")


def test_prefixes_are_refused(run: Run) -> None:
    result = run("proxy_arp", customer="acme", proxies=[{"device": "a0", "address": "203.0.113.0/24"}])
    assert result["msg"].startswith("proxies[0].address: '203.0.113.0/24' is no address")


def test_an_address_of_a_neighbour_is_taken_only_when_told_to(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_duplicate, "holders", lambda pairs: dict.fromkeys(pairs, "52:54:00:12:34:56"))
    for check in (True, False):
        result = run("proxy_arp", customer="acme", proxies=PROXIES[:1], check=check)
        assert result["msg"] == (
            "proxy 203.0.113.10 on a0: 52:54:00:12:34:56 answers for that address; take it from there first"
        )
    assert run("proxy_arp", customer="acme", proxies=PROXIES[:1], take_over=True)["changed"] is True
    assert run("proxy_arp", customer="acme", proxies=PROXIES[:1])["changed"] is False
