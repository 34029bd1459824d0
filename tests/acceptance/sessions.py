# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions by which BIRD watches the tunnels, and what it makes of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from tests.lab.lab import Lab

UNIT = "extrude-bird.service"
Tunnels = Mapping[str, Collection[str]]
"""The names of tunnels by host."""
TUNNELS = {"colo": ("ex1-dsl", "ex1-cable"), "office": ("ex-dsl", "ex-cable")}
ISPS = ("isp-dsl", "isp-cable")
LONGEST = 60
"""Seconds that a session can need: the longest hold-down, and some."""
_SHOW = "birdc -s /run/extrude/bird.ctl show protocols"


def birdc(lab: Lab, host: str, *words: str) -> str:
    """What BIRD answers."""
    return lab.exec(host, ["birdc", "-s", "/run/extrude/bird.ctl", *words], check=False).stdout


def since(lab: Lab, host: str) -> dict[str, float]:
    """The sessions that are up, each with the second since when."""
    lines = [line.split() for line in birdc(lab, host, "show", "protocols").splitlines() if " BGP " in line]
    up = [words for words in lines if words[-1] == "Established"]
    return {words[0]: datetime.fromisoformat(" ".join(words[4:6])).timestamp() for words in up}


def kept(before: Mapping[str, float], after: Mapping[str, float]) -> set[str]:
    """Those that were up before and have been since.

    BIRD works the time out anew each time, by a clock that may be put right meanwhile; a session that closes needs more
    than a second until it is up again.
    """
    return {name for name in before.keys() & after.keys() if abs(before[name] - after[name]) < 1}


def hold_down(lab: Lab, host: str, session: str) -> int:
    """For how many seconds a session is held down now; 0 where it is not."""
    found = re.search(r"Error wait: +[0-9.]+/([0-9.]+)", details(lab, host, session))
    return round(float(found[1])) if found else 0


def details(lab: Lab, host: str, session: str) -> str:
    """All that BIRD says of a session. Its name has a dash, and so needs quotes."""
    return birdc(lab, host, "show", "protocols", "all", f"'{session}'")


def wait_up(lab: Lab, tunnels: Tunnels | None = None) -> None:
    """Start what has been stopped, and wait until these sessions (None: all) are up, and BIRD's routes count."""
    tunnels = tunnels or TUNNELS
    for host in tunnels:  # a session needs both ends
        lab.exec(host, ["systemctl", "start", UNIT], timeout=60)
    for host, names in tunnels.items():
        wait_established(lab, host, names)
        wait(lab, host, "test -e /run/extrude/live")


def wait_established(lab: Lab, host: str, names: Collection[str]) -> None:
    """Wait until these sessions of a host are up."""
    wait(lab, host, " && ".join(f"{_SHOW} | grep -q '^{name} .*Established'" for name in names))


def wait_down(lab: Lab, host: str, session: str) -> None:
    """Wait until a session is not up."""
    wait(lab, host, f"! {_SHOW} | grep -q '^{session} .*Established'")


@contextmanager
def tunnels_down(lab: Lab, tunnels: Tunnels | None = None) -> Iterator[None]:
    """Let none of these *tunnels* (None: the office's) through for the body; its links stay as they are."""
    _set_gre(lab, "-I")
    try:
        for host, names in (tunnels or TUNNELS).items():
            for name in names:
                wait_down(lab, host, name)
        yield
    finally:
        _set_gre(lab, "-D")
        wait_up(lab, tunnels)


def _set_gre(lab: Lab, action: str) -> None:
    for isp in ISPS:
        lab.exec(isp, ["iptables", "-w", action, "FORWARD", "-p", "gre", "-j", "DROP"])


def wait(lab: Lab, host: str, condition: str) -> None:
    """Wait until a shell command succeeds on a host."""
    end = time.monotonic() + LONGEST
    while lab.exec(host, ["sh", "-c", condition], check=False).returncode:
        if time.monotonic() > end:
            state = "\n".join(line for line in birdc(lab, host, "show", "protocols").splitlines() if " BGP " in line)
            raise AssertionError(f"after {LONGEST} s there is still not on {host}: {condition}\n{state}")
        time.sleep(0.5)


def ways(lab: Lab, host: str, destination: str, table: int = 4200) -> dict[str, int]:
    """The devices of BIRD's route in the kernel, with their weights."""
    command = ["ip", "-j", "route", "show", "table", str(table), "proto", "bird", destination]
    routes: list[dict[str, Any]] = json.loads(lab.exec(host, command, check=False).stdout or "[]")
    hops = [hop for route in routes for hop in route.get("nexthops", [route])]
    return {hop["dev"]: hop.get("weight", 1) for hop in hops}
