# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action group lets a playbook set defaults for all modules at once, so none may be forgotten."""

from __future__ import annotations

from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[3]


def test_the_action_group_has_every_module() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())
    modules = sorted(file.stem for file in (CHECKOUT / "plugins" / "modules").glob("[a-z]*.py"))
    assert runtime["action_groups"]["extrude"] == modules
