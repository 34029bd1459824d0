# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
import threading

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._signals import Signals, Stopped


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_waits_for_the_check(number: signal.Signals) -> None:
    former = signal.getsignal(number)
    with Signals() as signals:
        signals.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped, match=f"^stopped by {number.name}$"):
            signals.check()
    assert signal.getsignal(number) == former


def test_in_other_threads_nothing_is_touched() -> None:
    former, seen = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with Signals() as signals:
            signals.check()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [former]
