# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the engine beside ip(8) in the network namespace that it is started in. Stands alone, for hosts to run it.

Usage: worker.py ENGINE COUNT KIND… — ENGINE is the folder of the engine's files. Prints one JSON object.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DEVICES = ("a0", "b0")
TABLE = 4200
ROUNDS = 10
"""A run that finds nothing to change and ip(8) take turns, and the best of each counts."""

OWNER = {"customer": "bench", "site": "bench", "take_over": True}
"""Without asking neighbours for addresses, which ip(8) does not do either."""


def addresses(count: int) -> Iterator[str]:
    """Different addresses, as many as asked for (RFC 2544's space is too small)."""
    return (f"10.{number >> 14}.{number >> 7 & 127}.{number & 127}" for number in range(count))


OF_TUNNELS = "tunnel-"
"""Before a kind: its objects stand on the tunnels."""


def inside(number: int) -> str:
    """The inside address of a tunnel."""
    return f"10.{254 + (number >> 15)}.{number >> 7 & 255}.{2 * number & 255}/31"


def pair(number: int) -> tuple[str, str]:
    """The tunnels of the site that a tunnel belongs to."""
    return f"ex{number}-t", f"ex{number ^ 1}-t"


def objects(kind: str, count: int) -> list[dict[str, Any]]:
    """The list of one kind for a state."""
    make: dict[str, Callable[[int, str], dict[str, Any]]] = {
        "routes": lambda _number, address: {
            "destination": f"{address}/32",
            "table": TABLE,
            "nexthops": [{"device": device, "weight": weight} for weight, device in enumerate(DEVICES, 1)],
        },
        "addresses": lambda _number, address: {"device": DEVICES[0], "address": f"{address}/32"},
        "rules": lambda number, address: {"priority": 1000 + number, "source": f"{address}/32", "table": TABLE},
        "proxies": lambda _number, address: {"device": DEVICES[0], "address": address},
        "tunnels": lambda number, address: {
            "name": f"ex{number}-t",
            "local": "203.0.113.2",
            "remote": address,
            "key": number,
        },
        "tunnel-addresses": lambda number, _address: {"device": pair(number)[0], "address": inside(number)},
        "tunnel-routes": lambda number, address: {
            "destination": f"{address}/32",
            "table": TABLE,
            "nexthops": [{"device": device, "weight": weight} for weight, device in enumerate(pair(number), 1)],
        },
    }
    return [make[kind](number, address) for number, address in enumerate(addresses(count))]


def batch(kind: str, count: int) -> str:
    """The same for `ip -batch`."""
    lines: dict[str, Callable[[int, str], str]] = {
        "routes": lambda _number, address: (
            f"route add {address}/32 table {TABLE} proto 120"
            f" nexthop dev {DEVICES[0]} weight 1 nexthop dev {DEVICES[1]} weight 2"
        ),
        "addresses": lambda _number, address: f"address add {address}/32 dev {DEVICES[0]}",
        "rules": lambda number, address: (
            f"rule add priority {1000 + number} from {address}/32 table {TABLE} protocol 120"
        ),
        "proxies": lambda _number, address: f"neigh add proxy {address} dev {DEVICES[0]}",
        "tunnels": lambda number, address: (
            f"link add ex{number}-t mtu 1472 type gre local 203.0.113.2 remote {address} key {number} ttl 64\n"
            f"link set dev ex{number}-t up alias extrude:bench/bench/{number}"
        ),
        "tunnel-addresses": lambda number, _address: f"address add {inside(number)} dev {pair(number)[0]}",
        "tunnel-routes": lambda number, address: (
            f"route add {address}/32 table {TABLE} proto 120"
            f" nexthop dev {pair(number)[0]} weight 1 nexthop dev {pair(number)[1]} weight 2"
        ),
    }
    return "".join(lines[kind](number, address) + "\n" for number, address in enumerate(addresses(count)))


SHOW = {
    "routes": ["route", "show", "table", str(TABLE)],
    "addresses": ["address", "show"],
    "rules": ["rule", "show"],
    "proxies": ["neigh", "show", "proxy"],
    "tunnels": ["-d", "link", "show", "type", "gre"],
}


def load(folder: Path) -> Any:
    """The engine as a package."""
    spec = importlib.util.spec_from_file_location(
        "engine", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"there is no engine in {folder}")
    package = importlib.util.module_from_spec(spec)
    sys.modules["engine"] = package
    spec.loader.exec_module(package)
    return package


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor_seconds(work: Callable[[], object]) -> float:
    """What something costs, with the processes that it runs to their end; what else runs on the machine is left out."""

    def spent() -> float:
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    start = spent()
    work()
    return spent() - start


def ip(*words: str, text: str = "") -> None:
    """Run ip(8) to its end."""
    subprocess.run(["ip", *words], input=text, text=True, check=True, stdout=subprocess.DEVNULL)


def show(kinds: list[str]) -> None:
    """Have ip(8) print the objects of all *kinds* as JSON."""
    for kind in kinds:
        ip("-j", *SHOW[kind.removeprefix(OF_TUNNELS)])


def measure(folder: Path, count: int, kinds: list[str]) -> dict[str, Any]:
    """Seconds and peak memory (KiB) of the engine, then of ip(8), for the same objects."""
    ip("-batch", "-", text="link add a0 type veth peer name b0\nlink set a0 up\nlink set b0 up\nlink set lo up\n")
    started = time.perf_counter()
    load(folder)
    host, model, request = (importlib.import_module(f"engine.{name}") for name in ("_host", "_model", "_request"))
    importing = time.perf_counter() - started
    lists = {kind.removeprefix(OF_TUNNELS): objects(kind, count) for kind in kinds}
    data = {**OWNER, **lists}
    state, nothing = model.State.parse(data), model.State.parse(OWNER)
    wanted = request.Request((state,), kinds=lists.keys())

    def apply(asked: Any) -> None:
        host.apply(asked, host.survey(asked))

    def again() -> None:
        if host.survey(request.Request((model.State.parse(data),), (state,), lists.keys())).operations:
            raise SystemExit("the second run found something to change")

    result = {"engine": seconds(lambda: apply(wanted)), "engine_import": importing}
    rounds = [(processor_seconds(again), processor_seconds(lambda: show(kinds))) for _round in range(ROUNDS)]
    result["engine_again"], result["ip_again"] = map(min, zip(*rounds, strict=True))
    result["engine_kib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    apply(request.Request((nothing,), (state,), lists.keys()))
    text = "".join(batch(kind, count) for kind in kinds)
    result["ip"] = seconds(lambda: ip("-batch", "-", text=text))
    result["ip_kib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return result


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])))
