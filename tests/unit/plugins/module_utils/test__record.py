# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError, Owner, State
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
from tests.unit.states import states


def state(customer: str = "acme", site: str = "office", address: str = "203.0.113.10/32") -> State:
    addresses = [{"device": "lo", "address": address}]
    return State.parse({"customer": customer, "site": site, "addresses": addresses})


def empty(customer: str = "acme", site: str = "office") -> State:
    return State(Owner(customer, site))


def files(folder: Path) -> list[str]:
    """Without the copies."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".last-good"))


def test_where_nothing_was_applied_there_is_nothing(tmp_path: Path) -> None:
    assert Records(tmp_path / "missing").load() == ()
    assert not (tmp_path / "missing").exists()


@given(st.lists(st.tuples(st.sampled_from(["acme", "b-1"]), st.sampled_from(["x", "büro", "10.0.0.1"]), states())))
def test_what_is_stored_is_loaded(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, State]]) -> None:
    records = Records(tmp_path_factory.mktemp("records"))
    listed = [State.parse({**made.plain(), "customer": customer, "site": site}) for customer, site, made in rows]
    wanted = {made.owner: made for made in listed}
    records.store(wanted.values())
    assert set(records.load()) == {made for made in wanted.values() if made.objects}


def test_each_customer_has_a_file_and_each_site_a_line(tmp_path: Path) -> None:
    Records(tmp_path).store([state(), state(site="barn"), state("other")])
    assert files(tmp_path) == ["acme.json", "other.json"]
    text = (tmp_path / "acme.json").read_text()
    assert json.loads(text)["schema"] == 1
    assert [line.split(":")[0] for line in text.splitlines()[1:3]] == ['"barn"', '"office"']


def test_owners_that_are_not_stored_stay(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.store([state(), state(site="barn"), state("other")])
    records.store([state(address="203.0.113.11/32"), empty(site="barn")])
    assert set(records.load()) == {state(address="203.0.113.11/32"), state("other")}


def test_storing_reads_no_files_of_others(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.store([state(), state("other")])
    for name in ("other.json", "other.json.last-good"):
        (tmp_path / name).write_text("{")
    records.store([state(address="203.0.113.11/32")])
    assert (tmp_path / "other.json").read_text() == "{"
    with pytest.raises(EngineError, match=r"other\.json"):
        records.load()


def test_the_file_of_a_customer_without_objects_goes(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.store([state()])
    records.store([empty()])
    assert files(tmp_path) == []
    records.store([empty()])
    assert files(tmp_path) == []


def test_that_a_rule_is_for_stand_by_is_written_though_it_is_the_same_rule(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for standby in (False, True, False):
        rule = {"priority": 4291, "table": 4217, "standby": standby}
        records.store([State.parse({"customer": "acme", "site": "office", "rules": [rule]})])
        assert ("standby" in (tmp_path / "acme.json").read_text()) is standby
    for lasting in (False, True, False):
        route = {"destination": "203.0.113.10/32", "nexthops": [{"device": "ex1-dsl"}], "lasting": lasting}
        records.store([State.parse({"customer": "acme", "site": "office", "routes": [route]})])
        assert ("lasting" in (tmp_path / "acme.json").read_text()) is lasting
    settings = [{"name": "net/ipv4/x", "value": "1", "optional": optional} for optional in (False, True)]
    for setting in settings:
        records.store([State.parse({"customer": "acme", "site": "office", "sysctls": [setting]})])
        assert f'"optional": {json.dumps(setting["optional"])}' in (tmp_path / "acme.json").read_text()


def test_what_has_not_changed_is_not_written(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.store([state(), state("other")])
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    records.store([state(), state("other", address="203.0.113.11/32")])
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert after["acme.json"] == before["acme.json"]
    assert after["other.json"] != before["other.json"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("[]", "this: [] is no dictionary"),
        ("{}", "sites: is missing"),
        ('{"sites": []}', "sites: [] is no dictionary"),
        (
            '{"sites": {"office": {"customer": "acme", "site": "office", "rules": [{}]}}}',
            "sites.office.rules[0]",
        ),
        ("\ud800", "'utf-8' codec can't decode"),
    ],
)
def test_a_corrupt_record_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "acme.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(EngineError) as error:
        Records(tmp_path).load()
    assert str(error.value).startswith(f"{path} is no record of what was applied, mend it or remove it: {problem}")


def test_records_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / ".acme.json.new").mkdir()
    with pytest.raises(EngineError, match=r"^cannot write .*/acme\.json: Is a directory$"):
        Records(tmp_path).store([state()])
    (tmp_path / "file").touch()
    with (
        pytest.raises(EngineError, match=r"^cannot write .*/file/\.lock: (Not a directory|File exists)$"),
        Records(tmp_path / "file").locked(),
    ):
        pass


def test_a_write_that_is_cut_short_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records(tmp_path)
    records.store([state()])

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EngineError, match="No space left on device"):
        records.store([state(address="203.0.113.11/32")])
    assert records.load() == (state(),)


def test_a_record_that_the_full_disk_did_not_take_gets_there_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(tmp_path / "disk", tmp_path / "memory")
    records.store([state()])

    def full(descriptor: int) -> None:
        if tmp_path / "disk" in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            raise OSError(28, "No space left on device")

    moved = state(address="203.0.113.11/32")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        records.store([moved])
    assert records.load() == (moved,)
    assert Records(tmp_path / "disk").load() == (state(),)
    records.store([moved])  # the timer's next round, which has nothing to change
    assert Records(tmp_path / "disk").load() == (moved,)
    assert not files(tmp_path / "memory")


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}


HOLD = """
import sys, time
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
with Records(sys.argv[1]).locked():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    with subprocess.Popen(
        python(HOLD, tmp_path), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        entered = threading.Event()

        def second() -> None:
            with Records(tmp_path).locked():
                entered.set()

        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.3)
        first.communicate("go on\n")
        assert entered.wait(10)
        thread.join()


def test_of_lazy_ones_one_waits_and_others_leave_it_to_that(tmp_path: Path) -> None:
    with subprocess.Popen(
        python(HOLD, tmp_path), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        turns: list[bool] = []

        def lazy() -> None:
            with Records(tmp_path).locked(lazy=True) as mine:
                turns.append(mine)

        threads = [threading.Thread(target=lazy) for _number in range(5)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 10
        while len(turns) < 4 and time.monotonic() < end:
            time.sleep(0.01)
        assert turns == [False] * 4
        first.communicate("go on\n")
        for thread in threads:
            thread.join(10)
        assert turns == [False] * 4 + [True]
    with Records(tmp_path).locked(lazy=True) as mine:
        assert mine


def test_nobody_else_can_lock(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.touch(0o644)
    with Records(tmp_path).locked():
        assert lock.stat().st_mode & 0o777 == 0o600


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        python(HOLD, tmp_path), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        first.stdout.readline()
        first.kill()
        first.wait()
    with (tmp_path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_people_without_rights_get_one_sentence() -> None:
    code = """
import os, sys
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
os.setuid(65534)
try:
    with Records(sys.argv[1]).locked(): pass
except Exception as error: print(type(error).__name__, error)
"""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(python(code, folder), env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout == f"HostError cannot write {folder}/.lock: Permission denied; it takes root\n", done.stderr


def test_any_iterable_of_states_can_be_stored(tmp_path: Path) -> None:
    made: Iterable[State] = (item for item in [state()])
    Records(tmp_path).store(made)
    assert Records(tmp_path).load() == (state(),)
