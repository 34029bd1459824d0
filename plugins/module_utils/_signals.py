# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to end the process, taken between two operations instead of in the midst of one.

This module util is private to the collection.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from ._model import EngineError

_TAKEN = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(EngineError):
    """A signal told the process to end."""


class Signals:
    """While entered, a signal that ends the process only makes :meth:`check` raise Stopped.

    Python takes signals in the main thread only; elsewhere this does nothing.
    """

    def __init__(self) -> None:
        self._got = 0
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._former = {number: signal.signal(number, self._take) for number in _TAKEN}
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self._got = number

    def check(self) -> None:
        if self._got:
            raise Stopped(f"stopped by {signal.Signals(self._got).name}")
