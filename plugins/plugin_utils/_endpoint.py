# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files by which a site reports the addresses of its links to its colo over SSH, and by which that knows the site.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.module_utils._endpoint_tell import BUSY
from ansible_collections.multihome.extrude.plugins.module_utils._learned import ENDPOINTS, Endpoints
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Endpoint, Site

KNOWN_HOSTS = "endpoint_known_hosts"
TURN_SECONDS = 5
"""How long a report waits for another one of its site."""
# nothing of the admin's own configuration counts, and nothing is ever asked
CONFIG = """\
# Made by multihome.extrude. How this site reports the addresses of its links; by hand: ssh -F THIS -b ADDRESS colo LINK
Host colo
    HostName {address}
    Port {port}
    User extrude
    AddressFamily inet
    IdentityFile /etc/extrude/endpoint_key
    IdentitiesOnly yes
    IdentityAgent none
    PreferredAuthentications publickey
    HostKeyAlias colo
    UserKnownHostsFile /etc/extrude/{known_hosts}
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    UpdateHostKeys no
    BatchMode yes
    RequestTTY no
    ConnectTimeout 10
    ServerAliveInterval 5
    ServerAliveCountMax 2
    LogLevel ERROR
"""


def reports(site: Site) -> bool:
    """Tell whether a site has links whose addresses it reports."""
    return bool(site.reporting)


def site_files(site: Site, colo: Colo) -> Iterator[Plain]:
    """Yield the site's: ssh's configuration, and the keys by which it knows the colo."""
    if found := _found(site):
        text = CONFIG.format(address=colo.address.ip, port=found.port, known_hosts=KNOWN_HOSTS)
        yield {"path": "endpoint_ssh", "content": text}
        yield {"path": KNOWN_HOSTS, "content": "".join(f"colo {key}\n" for key in found.host_keys)}


def colo_files(site: Site, name: str) -> Iterator[Plain]:
    """Yield the colo's: the site's key, which can do one thing (sshd(8), AUTHORIZED_KEYS FILE FORMAT)."""
    if found := _found(site):
        # one at a time, so that whoever has a key cannot have the colo start a program for each of many logins; what is
        # locked is in a folder that no other user can open
        lock = shlex.quote(f"{ENDPOINTS}/{Endpoints.turn(site.customer, site.name)}")
        turn = f"flock -w {TURN_SECONDS} -E {BUSY} {lock}"
        command = f"{turn} /usr/sbin/extrude endpoint accept {shlex.quote(f'{site.customer}/{site.name}')}"
        quoted = command.replace('"', r"\"")
        yield {"path": f"keys.d/{name}", "content": f'restrict,command="{quoted}" {found.key}\n'}


def _found(site: Site) -> Endpoint | None:
    """Return the keys of both ends, if the site has a use for them."""
    return site.endpoint if reports(site) else None
