# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""strongSwan, which encrypts tunnels: our connections and secrets, each in a file of its own beside those of the admin.

What is in the files the daemon reads when it starts. While it runs it is told of ours alone: the connections of others
stay as they are, and so do changes that an admin has not loaded yet.
This module util is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from . import _files, _programs, _swanctl, _vici
from ._fields import EngineError
from ._model import Connection, File, Place

FOLDER = Path("/etc/swanctl/conf.d")
PACKAGES = ("strongswan-swanctl", "charon-systemd", "libstrongswan-standard-plugins")
"""Debian's, with the daemon as a unit of systemd, and AES-GCM and X25519."""
SITE_END = "ex-"
"""What the connections of a site's router start with, as its tunnels do; a colo's have a number there."""
UNLOADED = "not in the daemon"
"""What is beyond the content of a file that a running daemon does not know, or knows otherwise."""

_LINES = 50
_SECRETS = ".secrets.conf"
_Change: TypeAlias = tuple[Connection | None, Connection | None]


def installed() -> bool:
    """Whether the daemon and its command are there."""
    return _programs.find("swanctl") is not None and _programs.find("charon-systemd") is not None


def secrets_of() -> list[str]:
    """The sites whose secrets this host keeps."""
    return sorted(
        path.name.removeprefix("extrude-").removesuffix(_SECRETS) for path in FOLDER.glob(f"extrude-*{_SECRETS}")
    )


# --- connections -------------------------------------------------------------------------------------


class Connections:
    """Our connections. Errors are EngineErrors that name file or connection."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = _files.Folder(folder, self._tell, shared=True)

    def read(self, names: Iterable[str]) -> dict[Place, Connection]:
        """Those of these names that are there."""
        asked = {path_of(name): name for name in names}
        if not asked:
            return {}
        files = self._folder.read(asked)
        loaded = _loaded() if files and _vici.runs() else None
        found = [_connection(asked[file.path], file, loaded) for file in files.values()]
        return {connection.place: connection for connection in found}

    def apply(self, changes: Sequence[_Change]) -> None:
        """Bring each connection from what it is to what it should be; put all of them back should one fail."""
        if not installed() and any(after for _before, after in changes):
            raise EngineError(f"strongSwan is missing on this host (Debian packages {', '.join(PACKAGES)})")
        self._folder.apply([(_file(before), _file(after)) for before, after in changes])

    def _tell(self, changes: Sequence[_files.Change]) -> None:
        if not _vici.runs():
            return
        with _vici.Session() as daemon:
            for before, after in changes:
                _load(daemon, before, after)


def path_of(name: str) -> str:
    """The file of a connection."""
    return f"extrude-{name}.conf"


def _file(connection: Connection | None) -> File | None:
    return None if connection is None else File(path_of(connection.name), connection.content)


def _connection(name: str, file: File, loaded: Container[str] | None) -> Connection:
    missing = UNLOADED if loaded is not None and name not in loaded else ""
    return Connection(name, file.content, file.extra or missing)


def _loaded() -> list[str]:
    """The names of the connections that the daemon knows."""
    with _vici.Session() as daemon:
        return list(daemon.request("get-conns").get("conns") or ())


def _load(daemon: _vici.Session, before: File | None, after: File | None) -> None:
    """Have the daemon close what a connection was, and take what it is."""
    wanted = _sections(after)
    for name in _sections(before):
        with suppress(_vici.ViciError):  # it may not be up
            daemon.request("terminate", {"ike": name, "force": "yes", "timeout": "-1"})
        if name not in wanted:
            with suppress(_vici.ViciError):  # nor known
                daemon.request("unload-conn", {"name": name})
    for name, settings in wanted.items():
        try:
            daemon.request("load-conn", {name: _swanctl.message(settings)})
        except _vici.ViciError as error:
            raise EngineError(f"strongSwan does not take connection {name}: {error}") from error


def _sections(file: File | None) -> dict[str, _swanctl.Settings]:
    """The connections in a file; none in one that somebody has damaged."""
    found = _swanctl.section(file.content, "connections") if file else {}
    return {name: settings for name, settings in found.items() if isinstance(settings, dict)}


# --- what has become of them -------------------------------------------------------------------------

_TELLING = re.compile(r"error|failed|giving up|mismatch|not responding|no (?:shared key|matching|.*config) ?found")
"""What the daemon's words have in them where they say why a connection is not up."""


def peers() -> dict[str, str] | None:
    """The connections that are up, each with the address of its far end; None where the daemon does not answer."""
    try:
        with _vici.Session() as daemon:
            found = daemon.stream("list-sas", "list-sa")
    except _vici.ViciError:
        return None
    associations = [(name, one) for message in found for name, one in message.items() if isinstance(one, dict)]
    return {name: str(one.get("remote-host")) for name, one in associations if one.get("child-sas")}


def lack(name: str, peers_now: Mapping[str, str] | None) -> str:
    """Why a connection is not among the *peers_now*; empty where it is."""
    if peers_now is None:
        return "strongSwan does not run"
    return "" if name in peers_now else _trouble(name) or "IKE is not up"


def lacking(names: Iterable[str]) -> dict[str, str]:
    """Those of some tunnels that are to be encrypted and are not, each with why."""
    asked = [name for name in names if (FOLDER / path_of(name)).exists()]
    now = peers() if asked else {}
    return {name: reason for name in asked if (reason := lack(name, now))}


def _trouble(name: str) -> str:
    """The last that the daemon said on why a connection is not up; empty where it has said nothing of that."""
    journalctl = _programs.find("journalctl")
    if journalctl is None:
        return ""
    words = ["--quiet", "--boot", "--output=cat", f"--lines={_LINES}", f"IKE_SA_NAME={name}"]
    said = _programs.run([journalctl, *words]).stdout.splitlines()
    return next((line for line in reversed(said) if _TELLING.search(line)), "")


# --- secrets -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Secret:
    """What the links of a site and its colo prove themselves with: `links` is a pattern of their names. None: it has no
    use for one (any more)."""

    site: str
    links: str
    secret: str | None = field(repr=False)


class Secrets:
    """The secrets of sites. Nobody but root reads their files, and no error shows what is in them."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = _files.Folder(folder, self._tell, mode=0o600, shared=True, mark=".untold-secrets")

    def apply(self, secrets: Sequence[Secret], check: bool) -> list[str]:
        """Keep these secrets, and return the sites whose secret changes; with *check* those whose secret would."""
        found = self._folder.read(_secret_path(secret) for secret in secrets)
        loaded = _shared() if found and _vici.runs() else None
        changes = [change for secret in secrets if (change := _change(secret, found, loaded))]
        if changes and not check:
            self._folder.apply([(before, after) for _site, before, after in changes])
        return [site for site, _before, _after in changes]

    def _tell(self, changes: Sequence[_files.Change]) -> None:
        if not _vici.runs():
            return
        with _vici.Session() as daemon:
            for before, after in changes:
                for name in _keys(before).keys() - _keys(after).keys():
                    with suppress(_vici.ViciError):  # the daemon may not know it
                        daemon.request("unload-shared", {"id": name})
                for name, (links, secret) in _keys(after).items():
                    key = {"id": name, "type": "IKE", "data": secret, "owners": [links]}
                    daemon.request("load-shared", key)
            _call(daemon)


def call() -> None:
    """Have the connections of a site's router made that are not up.

    The daemon tries by itself, but not always: after a refusal it waits for minutes, and while the kernel still has
    keys of a daemon that was killed, nothing tells the next one that packets wait.
    """
    if any(FOLDER.glob(path_of(f"{SITE_END}*"))) and _vici.runs():
        with _vici.Session() as daemon:
            _call(daemon)


def _secret_path(secret: Secret) -> str:
    return f"extrude-{secret.site}{_SECRETS}"


def _change(
    secret: Secret, found: Mapping[Place, File], loaded: Container[str] | None
) -> tuple[str, File | None, File | None] | None:
    """The file of a site's secret as it is and as it should be; None where it is as it should be."""
    name = f"ike-extrude-{secret.site.replace('.', '_')}"
    before = found.get((path := _secret_path(secret),))
    if secret.secret is None:
        return (secret.site, before, None) if before else None
    # in hexadecimal, since there every character is one that the file can hold
    key = {"id": secret.links, "secret": f"0x{secret.secret.encode().hex()}"}
    try:
        after = File(path, _swanctl.render({"secrets": {name: key}}))
    except ValueError:  # whose words could show the secret
        raise EngineError(
            f"the secret of {secret.site} cannot be kept: its name or that of its links has blanks"
        ) from None
    known = loaded is None or name in loaded
    return None if before == after and known else (secret.site, before, after)


def _keys(file: File | None) -> dict[str, tuple[str, str]]:
    """The secrets in a file of ours, by name: whose they are, and they themselves."""
    found = _swanctl.section(file.content, "secrets") if file else {}
    keys = [(name, key) for name, key in found.items() if isinstance(key, dict)]
    return {name: (str(key.get("id")), _from_hex(str(key.get("secret")))) for name, key in keys}


def _from_hex(text: str) -> str:
    try:
        return bytes.fromhex(text.removeprefix("0x")).decode(errors="replace")
    except ValueError:
        return ""


def _shared() -> list[str]:
    """The names of the secrets that the daemon knows."""
    with _vici.Session() as daemon:
        return list(daemon.request("get-shared").get("keys") or ())


def _call(daemon: _vici.Session) -> None:
    up = {name for message in daemon.stream("list-sas", "list-sa") for name in message}
    for name in daemon.request("get-conns").get("conns") or ():
        if name.startswith(SITE_END) and name not in up:
            with suppress(_vici.ViciError):
                daemon.request("initiate", {"child": name, "timeout": "-1"})
