# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench ARGS="fleet bird"`: what the sessions of a thousand sites cost the BIRD of their colo.

It has the configuration that a colo gets, in a namespace of this machine, with pairs of devices in the place of
tunnels. At their far ends one more BIRD has the sessions of all sites. It takes the other processor.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._bird import BGP_PORT, FIRST_AS
from tests.unit.netns import Netns, ip, scratch

CHECKOUT = Path(__file__).parents[2]
HOST = CHECKOUT / "roles" / "host" / "files"
PACKAGES = ("bird2", "libssh-gcrypt-4")
RUN = "/run/extrude"
PATIENCE = 300
"""Seconds after which sessions do not come up any more."""
REST = 30
"""Seconds over which the share of a processor is measured."""
TICKS = os.sysconf("SC_CLK_TCK")

FAR = """
router id 255.255.255.254;
protocol device {}
protocol bfd { accept ipv4 direct; strict bind yes; interface "s*" { interval 50 ms; idle tx interval 1 s; }; }
ipv4 table own;
template bgp session { direct; strict bind yes; connect delay time 1; connect retry time 2; hold time 30; bfd on; }
"""
FAR_NETWORK = """
protocol static { ipv4 { table own; }; route %s blackhole; }
"""
FAR_SESSION = """
protocol bgp from session {
  interface "%(device)s";
  local %(local)s port %(port)d as %(local_as)d;
  neighbor %(remote)s port %(port)d as %(remote_as)d;
  ipv4 { table own; import none; export where net = %(network)s; };
}
"""

Vars = dict[str, Any]


@dataclass(frozen=True)
class Session:
    """A tunnel of a site: the colo's device and address, the far ends of these, and what the site announces."""

    device: str
    address: str
    number: int
    site: int
    network: str

    @property
    def far(self) -> str:
        """The device at the far end."""
        return f"s{self.number}"

    @property
    def far_address(self) -> str:
        """The other one of the two addresses of a /31."""
        head, _dot, last = self.address.rpartition(".")
        return f"{head}.{int(last) + 1}"


def measure(states: Sequence[Vars], folder: Path) -> Vars:
    """Return the figures for the states of a colo."""
    sessions = list(_sessions(states))
    program = _bird(folder)
    with ExitStack() as stack:
        colo, far = stack.enter_context(scratch()), stack.enter_context(scratch())
        _cable(colo, far, sessions)
        _write(folder / "far", {"bird.conf": _far(sessions)})
        _write(folder / "colo", _files(states))
        interval = _interval(folder / "colo")
        stack.enter_context(_running(program, far, folder / "far"))
        with _running(program, colo, folder / "colo") as daemon:
            first = _until_up(daemon, len(sessions))
        with _running(program, colo, folder / "colo") as daemon:
            again = _until_up(daemon, len(sessions))
            time.sleep(REST / 3)
            spent = daemon.processor()
            time.sleep(REST)
            share = (daemon.processor() - spent) / REST
            return {
                "sessions": len(sessions),
                "interval, ms": interval,
                "all up, s": first,
                "after a restart, s": again,
                "share of a core at rest": share,
                "memory, MiB": daemon.memory() / 1024,
                "files": daemon.files(),
            }


def _sessions(states: Sequence[Vars]) -> Iterator[Session]:
    number = 0
    for state in states:
        addresses = {one["device"]: one["address"] for one in state["addresses"]}
        (network,) = {route["destination"] for route in state["routes"] if route["destination"].startswith("100.64.")}
        for tunnel in state["tunnels"]:
            number += 1
            site = int(re.sub(r"\D", "", tunnel["name"].partition("-")[0]))
            yield Session(tunnel["name"], addresses[tunnel["name"]].partition("/")[0], number, site, network)


def _cable(colo: Netns, far: Netns, sessions: Sequence[Session]) -> None:
    """Lay a pair of devices for each session. As in tunnels, nobody has to be asked for anybody's address: the kernel
    has room for 1,024 that it has asked for, in all namespaces together."""
    with colo.entered():
        ip("address add 192.0.2.2/32 dev lo")  # the colo's own, from which it sends
        ip(*(_pair(one, far) for one in sessions))
        _connect([(one.device, one.address, one.far_address, _mac(2, one)) for one in sessions])
    with far.entered():
        _connect([(one.far, one.far_address, one.address, _mac(1, one)) for one in sessions])


def _pair(one: Session, far: Netns) -> str:
    ends = f"name {one.far} address {_mac(2, one)} netns {far.path}"
    return f"link add {one.device} address {_mac(1, one)} type veth peer {ends}"


def _mac(end: int, session: Session) -> str:
    return f"02:00:00:0{end}:{session.number >> 8:02x}:{session.number & 255:02x}"


def _connect(ends: Sequence[tuple[str, str, str, str]]) -> None:
    """Bring up devices, each with its address, the far one, and whose that is."""
    ip(*(f"address add {address}/31 dev {device}" for device, address, _far, _mac in ends))
    ip(*(f"link set {device} up" for device, _address, _far, _mac in ends))
    ip(*(f"neigh add {far} lladdr {mac} dev {device} nud permanent" for device, _address, far, mac in ends))


def _files(states: Sequence[Vars]) -> dict[str, str]:
    """Return the colo's files by their names below /etc/extrude."""
    files = (file for state in states for file in state["files"] if not file["path"].startswith("standby.d/"))
    return {file["path"]: file["content"] for file in files}


def _far(sessions: Sequence[Session]) -> str:
    networks = dict.fromkeys(one.network for one in sessions)
    return FAR + "".join(FAR_NETWORK % network for network in networks) + "".join(map(_far_session, sessions))


def _far_session(session: Session) -> str:
    return FAR_SESSION % {
        "device": session.far,
        "local": session.far_address,
        "remote": session.address,
        "port": BGP_PORT,
        "local_as": FIRST_AS + session.site,
        "remote_as": FIRST_AS,
        "network": session.network,
    }


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace(RUN, str(folder)), encoding="utf-8")


def _interval(folder: Path) -> int:
    """Have the interval chosen as on a host; milliseconds."""
    words = (HOST / "bin" / "liveness").read_text(encoding="utf-8")
    words = words.replace("CONFIG=/etc/extrude RUN=/run/extrude", f"CONFIG={folder} RUN={folder}")
    words = words.replace("id -u extrude-bird", "true")
    subprocess.run(["sh", "-s", "prepare"], input=words, text=True, check=True)
    made = re.search(r"= (\d+);", (folder / "bird-interval.conf").read_text(encoding="ascii"))
    assert made
    return int(made[1])


# --- the daemon -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Daemon:
    """A BIRD that runs."""

    process: subprocess.Popen[bytes]
    program: Path
    folder: Path

    def established(self) -> int:
        """How many sessions are up."""
        asked = [str(self.program.with_name("birdcl")), "-s", str(self.folder / "bird.ctl"), "show", "protocols"]
        told = subprocess.run(asked, text=True, check=False, capture_output=True).stdout
        return len(re.findall(r" Established *$", told, re.MULTILINE))

    def processor(self) -> float:
        """Seconds of processor that it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self) -> int:
        """Resident memory in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])

    def files(self) -> int:
        """How many files it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


def _bird(folder: Path) -> Path:
    """Unpack Debian's BIRD, without installing it: it would start."""
    subprocess.run(["apt-get", "-qq", "download", *PACKAGES], check=True, cwd=folder, stderr=subprocess.DEVNULL)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    return folder / "usr" / "sbin" / "bird"


@contextmanager
def _running(program: Path, place: Netns, folder: Path) -> Iterator[Daemon]:
    """Run BIRD with the limits that its unit has, in a namespace, for the body."""
    (library,) = (program.parents[1] / "lib").glob("*-linux-gnu")
    files = ["-c", str(folder / "bird.conf"), "-s", str(folder / "bird.ctl")]
    command = ["prlimit", *_limits(), str(program), "-f", *files]
    with place.entered(), (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env={**os.environ, "LD_LIBRARY_PATH": str(library)}, stderr=log)
    try:
        yield Daemon(process, program, folder)
    finally:
        process.terminate()
        process.wait()


def _limits() -> list[str]:
    """Return the limit of open files: systemd's own, unless the unit has one."""
    unit = (HOST / "units" / "extrude-bird.service").read_text(encoding="utf-8")
    own = re.search(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [f"--nofile={min(int(own[1]), most) if own else 1024}:"]


def _until_up(daemon: Daemon, count: int) -> float:
    """Wait until all sessions are up; seconds."""
    begun = time.monotonic()
    while (up := daemon.established()) < count:
        if time.monotonic() - begun > PATIENCE or daemon.process.poll() is not None:
            raise SystemExit(f"after {PATIENCE} s {up} of {count} sessions are up: {daemon.folder / 'log'}")
        time.sleep(0.5)
    return time.monotonic() - begun
