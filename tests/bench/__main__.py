# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: the engine beside ip(8), in a namespace of this machine, and for GRE tunnels on a host of the lab.

`make bench ARGS=packet`, and so for `liveness`, `openvpn`, `ipsec`, `shape` and `fleet`: see the files of these names.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench import fleet, ipsec, lab_worker, liveness, openvpn, packet, report, shape
from tests.bench.lab_worker import ENGINE, HERE, Row

KINDS = ["routes", "addresses", "rules", "proxies"]
COUNTS = (500, 2000)
HEAD = ("objects", "from empty, s", "ip -batch, s", "ratio", "again, CPU s", "ip -j, CPU s", "ratio", "memory, MiB")


def main() -> None:
    """Run what is asked for; print a table, and with --json the figures."""
    others = {
        "packet": packet.main,
        "liveness": liveness.main,
        "openvpn": openvpn.main,
        "ipsec": ipsec.main,
        "shape": shape.main,
        "fleet": fleet.main,
    }
    if other := others.get("".join(sys.argv[1:2])):
        other(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--no-lab", action="store_true", help="leave out what needs the lab (GRE tunnels)")
    options = parser.parse_args()
    rows = in_namespace() + ([] if options.no_lab else in_lab())
    print(report.table(HEAD, (_cells(name, figures) for name, figures in rows)))
    if options.json:
        options.json.write_text(json.dumps(dict(rows), indent=1) + "\n", encoding="utf-8")


def in_namespace() -> list[Row]:
    """Everything but GRE, each kind alone in two sizes, and all together."""
    runs = [(f"{count} {kind}", count, [kind]) for kind in KINDS for count in COUNTS]
    runs.append((f"{COUNTS[-1]} of each", COUNTS[-1], KINDS))
    worker = ["unshare", "--net", sys.executable, str(HERE / "worker.py"), str(ENGINE)]
    return [(name, json.loads(_output([*worker, str(count), *kinds]))) for name, count, kinds in runs]


def in_lab() -> list[Row]:
    """GRE tunnels in a namespace of a lab host, whose kernel has them."""
    return lab_worker.rows((f"{count} tunnels (lab)", count, ["tunnels"]) for count in COUNTS)


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def _cells(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        f"{figures['engine']:.2f}",
        f"{figures['ip']:.3f}",
        f"{figures['engine'] / figures['ip']:.1f}",
        f"{figures['engine_again']:.3f}",
        f"{figures['ip_again']:.3f}",
        f"{figures['engine_again'] / figures['ip_again']:.1f}",
        f"{figures['engine_kib'] / 1024:.0f}",
    )


if __name__ == "__main__":
    main()
