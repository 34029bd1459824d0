# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _background
from ansible_collections.multihome.extrude.plugins.module_utils._background import Caller, collect, start
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from tests.unit.netns import wait_until


def until_asked(caller: Caller) -> dict[str, Any]:
    """Work that ends when somebody wants its result."""
    caller.begun()
    while not caller.asks(within=0.05):
        pass
    return {"asked": True}


def test_who_starts_work_goes_on_when_it_has_begun_and_has_the_result_when_he_asks(tmp_path: Path) -> None:
    flag = tmp_path / "begun"

    def work(caller: Caller) -> dict[str, Any]:
        time.sleep(0.2)
        flag.touch()
        return until_asked(caller)

    name = start(work)
    assert flag.exists()
    assert collect(name, 30) == {"asked": True}


def test_each_result_is_had_by_its_own_name_and_once() -> None:
    def numbered(number: int) -> Callable[[Caller], dict[str, Any]]:
        return lambda caller: {**until_asked(caller), "number": number}

    names = [start(numbered(number)) for number in range(3)]
    assert [collect(name, 30)["number"] for name in names] == [0, 1, 2]
    for name in names:
        with pytest.raises(EngineError, match=f"the name {name}: Connection refused"):
            collect(name, 30)


def test_a_long_result_comes_whole() -> None:
    assert (
        len(collect(start(lambda caller: {**until_asked(caller), "long": "x" * 10_000_000}), 30)["long"]) == 10_000_000
    )


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize(
    ("error", "told"),
    [(EngineError("the device is not there"), "the device is not there"), (ValueError("odd"), "ValueError: odd")],
)
def test_what_is_wrong_is_told_at_once_or_to_who_asks(error: Exception, told: str, begun: bool) -> None:
    def work(caller: Caller) -> dict[str, Any]:
        if begun:
            caller.begun()
        raise error

    raising: Callable[[], object] = partial(collect, start(work), 30) if begun else partial(start, work)
    with pytest.raises(EngineError) as caught:
        raising()
    assert str(caught.value) == told


def test_work_has_to_say_that_it_begins() -> None:
    with pytest.raises(EngineError, match="it has ended without having begun"):
        start(lambda _caller: {})


def test_work_that_does_not_begin_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(_caller: Caller) -> dict[str, Any]:
        time.sleep(0.5)
        return {}

    monkeypatch.setattr(_background, "BEGINNING", 0.1)
    with pytest.raises(EngineError, match="after 0 s it has not begun"):
        start(work)


def test_a_result_that_does_not_come_is_not_waited_for_either() -> None:
    def work(caller: Caller) -> dict[str, Any]:
        caller.begun()
        time.sleep(1)
        return {}

    name = start(work)
    with pytest.raises(EngineError, match=f"{name} has no result after 0.1 s"):
        collect(name, 0.1)


def test_work_that_is_killed_has_no_result() -> None:
    def work(caller: Caller) -> dict[str, Any]:
        caller.begun()
        caller.asks(within=30)
        os._exit(1)

    with pytest.raises(EngineError, match="ended without a result"):
        collect(start(work), 30)


def test_another_user_gets_nothing_and_ends_nothing() -> None:
    name = start(until_asked)
    ask = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
        "s.connect(chr(0) + sys.argv[1]); s.settimeout(30); print(s.recv(9))"
    )
    told = subprocess.run([sys.executable, "-c", ask, name], text=True, check=True, capture_output=True, timeout=60)
    assert told.stdout == "b''\n"
    assert collect(name, 30) == {"asked": True}


def test_nobody_asks_and_nothing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_background, "KEPT", 0.1)

    def work(caller: Caller) -> dict[str, Any]:
        caller.begun()
        return {}

    name = start(work)

    def is_gone() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(b"\0" + name.encode()) != 0

    time.sleep(0.3)  # not before: to connect would be to ask
    wait_until(is_gone, "the process is gone")


def test_who_waits_for_the_end_of_the_output_does_not_wait_for_the_work() -> None:
    script = (
        "from ansible_collections.multihome.extrude.plugins.module_utils._background import start\n"
        "import time\n"
        "def work(caller):\n    caller.begun()\n    caller.asks(within=60)\n    return {}\n"
        "print(start(work))"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": ":".join(sys.path)},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert time.monotonic() - begun < 50
    assert not done.stderr
    assert collect(done.stdout.strip(), 30) == {}


def test_a_program_with_many_open_files_may_start_work() -> None:
    with ExitStack() as files:
        for _file in range(1100):
            files.enter_context(Path(os.devnull).open(encoding="ascii"))
        assert collect(start(until_asked), 30) == {"asked": True}
