# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 addresses beside the IPv4 ones, through the same tunnels."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, playbook, sessions, traffic, watch
from tests.acceptance.inventory import Variables
from tests.acceptance.traffic import DESK_ADDRESS
from tests.lab.lab import Lab

VERIFY = playbook.CHECKOUT / "tests" / "acceptance" / "playbooks" / "verify.yml"
COLO: Variables = {"extrude_prefixes": ["203.0.113.0/24", "2001:db8:113::/64"]}
ROUTER, DESK, INTERNET = "2001:db8:113::10", "2001:db8:113::11", "2001:db8:18::10"
NOBODY = "2001:db8:113::99"
"""In the space of the rack, and extruded to no site."""
FORGED = f"""
ip address add {NOBODY}/128 dev lo nodad
ip route add {INTERNET} via {{gateway}} dev {{tunnel}} table 99
for source in {NOBODY} {ROUTER}; do
    ip -6 rule add priority 99 from $source lookup 99
    ping -c 1 -W 1 -I $source {INTERNET}
    ip -6 rule del priority 99
done
ip -6 route flush table 99
ip address del {NOBODY}/128 dev lo
"""
"""Pings by one tunnel, with somebody else's source and with one of the site."""


@pytest.fixture
def both(mended: Lab) -> Iterator[tuple[Lab, dict[str, list[Variables]]]]:
    """The lab with an IPv6 address for the router and one for the LAN host, and what its hosts should hold."""
    states = inventory.states({"office": both_families()}, **COLO)
    assert not any(result.failed for result in modules.apply_all(mended, states).values())
    with give_the_desk_an_address(mended):
        yield mended, states


@contextmanager
def give_the_desk_an_address(lab: Lab) -> Iterator[None]:
    """The LAN host owns an IPv6 address, and uses it, for the body."""
    lab.exec("desk", ["ip", "address", "add", f"{DESK}/128", "dev", "eth0", "nodad"])
    lab.exec("desk", ["ip", "-6", "route", "add", "default", "via", _link_local(lab, "lan0"), "dev", "eth0"])
    yield
    lab.exec("desk", ["ip", "-6", "route", "del", "default"])
    lab.exec("desk", ["ip", "address", "del", f"{DESK}/128", "dev", "eth0"])


@pytest.mark.core
def test_ipv6_addresses_are_extruded_too(both: tuple[Lab, dict[str, list[Variables]]]) -> None:
    lab, states = both
    for address in (ROUTER, DESK):
        assert traffic.reaches(lab, "internet", address)
        assert traffic.neighbour(lab, "upstream", address) == traffic.mac(lab, "colo", "eth0")
    assert traffic.fetch(lab, "internet", f"http://[{DESK}]/name") == "desk"
    assert traffic.fetch(lab, "desk", f"http://[{INTERNET}]/ip") == DESK
    assert traffic.fetch(lab, "office", f"http://[{INTERNET}]/ip") == ROUTER
    assert traffic.reaches(lab, "internet", DESK_ADDRESS)
    assert modules.drift(lab, states) == []
    for tunnel, gateway in (("ex-dsl", "fd65:7874:7275::"), ("ex-cable", "fd65:7874:7275:1::")):
        with watch.capture(lab, "upstream", "rack0", "icmp6 and ip6[40] == 128") as seen:
            lab.exec("office", ["sh", "-c", FORGED.format(gateway=gateway, tunnel=tunnel)], check=False)
        assert [ROUTER in line for line in seen.lines] == [True]
    with sessions.tunnels_down(lab):
        # no link can carry it, and nobody has to wait to learn that
        told = lab.exec("desk", ["ping", "-c", "1", "-W", "9", "-I", DESK, INTERNET], check=False)
        assert "Destination unreachable" in told.stdout


@pytest.mark.long
def test_the_verification_proves_an_address_of_every_entry_of_both_families(
    both: tuple[Lab, dict[str, list[Variables]]], tmp_path: Path
) -> None:
    lab, _states = both
    sites = {"office": both_families()}
    where = inventory.write(tmp_path / "both", sites, **COLO)
    run = playbook.run(lab, playbook=VERIFY, inventory=where)
    assert run.code == 0, run.output
    (probed,) = (answer.result["tunnels"] for answer in run.answers if "tunnels" in answer.result)
    for tunnel in probed:
        assert tunnel["sources"] == ["203.0.113.10", DESK_ADDRESS, ROUTER, DESK]
        assert tunnel["silent"] == []
        assert tunnel["source_received"] >= 15
    # an address that the colo does not know is named
    sites["office"]["extrude_addresses"].append("2001:db8:113::12")
    sites["office"]["extrude_lan"][1]["addresses"].append("2001:db8:113::12")
    failed = playbook.run(lab, playbook=VERIFY, inventory=inventory.write(tmp_path / "more", sites, **COLO))
    assert failed.code != 0
    assert "dsl FAILED: no answer to packets from 2001:db8:113::12" in failed.failures()[0]


@pytest.fixture
def advertised(mended: Lab) -> Iterator[Lab]:
    """The colo, no router of IPv6 yet, with a default route that the kernel has learnt, and one that networkd has."""
    # a metric of its own, since the kernel adds no learnt route where routes of programs are one multipath
    unit = "[Match]\\nName=ra-daemon\\n[Network]\\nIPv6AcceptRA=yes\\n[IPv6AcceptRA]\\nRouteMetric=512\\n"
    _shell(
        mended,
        f"mkdir -p /run/systemd/network; printf '{unit}' > /run/systemd/network/10-ra.network; networkctl reload",
        "sysctl -qw net.ipv6.conf.all.forwarding=0",
        "ip netns add ra",
        *(
            f"ip link add {device} type veth peer name {device} netns ra; ip link set {device} up"
            f"; ip -n ra link set {device} up"
            for device in DEVICES
        ),
    )
    for device in DEVICES:
        _wait_for_default(mended, device)
    yield mended
    _shell(
        mended,
        *(f"ip link del {device}" for device in DEVICES),
        "ip netns del ra; rm /run/systemd/network/10-ra.network; networkctl reload",
    )


@pytest.mark.long
@pytest.mark.core
def test_default_routes_from_advertisements_outlive_forwarding(advertised: Lab) -> None:
    lab, (kernel, daemon) = advertised, DEVICES
    assert [_accepts(lab, device) for device in DEVICES] == ["1", "0"]
    states = inventory.states({"office": both_families()}, **COLO)
    planned = modules.plan(lab, "colo", states["colo"])
    applied = modules.apply(lab, "colo", states["colo"])
    setting = f"change sysctl net/ipv6/conf/{kernel}/accept_ra = 1 (value: 1 -> 2)"
    assert setting in planned.texts
    assert planned.texts == applied.texts
    assert not any(daemon in text for text in applied.texts)
    assert all(_default(lab, device) for device in DEVICES)
    assert [_accepts(lab, device) for device in DEVICES] == ["2", "0"]
    assert modules.drift(lab, {"colo": states["colo"]}) == []

    # at boot the first advertisement comes later than extrude.service
    _shell(lab, f"ip -6 route flush dev {kernel} proto ra", f"ip -6 address flush dev {kernel} scope global")
    _shell(lab, "sysctl -qw net.ipv6.conf.all.forwarding=0", f"echo 1 > /proc/sys/net/ipv6/conf/{kernel}/accept_ra")
    _shell(lab, "extrude apply")
    for device in DEVICES:
        _wait_for_default(lab, device)


DEVICES = ("ra-kernel", "ra-daemon")
ADVERTISE = (playbook.CHECKOUT / "tests" / "advertise.py").read_text(encoding="utf-8")


def _shell(lab: Lab, *lines: str) -> str:
    return lab.exec("colo", ["sh", "-ec", "\n".join(lines)]).stdout


def _accepts(lab: Lab, device: str) -> str:
    return _shell(lab, f"cat /proc/sys/net/ipv6/conf/{device}/accept_ra").strip()


def _default(lab: Lab, device: str) -> str:
    return _shell(lab, f"ip -6 route show default dev {device}")


def _wait_for_default(lab: Lab, device: str) -> None:
    """Advertise until the colo has the route: who listens may still be about to."""
    for _attempt in range(20):
        lab.exec("colo", ["ip", "netns", "exec", "ra", "python3", "-c", ADVERTISE, device, "2001:db8:5::"], check=False)
        if _default(lab, device):
            return
        time.sleep(0.5)
    pytest.fail(f"no default route by {device}")


def both_families() -> Variables:
    """The office with an IPv6 address for the router and one for the LAN host."""
    office = inventory.lab_host("office")
    office["extrude_addresses"] += [ROUTER, DESK]
    office["extrude_lan"][1]["addresses"].append(DESK)
    return office


def _link_local(lab: Lab, device: str) -> str:
    shown = lab.exec("office", ["ip", "-j", "-6", "address", "show", "dev", device, "scope", "link"]).stdout
    return str(json.loads(shown)[0]["addr_info"][0]["local"])
