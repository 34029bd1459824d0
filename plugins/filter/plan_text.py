# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `plan_text`; its documentation is in plan_text.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._plan_text import plan_text


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"plan_text": plan_text}
