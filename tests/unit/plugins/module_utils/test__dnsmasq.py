# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _dnsmasq, _programs
from ansible_collections.multihome.extrude.plugins.module_utils._dnsmasq import Resolvers, installed, runs, warnings
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._model import Resolver

SYSTEMCTL = """#!/bin/sh
case $1 in
show) cat {folder}/load;;
is-active) cat {folder}/active;;
restart) echo "$*" >> {folder}/calls; [ ! -e {folder}/broken ] || {{ echo 'Job failed.' >&2; exit 1; }};;
esac
:
"""
DNSMASQ = """#!/bin/sh
grep -l nonsense {files}/*.conf && {{ echo 'dnsmasq: bad option at line 1' >&2; exit 1; }}
:
"""
ONE = Resolver("acme.1", "ipset=/a.example/EXTRUDE-a.example\n")
BAD = Resolver("acme.1", "nonsense\n")


class Host:
    """A host with stand-ins for systemctl and dnsmasq, and a file of its administrator."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.files = folder / "dnsmasq.d"
        self._folder = folder
        self.files.mkdir()
        (self.files / "lan.conf").write_text("domain-needed\n")
        for name, text in (("systemctl", SYSTEMCTL), ("dnsmasq", DNSMASQ)):
            program = folder / name
            program.write_text(text.format(folder=folder, files=self.files))
            program.chmod(0o755)
        patch.setattr(_programs, "find", lambda name: str(folder / name))
        self.says("loaded", "active")

    def says(self, load: str, active: str) -> None:
        (self._folder / "load").write_text(f"{load}\n")
        (self._folder / "active").write_text(f"{active}\n")

    def restarts(self) -> int:
        calls = self._folder / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def listed(self) -> list[str]:
        return sorted(path.name for path in self.files.iterdir())


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_file_is_written_beside_those_of_the_admin_and_dnsmasq_starts_again(host: Host) -> None:
    ours = Resolvers(host.files)
    ours.apply([(None, ONE)])
    assert ours.read(["acme.1", "acme.2"]) == {ONE.place: ONE}
    assert host.listed() == ["extrude-acme.1.conf", "lan.conf"]
    assert host.restarts() == 1
    ours.apply([(ONE, None)])
    assert host.listed() == ["lan.conf"]
    assert host.restarts() == 2


def test_one_that_does_not_run_is_not_started(host: Host) -> None:
    host.says("loaded", "inactive")
    Resolvers(host.files).apply([(None, ONE)])
    assert (installed(), runs(), host.restarts()) == (True, False, 0)
    assert "extrude-acme.1.conf" in host.listed()


def test_files_that_it_does_not_take_are_put_back_and_it_goes_on(host: Host) -> None:
    ours = Resolvers(host.files)
    ours.apply([(None, ONE)])
    with pytest.raises(EngineError, match=r"dnsmasq does not take its files: dnsmasq: bad option at line 1$"):
        ours.apply([(ONE, BAD)])
    assert ours.read(["acme.1"]) == {ONE.place: ONE}


def test_where_it_does_not_start_again_the_files_are_as_before(host: Host, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with pytest.raises(EngineError, match=r"dnsmasq.service does not start again: Job failed\."):
        Resolvers(host.files).apply([(None, ONE)])
    assert "extrude-acme.1.conf" not in host.listed()


def test_what_an_admin_has_broken_stops_it_before_anything_is_written(host: Host) -> None:
    (host.files / "lan.conf").write_text("nonsense\n")
    with pytest.raises(EngineError, match=r"bad option at line 1$"):
        Resolvers(host.files).apply([(None, ONE)])
    assert (host.listed(), host.restarts()) == (["lan.conf"], 0)


@pytest.mark.parametrize(
    ("load", "active", "states", "told"),
    [
        ("loaded", "active", [{"resolvers": [{}]}], False),
        ("loaded", "failed", [{}, {"resolvers": [{}]}], True),
        ("loaded", "inactive", [{}, {"resolvers": []}], False),
    ],
)
def test_that_it_does_not_run_is_told_where_it_is_needed(
    host: Host, load: str, active: str, states: list[dict[str, object]], told: bool
) -> None:
    host.says(load, active)
    text = "dnsmasq.service does not run on this host, so nobody learns the addresses of the domains in extrude_direct"
    assert warnings(states) == ([text] if told else [])


@pytest.mark.parametrize(("load", "there"), [("loaded", True), ("not-found", False), ("", False)])
def test_only_a_service_counts(host: Host, load: str, there: bool) -> None:
    host.says(load, "inactive")
    assert installed() is there


def test_without_systemd_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "find", {}.get)
    assert (installed(), runs()) == (False, False)


def test_the_folder_is_debian_s() -> None:
    assert str(_dnsmasq.FOLDER) == "/etc/dnsmasq.d"
