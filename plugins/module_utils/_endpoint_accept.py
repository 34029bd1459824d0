# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The colo's end of a report: who may move which tunnel, and to where. It runs without rights, since sshd starts it
for the key of a site.

What a site says is not believed: whose key it is says the sshd, and where the link is says the connection itself.
This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ._bind import Plain
from ._fields import EngineError
from ._learned import endpoints_of
from ._local import Store

_SHOWN = 60
"""Characters of what a stranger has said that a message repeats."""


class Refused(EngineError):
    """Something that this key may not do."""


def accept(who: str, asked: str, connection: str, store: Store) -> str:
    """Note that a link is where a connection comes from, and return that address.

    *who* is ``CUSTOMER/SITE``, of which the key is; *asked* is what the site wants to run, which has to be the name of
    a link; *connection* is what sshd says of it: addresses and ports of both ends (ssh(1), SSH_CONNECTION).
    """
    customer, _slash, site = who.partition("/")
    state = store.states.find(customer, site)
    if state is None:
        raise Refused(f"{who} is not deployed here")
    if asked not in endpoints_of(state):
        raise Refused(f"{shown(asked)} is not a link of {who} whose address changes" if asked else "no link is named")
    address = _usable(connection.partition(" ")[0], state)
    store.endpoints.store(state, asked, address)
    return address


def shown(text: str) -> str:
    """What a stranger has said, in one line that is not too long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _usable(text: str, state: Plain) -> str:
    """The address, if a tunnel can end there."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise Refused(f"it comes from {shown(text)}, which is no IPv4 address") from None
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise Refused(f"no tunnel can end at {address}")
    if any(address in network for network in _inside(state)):
        raise Refused(f"it comes from {address}, by a tunnel: a tunnel cannot run inside tunnels")
    return str(address)


def _inside(state: Plain) -> Iterator[ipaddress.IPv4Network]:
    """What is reached by the tunnels of a site: what is extruded to it, and their far ends."""
    named = [str(item.get("destination")) for item in state.get("routes") or ()]
    named += [str(item.get("address")) for item in state.get("addresses") or ()]
    for prefix in named:
        if ":" not in prefix:
            yield ipaddress.IPv4Network(prefix, strict=False)
