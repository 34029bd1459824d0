# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of strongSwan's configuration (swanctl.conf(5)): sections in braces, and settings, one on a line. Pure.

This module util is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Settings: TypeAlias = "dict[str, str | Settings]"
"""Settings by name; a list is a text with commas, as in the file."""

LISTS = frozenset(("local_addrs", "remote_addrs", "proposals", "esp_proposals", "local_ts", "remote_ts", "owners"))
"""Settings that are lists to the daemon (src/swanctl/commands/load_conns.c)."""

WARNING = "# Made by multihome.extrude. What is changed here is put back by its next run.\n"

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VALUE = re.compile(r"""[^\s{}#="\\]+""")
_OPEN = re.compile(r"\s*([A-Za-z0-9_-]+) \{")
_SETTING = re.compile(r"""\s*([A-Za-z0-9_-]+) = ([^\s{}#="\\]+)""")


def render(settings: Mapping[str, object]) -> str:
    """Settings as the text of a file. Raises ValueError where one cannot stand there."""
    return WARNING + "".join(f"{line}\n" for line in _lines(settings, ""))


def _lines(settings: Mapping[str, object], indent: str) -> Iterator[str]:
    for name, setting in settings.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a setting")
        if isinstance(setting, Mapping):
            yield f"{indent}{name} {{"
            yield from _lines(setting, f"{indent}  ")
            yield f"{indent}}}"
            continue
        given = list(setting) if isinstance(setting, list | tuple) else [setting]
        texts = [text for text in given if isinstance(text, str) and _VALUE.fullmatch(text)]
        if not texts or len(texts) < len(given):
            raise ValueError(f"{name} cannot be {setting!r}")
        yield f"{indent}{name} = {','.join(map(str, texts))}"


def parse(text: str) -> Settings:
    """The settings in a text that :func:`render` has made. Raises ValueError for any other."""
    top: Settings = {}
    sections = [top]
    for line in text.splitlines():
        if found := _SETTING.fullmatch(line):
            sections[-1][found[1]] = found[2]
        elif found := _OPEN.fullmatch(line):
            inner: Settings = {}
            sections[-1][found[1]] = inner
            sections.append(inner)
        elif line.strip() == "}" and len(sections) > 1:
            sections.pop()
        elif line and not line.startswith("#"):
            raise ValueError(f"{line!r} is not of our making")
    if len(sections) > 1:
        raise ValueError("the end is missing")
    return top


def section(text: str, *names: str) -> Settings:
    """The settings in a section of a text, by the names that lead there; none where there is no such section, or where
    the text is not of our making."""
    try:
        found: str | Settings = parse(text)
    except ValueError:
        return {}
    for name in names:
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def message(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings as the daemon takes them: lists as such."""
    made: dict[str, object] = {}
    for name, setting in settings.items():
        if isinstance(setting, Mapping):
            made[name] = message(setting)
        else:
            made[name] = str(setting).split(",") if name in LISTS else setting
    return made
