# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ansible._internal._templating._jinja_bits import AnsibleEnvironment
from ansible.errors import AnsibleUndefinedVariable
from ansible.template import trust_as_template
from ansible.vars.hostvars import HostVarsVars
from jinja2 import Environment

from ansible_collections.multihome.extrude.plugins.plugin_utils import _templates

SITES = 5


def hostvars(template: str, **more: str) -> dict[str, HostVarsVars]:
    """Variables of hosts as Ansible has them, with the same template in each."""
    shared = {"wanted": trust_as_template(template), **{name: trust_as_template(text) for name, text in more.items()}}
    return {
        f"site{number}": HostVarsVars({**shared, "number": number}, loader=None, host=f"site{number}")
        for number in range(SITES)
    }


def read(hosts: dict[str, Any]) -> list[Any]:
    return [values["wanted"] for _name, values in _templates.variables(hosts, hosts)]


@pytest.fixture(name="compiled")
def _compiled(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what Ansible compiles."""
    counts: Counter[str] = Counter()
    real = AnsibleEnvironment._compile

    def count(self: AnsibleEnvironment, source: str, filename: str) -> Any:
        counts["all"] += 1
        return real(self, source, filename)

    monkeypatch.setattr(AnsibleEnvironment, "_compile", count)
    return counts


def test_each_host_has_its_own_values_and_a_template_is_compiled_once(compiled: Counter[str]) -> None:
    assert read(hostvars("{{ inner }}", inner="{{ number + 1 }}")) == list(range(1, SITES + 1))
    assert compiled["all"] == 2


def test_what_has_a_backslash_or_other_delimiters_is_compiled_each_time(compiled: Counter[str]) -> None:
    assert read(hostvars(r"{{ 'a\b' }}{{ number }}")) == [rf"a\b{number}" for number in range(SITES)]
    assert compiled["all"] == SITES
    header = "#jinja2: variable_start_string: '[%', variable_end_string: '%]'\n"
    assert read(hostvars(f"{header}[% number %] {{{{ number }}}}")) == [f"{n} {{{{ number }}}}" for n in range(SITES)]
    assert compiled["all"] == 2 * SITES


def test_a_template_that_fails_does_so_for_its_own_host() -> None:
    hosts = hostvars("{{ 10 // number }}")
    values = dict(_templates.variables(hosts, hosts))
    with pytest.raises(Exception, match="division"):
        values["site0"]["wanted"]
    assert values["site2"]["wanted"] == 5
    with pytest.raises(AnsibleUndefinedVariable, match="nope"):
        read(hostvars("{{ nope }}"))


def test_plain_dictionaries_pass_as_they_are() -> None:
    hosts = {"site1": {"wanted": 1}, "site2": {"wanted": 2}}
    assert list(_templates.variables(hosts, ["site2", "site1"])) == [(name, hosts[name]) for name in ("site2", "site1")]


def test_the_environment_that_it_was_made_from_stays_as_it_was() -> None:
    first = Environment(autoescape=True)
    made = _templates.compiling_once(first)
    assert made.from_string("{{ 1 }}") is made.from_string("{{ 1 }}")
    assert first.from_string("{{ 1 }}") is not first.from_string("{{ 1 }}")
