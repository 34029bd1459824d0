# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was learnt and no kernel can tell: hints of a site's links, whether its colo was told of their addresses, and at
the colo the endpoints that sites have reported.

Each is a small file, so that one writer needs no other's content. This module util is private to the collection.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ._bind import UNHEARD, Plain
from ._links import Hint
from ._storage import cannot, lock_file, write

HINTS = "/run/extrude/links"
REPORTS = "/run/extrude/reports"
ENDPOINTS = "/var/lib/extrude/endpoints"

NEWS = ".news"
"""Among the endpoints: stands while there are new ones that nobody has looked at (extrude-endpoints.path)."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of telling the colo a link's address."""

    address: str
    since: str
    """When the colo heard it; until then: when it was told first (ISO 8601)."""
    heard: str = ""
    """The address that the colo saw; empty: it has not heard it yet."""
    trouble: str = ""
    """Why not."""
    again: int = 0
    """How often it was told anew since anything came through the link's tunnel."""


class Hints:
    """What hooks have told of links, until the host stops."""

    def __init__(self, folder: str | Path = HINTS) -> None:
        self._folder = Path(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One event at a time: what it tells depends on what others have told."""
        with lock_file(self._folder / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> dict[str, Hint]:
        """The hints by link; a file that is no hint is as good as none."""
        found = ((path.name, _hint(path)) for path in _files(self._folder))
        return {name: hint for name, hint in found if hint.device}

    def store(self, wan: str, hint: Hint | None) -> None:
        """Remember a hint of a link, or forget it."""
        _keep(self._folder / wan, hint)


class Reports:
    """What became of telling the colo, by link, until the host stops: after a start it is told again."""

    def __init__(self, folder: str | Path = REPORTS) -> None:
        self._folder = Path(folder)

    def read(self, wan: str) -> Report | None:
        """A link's; a file that is no report is as good as none."""
        try:
            return _report(json.loads((self._folder / wan).read_text(encoding="utf-8")))
        except (OSError, ValueError, AttributeError):
            return None

    def store(self, wan: str, report: Report | None) -> None:
        """Remember what became of it, or forget it."""
        _keep(self._folder / wan, report)


class Endpoints:
    """Where the links of sites are, as they have reported it: one line with an address for each link."""

    def __init__(self, folder: str | Path = ENDPOINTS) -> None:
        self._folder = Path(folder)

    def path(self, customer: str, site: str, wan: str) -> Path:
        return self._folder / customer / site / wan

    @staticmethod
    def turn(customer: str, site: str) -> str:
        """The name of the file that whoever hears a report of a site locks meanwhile."""
        return f".{customer}.{site}"

    def values(self, state: Plain) -> dict[str, str]:
        """What stands for the placeholders of a colo's state for a site."""
        return {f"{wan}.endpoint": self.read(state, wan) for wan in endpoints_of(state)}

    def read(self, state: Plain, wan: str) -> str:
        """The endpoint of a link; UNHEARD where it has reported none."""
        try:
            return str(ipaddress.IPv4Address(_start_of(self._of(state, wan)).strip()))
        except (OSError, ValueError):
            return UNHEARD

    def reported(self, state: Plain, wan: str) -> float | None:
        """When a link reported its endpoint last, in seconds since 1970."""
        try:
            return self._of(state, wan).stat().st_mtime
        except OSError:
            return None

    def store(self, state: Plain, wan: str, address: str) -> None:
        """Keep what a link has reported, safe from a power cut, and say that there is news.

        What is known already is no news: a site reports again as long as nothing comes through its tunnel.
        """
        path = self._of(state, wan)
        try:
            if self.read(state, wan) == address:
                with suppress(PermissionError):  # it is somebody else's, as after a backup was restored
                    os.utime(path)
                return
            write(path, f"{address}\n")
            write(self._folder / NEWS, "", sync=False)
        except OSError as error:
            raise cannot("write", path, error) from error

    def known(self, customer: str, site: str) -> list[str]:
        """The links of which a site has reported the endpoints, whatever its state says."""
        if site in (".", ".."):
            return []
        return [path.name for path in _files(self._folder / customer / site)]

    def owners(self) -> list[tuple[str, str]]:
        """Customer and site of all that have reported."""
        return [(customer.name, site.name) for customer in _files(self._folder) for site in _files(customer)]

    def forget(self, customer: str, site: str) -> None:
        """Remove all that a site has reported.

        The folders are not root's, so what stands there in place of one could lead elsewhere: it is not followed.
        """
        try:
            with _opened(self._folder) as top:
                with suppress(FileNotFoundError):
                    os.unlink(self.turn(customer, site), dir_fd=top)
                self._forget(customer, site, top)
        except FileNotFoundError:
            return
        except OSError as error:
            raise cannot("remove", self._folder / customer / site, error) from error

    @staticmethod
    def _forget(customer: str, site: str, top: int) -> None:
        with _opened(customer, top) as folder:
            shutil.rmtree(site, dir_fd=folder)
        with suppress(OSError):  # it has other sites
            os.rmdir(customer, dir_fd=top)

    def _of(self, state: Plain, wan: str) -> Path:
        return self.path(str(state.get("customer")), str(state.get("site")), wan)


def _start_of(path: Path) -> str:
    """What a file that somebody with fewer rights may have made starts with: no pipe to wait for, no end of a link."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        return os.read(handle, 64).decode("ascii")
    finally:
        os.close(handle)


def endpoints_of(state: Plain) -> list[str]:
    """The links of a site whose addresses the colo has to be told."""
    return [str(wan) for wan in state.get("endpoints") or () if str(wan) not in (".", "..")]


@contextmanager
def _opened(folder: Path | str, parent: int | None = None) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)


def _files(folder: Path) -> Iterable[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    except OSError:
        return []


def _keep(path: Path, item: Hint | Report | None) -> None:
    """Write something to a file that need not outlive the host's run; None: remove it."""
    try:
        if item is None:
            path.unlink(missing_ok=True)
        else:
            write(path, json.dumps(asdict(item)) + "\n", sync=False)
    except OSError as error:
        raise cannot("write", path, error) from error


def _report(data: dict[str, object]) -> Report:
    address, since, heard, trouble = (str(data.get(key) or "") for key in ("address", "since", "heard", "trouble"))
    again = int(str(data.get("again") or 0))
    return Report(str(ipaddress.IPv4Address(address)), datetime.fromisoformat(since).isoformat(), heard, trouble, again)


def _hint(path: Path) -> Hint:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        device, gateway = (str(data.get(name) or "") for name in ("device", "gateway"))
        names = tuple(str(name) for name in data.get("names") or ())
        return Hint(device, str(ipaddress.IPv4Address(gateway)) if gateway else "", names)
    except (OSError, ValueError, AttributeError, TypeError):
        return Hint()
