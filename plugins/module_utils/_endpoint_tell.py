# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site's end of a report: tells the colo the address of a link, from that very address, until it has heard.

All that ssh needs to know stands in a configuration of its own, which the inventory makes.
This module util is private to the collection.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from . import _liveness, _programs
from ._bind import Plain
from ._fields import EngineError
from ._learned import Report
from ._links import Link, Wan, wans_of
from ._liveness import Session
from ._local import Store, kernel_for, links_of

CONFIG = "endpoint_ssh"
"""The file of a site's state that is ssh's configuration (ssh_config(5)); it knows the colo as COLO."""
COLO = "colo"
UNIT = "extrude-endpoint@{}.service"

_LONGEST = 60
"""Seconds between two attempts at most."""
_ATTEMPT_SECONDS = 60
"""For one that got through: ssh itself notices within 10 s that a path is dead, and a colo may have many to hear."""
_SYSTEMD_SECONDS = 30
_SILENCE = 60
"""Seconds after a report in which its tunnel has to live. Else the colo is told again: it may have forgotten, as after
its disk was restored, or somebody else has told it of this link. The next time it is twice as long, since a colo whose
BIRD is off has thousands of links to hear of."""
_DOUBLINGS = 4
"""Up to 16 minutes."""
BUSY = 75
"""The exit code of the colo where another report of this site took too long (EX_TEMPFAIL of sysexits.h)."""
_HEARD = "heard "
"""What the colo's answer starts with; the address that it saw follows."""


# --- pure --------------------------------------------------------------------------------------------


def pauses(draw: Callable[[float, float], float] = random.uniform) -> Iterator[float]:
    """Seconds to wait after each attempt in vain: up to 1, 2, 4 and so on; sites must not come all at once."""
    longest = 1
    while True:
        yield draw(longest / 2, longest)
        longest = min(2 * longest, _LONGEST)


def ssh(program: str, folder: str, wan: str, address: str) -> list[str]:
    """The command that tells the colo of a link: out of the link itself, since the source has a rule."""
    return [program, "-F", f"{folder}/{CONFIG}", "-b", address, COLO, wan]


def answer(code: int, output: str, errors: str) -> tuple[str, str]:
    """The address that the colo has heard, and why it has not: one of both is empty."""
    said = output.strip()
    if code == 0 and said.startswith(_HEARD):
        return said.removeprefix(_HEARD), ""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if lines:
        return "", lines[-1]
    said_nothing = f"ssh ended with {code} and said nothing"
    return "", "the colo was busy with another report of this site" if code == BUSY else said_nothing


def leaves_by(route: str) -> str:
    """The device in what ``ip route get`` prints."""
    return route.partition(" dev ")[2].partition(" ")[0].strip()


def reported(state: Plain) -> list[Wan]:
    """The links of a site that the colo has to be told of."""
    has_config = any(file.get("path") == CONFIG for file in state.get("files") or ())
    unknown = [wan for wan in wans_of(state) if wan.address is None and not wan.encrypted and wan.use != "direct"]
    return unknown if has_config else []


def is_known(report: Report | None, link: Link) -> bool:
    """Whether the colo has heard where a link is now."""
    return report is not None and bool(report.heard) and report.address == link.address


def is_silent(report: Report | None, tunnels: Collection[str], sessions: Mapping[str, Session], now: datetime) -> bool:
    """Whether none of a link's tunnels lives though the colo has heard of it, and not just now."""
    if report is None or not report.heard or not tunnels:
        return False
    # the clock may have been set meanwhile, to either side
    waited = abs((now - datetime.fromisoformat(report.since)).total_seconds())
    return waited > _SILENCE * 2 ** min(report.again, _DOUBLINGS) and not lives(tunnels, sessions)


def lives(tunnels: Iterable[str], sessions: Mapping[str, Session]) -> bool:
    """Whether something comes through one of these tunnels."""
    return any(name in sessions and sessions[name].up for name in tunnels)


def tunnels_by_link(states: Iterable[Plain]) -> dict[str, list[str]]:
    """The names of each link's tunnels."""
    names: dict[str, list[str]] = {}
    for state in states:
        for tunnel in state.get("tunnels") or ():
            names.setdefault(str(tunnel.get("wan")), []).append(str(tunnel.get("name")))
    return names


# --- the host ----------------------------------------------------------------------------------------


def links(store: Store) -> dict[str, Link]:
    """The links that the colo has to be told of, as they are."""
    states = [state for state in store.states.load() if reported(state)]
    kernel = kernel_for(states)
    every = [(reported(state), links_of(state, store, kernel)) for state in states]
    return {wan.name: found[wan.name] for wans, found in every for wan in wans}


def follow(store: Store) -> None:
    """Have the colo told of each link whose address it does not know, beside the caller."""
    if not (Path(store.states.folder) / CONFIG).exists():  # a colo has thousands of states to read
        return
    found = links(store)
    for wan, link in found.items():
        if link.reason:
            store.reports.store(wan, None)
    if found:
        _forget_silent(store)
    up = {wan: link for wan, link in found.items() if not link.reason}
    start(store, {wan: link for wan, link in up.items() if not is_known(store.reports.read(wan), link)})


def _living(store: Store) -> set[str]:
    """The links through whose tunnels something comes."""
    sessions = _liveness.sessions() or {}
    return {wan for wan, tunnels in tunnels_by_link(store.states.load()).items() if lives(tunnels, sessions)}


def _forget_silent(store: Store) -> None:
    """Have the reports of links through whose tunnels nothing comes made anew, each time later."""
    sessions = _liveness.sessions()
    if sessions is None:
        return
    now = datetime.now(UTC)
    for wan, tunnels in tunnels_by_link(store.states.load()).items():
        report = store.reports.read(wan)
        if report and is_silent(report, tunnels, sessions, now):
            since = now.isoformat(timespec="seconds")
            store.reports.store(wan, Report(report.address, since, again=report.again + 1))
        elif report and report.again and lives(tunnels, sessions):
            store.reports.store(wan, replace(report, again=0))


def start(store: Store, due: Mapping[str, Link]) -> None:
    """Start the units that tell of these links; one that is at another address of its link begins anew."""
    begun = {wan for wan, link in due.items() if _is_begun(store.reports.read(wan), link.address)}
    for wan in due.keys() - begun:
        _begin(store, wan, due[wan].address)
    for verb, wans in (("restart", due.keys() - begun), ("start", begun)):
        if wans:
            _systemctl("--no-block", verb, *(UNIT.format(wan) for wan in sorted(wans)))


def tell(store: Store, wan: str) -> None:
    """Tell the colo of a link until it has heard, or the link is down."""
    for pause in pauses():
        link = links(store).get(wan)
        if link is None or link.reason:
            store.reports.store(wan, None)
            return
        if is_known(store.reports.read(wan), link):  # whoever began this came too late to see it
            return
        if _attempt(store, wan, link):
            return
        time.sleep(pause)


def tell_all(store: Store, patience: float, others: float) -> tuple[list[str], list[str]]:
    """Tell of all links that are up: those that are heard, and those that are not after some seconds, in words.

    Once one is heard the *others* have so many seconds: a path that is dead is no reason to wait.
    What is known counts only where something comes through the link's tunnel.
    """
    due = {wan: link for wan, link in links(store).items() if not link.reason}
    living = _living(store) if due else set()
    for wan in due.keys() - living:
        store.reports.store(wan, None)
    start(store, {wan: link for wan, link in due.items() if not is_known(store.reports.read(wan), link)})
    end, is_heard = time.monotonic() + patience, False
    while left := [wan for wan, link in due.items() if not is_known(store.reports.read(wan), link)]:
        now = time.monotonic()
        if len(left) < len(due) and not is_heard:
            end, is_heard = min(end, now + others), True
        if now >= end:
            break
        time.sleep(0.1)
    return [wan for wan in due if wan not in left], [f"{wan}: {_trouble(store.reports.read(wan))}" for wan in left]


def _trouble(report: Report | None) -> str:
    return (report.trouble if report else "") or "no answer from the colo yet"


def _is_begun(report: Report | None, address: str) -> bool:
    return report is not None and not report.heard and report.address == address


def _begin(store: Store, wan: str, address: str) -> Report:
    """Note that this address is told from now on: what happens meanwhile need not begin it anew."""
    report = Report(address, _now())
    store.reports.store(wan, report)
    return report


def _attempt(store: Store, wan: str, link: Link) -> bool:
    """Tell once; whether it was heard."""
    former = store.reports.read(wan)
    begun = former if former and _is_begun(former, link.address) else _begin(store, wan, link.address)
    if errors := _stray(store, wan, link):
        heard, trouble = "", errors
    else:
        code, output, errors = _run(store.states.folder, wan, link.address)
        heard, trouble = answer(code, output, errors)
    if trouble and trouble != begun.trouble:  # all that ssh says, once, for the journal
        sys.stderr.write(f"extrude: {wan}: the colo has not heard of it: {errors.strip() or trouble}\n")
    since = _now() if heard else begun.since
    store.reports.store(wan, replace(begun, since=since, heard=heard, trouble=trouble))
    return bool(heard)


def _stray(store: Store, wan: str, link: Link) -> str:
    """Why what is told now would not leave by the link: between its return and the hook that puts its rule there it
    may leave by another one, whose NAT would have the colo hear that one's address."""
    tunnels = [tunnel for state in store.states.load() for tunnel in state.get("tunnels") or ()]
    colo = next((str(one["remote"]) for one in tunnels if one.get("wan") == wan and one.get("remote")), None)
    if colo is None:
        return ""
    asked = _programs.run([_programs.find("ip") or "ip", "route", "get", colo, "from", link.address])
    if asked.returncode:
        return f"nothing leads from {link.address} to {colo}: {_programs.words(asked.stderr)}"
    device = leaves_by(asked.stdout)
    return "" if device == link.device else f"what comes from {link.address} would leave by {device}: no rule yet"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _run(folder: str, wan: str, address: str) -> tuple[int, str, str]:
    program = _programs.find("ssh")
    if program is None:
        return 127, "", "ssh is missing on this host (Debian package openssh-client)"
    try:
        done = subprocess.run(
            ssh(program, folder, wan, address),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_ATTEMPT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return 255, "", f"no answer in {_ATTEMPT_SECONDS} s"
    return done.returncode, done.stdout, done.stderr


def _systemctl(*words: str) -> None:
    done = _programs.run([_programs.find("systemctl") or "systemctl", *words], _SYSTEMD_SECONDS)
    if done.returncode:
        raise EngineError(f"the colo is not told: {_programs.words(done.stderr)}")
