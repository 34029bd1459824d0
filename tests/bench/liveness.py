# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench ARGS=liveness`: what users lose when a path dies under a link that is up, and by what else happens.

Streams run in both directions between the internet and a host on the LAN while a link is black-holed, comes back,
changes its weight and its tier, and while BIRD is killed at either end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.acceptance import inventory, modules, playbook, sessions, stream
from tests.bench import report
from tests.lab.lab import Lab

LINK = "dsl"
QUICK = {"detect": 150, "hold_down": 1, "hold_down_max": 2}
"""Keys of each link. Changes are measured without: of some of their steps the lab makes longer pauses than 150 ms."""
FLOWS = 8
STEP, VOICE_STEP = 10, 20
"""Milliseconds between two packets of a flow."""
PLANNED: tuple[dict[str, Any], ...] = ({"up": 5, "down": 5}, {"metric": 2}, {})
"""Keys of the link, one after the other; the last are those that it had."""
HEAD = ("what", "direction", "times", "median", "p95", "most")


@dataclass
class Costs:
    """What an event costs the flow that fares worst, each time, by direction: milliseconds, or packets."""

    lab: Lab
    what: str
    packets: bool = False
    found: dict[str, list[int]] = field(default_factory=lambda: {"up": [], "down": []})

    def of(self, event: Callable[[Lab], None], repeatable: bool = False) -> None:
        """Let it happen to streams; one that is repeatable once more where the lab's own queues have overflowed."""

        def measured(lab: Lab, step: int) -> dict[str, stream.Stream]:
            with stream.streams(lab, FLOWS, step) as fared:
                time.sleep(1)
                event(lab)
                time.sleep(1)
            return fared

        step = VOICE_STEP if self.packets else STEP
        fared = stream.undisturbed(self.lab, measured, step=step) if repeatable else measured(self.lab, step)
        for direction, one in fared.items():
            self.found[direction].append(max(one.lost) if self.packets else one.longest)

    def rows(self) -> Iterator[report.Row]:
        """Yield the figures of each direction."""
        for direction, costs in self.found.items():
            ranked = sorted(costs)
            yield {
                "what": self.what,
                "direction": direction,
                "times": len(ranked),
                "median": ranked[len(ranked) // 2],
                "p95": ranked[max(0, -(-len(ranked) * 95 // 100) - 1)],
                "most": ranked[-1],
                "all": costs,
            }


def main(words: list[str] | None = None) -> None:
    """Measure; print a table, and with --json the figures."""
    parser = report.parser("liveness", __doc__)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=5)
    options = parser.parse_args(words)
    rows = report.measured(options, lambda lab: measure(lab, options.cuts, options.restarts))
    print(report.table(HEAD, ([str(row[name]) for name in HEAD] for row in rows)))


def measure(lab: Lab, cuts: int, restarts: int) -> Iterator[report.Row]:
    """Yield the figures, a row for each event and direction."""
    deploy(lab)
    planned = Costs(lab, "three planned changes, of weight, of tier and back: ms")
    for _number in range(restarts):
        planned.of(plan, repeatable=True)
    change(lab, every=QUICK)
    sessions.wait_up(lab)
    died, returned = Costs(lab, "path black-holed, link up: ms"), Costs(lab, "the same path comes back: ms")
    voice = Costs(lab, "the same cut, packets of a 20 ms stream", packets=True)
    for _number in range(cuts):
        died.of(cut)
        returned.of(heal)
        voice.of(cut)
        heal(lab)
    killed = [Costs(lab, f"BIRD killed at the {host}: ms") for host in sessions.TUNNELS]
    for costs, host in zip(killed, sessions.TUNNELS, strict=True):
        for _number in range(restarts):
            costs.of(partial(kill, host=host))
    for costs in (died, returned, voice, planned, *killed):
        if costs.found["up"]:
            yield from costs.rows()


def deploy(lab: Lab) -> None:
    """Deploy the lab's own inventory."""
    done = playbook.run(lab)
    if done.code != 0:
        raise SystemExit(f"the deployment failed:\n{done.output}")
    sessions.wait_up(lab)


# --- what happens -----------------------------------------------------------------------------------


def cut(lab: Lab) -> None:
    """Black-hole the link; the devices of its ends stay up."""
    lab.cut(LINK, black_hole=True)
    for host, (tunnel, *_others) in sessions.TUNNELS.items():
        sessions.wait_down(lab, host, tunnel)


def heal(lab: Lab) -> None:
    """Let the link live, until its sessions are up again."""
    lab.heal(LINK)
    sessions.wait_up(lab)


def change(lab: Lab, link: dict[str, Any] | None = None, every: dict[str, Any] | None = None) -> None:
    """Bring both ends to other keys of the link, and of every link."""
    site = inventory.lab_host("office")
    for wan in site["extrude_wans"]:
        wan.update(every or {})
        wan.update((link or {}) if wan["name"] == LINK else {})
    modules.bring(lab, site)


def plan(lab: Lab) -> None:
    """Change the link under traffic, and back."""
    for keys in PLANNED:
        change(lab, keys)


def kill(lab: Lab, host: str) -> None:
    """Kill BIRD, and wait until it is there again."""
    lab.exec(host, ["systemctl", "kill", "--kill-whom=main", "--signal=KILL", sessions.UNIT])
    time.sleep(2)
    sessions.wait_up(lab)
