# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench ARGS=shape`: how long the packets of a call take beside a bulk transfer in the same tunnel, in the lab.

All traffic takes one link, whose far ends let packets wait for 0.4 s, as modems do. Each case calls for some
seconds alone, and then beside four TCP connections of the same host.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from typing import Any

from tests.acceptance import inventory, modules, playbook, sessions
from tests.acceptance.call import beside
from tests.bench import report
from tests.lab.lab import Lab

SECONDS = 15
UP, DOWN = 6, 15
"""Mbit/s: so little that a busy emulator is not what packets wait for."""
QUEUE = 400
CASES: dict[str, dict[str, Any]] = {"bare": {}, "shaped": {"extrude_shape": True}}
HEAD = ("link", "direction", "alone: p50, p95", "beside: p50, p95", "added to p95", "lost", "Mbit/s")


def main(words: list[str] | None = None) -> None:
    """Measure; print a table, and with --json the figures."""
    parser = report.parser("shape", __doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--directions", nargs="+", choices=("up", "down"), default=["up", "down"])
    options = parser.parse_args(words)
    rows = report.measured(options, lambda lab: measure(lab, options))
    print(report.table(HEAD, map(_cells, rows)))


def measure(lab: Lab, options: argparse.Namespace) -> Iterator[report.Row]:
    """Yield the figures, a row for each case and direction."""
    lab.shape("dsl", up=UP, down=DOWN, queue=QUEUE)
    done = playbook.run(lab)
    if done.code != 0:
        raise SystemExit(f"the deployment failed:\n{done.output}")
    for case in options.cases or CASES:
        modules.bring(lab, office(**CASES[case]))
        sessions.wait_up(lab)
        for direction in options.directions:
            fared = beside(lab, direction, seconds=SECONDS)
            print(f"{case}, {direction}: {fared}", flush=True)
            yield {
                "case": case,
                "direction": direction,
                "alone": fared.alone.times,
                "beside": fared.beside.times,
                "added": fared.added,
                "lost": fared.beside.lost,
                "sent": fared.beside.sent,
                "rate": fared.rate,
            }


def office(**changes: Any) -> inventory.Variables:
    """Return the lab's site with all traffic on one link."""
    site = inventory.lab_host("office")
    dsl, cable = site["extrude_wans"]
    return {**site, "extrude_wans": [{**dsl, "up": UP, "down": DOWN}, {**cable, "metric": 2}], **changes}


def _cells(row: report.Row) -> tuple[str, ...]:
    return (
        row["case"],
        row["direction"],
        *(_times(row[key]) for key in ("alone", "beside")),
        f"{row['added']:.0f}",
        f"{row['lost']} of {row['sent']}",
        f"{row['rate']:.1f}",
    )


def _times(times: list[float]) -> str:
    return f"{statistics.median(times):.0f}, {statistics.quantiles(times, n=20)[-1]:.0f}"


if __name__ == "__main__":
    main()
