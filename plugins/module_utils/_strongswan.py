# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""strongSwan, which encrypts tunnels: our connections and secrets, each in a file of its own beside those of the admin.

What is in the files the daemon reads when it starts. While it runs it is told of ours alone: the connections of others
stay as they are, and so do changes that an admin has not loaded yet.
This module util is private to the collection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

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
_CLOSED = "2000"
"""Milliseconds within which a connection that is told to go has gone."""
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
        self._untold: list[_files.Change] = []
        """Changes that the daemon has not heard of, since it refused one before: they need not be put back there."""

    def read(self, names: Iterable[str]) -> dict[Place, Connection]:
        """Those of these names that are there."""
        asked = {path_of(name): name for name in names}
        if not asked:
            return {}
        files = self._folder.read(asked)
        loaded = _loaded() if files and _vici.runs() else None
        if files and _vici.hangs():  # nothing can be told to it now, which must not keep all else from being put right
            files = {place: replace(file, extra="") for place, file in files.items()}
        found = [_connection(asked[file.path], file, loaded) for file in files.values()]
        return {connection.place: connection for connection in found}

    def apply(self, changes: Sequence[_Change]) -> None:
        """Bring each connection from what it is to what it should be; put all of them back should one fail."""
        if not installed() and any(after for _before, after in changes):
            raise EngineError(f"strongSwan is missing on this host (Debian packages {', '.join(PACKAGES)})")
        self._folder.apply([(_file(before), _file(after)) for before, after in changes])

    def _tell(self, changes: Sequence[_files.Change]) -> None:
        if not can_be_told():
            return
        rest = [(before, after) for before, after in changes if (after, before) not in self._untold]
        self._untold = rest
        with _vici.Session() as daemon:
            while rest:
                before, after = rest.pop(0)
                _load(daemon, before, after)


def can_be_told() -> bool:
    """Whether the daemon runs. Raises Unheard where it hangs."""
    if _vici.hangs():
        raise _files.Unheard("strongSwan's daemon does not answer")
    return _vici.runs()


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
    """Have the daemon close what a connection was, and take what it is.

    At a colo one that changes stays up until the site closes it: the run may come to the site by that link alone.
    One that goes is forgotten first, since its far end calls again at once; and it is waited for, since what drops
    what it would still decrypt goes next.
    """
    wanted = _sections(after)
    for name in _sections(before):
        if name not in wanted:
            with suppress(_vici.ViciError):  # it may not be known
                daemon.request("unload-conn", {"name": name})
        if name not in wanted or name.startswith(SITE_END):
            with suppress(_vici.ViciError):  # nor up
                timeout = "-1" if name in wanted else _CLOSED
                daemon.request("terminate", {"ike": name, "force": "yes", "timeout": timeout})
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

_TELLING = re.compile(
    r"error|failed|giving up|mismatch|no (?:shared key|matching|.*config) ?found"
    r"|certificate invalid|no issuer certificate found"
)
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


def lacks(names: Sequence[str], peers_now: Mapping[str, str] | None) -> dict[str, str]:
    """Those of some connections that are not among the *peers_now*, each with why."""
    if peers_now is None:
        return dict.fromkeys(names, f"strongSwan does not {'answer' if _vici.hangs() else 'run'}")
    missing = [name for name in names if name not in peers_now]
    troubles = _troubles(missing)
    return {name: troubles.get(name, "IKE is not up") for name in missing}


def lacking(names: Iterable[str]) -> dict[str, str]:
    """Those of some tunnels that are to be encrypted and are not, each with why."""
    asked = [name for name in names if (FOLDER / path_of(name)).exists()]
    return lacks(asked, peers() if asked else {})


def _troubles(names: Sequence[str]) -> dict[str, str]:
    """The last that the daemon said on why connections are not up; without those of which it has said nothing."""
    journalctl = _programs.find("journalctl")
    if journalctl is None or not names:
        return {}
    words = ["--quiet", "--boot", "--output=json", "--output-fields=MESSAGE,IKE_SA_NAME"]
    # values of one field are alternatives
    words += [f"--lines={_LINES * len(names)}", *(f"IKE_SA_NAME={name}" for name in names)]
    entries = map(json.loads, _programs.run([journalctl, *words]).stdout.splitlines())
    said = ((str(entry.get("IKE_SA_NAME")), str(entry.get("MESSAGE"))) for entry in entries)
    return {name: text for name, text in said if _TELLING.search(text)}


# --- secrets -----------------------------------------------------------------------------------------

Former: TypeAlias = Literal["forget", "accept", "use"]
"""What becomes of a secret that another one replaces: it goes; the far end may still prove itself by it; or this host
proves itself by it, too, and takes either one from the far end.

A change of secrets never leaves two ends that do not know each other, wherever it is cut short: first the colo takes
the next one and uses the former, then the site uses the next one and takes the former, then both forget that. A secret
that nothing replaces, since a certificate does or nothing is encrypted any more, stays until then, too."""


@dataclass(frozen=True)
class Secret:
    """What the links of a site and its colo prove themselves with: `links` is a pattern of their names. None: it has no
    use for one (any more)."""

    site: str
    links: str
    secret: str | None = field(repr=False)


class Secrets:
    """The secrets of sites. Nobody but root reads their files, and no error shows what is in them.

    A file has the one that is used last, since the daemon proves itself by what it was told last (seen with 5.9.8).
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = _files.Folder(folder, self._tell, mode=0o600, shared=True, mark=".untold-secrets")

    def apply(self, secrets: Sequence[Secret], check: bool, former: Former = "forget") -> list[str]:
        """Keep these secrets, and return the sites whose secret changes; with *check* those whose secret would."""
        found = self._folder.read(_secret_path(secret.site) for secret in secrets)
        loaded = _shared() if found and _vici.runs() else None
        changes = [change for secret in secrets if (change := _change(secret, former, found, loaded))]
        if changes and not check:
            self._folder.apply([(before, after) for _site, before, after in changes])
        return [site for site, _before, _after in changes]

    def recall(self, daemon: _vici.Session, sites: Iterable[str]) -> None:
        """Tell the daemon of secrets that it has lost: an error in anybody's file has swanctl(8) unload them all."""
        kept = self._folder.read(map(_secret_path, sites)).values()
        known = daemon.request("get-shared").get("keys") or () if kept else ()
        for file in kept:
            if not _keys(file).keys() <= set(known):
                _load_shared(daemon, file)

    def _tell(self, changes: Sequence[_files.Change]) -> None:
        if not can_be_told():
            return
        with _vici.Session() as daemon:
            known = set(daemon.request("get-shared").get("keys") or ())
            for before, after in changes:
                _load_shared(daemon, after)
                # also those of which a run that was cut short has not told it
                for name in _all_names(before or after, known) - _keys(after).keys():
                    with suppress(_vici.ViciError):  # the daemon may not know it
                        daemon.request("unload-shared", {"id": name})
            call_down(daemon)


def call() -> None:
    """Have the daemon know our secrets, and make the connections of a site's router that are not up.

    The daemon tries by itself, but not always: after a refusal it waits for minutes, and while the kernel still has
    keys of a daemon that was killed, nothing tells the next one that packets wait.
    """
    if any(FOLDER.glob(path_of("*"))) and _vici.runs():
        with _vici.Session() as daemon:
            Secrets(FOLDER).recall(daemon, secrets_of())
            call_down(daemon)


def _secret_path(site: str) -> str:
    return f"extrude-{site}{_SECRETS}"


def _change(
    secret: Secret, former: Former, found: Mapping[Place, File], loaded: Container[str] | None
) -> tuple[str, File | None, File | None] | None:
    """The file of a site's secret as it is and as it should be; None where it is as it should be."""
    before = found.get((path := _secret_path(secret.site),))
    if secret.secret is None:
        return (secret.site, before, None) if before and former == "forget" else None
    kept = _kept(secret, former, before)
    named = {_key_name(secret.site, len(kept) - number): text for number, text in enumerate(kept, 1)}
    keys = {name: {"id": secret.links, "secret": text} for name, text in named.items()}
    try:
        after = File(path, _swanctl.render({"secrets": keys}))
    except ValueError:  # whose words could show the secret
        raise EngineError(
            f"the secret of {secret.site} cannot be kept: its name or that of its links has blanks"
        ) from None
    known = loaded is None or all(name in loaded for name in keys)
    return None if before == after and known else (secret.site, before, after)


def _kept(secret: Secret, former: Former, before: File | None) -> list[str]:
    """The secrets that a site should have where it has those of a file, in hexadecimal: there every character is one
    that a file can hold. The last one is used."""
    if secret.secret is None:
        return []
    wanted = f"0x{secret.secret.encode().hex()}"
    had = [text for _links, text in _keys(before).values()]
    if former == "use" and had:
        return had if wanted in had else [wanted, *had]
    return [*(text for text in had if text != wanted and former == "accept"), wanted]


def _key_name(site: str, number: int) -> str:
    """What the daemon calls a secret; 0 is the one that is used."""
    return f"ike-extrude-{site.replace('.', '_')}" + (f"-{number}" if number else "")


def _all_names(file: File | None, known: Iterable[str]) -> set[str]:
    """What the daemon calls the secrets of a file's site, those that the file has lost included."""
    site = file.path.removeprefix("extrude-").removesuffix(_SECRETS) if file else ""
    first = _key_name(site, 0)
    return {name for name in known if re.fullmatch(rf"{re.escape(first)}(-[0-9]+)?", name)}


def _keys(file: File | None) -> dict[str, tuple[str, str]]:
    """The secrets in a file of ours, by name: whose they are, and they themselves in hexadecimal."""
    found = _swanctl.section(file.content, "secrets") if file else {}
    keys = [(name, key) for name, key in found.items() if isinstance(key, dict)]
    made = {name: (str(key.get("id")), str(key.get("secret"))) for name, key in keys}
    return {name: (links, text) for name, (links, text) in made.items() if _is_hex(text)}


def _is_hex(text: str) -> bool:
    return re.fullmatch("0x(?:[0-9a-f]{2})+", text) is not None


def _load_shared(daemon: _vici.Session, file: File | None) -> None:
    """Have the daemon take the secrets of a file, in their order."""
    for name, (links, text) in _keys(file).items():
        secret = bytes.fromhex(text.removeprefix("0x")).decode(errors="replace")
        daemon.request("load-shared", {"id": name, "type": "IKE", "data": secret, "owners": [links]})


def _shared() -> list[str]:
    """The names of the secrets that the daemon knows."""
    with _vici.Session() as daemon:
        return list(daemon.request("get-shared").get("keys") or ())


def call_down(daemon: _vici.Session) -> None:
    """Have the daemon make the connections of a site's router that are not up, or are and carry nothing."""
    found = [pair for message in daemon.stream("list-sas", "list-sa") for pair in message.items()]
    up = {name for name, one in found if not _is_hollow(one)}
    for name in daemon.request("get-conns").get("conns") or ():
        # an administrator's may begin alike
        if name.startswith(SITE_END) and name not in up and (FOLDER / path_of(name)).exists():
            with suppress(_vici.ViciError):
                daemon.request("initiate", {"child": name, "timeout": "-1"})


def _is_hollow(association: object) -> bool:
    """Whether both ends have proved themselves, and nothing carries packets; one that is being made has not yet."""
    one = association if isinstance(association, dict) else {}
    return one.get("state") == "ESTABLISHED" and not one.get("child-sas")
