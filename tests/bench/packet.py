# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench ARGS=packet`: what one TCP connection gets over two unlike links, in the lab.

Each case shapes the links, deploys (which measures and levels them), and sends for some seconds, again and again. One
run says little: a sender that gives up slow start too early shows in every fifth. So all runs are told.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.acceptance import inventory, playbook, traffic
from tests.bench import report
from tests.lab.lab import Lab

SECONDS, WARM_UP = 8, 3
LINKS = ("dsl", "cable")
SENDERS = {"down": "internet", "up": "desk"}
REPORTED = ("links", "mode", "offloads", "direction", "Mbit/s, median", "lowest", "all runs")


@dataclass(frozen=True)
class Link:
    """A link in both directions: Mbit/s, and milliseconds one way; `declared` is what the inventory says of it."""

    rate: float
    delay: float
    jitter: float = 0
    loss: float = 0
    declared: float | None = None


@dataclass(frozen=True)
class Case:
    """Two links and how connections use them. `flows` is the number of connections at the same time."""

    name: str
    dsl: Link
    cable: Link
    mode: str = "packet"
    flows: int = 1
    links: dict[str, Link] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.links.update(dsl=self.dsl, cable=self.cable)


FAST, MIDDLE = Link(300, 5), Link(80, 15)
CASES = {
    "alike": Case("100 + 100, RTT 10", Link(100, 5), Link(100, 5)),
    "unlike": Case("300, RTT 10 + 80, RTT 30", FAST, MIDDLE),
    "far": Case("300, RTT 8 + 30, RTT 40", Link(300, 4), Link(30, 20)),
    "flows": Case("300, RTT 10 + 80, RTT 30; 16 connections", FAST, MIDDLE, "flow", 16),
    "flow": Case("300, RTT 10 + 80, RTT 30", FAST, MIDDLE, "flow"),
    "jitter3": Case("the same, jitter 3 ms on the slow link", FAST, Link(80, 15, jitter=3)),
    "jitter10": Case("the same, jitter 10 ms on the slow link", FAST, Link(80, 15, jitter=10)),
    "loss": Case("the same, 0.5 % loss on the slow link", FAST, Link(80, 15, loss=0.5)),
    "over": Case("the same, 80 declared and 56 real", FAST, Link(56, 15, declared=80)),
    "under": Case("the same, 80 declared and 104 real", FAST, Link(104, 15, declared=80)),
    "jitter3-flow": Case("the same, jitter 3 ms on the slow link", FAST, Link(80, 15, jitter=3), "flow"),
    "jitter10-flow": Case("the same, jitter 10 ms on the slow link", FAST, Link(80, 15, jitter=10), "flow"),
    "loss-flow": Case("the same, 0.5 % loss on the slow link", FAST, Link(80, 15, loss=0.5), "flow"),
    "over-flow": Case("the same, 80 declared and 56 real", FAST, Link(56, 15, declared=80), "flow"),
}
USUAL = ("alike", "unlike", "far", "flows")


def main(words: list[str] | None = None) -> None:
    """Run the cases that are asked for; print a table, and with --json the figures."""
    parser = report.parser("packet", __doc__)
    parser.add_argument(
        "cases", nargs="*", choices=[*CASES, []], help=f"of {', '.join(CASES)}; default: the first ones"
    )
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--directions", nargs="+", choices=tuple(SENDERS), default=["down"])
    parser.add_argument("--offloads", nargs="+", choices=("on", "off"), default=["off", "on"])
    parser.add_argument("--scale", type=float, default=1, help="multiply all rates, for a machine that is too slow")
    options = parser.parse_args(words)
    cases = [scaled(CASES[name], options.scale) for name in options.cases or USUAL]
    rows = report.measured(options, lambda lab: (row for case in cases for row in run(lab, case, options)))
    print(report.table(REPORTED, map(_cells, rows)))


def scaled(case: Case, scale: float) -> Case:
    """Return a case with all rates multiplied."""
    if scale == 1:
        return case
    dsl, cable = (
        replace(link, rate=link.rate * scale, declared=link.declared and link.declared * scale)
        for link in (case.dsl, case.cable)
    )
    return replace(case, name=f"{case.name}; rates x {scale:g}", dsl=dsl, cable=cable)


def run(lab: Lab, case: Case, options: argparse.Namespace) -> Iterator[report.Row]:
    """Yield the figures of a case: one row for each direction, with and without offloads."""
    for name, link in case.links.items():
        shape = {key: getattr(link, key) for key in ("rate", "delay", "jitter", "loss")}
        lab.shape(name, **shape)
    deploy(lab, case)
    for offloads in options.offloads:
        set_offloads(lab, on=offloads == "on")
        for direction in options.directions:
            runs = [one_run(lab, direction, case.flows) for _number in range(options.runs)]
            row = {"case": case.name, "mode": case.mode, "offloads": offloads, "direction": direction, "runs": runs}
            print(json.dumps(row), flush=True)
            yield row


def deploy(lab: Lab, case: Case) -> None:
    """Deploy the lab's site in the mode of the case."""
    site = inventory.lab_host("office")
    rates = {name: link.declared or link.rate for name, link in case.links.items()}
    wans = [{**wan, "up": rates[wan["name"]], "down": rates[wan["name"]]} for wan in site["extrude_wans"]]
    wanted = {**site, "extrude_wans": wans, "extrude_balance": case.mode}
    with tempfile.TemporaryDirectory() as folder:
        done = playbook.run(lab, inventory=inventory.write(Path(folder), {"office": wanted}))
    if done.code != 0:
        raise SystemExit(f"{case.name}: the deployment failed:\n{done.output}")


def one_run(lab: Lab, direction: str, flows: int) -> float:
    """Return the Mbit/s that arrived, after the start; nothing that was learnt before counts."""
    for node in SENDERS.values():
        lab.exec(node, ["ip", "tcp_metrics", "flush"])
    command = ["iperf3", "-c", traffic.INTERNET_ADDRESS, "-B", traffic.DESK_ADDRESS, "-J", "-P", str(flows)]
    command += ["-t", str(SECONDS), "-O", str(WARM_UP), *(["-R"] if direction == "down" else [])]
    report = json.loads(lab.exec("desk", command, timeout=120).stdout)
    return round(float(report["end"]["sum_received"]["bits_per_second"]) / 1e6, 1)


def set_offloads(lab: Lab, *, on: bool) -> None:
    """Let super-packets pass, or cut all up; the shaped links carry packets as they are on a real line in any case."""
    word, segments = ("on", "65535") if on else ("off", "1")
    topology = lab.topology
    for node in (*topology.hosts, *topology.namespaces):
        devices = [end.device for link, _index, end in topology.ends_of(node) if link.name not in LINKS]
        commands = [f"ethtool -K {device} tso {word} gso {word} gro {word}" for device in devices]
        commands += [f"ip link set {device} gso_max_segs {segments}" for device in devices]
        if node in topology.hosts:
            tunnels = "$(ls /sys/class/net | grep ^ex[0-9]*-)"
            commands += [f"for device in {tunnels}; do ethtool -K $device tso {word} gso {word} gro {word}; done"]
        if commands:
            lab.exec(node, ["sh", "-c", "; ".join(commands)], check=False)


def _cells(row: report.Row) -> tuple[str, ...]:
    runs = row["runs"]
    figures = (
        f"{statistics.median(runs):.0f}",
        f"{min(runs):.0f}",
        ", ".join(f"{run:.0f}" for run in sorted(runs)),
    )
    return (row["case"], row["mode"], row["offloads"], row["direction"], *figures)


if __name__ == "__main__":
    main()
