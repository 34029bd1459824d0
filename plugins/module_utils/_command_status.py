# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``extrude status``: what is up, since when, and why not.

This module util is private to the collection.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from . import _certificate, _command_apply, _endpoint_tell, _guard, _links, _liveness, _strongswan
from ._bind import UNHEARD, Plain
from ._dump import Interface
from ._fields import EngineError
from ._learned import endpoints_of
from ._links import Kernel, Link
from ._liveness import Session
from ._local import Store, kernel_for, links_of, name_of

_SOON = timedelta(days=30)
"""A certificate that expires in less time wants to be made anew."""
_DOWN, _ABSENT, _CLEAR = "it is down", "it is not there", "not encrypted"


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "status",
        help="show what is up, since when, and why not",
        description="Shows the links and tunnels of this host, and what has changed since its states were applied.",
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON, for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, store: Store) -> int:
    """Do it."""
    status = report(store)
    text = json.dumps(status, indent=2) if options.json else "\n".join(lines(status))
    sys.stdout.write(f"{text}\n")
    return 0


def report(store: Store) -> Plain:
    """The status as plain data; times are in ISO 8601, and null where the kernel does not tell them."""
    states = store.states.load()
    kernel = kernel_for(states)
    sessions = _liveness.sessions()
    peers = _strongswan.peers() if any(state.get("connections") for state in states) else None
    start = datetime.now(UTC) - timedelta(seconds=_links.uptime())
    sites = [
        {
            "customer": state["customer"],
            "site": state["site"],
            "links": [
                {**_link(name, link, kernel, start), "use": _use(name, state), "colo": _told(name, link, state, store)}
                for name, link in links_of(state, store, kernel).items()
            ],
            "tunnels": [
                _encrypted(_watched(_tunnel(tunnel, state, store, kernel), sessions), state, peers)
                for tunnel in state.get("tunnels") or ()
            ],
        }
        for state in states
    ]
    return {
        "sites": _explained(sites, peers),
        "certificate": _certificate_of(states),
        "guarded": [_waiting(guarded) for guarded in store.guards.load()],
        "drift": _drift(store),
    }


def _waiting(guarded: _guard.Guarded) -> Plain:
    """A change that is not confirmed: in how many seconds it goes back, or when it did."""
    return {
        "customer": guarded.customer,
        "site": guarded.site,
        "left": None if guarded.undone else round(guarded.left),
        "undone": guarded.undone or None,
        "why": guarded.why,
    }


def _link(name: str, link: Link, kernel: Kernel, start: datetime) -> Plain:
    interface = kernel.devices.get(link.device)
    # a link without carrier has lost its address, too, where its daemon took that: the cable is what to look at
    reason = f"{link.device} has no carrier" if interface and interface.up and not interface.carrier else link.reason
    since = None if link.since is None else start + timedelta(seconds=link.since)
    return {
        "name": name,
        "up": not reason,
        "reason": reason,
        "device": link.device,
        "address": link.address,
        "gateway": link.gateway,
        "since": since and since.isoformat(timespec="seconds"),
    }


def _use(name: str, state: Plain) -> str:
    """What a link is for."""
    return next(wan.use for wan in _links.wans_of(state) if wan.name == name) or "both"


def _told(name: str, link: Link, state: Plain, store: Store) -> Plain | None:
    """What became of telling the colo the address of a link; None where there is nothing to tell."""
    if link.reason or name not in (wan.name for wan in _endpoint_tell.reported(state)):
        return None
    report = store.reports.read(name)
    if report is None or report.address != link.address:
        return {"heard": None, "since": None, "trouble": "not tried yet"}
    trouble = "" if report.heard else report.trouble or "no answer yet"
    return {"heard": report.heard or None, "since": report.since, "trouble": trouble}


def _tunnel(tunnel: Plain, state: Plain, store: Store, kernel: Kernel) -> Plain:
    name, wan = str(tunnel.get("name")), str(tunnel.get("wan"))
    interface = kernel.devices.get(name)
    reason = "" if interface and interface.up else _DOWN if interface else _ABSENT
    data = {"name": name, "link": wan, "up": not reason, "reason": reason, **_carried(interface)}
    if wan not in endpoints_of(state):
        return data
    endpoint = store.endpoints.read(state, wan)
    if endpoint == UNHEARD:
        return {**data, "up": False, "reason": "the site has not reported its address yet", "endpoint": None}
    when = store.endpoints.reported(state, wan)
    reported = None if when is None else datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
    return {**data, "endpoint": endpoint, "reported": reported}


def _carried(interface: Interface | None) -> Plain:
    """What a tunnel has received and sent since its device was made; null where there is none."""
    if interface is None:
        return {"received": None, "sent": None}
    traffic = interface.traffic
    return {
        "received": {"bytes": traffic.received_bytes, "packets": traffic.received_packets},
        "sent": {"bytes": traffic.sent_bytes, "packets": traffic.sent_packets},
    }


def _watched(tunnel: Plain, sessions: Mapping[str, Session] | None) -> Plain:
    """A tunnel with what BIRD thinks of it, if that runs: a device that is there need not lead anywhere."""
    if sessions is None or not tunnel["up"]:
        return {**tunnel, "lives": None, "since": None}
    session = sessions.get(tunnel["name"], Session(None, "", "BIRD has no session for it"))
    dead = session.trouble.removeprefix("Error: ") or "the far end has not answered yet"
    reason = "" if session.up else f"no way through: {dead}"
    since = session.since and session.since.isoformat(timespec="seconds")
    return {**tunnel, "up": session.up, "reason": reason, "lives": session.up, "since": since}


def _encrypted(tunnel: Plain, state: Plain, peers: Mapping[str, str] | None) -> Plain:
    """A tunnel with what strongSwan says of it; ``peer`` is where the far end is, null while nothing is encrypted."""
    name = tunnel["name"]
    if not any(connection.get("name") == name for connection in state.get("connections") or ()):
        return tunnel
    peer = (peers or {}).get(name)
    # one that lives is encrypted, if perhaps by what a daemon has left that was killed
    if peer or tunnel["lives"] or tunnel["reason"] in (_DOWN, _ABSENT):
        return {**tunnel, "peer": peer}
    return {**tunnel, "peer": None, "up": False, "reason": _CLEAR}


def _explained(sites: Sequence[Plain], peers: Mapping[str, str] | None) -> list[Plain]:
    """Sites whose tunnels say why they are not encrypted where they should be; the journal is read once for all."""
    clear = [tunnel["name"] for site in sites for tunnel in site["tunnels"] if tunnel["reason"] == _CLEAR]
    told = {name: f"{_CLEAR}: {why}" for name, why in _strongswan.lacks(clear, peers).items()}
    return [
        {**site, "tunnels": [{**one, "reason": told.get(one["name"], one["reason"])} for one in site["tunnels"]]}
        for site in sites
    ]


def _certificate_of(states: Iterable[Plain]) -> Plain | None:
    """Until when the host's certificate is good; None where no link uses one, or that cannot be told."""
    is_used = any(state.get("certificate") for state in states)
    until = _certificate.until(_certificate.present()) if is_used else None
    return None if until is None else {"until": until.isoformat(timespec="seconds")}


def _drift(store: Store) -> Plain:
    """What an apply would do, and what would hinder it."""
    try:
        operations, problems = _command_apply.apply(store, check=True)
    except EngineError as error:
        return {"operations": [], "problems": [str(error)]}
    return {"operations": [str(operation) for operation in operations], "problems": problems}


# --- for people --------------------------------------------------------------------------------------


def lines(status: Plain, now: datetime | None = None) -> Iterator[str]:
    """The status as text."""
    now = now or datetime.now(UTC)
    if not status["sites"]:
        yield "nothing is deployed on this host"
    for site in status["sites"]:
        yield name_of(site)
        rows = [_link_row(link, now) for link in site["links"]]
        rows += [_tunnel_row(tunnel, now) for tunnel in site["tunnels"]]
        rows += [] if site["links"] else _sum_rows(site["tunnels"])  # at a colo, which has no links of its own
        yield from _table(rows)
    if certificate := status.get("certificate"):
        yield _certificate_line(datetime.fromisoformat(certificate["until"]), now)
    for guarded in status.get("guarded", []):
        yield _guarded_line(guarded, now)
    drift = status["drift"]
    yield from (f"to do: {operation}" for operation in drift["operations"])
    yield from (f"problem: {problem}" for problem in drift["problems"])


def _certificate_line(until: datetime, now: datetime) -> str:
    if until <= now:
        return f"certificate expired on {until.date()}: run the playbook"
    if until - now < _SOON:
        return f"certificate expires on {until.date()}, in {age(until - now)}: run the playbook"
    return f"certificate  until {until.date()}"


def _guarded_line(guarded: Mapping[str, Any], now: datetime) -> str:
    name = name_of(dict(guarded))
    if guarded["undone"]:
        return f"{name}: a change went back {_ago(guarded['undone'], now)} ago: {guarded['why']}"
    if not guarded["left"]:
        return f"{name}: a change is going back: {guarded['why']}; extrude apply says what hinders it"
    back = f"goes back in {guarded['left']} s"
    return f"{name}: a change waits to be confirmed and {back}: extrude confirm, or extrude rollback"


def _link_row(link: Mapping[str, Any], now: datetime) -> list[str]:
    via = f"{link['device']} {link['address']}" + (f" by {link['gateway']}" if link["gateway"] else "")
    words = [via, *([f"for {_ago(link['since'], now)}"] if link["since"] else []), *_told_words(link, now)]
    words = [*(words if link["up"] else [link["reason"]]), *_USES.get(str(link.get("use")), [])]
    return ["link", link["name"], "up" if link["up"] else "down", ", ".join(words)]


_USES = {"direct": ["for direct traffic only"], "extruded": ["not for direct traffic"]}
"""What a link is not for."""


def _told_words(link: Mapping[str, Any], now: datetime) -> Iterator[str]:
    told = link.get("colo")
    if not told:
        return
    if not told["heard"]:
        since = f" for {_ago(told['since'], now)}" if told["since"] else ""
        yield f"the colo has not heard of it{since}: {told['trouble']}"
    elif told["heard"] != link["address"]:
        yield f"the colo sees {told['heard']} instead: behind NAT, so the link takes nat: true"
    else:
        yield f"the colo heard of it {_ago(told['since'], now)} ago"


def _ago(time: str, now: datetime) -> str:
    return age(now - datetime.fromisoformat(time))


def _tunnel_row(tunnel: Mapping[str, Any], now: datetime) -> list[str]:
    words = [f"to {tunnel['endpoint']}"] if tunnel.get("endpoint") else []
    words += [f"reported {_ago(tunnel['reported'], now)} ago"] if tunnel.get("reported") else []
    words += [f"lives for {_ago(tunnel['since'], now)}"] if tunnel.get("lives") and tunnel["since"] else []
    if tunnel.get("peer"):
        words.append(f"encrypted, with {tunnel['peer']}")
    elif "peer" in tunnel and tunnel["lives"]:
        words.append("encrypted")
    up = tunnel["up"]
    words = words if up else [tunnel["reason"], *words]
    return ["tunnel", tunnel["name"], "up" if up else "down", ", ".join(words)]


def _sum_rows(tunnels: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    """What the tunnels of a site have carried together, if any of them is there."""
    counted = [tunnel for tunnel in tunnels if tunnel.get("received")]
    if counted:
        received, sent = (sum(tunnel[way]["bytes"] for tunnel in counted) for way in ("received", "sent"))
        yield ["sum", "", "", f"{size(received)} received, {size(sent)} sent"]


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()


_PREFIXES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def size(count: int) -> str:
    """Bytes in one unit: 17 B, 1.2 kB, 340.0 MB."""
    return next((f"{count / unit:.1f} {name}" for unit, name in _PREFIXES if count >= unit), f"{count} B")


_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def age(span: timedelta) -> str:
    """A span in one unit, rounded down: 5 s, 3 min, 2 h, 9 d."""
    seconds = max(int(span.total_seconds()), 0)
    return next((f"{seconds // size} {unit}" for size, unit in _UNITS if seconds >= size), f"{seconds} s")
