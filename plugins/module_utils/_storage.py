# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that outlive a power cut and a slip of the hand: written in one step, with a copy that is read instead
when the file itself cannot be.

This module util is private to the collection.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

from ._fields import EngineError, Fields, HostError
from ._model import SCHEMA

Item = TypeVar("Item")
COPY = ".last-good"
_PATIENCE = 2.0
NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""A disk that is full, or on its way out."""
_NOT_UNDERSTOOD = (ValueError, EngineError, RecursionError)


class Newer(EngineError):
    """A file of a later version of the collection: nothing is wrong with it."""


class SiteFiles:
    """A folder with a file for each customer, which holds something of each of its sites.

    Errors are EngineErrors that name the file. A file that cannot be understood goes to ``warnings``, and what
    was last written is taken instead; where that cannot be either, a *patient* caller goes without it (``lost``).
    Where there is a *spare* folder, in memory, files of customers go there while the disk cannot be written, which goes
    to ``warnings`` too; while such a file is there it is the one that counts.
    """

    def __init__(self, folder: str | Path, what: str, spare: str | Path | None = None, patient: bool = False) -> None:
        self.folder = Path(folder)
        self.warnings: list[str] = []
        self.lost: list[str] = []
        self._what = what
        self._spare = Path(spare) if spare else None
        self._patient = patient

    def load(self, parse: Callable[[Any, str], Item], customers: Collection[str] | None = None) -> list[Item]:
        """What *parse* makes of each site of these customers (default: all); it is also told the place in the file."""
        paths = {path.stem: path for path in self.folder.glob("*.json")} | self._spared()
        chosen = paths.keys() if customers is None else paths.keys() & set(customers)
        return [item for customer in sorted(chosen) for item in self._load(paths[customer], parse)]

    def spared(self) -> set[str]:
        """The customers whose files are in the spare folder."""
        return set(self._spared())

    @contextmanager
    def storing(self, customers: Mapping[str, Mapping[str, Any]], lasting: bool = False) -> Iterator[None]:
        """Put the sites of these customers in place of their files, if the body succeeds; without sites a file goes.

        All of it is written before the body begins: a disk that is full or read-only shows by then. What has to be
        *lasting* never goes to the spare folder.
        """
        try:
            folder = self._stage(customers, lasting)
            yield
            for customer, sites in customers.items():
                path = folder / f"{customer}.json"
                with _named(path):
                    _commit(path, bool(sites) or folder == self._spare)  # one without sites hides that on the disk
                    if self._spare and folder != self._spare:
                        _commit(self._spare / path.name, stays=False)
        finally:
            for folder in filter(None, (self.folder, self._spare)):
                _unstage(folder, customers)

    def _stage(self, customers: Mapping[str, Mapping[str, Any]], lasting: bool) -> Path:
        """Write what is to replace files beside them; the folder where that went."""
        try:
            _stage_all(self.folder, customers)
        except HostError as error:
            reason = error.__cause__
            if lasting or self._spare is None or not isinstance(reason, OSError) or reason.errno not in NOT_WRITABLE:
                raise
            _stage_all(self._spare, customers)
            self._warn(f"{error}; it is kept in {self._spare} until that can be written")
            return self._spare
        return self.folder

    def _spared(self) -> dict[str, Path]:
        return {path.stem: path for path in self._spare.glob("*.json")} if self._spare else {}

    def _load(self, path: Path, parse: Callable[[Any, str], Item]) -> list[Item]:
        try:
            return _sites(path, parse)
        except OSError as error:
            raise cannot("read", path, error) from error
        except _NOT_UNDERSTOOD as error:
            said = f"{path} is no {self._what}"
            try:
                found = _sites(_copy(path), parse)
            except (OSError, *_NOT_UNDERSTOOD):
                advice = "run the collection that wrote it" if isinstance(error, Newer) else "mend it or remove it"
                if self._patient:
                    self._note(self.lost, f"{said}, {advice}: {error}")
                    return []
                raise EngineError(f"{said}, {advice}: {error}") from error
            self._warn(f"{said}, so its copy {_copy(path).name} is used: {error}")
            return found

    def _warn(self, text: str) -> None:
        self._note(self.warnings, text)

    @staticmethod
    def _note(listed: list[str], text: str) -> None:
        if text not in listed:
            listed.append(text)


def write(path: Path, text: str, sync: bool = True, mode: int = 0o644) -> None:
    """Replace a file in one step; with *sync* the new one is on the disk before the old one goes, and stays there.

    Folders that are missing are made; who may read them does not depend on the umask. Of several that write the same
    file at once the last one wins.
    """
    _make_folders(path)
    with _open_folder(path.parent) as folder:
        _wait_for(folder)
        try:
            stage(path, text, sync, mode)
            _staged(path).replace(path)
        except OSError:
            with suppress(OSError):
                _staged(path).unlink(missing_ok=True)
            raise
        if sync:
            os.fsync(folder)


def _wait_for(folder: int) -> None:
    """Wait for other writers, but not for ever: whoever can read a folder can lock it."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
    return None


def stage(path: Path, text: str, sync: bool = True, mode: int = 0o644) -> None:
    """Write what is to replace a file beside it."""
    _make_folders(path)
    _staged(path).unlink(missing_ok=True)
    # what stands there must not be a link to elsewhere: the folder may be somebody's who has fewer rights
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(_staged(path), flags, mode), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def _stage_all(folder: Path, customers: Mapping[str, Mapping[str, Any]]) -> None:
    for customer, sites in customers.items():
        path = folder / f"{customer}.json"
        with _named(path):
            text = _text(customer, sites)
            stage(path, text)
            stage(_copy(path), text, sync=False)  # the file itself is safe by then


def _unstage(folder: Path, customers: Iterable[str]) -> None:
    """Remove what was staged and did not get into its place."""
    for customer in customers:
        path = folder / f"{customer}.json"
        for staged in (_staged(path), _staged(_copy(path))):
            with suppress(OSError):
                staged.unlink(missing_ok=True)


def _commit(path: Path, stays: bool) -> None:
    """Put what is staged into the place of a file and its copy, or remove both."""
    for file in (path, _copy(path)):
        if stays:
            _staged(file).replace(file)
        else:
            file.unlink(missing_ok=True)
    if path.parent.exists():
        _sync(path.parent)


def _make_folders(path: Path) -> None:
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        folder.chmod(0o755)


def _sync(folder: Path) -> None:
    """Have the names of a folder on the disk."""
    with _open_folder(folder) as handle:
        os.fsync(handle)


@contextmanager
def lock_file(path: Path) -> Iterator[TextIO]:
    """Whoever can read the file can lock it (flock(2)), so only root may."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w")
        os.fchmod(lock.fileno(), 0o600)
    except OSError as error:
        raise cannot("write", path, error) from error
    with lock:
        yield lock


@contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


def cannot(do: str, path: Path, error: OSError) -> HostError:
    root = "; it takes root" if isinstance(error, PermissionError) else ""
    return HostError(f"cannot {do} {path}: {error.strerror}{root}")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot("write", path, error) from error


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _copy(path: Path) -> Path:
    return path.with_name(f"{path.name}{COPY}")


def refuse_newer(folders: Iterable[Path]) -> None:
    """Raises EngineError where a later version of the collection has written a file. Others may be as they like."""
    for path in sorted(path for folder in folders for path in folder.glob("*.json")):
        try:
            _understood(path)
        except Newer as error:
            raise EngineError(f"{path}: run the collection that wrote it: {error}") from error
        except (OSError, *_NOT_UNDERSTOOD):
            continue


def _understood(path: Path) -> Fields:
    top = Fields(json.loads(path.read_text(encoding="utf-8")), "")
    if (schema := top.integer("schema", 1, 2**31, SCHEMA)) > SCHEMA:
        raise Newer(f"schema: {schema} is newer than this version understands ({SCHEMA})")
    return top


def _sites(path: Path, parse: Callable[[Any, str], Item]) -> list[Item]:
    top = _understood(path)
    sites = top.required("sites")
    if not isinstance(sites, dict):
        raise EngineError(f"sites: {sites!r} is no dictionary")
    return [parse(state, f"sites.{site}") for site, state in sites.items()]


def _text(customer: str, sites: Mapping[str, Any]) -> str:
    """One line a site: short to read for people, and fast to write for thousands."""
    lines = ",\n".join(f"{json.dumps(site)}: {json.dumps(sites[site])}" for site in sorted(sites))
    return f'{{"schema": {SCHEMA}, "customer": {json.dumps(customer)}, "sites": {{\n{lines}\n}}}}\n'
