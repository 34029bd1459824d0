# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of many hosts, whose templates are compiled once.

Ansible (2.19) compiles a template each time that it is evaluated, which takes several times as long as to evaluate it,
and gives each host an environment of its own, which looks for each filter again. A variable of a group is the same
template for all its hosts.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Environment, Template

Variables = Mapping[str, Any]


def variables(hostvars: Mapping[str, Variables], names: Iterable[str]) -> Iterator[tuple[str, Variables]]:
    """Yield the variables of the hosts with these names; those of Ansible with one environment for all.

    Ansible has no public way to say so. Where it has other names for what is used here, all is as slow as without.
    """
    shared: Environment | None = None
    for name in names:
        values = hostvars[name]
        engine: Any = getattr(values, "_templar", None)
        if hasattr(engine, "_environment"):
            shared = shared or compiling_once(engine.environment)
            engine._environment = shared
        yield name, values


class CompilingOnce(Environment):
    """Keeps what it has compiled."""

    compiled: dict[str, Template]

    def from_string(self, source: Any, *more: Any, **named: Any) -> Template:
        """Return the template; a known one where only its text says what it becomes.

        An overlay has other delimiters, and what a backslash means depends on who asks.
        """
        if more or named or self.overlayed or not isinstance(source, str) or "\\" in source:
            return super().from_string(source, *more, **named)
        if source not in self.compiled:
            self.compiled[source] = super().from_string(source)
        return self.compiled[source]


def compiling_once(environment: Environment) -> Environment:
    """Return an environment like another one that keeps what it has compiled."""
    kind = type("CompilingOnce", (CompilingOnce, type(environment)), {})
    made: CompilingOnce = object.__new__(kind)
    vars(made).update(vars(environment), compiled={})
    return made
