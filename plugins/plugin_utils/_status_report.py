# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the links are, and what on hosts differs from the inventory, in words.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

SHOWN = 20
"""Differences of a host that are spelt out; the others are counted."""
SOON = timedelta(days=30)
"""A certificate that expires in less time wants to be made anew."""

Found = Mapping[str, Any]
"""What the role status has found on one host: ``unreached`` (why, empty where it was) and the results of modules."""
Plain = Mapping[str, Any]


def report(
    topology: Plain, sites: Mapping[str, Found], colos: Mapping[str, Found], now: datetime | None = None
) -> dict[str, Any]:
    """Return `ok` and `text`: a line for each host, then the differences in words.

    `topology` is what the filter of that name returns, `sites` and `colos` what was found on these hosts.
    """
    now = now or datetime.now(UTC)
    home = {state["site"]: colo for colo, states in topology["colos"].items() for state in states}
    links = {
        name: {
            link["wan"]: _link(name, home[name], link["wan"], state, sites[name], colos[home[name]])
            for link in state["links"]
        }
        for name, state in topology["sites"].items()
    }
    differences = {
        **{name: list(_differences([state], sites[name], now)) for name, state in topology["sites"].items()},
        **{name: list(_differences(states, colos[name], now)) for name, states in topology["colos"].items()},
    }
    for name, colo in colos.items():
        differences[name] += _forgotten(name, colo, topology)
    found = {**sites, **colos}
    dead = [f"{name}: {wan} is dead: {why}" for name, of in links.items() for wan, why in of.items() if why]
    silent = [f"{name} was not reached: {one['unreached']}" for name, one in found.items() if one["unreached"]]
    told = [line for name, listed in differences.items() for line in _some(name, listed)]
    return {
        "ok": not (dead or silent or told),
        "text": [
            *(_site_line(name, topology, links[name], sites[name], differences[name]) for name in topology["sites"]),
            *(f"{name}: {_sum(colos[name], differences[name])}" for name in topology["colos"]),
            *silent,
            *dead,
            *told,
        ],
    }


def _some(name: str, listed: Sequence[str]) -> Iterator[str]:
    yield from (f"{name}: {text}" for text in listed[:SHOWN])
    if len(listed) > SHOWN:
        yield f"{name}: and {len(listed) - SHOWN} more; extrude.yml --check --diff shows them all"


# --- a line for each host -------------------------------------------------------------------------------


def _site_line(
    name: str, topology: Plain, links: Mapping[str, str | None], found: Found, differences: Sequence[str]
) -> str:
    words = [f"{wan} {'not known' if why is None else 'DEAD' if why else 'alive'}" for wan, why in links.items()]
    return f"{name} ({topology['customers'][name]}): {', '.join(words)}; {_sum(found, differences)}"


def _sum(found: Found, differences: Sequence[str]) -> str:
    if found["unreached"]:
        return "NOT REACHED"
    count = len(differences)
    return "nothing differs" if not count else f"{count} difference{'s' if count > 1 else ''}"


# --- how the links are ----------------------------------------------------------------------------------


def _link(name: str, colo_name: str, wan: str, state: Plain, site: Found, colo: Found) -> str | None:
    """Why a link is dead at one of its ends; "" where it is alive, None where nobody could say."""
    owner = (state["customer"], state["site"])
    has_tunnel = any(tunnel["wan"] == wan for tunnel in state["tunnels"])
    near, far = _said(site, owner), _said(colo, owner)
    ends = [(name, _trouble(near, "links", "name", wan))]
    if has_tunnel:
        # a link that is down says more than its tunnel
        ends = [ends[0] if ends[0][1] else (name, _trouble(near, "tunnels", "link", wan))]
        ends.append((colo_name, _trouble(far, "tunnels", "link", wan)))
    asked = {end: why for end, why in ends if why is not None}
    reasons = list(dict.fromkeys(f"{why} (at {end})" for end, why in asked.items() if why))
    return "; ".join(reasons) if asked else None


def _trouble(said: Plain | None, kind: str, key: str, wan: str) -> str | None:
    """What an end says is wrong with a link, or with its tunnel; None where it says nothing."""
    if said is None:
        return None
    found = next((one for one in said.get(kind) or () if one.get(key) == wan), None)
    if found is None:
        return "it is not deployed"
    return "" if found["up"] else str(found["reason"])


def _said(found: Found, owner: tuple[str, str]) -> Plain | None:
    """What a host says of a site; None where it was not asked or has no answer."""
    said = _status(found)
    if said is None:
        return None
    sites = said.get("sites") or ()
    return next((site for site in sites if (site["customer"], site["site"]) == owner), {})


def _status(found: Found) -> Plain | None:
    """What ``extrude status --json`` has printed."""
    try:
        said = json.loads((found.get("status") or {}).get("stdout") or "")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


# --- what differs ---------------------------------------------------------------------------------------


def _differences(states: Sequence[Plain], found: Found, now: datetime) -> Iterator[str]:
    if found["unreached"]:
        return
    yield from _missing(states, found)
    for result, key in (("info", "owners"), ("state", "operations"), ("secrets", "sites")):
        yield from _failure(found.get(result), key)
    yield from (f"not compared: {text}" for text in found.get("left_out") or ())
    yield from (f"secret of {site}" for site in (found.get("secrets") or {}).get("sites") or ())
    yield from (found.get("state") or {}).get("operations") or ()
    yield from _certificate(states, found, now)
    yield from _waiting(states, found)


def _waiting(states: Sequence[Plain], found: Found) -> Iterator[str]:
    """Changes that nobody has confirmed yet: what stands now goes back with them."""
    owners = {(state["customer"], state["site"]) for state in states}
    for one in (_status(found) or {}).get("guarded") or ():
        if (one["customer"], one["site"]) in owners and one["undone"] is None:
            name = f"{one['customer']}/{one['site']}"
            yield f"a change of {name} waits to be confirmed, and goes back in {one['left']} s"


def _missing(states: Sequence[Plain], found: Found) -> Iterator[str]:
    """Packages, files and units."""
    info = found.get("info") or {}
    needed = [*(info.get("missing_packages") or ()), *_missing_for(states, info)]
    if needed:
        yield f"lacks packages: {', '.join(needed)}"
    files: list[str] = []
    for result in found.get("files") or ():
        yield from _failure(result, "installed")
        files += [*(result.get("installed") or ()), *(result.get("removed") or ())]
    if len(files := sorted(set(files))) > SHOWN // 4:  # as after an upgrade, or where nothing is deployed
        yield f"{len(files)} files of the collection are missing, or of another version, such as {files[0]}"
    else:
        yield from (f"file {path} is missing, or another" for path in files)
    if not files and _status(found) is None:
        yield f"extrude status does not answer: {_words(found.get('status'))}"
    for unit in [*(info.get("stopped_units") or ()), *_stopped(found.get("units") or ())]:
        yield f"{unit} does not run, or would not after a reboot"


def _missing_for(states: Sequence[Plain], info: Plain) -> Iterator[str]:
    ipsec = info.get("ipsec") or {}
    if any(state["connections"] for state in states):
        yield from ipsec.get("missing_packages") or ()
    if any(state["certificate"] for state in states):
        yield from ipsec.get("missing_for_certificates") or ()
    if any(state.get("sets") for state in states):
        yield from info.get("missing_for_domains") or ()


def _stopped(units: Iterable[Plain]) -> Iterator[str]:
    """Those of the results of systemd_service whose unit is not active and enabled."""
    for unit in units:
        status = unit.get("status") or {}
        if [status.get(name) for name in ("ActiveState", "UnitFileState")] != ["active", "enabled"]:
            yield unit["name"]


def _certificate(states: Sequence[Plain], found: Found, now: datetime) -> Iterator[str]:
    ipsec = (found.get("info") or {}).get("ipsec")
    if ipsec is None or not any(state["certificate"] for state in states):
        return
    if not ipsec.get("certificate"):
        yield "has no certificate"
    elif good := (_status(found) or {}).get("certificate"):
        until = datetime.fromisoformat(good["until"])
        if until - now < SOON:
            yield f"certificate {'expired' if until <= now else 'expires'} on {until.date()}: run extrude.yml"


def _failure(result: Plain | None, key: str) -> Iterator[str]:
    """What a module said that has no answer to give. One that was not asked has no result."""
    if result and not result.get("skipped") and key not in result:
        yield f"cannot be compared: {_words(result)}"


def _words(result: Plain | None) -> str:
    said = result or {}
    text = said.get("msg") or said.get("stderr") or "no answer"
    return " ".join(str(text).split())


# --- sites that nobody knows any more -------------------------------------------------------------------


def _forgotten(name: str, colo: Found, topology: Plain) -> Iterator[str]:
    """Sites that a colo has and the inventory lacks, or has at another one: one that has moved leaves its part there.

    Those of customers of whom the inventory has none at this colo may be in another inventory.
    """
    here = {state["customer"] for state in topology["colos"][name]}
    homes = {f"{customer}/{site}": topology["homes"][site] for site, customer in topology["customers"].items()}
    for owner in (one["name"] for one in (colo.get("info") or {}).get("owners") or () if not one["gone"]):
        home = homes.get(owner)
        if home == name or (home is None and owner.partition("/")[0] not in here):
            continue
        where = f"has at {home}; once it works there, to take it off here" if home else "lacks; to take it off"
        yield (
            f"has {owner}, which the inventory {where}: teardown.yml "
            f"-e teardown_forgotten={owner} -e teardown_colo={name}"
        )
