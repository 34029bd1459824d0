# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's certificate, by which its encrypted links prove themselves, and that of the authority that has signed it.

strongSwan reads both, and the private key, when it starts; while it runs it is told of these alone, and connections
that are up stay up. This module util is private to the collection.
"""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from . import _files, _storage, _strongswan, _vici
from ._fields import EngineError
from ._model import File

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

FOLDER = Path("/etc/swanctl")
OWN, AUTHORITY, KEY = "x509/extrude.pem", "x509ca/extrude.pem", "private/extrude.pem"
NEXT_KEY, FORMER_KEY = "extrude.key", "private/extrude-former.pem"
"""Where the key is made. The daemon does not read it there: it has the one before until the certificate is there."""
_FLAGS = {OWN: "NONE", AUTHORITY: "CA"}


def has_cryptography() -> bool:
    """Whether the library is there that makes keys and reads certificates. It is not imported: that takes 0.2 s."""
    return importlib.util.find_spec("cryptography") is not None


def present(folder: Path = FOLDER, path: str = OWN) -> str:
    """The host's certificate, or the one of its authority, in PEM; empty where there is none."""
    found = _files.Folder(folder).read([path])
    return found[(path,)].content if found else ""


def until(pem: str) -> datetime | None:
    """When a certificate expires; None where that cannot be told."""
    if (certificate := _load(pem)) is None:
        return None
    # Debian 12's library has only the one without a time zone
    end: datetime = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after
    return end.replace(tzinfo=UTC)


def key_of(pem: str) -> str | None:
    """What the daemon calls the key of a certificate: the SHA-1 of its bits (RFC 5280 section 4.2.1.2)."""
    if (certificate := _load(pem)) is None:
        return None
    from cryptography import x509  # noqa: PLC0415 - see has_cryptography

    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest.hex()


def _load(pem: str) -> Certificate | None:
    if not pem or not has_cryptography():
        return None
    from cryptography import x509  # noqa: PLC0415 - see has_cryptography

    try:
        return x509.load_pem_x509_certificate(pem.encode(errors="replace"))
    except ValueError:
        return None


class Certificates:
    """The certificates of this host, and the key of its own. Errors are EngineErrors that name the file."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._place = folder
        self._folder = _files.Folder(folder, self._tell, mode=0o600, shared=True, mark=".untold-certificate")

    def apply(self, certificate: str, authority: str, check: bool) -> list[_files.Change]:
        """Keep both, in PEM, with the key that was made for the certificate, and return what changes: each file as it
        was and as it is; with *check* what would."""
        key = self._next_key(certificate)
        wanted = [File(AUTHORITY, authority), File(KEY, key), File(OWN, certificate)]
        found = self._folder.read(file.path for file in wanted)
        known = _known() if found and _vici.runs() else None
        changes: list[_files.Change] = [
            (before, file)
            for file in wanted
            if (before := found.get((file.path,))) != file
            or (known is not None and file.path != KEY and _print(file) not in known)
        ]
        if not check:
            self._replace(changes)
        return changes

    def _replace(self, changes: Sequence[_files.Change]) -> None:
        """Until the new certificate stands the former one keeps its key: a daemon that starts then needs both."""
        spare = self._place / FORMER_KEY
        for former, file in changes:
            if former and file and file.path == KEY:
                _storage.write(spare, former.content, mode=0o600)
        if changes:
            self._folder.apply(changes)
        spare.unlink(missing_ok=True)

    def remove(self, check: bool) -> list[_files.Change]:
        """Remove certificates and keys, and return what was there. The daemon keeps the authority's until it ends."""
        found = self._folder.read([AUTHORITY, KEY, OWN, NEXT_KEY, FORMER_KEY])
        changes: list[_files.Change] = [(file, None) for file in found.values()]
        if changes and not check:
            self._folder.apply(changes)
        return changes

    def _next_key(self, certificate: str) -> str:
        found = _files.Folder(self._place).read([NEXT_KEY])
        if not found:
            raise EngineError(f"there is no private key in {self._place / NEXT_KEY}")
        key = found[(NEXT_KEY,)].content
        if _public_key(key) != key_of(certificate):
            raise EngineError(
                f"the certificate is for another key than that in {self._place / NEXT_KEY}: was another run at work? "
                "Run the playbook again"
            )
        return key

    def _tell(self, changes: Sequence[_files.Change]) -> None:
        files = {after.path: after for _before, after in changes if after is not None}
        formers = {before.path: before for before, _after in changes if before is not None}
        if not _strongswan.can_be_told():
            return
        with _vici.Session() as daemon:
            if OWN in formers.keys() - files.keys():
                _forget_key(daemon, key_of(formers[OWN].content))
            if not files:
                return
            if OWN in files:
                self._change_key(daemon, formers.get(OWN))
            for path in [path for path in files if path in _FLAGS]:
                about = {"type": "X509", "flag": _FLAGS[path], "data": files[path].content}
                _ask(daemon, "load-cert", about, path)
            _strongswan.call_down(daemon)

    def _change_key(self, daemon: _vici.Session, before: File | None) -> None:
        """Load the key, and unload the one before: a certificate that the daemon has stays there, unused without it."""
        found = _files.Folder(self._place).read([KEY])
        key = found[(KEY,)].content if found else ""
        loaded = _ask(daemon, "load-key", {"type": "any", "data": key}, KEY).get("id")
        former = key_of(before.content) if before else None
        if former != loaded:
            _forget_key(daemon, former)


def _forget_key(daemon: _vici.Session, key: str | None) -> None:
    if key:
        with suppress(_vici.ViciError):  # the daemon may not know it
            daemon.request("unload-key", {"id": key})


def _public_key(private: str) -> str:
    """What :func:`key_of` says of a certificate for this private key; empty where it is none."""
    from cryptography import x509  # noqa: PLC0415 - see has_cryptography
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        public = load_pem_private_key(private.encode(errors="replace"), None).public_key()
        return x509.SubjectKeyIdentifier.from_public_key(public).digest.hex()  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return ""


def _ask(daemon: _vici.Session, command: str, message: Mapping[str, str], path: str) -> _vici.Message:
    try:
        return daemon.request(command, message)
    except _vici.ViciError as error:
        raise EngineError(f"strongSwan does not take {path}: {error}") from error


def _known() -> Collection[tuple[str, str]]:
    """The certificates that the daemon knows, as :func:`_print` has them; one of its own counts only with its key."""
    with _vici.Session() as daemon:
        found = daemon.stream("list-certs", "list-cert", {"type": "X509"})
    return {
        (flag, str(one.get("data")))
        for one in found
        if (flag := str(one.get("flag"))) == _FLAGS[AUTHORITY] or one.get("has_privkey") == "yes"
    }


def _print(file: File) -> tuple[str, str]:
    """What the daemon would list a certificate as: vici's messages hold its bytes, which are read as a text."""
    try:
        data = ssl.PEM_cert_to_DER_cert(file.content.strip())
    except ValueError:
        raise EngineError(f"what is to be {file.path} is no certificate in PEM") from None
    return _FLAGS[file.path], data.decode(errors="replace")
