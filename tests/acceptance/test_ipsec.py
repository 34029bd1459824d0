# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted links, two sites behind one NAT and one link without: what providers see of them, and what ends them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.acceptance import moments, playbook, traffic
from tests.acceptance.conftest import dynamic_lab
from tests.acceptance.test_links import extrude, wait_until
from tests.lab.lab import Lab
from tests.lab.topology import NAT

pytestmark = pytest.mark.dynamic

INVENTORY = playbook.CHECKOUT / "inventories" / "lab-nat"
ALL_AT_ONCE = ("-e", '{"extrude_batches": ["100%"]}')
ONE_FIRST = ("-e", '{"extrude_batches": [1, "100%"]}')
SITES = {"office": ["dsl", "lte"], "kiosk": ["lte", "wifi"]}
HOSTS = ("colo", *SITES)
EXTRUDED = {"office": "203.0.113.10", "kiosk": "203.0.113.20"}
SECRET = "not a secret, since this is the lab"
PASSPHRASE = "nor is this one, in the same lab"
CONNECTIONS = "/etc/swanctl/conf.d"
KEY, OWN = (f"/etc/swanctl/{folder}/extrude.pem" for folder in ("private", "x509"))
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
        count(made)
        yield made


@pytest.fixture(scope="module")
def first(bare: Lab) -> playbook.Run:
    """Deploys, with all that Ansible can tell."""
    return playbook.run(bare, "--diff", "-vvv", *ALL_AT_ONCE, inventory=INVENTORY)


@pytest.fixture
def lab(bare: Lab, first: playbook.Run) -> Lab:
    assert first.code == 0, first.output
    return bare


def count(lab: Lab) -> None:
    """Have providers count packets of each kind."""
    for node, device in PROVIDERS.items():
        lab.exec(node, ["iptables", "-t", "raw", "-F"])
        for match in KINDS.values():
            lab.exec(node, ["iptables", "-t", "raw", "-A", "PREROUTING", "-i", device, *match])


def counted(lab: Lab, node: str) -> dict[str, int]:
    """The packets of each kind that have come by at a provider."""
    listed = lab.exec(node, ["iptables", "-t", "raw", "-nvxL", "PREROUTING"]).stdout.splitlines()[2:]
    return dict(zip(KINDS, (int(line.split()[0]) for line in listed), strict=True))


def is_clear(lab: Lab) -> bool:
    """Whether anybody has seen a packet that was not encrypted, ever."""
    return any(counted(lab, node)["gre"] for node in PROVIDERS)


def reached(lab: Lab, site: str, wan: str) -> bool:
    return traffic.reaches(lab, "colo", ENDS[site, wan], 1)


def certificate(lab: Lab) -> str:
    """The kiosk's."""
    return lab.exec("kiosk", ["cat", OWN]).stdout


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


def test_the_secret_of_a_site_stands_nowhere_and_what_derives_from_it_in_files_that_only_root_reads(
    lab: Lab, first: playbook.Run
) -> None:
    path = f"{CONNECTIONS}/extrude-acme.1.secrets.conf"
    own = re.search(r"secret = 0x([0-9a-f]+)", lab.exec("office", ["cat", path]).stdout)
    assert own
    for secret in (SECRET, bytes.fromhex(own[1]).decode()):
        assert secret not in first.output
        assert secret.encode().hex() not in first.output
        assert secret not in json.dumps([answer.result for answer in first.answers])
        for host in ("colo", "office"):
            search = f"grep -rlF -e '{secret}' -e {secret.encode().hex()} /etc /run /tmp /var /root 2>/dev/null"
            found = lab.exec(host, ["sh", "-c", search], check=False).stdout.split()
            assert found == ([] if secret == SECRET else [path])
            assert lab.exec(host, ["stat", "-c", "%a %U", path]).stdout.strip() == "600 root"


def test_private_keys_and_the_passphrase_show_nowhere(lab: Lab, first: playbook.Run) -> None:
    for said in (first.output, json.dumps([answer.result for answer in first.answers])):
        assert PASSPHRASE not in said
        assert "PRIVATE KEY" not in said
    for host in ("colo", "kiosk"):
        assert lab.exec(host, ["stat", "-c", "%a %U", KEY]).stdout.strip() == "600 root"
        search = f"grep -rlF -e '{PASSPHRASE}' /etc /run /tmp /var /root 2>/dev/null"
        assert lab.exec(host, ["sh", "-c", search], check=False).stdout == ""
    assert lab.exec("office", ["ls", "/etc/swanctl/private"]).stdout == ""
    assert "certificate  until " in extrude(lab, "kiosk", "status")


@pytest.mark.long
def test_a_second_run_finds_nothing_to_do(lab: Lab) -> None:
    before = associations(lab, "colo")
    again = playbook.run(lab, *ALL_AT_ONCE, inventory=INVENTORY)
    assert (again.code, again.changed) == (0, 0), again.output
    assert associations(lab, "colo") == before


def test_a_daemon_that_is_killed_at_the_colo_costs_no_more_than_a_new_call(lab: Lab) -> None:
    """What it has left in the kernel goes on until the site finds it dead, 8 to 18 s later, and calls anew."""
    with pinged(lab, EXTRUDED["office"], 25) as missing:
        lab.exec("colo", ["systemctl", "kill", "-s", "KILL", "strongswan.service"])
    assert missing[0] < 20, "4 s: less than the site needs to find it dead"
    wait_until(lambda: all_up(lab), "all tunnels are up", MINUTES)
    assert not is_clear(lab)


@pytest.mark.parametrize("host", ["office", pytest.param("kiosk", marks=pytest.mark.long)])
def test_a_sites_daemon_that_is_killed_makes_new_connections(lab: Lab, host: str) -> None:
    lab.exec(host, ["systemctl", "kill", "-s", "KILL", "strongswan.service"])
    wait_until(lambda: len(associations(lab, host)) == 2, "connections are made anew", 120)
    wait_until(lambda: all_up(lab), "all tunnels carry packets")
    assert not is_clear(lab)


@pytest.mark.parametrize("host", ["colo", pytest.param("office", marks=pytest.mark.long)])
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


@pytest.mark.parametrize("host", ["office", pytest.param("colo", marks=pytest.mark.long)])
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


@pytest.mark.long
@pytest.mark.parametrize(
    ("batches", "other"),
    [
        (ALL_AT_ONCE, "a secret that came with a rotation"),
        (ONE_FIRST, "one that came to one site first"),
    ],
    ids=["at once", "in batches"],
)
def test_rotation_at_all_sites_costs_no_packet_and_what_is_new_is_used_for_the_next_connections(
    lab: Lab, batches: tuple[str, str], other: str
) -> None:
    former = certificate(lab)
    changed = json.dumps({"extrude_ipsec_psk": other, "extrude_ipsec_renew": True})
    with ExitStack() as stack:
        fared = [stack.enter_context(moments.pings(lab, "colo", EXTRUDED[site], step=0.2)) for site in SITES]
        rotated = playbook.run(lab, *batches, "-e", changed, inventory=INVENTORY)
    assert rotated.code == 0, rotated.output
    assert other not in rotated.output
    assert [one.lost for one in fared] == [0, 0]
    assert certificate(lab) != former
    assert secrets_kept(lab) == {"colo": 1, "office": 1}
    for site in SITES:
        made_anew(lab, site)
    wait_until(lambda: all_up(lab), "all tunnels carry packets")
    assert not is_clear(lab)


def made_anew(lab: Lab, site: str) -> None:
    """Close all connections of a site, and see that they come back."""
    for wan in SITES[site]:
        lab.exec(site, ["swanctl", "--terminate", "--ike", f"ex-{wan}", "--force"])
    wait_until(partial(_is_called, lab, site), f"{site} has made connections anew", 120)


def _is_called(lab: Lab, site: str) -> bool:
    return len(associations(lab, site)) == len(SITES[site])


def secrets_kept(lab: Lab) -> dict[str, int]:
    """How many secrets either end keeps of the office."""
    path = f"{CONNECTIONS}/extrude-acme.1.secrets.conf"
    return {host: int(lab.exec(host, ["grep", "-c", "secret = ", path]).stdout) for host in ("colo", "office")}


@pytest.mark.long
def test_a_rotation_that_ends_between_colo_and_site_shuts_no_link_out(lab: Lab) -> None:
    other = ("-e", json.dumps({"extrude_ipsec_psk": "a secret that one end has already"}))
    lab.exec("office", ["mount", "--bind", "-o", "ro", CONNECTIONS, CONNECTIONS])
    try:
        run = playbook.run(lab, "--limit", "office", *other, inventory=INVENTORY)
        assert run.code != 0
        assert any(text.startswith(f"cannot write {CONNECTIONS}/") for text in run.failures()), run.output
        assert secrets_kept(lab) == {"colo": 2, "office": 1}
        made_anew(lab, "office")
    finally:
        lab.exec("office", ["umount", CONNECTIONS])
    run = playbook.run(lab, "--limit", "office", *other, inventory=INVENTORY)
    assert run.code == 0, run.output
    assert secrets_kept(lab) == {"colo": 1, "office": 1}
    made_anew(lab, "office")
    assert not is_clear(lab)


@pytest.mark.parametrize("host", ["office", pytest.param("colo", marks=pytest.mark.long)])
def test_an_error_in_somebodys_file_closes_ours_for_a_minute_at_most(lab: Lab, host: str) -> None:
    """swanctl then has the daemon forget all connections and secrets, and says that all is well."""
    path = f"{CONNECTIONS}/admin.conf"
    lab.exec(host, ["sh", "-c", f"echo 'connections {{' >{path}"])
    try:
        lab.exec(host, ["swanctl", "--load-all", "--noprompt"])
        lab.exec(host, ["extrude", "apply"])  # as its timer does each minute
        for site in SITES if host == "colo" else [host]:
            made_anew(lab, site)
    finally:
        lab.exec(host, ["rm", path])
    wait_until(lambda: all_up(lab), "all tunnels carry packets")
    assert not is_clear(lab)


def test_a_connection_that_is_refused_does_not_end_the_daemon_when_it_starts(lab: Lab) -> None:
    path = f"{CONNECTIONS}/admin.conf"
    lab.exec("office", ["sh", "-c", f"cat >{path}"], stdin="connections {\n admin {\n proposals = none\n }\n}\n")
    try:
        lab.exec("office", ["systemctl", "restart", "strongswan.service"])
        wait_until(partial(_is_called, lab, "office"), "connections are made anew", 120)
    finally:
        lab.exec("office", ["rm", path])
    wait_until(lambda: all_up(lab), "all tunnels carry packets")
    assert not is_clear(lab)


@pytest.mark.long
@pytest.mark.parametrize(("wan", "node", "device"), [("dsl", "isp-dsl", "core0"), ("lte", "cgnat", "core0")])
def test_a_path_that_is_narrower_than_its_link_is_found_out(lab: Lab, wan: str, node: str, device: str) -> None:
    """Somewhere behind the provider packets of more than 1300 bytes do not fit; its routers say so."""
    (other,) = set(SITES["office"]) - {wan}
    far = ("core", f"{node.removeprefix('isp-')}0")
    for end, name in ((node, device), far):
        lab.exec(end, ["ip", "link", "set", name, "mtu", "1300"])
    lab.cut(other)
    try:
        wait_until(lambda: reached(lab, "office", wan), "the tunnel carries packets")
        wait_until(lambda: traffic.reaches(lab, "desk", traffic.INTERNET_ADDRESS, 1), "the LAN uses it", 60)
        for direction in ([], ["-R"]):
            command = ["iperf3", "-c", traffic.INTERNET_ADDRESS, "-P", "4", "-t", "5", "-J", *direction]
            done = json.loads(lab.exec("desk", command, timeout=60).stdout)
            received = [stream["receiver"]["bytes"] for stream in done["end"]["streams"]]
            assert min(received) > 50 * PAYLOAD, received
    finally:
        lab.heal(other)
        for end, name in ((node, device), far):
            lab.exec(end, ["ip", "link", "set", name, "mtu", "1500"])
        for host in ("office", "colo", "desk", "internet"):  # what they have learnt would last for ten minutes
            lab.exec(host, ["ip", "route", "flush", "cache"])
    wait_until(lambda: all_up(lab), "all tunnels carry packets", 200)


@pytest.mark.long
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


@pytest.mark.long
def test_an_expired_certificate_is_told_and_renewed_by_the_next_run(lab: Lab) -> None:
    lab.exec("kiosk", ["sh", "-c", f"cat >{OWN}"], stdin=expired(lab))
    lab.exec("kiosk", ["swanctl", "--load-creds", "--clear"])
    lab.exec("colo", ["swanctl", "--flush-certs"])  # it has another certificate for this key
    lab.exec("kiosk", ["swanctl", "--terminate", "--ike", "ex-wifi", "--force"])
    told = "ex-wifi  down  not encrypted: received AUTHENTICATION_FAILED notify error"
    wait_until(lambda: told in extrude(lab, "kiosk", "status"), "the site says that it was refused")
    assert "certificate expired on " in extrude(lab, "kiosk", "status")
    told = "ex2-wifi  down  not encrypted: subject certificate invalid"
    wait_until(lambda: told in extrude(lab, "colo", "status"), "the colo says why")
    assert reached(lab, "office", "dsl")
    renewed = playbook.run(lab, "--limit", "kiosk", inventory=INVENTORY)
    assert renewed.code == 0, renewed.output
    assert all_up(lab)


def expired(lab: Lab) -> str:
    """A certificate as the kiosk's is, for the same key by the same authority, that was good until yesterday."""
    like = x509.load_pem_x509_certificate(certificate(lab).encode())
    folder = lab.folder / "ca"
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = load_pem_private_key((folder / "ca.key").read_bytes(), PASSPHRASE.encode())
    assert isinstance(key, EllipticCurvePrivateKey)
    end = datetime.now(UTC) - timedelta(days=1)
    made = x509.CertificateBuilder(authority.subject, like.subject, like.public_key(), x509.random_serial_number())
    made = made.not_valid_before(end - timedelta(days=9)).not_valid_after(end)
    for extension in like.extensions:
        made = made.add_extension(extension.value, extension.critical)
    return made.sign(key, SHA384()).public_bytes(Encoding.PEM).decode()


@pytest.mark.long
@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("extrude_ipsec_ca", "/nowhere/at/all", "extrude_ipsec_ca: /nowhere/at/all on this controller does not hold"),
        (
            "extrude_ipsec_ca_passphrase",
            "not the passphrase of this lab",
            "Is extrude_ipsec_ca_passphrase what its ca.key",
        ),
    ],
)
def test_another_authority_is_refused_and_nothing_changes(lab: Lab, variable: str, value: str, told: str) -> None:
    before = certificate(lab)
    run = playbook.run(
        lab, "--limit", "kiosk", "-e", json.dumps({variable: value, "extrude_ipsec_renew": True}), inventory=INVENTORY
    )
    assert run.code != 0
    assert any(message.startswith("colo: extrude_ipsec_ca") and told in message for message in run.failures())
    assert run.changed == 0, run.output
    assert certificate(lab) == before
    assert all_up(lab)


@pytest.mark.long
def test_a_filtered_ike_port_is_told_and_the_other_links_go_on(lab: Lab) -> None:
    rule = ["FORWARD", "-p", "udp", "-m", "multiport", "--dports", "500,4500", "-j", "DROP"]
    lab.exec("isp-dsl", ["iptables", "-I", *rule])
    try:
        lab.exec("office", ["swanctl", "--terminate", "--ike", "ex-dsl", "--force"])
        told = "ex-dsl  down  not encrypted: giving up after 3 retransmits"
        wait_until(lambda: told in extrude(lab, "office", "status"), "the site says why", 120)
        assert reached(lab, "office", "lte")
        assert reached(lab, "kiosk", "wifi")
    finally:
        lab.exec("isp-dsl", ["iptables", "-D", *rule])
    wait_until(lambda: all_up(lab), "all tunnels carry packets", 200)
    assert not is_clear(lab)


@pytest.mark.long
def test_long_messages_of_ike_pass_where_long_packets_do_not(lab: Lab) -> None:
    """As where a path is narrow and drops what was cut up: IKE cuts its messages up by itself (RFC 7383)."""
    rule = ["FORWARD", "-p", "udp", "-m", "length", "--length", "701:65535", "-j", "DROP"]
    settings = "/etc/strongswan.d/zz-narrow.conf"
    for host in ("colo", "kiosk"):
        lab.exec(host, ["sh", "-c", f"echo 'charon {{ fragment_size = 700 }}' >{settings}"])
        lab.exec(host, ["swanctl", "--reload-settings"])
    lab.exec("core", ["iptables", "-I", *rule])
    try:
        start = moments.now(lab)
        lab.exec("kiosk", ["swanctl", "--terminate", "--ike", "ex-wifi", "--force"])
        wait_until(lambda: "ex-wifi" in associations(lab, "kiosk"), "the connection is made anew", 120)
        assert any("splitting IKE message" in text for _time, text in moments.journal(lab, "kiosk", start))
    finally:
        lab.exec("core", ["iptables", "-D", *rule])
        for host in ("colo", "kiosk"):
            lab.exec(host, ["rm", settings])
            lab.exec(host, ["swanctl", "--reload-settings"])


@pytest.mark.long
def test_an_admins_own_connection_goes_on_whatever_becomes_of_ours(lab: Lab) -> None:
    for host, (own, far) in {"colo": ("colo", "office"), "office": ("office", "colo")}.items():
        lab.exec(host, ["sh", "-c", "cat >/etc/swanctl/conf.d/admin.conf"], stdin=_admins(own, far))
        lab.exec(host, ["swanctl", "--load-all", "--noprompt"])
    lab.exec("office", ["swanctl", "--initiate", "--child", "admin", "--timeout", "60"])
    before = {host: _number(lab, host) for host in ("colo", "office")}
    other = json.dumps(
        {"extrude_ipsec_ike": ["aes256gcm16-prfsha512-ecp384"], "extrude_ipsec_psk": "another secret once more"}
    )
    run = playbook.run(lab, "--limit", "office", "-e", other, inventory=INVENTORY)
    assert run.code == 0, run.output
    assert {host: _number(lab, host) for host in before} == before
    assert "ECP_384" in lab.exec("office", ["swanctl", "--list-sas", "--ike", "ex-dsl"]).stdout
    lab.exec("office", ["swanctl", "--terminate", "--ike", "admin"])
    for host in before:
        lab.exec(host, ["rm", "/etc/swanctl/conf.d/admin.conf"])
        lab.exec(host, ["swanctl", "--load-all", "--noprompt"])


ADDRESSES = {"colo": "203.0.113.2", "office": "192.0.2.2"}


def _admins(own: str, far: str) -> str:
    ends = {name: f"10.99.0.{number}/32" for number, name in enumerate(ADDRESSES)}
    return f"""
connections {{ admin {{
  version = 2
  local_addrs = {ADDRESSES[own]}
  remote_addrs = {ADDRESSES[far]}
  local {{
    auth = psk
    id = {own}.admin
  }}
  remote {{
    auth = psk
    id = {far}.admin
  }}
  children {{ admin {{
    local_ts = {ends[own]}
    remote_ts = {ends[far]}
  }} }}
}} }}
secrets {{ ike-admin {{
  id = office.admin
  secret = what the admin keeps to himself
}} }}
"""


def _number(lab: Lab, host: str) -> str:
    """Which connection the admin's is, of those that the daemon has made."""
    found = re.search(r"^admin: (#\d+), ESTABLISHED", lab.exec(host, ["swanctl", "--list-sas"]).stdout, re.MULTILINE)
    assert found
    return found[1]


def run_with(lab: Lab, folder: Path, **changes: Any) -> playbook.Run:
    """Deploy the office with other variables."""
    (folder / "more.yml").write_text(yaml.safe_dump({"all": {"hosts": {"office": {}}}}))
    (folder / "host_vars").mkdir(exist_ok=True)
    (folder / "host_vars" / "office.yml").write_text(yaml.safe_dump(changes))
    return playbook.run(lab, "--limit", "office", "-i", str(folder / "more.yml"), inventory=INVENTORY)


@pytest.mark.long
@pytest.mark.parametrize(("host", "device"), [("office", "dsl0"), ("colo", "eth0")])
def test_an_admins_masquerade_gives_no_packet_of_a_tunnel_another_source(lab: Lab, host: str, device: str) -> None:
    """That would fit no policy any more: it would leave in the clear, and nobody would take it."""
    rule = ["POSTROUTING", "-o", device, "-j", "MASQUERADE"]
    settings = [f"net.netfilter.nf_conntrack_gre_timeout{which}" for which in ("", "_stream")]
    before = lab.exec(host, ["sysctl", *settings]).stdout.replace(" ", "").split()
    lab.exec(host, ["iptables", "-t", "nat", "-A", *rule])
    try:
        lab.exec(host, ["sysctl", *(f"{setting}=2" for setting in settings)])
        lab.exec(host, ["systemctl", "stop", "strongswan"])
        time.sleep(10)  # what was tracked is forgotten: the next packet is a first one
        lab.exec(host, ["systemctl", "start", "strongswan"])
        wait_until(lambda: all_up(lab), "all tunnels carry packets", 200)
    finally:
        lab.exec(host, ["sysctl", *before])
        lab.exec(host, ["iptables", "-t", "nat", "-D", *rule])
    assert not is_clear(lab)


@pytest.mark.long
def test_packet_mode_spreads_one_connection_over_encrypted_links(lab: Lab, tmp_path: Path) -> None:
    run = run_with(lab, tmp_path, extrude_balance="packet", extrude_level_limit=300)
    assert run.code == 0, run.output
    before = (counted(lab, "isp-dsl")["esp"], counted(lab, "lte-router")["nat-t"])
    with moments.pings(lab, "office", "198.18.0.10", "-I", EXTRUDED["office"], step=0.05) as fared:
        time.sleep(20)
    after = (counted(lab, "isp-dsl")["esp"], counted(lab, "lte-router")["nat-t"])
    assert fared.lost == 0
    assert min(now - then for then, now in zip(before, after, strict=True)) > 50
    assert not is_clear(lab)


@pytest.mark.long
def test_from_secret_to_certificate_and_back_and_a_run_that_goes_back_finds_its_secret(
    lab: Lab, tmp_path: Path
) -> None:
    certified = {"extrude_ipsec_auth": "certificate"}
    rule = ["INPUT", "-p", "udp", "-s", "203.0.113.2", "-j", "DROP"]
    lab.exec("office", ["iptables", "-I", *rule])  # so no connection is made anew, and nothing is proved
    try:
        assert run_with(lab, tmp_path, **certified).code != 0
        assert secrets_kept(lab) == {"colo": 1, "office": 1}
    finally:
        lab.exec("office", ["iptables", "-D", *rule])
    for host in ("office", "colo"):
        lab.exec(host, ["extrude", "rollback"])
    wait_until(lambda: all_up(lab), "all tunnels carry packets", 300)
    made_anew(lab, "office")
    assert run_with(lab, tmp_path, **certified).code == 0
    assert associations(lab, "office").keys() == {"ex-dsl", "ex-lte"}
    for host in ("colo", "office"):
        assert "acme.1.secrets" not in lab.exec(host, ["ls", CONNECTIONS]).stdout
    made_anew(lab, "office")
    assert playbook.run(lab, "--limit", "office", inventory=INVENTORY).code == 0
    assert secrets_kept(lab) == {"colo": 1, "office": 1}
    made_anew(lab, "office")
    assert not is_clear(lab)


@pytest.mark.long
def test_encryption_is_turned_off_and_on_again(lab: Lab, tmp_path: Path) -> None:
    """One of the last: from here on packets are seen in the clear."""
    (dsl, *_others) = yaml.safe_load((INVENTORY / "host_vars" / "office.yml").read_text())["extrude_wans"]
    run = run_with(lab, tmp_path, extrude_wans=[{**dsl, "ipsec": False}])
    assert run.code == 0, run.output
    assert [text.split(":")[0] for text in run.words()] == ["dsl ok"]
    assert associations(lab, "office") == {}
    for host in ("colo", "office"):
        files = lab.exec(host, ["ls", "/etc/swanctl/conf.d"]).stdout
        assert "acme.1" not in files
        assert "ex-dsl" not in files
        assert "ex1-" not in files
    assert counted(lab, "isp-dsl")["gre"] > 0
    assert reached(lab, "kiosk", "wifi")
    run = playbook.run(lab, "--limit", "office", inventory=INVENTORY)
    assert run.code == 0, run.output
    assert associations(lab, "office") == {"ex-dsl": "BEET", "ex-lte": "BEET-in-UDP"}


@pytest.mark.long
@pytest.mark.parametrize("balance", ["flow", "packet"])
def test_a_plain_link_goes_together_with_one_behind_nat(lab: Lab, tmp_path: Path, balance: str) -> None:
    dsl, lte = yaml.safe_load((INVENTORY / "host_vars" / "office.yml").read_text())["extrude_wans"]
    wans = [{**dsl, "ipsec": False}, lte]
    run = run_with(lab, tmp_path, extrude_wans=wans, extrude_balance=balance, extrude_level_limit=300)
    assert run.code == 0, run.output
    assert associations(lab, "office") == {"ex-lte": "BEET-in-UDP"}
    before = (counted(lab, "isp-dsl")["gre"], counted(lab, "lte-router")["nat-t"])
    with ExitStack() as stack:
        pinging = [
            stack.enter_context(moments.pings(lab, "desk", address)) for address in ("198.18.0.10", "198.18.0.1")
        ]
        time.sleep(20)
    after = (counted(lab, "isp-dsl")["gre"], counted(lab, "lte-router")["nat-t"])
    assert [one.lost for one in pinging] == [0, 0]
    assert counted(lab, "lte-router")["gre"] == 0
    least = 20 if balance == "packet" else 0  # two flows may have the same link
    assert min(now - then for then, now in zip(before, after, strict=True)) > least
