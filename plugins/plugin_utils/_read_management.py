# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads by which address and port Ansible reaches a host, as far as the inventory says.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader

HOST = ("ansible_ssh_host", "ansible_host")
PORT = ("ansible_ssh_port", "ansible_port")
"""The older name counts where both are given (the option port of the connection plugin ssh)."""
SSH_PORT = "22"


def read_management(reader: Reader) -> tuple[str, str]:
    """Return both, as they are written: a name is not looked up, and ``~/.ssh/config`` is not read."""
    return _first(reader, HOST, reader.host), _first(reader, PORT, SSH_PORT)


def _first(reader: Reader, names: tuple[str, ...], default: str) -> str:
    return next((reader.read(name, _kinds.ANYTHING) for name in names if reader.has(name)), default)
