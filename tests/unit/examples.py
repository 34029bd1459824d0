# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many examples property tests try: few in `make test`, many with EXTRUDE_EXAMPLES=many in the environment."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings


def examples(few: int, many: int, **more: Any) -> settings:
    """Return Hypothesis settings, with `more` of its own."""
    return settings(max_examples=many if os.environ.get("EXTRUDE_EXAMPLES") == "many" else few, **more)
