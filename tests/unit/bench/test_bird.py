# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmark of BIRD measures: the colo's own configuration, and far ends that fit it."""

from __future__ import annotations

import re

from tests.bench import bird, fleet


def test_each_session_of_the_colo_has_its_far_end() -> None:
    states = fleet.states(3)
    sessions = list(bird._sessions(states))
    colo, far = "".join(bird._files(states).values()), bird._far(sessions)
    assert len(sessions) == 6
    near = re.findall(r"local (\S+) port (\d+) as (\d+);\s+neighbor (\S+) port (\d+) as (\d+);", colo)
    away = re.findall(r"local (\S+) port (\d+) as (\d+);\s+neighbor (\S+) port (\d+) as (\d+);", far)
    assert [(*one[3:], *one[:3]) for one in away] == near
    assert [one.device for one in sessions] == re.findall(r"protocol bgp '(.*)'", colo)


def test_what_a_site_announces_is_what_the_colo_takes_of_it() -> None:
    states = fleet.states(1)
    (network,) = {one.network for one in bird._sessions(states)}
    assert f"[ {network} ]" in "".join(bird._files(states).values())


def test_the_limit_of_files_is_that_of_the_unit() -> None:
    (limit,) = bird._limits()
    assert int(limit.removeprefix("--nofile=").removesuffix(":")) > 1024
