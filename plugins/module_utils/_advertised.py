# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has learnt from IPv6 router advertisements outlives its becoming a router.

With forwarding on, the kernel forgets the default routes of a device and ignores its advertisements, unless its
``accept_ra`` is 2 (Documentation/networking/ip-sysctl.rst). Which devices learn, only the host knows.
This module util is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from . import _dump, _sysctl
from ._model import Sysctl
from ._request import Request

_FORWARDING = Sysctl("net/ipv6/conf/all/forwarding", "1")
_DEVICE_FORWARDING = "net/ipv6/conf/{}/forwarding"
_ACCEPT = "net/ipv6/conf/{}/accept_ra"
_ACCEPTS = re.compile(_ACCEPT.format("[^/]+"))


def keep(request: Request) -> Request:
    """The request; where it turns IPv6 forwarding on, with devices that learn told to go on.

    Those of the records too: at boot the first advertisement comes later than we do. A device that forwards already
    has learnt nothing by itself, whatever looks like it there: a LAN's address may end unless renewed, too.
    """
    asked = request.wanted(Sysctl)
    if asked.get(_FORWARDING.place) != _FORWARDING:
        return request
    had = {item.name for state in request.recorded for item in state.of(Sysctl) if _is_kept(item)}
    names = {*had, *map(_ACCEPT.format, _learners())} - {item.name for item in asked.values()}
    return with_kept(request, _sysctl.read(names))


def _learners() -> set[str]:
    """Devices that have learnt from advertisements and do not forward yet."""
    found = {device: _DEVICE_FORWARDING.format(device) for device in _dump.advertised()}
    values = _sysctl.read(found.values())
    return {device for device, name in found.items() if values[name] == "0"}


def with_kept(request: Request, found: Mapping[str, str | None]) -> Request:
    """The request with these settings in every state that turns forwarding on, before it does.

    Where the kernel does not listen (0), a program does in its stead, such as systemd-networkd: it needs no help.
    """
    kept = tuple(Sysctl(name, "2", optional=True) for name, value in sorted(found.items()) if value != "0")
    states = (
        replace(state, objects=(*kept, *state.objects)) if _FORWARDING in state.objects else state
        for state in request.desired
    )
    return replace(request, desired=tuple(states))


def _is_kept(item: Sysctl) -> bool:
    """Whether a recorded setting is one of ours: those that the inventory asks for are not optional."""
    return item.optional and _ACCEPTS.fullmatch(item.name) is not None
