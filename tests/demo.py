# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: extrudes an address in the virtual lab and shows, with figures, that it works."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.acceptance import playbook, sessions, stream, traffic
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS, ROUTER_ADDRESS
from tests.lab.common import LabError
from tests.lab.lab import Lab

MOST_LOST = 5000
"""Milliseconds that the cut of a link may cost a stream on a machine that is busy with other things."""


class DemoError(Exception):
    """Something is not as it should be; the sentence says what."""


def main() -> int:
    """Run the demo; the exit code is 0 only if everything was as it should be."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--backend", default="auto", help="auto, uml or qemu")
    parser.add_argument("--keep", action="store_true", help="leave the lab up afterwards")
    options = parser.parse_args()
    lab = Lab("demo")
    try:
        with _lab(lab, options.backend, keep=options.keep):
            print(demonstrate(lab), flush=True)
    except (DemoError, LabError) as error:
        print(f"demo: FAILED: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def _lab(lab: Lab, backend: str, *, keep: bool) -> Iterator[None]:
    _title("A small internet: two transit providers, a rack, two cheap links to an office")
    lab.down()
    lab.up(backend)
    try:
        yield
    finally:
        if keep:
            _say(f"The lab stays up: ssh -F {lab.ssh_config} office; end it with tests/lab/lab --name demo down")
        else:
            lab.down()


def demonstrate(lab: Lab) -> str:
    """Deploy and show; returns the last line."""
    traffic.own_the_desk_address(lab)
    _before(lab)
    _deploy(lab)
    _arp(lab)
    _sources(lab)
    measured = _shares(lab)
    _cut_transit(lab)
    _cut_link(lab)
    changed = _second_run(lab)
    share = "/".join(str(part) for part in measured.up.values())
    return f"demo: address ok, shares {share}, source ok, second run changed={changed}"


def _before(lab: Lab) -> None:
    _title("Before")
    _require(
        not traffic.reaches(lab, "internet", DESK_ADDRESS, 1), f"{DESK_ADDRESS} answers before anything is deployed"
    )
    _say("The hosts are fresh Debian 12. The playbook installs what they lack from a repository inside them.")
    _say(f"{ROUTER_ADDRESS} and {DESK_ADDRESS} belong to the rack's network; nothing answers for them.")


def _deploy(lab: Lab) -> None:
    _title("ansible-playbook -i inventories/lab playbooks/extrude.yml")
    run = _timed(lambda: playbook.run(lab))
    _require(run.code == 0, f"the playbook failed:\n{run.output}")
    for text in run.words():
        _say(text)


def _arp(lab: Lab) -> None:
    _title("Who answers for the address in the rack?")
    _require(traffic.reaches(lab, "internet", DESK_ADDRESS), f"{DESK_ADDRESS} is not reached from the internet")
    entry, colo = traffic.neighbour(lab, "upstream", DESK_ADDRESS), traffic.mac(lab, "colo", "eth0")
    _require(entry == colo, f"the upstream router has {entry or 'no one'} for {DESK_ADDRESS}, not the colo ({colo})")
    _say(f"The upstream router asked, and the colo answered: {DESK_ADDRESS} is at {entry}, the colo's MAC address.")
    name = traffic.fetch(lab, "internet", f"http://{DESK_ADDRESS}/name")
    _say(f"The internet host opens http://{DESK_ADDRESS}/ and lands on the office's LAN, on the host '{name}'.")


def _sources(lab: Lab) -> None:
    _title("Where do the office's packets seem to come from?")
    for source, who, expected in (
        (None, "The LAN host by its private address", ROUTER_ADDRESS),
        (DESK_ADDRESS, "The LAN host by its extruded address", DESK_ADDRESS),
    ):
        seen = traffic.source_seen_outside(lab, "desk", source)
        _require(seen == expected, f"{INTERNET_ADDRESS} saw {seen}, not {expected}")
        _say(f"{who}: a web server on the internet sees {seen}.")
    _say("Both internet providers of the office drop packets with such a source: these came out in the rack.")


def _shares(lab: Lab) -> traffic.Shares:
    _title(f"How much does each link carry? ({traffic.FLOWS} flows each way)")
    measured = traffic.shares(lab)
    for direction, share in (("office to internet", measured.up), ("internet to office", measured.down)):
        _require(min(share.values()) >= 5, f"a link carries next to nothing from {direction}: {share}")
        _say(f"{direction}: " + ", ".join(f"{wan} {percent} %" for wan, percent in share.items()))
    _say("Declared are dsl 20 and cable 10 Mbit/s up, 50 and 30 down, so 67/33 and 62/38 are due.")
    return measured


def _cut_transit(lab: Lab) -> None:
    _title("One transit provider is cut")
    lab.cut("transit-a")
    try:
        reached = traffic.reaches(lab, "internet", DESK_ADDRESS, 5)
    finally:
        lab.heal("transit-a")
    _require(reached, f"{DESK_ADDRESS} is not reached through the other provider")
    _say(f"{DESK_ADDRESS} is still reached, through the other one: that is what multihomed addresses are for.")


def _cut_link(lab: Lab) -> None:
    _title("The path of one office link dies, while the link itself stays up")
    sessions.wait_up(lab)
    fared = stream.undisturbed(lab, _cut_and_heal, beside="dsl")
    for direction, way in (("up", "office to internet"), ("down", "internet to office")):
        lost, gaps = fared[direction].longest, fared[direction].most_gaps
        _require(lost < MOST_LOST and gaps <= 1, f"{way}: {gaps} gaps of up to {lost} ms are too much")
        _say(f"{way}: {lost} ms lost, then all went through cable; nothing when dsl came back.")
    _say("Here 900 ms of silence mean that a link is dead, since emulated machines stall; the default is 150.")


def _cut_and_heal(lab: Lab, step: int) -> dict[str, stream.Stream]:
    with stream.streams(lab, step=step) as fared:
        time.sleep(1)
        lab.cut("dsl", black_hole=True)
        try:
            sessions.wait_down(lab, "colo", "ex1-dsl")
            time.sleep(1)
        finally:
            lab.heal("dsl")
        sessions.wait_up(lab)
        time.sleep(1)
    return fared


def _second_run(lab: Lab) -> int:
    _title("The same playbook again")
    run = _timed(lambda: playbook.run(lab))
    recap = re.search(r"office\s+: ok=\d+\s+changed=(\d+)", run.output)
    _require(run.code == 0 and recap is not None, f"the second run failed:\n{run.output}")
    _require(recap is not None and recap[1] == "0", f"the second run changed something:\n{run.output}")
    _say("Nothing to change.")
    return 0


def _timed(work: Callable[[], playbook.Run]) -> playbook.Run:
    start = time.monotonic()
    run = work()
    _say(f"({time.monotonic() - start:.0f} seconds)")
    return run


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise DemoError(problem)


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _say(text: str) -> None:
    print(f"   {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
