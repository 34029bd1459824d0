# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _programs
from ansible_collections.multihome.extrude.plugins.module_utils._connections import named, parse_connections

DEVICES = """\
GENERAL.IP-IFACE:ppp0
GENERAL.CONNECTION:dsl: the slow one

GENERAL.IP-IFACE:
GENERAL.CONNECTION:

GENERAL.IP-IFACE:lan0
GENERAL.CONNECTION:

GENERAL.IP-IFACE:eth1
GENERAL.CONNECTION:cable
"""


def session(folder: Path, name: str, number: str, device: str, program: str = "pppd") -> None:
    (folder / f"ppp-{name}.pid").write_text(f"{number}\n{device}\n")
    (folder / number).mkdir()
    (folder / number / "comm").write_text(f"{program}\n")


def test_sessions_of_pppd_with_a_linkname(tmp_path: Path) -> None:
    session(tmp_path, "isp-dsl", "40", "ppp0")
    session(tmp_path, "lte", "41", "ppp1")
    assert named(tmp_path, tmp_path) == {"ppp0": {"isp-dsl"}, "ppp1": {"lte"}}


def test_what_a_killed_pppd_has_left_behind_says_nothing(tmp_path: Path) -> None:
    session(tmp_path, "isp-dsl", "40", "ppp0", program="bash")
    (tmp_path / "ppp-gone.pid").write_text("77\nppp0\n")
    (tmp_path / "ppp-half.pid").write_text("77\n")
    (tmp_path / "ppp-odd.pid").write_text("../1\nppp0\n")
    assert named(tmp_path, tmp_path) == {}


def test_connections_of_network_manager() -> None:
    assert list(parse_connections(DEVICES)) == [("ppp0", "dsl: the slow one"), ("eth1", "cable")]
    assert list(parse_connections("")) == []


@pytest.mark.parametrize(("code", "found"), [(0, {"ppp0": {"dsl: the slow one"}, "eth1": {"cable"}}), (8, None)])
def test_network_manager_is_asked_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, found: dict[str, set[str]] | None
) -> None:
    program = tmp_path / "nmcli"
    program.write_text(f"#!/bin/sh\n[ {code} = 8 ] || cat <<'END'\n{DEVICES}END\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(_programs, "find", lambda _name: str(program))
    assert named(tmp_path, tmp_path) == {}, "it does not run"
    (tmp_path / "NetworkManager").mkdir()
    assert named(tmp_path, tmp_path) == (found or {})
