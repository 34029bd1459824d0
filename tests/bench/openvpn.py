# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench ARGS=openvpn`: processor time per gigabit of two GRE tunnels, and of two of Debian's OpenVPN.

The same datagrams go at the same rate from the colo to the desk: without a tunnel, through OpenVPN (a process at each
end of each link, with its default cipher and with none), and through what the collection deploys. What counts is the
processor time that the lab's machine takes of this computer: by its own clock it would also have worked while others
did. All hosts share its kernel, which does not say for whom it worked, so the site's router is told by differences:

* what a tunnel costs over the same hops without one is the work of its two ends, and half of it the router's;
* two hops more between plain namespaces, the internet instead of the provider's end of the link, cost two routers'
  forwarding and two cables; half of it is the router's forwarding.

The router is the sum of both. What BIRD does meanwhile counts for GRE, as do OpenVPN's own packets for OpenVPN.
Datagrams are small enough to pass whole, and one by one: no super-packets, from which only GRE would gain. On an
emulated processor ciphers have no instructions of their own and cost more than on a real one; compare without.

Leave the machine alone meanwhile: when something else has the processor, the lab's kernel takes that for work of its
own. Runs that differ much say that it happened, and that the figures are worth nothing.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.acceptance import traffic
from tests.bench import liveness, report
from tests.lab.lab import Lab

FLOWS, DATAGRAM = 8, 1300
PACING = 10_000
"""Microseconds between two looks at the clock: with iperf3's own 1000 its timers would cost more than the datagrams."""
COLO, SITE, USER = "colo", "office", "desk"
NEAR, FAR, PLAIN, BARE, DEFAULT, GRE = "near", "far", "plain", "openvpn-none", "openvpn", "gre"
NAMES = {
    NEAR: "no tunnel, from the provider",
    FAR: "no tunnel, from the internet: two hops more",
    PLAIN: "no tunnel, from the colo",
    BARE: "OpenVPN, no cipher",
    DEFAULT: "OpenVPN, AES-256-GCM",
    GRE: "multihome.extrude (GRE)",
}
HEAD = (
    "path",
    "machine, s/Gbit",
    "both ends of the tunnels",
    "times GRE's",
    "site's router",
    "times GRE's",
    "lost, %",
    "by dsl, %",
    "machine, all runs",
)


@dataclass(frozen=True)
class Link:
    """A link of the site, and the OpenVPN process at each of its ends. `user` is an address on it for the desk."""

    name: str
    address: str
    gateway: str
    port: int
    inner: tuple[str, str]

    @property
    def device(self) -> str:
        """OpenVPN's, at both ends."""
        return f"ovpn-{self.name}"


LINKS = (
    Link("dsl", "192.0.2.2", "192.0.2.1", 1194, ("10.99.1.1", "10.99.1.2")),
    Link("cable", "198.51.100.2", "198.51.100.1", 1195, ("10.99.2.1", "10.99.2.2")),
)
COLO_ADDRESS, COLO_INNER = "203.0.113.2", "198.18.9.1"
PLAIN_ADDRESS, OPENVPN_ADDRESS = "192.0.2.3", "10.99.0.2"
"""The desk's, as one of the DSL provider's customers and behind OpenVPN."""


@dataclass(frozen=True)
class Way:
    """The addresses of the desk and of what sends to it, and the devices of the site that all should come by."""

    source: str
    target: str
    devices: tuple[str, ...]


WAYS = {
    NEAR: Way(PLAIN_ADDRESS, LINKS[0].gateway, ("dsl0", "cable0")),
    FAR: Way(PLAIN_ADDRESS, traffic.INTERNET_ADDRESS, ("dsl0", "cable0")),
    PLAIN: Way(PLAIN_ADDRESS, COLO_ADDRESS, ("dsl0", "cable0")),
    BARE: Way(OPENVPN_ADDRESS, COLO_INNER, tuple(link.device for link in LINKS)),
    DEFAULT: Way(OPENVPN_ADDRESS, COLO_INNER, tuple(link.device for link in LINKS)),
    GRE: Way(traffic.DESK_ADDRESS, COLO_INNER, ("ex-dsl", "ex-cable")),
}
CIPHERS = {BARE: "data-ciphers none\ncipher none\nauth none\nreneg-bytes 0\n", DEFAULT: ""}
"""Lines for both ends. Without a cipher OpenVPN makes new keys each 64 MB, unless it is told not to."""


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time per gigabit: of the whole machine, a tunnel's two ends, and the site's router."""

    machine: float
    ends: float
    router: float


def main(words: list[str] | None = None) -> None:
    """Measure; print a table, and with --json the figures."""
    parser = report.parser("openvpn", __doc__, backend="qemu")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=20, help="Mbit/s")
    parser.add_argument("--seconds", type=int, default=20, help="of each run")
    options = parser.parse_args(words)
    sending = Sending(options.runs, options.rate, options.seconds)
    rows = report.measured(options, lambda lab: measure(lab, sending))
    print(report.table(HEAD, _lines(rows)))


def measure(lab: Lab, sending: Sending) -> Iterator[report.Row]:
    """Yield the figures of each way. The collection comes last: nothing of it is there while OpenVPN is measured."""
    prepare(lab)
    for case in (NEAR, FAR, PLAIN):
        yield sending.row(lab, case)
    for case, cipher in CIPHERS.items():
        start_openvpn(lab, cipher)
        yield sending.row(lab, case)
    stop_openvpn(lab)
    liveness.deploy(lab)
    yield sending.row(lab, GRE)


# --- sending ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sending:
    """How often, how fast (Mbit/s) and for how many seconds datagrams are sent."""

    runs: int
    rate: float
    seconds: int

    def row(self, lab: Lab, case: str) -> report.Row:
        """Return the figures of all runs of a way."""
        way = WAYS[case]
        wait_reachable(lab, USER, way.source, way.target)
        before = _received(lab, way)
        told = [self._run(lab, way) for _number in range(self.runs)]
        came = [after - first for first, after in zip(before, _received(lab, way), strict=True)]
        row = {
            "case": case,
            "runs": [round(run["busy"] / gigabits(run), 2) for run in told],
            "lost": [round(run["end"]["sum"]["lost_percent"], 2) for run in told],
            "first": round(100 * came[0] / max(1, sum(came))),
        }
        print(json.dumps(row), flush=True)
        return row

    def _run(self, lab: Lab, way: Way) -> report.Row:
        """Return what iperf3 told, with the processor time that it took."""
        send = ["iperf3", "-c", way.target, "-B", way.source, "-R", "-u", "-l", str(DATAGRAM), "-P", str(FLOWS)]
        send += ["-J", "-i", "0"]
        send += ["-t", str(self.seconds), "-b", f"{self.rate / FLOWS}M", "--pacing-timer", str(PACING)]
        before = lab.processor_seconds()
        told = json.loads(lab.exec(USER, send, timeout=self.seconds + 120).stdout)
        return {"busy": lab.processor_seconds() - before, **told}


def gigabits(told: report.Row) -> float:
    """Return what arrived."""
    total = told["end"]["sum"]
    return float((total["packets"] - total["lost_packets"]) * DATAGRAM * 8 / 1e9)


def _received(lab: Lab, way: Way) -> list[int]:
    """Packets that have come to the site by each of the devices."""
    files = [f"/sys/class/net/{device}/statistics/rx_packets" for device in way.devices]
    return [int(line) for line in lab.exec(SITE, ["cat", *files]).stdout.split()]


def wait_reachable(lab: Lab, node: str, source: str, target: str, seconds: float = 60) -> None:
    """Wait until pings get through."""
    end = time.monotonic() + seconds
    ping = ["ping", "-q", "-c", "4", "-i", "0.2", "-W", "2", "-I", source, target]
    while " 0% packet loss" not in (said := lab.exec(node, ping, check=False).stdout):
        if time.monotonic() > end:
            raise SystemExit(f"{target} doesn't answer {source} at {node}:\n{said}")
        time.sleep(1)


# --- the lab ----------------------------------------------------------------------------------------


def prepare(lab: Lab) -> None:
    """Let links carry all they can and the desk be reached without a tunnel; the colo answers at both its addresses."""
    serve = "iperf3 --server --daemon --bind"
    for link in LINKS:
        lab.unshape(link.name)
    commands(lab, USER, *(f"ip address replace {address}/32 dev eth0" for address in (PLAIN_ADDRESS, OPENVPN_ADDRESS)))
    commands(
        lab,
        SITE,
        "sysctl -q net.ipv4.ip_forward=1 net.ipv4.fib_multipath_hash_policy=1 net.ipv4.conf.dsl0.proxy_arp=1",
        *(f"ip route replace {address} dev lan0" for address in (PLAIN_ADDRESS, OPENVPN_ADDRESS)),
        *(f"ip route replace default via {link.gateway} table {link.port}" for link in LINKS),
        *(f"ip rule del from {link.address} 2> /dev/null || true" for link in LINKS),
        *(f"ip rule add from {link.address} lookup {link.port}" for link in LINKS),
    )
    commands(
        lab,
        COLO,
        "sysctl -q net.ipv4.fib_multipath_hash_policy=1",
        f"ip address replace {COLO_INNER}/32 dev lo",
        *(f"ss -Hltn src {address}:5201 | grep -q . || {serve} {address}" for address in (COLO_ADDRESS, COLO_INNER)),
    )
    for host in (COLO, SITE):
        commands(lab, host, "apt-get -q update", "apt-get -qy install openvpn", "modprobe tun || true")


def start_openvpn(lab: Lab, cipher: str) -> None:
    """Start OpenVPN at both ends of each link, with certificates that they know each other by; route over both."""
    stop_openvpn(lab)
    prints = {host: certificate(lab, host) for host in (COLO, SITE)}
    for link in LINKS:
        write(lab, COLO, link, colo_end(link, prints[SITE]) + cipher)
        write(lab, SITE, link, site_end(link, prints[COLO]) + cipher)
    for host, address in ((COLO, OPENVPN_ADDRESS), (SITE, COLO_INNER)):
        commands(lab, host, *(f"systemctl start --no-block openvpn-server@{link.name}" for link in LINKS))
        hops = " ".join(f"nexthop dev {link.device}" for link in LINKS)
        up = " && ".join(f"ip link show up dev {link.device} | grep -q ." for link in LINKS)
        commands(lab, host, f"n=0; until {up}; do n=$((n + 1)); [ $n -lt 60 ]; sleep 1; done")
        commands(lab, host, f"ip route replace {address} {hops}")
    for link in LINKS:
        wait_reachable(lab, SITE, link.inner[1], link.inner[0])


def stop_openvpn(lab: Lab) -> None:
    """Stop all; devices and the routes over them go too."""
    for host in (COLO, SITE):
        commands(lab, host, *(f"systemctl stop openvpn-server@{link.name}" for link in LINKS))


def certificate(lab: Lab, host: str) -> str:
    """Make a host's key and certificate, and return its fingerprint."""
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=bench"
    commands(lab, host, f"cd /etc/openvpn/server && {make} -keyout key -out crt 2> /dev/null")
    told = lab.exec(host, ["openssl", "x509", "-in", "/etc/openvpn/server/crt", "-noout", "-fingerprint", "-sha256"])
    return told.stdout.strip().partition("=")[2]


def colo_end(link: Link, fingerprint: str) -> str:
    """Return the colo's configuration of a link, but for the cipher."""
    return f"local {COLO_ADDRESS}\nlport {link.port}\ntls-server\ndh none\n" + _both(link, link.inner, fingerprint)


def site_end(link: Link, fingerprint: str) -> str:
    """Return the site's configuration of a link, but for the cipher."""
    ends = f"local {link.address}\nlport {link.port}\nremote {COLO_ADDRESS} {link.port}\ntls-client\n"
    return ends + _both(link, link.inner[::-1], fingerprint)


def _both(link: Link, inner: Sequence[str], fingerprint: str) -> str:
    return (
        f"dev {link.device}\ndev-type tun\nproto udp4\nifconfig {' '.join(inner)}\nkeepalive 10 60\nverb 3\n"
        f"cert /etc/openvpn/server/crt\nkey /etc/openvpn/server/key\npeer-fingerprint {fingerprint}\n"
    )


def write(lab: Lab, host: str, link: Link, text: str) -> None:
    """Write the configuration of a process."""
    lab.exec(host, ["tee", f"/etc/openvpn/server/{link.name}.conf"], stdin=text)


def commands(lab: Lab, node: str, *lines: str) -> None:
    """Run lines of shell in a node, up to the first that fails."""
    done = lab.exec(node, ["sh", "-ec", "\n".join(lines)], check=False, timeout=300)
    if done.returncode:
        raise SystemExit(f"{node}: failed:\n{chr(10).join(lines)}\n{done.stdout}{done.stderr}")


# --- telling ----------------------------------------------------------------------------------------


def costs(medians: Mapping[str, float]) -> dict[str, Cost]:
    """Return what each way costs, from the seconds per gigabit of the whole machine."""
    forwarding = (medians[FAR] - medians[NEAR]) / 2
    return {
        case: Cost(machine, machine - medians[PLAIN], forwarding + (machine - medians[PLAIN]) / 2)
        for case, machine in medians.items()
        if case not in (NEAR, FAR)
    }


def _lines(rows: Sequence[report.Row]) -> Iterator[tuple[str, ...]]:
    medians = {row["case"]: statistics.median(row["runs"]) for row in rows}
    told = costs(medians)
    for row in rows:
        runs = ", ".join(f"{run:.1f}" for run in sorted(row["runs"]))
        figures = _figures(row["case"], told)
        yield (
            NAMES[row["case"]],
            f"{medians[row['case']]:.1f}",
            *figures,
            f"{max(row['lost']):.1f}",
            str(row["first"]),
            runs,
        )


def _figures(case: str, told: Mapping[str, Cost]) -> tuple[str, str, str, str]:
    if case in (NEAR, FAR):
        return ("", "", "", "")
    cost, gre = told[case], told[GRE]
    ends = ("", "") if case == PLAIN else (f"{cost.ends:.1f}", f"{cost.ends / gre.ends:.1f}")
    return (*ends, f"{cost.router:.1f}", f"{cost.router / gre.router:.1f}")
