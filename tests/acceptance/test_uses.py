# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links that are for one thing only, and destinations that are known by their names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import inventory, modules, names, playbook, sessions, traffic, watch
from tests.acceptance.conftest import brought, put_back
from tests.acceptance.inventory import Variables, lab_host
from tests.acceptance.test_when_down import LINKS, SENDER
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.lab import Lab

LISTED, NAMED, OTHER = "198.18.0.20", "198.18.0.21", "198.18.0.22"
"""More addresses on the internet: one that is listed, and two with names, of which one is listed."""
NAMES = {"updates.example": NAMED, "other.example": OTHER}
ROUTER = "192.168.10.1"
DNSMASQ = f"no-resolv\nserver={INTERNET_ADDRESS}@dsl0\n"
"""It asks by a link from which nothing is direct."""
TUNNELS = {"colo": ("ex1-dsl",), "office": ("ex-dsl",)}
PURGE = ["apt-get", "-qq", "-y", "purge", "dnsmasq", "ipset"]
SET = "EXTRUDE-updates.example"


def office(*direct: Variables) -> Variables:
    """The office with a link for tunnels only, and one without a tunnel. The router's main table prefers the first."""
    base = lab_host("office")
    dsl, cable = base["extrude_wans"]
    del cable["detect"]
    wans = [{**dsl, "use": "extruded"}, {**cable, "use": "direct"}]
    return {**base, "extrude_wans": wans, "extrude_direct": list(direct)}


@pytest.fixture(scope="module")
def apart(deployed: Lab) -> Iterator[Lab]:
    """The lab with that office, whose router is the name server of its LAN."""
    for address in (LISTED, NAMED, OTHER):
        deployed.exec("internet", ["ip", "address", "replace", f"{address}/24", "dev", "eth0"])
    install = (
        "apt-get -qq -y install dnsmasq ipset >/dev/null && cat >/etc/dnsmasq.d/lab.conf && systemctl restart dnsmasq"
    )
    deployed.exec("office", ["sh", "-ec", install], stdin=DNSMASQ, timeout=300)
    with (
        names.server(deployed, "internet", INTERNET_ADDRESS, NAMES),
        brought(deployed, office({"destination": LISTED}, {"domains": "*.updates.example"}), TUNNELS),
    ):
        yield deployed
    deployed.exec("office", ["sh", "-ec", "systemctl stop dnsmasq; rm /etc/dnsmasq.d/lab.conf"])
    for address in (LISTED, NAMED, OTHER):
        deployed.exec("internet", ["ip", "address", "del", f"{address}/24", "dev", "eth0"])


def seen(lab: Lab, address: str, *options: str) -> str:
    """The source that a web server with this address sees when the desk asks it."""
    return traffic.fetch(lab, "desk", f"http://{address}/ip", *options)


@pytest.mark.long
def test_a_run_brings_ipset_but_leaves_the_name_server_to_the_admin(mended: Lab, tmp_path: Path) -> None:
    where = inventory.write(
        tmp_path / "named", {"office": {**lab_host("office"), "extrude_direct": [{"domains": "a.example"}]}}
    )
    mended.exec("office", PURGE, timeout=300)
    refused = playbook.run(mended, inventory=where)
    assert refused.code != 0
    (failure,) = refused.failures()
    assert "office: extrude_direct: domains need dnsmasq" in failure
    assert modules.drift(mended) == []
    mended.exec("office", ["apt-get", "-qq", "-y", "install", "dnsmasq"], timeout=300)
    try:
        assert playbook.run(mended, inventory=where).code == 0
        assert mended.exec("office", ["ipset", "list", "-n"]).stdout.split() == ["EXTRUDE-a.example"]
        assert playbook.run(mended, inventory=where).changed == 0
    finally:
        put_back(mended)
        mended.exec("office", PURGE, timeout=300)


@pytest.mark.long
def test_a_connection_stays_on_a_link_whose_use_changes(mended: Lab) -> None:
    to_all = {"destination": INTERNET_ADDRESS}
    modules.bring(mended, {**lab_host("office"), "extrude_direct": [to_all]})
    sender = mended.popen("desk", ["python3", "-c", SENDER, "192.168.10.2", "20090", "60"])
    with watch.capture(mended, "internet", "eth0", "udp and src portrange 20090-20097") as arrived:
        mended.exec("office", ["sh", "-c", "until grep -q sport=2009 /proc/net/nf_conntrack; do sleep 0.1; done"])
        modules.bring(mended, office(to_all))
        sender.communicate(timeout=120)
    sent = {tuple(line.split(" > ")[0].split()[-1].rsplit(".", 1)) for line in arrived.lines}
    assert len(sent) == 8
    assert {address for address, _port in sent} == set(LINKS.values())


def test_each_link_carries_what_it_is_for(apart: Lab) -> None:
    with watch.capture(apart, "isp-dsl", "office0", f"host {LISTED} and not ip proto 47") as dsl:
        assert {seen(apart, LISTED) for _turn in range(6)} == {LINKS["cable"]}
    assert dsl.lines == []
    assert seen(apart, INTERNET_ADDRESS) == ROUTER_ADDRESS
    assert seen(apart, INTERNET_ADDRESS, "--interface", DESK_ADDRESS) == DESK_ADDRESS
    assert traffic.fetch(apart, "internet", f"http://{DESK_ADDRESS}/name") == "desk"
    for host in TUNNELS:
        assert "cable" not in apart.exec(host, ["ip", "link", "show", "type", "gre"]).stdout
    rows = [line.split() for line in apart.exec("office", ["extrude", "status"]).stdout.splitlines()]
    assert {row[1]: " ".join(row[-4:]) for row in rows if row[0] == "link"} == {
        "dsl": "not for direct traffic",
        "cable": "for direct traffic only",
    }


def test_a_name_is_direct_once_the_router_was_asked_for_it(apart: Lab) -> None:
    assert seen(apart, NAMED) == ROUTER_ADDRESS
    for name, address in NAMES.items():
        assert names.ask(apart, "desk", f"www.{name}", ROUTER) == address
    assert seen(apart, NAMED) == LINKS["cable"]
    assert seen(apart, OTHER) == ROUTER_ADDRESS


def test_the_router_asks_a_provider_s_name_server_by_the_link_that_it_names(apart: Lab) -> None:
    """As dnsmasq does where it is told server=ADDRESS@DEVICE."""
    address = "198.18.5.2"
    customers_only = ["INPUT", "-p", "udp", "--dport", "53", "!", "-s", f"{LINKS['dsl']}/24", "-j", "DROP"]
    apart.exec("isp-dsl", ["iptables", "-I", *customers_only])
    with names.server(apart, "isp-dsl", address, {"example": LISTED}):
        assert names.ask(apart, "office", "mail.example", address, "dsl0") == LISTED
        assert names.ask(apart, "office", "mail.example", address) == ""
    apart.exec("isp-dsl", ["iptables", "-D", *customers_only])


@pytest.mark.parametrize("link", LINKS)
def test_what_the_router_binds_to_a_device_leaves_by_that_link_s_gateway(apart: Lab, link: str) -> None:
    with watch.capture(apart, "internet", "eth0", f"udp and dst {INTERNET_ADDRESS} and port 53") as asked:
        assert names.ask(apart, "office", "mail.updates.example", INTERNET_ADDRESS, f"{link}0") == NAMED
    assert {line.split(" > ")[0].split()[-1].rpartition(".")[0] for line in asked.lines} == {LINKS[link]}


@pytest.mark.long
def test_a_second_run_changes_nothing_and_forgets_no_address(apart: Lab) -> None:
    assert names.ask(apart, "desk", "updates.example", ROUTER) == NAMED
    wanted = inventory.states({"office": office({"destination": LISTED}, {"domains": "*.updates.example"})})
    assert not modules.apply(apart, "office", wanted["office"]).values["changed"]
    assert NAMED in apart.exec("office", ["ipset", "list", SET]).stdout
    assert seen(apart, NAMED) == LINKS["cable"]


def test_without_a_tunnel_all_leaves_by_the_link_for_direct_traffic_and_else_nothing(apart: Lab) -> None:
    with sessions.tunnels_down(apart, TUNNELS):
        for source in ((), ("--interface", DESK_ADDRESS)):
            assert seen(apart, INTERNET_ADDRESS, *source) == LINKS["cable"]
        with watch.capture(apart, "isp-dsl", "office0", "udp dst port 9 or icmp[icmptype] == icmp-echo") as dsl:
            apart.cut("cable")
            told = apart.exec("desk", ["ping", "-c", "2", "-W", "5", INTERNET_ADDRESS], check=False).stdout
            apart.exec("desk", ["python3", "-c", SENDER, "192.168.10.2", "20070", "1"], check=False)
            apart.heal("cable")
        assert "Unreachable" in told
        assert dsl.lines == []
    assert seen(apart, INTERNET_ADDRESS) == ROUTER_ADDRESS


@pytest.mark.long
def test_a_name_that_is_taken_off_the_list_counts_for_no_new_connection_and_names_go_on(apart: Lab) -> None:
    assert names.ask(apart, "desk", "updates.example", ROUTER) == NAMED
    with watch.capture(apart, "internet", "eth0", f"udp and dst {NAMED}") as arrived:
        sender = apart.popen(
            "desk", ["python3", "-c", SENDER.replace(INTERNET_ADDRESS, NAMED), "192.168.10.2", "20080", "25"]
        )
        apart.exec("office", ["sh", "-c", "until grep -q sport=2008 /proc/net/nf_conntrack; do sleep 0.1; done"])
        modules.bring(apart, office({"destination": LISTED}))
        sender.communicate(timeout=90)
    assert {line.split(" > ")[0].split()[-1].rpartition(".")[0] for line in arrived.lines} == {LINKS["cable"]}
    assert apart.exec("office", ["ipset", "list", "-n"]).stdout == ""
    assert not apart.exec("office", ["sh", "-c", "ls /etc/dnsmasq.d"]).stdout.count("extrude")
    assert names.ask(apart, "desk", "updates.example", ROUTER) == NAMED
    assert seen(apart, NAMED) == ROUTER_ADDRESS
