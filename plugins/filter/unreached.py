# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `unreached`; its documentation is in unreached.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._unreached import unreached


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"unreached": unreached}
