# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_endpoint import read_endpoint
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Endpoint
from tests.unit.plugins.plugin_utils.samples import noted, reader

KEY = "ssh-ed25519 AAAAC3Nza+/C1=="


def test_what_a_run_has_found() -> None:
    one = reader({"extrude_endpoint": {"key": KEY, "port": 22, "host_keys": [KEY, "ssh-rsa AAAA"]}})
    assert read_endpoint(one) == Endpoint(KEY, 22, (KEY, "ssh-rsa AAAA"))
    assert noted(one) == []


def test_before_a_run_has_found_anything() -> None:
    assert read_endpoint(reader({})) is None


@pytest.mark.parametrize(
    "value",
    [
        "text",
        {},
        {"key": KEY, "host_keys": [KEY]},
        {"key": KEY, "port": 0, "host_keys": [KEY]},
        {"key": f"{KEY} comment", "port": 22, "host_keys": [KEY]},
        {"key": f'command="sh" {KEY}', "port": 22, "host_keys": [KEY]},
        {"key": f"{KEY}\n{KEY}", "port": 22, "host_keys": [KEY]},
        {"key": KEY, "port": 22, "host_keys": [1]},
        {"key": KEY, "port": 22, "host_keys": 7},
    ],
)
def test_what_is_no_key_and_could_be_an_option_is_refused(value: Any) -> None:
    one = reader({"extrude_endpoint": value})
    assert read_endpoint(one) is None
    (problem,) = noted(one)
    assert problem.startswith("office: extrude_endpoint: ")
