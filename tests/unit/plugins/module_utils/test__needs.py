# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _needs, _programs

UNITS = ("a.service", "b.path")


def shown(*states: tuple[str, str]) -> str:
    """What systemctl prints of the units."""
    pairs = zip(UNITS, states, strict=True)
    return "\n\n".join(f"Id={unit}\nActiveState={active}\nUnitFileState={file}\n" for unit, (active, file) in pairs)


@pytest.mark.parametrize(
    ("states", "stopped"),
    [
        ((("active", "enabled"), ("active", "enabled")), []),
        ((("failed", "enabled"), ("active", "enabled")), ["a.service"]),
        ((("active", "enabled"), ("active", "disabled")), ["b.path"]),
        ((("inactive", ""), ("inactive", "")), ["a.service", "b.path"]),
    ],
)
def test_a_unit_has_to_run_and_to_be_enabled(states: tuple[tuple[str, str], ...], stopped: list[str]) -> None:
    assert _needs.stopped(UNITS, shown(*states)) == stopped


@pytest.mark.parametrize(
    ("state", "rival"),
    [
        (("active", "enabled"), "ipsec.service"),
        (("inactive", "enabled"), "ipsec.service"),
        (("active", "disabled"), "ipsec.service"),
        (("inactive", "disabled"), ""),
        (("inactive", ""), ""),
    ],
)
def test_another_ike_daemon_that_runs_or_will_is_found(
    state: tuple[str, str], rival: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl = tmp_path / "systemctl"
    unit = f"Id=ipsec.service\nActiveState={state[0]}\nUnitFileState={state[1]}\n"
    systemctl.write_text(
        f"#!/bin/sh\nprintf 'Id=strongswan-starter.service\nActiveState=inactive\nUnitFileState=\n\n{unit}'\n"
    )
    systemctl.chmod(0o755)
    monkeypatch.setattr(_programs, "find", lambda _program: str(systemctl))
    assert _needs.ike_rival() == rival


@pytest.mark.parametrize(("enabled", "stopped"), [("enabled", []), ("disabled", ["extrude.service"])])
def test_what_runs_at_boot_has_to_be_enabled_only(enabled: str, stopped: list[str]) -> None:
    block = f"Id=extrude.service\nActiveState=inactive\nUnitFileState={enabled}\n"
    assert _needs.stopped(["extrude.service"], block) == stopped


def test_without_systemd_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _needs.stopped(UNITS, "") == list(UNITS)
    monkeypatch.setattr(_programs, "find", {}.get)
    assert _needs.stopped_units() == list(_needs.UNITS)
    assert "bird2" in _needs.missing_packages()
    assert _needs.missing_for_domains() == ["ipset"]
    assert not _needs.networkd_runs()
    assert _needs.ike_rival() == ""


@pytest.mark.parametrize(("answer", "runs"), [("true", True), ("false", False)])
def test_networkd_runs_if_systemd_says_so(answer: str, runs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "find", {"systemctl": f"/bin/{answer}"}.get)
    assert _needs.networkd_runs() is runs
