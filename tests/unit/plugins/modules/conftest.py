# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules are run as Ansible runs them, in a namespace, with a record folder of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from tests.unit.host import host

Result = dict[str, Any]
Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "extrude"


@pytest.fixture
def run(folder: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``run("gre_tunnels", tunnels=[…], check=True)`` gives the module's result."""

    def call(module: str, *, check: bool = False, **options: Any) -> Result:
        args = {"_ansible_check_mode": check, **options}
        if module != "endpoint_keys":
            args = {"directory": str(folder), **args}
        if module in ("extrude_info", "extrude_state"):
            args = {"config_directory": str(config), **args}
        with patch_module_args(args), pytest.raises(SystemExit) as ended:
            import_module(f"ansible_collections.multihome.extrude.plugins.modules.{module}").main()
        result: Result = json.loads(capsys.readouterr().out)
        assert bool(result.get("failed")) == (ended.value.code != 0)
        return result

    with host():
        yield call
