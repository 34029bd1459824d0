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
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from . import _command_apply, _dump, _links
from ._bind import Plain, devices_of
from ._learned import Hints
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
    parser.add_argument("--gateway", metavar="ADDRESS", default="", help="the router that a DHCP client has learnt")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, store: Store) -> int:
    """Do it."""
    names = [name for name in options.match if name]
    states = store.states.load()
    wans = [wan for state in states for wan in _links.wans_of(state)]
    if not is_concerned(options.device, names, states, wans, store.hints.load()):
        return 0
    _note(options, names, wans, store.hints)
    # one that waits already sees what was just stored
    return _command_apply.run(argparse.Namespace(check=False, lazy=True), store)


def _note(options: argparse.Namespace, names: Collection[str], wans: Iterable[Wan], hints: Hints) -> None:
    """Keep what the event tells, by what the kernel and other events have told at that moment."""
    with hints.locked():
        known = hints.load()
        held = {local.device for local in _dump.interfaces()[1]}
        if options.event == "up":
            changed = learnt(options.device, names, _gateway(options.gateway), wans, known, held)
        else:
            # it is up again where the events came in the wrong order
            changed = {} if options.device in held else forgotten(options.device, known)
        for wan, hint in changed.items():
            hints.store(wan, hint)


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
    device: str,
    names: Collection[str],
    gateway: str,
    wans: Iterable[Wan],
    hints: Mapping[str, Hint],
    held: Collection[str] = (),
) -> dict[str, Hint | None]:
    """The hints that an event tells, by link; None: one that it refutes, since its device is another link's by now.

    *held*: the devices that have an address. From one of them another takes no link where no ``match`` tells them
    apart, or while it has no address itself: a session of the same name may be dialled while the former one lives.
    """
    meant = [
        wan.name
        for wan in wans
        if wan.address is None and wan.is_meant(device, names) and not _is_held(wan, device, hints, held)
    ]
    told: dict[str, Hint | None] = {}
    for name in meant:
        former = hints.get(name, Hint())
        known = former if former.device == device else Hint()  # not every hook knows all
        told[name] = Hint(device, gateway or known.gateway, tuple(sorted(set(names))) or known.names)
    refuted = [name for name, hint in hints.items() if meant and hint.device == device and name not in meant]
    told.update(dict.fromkeys(refuted))
    return {name: hint for name, hint in told.items() if hints.get(name) != hint}


def _is_held(wan: Wan, device: str, hints: Mapping[str, Hint], held: Collection[str]) -> bool:
    """Whether a link is up on another device, and this one cannot be it."""
    former = hints[wan.name].device if wan.name in hints else ""
    return (wan.match is None or device not in held) and former not in ("", device) and former in held


def forgotten(device: str, hints: Mapping[str, Hint]) -> dict[str, Hint | None]:
    """The hints that go with a device."""
    return {name: None for name, hint in hints.items() if hint.device == device}


def _gateway(text: str) -> str:
    """An IPv4 address; empty where the hook had none, or one that cannot be read, for which no event may be lost."""
    if text in ("", "0.0.0.0"):
        return ""
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        sys.stderr.write(f"extrude: warning: --gateway {text!r} is no IPv4 address, so it is passed over\n")
        return ""
