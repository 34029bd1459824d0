# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what every task answered into the file `$EXTRUDE_RESULTS`, one JSON line an answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: results
type: notification
short_description: Write the answers of tasks as JSON lines
description: For the acceptance tests.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible publishes no types
    """One line for each answer of a task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, status: str, result: Any) -> None:
        values = result.result
        host = result.task.delegate_to or result.host.get_name()
        line = {"task": result.task.get_name(), "host": host, "status": status, "result": values}
        with Path(os.environ["EXTRUDE_RESULTS"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep the answer of a task that went well."""
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep the answer of a task that failed."""
        self._write("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep the answer for a host that was not reached."""
        self._write("unreachable", result)
