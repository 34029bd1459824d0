# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_management import read_management
from tests.unit.plugins.plugin_utils.samples import Vars, reader


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("office", "22")),
        ({"ansible_host": "192.0.2.9", "ansible_port": 2222}, ("192.0.2.9", "2222")),
        ({"ansible_ssh_host": "192.0.2.9", "ansible_ssh_port": "2222"}, ("192.0.2.9", "2222")),
        ({"ansible_host": None, "ansible_port": None}, ("office", "22")),
        ({"ansible_port": 22, "ansible_ssh_port": 2222}, ("office", "2222")),
    ],
)
def test_by_which_address_and_port_ansible_comes(given: Vars, expected: tuple[str, str]) -> None:
    assert read_management(reader(given)) == expected
