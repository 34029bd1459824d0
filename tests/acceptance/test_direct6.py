# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 that is kept off the extruded space, or leaves while no tunnel lives: by the link that the router's main table
names, as that link's address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from tests.acceptance import modules, sessions, traffic, watch
from tests.acceptance.conftest import brought
from tests.acceptance.test_ipv6 import COLO, DESK, INTERNET, ROUTER, both_families, give_the_desk_an_address
from tests.lab.lab import Lab

LINKS = {"dsl": "2001:db8:d0::2", "cable": "2001:db8:c0::2"}
LIST = [{"ports": 80}]
PINGS = "icmp6 and ip6[40] == 128"
NUMBERS = count(100)
"""Pings with one number are one connection."""
EXTRUDED = "ip6 and src net 2001:db8:113::/48"


def set_up(lab: Lab, link: str, action: str) -> None:
    """The provider of a link has IPv6 for its customer, who has an address and no default yet."""
    provider, network, between = f"isp-{link}", LINKS[link].removesuffix("2"), f"2001:db8:18:{link[0]}::"
    commands = {
        "core": [f"address {action} {between}1/64 dev {link}0", f"route {action} {network}/64 via {between}2"],
        provider: [
            f"address {action} {between}2/64 dev core0",
            f"address {action} {network}1/64 dev office0",
            f"route {action} default via {between}1",
        ],
        "office": [f"address {action} {LINKS[link]}/64 dev {link}0"],
    }
    for node, lines in commands.items():
        lab.exec(node, ["sh", "-c", "\n".join(f"ip -6 {line}" for line in lines)], check=action == "add")
    accept = ["FORWARD", "-i", "office0", "-s", f"{network}/64", "-j", "ACCEPT"]
    lab.exec(provider, ["ip6tables", "-I" if action == "add" else "-D", *accept])


@pytest.fixture(scope="module")
def six(deployed: Lab) -> Iterator[Lab]:
    """The lab with a list, and with IPv6 on both links."""
    for link in LINKS:
        set_up(deployed, link, "add")
    with (
        brought(deployed, {**both_families(), "extrude_direct": LIST}, **COLO),
        give_the_desk_an_address(deployed),
    ):
        yield deployed
    for link in LINKS:
        set_up(deployed, link, "del")


@contextmanager
def default(lab: Lab, link: str) -> Iterator[None]:
    """The router's main table leads by this link for the body, and nothing with an extruded source leaves by one."""
    route = ["default", "via", f"{LINKS[link].removesuffix('2')}1", "dev", f"{link}0"]
    with ExitStack() as stack:
        seen = [stack.enter_context(watch.capture(lab, f"isp-{name}", "office0", EXTRUDED)) for name in LINKS]
        lab.exec("office", ["ip", "-6", "route", "add", *route])
        stack.callback(lab.exec, "office", ["ip", "-6", "route", "del", *route])
        yield
    assert [one.lines for one in seen] == [[], []]


def seen(lab: Lab, *options: str) -> str:
    """The source that a web server sees, whose port is listed."""
    return traffic.fetch(lab, "desk", f"http://[{INTERNET}]/ip", *options)


def pinged(lab: Lab, node: str, source: str) -> str:
    """The source that a host on the internet sees of a ping, which is not listed; it has to be answered."""
    number = next(NUMBERS)
    with watch.capture(lab, "internet", "eth0", PINGS) as arrived:
        lab.exec(node, ["ping", "-c", "1", "-W", "2", "-e", str(number), "-I", source, INTERNET])
    return "".join(sources(arrived.lines, number))


@contextmanager
def pinging(lab: Lab, number: int) -> Iterator[None]:
    """The desk has one connection during the body, of pings with this number."""
    flag = f"/tmp/pinging-{number}"
    lab.exec("labvm", ["touch", flag])
    ping = f"ping -i 0.3 -e {number} -I {DESK} {INTERNET} >/dev/null"
    pings = lab.popen("desk", ["sh", "-c", f"{ping} & while [ -e {flag} ]; do sleep 0.2; done; kill $!"])
    lab.exec("office", ["sh", "-c", f"until grep -q ' id={number} ' /proc/net/nf_conntrack; do sleep 0.1; done"])
    try:
        yield
    finally:
        lab.exec("labvm", ["rm", flag])
        pings.communicate(timeout=30)


def sources(lines: Sequence[str], number: int) -> list[str]:
    """Where pings with that number come from, each once."""
    found = (re.search(rf"([0-9a-f:]+) > .* id {number},", line) for line in lines)
    return list(dict.fromkeys(one[1] for one in found if one))


def test_it_takes_the_tunnels_until_the_router_has_a_default_by_a_link(six: Lab) -> None:
    assert seen(six) == DESK


@pytest.mark.core
def test_what_is_listed_leaves_by_the_default_as_the_link_s_address_and_all_else_by_tunnels(six: Lab) -> None:
    with default(six, "dsl"):
        assert seen(six) == LINKS["dsl"]
        assert traffic.fetch(six, "office", f"http://[{INTERNET}]/ip", "--interface", ROUTER) == LINKS["dsl"]
        assert pinged(six, "desk", DESK) == DESK
        assert pinged(six, "office", ROUTER) == ROUTER
        assert traffic.reaches(six, "internet", DESK)
    with default(six, "cable"):
        assert seen(six) == LINKS["cable"]
    assert seen(six) == DESK


def test_without_a_tunnel_new_connections_leave_by_the_link_and_stay_there(six: Lab) -> None:
    core = watch.capture(six, "core", "internet0", PINGS)
    with default(six, "dsl"), core as arrived, pinging(six, 7), ExitStack() as kept:
        with sessions.tunnels_down(six):
            assert pinged(six, "desk", DESK) == LINKS["dsl"]
            assert seen(six) == LINKS["dsl"]
            kept.enter_context(pinging(six, 8))
        assert pinged(six, "desk", DESK) == DESK
    assert [sources(arrived.lines, number) for number in (7, 8)] == [[DESK], [LINKS["dsl"]]]


def test_blocked_only_what_is_listed_leaves_without_a_tunnel(six: Lab) -> None:
    blocked = {**both_families(), "extrude_direct": LIST, "extrude_when_down": "block"}
    modules.bring(six, blocked, **COLO)
    with default(six, "cable"), sessions.tunnels_down(six):
        told = six.exec("desk", ["ping", "-c", "1", "-W", "9", "-I", DESK, INTERNET], check=False)
        assert "Destination unreachable" in told.stdout
        assert seen(six) == LINKS["cable"]
