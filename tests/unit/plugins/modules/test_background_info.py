# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.multihome.extrude.plugins.module_utils._background import Caller, start
from ansible_collections.multihome.extrude.plugins.modules import background_info


def result(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """What the module prints for these options."""
    with patch_module_args(options), pytest.raises(SystemExit):
        background_info.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def observing(caller: Caller) -> dict[str, Any]:
    """Work that ends when its result is asked for."""
    caller.begun()
    while not caller.asks(within=0.05):
        pass
    return {"observed": []}


@pytest.mark.parametrize("check_mode", [True, False])
def test_it_returns_what_was_started_in_check_mode_too(capsys: pytest.CaptureFixture[str], check_mode: bool) -> None:
    found = result(capsys, background=start(observing), _ansible_check_mode=check_mode)
    assert (found["changed"], found["observed"]) == (False, [])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"background": "none"}, "nothing runs in the background under the name none: Connection refused"),
        ({"background": "none", "seconds": -1}, "seconds: -1.0 is no number of seconds from 0 to 600"),
    ],
)
def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str], options: dict[str, Any], sentence: str) -> None:
    found = result(capsys, **options)
    assert found["failed"]
    assert found["msg"] == sentence
