# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench ARGS=fleet`: what a thousand sites with two links cost the controller and their colo.

Of its parts `filter` measures the filter topology over Ansible's hostvars, `play` the controller's processor time of
plays with and without it, `colo` the engine when one site comes to a colo that has many, in a network namespace of this
machine (without GRE), `bird` the BIRD of such a colo, and on a host of the lab `tunnels` as many tunnels as a colo may
have, and `packets` what such a colo forwards.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._topology import topology
from tests.bench import bird, lab_worker, report
from tests.bench.lab_worker import ENGINE

COLO = "rack"
SITES_OF_CUSTOMER = 4
COUNTS = {
    "filter": (250, 500, 1000),
    "play": (100,),
    "colo": (10, 100, 1000),
    "bird": (1000,),
    "tunnels": (),
    "packets": (2048,),
}
"""How many sites each part has, in its turns, unless the words of the command say it."""
BATCHES = (1, 0.25, 1.0)
"""As in extrude.yml: one site, a quarter of all, the others."""
TASKS = 100
"""Cheap tasks of the plays that are compared: a run of extrude.yml has as many for a site, and dearer ones."""
TUNNELS = 4096
STEADY = {"rtt": 10.0, "transit": None, "site_delay": 0.0, "colo_delay": 0.0}
MODES: dict[str, Vars] = {
    "flow": {},
    "packet": {"extrude_balance": "packet", "extrude_measured": {"dsl": STEADY, "cable": STEADY}},
}
KINDS = ["tunnels", "tunnel-addresses", "tunnel-routes"]

Vars = dict[str, Any]


# --- inventories ------------------------------------------------------------------------------------


def site(number: int) -> Vars:
    """Return the variables of a site without templates, as people keep them for each host: facts of its links."""
    block, host = divmod(number, 128)
    return {
        "owner": f"customer-{number // SITES_OF_CUSTOMER}",
        "public": f"100.64.{number >> 8}.{number & 255}",
        "dsl": f"10.1.{block}.{host + 2}",
        "dsl_router": f"10.1.{block}.1",
        "cable": f"10.2.{block}.{host + 2}",
        "cable_router": f"10.2.{block}.1",
        "extrude_site_id": number,
    }


TEMPLATES: Vars = {
    "extrude_customer": "{{ owner }}",
    "extrude_colo": COLO,
    "extrude_addresses": ["{{ public }}"],
    "extrude_wans": [
        {"name": name, "interface": f"eth{index}", "address": f"{{{{ {name} }}}}/24"}
        | {"gateway": f"{{{{ {name}_router }}}}", "down": down, "up": up}
        for index, (name, down, up) in enumerate([("dsl", 50, 20), ("cable", 30, 10)])
    ],
}
"""Variables of the group of all sites: six templates for each of them."""


def evaluated(value: Any, facts: Vars) -> Any:
    """Return what a value of TEMPLATES becomes with the facts of a site."""
    if isinstance(value, dict):
        return {key: evaluated(inner, facts) for key, inner in value.items()}
    if isinstance(value, list):
        return [evaluated(inner, facts) for inner in value]
    if isinstance(value, str):
        for name, fact in facts.items():
            value = value.replace(f"{{{{ {name} }}}}", str(fact))
    return value


def inventory(count: int, templates: bool = True) -> Vars:
    """Return an inventory with so many sites, as its file has it."""
    rack = {
        "extrude_colo_address": "192.0.2.2",
        "extrude_colo_interface": "a0",
        "extrude_prefixes": ["100.64.0.0/16"],
    }
    facts = {f"site{number}": site(number) for number in range(1, count + 1)}
    sites: Vars = {"hosts": facts, "vars": TEMPLATES}
    if not templates:
        sites = {"hosts": {name: {**own, **evaluated(TEMPLATES, own)} for name, own in facts.items()}}
    return {"all": {"children": {"extrude_colos": {"hosts": {COLO: rack}}, "extrude_sites": sites}}}


def colo_states(count: int) -> list[Vars]:
    """Return the states of the colo for so many sites, with devices in the place of tunnels, which few kernels have."""
    return [without_tunnels(state) for state in states(count)]


def states(count: int, **of_each: Any) -> list[Vars]:
    """Return the states of the colo for so many sites. *of_each*: more variables of each site."""
    groups = inventory(count, templates=False)["all"]["children"]
    sites = {name: {**own, **of_each} for name, own in groups["extrude_sites"]["hosts"].items()}
    hostvars = {**groups["extrude_colos"]["hosts"], **sites}
    made = topology(hostvars, {name: list(group["hosts"]) for name, group in groups.items()})
    return list(made["colos"][COLO])


def without_tunnels(state: Vars) -> Vars:
    """Return the state with a device in the place of each tunnel. It asks no neighbours, of whom there are none."""
    devices = [{"name": tunnel["name"]} for tunnel in state["tunnels"]]
    return {**state, "tunnels": [], "dummies": [*state["dummies"], *devices], "take_over": True}


# --- what is measured -------------------------------------------------------------------------------


def of_filter(folder: Path, counts: list[int]) -> Iterator[report.Row]:
    """The filter, over plain values and over templates."""
    for templates in (False, True):
        for count in counts:
            file = folder / "hosts.json"
            file.write_text(json.dumps(inventory(count, templates)), encoding="utf-8")
            worker = [sys.executable, "-m", "tests.bench.topology_worker", str(file), *TEMPLATES, "extrude_site_id"]
            yield {"sites": count, "templates": "6 a site" if templates else "none", **json.loads(_output(worker))}


def play(count: int, with_topology: bool) -> list[Vars]:
    """Return a play in the batches of extrude.yml: cheap tasks, with or without the topology of each batch."""
    of = "extrude_topology.sites" if with_topology else "groups.extrude_sites"
    first = {
        "run_once": True,
        "ansible.builtin.set_fact": {
            "extrude_topology": "{{ hostvars | multihome.extrude.topology(groups, ansible_play_batch) }}"
        },
    }
    cheap = {"ansible.builtin.assert": {"that": f"inventory_hostname in {of}", "quiet": True}}
    batches = [share if isinstance(share, int) else max(1, int(count * share)) for share in BATCHES]
    return [
        {
            "hosts": "extrude_sites",
            "gather_facts": False,
            "serial": batches,
            "tasks": [*([first] if with_topology else []), *[cheap] * TASKS],
        }
    ]


def of_play(folder: Path, counts: list[int]) -> Iterator[report.Row]:
    """The controller's processor time of a play, with the topology and without."""
    for count in counts:
        file = folder / "hosts.json"
        file.write_text(json.dumps(inventory(count)), encoding="utf-8")
        spent = {}
        for with_topology in (False, True):
            playbook = folder / "play.json"
            playbook.write_text(json.dumps(play(count, with_topology)), encoding="utf-8")
            command = [sys.executable, "-m", "ansible", "playbook", "-i", str(file), str(playbook)]
            spent[with_topology] = _processor_seconds(command)
        yield {"sites": count, "without": spent[False], "with": spent[True], "ratio": spent[True] / spent[False]}


def of_colo(folder: Path, counts: list[int]) -> Iterator[report.Row]:
    """One site more at a colo that has some: the engine's time, and its memory."""
    for count in counts:
        *others, one = colo_states(count + 1)
        with tempfile.TemporaryDirectory(dir=folder) as kept:
            for name, states in (("others", others), ("one", [one])):
                (Path(kept) / f"{name}.json").write_text(json.dumps(states), encoding="utf-8")
            worker = [sys.executable, "-m", "tests.bench.colo_worker", str(ENGINE), kept, "others", "one", "one"]
            lines = _output(["unshare", "--net", *worker]).splitlines()
            yield from ({"others": count, **json.loads(line)} for line in lines)


def of_bird(folder: Path, counts: list[int]) -> Iterator[report.Row]:
    """The BIRD of a colo: how soon its sessions are up, and what they cost."""
    for count in counts:
        with tempfile.TemporaryDirectory(dir=folder) as kept:
            yield {"sites": count, **bird.measure(states(count), Path(kept))}


def of_tunnels(_folder: Path, _counts: list[int]) -> Iterator[report.Row]:
    """Tunnels with an address and a route each, on a host of the lab."""
    for name, figures in lab_worker.rows([(f"{TUNNELS} tunnels, addresses, routes", TUNNELS, KINDS)]):
        ratios = {"ratio": figures["engine"] / figures["ip"], "again": figures["engine_again"] / figures["ip_again"]}
        yield {"objects": name, **figures, **ratios}


def of_packets(_folder: Path, counts: list[int]) -> Iterator[report.Row]:
    """Packets a second into the tunnels of one site, at a colo with many and at one with that one: of the site in the
    middle, so that the way to its chain is neither the shortest nor the longest."""
    for count in counts:
        for mode, variables in MODES.items():
            many = [{**state, "take_over": True} for state in states(count, **variables)]
            middle = many.pop(count // 2)
            rate = lab_worker.forwarded({"one": [middle], "many": [middle, *many]})
            yield {"sites": count, "mode": mode, **rate, "ratio": rate["many"] / rate["one"]}


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def _processor_seconds(command: list[str]) -> float:
    """What a command costs, with all that it starts."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    start = spent()
    _output(command)
    return spent() - start


# --- the words of the command -----------------------------------------------------------------------

Part = Callable[[Path, "list[int]"], Iterator[report.Row]]
PARTS: dict[str, Part] = {
    "filter": of_filter,
    "play": of_play,
    "colo": of_colo,
    "bird": of_bird,
    "tunnels": of_tunnels,
    "packets": of_packets,
}


def main(words: list[str] | None = None) -> None:
    """Measure; print a table for each part, and with --json write the figures."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=fleet", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--sites", type=int, nargs="+", help="how many, each in its turn")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args(words)
    figures: dict[str, list[report.Row]] = {}
    for part in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            figures[part] = list(_told(PARTS[part](Path(folder), options.sites or list(COUNTS[part]))))
        print(f"\n{table(figures[part])}\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _told(rows: Iterable[report.Row]) -> Iterator[report.Row]:
    """Pass on rows, and say each when it is there, since the next takes long."""
    for row in rows:
        print(", ".join(f"{name} {_cell(value)}" for name, value in row.items()), flush=True)
        yield row


def table(rows: Iterable[report.Row]) -> str:
    """Return the table of a part, whose rows have the same names."""
    listed = list(rows)
    return report.table(list(listed[0]), ([_cell(value) for value in row.values()] for row in listed))


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
