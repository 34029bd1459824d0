# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of the one ssh_config that ssh, Ansible and testinfra use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# ssh refuses socket paths beyond this: 108 bytes less what it appends while it creates the socket.
SOCKET_PATH_BYTES = 90
HOST_KEY_ALIAS = "extrude-lab"


@dataclass(frozen=True)
class Endpoint:
    """Where sshd of a host is reached; `proxy`: the command that connects to it (None: directly)."""

    address: str
    port: int = 22
    proxy: str | None = None


def ssh_config(endpoints: Mapping[str, Endpoint], folder: Path, sockets: Path) -> str:
    """Return the file's text. `folder` holds the keys `id` and `known_hosts`, `sockets` the shared connections."""
    blocks = [_host(name, endpoint) for name, endpoint in endpoints.items()]
    return "\n".join([*blocks, _common(list(endpoints), folder, sockets)])


def known_hosts(public_key: str) -> str:
    """Return the known_hosts line of the lab's one host key."""
    kind, key = public_key.split()[:2]
    return f"{HOST_KEY_ALIAS} {kind} {key}\n"


def _host(name: str, endpoint: Endpoint) -> str:
    lines = [f"Host {name}", f"    HostName {endpoint.address}", f"    Port {endpoint.port}"]
    if endpoint.proxy is not None:
        lines.append(f"    ProxyCommand {endpoint.proxy}")
    return "\n".join([*lines, ""])


def _common(names: list[str], folder: Path, sockets: Path) -> str:
    return f"""\
Host {" ".join(names)}
    User root
    IdentityFile {_quoted(folder / "id")}
    IdentitiesOnly yes
    UserKnownHostsFile {_quoted(folder / "known_hosts")}
    GlobalKnownHostsFile /dev/null
    HostKeyAlias {HOST_KEY_ALIAS}
    StrictHostKeyChecking yes
    PasswordAuthentication no
    ControlMaster auto
    ControlPath {_quoted(sockets / "%n", keep="%n")}
    ControlPersist 600
    ServerAliveInterval 2
    ConnectTimeout 10
    LogLevel ERROR
"""


def _quoted(path: Path, keep: str = "") -> str:
    text = str(path).replace("%", "%%")
    if keep:
        text = text.removesuffix(keep.replace("%", "%%")) + keep
    return f'"{text}"'
