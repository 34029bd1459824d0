# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that go back by themselves unless somebody confirms them in time.

Before such a change the states that stood are kept on the disk with the kernel settings that it alters, and a timer of
systemd is armed. It asks for what is due. So does each ``extrude apply``, at boot and every minute: a timer does not
outlive a reboot, and what was never confirmed must not come back with it.
This module util is private to the collection.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ._bind import Plain
from ._conflict import Conflict
from ._fields import EngineError, Fields
from ._model import CUSTOMER, SITE
from ._record import FOLDER as RECORDS
from ._storage import SiteFiles

SUBFOLDER = "guard"
FOLDER = f"{RECORDS}/{SUBFOLDER}"
SPARE = "/run/extrude/guard"
"""What need not outlive a boot is kept in memory where the disk is full."""
LONGEST = 86400
"""Seconds that a change may wait to be confirmed."""
_UNIT = "extrude-guard-"
_BOOT = Path("/proc/sys/kernel/random/boot_id")

Owner: TypeAlias = tuple[str, str]
"""Customer and site."""
Settings: TypeAlias = Mapping[str, tuple[str, str]]
"""Kernel settings by their names: the values before a change and with it."""


class Guard(NamedTuple):
    """For how many seconds a change waits, 0 for none, and the name of the run whose it is; empty: whoever's."""

    seconds: int
    run: str


@dataclass(frozen=True)
class Guarded:
    """A change of a site's state at this host. ``deadline`` is in seconds since ``boot``, a boot's id."""

    customer: str
    site: str
    former: Plain | None
    """The state that stood before it; None where there was none."""
    seconds: int = 0
    boot: str = ""
    deadline: float = 0.0
    run: str = ""
    """Whose it is: the last run that changed it; empty: whoever's."""
    undone: str = ""
    """When it went back, in ISO 8601; until there is another change whoever confirms it learns of that."""
    reason: str = ""
    """Why it goes or went back, where that is not for want of being confirmed."""
    settings: Settings = field(default_factory=dict)
    """Kernel settings that it has altered, in this boot: they are in no state, since they are shared."""
    secret: Plain | None = None
    """What the site's secret is called, which came with the change and doesn't go back."""

    @property
    def owner(self) -> Owner:
        return self.customer, self.site

    @property
    def left(self) -> float:
        """Seconds until it goes back; none where the host was booted since."""
        return max(self.deadline - _now(), 0.0) if self.boot == _boot() else 0.0

    @property
    def undecided(self) -> bool:
        """Whether it can still be confirmed, or be given more time."""
        return not self.undone and self.left > 0

    @property
    def altered(self) -> Settings:
        """The settings that it has altered, but for those of another boot: since then they are what files say."""
        return self.settings if self.boot == _boot() else {}

    @property
    def why(self) -> str:
        """Why it goes or went back."""
        booted = "not confirmed before the host was booted" if self.boot != _boot() else ""
        return self.reason or booted or f"not confirmed within {self.seconds} s"

    @property
    def restored(self) -> Plain:
        """The state that it goes back to; one without objects removes the site."""
        return self.former or {"customer": self.customer, "site": self.site}

    def __str__(self) -> str:
        return f"{self.customer}/{self.site}"


class Guards:
    """What waits to be confirmed on a host. The caller holds the lock of the records. Raises EngineError."""

    def __init__(self, folder: str | Path = FOLDER, spare: str | Path | None = None) -> None:
        spare = spare or (SPARE if str(folder) == FOLDER else None)
        self._files = SiteFiles(folder, "list of guarded changes", spare, patient=True)

    @property
    def warnings(self) -> list[str]:
        """Files that could not be understood, in words."""
        return self._files.warnings

    @property
    def lost(self) -> list[str]:
        """Files that could not be understood and had no copy that can, in words."""
        return self._files.lost

    def load(self) -> list[Guarded]:
        """All of them, also those that went back."""
        return self._files.load(_parse)

    def waiting(self) -> list[Guarded]:
        """Those that have not gone back."""
        return [guarded for guarded in self.load() if not guarded.undone]

    def due(self) -> list[Guarded]:
        """Those whose time is out."""
        return [guarded for guarded in self.waiting() if not guarded.left]

    @contextmanager
    def guarding(self, changes: Collection[Guarded], seconds: int) -> Iterator[None]:
        """Guard changes that the body makes. If that fails, which leaves all as it was, nothing is guarded anew.

        What waits already keeps what stood before its first change, gets more time, and is the new run's. Settings that
        others have altered whose changes wait are altered for these as well: they go back with the last of them.
        """
        before = {guarded.owner: guarded for guarded in self.load()}
        waiting = {owner: one for owner, one in before.items() if not one.undone}
        others = {name: values for one in waiting.values() for name, values in one.altered.items()}
        try:
            self.hold([_joined(waiting.get(change.owner), change, others) for change in changes], seconds)
            yield
        except BaseException:
            self._write({change.owner: before.get(change.owner) for change in changes})
            raise

    def hold(self, waiting: Collection[Guarded], seconds: int, reason: str = "") -> None:
        """Give changes some seconds from now on; with a *reason*, why they are to go back then."""
        if seconds > LONGEST:
            raise EngineError(f"guard: {seconds} s is too long; give {LONGEST} or less")
        deadline = _now() + seconds
        held = [replace(one, seconds=seconds, boot=_boot(), deadline=deadline, reason=reason) for one in waiting]
        self._write({one.owner: one for one in held})
        _arm(seconds)

    def expire(self, waiting: Collection[Guarded], reason: str) -> list[Guarded]:
        """Have changes go back from now on, however often that fails. To know that until the next boot is enough."""
        now: dict[str, Any] = {"boot": _boot(), "deadline": _now(), "reason": reason}
        expired = [replace(one, settings=one.altered, **now) for one in waiting]
        self._write({one.owner: one for one in expired}, lasting=False)
        return expired

    def undo(self, gone: Collection[Guarded]) -> None:
        """Say of changes that they went back."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._write({one.owner: replace(one, former=None, settings={}, undone=now, reason=one.why) for one in gone})
        self._tidy()

    def drop(self, owners: Collection[Owner]) -> None:
        """Guard these no longer."""
        if dropped := {guarded.owner for guarded in self.load()} & set(owners):
            self._write(dict.fromkeys(dropped))
            self._tidy()

    def _tidy(self) -> None:
        """Call timers off that would find nothing."""
        if not self.waiting():
            with suppress(OSError):  # a host without systemd has none
                subprocess.run(["systemctl", "stop", f"{_UNIT}*.timer"], capture_output=True, check=False)

    def _write(self, changed: Mapping[Owner, Guarded | None], lasting: bool = True) -> None:
        if not changed:
            return
        together = {**{guarded.owner: guarded for guarded in self.load()}, **changed}
        files: dict[str, dict[str, Any]] = {customer: {} for customer, _site in changed}
        for (customer, site), guarded in together.items():
            if guarded and customer in files:
                files[customer][site] = asdict(guarded)
        with self._files.storing(files, lasting):
            pass
        with suppress(OSError):  # the folder goes with its last file
            self._files.folder.rmdir()


def _joined(before: Guarded | None, change: Guarded, others: Settings) -> Guarded:
    """A change upon one that waits, if there is one, with what *others* have altered."""
    earlier = before.altered if before else {}
    settings = {**others, **change.settings}
    first = {name: (earlier.get(name, (value, ""))[0], after) for name, (value, after) in settings.items()}
    return replace(change, former=before.former if before else change.former, settings={**earlier, **first})


def refuse_gone(guarded: Collection[Guarded], run: str = "") -> None:
    """Raises Conflict where nobody can go on, since it went or goes back, or not that *run*, since another has it."""
    gone = went_back(guarded)
    taken = [taken_over(one) for one in guarded if run and one.undecided and one.run != run]
    if gone or taken:
        raise Conflict([*gone, *taken])


def went_back(guarded: Iterable[Guarded]) -> list[str]:
    """What became of changes that nobody confirmed in time, in words."""
    return [
        f"{one}: {one.why}, so since {one.undone} all is as it was before"
        if one.undone
        else f"{one}: its time to be confirmed is over, so it goes back"
        for one in guarded
        if not one.undecided
    ]


def taken_over(guarded: Guarded) -> str:
    """That a change is not the asking run's any more, in words."""
    return f"{guarded}: another run is changing it; let that one come to its end, then run again"


def _parse(data: object, where: str) -> Guarded:
    entry = Fields(data, where)
    former, deadline, run = entry.optional("former"), entry.required("deadline"), entry.optional("run")
    settings = entry.optional("settings")  # as the version has it by which the change was made
    if not isinstance(deadline, int | float):
        raise entry.error("deadline", f"{deadline!r} is no number")
    return Guarded(
        customer=entry.text("customer", CUSTOMER),
        site=entry.text("site", SITE),
        former=dict(former) if isinstance(former, dict) else None,
        seconds=entry.integer("seconds", 0, LONGEST),
        boot=entry.text("boot"),
        deadline=deadline,
        run=str(run or ""),
        undone=str(entry.required("undone")),
        reason=str(entry.optional("reason") or ""),
        settings={str(name): (str(one[0]), str(one[1])) for name, one in dict(settings or {}).items()},
        secret=entry.optional("secret"),
    )


def _arm(seconds: int) -> None:
    """Have systemd ask for what is due in some seconds; by default it may be a minute late (systemd-run(1))."""
    unit = f"--unit={_UNIT}{time.monotonic_ns() // 1_000_000}"
    when = [f"--on-active={seconds}s", "--timer-property=AccuracySec=100ms"]
    options = [unit, "--collect", "--quiet", *when, "--property=SyslogIdentifier=extrude"]
    command = ["systemd-run", *options, "/usr/sbin/extrude", "rollback", "--due"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise EngineError(f"cannot arm the timer that would undo the change: {error}") from error
    if done.returncode:
        raise EngineError(f"cannot arm the timer that would undo the change: {' '.join(done.stderr.split())}")


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip()


def _now() -> float:
    """Seconds since boot, also those for which the host was suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
