# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three sites whose links come and go, by every program that brings links up, and their colo, which hears of it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
import yaml

from tests.acceptance import moments, playbook, remains, traffic
from tests.acceptance.conftest import dynamic_lab, hold
from tests.acceptance.test_links import extrude, wait_until
from tests.lab.lab import Lab

pytestmark = pytest.mark.dynamic

HOSTS = ("colo", "office", "branch", "depot")
INVENTORY = playbook.CHECKOUT / "inventories" / "lab-dynamic"
SITES = {  # name -> customer, number and address, as in the inventory
    "office": ("acme", 1, "203.0.113.10"),
    "branch": ("acme", 2, "203.0.113.20"),
    "depot": ("globex", 3, "203.0.113.30"),
}
LINKS = {  # link of the lab -> site and WAN
    "dsl": ("office", "dsl"),
    "cable": ("office", "cable"),
    "dsl-branch": ("branch", "dsl"),
    "cable-branch": ("branch", "cable"),
    "dsl-depot": ("depot", "dsl"),
    "cable-depot": ("depot", "cable"),
}
ALL_AT_ONCE = ("-e", '{"extrude_batches": ["100%"]}')
ELSEWHERE = {link: pytest.mark.long for link, (name, _wan) in LINKS.items() if name != "office"}
"""What brings these links up are other programs; only the long tests have the hosts of the other two sites."""
SLOTS = {"dsl": 1, "cable": 2}
REDIALS = int(os.environ.get("EXTRUDE_REDIALS", "5"))
"""How often a link is dialled anew in search of leaks; 100 take a quarter of an hour."""
MOST_SECONDS = 2.0
"""From the hook's start to traffic through the changed link's tunnel, on a machine that isn't emulated."""
MOST_BOOT_SECONDS = 5.0
"""From the last link that comes up at boot to an extruded address that answers, on a machine that isn't emulated."""
UNWATCHED = 15
"""Seconds in which a change is left alone."""
FORGOTTEN_SECONDS = 240
"""From the colo's loss of an address to the next report of it, at most."""


@pytest.fixture(scope="module")
def sites(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab, with nothing deployed on it unless it was kept."""
    mine = [item for item in request.session.items if item.path == request.path]
    needs_all = any(item.get_closest_marker("long") for item in mine)
    yield from dynamic_lab(request.config, "sites", without=() if needs_all else ("branch", "depot"))


def links_of(lab: Lab) -> list[str]:
    """The links of the sites that are there."""
    return [link for link, (name, _wan) in LINKS.items() if name in lab.topology.hosts]


def run(lab: Lab, *options: str) -> playbook.Run:
    """Run the playbook for the sites that are there, in one batch."""
    there = [name for name in SITES if name in lab.topology.hosts]
    return playbook.run(lab, *options, *ALL_AT_ONCE, "--limit", ",".join(there), inventory=INVENTORY)


@pytest.fixture(scope="module")
def check(sites: Lab) -> playbook.Run:
    """A check of bare hosts."""
    return run(sites, "--check", "--diff")


@pytest.fixture(scope="module")
def first(sites: Lab) -> playbook.Run:
    """The first run."""
    return run(sites, "--diff")


@pytest.fixture(scope="module")
def deployed(sites: Lab, request: pytest.FixtureRequest) -> Lab:
    """The lab with the collection deployed; a kept one has it already."""
    if not request.config.getoption("keep") or not _is_deployed(sites):
        done = request.getfixturevalue("first")
        if done.code != 0:
            pytest.fail(f"the deployment failed:\n{done.output}")
    moments.stamp_hooks(sites, "office")
    return sites


def _is_deployed(lab: Lab) -> bool:
    looked_for = ["test", "-e", "/etc/extrude/bird.conf"]
    return all(lab.exec(host, looked_for, check=False).returncode == 0 for host in lab.topology.hosts)


@pytest.fixture
def lab(deployed: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab with all links up, before a test and after it."""
    hold(deployed, deployed.topology.hosts, heals=request.node.get_closest_marker("long") is not None)
    yield deployed
    for name in ("rack", *links_of(deployed)):
        deployed.heal(name)
    wait_until(lambda: all(known(deployed, link) for link in links_of(deployed)), "the colo knows all links")


def far_end(lab: Lab, link: str) -> str:
    """Where the colo's end of a link's tunnel leads."""
    return str(_tunnel(lab, link)["linkinfo"]["info_data"]["remote"])


def _tunnel(lab: Lab, link: str) -> dict[str, Any]:
    name, wan = LINKS[link]
    device = f"ex{SITES[name][1]}-{wan}"
    found: list[dict[str, Any]] = json.loads(lab.exec("colo", ["ip", "-j", "-d", "link", "show", device]).stdout)
    return found[0]


def known(lab: Lab, link: str) -> bool:
    """Whether a tunnel leads from the colo to where its link is, and back."""
    return far_end(lab, link) == lab.given()[link] and traffic.reaches(lab, "colo", inside(link), 1)


def inside(link: str) -> str:
    """The site's inside address in the tunnel of a link."""
    name, wan = LINKS[link]
    return f"10.254.0.{(SITES[name][1] - 1) * 32 + (SLOTS[wan] - 1) * 2 + 1}"


def status(lab: Lab, link: str) -> dict[str, Any]:
    """What the site says of a link."""
    name, wan = LINKS[link]
    (state,) = json.loads(extrude(lab, name, "status", "--json"))["sites"]
    (row,) = [row for row in state["links"] if row["name"] == wan]
    return dict(row)


def told(lab: Lab, link: str) -> dict[str, Any]:
    """What the site says of telling the colo of a link."""
    return dict(status(lab, link)["colo"] or {})


# --- the run --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("host", HOSTS)
def test_the_first_check_on_bare_hosts_says_what_the_run_does(
    check: playbook.Run, first: playbook.Run, host: str
) -> None:
    assert check.code == 0, check.output
    assert first.code == 0, first.output
    told, done = ([operation["text"] for operation in run.operations(host)] for run in (check, first))
    assert done == told


def test_the_recap_says_that_all_tunnels_work(sites: Lab, first: playbook.Run) -> None:
    there = len(links_of(sites)) // len(SLOTS)
    assert [text.split(":")[0] for text in first.words()] == ["dsl ok", "cable ok"] * there


@pytest.mark.parametrize("link", [pytest.param(link, marks=ELSEWHERE.get(link, ())) for link in LINKS])
def test_the_colo_knows_where_a_link_is(deployed: Lab, link: str) -> None:
    assert known(deployed, link)
    assert told(deployed, link)["heard"] == deployed.given()[link]


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("desk", "office"),
        pytest.param("till", "branch", marks=pytest.mark.long),
        pytest.param("scanner", "depot", marks=pytest.mark.long),
    ],
)
def test_a_lan_leaves_as_its_extruded_address(deployed: Lab, node: str, name: str) -> None:
    assert traffic.source_seen_outside(deployed, node) == SITES[name][2]


@pytest.mark.long
def test_a_second_run_changes_nothing(lab: Lab) -> None:
    second = playbook.run(lab, "--limit", "office", inventory=INVENTORY)
    assert second.code == 0, second.output
    assert second.changed == 0, second.output


@pytest.mark.long
def test_a_run_with_a_link_down_says_so_in_words(lab: Lab) -> None:
    lab.cut("dsl")
    wait_until(lambda: not status(lab, "dsl")["up"], "the link is down")
    run = playbook.run(lab, "--limit", "office", inventory=INVENTORY)
    assert run.code == 0, run.output
    (dsl, cable) = run.words()
    assert dsl == "dsl is down: its tunnel comes with its link"
    assert cable.startswith("cable ok")


@pytest.mark.long
def test_a_match_that_is_not_what_pppd_calls_the_session_is_told(lab: Lab) -> None:
    wans = yaml.safe_load((INVENTORY / "host_vars" / "office.yml").read_text())["extrude_wans"]
    wans[0]["match"] = "isp-dsl"
    other = ("-e", json.dumps({"extrude_wans": wans}))
    run = playbook.run(lab, "--check", "--limit", "office", *other, inventory=INVENTORY)
    assert run.code == 0, run.output
    assert run.changed == 1, run.output
    warning = "link dsl: ppp0 came up as dsl, not as isp-dsl; it is not found when it comes up anew"
    assert warning in " ".join(run.output.split())


# --- links that move ------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("turn", range(3))
def test_a_link_that_is_dialled_anew_carries_traffic_at_once_and_the_other_loses_nothing(lab: Lab, turn: int) -> None:
    before, start = _tunnel(lab, "dsl")["ifindex"], moments.now(lab)
    with ExitStack() as stack:
        changed = stack.enter_context(moments.pings(lab, "colo", inside("dsl")))
        other = stack.enter_context(moments.pings(lab, "colo", inside("cable"), step=0.1))
        up = stack.enter_context(moments.routes(lab, "office", 4200))
        down = stack.enter_context(moments.routes(lab, "colo", 4200))
        new = lab.readdress("dsl", wait=False)
        time.sleep(UNWATCHED)  # whoever looks at the lab takes away its processor
        wait_until(lambda: "ex-dsl" in _ways(lab, "office", "default"), "the office uses it")
        wait_until(lambda: "ex1-dsl" in _ways(lab, "colo", SITES["office"][2]), "the colo uses it")
    hook = moments.hook_started(lab, "office", start)
    through = changed.first_after(hook) - hook
    parts = [("tunnel works", through)]
    parts += [("BIRD uses it, office", up.first_after(hook, "ex-dsl") - hook)]
    parts += [("BIRD uses it, colo", down.first_after(hook, "ex1-dsl") - hook)]
    parts += [
        (f"{host}: {text[:70]}", when - hook)
        for host in ("office", "colo")
        for when, text in moments.journal(lab, host, hook)
    ]
    print(
        f"turn {turn}: "
        + "".join(f"\n{1000 * seconds:7.0f} ms {text}" for text, seconds in sorted(parts, key=lambda part: part[1]))
    )
    assert far_end(lab, "dsl") == new
    assert _tunnel(lab, "dsl")["ifindex"] == before
    assert other.lost == 0
    slowness = moments.slowness(lab)
    print(f"{1000 * through:.0f} ms, where programs take {slowness:.0f} times as long as on this machine itself")
    assert through <= MOST_SECONDS * slowness


@pytest.mark.parametrize("link", [pytest.param(link, marks=ELSEWHERE.get(link, ())) for link in LINKS])
def test_whatever_program_brings_a_link_up_the_colo_hears_of_it(lab: Lab, link: str) -> None:
    new = lab.readdress(link)
    wait_until(lambda: known(lab, link), f"the colo knows that {link} is at {new}")


def test_a_session_that_is_dialled_anew_is_shaped_anew(lab: Lab) -> None:
    new = lab.readdress("dsl")
    wait_until(lambda: known(lab, "dsl"), f"the colo knows that dsl is at {new}")
    queues = lab.exec("office", ["tc", "qdisc", "show"]).stdout
    assert re.search(r"^qdisc cake 78: dev ppp\d root .* bandwidth 19Mbit diffserv4 ", queues, re.MULTILINE)
    assert re.search(r"^qdisc cake 78: dev ifb-dsl root .* bandwidth 47500Kbit ", queues, re.MULTILINE)
    assert re.search(r"^qdisc clsact ffff: dev ppp\d ", queues, re.MULTILINE)


@pytest.mark.long
def test_a_session_that_comes_back_as_another_device(lab: Lab) -> None:
    lab.redial("dsl", device="ppp1")
    wait_until(lambda: known(lab, "dsl"), "the tunnel works")
    lab.redial("dsl", device="ppp0")
    wait_until(lambda: known(lab, "dsl"), "the tunnel works")


@pytest.mark.long
@pytest.mark.parametrize(("link", "other"), [("dsl", "dsl-branch"), ("cable", "cable-depot"), ("dsl-depot", "dsl")])
def test_two_sites_that_swap_addresses_find_their_ways(lab: Lab, link: str, other: str) -> None:
    before = lab.given()
    lab.swap(link, other)
    wait_until(lambda: known(lab, link) and known(lab, other), "both tunnels work")
    assert (far_end(lab, link), far_end(lab, other)) == (before[other], before[link])


@pytest.mark.long
def test_a_colo_that_is_away_is_told_when_it_is_back(lab: Lab) -> None:
    lab.cut("rack")
    lab.readdress("dsl")
    wait_until(lambda: bool(told(lab, "dsl").get("trouble")), "the site has tried")
    assert not told(lab, "dsl")["heard"]
    assert "the colo has not heard of it for" in extrude(lab, "office", "status")
    time.sleep(10)
    lab.heal("rack")
    wait_until(lambda: known(lab, "dsl"), "the colo has heard")
    assert told(lab, "dsl")["heard"] == lab.given()["dsl"]


@pytest.mark.long
@pytest.mark.parametrize(("kept", "leads"), [("198.51.100.200",) * 2, ("{", "127.0.0.2")], ids=["restored", "damaged"])
def test_a_colo_that_has_forgotten_where_a_link_is_is_told_again(lab: Lab, kept: str, leads: str) -> None:
    """As after its disk was restored from an older copy, or after a thief of the site's key has reported the link."""
    now = lab.given()["dsl"]
    edit = f"echo '{kept}' >/var/lib/extrude/endpoints/acme/office/dsl && extrude apply"
    lab.exec("colo", ["sh", "-ec", edit])
    assert far_end(lab, "dsl") == leads
    # a report counts as fresh for a minute, and the router looks each minute
    wait_until(lambda: far_end(lab, "dsl") == now, "the colo has heard again", FORGOTTEN_SECONDS)
    wait_until(lambda: known(lab, "dsl"), "the tunnel works")


@pytest.mark.long
def test_a_colo_with_a_full_disk_is_told_until_it_has_room(lab: Lab) -> None:
    folder = "/var/lib/extrude/endpoints"
    fill = f"mount -t tmpfs -o size=4k,mode=0755,uid=extrude none {folder} && echo full >{folder}/full"
    lab.exec("colo", ["sh", "-ec", fill])
    try:
        lab.readdress("dsl")
        wait_until(lambda: "No space left on device" in told(lab, "dsl").get("trouble", ""), "the site knows why not")
    finally:
        lab.exec("colo", ["umount", "--lazy", folder])  # the unit looks into it
    wait_until(lambda: known(lab, "dsl"), "the colo has heard")


@pytest.mark.long
def test_a_site_with_a_full_disk_follows_its_links_and_writes_that_down_when_there_is_room(lab: Lab) -> None:
    folder, aside, spare = "/var/lib/extrude", "/run/aside", "/run/extrude/records"
    fill = f"cp -a {folder} {aside}; mount -t tmpfs -o size=1m,mode=0755 none {folder}; cp -a {aside}/. {folder}"
    lab.exec("office", ["sh", "-ec", f"{fill}; cat /dev/zero >{folder}/full 2>/dev/null || true"])
    try:
        lab.readdress("dsl")
        wait_until(lambda: known(lab, "dsl"), "the tunnel leads to where the link is")
        assert lab.exec("office", ["ls", spare]).stdout.split() == ["acme.json", "acme.json.last-good"]
        lab.exec("office", ["rm", f"{folder}/full"])
        extrude(lab, "office", "apply")
        assert not lab.exec("office", ["ls", spare]).stdout.split()
    finally:
        lab.exec("office", ["sh", "-ec", f"cp -a {folder}/. {aside}; umount {folder}; cp -a {aside}/. {folder}"])


@pytest.mark.long
def test_a_site_whose_disk_is_read_only_follows_its_links_and_writes_that_down_later(lab: Lab) -> None:
    folder = "/var/lib/extrude"
    lab.exec("office", ["sh", "-ec", f"mount --bind {folder} {folder}; mount -o remount,bind,ro {folder}"])
    try:
        lab.readdress("dsl")
        wait_until(lambda: known(lab, "dsl"), "the tunnel leads to where the link is")
    finally:
        lab.exec("office", ["umount", "--lazy", folder])
    extrude(lab, "office", "apply")
    assert not lab.exec("office", ["ls", "/run/extrude/records"]).stdout.split()
    assert lab.given()["dsl"] in lab.exec("office", ["cat", f"{folder}/acme.json"]).stdout
    assert extrude(lab, "office", "apply", "--check") == ""


@pytest.mark.long
def test_damaged_files_at_a_colo_keep_no_site_of_others_from_being_followed(lab: Lab) -> None:
    folder, aside = "/etc/extrude", "/run/aside-states"
    damage = "for file in globex.json globex.json.last-good stray.json notes; do echo '{' >$file; done"
    mend = f"rm {folder}/stray.json {folder}/notes; cp -a {aside}/. {folder}; rm -r {aside}"
    lab.exec("colo", ["sh", "-ec", f"cp -a {folder} {aside}; cd {folder}; {damage}"])
    try:
        lab.readdress("dsl")
        wait_until(lambda: known(lab, "dsl"), "the colo follows the link")
        failed = lab.exec("colo", ["extrude", "apply"], check=False)
        assert failed.returncode == 1
        assert f"{folder}/globex.json is no list of states, mend it or remove it" in failed.stderr
        assert known(lab, "dsl-depot"), "what is there stays"
    finally:
        lab.exec("colo", ["sh", "-ec", mend])
    assert extrude(lab, "colo", "apply", "--check") == ""


@pytest.mark.long
def test_a_colo_whose_files_have_another_owner_says_so_and_is_mended_by_the_next_run(lab: Lab) -> None:
    """As after its disk was restored from a backup."""
    lab.exec("colo", ["chown", "-R", "root:root", "/var/lib/extrude/endpoints/acme"])
    lab.readdress("dsl")
    wait_until(lambda: "Permission denied" in told(lab, "dsl").get("trouble", ""), "the site knows why not")
    place = "/var/lib/extrude/endpoints/acme/office"
    asked = lab.exec("office", ["extrude", "endpoint", "tell", "--within", "30"], timeout=90)
    assert re.search(f"the colo has not heard of dsl: .*cannot write {place}/dsl: Permission denied", asked.stderr)
    run = playbook.run(lab, "--limit", "office", inventory=INVENTORY)
    assert run.code == 0, run.output
    wait_until(lambda: known(lab, "dsl"), "the colo has heard")


_TO_SSHD = "systemctl kill --kill-whom=main ssh --signal=SIG"  # its sessions may be older


@pytest.mark.long
@pytest.mark.parametrize(
    ("harm", "mend", "trouble"),
    [
        ("systemctl stop ssh", "systemctl start ssh", "Connection refused"),
        (f"{_TO_SSHD}STOP", f"{_TO_SSHD}CONT", "timed out"),
    ],
    ids=["stopped", "hanging"],
)
def test_an_sshd_that_does_not_answer_is_asked_until_it_does(lab: Lab, harm: str, mend: str, trouble: str) -> None:
    lab.exec("colo", ["sh", "-ec", harm])
    try:
        with moments.pings(lab, "colo", inside("cable"), step=0.2) as other:
            lab.readdress("dsl")
            wait_until(lambda: trouble in told(lab, "dsl").get("trouble", ""), "the site knows why not")
        assert other.lost == 0
    finally:
        lab.exec("colo", ["sh", "-ec", mend])
    wait_until(lambda: known(lab, "dsl"), "the colo has heard")


@pytest.mark.long
def test_a_colo_with_other_host_keys_is_not_told_until_the_next_run(lab: Lab) -> None:
    keys, aside = "/etc/ssh/ssh_host_*", "/run/aside-keys"
    change = f"mkdir {aside}; mv {keys} {aside}; ssh-keygen -A; systemctl restart ssh"
    unproved = ("-e", "ansible_ssh_extra_args='-o StrictHostKeyChecking=no'")  # the lab knows the colo by its old keys
    lab.exec("colo", ["sh", "-ec", change])
    try:
        lab.readdress("dsl")
        refused = "Host key verification failed."
        wait_until(lambda: told(lab, "dsl").get("trouble") == refused, "the site knows why not")
        run = playbook.run(lab, "--limit", "office", *unproved, inventory=INVENTORY)
        assert run.code == 0, run.output
        wait_until(lambda: known(lab, "dsl"), "the colo has heard")
    finally:
        lab.exec("colo", ["sh", "-ec", f"rm {keys}; mv {aside}/* /etc/ssh; rmdir {aside}; systemctl restart ssh"])
    run = playbook.run(lab, "--limit", "office", inventory=INVENTORY)
    assert run.code == 0, run.output


@pytest.mark.long
def test_a_link_that_is_given_an_address_of_ours_is_down_until_it_has_another(lab: Lab) -> None:
    address = SITES["office"][2]
    give = f"ip address flush dev cable0; ip address add {address}/24 dev cable0; extrude wan up cable0"
    lab.exec("office", ["sh", "-ec", give])
    assert status(lab, "cable")["reason"] == f"cable0 was given {address}, which is extruded or of a tunnel"
    assert traffic.source_seen_outside(lab, "desk") == address
    lab.exec("office", ["sh", "-c", "ifdown --force cable0; ifup cable0"], check=False, timeout=120)
    wait_until(lambda: known(lab, "cable"), "the link is back")


@pytest.mark.long
@pytest.mark.parametrize(
    "address",
    ["203.0.113.10", "10.254.0.1", "10.254.0.2", "203.0.113.2"],
    ids=["extruded", "of its tunnel", "of the other tunnel's far end", "of the colo"],
)
def test_a_provider_that_gives_an_address_of_ours_loses_its_link_until_it_gives_another(lab: Lab, address: str) -> None:
    former = lab.given()["dsl"]
    give = ["/lab/control", "address", "dsl"]
    lab.exec("labvm", [*give, address])
    try:
        reason = f"ppp0 was given {address}, which is extruded or of a tunnel"
        wait_until(lambda: status(lab, "dsl")["reason"] == reason, "the site knows why the link is down")
        assert traffic.source_seen_outside(lab, "desk") == SITES["office"][2]
        assert traffic.reaches(lab, "internet", SITES["office"][2])
        assert known(lab, "cable"), "the other link carries all"
    finally:
        lab.exec("labvm", [*give, former])
    wait_until(lambda: known(lab, "dsl"), "the link is back")


# NetworkManager has no event for such a lease, dhclient and networkd tell of it
@pytest.mark.long
@pytest.mark.parametrize("link", ["cable", "cable-branch", "cable-depot"])
def test_a_gateway_that_alone_is_another_in_a_new_lease_is_the_one_that_is_used(lab: Lab, link: str) -> None:
    old, new = "198.51.100.1", "198.51.100.254"
    _offer(lab, link, before=old, now=new)
    try:
        wait_until(lambda: status(lab, link)["gateway"] == new, "the site knows the gateway")
        wait_until(lambda: _gateway(lab, link) == new, "the link's table has it")
        wait_until(lambda: known(lab, link), "the tunnel works")
    finally:
        _offer(lab, link, before=new, now=old)
    wait_until(lambda: _gateway(lab, link) == old, "the former one is back")


def _offer(lab: Lab, link: str, *, before: str, now: str) -> None:
    """Have the provider name another router, which it is itself, in leases that have the address of before."""
    device, file = f"{LINKS[link][0]}0", f"/lab/net/{link}.server"
    edit = f"sed -i 's/router,{before}$/router,{now}/' {file}; ! ip -n isp-cable addr add {now}/32 dev {device} 2>&1"
    lab.exec("labvm", ["sh", "-c", f"{edit}; /lab/control address {link} {lab.given()[link]}"])


def _gateway(lab: Lab, link: str) -> str:
    """By which router packets from a link's own address leave."""
    name, _wan = LINKS[link]
    asked = ["ip", "-j", "route", "get", "203.0.113.2", "from", lab.given()[link]]
    (route,) = json.loads(lab.exec(name, asked).stdout)
    return str(route.get("gateway"))


@pytest.mark.long
def test_links_that_move_are_encrypted_and_follow_without_a_report(lab: Lab) -> None:
    """PPPoE and DHCP; afterwards they are as they were."""
    encrypted = json.dumps({"extrude_ipsec": True, "extrude_ipsec_psk": "the secret of sites that move"})
    run = playbook.run(lab, "--limit", "branch", "-e", encrypted, inventory=INVENTORY)
    assert run.code == 0, run.output
    try:
        for link, name in (("dsl-branch", "ex2-dsl"), ("cable-branch", "ex2-cable")):
            new = lab.readdress(link)
            wait_until(partial(_is_encrypted_with, lab, name, new), f"the colo's connection with {link} leads to {new}")
            wait_until(partial(traffic.reaches, lab, "colo", inside(link), 1), f"the tunnel of {link} works")
        assert traffic.source_seen_outside(lab, "till") == SITES["branch"][2]
    finally:
        run = playbook.run(lab, "--limit", "branch", inventory=INVENTORY)
    assert run.code == 0, run.output
    assert lab.exec("colo", ["swanctl", "--list-sas"]).stdout == ""


def _is_encrypted_with(lab: Lab, name: str, address: str) -> bool:
    said = lab.exec("colo", ["swanctl", "--list-sas", "--ike", name]).stdout
    return f"@ {address}[" in said and "INSTALLED" in said


# --- reboots --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("hard", [False, True], ids=["graceful", "power cut"])
def test_a_colo_that_reboots_knows_all_links(lab: Lab, hard: bool) -> None:
    lab.readdress("cable")
    wait_until(lambda: known(lab, "cable"), "the colo knows the link")
    lab.reboot("colo", hard=hard)
    wait_until(lambda: all(known(lab, link) for link in links_of(lab)), "all tunnels work")
    for name, (_customer, _number, address) in SITES.items():
        wait_until(partial(traffic.reaches, lab, "internet", address, 1), f"{name} answers")


@pytest.mark.long
def test_a_link_that_moves_while_the_colo_reboots(lab: Lab) -> None:
    lab.readdress("cable", wait=False)
    lab.reboot("colo", hard=True)
    wait_until(lambda: known(lab, "cable"), "the colo knows the link")


@pytest.mark.long
@pytest.mark.parametrize("hard", [False, True], ids=["graceful", "power cut"])
def test_a_site_that_reboots_answers_as_soon_as_its_last_link_is_up(lab: Lab, hard: bool) -> None:
    with moments.pings(lab, "internet", SITES["office"][2], step=0.1) as answers:
        lab.reboot("office", hard=hard)
        wait_until(lambda: known(lab, "dsl") and known(lab, "cable"), "both tunnels work")
        wait_until(lambda: traffic.reaches(lab, "internet", SITES["office"][2], 1), "the office answers")
    last = moments.hook_started(lab, "office", 0)
    answered = [moment for moment in answers.times if moment > last]
    took, slowness = answered[0] - last, moments.slowness(lab)
    print(
        f"{1000 * took:.0f} ms from the last hook to the first answer; programs take {slowness:.0f} times as long here"
    )
    assert took <= MOST_BOOT_SECONDS * slowness


@pytest.mark.long
def test_a_colo_that_reboots_with_damaged_files_serves_the_other_customers(lab: Lab) -> None:
    folder, aside = "/etc/extrude", "/var/lib/aside-states"
    damage = f"cp -a {folder} {aside}; truncate --size=100 {folder}/globex.json {folder}/globex.json.last-good; sync"
    lab.exec("colo", ["sh", "-ec", damage])
    try:
        lab.reboot("colo", hard=True)
        wait_until(lambda: all(known(lab, link) for link in LINKS if "depot" not in link), "acme's tunnels work")
        wait_until(lambda: traffic.reaches(lab, "internet", SITES["office"][2], 1), "the office answers")
        said = lab.exec("colo", ["journalctl", "-b", "-u", "extrude.service", "-o", "cat"]).stdout
        assert f"extrude: {folder}/globex.json is no list of states, mend it or remove it: " in said
        assert lab.exec("colo", ["systemctl", "is-failed", "extrude.service"], check=False).stdout == "failed\n"
    finally:
        lab.exec("colo", ["sh", "-ec", f"cp -a {aside}/. {folder}; rm -r {aside}"])
    extrude(lab, "colo", "apply")
    wait_until(lambda: known(lab, "dsl-depot") and known(lab, "cable-depot"), "globex's tunnels work")


@pytest.mark.long
@pytest.mark.parametrize(
    "order",
    [pytest.param(("colo", "office"), marks=pytest.mark.long), ("office", "colo")],
    ids=" first, then ".join,
)
def test_both_ends_lose_their_power(lab: Lab, order: tuple[str, str]) -> None:
    with ThreadPoolExecutor() as pool:
        for rebooting in [pool.submit(lab.reboot, host, hard=True) for host in order]:
            rebooting.result()
    wait_until(lambda: all(known(lab, link) for link in links_of(lab)), "all tunnels work")
    wait_until(lambda: traffic.source_seen_outside(lab, "desk") == SITES["office"][2], "the LAN leaves by the tunnels")


@pytest.mark.long
@pytest.mark.parametrize("late", ["dsl", "cable"])
def test_a_site_comes_up_with_one_link_and_takes_the_other_later(lab: Lab, late: str) -> None:
    lab.cut(late)
    lab.reboot("office", hard=True)
    wait_until(lambda: traffic.reaches(lab, "internet", SITES["office"][2], 1), "the office answers")
    lab.heal(late)
    wait_until(lambda: known(lab, late), "the other link works too")


# --- trouble --------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_hook_that_is_killed_half_way_is_run_again(lab: Lab) -> None:
    # the brackets keep it from finding itself
    found = "pid=$(pgrep -o -f '/usr/lib/extrude [w]an up ppp')"
    kill = f"until {found}; do sleep 0.05; done; sleep 0.1; kill -KILL $pid && echo killed"
    killer = lab.popen("office", ["timeout", "60", "sh", "-c", kill])
    lab.readdress("dsl")
    assert killer.communicate(timeout=90)[0].strip() == "killed"
    wait_until(lambda: known(lab, "dsl"), "the colo knows the link")
    assert "to do" not in extrude(lab, "office", "status")


@pytest.mark.long
def test_a_clock_that_is_wrong_changes_nothing(lab: Lab) -> None:
    """All hosts of the lab share one clock: it is set back in the middle of a change."""
    lab.exec("labvm", ["date", "-s", "-1 hour"])
    try:
        lab.readdress("dsl")
        wait_until(lambda: known(lab, "dsl"), "the colo knows the link")
    finally:
        lab.exec("labvm", ["date", "-s", "+1 hour"])
        # dhclient waits by the clock, and would for an hour
        lab.exec("office", ["sh", "-c", "ifdown --force cable0; ifup cable0"], check=False, timeout=120)


@pytest.mark.long
def test_many_redials_leave_nothing_behind(lab: Lab) -> None:
    lab.readdress("dsl")  # what the first event since boot leaves is there
    wait_until(lambda: known(lab, "dsl"), "the colo knows the link")
    before = {host: _counted(lab, host) for host in ("colo", "office")}
    for _turn in range(REDIALS):
        lab.readdress("dsl")
        wait_until(lambda: known(lab, "dsl"), "the colo knows the link", 300)
    for host, counts in before.items():
        wait_until(partial(_holds, lab, host, counts), f"{host} has what it had: {counts}")


_COUNT = """
echo rules $(ip rule | wc -l)
echo routes $(ip route show table all proto 120 | wc -l)
echo birds $(ip route show table all proto bird | wc -l)
echo devices $(ip link | grep -c '^[0-9]')
echo chains $(iptables-save | grep -c EXTRUDE)
echo processes $(pgrep -fc '/usr/(lib|sbin)/extrude|ssh .*endpoint_ssh')
echo units $(systemctl list-units --all --plain --no-legend 'run-*.service' 'extrude*' | wc -l)
echo files $(find /etc/extrude /var/lib/extrude /run/extrude -type f | wc -l)
"""


@pytest.mark.long
def test_sites_that_are_taken_off_leave_nothing_at_either_end(deployed: Lab) -> None:
    """The last test, since it takes off all of them."""
    names = ",".join(name for name in SITES if name in deployed.topology.hosts)
    words = ("-e", f"teardown_sites={names}")
    teardown = playbook.CHECKOUT / "playbooks" / "teardown.yml"
    for changes in (True, False):
        done = playbook.run(deployed, *words, inventory=INVENTORY, playbook=teardown)
        assert done.code == 0, done.output
        assert (done.changed > 0) is changes
    for host in deployed.topology.hosts:
        assert remains.take(deployed, host).named == frozenset()
        assert remains.of(deployed, host, r"\bex[0-9]*-[a-z]") == []


def _holds(lab: Lab, host: str, counts: dict[str, int]) -> bool:
    return _counted(lab, host) == counts


def _counted(lab: Lab, host: str) -> dict[str, int]:
    lines = lab.exec(host, ["sh", "-c", _COUNT]).stdout.splitlines()
    return {name: int(count) for name, count in (line.split() for line in lines)}


def _ways(lab: Lab, host: str, destination: str) -> set[str]:
    """The devices of BIRD's route."""
    shown = lab.exec(host, ["ip", "route", "show", "table", "4200", "proto", "bird", destination]).stdout
    return set(re.findall(r"dev (\S+)", shown))
