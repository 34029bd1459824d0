# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the values of one mapping of the inventory, and notes what is wrong with them.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Any, TypeVar, cast

from jinja2 import Undefined

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems
from ansible_collections.multihome.extrude.plugins.plugin_utils._kinds import Kind, Refusal, describe, items

T = TypeVar("T")
REQUIRED: Any = object()
FAILED: Any = object()
ABSENT: Any = object()

OMITTED = "_OmitType"
"""The type of Ansible's `omit`; it can be had from nowhere but inside of Ansible."""
PREFIX = "extrude_"
NO_VAULT = {
    "no vault secrets found": "give the vault's password: --ask-vault-pass, or --vault-id NAME@prompt",
    "no vault secrets were found": "give the password of this vault; of several ones: --vault-id NAME@prompt for each",
}
"""What to type where Ansible says such words of a vault."""


class Reader:
    """The variables of a host, or one dictionary in them (its `path` then starts the paths of the keys).

    A value that has a problem is replaced by the neutral value of its kind. What a template gives as `omit` is not
    given. A key with nothing behind it (None) is a problem, since nobody can tell what was meant; but a list whose
    default is none has nothing in it then.
    """

    def __init__(self, host: str, values: Mapping[str, Any], problems: Problems, path: str = "") -> None:
        self.host = host
        self.path = path
        self._values = values
        self._fetched: dict[str, Any] = {}
        self.problems = problems

    def problem(self, key: str, text: str) -> None:
        """Note that `key` is wrong."""
        self.problems.add(self.host, self.path + key, text)

    def note(self, path: str, text: str) -> None:
        """Note that what stands at a full `path` is wrong."""
        self.problems.add(self.host, path, text)

    def lacks(self, key: str) -> bool:
        """Tell whether `key` is not given; one that is there with nothing behind it is given."""
        return self._fetch(key) is ABSENT

    def names(self, key: str) -> bool:
        """Tell whether `key` stands there, whatever its template gives: that may take a vault which this run lacks."""
        return key in self._values

    def has(self, key: str) -> bool:
        """Tell whether `key` is given, with something behind it."""
        return not self.lacks(key) and self._fetch(key) is not None

    def read(self, key: str, kind: Kind[T], default: T = REQUIRED, why: str = "") -> T:
        """Return the value of `key`, or `default` where it is not given; one without a default has to be given.

        `why` says what needs it, where something else does.
        """
        value = self._fetch(key)
        if value is None and default == []:
            return default
        if value is not ABSENT:
            return self.convert(key, kind, value, optional=default is not REQUIRED)
        if default is REQUIRED:
            self.problem(key, f"is missing{self._misspelt(key)}{why and f', and {why}'}; give {kind.allowed}")
            return kind.neutral
        return default

    def convert(self, key: str, kind: Kind[T], value: object, optional: bool = False) -> T:
        """Return a value that was found at `key`, checked; an `optional` one could be left out."""
        if value is FAILED:
            return kind.neutral
        if value is None:
            self.problem(key, f"is empty; {'leave it out, or ' if optional else ''}give {kind.allowed}")
            return kind.neutral
        try:
            return kind.convert(value)
        except Refusal as error:
            self.problem(key, str(error))
        except ValueError as error:
            self.problem(key, f"{error}; give {kind.allowed}")
        return kind.neutral

    def each(self, key: str, kind: Kind[T], default: list[Any] | None = REQUIRED) -> list[tuple[str, T]]:
        """Return the good entries of a list, each with its path."""
        entries = self._list(key, f"which each entry is {kind.allowed}", default)
        read = [
            (f"{key}[{index}]", self.convert(f"{key}[{index}]", kind, entry)) for index, entry in enumerate(entries)
        ]
        return [(self.path + path, value) for path, value in read if value != kind.neutral]

    def some(self, key: str, kind: Kind[T], none: bool = False) -> list[T]:
        """Return the good ones of what is given: one value, or a list of them, which is empty only where `none` may be.

        None where the key is left out.
        """
        return [entry for _path, entry in self.some_placed(key, kind, none)]

    def some_placed(self, key: str, kind: Kind[T], none: bool = False) -> list[tuple[str, T]]:
        """Return the same, each with its path."""
        value = self._fetch(key)
        if isinstance(value, list) and (value or none):
            return self.each(key, kind)
        if value is ABSENT:
            return []
        return [(self.path + key, self.convert(key, kind, None if value == [] else value, optional=True))]

    def children(self, key: str, example: str, default: list[Any] | None = REQUIRED) -> Iterator[tuple[int, Reader]]:
        """Yield a reader for each dictionary of a list, and its position there; `example` is such a dictionary."""
        for index, entry in enumerate(self._list(key, f"dictionaries such as {example}", default)):
            path = f"{key}[{index}]"
            if isinstance(entry, Mapping):
                yield index, Reader(self.host, cast("Mapping[str, Any]", entry), self.problems, f"{self.path}{path}.")
            elif entry is not FAILED:
                wrong = "is empty" if entry is None else f"{describe(entry)} is not a dictionary"
                self.problem(path, f"{wrong}; give a dictionary such as {example}")

    def _list(self, key: str, of_what: str, default: list[Any] | None) -> list[Any]:
        """Return the entries of a list; none where the `default` is None, which an empty key does not say."""
        kind: Kind[Any] = items(of_what)
        entries: list[Any] | None = self.read(key, kind, default)
        return entries or []

    def only(self, known: Collection[str]) -> None:
        """Note each key that is not known, with the known one that is like it."""
        for key in self._values:
            if key not in known:
                nearest = get_close_matches(str(key), known, 1, 0.66)  # also nta for nat: two letters of three fit
                hint = f"the nearest known key is {nearest[0]}" if nearest else f"known are {', '.join(known)}"
                self.problem(str(key), f"is not known; {hint}")

    def _fetch(self, key: str) -> Any:
        """Return a value, once, with nothing left to evaluate: the variables of a host are slow templates."""
        if key not in self._fetched:
            self._fetched[key] = self._evaluated(key, lambda: self._values.get(key, ABSENT))
        return self._fetched[key]

    def _evaluated(self, key: str, get: Callable[[], Any]) -> Any:
        """Return what `get` returns, and all that is in it.

        FAILED stands for each template that fails, ABSENT for what is omitted; lists and dictionaries do without that.
        """
        try:
            value = get()
            if isinstance(value, Undefined):
                str(value)  # raises what the template failed of
        except Exception as error:  # noqa: BLE001 - a template can fail in any way
            self.problem(key, f"cannot be evaluated: {_reason(error)}")
            return FAILED
        if type(value).__name__ == OMITTED:
            return ABSENT
        if isinstance(value, Mapping):
            read = {name: self._evaluated(f"{key}.{name}", partial(value.__getitem__, name)) for name in value}
            return {name: entry for name, entry in read.items() if entry is not ABSENT}
        if isinstance(value, list | tuple):
            entries = (
                self._evaluated(f"{key}[{index}]", partial(value.__getitem__, index)) for index in range(len(value))
            )
            return [entry for entry in entries if entry is not ABSENT]
        return value

    def refuse_misspelt(self, variables: Collection[str], keys: Mapping[str, str]) -> None:
        """Note variables that are nearly one of the known `variables`: nobody would miss what they were meant to say.

        All the names begin with ``extrude_``, which says nothing about how alike they are. Of `keys` in other variables
        that were made one of their own it says what to do instead.
        """
        known = _bare(variables)
        for name in map(str, self._values):
            if name in variables:
                continue
            if name in keys:
                self.problem(name, f"is not a variable; {keys[name]}")
                continue
            nearest = _nearest(name.removeprefix(PREFIX), known) if name.startswith(PREFIX) else ""
            if nearest:
                advice = "give that, or one of your own a name that is less like it"
                self.problem(name, f"is not known; the nearest known variable is {PREFIX}{nearest}; {advice}")

    def refuse_unknown(self, start: str, known: Collection[str]) -> None:
        """Note variables with that `start` that are not `known`, be they like one or not."""
        for name in map(str, self._values):
            if name.startswith(start) and name not in known and not _nearest(name.removeprefix(PREFIX), _bare(known)):
                listed = ", ".join(one for one in sorted(known) if one.startswith(start))
                self.problem(name, f"is not known; known are {listed}")

    def _misspelt(self, key: str) -> str:
        """Return a hint where a key like `key` is there."""
        others = {str(name).removeprefix(PREFIX): name for name in self._values if name != key}
        nearest = get_close_matches(key.removeprefix(PREFIX), others, 1, 0.85)
        return f" ({others[nearest[0]]} is there: a misspelling?)" if nearest else ""


def _reason(error: Exception) -> str:
    """Say on one line why a template fails, and what to type where it takes a vault that the run lacks."""
    reason = " ".join(str(error.__cause__ or error).split())
    advice = next((advice for words, advice in NO_VAULT.items() if words in reason), "")
    return f"{reason.removesuffix('.')}; {advice}" if advice else reason


def _bare(names: Collection[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix(PREFIX) for name in names)


@lru_cache(maxsize=1000)
def _nearest(name: str, known: tuple[str, ...]) -> str:
    """Return the one of some names that is very like another; "" where none is. Hosts have the same names, mostly."""
    return next(iter(get_close_matches(name, known, 1, 0.85)), "")
