# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes shapers and redirects, by the same commands of tc(8) that a person would type.

This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from . import _programs
from ._fields import EngineError, HostError
from ._model import PROTOCOL, Redirect, Shaper
from ._netlink import Gone
from ._request import Operation
from ._wire import OVERHEAD, RECEIVED, SENT, SMALLEST

HANDLE = f"{PROTOCOL:x}:"
"""The name of our shapers (see _wire.HANDLE)."""
OPTIONS = (
    f"diffserv4 flows nonat nowash no-ack-filter split-gso rtt 100ms noatm overhead {OVERHEAD} mpu {SMALLEST}".split()
)
"""All that could be another's, since a change keeps what it does not name. What is read back is in _wire.

Four classes by DSCP (RFC 4594), and in each the connections take turns: CAKE finds those of a tunnel inside of GRE.
With ``nat`` it would ask conntrack, which knows GRE from outside only: one queue for all of a tunnel. Hosts take no
turns: behind the NAT of a LAN all of them are one address.
"""
_ALL = "protocol all u32 match u32 0 0"
"""Every packet."""
_GONE = (
    "Cannot find specified qdisc",
    "Cannot find specified filter chain",
    "Parent Qdisc doesn't exist",
    "Invalid handle",
    "Cannot find device",
    "Cannot delete qdisc with handle of zero",
)
_HINTS = {
    Shaper.KIND: ("qdisc kind is unknown", "this kernel has no CAKE (module sch_cake)"),
    Redirect.KIND: ("qdisc kind is unknown", "this kernel has no ingress queue (module sch_ingress)"),
}
_CAKE = '"$0" qdisc add dev lo root cake'
_IN_SCRATCH = f"""\
{_CAKE} &&
"$1" link add ifb-lo type ifb &&
"$0" qdisc add dev lo clsact &&
"$0" filter add dev lo ingress {_ALL} action mirred egress redirect dev ifb-lo"""
"""What shaping takes of a kernel."""
_REFUSED = 9
"""An exit code that unshare(1) and sh(1) have no other use for."""
_WAYS = ("ingress", "egress")
"""The directions of a device's filters: for what it receives, and for what it sends."""


def works(redirects: bool) -> bool:
    """Whether the kernel can shape, with *redirects* also what a device receives: a network namespace that goes at
    once is asked. True where that says nothing."""
    unshare, tc, address = (_programs.find(program) for program in ("unshare", "tc", "ip"))
    if unshare is None or tc is None or address is None:
        return True
    script = _IN_SCRATCH if redirects else _CAKE
    tried = _programs.run([unshare, "--net", "sh", "-c", f"{{ {script}; }} || exit {_REFUSED}", tc, address])
    return tried.returncode != _REFUSED


def apply(operation: Operation) -> None:
    """One operation, which happens whole or raises EngineError."""
    item = operation.item
    if isinstance(item, Shaper):
        verb = {"add": "add", "change": "change", "delete": "del"}[operation.action]
        _tc(operation, ["qdisc", verb, *_shaped(item, deleting=verb == "del")])
        return
    if isinstance(operation.before, Redirect):
        _back(operation, operation.before)
    if isinstance(operation.after, Redirect):
        try:
            _redirect(operation, operation.after)
        except EngineError:
            if isinstance(operation.before, Redirect):
                with suppress(EngineError):
                    _redirect(operation, operation.before)
            raise


def _shaped(shaper: Shaper, deleting: bool) -> list[str]:
    place = ["dev", shaper.device, "root", "handle", HANDLE]
    if deleting:
        return place
    side = "ingress" if shaper.received else "egress"
    return [*place, "cake", "bandwidth", f"{shaper.rate}kbit", *OPTIONS, side]


def _redirect(operation: Operation, redirect: Redirect) -> None:
    """Filters of both directions stand on one clsact, which is there already where the other one has a filter."""
    _tc(operation, ["qdisc", "replace", "dev", redirect.device, "clsact"])
    if not redirect.to or redirect.to.startswith("#"):  # what somebody has left half undone
        return
    try:
        _tc(operation, ["filter", "add", *_all_of(redirect)])
    except EngineError:
        with suppress(EngineError):
            _sweep(operation, redirect.device)
        raise


def _back(operation: Operation, redirect: Redirect) -> None:
    """What goes by another device goes its own way again; without a filter there is only a queue to take away."""
    if not redirect.to:
        _tc(operation, ["qdisc", "del", "dev", redirect.device, "parent", "ffff:fff1"])
        return
    _tc(operation, ["filter", "del", *_place(redirect)])
    _sweep(operation, redirect.device)


def _sweep(operation: Operation, device: str) -> None:
    """Take clsact away once there are no filters on it."""
    if not any(_tc(operation, ["filter", "show", "dev", device, way]).strip() for way in _WAYS):
        _tc(operation, ["qdisc", "del", "dev", device, "clsact"])


def _all_of(redirect: Redirect) -> list[str]:
    return [*_place(redirect), *_ALL.split(), "action", "mirred", "egress", "redirect", "dev", redirect.to]


def _place(redirect: Redirect) -> list[str]:
    preference = SENT if redirect.sent else RECEIVED
    return ["dev", redirect.device, _WAYS[redirect.sent], "pref", str(preference)]


def _tc(operation: Operation, words: Sequence[str]) -> str:
    """What tc prints."""
    program = _programs.find("tc")
    if program is None:
        raise HostError("tc is missing on this host (Debian package iproute2)")
    done = _programs.run([program, *words])
    if done.returncode == 0:
        return done.stdout
    if operation.action == "delete" and any(text in done.stderr for text in _GONE):
        raise Gone(f"cannot {operation}: it is gone")
    text, hint = _HINTS[operation.kind]
    raise EngineError(f"cannot {operation}: {hint if text in done.stderr else _programs.words(done.stderr)}")
