# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `status_report`; its documentation is in status_report.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._status_report import report


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"status_report": report}
