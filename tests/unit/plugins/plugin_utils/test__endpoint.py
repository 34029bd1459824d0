# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._bind import bind
from ansible_collections.multihome.extrude.plugins.module_utils._model import State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, dsl, office, run_all

FOUND = {"key": "ssh-ed25519 AAAAsite", "port": 2200, "host_keys": ["ssh-ed25519 AAAAcolo", "ssh-rsa AAAArsa="]}

TURN = "flock -w 5 -E 75 /var/lib/extrude/endpoints/.acme."


def files(name: str = "office", **changes: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The files of the states of the site and of its colo, by path."""
    site = office(extrude_wans=[dsl(address=..., gateway=...), cable()], **changes)
    made = run_all({name: site})
    states = (made["sites"][name], made["colos"]["rack"][0])
    for state in states:
        State.parse(bind(state, {}))
    first, second = ({file["path"]: file["content"] for file in state["files"]} for state in states)
    return first, second


def test_the_site_knows_the_colo_and_the_colo_the_site() -> None:
    site, colo = files(extrude_endpoint=FOUND)
    assert site["endpoint_known_hosts"] == "colo ssh-ed25519 AAAAcolo\ncolo ssh-rsa AAAArsa=\n"
    settings = dict(line.split(None, 1) for line in site["endpoint_ssh"].splitlines() if line.startswith("    "))
    assert (settings["HostName"], settings["Port"], settings["User"]) == ("203.0.113.2", "2200", "extrude")
    assert settings["UserKnownHostsFile"] == "/etc/extrude/endpoint_known_hosts"
    assert settings["StrictHostKeyChecking"] == settings["BatchMode"] == "yes"
    command = f'command="{TURN}office /usr/sbin/extrude endpoint accept acme/office"'
    assert colo["keys.d/acme.1"] == f"restrict,{command} ssh-ed25519 AAAAsite\n"


@pytest.mark.parametrize("name", ["o'f", 'o"f', "o;f", "o$(id)f", 'o\\"f', "o\\"])
def test_a_name_of_any_kind_is_one_word_of_the_command(name: str) -> None:
    _site, colo = files(name, extrude_endpoint=FOUND)
    line = colo["keys.d/acme.1"]
    options = line.removesuffix(" ssh-ed25519 AAAAsite\n")
    assert options.startswith('restrict,command="')
    assert options.endswith('"')
    # as sshd unquotes it (misc.c, opt_dequote), and the shell after it
    command = options.removeprefix('restrict,command="')[:-1].replace('\\"', '"')
    assert shlex.split(command) == [*f"{TURN}{name}".split(), "/usr/sbin/extrude", "endpoint", "accept", f"acme/{name}"]


def test_before_keys_are_known_and_where_nothing_is_reported_there_are_no_such_files() -> None:
    for site, colo in (files(), _static({"extrude_endpoint": FOUND})):
        assert not [path for path in [*site, *colo] if "endpoint" in path or "keys" in path]


def _static(more: Vars) -> tuple[dict[str, str], dict[str, str]]:
    made = run_all({"office": office(**more)})
    states = (made["sites"]["office"], made["colos"]["rack"][0])
    first, second = ({file["path"]: file["content"] for file in state["files"]} for state in states)
    return first, second
