# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run's own proof fails when a link is broken."""

from __future__ import annotations

from tests.acceptance import playbook
from tests.lab.lab import Lab


def test_a_black_holed_link_makes_the_run_fail_in_words_that_name_it(mended: Lab) -> None:
    mended.cut("cable", black_hole=True)
    run = playbook.run(mended)
    assert run.code != 0
    (message,) = run.failures()
    assert "cable FAILED" in message
    assert "dsl ok" in message
    assert any("cable FAILED" in text for text in run.words())
    assert "cable FAILED" in run.output.partition("PLAY RECAP")[2]
