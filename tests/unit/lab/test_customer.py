# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import configparser
import subprocess

import pytest

from tests.lab import customer, topology
from tests.lab.topology import Link

LINKS = topology.load(topology.DYNAMIC).dynamic_links
UNITS = "etc/systemd/system/multi-user.target.d"


def links_of(node: str) -> list[Link]:
    return [link for link in LINKS if link.customer.node == node]


def files_of(node: str) -> dict[str, str]:
    return customer.customer_files(links_of(node))


def ini(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_a_host_without_such_links_has_no_such_files() -> None:
    assert customer.customer_files([]) == {}


def test_ifupdown_dials_as_pppoeconf_writes_it_and_asks_with_dhclient() -> None:
    files = files_of("office")
    stanzas = files["etc/network/interfaces"].split("\n\n")
    assert stanzas[1].splitlines() == [
        "auto dsl",
        "iface dsl inet ppp",
        "    pre-up /bin/ip link set dsl0 up",
        "    provider dsl",
    ]
    assert stanzas[2].splitlines() == ["auto cable0", "iface cable0 inet dhcp", "    metric 200"]
    assert f"{UNITS}/networking.service.conf" in files
    assert not any("NetworkManager" in name or name.endswith(".network") for name in files)


def test_networkd_asks_and_a_unit_dials() -> None:
    files = files_of("branch")
    assert ini(files["etc/systemd/network/20-cable0.network"])["DHCPv4"]["RouteMetric"] == "200"
    assert ini(files[f"{UNITS}/ppp@dsl-branch.service.conf"])["Unit"]["Wants"] == "ppp@dsl-branch.service"
    assert "pppd call %i nodetach" in files["etc/systemd/system/ppp@.service"]
    assert "etc/network/interfaces" not in files


def test_network_manager_does_both_and_leaves_other_devices_alone() -> None:
    files = files_of("depot")
    folder = "etc/NetworkManager/system-connections"
    dialled = ini(files[f"{folder}/dsl-depot.nmconnection"])
    assert (dialled["connection"]["type"], dialled["connection"]["interface-name"]) == ("pppoe", "dsl0")
    assert "parent" not in dialled["pppoe"]
    assert dialled["pppoe"]["password"] == "secret of dsl-depot"
    assert ini(files[f"{folder}/cable-depot.nmconnection"])["ipv4"]["route-metric"] == "200"
    unmanaged = ini(files["etc/NetworkManager/conf.d/lab.conf"])["keyfile"]["unmanaged-devices"].split(";")
    assert unmanaged[0] == "*"
    assert {"except:interface-name:dsl0", "except:interface-name:cable0"} < set(unmanaged)
    assert not any(name.startswith("etc/ppp") for name in files)


@pytest.mark.parametrize("node", ["office", "branch"])
def test_pppd_knows_its_line_its_secret_and_never_gives_up(node: str) -> None:
    files = files_of(node)
    (link,) = (link for link in links_of(node) if link.kind == topology.PPPOE)
    options = files[f"etc/ppp/peers/{link.name}"].splitlines()
    assert {"plugin pppoe.so", "nic-dsl0", "persist", "maxfail 0", f"ipparam {link.name}"} <= set(options)
    assert f'user "{node}@isp-dsl"' in options
    assert (
        files["etc/ppp/chap-secrets"]
        == files["etc/ppp/pap-secrets"]
        == f'"{node}@isp-dsl" * "secret of {link.name}" *\n'
    )


def test_the_script_for_the_default_route_goes_by_the_session() -> None:
    script = files_of("office")["etc/ppp/ip-up.d/default-route"]
    run = ["sh", "-c", f'ip() {{ echo ip "$@"; }}\n{script}']
    for parameter, said in (("dsl", "ip route replace default dev ppp3 metric 100\n"), ("other", "")):
        environment = {"PPP_IPPARAM": parameter, "PPP_IFACE": "ppp3"}
        assert subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout == said


@pytest.mark.parametrize(
    ("link", "down", "up"),
    [
        ("dsl", "ifdown dsl", "ifup dsl"),
        ("cable", "ifdown cable0", "ifup cable0"),
        ("dsl-branch", "systemctl stop ppp@dsl-branch", "systemctl start ppp@dsl-branch"),
        ("cable-branch", "networkctl down cable0", "networkctl up cable0"),
        ("dsl-depot", "nmcli connection down dsl-depot", "nmcli connection up dsl-depot"),
    ],
)
def test_redialling_is_what_the_administrator_would_type(link: str, down: str, up: str) -> None:
    (found,) = (each for each in LINKS if each.name == link)
    commands = customer.redial(found)
    assert (" ".join(commands.down), " ".join(commands.up)) == (down, up)
