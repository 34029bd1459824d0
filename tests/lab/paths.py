# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of the lab, all in the cache: `$EXTRUDE_CACHE`, else `.cache` in the checkout."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """Return the lab's part of the cache."""
    return Path(os.environ.get("EXTRUDE_CACHE") or CHECKOUT / ".cache").absolute() / "lab"


def run_folder(name: str) -> Path:
    """Return the folder of the lab called `name`; it exists while the lab does."""
    return cache_folder() / f"run-{name}"
