# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.multihome.extrude.plugins.module_utils._background import Caller, collect
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._model import Tunnel
from ansible_collections.multihome.extrude.plugins.modules import path_drill
from tests.unit.netns import scratch

OPTIONS: dict[str, Any] = {
    "wan": "dsl",
    "source": "203.0.113.10",
    "destination": "203.0.113.2",
    "tunnels": [{"wan": "dsl", "device": "ex-dsl", "local": "10.254.0.1", "remote": "10.254.0.0"}],
}
DSL = Tunnel("ex-dsl", "192.0.2.2", "203.0.113.2", 17)


def result(capsys: pytest.CaptureFixture[str], *, check: bool = False, **changes: Any) -> dict[str, Any]:
    """What the module prints for these options."""
    with patch_module_args({**OPTIONS, **changes, "_ansible_check_mode": check}), pytest.raises(SystemExit):
        path_drill.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A link that may be drilled; what was done to it."""
    done: list[str] = []

    def note(what: str) -> Callable[..., dict[str, str]]:
        def work(*args: object) -> dict[str, str]:
            done.append(what)
            if isinstance(args[-1], Caller):
                args[-1].begun()
            return {"of": what}

        return work

    monkeypatch.setattr(path_drill, "check", lambda _end, _plan: (DSL, ["cable"]))
    monkeypatch.setattr(path_drill, "drill", note("drill"))
    monkeypatch.setattr(path_drill, "answer", note("answer"))
    return done


def test_check_mode_says_what_a_run_would_do_and_does_nothing(
    capsys: pytest.CaptureFixture[str], allowed: list[str]
) -> None:
    said = result(capsys, check=True)
    assert (said["changed"], "log" in said, allowed) == (True, False, [])
    assert said["text"] == "drop GRE between 192.0.2.2 and 203.0.113.2 (ex-dsl) for 5 s; live besides it: cable"
    done = result(capsys)
    assert (done["changed"], done["text"], done["log"], allowed) == (True, said["text"], {"of": "drill"}, ["drill"])


def test_the_colo_answers_and_changes_nothing(capsys: pytest.CaptureFixture[str], allowed: list[str]) -> None:
    assert result(capsys, answer=True, check=True)["changed"] is False
    assert allowed == []
    done = result(capsys, answer=True)
    assert (done["changed"], done["log"], allowed) == (False, {"of": "answer"}, ["answer"])
    done = result(capsys, answer=True, background=True)
    assert done["changed"] is False
    assert collect(done["background"], 30) == {"log": {"of": "answer"}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"wan": "lte"}, "wan: there is no tunnel of lte; there are dsl"),
        ({"timeout": 7}, "timeout: 7 s is too short"),
        ({"hold": -1}, "hold: -1.0 is no number of seconds from 0 to 600"),
        ({"answer": True, "seconds": 601}, "seconds: 601.0 is no number of seconds from 0 to 600"),
        ({}, "there is no GRE tunnel ex-dsl on this host: deploy first"),
        ({"answer": True}, "there is no device ex-dsl"),
    ],
)
def test_it_fails_with_one_sentence(capsys: pytest.CaptureFixture[str], changes: dict[str, Any], sentence: str) -> None:
    with scratch() as place, place.entered():
        failed = result(capsys, **changes)
    assert failed["failed"] is True
    assert sentence in failed["msg"]


def test_a_refusal_is_the_message(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise EngineError("dsl is the last live link of this site")

    monkeypatch.setattr(path_drill, "check", refuse)
    assert result(capsys)["msg"] == "dsl is the last live link of this site"
