# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks in a lab share: the lab with their options, and how figures are told."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.acceptance import traffic
from tests.lab.backends.choice import NAMES
from tests.lab.lab import Lab
from tests.lab.topology import DEFAULT

Row = dict[str, Any]


def parser(name: str, about: str | None, *, backend: str = "auto") -> argparse.ArgumentParser:
    """Return a parser with the options that all have. `backend` is what the lab runs on unless it is told."""
    made = argparse.ArgumentParser(prog=f"make bench ARGS={name}", description=about)
    made.add_argument("--lab", default=f"bench-{name}", help="name of the lab")
    made.add_argument("--backend", choices=NAMES, default=backend, help=f"what the lab runs on; default: {backend}")
    made.add_argument("--keep", action="store_true", help="leave the lab up, and use it if it is up")
    made.add_argument("--json", type=Path, help="also write the figures there")
    return made


def measured(
    options: argparse.Namespace, measure: Callable[[Lab], Iterable[Row]], topology: Path = DEFAULT
) -> list[Row]:
    """Return the figures of a measurement in a lab; with --json they are written too."""
    lab = Lab(options.lab)
    lab.up(options.backend, topology)
    try:
        if topology == DEFAULT:
            traffic.own_the_desk_address(lab)
        rows = list(measure(lab))
    finally:
        if not options.keep:
            lab.down()
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    every = [head, tuple("---" for _name in head), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in every)
