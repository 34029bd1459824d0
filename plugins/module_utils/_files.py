# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of states: read, and written in one step with the news to the daemon that reads them.

This module util is private to the collection.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from . import _liveness
from ._fields import EngineError
from ._model import FOLDER, File, Place
from ._storage import NOT_WRITABLE

UNTOLD = "not yet told to the daemon"
"""What is beyond the content of files that a run has written before it was cut short."""

OPEN = "open to others"

_KEPT = ".extrude-kept"
"""How the name of a file ends that was kept; the daemons read none that begins with a dot."""


class Unwritable(EngineError):
    """The disk takes nothing: it is full, or on its way out."""


class Unheard(EngineError):
    """The daemon that reads the files does not answer: a later run tells it."""


Change: TypeAlias = tuple[File | None, File | None]
"""A file as it is and as it should be; None: not there."""


class Folder:
    """Our files below one folder, and how to tell the daemon that reads them of changes: BIRD, unless it is another.

    They have that *mode*. A *shared* folder holds files of others too, and stays when ours are gone; where both are
    ours, each kind has a *mark* of its own. Errors are EngineErrors that name the file.
    """

    def __init__(
        self,
        folder: str | Path = FOLDER,
        tell: Callable[[Sequence[Change]], None] | None = None,
        mode: int = 0o644,
        shared: bool = False,
        mark: str = ".untold",
    ) -> None:
        self._folder = Path(folder)
        self._tells = tell or (lambda _changes: _liveness.reload(self._folder))
        self._mode = mode
        self._is_shared = shared
        self._mark = self._folder / mark
        """Stands while files are written that the daemon has not been told of."""

    def read(self, paths: Iterable[str]) -> dict[Place, File]:
        """The files of these paths that are there. Bytes that are no text come as lone surrogates (PEP 383)."""
        extra = UNTOLD if self._mark.exists() else ""
        texts = {path: self._read(path) for path in sorted(paths)}
        return {
            (path,): File(path, text, extra or self._open(path)) for path, text in texts.items() if text is not None
        }

    def _open(self, path: str) -> str:
        """What is wrong with a file that more can read or write than should: an old backup may have made it so."""
        with suppress(OSError):
            return OPEN if (self._folder / path).stat().st_mode & 0o7777 & ~self._mode else ""
        return ""

    def apply(self, changes: Sequence[Change]) -> None:
        """Bring each file from what it is to what it should be, and tell the daemon once.

        All is written before the first file is replaced: a disk that is full shows by then. Should the daemon refuse
        the files, all of them are put back.
        """
        done: list[Change] = []
        self._write(self._mark, "")
        try:
            for _before, after in changes:
                self._stage(after)
            for before, after in changes:
                self._put(before, after)
                done.append((before, after))
            self._tell(done)
        except BaseException as error:
            self._put_back(done, error)
            raise
        finally:
            for file in chain.from_iterable(changes):
                self._unstage(file)

    def keep(self, path: str) -> None:
        """Keep a file as it is beside whatever comes in its place: coming back needs no room on the disk then."""
        place = self._folder / path
        with _named("write", place), suppress(FileExistsError, FileNotFoundError):
            os.link(place, _kept(place, place.read_bytes()))

    def forget(self) -> None:
        """Let go of what was kept."""
        for path in sorted(self._folder.rglob(f".*{_KEPT}")):
            self._remove(path)

    def _put_back(self, done: Sequence[Change], error: BaseException) -> None:
        try:
            back = [(after, before) for before, after in reversed(done)]
            for before, after in back:
                self._stage(after)
                self._put(before, after)
            self._tell(back)
        except EngineError as second:
            raise EngineError(f"{error}; and putting back the files that stood before failed too: {second}") from error

    def _put(self, old: File | None, new: File | None) -> None:
        """What is new is staged."""
        if new is not None:
            path = self._folder / new.path
            with _named("write", path):
                _staged(path).replace(path)
        elif old is not None:
            self._remove(self._folder / old.path)

    def _tell(self, changes: Sequence[Change]) -> None:
        with suppress(Unheard):
            self._tells(changes)
            self._remove(self._mark)

    def _read(self, path: str) -> str | None:
        place = self._folder / path
        with _named("read", place):
            try:
                return place.read_bytes().decode(errors="surrogateescape")
            except FileNotFoundError:
                return None

    def _write(self, path: Path, content: str) -> None:
        """Replace a file in one step."""
        file = File(str(path.relative_to(self._folder)), content)
        try:
            self._stage(file)
            self._put(None, file)
        finally:
            self._unstage(file)

    def _stage(self, file: File | None) -> None:
        """Have what is to replace a file beside it, on the disk before the old one goes."""
        if file is None:
            return
        path, content = self._folder / file.path, file.content.encode(errors="surrogateescape")
        with _named("write", path):
            for folder in (self._folder, path.parent):
                if not folder.exists():
                    folder.mkdir(parents=True)
                    folder.chmod(0o755)
            _staged(path).unlink(missing_ok=True)  # of a run that was cut short
            if not self._take_kept(path, content):
                self._fill(_staged(path), content)

    def _take_kept(self, path: Path, content: bytes) -> bool:
        """Take what was kept of a file, where it is still that."""
        kept = _kept(path, content)
        with suppress(FileNotFoundError):
            if kept.read_bytes() == content:
                os.link(kept, _staged(path))
                _staged(path).chmod(self._mode)
                return True
        return False

    def _fill(self, path: Path, content: bytes) -> None:
        with open(path, "xb", opener=partial(os.open, mode=self._mode)) as file:
            os.fchmod(file.fileno(), self._mode)  # whatever the umask is
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _unstage(self, file: File | None) -> None:
        """Remove what was staged and did not get into its place."""
        if file is not None:
            with suppress(OSError):
                _staged(self._folder / file.path).unlink(missing_ok=True)

    def _remove(self, path: Path) -> None:
        """Remove a file, and the folders that are ours and empty then."""
        with _named("remove", path):
            path.unlink(missing_ok=True)
        if self._is_shared:
            return
        with suppress(OSError):
            path.parent.rmdir()
            self._folder.rmdir()


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _kept(path: Path, content: bytes) -> Path:
    """Where a file is kept with that content: of a file that several sites share there may be more than one."""
    return path.with_name(f".{path.name}.{hashlib.sha256(content).hexdigest()[:16]}{_KEPT}")


@contextmanager
def _named(do: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        root = "; it takes root" if isinstance(error, PermissionError) else ""
        kind = Unwritable if error.errno in NOT_WRITABLE else EngineError
        raise kind(f"cannot {do} {path}: {error.strerror}{root}") from error
