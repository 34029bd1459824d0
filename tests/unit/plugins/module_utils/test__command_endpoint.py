# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _command, _command_endpoint
from ansible_collections.multihome.extrude.plugins.module_utils._learned import Endpoints, Reports
from ansible_collections.multihome.extrude.plugins.module_utils._local import Store
from ansible_collections.multihome.extrude.plugins.module_utils._states import States

STATE = {
    "customer": "acme",
    "site": "office",
    "endpoints": ["dsl"],
    "tunnels": [{"name": "ex1-dsl"}],
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(
        states=States(tmp_path / "etc"),
        endpoints=Endpoints(tmp_path / "endpoints"),
        reports=Reports(tmp_path / "reports"),
    )
    made.states.store([STATE])
    return made


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_command_endpoint, "_log", lambda _level, text: lines.append(text))
    return lines


def test_the_colo_answers_with_the_address_that_it_sees(
    store: Store, log: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "dsl")
    monkeypatch.setenv("SSH_CONNECTION", "100.64.0.7 5 203.0.113.2 22")
    assert _command.main(["endpoint", "accept", "acme/office"], store) == 0
    assert capsys.readouterr().out == "heard 100.64.0.7\n"
    assert log == ["acme/office: link dsl is at 100.64.0.7"]


def test_what_is_refused_is_said_and_logged(
    store: Store, log: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSH_ORIGINAL_COMMAND", "sh -i\nx")
    monkeypatch.setenv("SSH_CONNECTION", "100.64.0.7 5 203.0.113.2 22")
    assert _command.main(["endpoint", "accept", "acme/office"], store) == 1
    assert capsys.readouterr().err == ("extrude: 'sh -i\\nx' is not a link of acme/office whose address changes\n")
    (line,) = log
    assert line.startswith("acme/office from '100.64.0.7 5 203.0.113.2 22': refused: ")


def test_a_link_that_is_none_ends_with_2_which_the_unit_does_not_try_again(store: Store) -> None:
    assert _command.main(["endpoint", "tell", "nonesuch"], store) == 2
    unit = Path(__file__).parents[4] / "roles" / "host" / "files" / "units" / "extrude-endpoint@.service"
    assert "RestartPreventExitStatus=2" in unit.read_text()
