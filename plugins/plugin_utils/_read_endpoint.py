# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a run has found out for sites that report the addresses of their links: ``extrude_endpoint``.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Endpoint

_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/]+=*")
"""A public key as OpenSSH writes it, without a comment: what is anything else could have options in it."""

PORT = _kinds.integer(1, 65535)


def read_endpoint(reader: Reader) -> Endpoint | None:
    """Read the keys of both ends; None before a run has read them."""
    return reader.read("extrude_endpoint", ENDPOINT, None)


def _endpoint(value: object) -> Endpoint:
    if not isinstance(value, Mapping):
        raise ValueError(f"{_kinds.describe(value)} is not a dictionary")
    host_keys = value.get("host_keys") or ()
    if not isinstance(host_keys, list | tuple):
        raise ValueError(f"{_kinds.describe(host_keys)} is not a list")
    keys = [value.get("key"), *host_keys]
    for key in keys:
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ValueError(f"{_kinds.describe(key)} is not a public key")
    return Endpoint(str(keys[0]), PORT.convert(value.get("port")), tuple(keys[1:]))


ENDPOINT: _kinds.Kind[Endpoint | None] = _kinds.Kind("what the role endpoint has found", _endpoint, None)
