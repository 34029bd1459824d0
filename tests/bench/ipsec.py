# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench ARGS=ipsec`: how long encrypted links are out by what ends them, what encryption adds to a round
trip, and what one customer more costs a colo.

The first two are measured by pings between the ends of a tunnel, in a lab with links behind NAT. For the last the colo
gets a thousand connections of sites that do not exist, then one site more.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator

from ansible_collections.multihome.extrude.plugins.plugin_utils._topology import topology
from tests.acceptance import moments, playbook
from tests.acceptance.inventory import Variables
from tests.acceptance.test_ipsec import ADDRESSES, ALL_AT_ONCE, ENDS, INVENTORY, associations
from tests.acceptance.test_links import wait_until
from tests.bench import report
from tests.lab.lab import Lab
from tests.lab.topology import NAT

HEAD = ("what", "times", "median, s", "most, s", "median / slowness")
DSL, LTE = ("office", "dsl"), ("office", "lte")
COLO = {
    "extrude_colo_address": "203.0.113.2",
    "extrude_colo_interface": "eth0",
    "extrude_prefixes": ["203.0.113.0/24", "198.51.96.0/20"],
}
FIRST = 100
"""The number of the first site that does not exist."""
_FLEET = """
import json, sys, time
sys.path.insert(0, "/usr/lib/extrude")
from multihome_extrude import _apply, _strongswan
from multihome_extrude._local import Store, bound
from multihome_extrude._request import Request
states = json.load(sys.stdin)
start = time.perf_counter()
secrets = [_strongswan.Secret(**state["secret"], secret="x" * 32) for state in states if "secret" in state]
_strongswan.Secrets().apply(secrets, False)
store = Store()
with store.records.locked():
    request = Request(bound(states, store), folder=store.states.folder)
    _apply.run(store.records, request, False, lambda found: store.states.storing(states, ""))
print(time.perf_counter() - start)
"""
_TIMED = """
import subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - start)
"""


def main(words: list[str] | None = None) -> None:
    """Measure; print a table, and with --json the figures."""
    parser = report.parser("ipsec", __doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--sites", type=int, default=500, help="with two encrypted links each")
    options = parser.parse_args(words)
    rows = report.measured(options, lambda lab: measure(lab, options.turns, options.sites), NAT)
    print(report.table(HEAD, (_cells(row) for row in rows)))


def measure(lab: Lab, turns: int, sites: int) -> Iterator[report.Row]:
    """Yield the figures, a row for each event."""
    done = playbook.run(lab, *ALL_AT_ONCE, inventory=INVENTORY)
    if done.code != 0:
        raise SystemExit(f"the deployment failed:\n{done.output}")
    slowness = moments.slowness(lab)
    for what, costs in [*round_trips(lab), *outages(lab, turns), *fleet(lab, sites, turns)]:
        ranked = sorted(costs)
        middle = ranked[len(ranked) // 2]
        yield {
            "what": what,
            "times": len(costs),
            "median": middle,
            "most": ranked[-1],
            "slowness": slowness,
            "all": costs,
        }


# --- what encryption adds --------------------------------------------------------------------------


def round_trips(lab: Lab) -> Iterator[tuple[str, list[float]]]:
    """Yield round-trip times from the colo to the office by the link that has an address, and by its tunnel."""
    yield "round trip by dsl, not encrypted", _round_trips(lab, ADDRESSES["office"])
    yield "round trip by dsl, through its tunnel", _round_trips(lab, ENDS[DSL])


def _round_trips(lab: Lab, address: str) -> list[float]:
    said = lab.exec("colo", ["ping", "-c", "200", "-i", "0.05", address], check=False).stdout
    return [float(text) / 1000 for text in re.findall(r"time=([\d.]+) ms", said)]


# --- what ends a connection ------------------------------------------------------------------------


def outages(lab: Lab, turns: int) -> Iterator[tuple[str, list[float]]]:
    """Yield how long a connection takes to be made, then each event with the seconds in which no packet passed."""
    for link in ("dsl", "lte"):
        yield f"made anew, {link}: from the first word of IKE to keys", [_made(lab, link) for _turn in range(turns)]
    for what, end, event in (
        ("closed by an admin, dsl", DSL, lambda: _close(lab, "ex-dsl")),
        ("closed by an admin, lte", LTE, lambda: _close(lab, "ex-lte")),
        ("the provider's NAT forgets", LTE, lambda: lab.rebind("cgnat")),
        ("daemon at the site killed", LTE, lambda: _kill(lab, "office")),
        ("daemon at the colo killed", LTE, lambda: _kill(lab, "colo")),
        ("daemon at the colo restarted", DSL, lambda: lab.exec("colo", ["systemctl", "restart", "strongswan"])),
    ):
        yield what, [_longest_gap(lab, ENDS[end], event) for _turn in range(turns)]
    yield "dead for half a minute: after its return", [_return(lab) for _turn in range(turns)]


def _made(lab: Lab, link: str) -> float:
    """Seconds that IKE takes, as the site's daemon writes them down."""
    start = moments.now(lab)
    _close(lab, f"ex-{link}")
    time.sleep(10)
    said = moments.journal(lab, "office", start)
    first = min(at for at, text in said if text.startswith(f"initiating IKE_SA ex-{link}["))
    return min(at for at, text in said if re.match(rf"CHILD_SA ex-{link}{{\d+}} established", text)) - first


def _close(lab: Lab, name: str) -> None:
    lab.exec("office", ["swanctl", "--terminate", "--ike", name, "--force"])


def _kill(lab: Lab, host: str) -> None:
    lab.exec(host, ["systemctl", "kill", "--signal=KILL", "strongswan.service"])


def _longest_gap(lab: Lab, address: str, event: Callable[[], object]) -> float:
    """Seconds between two answers to pings, at most, while something happens and half a minute after it."""
    with moments.pings(lab, "colo", address) as fared:
        time.sleep(1)
        event()
        time.sleep(30)
    wait_until(lambda: len(associations(lab, "office")) == 2, "both connections are there", 120)
    return max(after - before for before, after in zip(fared.times, fared.times[1:], strict=False))


def _return(lab: Lab) -> float:
    """Seconds from the return of a link whose connection was given up to the first packet by it."""
    with moments.pings(lab, "colo", ENDS[DSL]) as fared:
        lab.cut("dsl", black_hole=True)
        time.sleep(30)
        back = moments.now(lab)
        lab.heal("dsl")
        time.sleep(45)
    return fared.first_after(back) - back


# --- one customer more -----------------------------------------------------------------------------


def fleet(lab: Lab, sites: int, turns: int) -> Iterator[tuple[str, list[float]]]:
    """Yield what a colo with many connections takes for one site more, and to take it away again."""
    before = established(lab)
    links = 2 * sites
    yield "a customer of two links more at a colo with 4", [_add(lab, FIRST + sites + turn) for turn in range(turns)]
    _undo(lab, (FIRST + sites + turn for turn in range(turns)))
    yield f"{links} links more at once", [_apply(lab, states(range(FIRST, FIRST + sites)))]
    yield (
        f"a customer of two links more at a colo with {links}",
        [_add(lab, FIRST + sites + turn) for turn in range(turns)],
    )
    yield f"swanctl --load-conns of all {links}", [_timed(lab, ["swanctl", "--load-conns"]) for _turn in range(turns)]
    if established(lab) != before:
        raise SystemExit("a connection that was up was touched")


def states(numbers: Iterable[int]) -> list[Variables]:
    """Return the colo's states of sites with two links behind NAT, each a customer."""
    sites = {f"site{number}": _site(number) for number in numbers}
    groups = {"extrude_colos": ["colo"], "extrude_sites": list(sites)}
    return list(topology({"colo": COLO, **sites}, groups)["colos"]["colo"])


def _site(number: int) -> Variables:
    link = {"nat": True, "gateway": "192.168.8.1"}
    return {
        "extrude_customer": f"c{number}",
        "extrude_site_id": number,
        "extrude_colo": "colo",
        "extrude_addresses": [f"198.51.{96 + number // 250}.{number % 250 + 1}"],
        "extrude_wans": [
            {**link, "name": "a", "interface": "eth1", "address": "192.168.8.2/24"},
            {**link, "name": "b", "interface": "eth2", "address": "192.168.9.2/24", "gateway": "192.168.9.1"},
        ],
        "extrude_lan": [{"interface": "eth0", "mode": "nat"}],
        "extrude_ipsec_psk": "x" * 32,
    }


def _add(lab: Lab, number: int) -> float:
    return _apply(lab, states([number]))


def _apply(lab: Lab, wanted: list[Variables]) -> float:
    command = ["python3", "-I", "-c", _FLEET]
    return float(lab.exec("colo", command, stdin=json.dumps(wanted), timeout=900).stdout.split()[-1])


def _undo(lab: Lab, numbers: Iterable[int]) -> None:
    _apply(lab, [{"customer": f"c{number}", "site": f"site{number}"} for number in numbers])


def _timed(lab: Lab, command: list[str]) -> float:
    return float(lab.exec("colo", ["python3", "-c", _TIMED, *command], timeout=300).stdout)


def established(lab: Lab) -> list[str]:
    """Return the connections that are up at the colo, each with its number."""
    return sorted(re.findall(r"^(\S+: #\d+), ESTABLISHED", lab.exec("colo", ["swanctl", "-l"]).stdout, re.MULTILINE))


def _cells(row: report.Row) -> tuple[str, ...]:
    figures = (row["median"], row["most"], row["median"] / row["slowness"])
    return (row["what"], str(row["times"]), *(f"{figure:.3g}" for figure in figures))
