# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``extrude wan up|down``: a link has come, gone or changed. What hooks call.

Hooks only say where to look: what a link has is read from the kernel, under the lock, so that two events at once
or in the wrong order end in what is. This module util is private to the collection.
"""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from . import _command_apply, _dump, _links
from ._bind import Plain, devices_of
from ._links import Hint, Wan
from ._local import Store


def add(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "wan",
        help="follow a link that has come, gone or changed",
        description="Brings the host to its states after a link has come up, gone down or got another address."
        " The hooks of pppd, dhclient, NetworkManager, networkd and ifupdown call it."
        " A device that no state names is passed over.",
    )
    parser.add_argument("event", choices=("up", "down"))
    parser.add_argument("device", metavar="IFACE", help="the network device, such as ppp0")
    known_as = "what pppd calls it: ipparam or linkname; repeatable"
    parser.add_argument("--match", action="append", default=[], metavar="NAME", help=known_as)
    parser.add_argument("--gateway", type=_ipv4_address, default="", help="the router that a DHCP client has learnt")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, store: Store) -> int:
    """Do it."""
    names = [name for name in options.match if name]
    states = store.states.load()
    hints = store.hints.load()
    wans = [wan for state in states for wan in _links.wans_of(state)]
    if not is_concerned(options.device, names, states, wans, hints):
        return 0
    if options.event == "up":
        changed = learnt(options.device, names, options.gateway, wans, hints)
    else:
        changed = {} if _has_address(options.device) else forgotten(options.device, hints)
    for wan, hint in changed.items():
        store.hints.store(wan, hint)
    return _command_apply.run(argparse.Namespace(check=False), store)


# --- pure ------------------------------------------------------------------------------------------


def is_concerned(
    device: str, names: Collection[str], states: Sequence[Plain], wans: Iterable[Wan], hints: Mapping[str, Hint]
) -> bool:
    """Whether an event of *device* can mean anything to a state: it is a link, or something stands on it."""
    return (
        any(wan.is_meant(device, names) for wan in wans)
        or any(hint.device == device for hint in hints.values())
        or any(device in devices_of(state) for state in states)
    )


def learnt(
    device: str, names: Collection[str], gateway: str, wans: Iterable[Wan], hints: Mapping[str, Hint]
) -> dict[str, Hint | None]:
    """The hints that an event tells, by link; None: one that it refutes, since its device is another link's by now."""
    meant = [wan.name for wan in wans if wan.address is None and wan.is_meant(device, names)]
    told: dict[str, Hint | None] = {}
    for name in meant:
        former = hints.get(name, Hint())
        known = former.gateway if former.device == device else ""  # not every hook knows it
        told[name] = Hint(device, gateway or known)
    refuted = [name for name, hint in hints.items() if meant and hint.device == device and name not in meant]
    told.update(dict.fromkeys(refuted))
    return {name: hint for name, hint in told.items() if hints.get(name) != hint}


def forgotten(device: str, hints: Mapping[str, Hint]) -> dict[str, Hint | None]:
    """The hints that go with a device."""
    return {name: None for name, hint in hints.items() if hint.device == device}


def _has_address(device: str) -> bool:
    """Whether a device that is said to be down is up again: its events may come in the wrong order."""
    return any(local.device == device for local in _dump.interfaces()[1])


def _ipv4_address(text: str) -> str:
    """An IPv4 address, or nothing where the hook had none to give."""
    return "" if text in ("", "0.0.0.0") else str(ipaddress.IPv4Address(text))
