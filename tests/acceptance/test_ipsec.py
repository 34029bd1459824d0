# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted links, two sites behind one NAT and one link without: what providers see of them, and what ends them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance import playbook, traffic
from tests.acceptance.conftest import dynamic_lab
from tests.acceptance.test_links import extrude, wait_until
from tests.lab.lab import Lab
from tests.lab.topology import NAT

pytestmark = pytest.mark.dynamic

INVENTORY = playbook.CHECKOUT / "inventories" / "lab-nat"
ALL_AT_ONCE = ("-e", '{"extrude_batches": ["100%"]}')
SITES = {"office": ["dsl", "lte"], "kiosk": ["lte", "wifi"]}
HOSTS = ("colo", *SITES)
EXTRUDED = {"office": "203.0.113.10", "kiosk": "203.0.113.20"}
SECRETS = {"office": "not a secret, since this is the lab", "kiosk": "nor is this one, in the same lab"}
ENDS = {("office", "dsl"): "10.254.0.1", ("office", "lte"): "10.254.0.3", ("kiosk", "wifi"): "10.254.0.35"}
"""The sites' inside addresses."""
PROVIDERS = {"isp-dsl": "office0", "lte-router": "office0", "kiosk-router": "lte0", "upstream": "rack0"}
"""Where packets of tunnels come by, with the device by which they leave the site or the colo."""
KINDS = {"gre": ["-p", "gre"], "esp": ["-p", "esp"], "nat-t": ["-p", "udp", "--dport", "4500"]}
PAYLOAD = 1400 - 28
"""Bytes of a ping that is a packet of 1400 bytes."""
ON_THE_WIRE = {"dsl": 1464, "lte": 1472}
MINUTES = 60
"""Seconds in which a link is back; on a machine that isn't emulated it takes a few."""


@pytest.fixture(scope="module")
def bare(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab, in which providers count what passes before anything else happens."""
    for made in dynamic_lab(pytestconfig, "ipsec", NAT):
        for node, device in PROVIDERS.items():
            made.exec(node, ["iptables", "-t", "raw", "-F"])
            for match in KINDS.values():
                made.exec(node, ["iptables", "-t", "raw", "-A", "PREROUTING", "-i", device, *match])
        yield made


@pytest.fixture(scope="module")
def first(bare: Lab) -> playbook.Run:
    """Deploys, with all that Ansible can tell."""
    return playbook.run(bare, "--diff", "-vv", *ALL_AT_ONCE, inventory=INVENTORY)


@pytest.fixture
def lab(bare: Lab, first: playbook.Run) -> Lab:
    assert first.code == 0, first.output
    return bare


def counted(lab: Lab, node: str) -> dict[str, int]:
    """The packets of each kind that have come by at a provider."""
    listed = lab.exec(node, ["iptables", "-t", "raw", "-nvxL", "PREROUTING"]).stdout.splitlines()[2:]
    return dict(zip(KINDS, (int(line.split()[0]) for line in listed), strict=True))


def is_clear(lab: Lab) -> bool:
    """Whether anybody has seen a packet that was not encrypted, ever."""
    return any(counted(lab, node)["gre"] for node in PROVIDERS)


def reached(lab: Lab, site: str, wan: str) -> bool:
    return traffic.reaches(lab, "colo", ENDS[site, wan], 1)


def all_up(lab: Lab) -> bool:
    return all(reached(lab, *end) for end in ENDS)


def associations(lab: Lab, host: str) -> dict[str, str]:
    """The connections that are up on a host, each with its mode; none while its daemon does not answer."""
    text = lab.exec(host, ["swanctl", "--list-sas"], check=False).stdout
    return dict(re.findall(r"^  (\S+): #\d+, .*INSTALLED, (\S+),", text, re.MULTILINE))


@contextmanager
def pinged(lab: Lab, address: str, seconds: int) -> Iterator[list[int]]:
    """Ping an address from the colo all the while; then the list has the number of answers that are missing."""
    count = seconds * 5
    command = ["ping", "-q", "-i", "0.2", "-c", str(count), "-W", "2", address]
    process = lab.popen("colo", command)
    missing: list[int] = []
    yield missing
    said, _errors = process.communicate(timeout=seconds + 60)
    found = re.search(r"(\d+) received", said)
    assert found
    missing.append(count - int(found[1]))


def test_all_tunnels_carry_whole_packets_and_the_extruded_source(first: playbook.Run) -> None:
    assert first.code == 0, first.output
    sizes = {"dsl": 1430, "lte": 1422, "wifi": 1422}
    words = first.words()
    assert len(words) == 4
    for site, wans in SITES.items():
        for wan in wans:
            start = f"{wan} ok: {sizes[wan]} bytes whole both ways in "
            assert any(text.startswith(start) and text.endswith(f"sees {EXTRUDED[site]}") for text in words), words


def test_providers_see_nothing_but_what_is_encrypted(lab: Lab) -> None:
    seen = {node: counted(lab, node) for node in PROVIDERS}
    assert {node: kinds["gre"] for node, kinds in seen.items()} == dict.fromkeys(PROVIDERS, 0)
    assert seen["isp-dsl"]["esp"] > 0
    assert seen["lte-router"]["nat-t"] > 0
    assert seen["kiosk-router"]["nat-t"] > 0
    assert associations(lab, "office") == {"ex-dsl": "BEET", "ex-lte": "BEET-in-UDP"}
    assert len(associations(lab, "colo")) == 4


@pytest.mark.parametrize(("wan", "node", "kind"), [("dsl", "isp-dsl", "esp"), ("lte", "lte-router", "nat-t")])
def test_bytes_on_the_wire(lab: Lab, wan: str, node: str, kind: str) -> None:
    size = ["-m", "length", "--length", str(ON_THE_WIRE[wan])]
    rule = ["-t", "mangle", "-A", "PREROUTING", "-i", PROVIDERS[node], *KINDS[kind], *size]
    lab.exec(node, ["iptables", *rule])
    try:
        remote = ENDS["office", wan][:-1] + str(int(ENDS["office", wan][-1]) - 1)
        lab.exec("office", ["ping", "-q", "-c", "5", "-i", "0.2", "-s", str(PAYLOAD), remote])
        listed = lab.exec(node, ["iptables", "-t", "mangle", "-nvxL", "PREROUTING"]).stdout.splitlines()
        assert int(listed[-1].split()[0]) == 5
    finally:
        lab.exec(node, ["iptables", *[word if word != "-A" else "-D" for word in rule]])


def test_a_secret_stands_in_one_file_that_only_root_reads(lab: Lab, first: playbook.Run) -> None:
    for site, secret in SECRETS.items():
        assert secret not in first.output
        assert secret.encode().hex() not in first.output
        assert secret not in json.dumps([answer.result for answer in first.answers])
        for host in ("colo", site):
            texts = "\n".join((secret, secret.encode().hex()))
            search = f"grep -rlF -e '{secret}' -e {secret.encode().hex()} /etc /run /tmp /var /root 2>/dev/null"
            found = lab.exec(host, ["sh", "-c", search], check=False).stdout.split()
            path = f"/etc/swanctl/conf.d/extrude-{'acme.1' if site == 'office' else 'globex.2'}.secrets.conf"
            assert found == [path], texts
            assert lab.exec(host, ["stat", "-c", "%a %U", path]).stdout.strip() == "600 root"


def test_a_second_run_finds_nothing_to_do(lab: Lab) -> None:
    before = associations(lab, "colo")
    again = playbook.run(lab, *ALL_AT_ONCE, inventory=INVENTORY)
    assert (again.code, again.changed) == (0, 0), again.output
    assert associations(lab, "colo") == before


def test_the_colos_daemon_is_killed_and_nothing_is_lost(lab: Lab) -> None:
    """What it has left in the kernel goes on until the site makes new keys."""
    with pinged(lab, EXTRUDED["office"], 20) as missing:
        lab.exec("colo", ["systemctl", "kill", "-s", "KILL", "strongswan.service"])
    assert missing == [0]
    assert not is_clear(lab)


@pytest.mark.parametrize("host", SITES)
def test_a_sites_daemon_that_is_killed_makes_new_connections(lab: Lab, host: str) -> None:
    lab.exec(host, ["systemctl", "kill", "-s", "KILL", "strongswan.service"])
    wait_until(lambda: len(associations(lab, host)) == 2, "connections are made anew", 120)
    wait_until(lambda: all_up(lab), "all tunnels carry packets")
    assert not is_clear(lab)


@pytest.mark.parametrize("host", ["colo", "office"])
def test_without_the_daemon_nothing_leaves(lab: Lab, host: str) -> None:
    lab.exec(host, ["systemctl", "stop", "strongswan.service"])
    try:
        wait_until(lambda: not any(reached(lab, "office", wan) for wan in SITES["office"]), "its tunnels are down")
        lab.exec("office", ["ping", "-q", "-c", "3", "-W", "1", "10.254.0.0"], check=False)
        lab.exec("office", ["ping", "-q", "-c", "3", "-W", "1", "10.252.0.0"], check=False)
    finally:
        lab.exec(host, ["systemctl", "start", "strongswan.service"])
    wait_until(lambda: all_up(lab), "all tunnels carry packets", 200)
    assert not is_clear(lab)


@pytest.mark.parametrize("host", ["office", "colo"])
def test_after_a_power_cut_all_comes_back_and_nothing_was_in_the_clear(lab: Lab, host: str) -> None:
    lab.reboot(host, hard=True)
    wait_until(lambda: all_up(lab), "all tunnels carry packets", 200)
    assert not is_clear(lab)


def test_a_nat_that_forgets_costs_one_link_a_moment(lab: Lab) -> None:
    lab.rebind("cgnat")
    wait_until(lambda: all_up(lab), "all tunnels carry packets")
    assert not is_clear(lab)


def test_a_link_that_is_cut_comes_back_encrypted(lab: Lab) -> None:
    lab.cut("dsl", black_hole=True)
    try:
        wait_until(lambda: "ex-dsl" not in associations(lab, "office"), "the peer counts as dead", 120)
        assert reached(lab, "office", "lte")
    finally:
        lab.heal("dsl")
    wait_until(lambda: all_up(lab), "all tunnels carry packets", MINUTES)
    assert not is_clear(lab)


def test_another_secret_costs_no_packet_and_is_used_for_the_next_connection(lab: Lab) -> None:
    other = "a secret that came with a rotation"
    with pinged(lab, EXTRUDED["office"], 60) as missing:
        rotated = playbook.run(
            lab, "--limit", "office", "-e", json.dumps({"extrude_ipsec_psk": other}), inventory=INVENTORY
        )
    assert rotated.code == 0, rotated.output
    assert other not in rotated.output
    assert missing == [0]
    lab.exec("office", ["swanctl", "--terminate", "--ike", "ex-dsl", "--force"])
    lab.exec("office", ["swanctl", "--initiate", "--child", "ex-dsl", "--timeout", "20"])
    wait_until(lambda: all_up(lab), "all tunnels carry packets")


def test_a_wrong_secret_is_told_and_the_next_run_puts_it_right(lab: Lab) -> None:
    path = "/etc/swanctl/conf.d/extrude-acme.1.secrets.conf"
    lab.exec("office", ["sed", "-i", "s/secret = 0x../secret = 0x00/", path])
    lab.exec("office", ["swanctl", "--load-creds"])
    lab.exec("office", ["swanctl", "--terminate", "--ike", "ex-dsl", "--force"])
    wait_until(lambda: not reached(lab, "office", "dsl"), "the tunnel is down")
    assert reached(lab, "office", "lte")
    assert reached(lab, "kiosk", "wifi")
    told = "ex-dsl  down  not encrypted: received AUTHENTICATION_FAILED notify error"
    wait_until(lambda: told in extrude(lab, "office", "status"), "the status says why")
    mended = playbook.run(lab, *ALL_AT_ONCE, inventory=INVENTORY)
    assert mended.code == 0, mended.output
    assert all_up(lab)
