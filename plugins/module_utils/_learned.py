# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was learnt and no kernel can tell: hints of a site's links, and the endpoints that sites have reported.

Each is a small file, so that one writer needs no other's content. This module util is private to the collection.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from ._bind import UNHEARD, Plain
from ._links import Hint
from ._storage import cannot, write

HINTS = "/run/extrude/links"
ENDPOINTS = "/var/lib/extrude/endpoints"


class Hints:
    """What hooks have told of links, until the host stops."""

    def __init__(self, folder: str | Path = HINTS) -> None:
        self._folder = Path(folder)

    def load(self) -> dict[str, Hint]:
        """The hints by link; a file that is no hint is as good as none."""
        found = ((path.name, _hint(path)) for path in _files(self._folder))
        return {name: hint for name, hint in found if hint.device}

    def store(self, wan: str, hint: Hint | None) -> None:
        """Remember a hint of a link, or forget it."""
        path = self._folder / wan
        try:
            if hint is None:
                path.unlink(missing_ok=True)
            else:
                write(path, json.dumps(asdict(hint)) + "\n", sync=False)
        except OSError as error:
            raise cannot("write", path, error) from error


class Endpoints:
    """Where the links of sites are, as they have reported it: one line with an address for each link."""

    def __init__(self, folder: str | Path = ENDPOINTS) -> None:
        self._folder = Path(folder)

    def path(self, customer: str, site: str, wan: str) -> Path:
        return self._folder / customer / site / wan

    def values(self, state: Plain) -> dict[str, str]:
        """What stands for the placeholders of a colo's state for a site."""
        return {f"{wan}.endpoint": self.read(state, wan) for wan in endpoints_of(state)}

    def read(self, state: Plain, wan: str) -> str:
        """The endpoint of a link; UNHEARD where it has reported none."""
        path = self.path(str(state.get("customer")), str(state.get("site")), wan)
        try:
            return str(ipaddress.IPv4Address(path.read_text(encoding="ascii").strip()))
        except (OSError, ValueError):
            return UNHEARD


def endpoints_of(state: Plain) -> list[str]:
    """The links of a site whose addresses the colo has to be told."""
    return [str(wan) for wan in state.get("endpoints") or () if str(wan) not in (".", "..")]


def _files(folder: Path) -> Iterable[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    except OSError:
        return []


def _hint(path: Path) -> Hint:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        device, gateway = (str(data.get(name) or "") for name in ("device", "gateway"))
        return Hint(device, str(ipaddress.IPv4Address(gateway)) if gateway else "")
    except (OSError, ValueError, AttributeError):
        return Hint()
