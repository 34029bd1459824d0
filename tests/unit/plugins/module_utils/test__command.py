# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command on a host in a namespace, with folders of its own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import (
    _apply,
    _command,
    _command_apply,
    _dump,
    _endpoint_tell,
)
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, HostError
from ansible_collections.multihome.extrude.plugins.module_utils._learned import Endpoints, Hints
from ansible_collections.multihome.extrude.plugins.module_utils._links import Hint
from ansible_collections.multihome.extrude.plugins.module_utils._local import Store
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
from ansible_collections.multihome.extrude.plugins.module_utils._signals import Stopped
from ansible_collections.multihome.extrude.plugins.module_utils._states import States
from tests.unit.host import dummy_kind, host, snapshot
from tests.unit.netns import ip, output

STATE: dict[str, Any] = {
    "customer": "acme",
    "site": "office",
    "links": [
        {"wan": "dsl", "interface": "dsl*", "match": "isp"},
        {"wan": "cable", "interface": "a0", "address": "10.1.0.1"},
    ],
    # the tunnels themselves are proved in the lab: not every kernel has GRE
    "groups": [{"device": "{dsl.device}", "group": 4200}],
    "addresses": [{"device": "lo", "address": "203.0.113.10/32"}],
    "routes": [
        {"destination": "{dsl.network}", "table": 4221, "scope": "link", "nexthops": [{"device": "{dsl.device}"}]},
        {"destination": "{dsl.gateway}/32", "table": 4221, "scope": "link", "nexthops": [{"device": "{dsl.device}"}]},
        {
            "destination": "0.0.0.0/0",
            "table": 4221,
            "nexthops": [{"device": "{dsl.device}", "gateway": "{dsl.gateway}"}],
        },
        {"destination": "10.1.0.0/24", "table": 4222, "scope": "link", "nexthops": [{"device": "a0"}]},
        {"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "{dsl.device}"}, {"device": "a0"}]},
    ],
    "rules": [
        {"priority": 4230, "table": 4221, "source": "{dsl.address}/32"},
        {"priority": 4230, "table": 4222, "source": "10.1.0.1/32"},
        {"priority": 4290, "table": 4200},
    ],
    "sysctls": [{"name": "net/ipv4/conf/{dsl.device}/rp_filter", "value": "2"}],
    "chains": [
        {
            "table": "nat",
            "name": "EXTRUDE-POSTROUTING",
            "hook": "POSTROUTING",
            "rules": ["-o {dsl.device} -j SNAT --to-source {dsl.address}"],
        }
    ],
    # a deployment would ask for that gateway, and nobody would answer: boot and hooks take the host as it is
    "expects": [{"device": "a0", "address": "10.1.0.1", "gateway": "10.1.0.99"}],
    "reserved": {"tables": [4200, 4221, 4222], "priorities": [4200, 4299]},
}

Run = Callable[..., int]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(
        States(tmp_path / "etc", patient=True),
        Records(tmp_path / "var", patient=True),
        Hints(tmp_path / "run"),
        Endpoints(tmp_path / "var" / "endpoints"),
    )


@pytest.fixture
def run(store: Store) -> Iterator[Run]:
    """``run("wan up ppp0")`` gives the exit code, on a host to which STATE was deployed."""
    store.states.store([STATE])
    with host():
        yield lambda words: _command.main(words.split(), store)


def dial(device: str, address: str, peer: str = "100.64.0.1") -> None:
    """A point-to-point link comes up."""
    ip(
        f"link add {device} type veth peer name {device}-far",
        f"link set {device} addrgenmode none",
        f"link set {device} up",
        f"link set {device}-far up",
        f"addr add {address} peer {peer}/32 dev {device}",
    )


def hang_up(device: str) -> None:
    ip(f"link del {device}")


def ours() -> dict[str, list[str]]:
    """What of ours the kernel holds, in the words of ip(8) and iptables."""
    return {
        "groups": [line.split(":")[1].strip() for line in _lines("ip -o link show group 4200")],
        "routes": sorted(_lines("ip route show table all proto 120")),
        "rules": [line.removesuffix(" proto 120") for line in _lines("ip rule") if line.endswith(" proto 120")],
        "nat": [line for line in _lines("iptables-save -t nat") if line.startswith("-A EXTRUDE")],
    }


def _lines(command: str) -> list[str]:
    return [" ".join(line.split()) for line in output(*command.split()).splitlines()]


def test_help_names_every_subcommand_and_a_word_that_is_not_understood_ends_with_2(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, code in ((["--help"], 0), (["wan", "--help"], 0), (["jump"], 2), ([], 2), (["wan", "up"], 2)):
        with pytest.raises(SystemExit) as ended:
            _command.main(words, store)
        assert ended.value.code == code
    told = capsys.readouterr()
    assert all(f"\n    {name}" in told.out for name in ("apply", "status", "wan", "endpoint"))
    assert "invalid choice: 'jump'" in told.err


def test_apply_makes_what_the_links_allow_and_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply --check") == 0
    planned = capsys.readouterr().out
    before = ours()
    assert before["routes"] == before["rules"] == []
    assert run("apply") == 0
    assert capsys.readouterr().out == planned
    assert "add route 10.1.0.0/24 table 4222 metric 0 dev a0 weight 1" in planned
    assert "dsl" not in planned
    assert run("apply") == 0
    assert capsys.readouterr() == ("", "")


def test_a_link_that_comes_goes_and_comes_back_with_another_name_and_address(run: Run) -> None:
    assert run("apply") == 0
    without = ours()
    dial("dsl0", "100.64.0.7")
    assert run("wan up dsl0 --match isp") == 0
    first = ours()
    assert first["groups"] == ["dsl0@dsl0-far"]
    assert "default via 100.64.0.1 dev dsl0 table 4221" in first["routes"]
    assert "4230: from 100.64.0.7 lookup 4221" in first["rules"]
    assert first["nat"] == ["-A EXTRUDE-POSTROUTING -o dsl0 -j SNAT --to-source 100.64.0.7"]
    hang_up("dsl0")
    assert run("wan down dsl0 --match isp") == 0
    assert ours() == without
    dial("dsl1", "100.64.3.3")
    assert run("wan up dsl1 --match isp") == 0
    again = json.dumps(ours()).replace("dsl1", "dsl0").replace("100.64.3.3", "100.64.0.7")
    assert json.loads(again) == first
    assert run("wan up dsl1 --match isp") == 0


def test_many_addresses_leave_nothing_behind(run: Run, store: Store, tmp_path: Path) -> None:
    dial("dsl0", "100.64.0.7")
    run("wan up dsl0 --match isp")
    before = snapshot()
    files = set(tmp_path.rglob("*"))
    for number in range(10):
        ip("addr flush dev dsl0 scope global", f"addr add 100.64.1.{number} peer 100.64.0.1/32 dev dsl0")
        assert run("wan up dsl0 --match isp") == 0
        assert f"4230: from 100.64.1.{number} lookup 4221" in ours()["rules"]
        assert len(ours()["rules"]) == 3
    ip("addr flush dev dsl0 scope global", "addr add 100.64.0.7 peer 100.64.0.1/32 dev dsl0")
    assert run("wan up dsl0 --match isp") == 0
    assert snapshot() == before
    assert set(tmp_path.rglob("*")) == files


def test_an_event_of_a_device_that_no_state_names_does_nothing_and_waits_for_no_lock(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.records.locked():
        for words in ("wan up b0", "wan up dsl0", "wan down lo", "wan up dsl0 --match other --gateway 192.0.2.1"):
            assert run(words) == 0
    assert capsys.readouterr() == ("", "")
    assert store.hints.load() == {}


def test_the_gateway_that_a_client_has_learnt_is_remembered_until_the_link_goes(run: Run, store: Store) -> None:
    ip(
        "link add dsl5 type veth peer name far5",
        "link set dsl5 up",
        "link set far5 up",
        "addr add 198.18.5.9/24 dev dsl5",
    )
    assert run("wan up dsl5 --match isp --gateway 198.18.5.1") == 0
    assert "default via 198.18.5.1 dev dsl5 table 4221" in ours()["routes"]
    assert "198.18.5.0/24 dev dsl5 table 4221 scope link" in ours()["routes"]
    assert run("wan up dsl5 --match isp") == 0
    assert store.hints.load() == {"dsl": Hint("dsl5", "198.18.5.1", ("isp",))}
    assert run("wan down dsl5") == 0
    assert store.hints.load() == {"dsl": Hint("dsl5", "198.18.5.1", ("isp",))}  # it has an address: the event came late
    ip("addr flush dev dsl5")
    assert run("wan down dsl5") == 0
    assert store.hints.load() == {}
    assert not [line for line in ours()["routes"] if "4221" in line]


def test_what_an_event_tells_depends_on_no_hint_that_another_changes_meanwhile(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the end of dsl0 would forget that the link has just come up as dsl1."""
    alone = []
    look = _dump.interfaces

    def looked() -> Any:
        with (tmp_path / "run" / ".lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                alone.append("wan")
        return look()

    dial("dsl0", "100.64.0.7")
    assert run("wan up dsl0 --match isp") == 0
    hang_up("dsl0")
    monkeypatch.setattr(_dump, "interfaces", looked)
    assert run("wan down dsl0") == 0
    assert alone == ["wan"], "the lock goes before links are looked at for the apply"


def test_a_static_link_that_lost_its_table_gets_it_back(run: Run) -> None:
    assert run("apply") == 0
    whole = ours()
    ip("link set a0 down")
    assert run("wan down a0") == 0
    assert not [line for line in ours()["routes"] if "4222" in line]
    ip("link set a0 up")
    assert run("wan up a0") == 0
    assert ours() == whole
    ip("addr flush dev a0")
    assert run("wan down a0") == 0
    assert not [line for line in ours()["routes"] if "4222" in line]
    ip("addr add 10.1.0.1/24 dev a0")
    assert run("wan up a0") == 0
    assert ours() == whole


def test_two_events_at_once_end_in_what_is(run: Run, tmp_path: Path) -> None:
    assert run("apply") == 0
    dial("dsl0", "100.64.0.7")
    events = [["wan", "up", "dsl0", "--match", "isp"], ["wan", "down", "dsl0"]] * 3
    started = [process(tmp_path, *words) for words in events]
    assert [(one.wait(60), one.stderr.read() if one.stderr else None) for one in started] == [(0, "")] * 6
    assert "4230: from 100.64.0.7 lookup 4221" in ours()["rules"]
    assert run("apply --check") == 0


def process(folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command as a process of its own, in the namespace that the caller is in."""
    code = """
import sys
from pathlib import Path
from ansible_collections.multihome.extrude.plugins.module_utils import _command, _learned, _local, _record, _states
folder = Path(sys.argv[1])
store = _local.Store(_states.States(folder / "etc"), _record.Records(folder / "var"), _learned.Hints(folder / "run"))
sys.exit(_command.main(sys.argv[2:], store))
"""
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", code, str(folder), *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_failure_is_one_line_and_changes_nothing(run: Run, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {**STATE, "rules": [*STATE["rules"], {"priority": 4291, "table": 4200, "mark": "nonsense"}]}
    store.states.store([bad])
    before = snapshot()
    assert run("apply") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("extrude: customer acme, site office: acme/office.rules[2].mark: ")
    assert told.err.count("\n") == 1
    assert snapshot() == before


def test_what_others_have_put_into_our_places_is_told_and_all_else_comes_back(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("apply") == 0
    whole = ours()
    ip(
        "rule del priority 4290",
        "rule del priority 4230 table 4222",
        "route flush table 4200",
        "route flush table 4222",
    )
    ip("rule add priority 4250 lookup 77 protocol 4", "rule add priority 4290 lookup 4200 protocol 4")
    ip("route add default dev a0 table 4200 proto 4")
    capsys.readouterr()
    assert run("apply") == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "add route 10.1.0.0/24 table 4222 metric 0 dev a0 weight 1",
        "add rule 4230: from 10.1.0.1/32 lookup 4222",
    ]
    assert told.err.count("\n") == 1
    assert told.err.startswith(
        "extrude: route 0.0.0.0/0 table 4200 metric 0 dev a0 weight 1 stands where only ours may"
    )
    for rule in ("rule 4250: lookup 77", "rule 4290: lookup 4200"):
        assert f"; {rule} stands where only ours may and was made by hand or networkd (protocol 4)" in told.err
    ip("rule del priority 4250", "rule del priority 4290 protocol 4", "route del default table 4200")
    assert run("apply") == 0
    assert ours() == whole


def test_a_device_that_is_not_ours_keeps_nothing_but_what_stands_on_it(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    on_it = {"destination": "198.18.0.0/15", "table": 4200, "nexthops": [{"device": "extrude0"}, {"device": "a0"}]}
    state = {**STATE, "dummies": [{"name": "extrude0"}], "routes": [*STATE["routes"], on_it]}
    store.states.store([state])
    ip("link add extrude0 type veth peer name far", "link set extrude0 up")
    assert run("apply") == 1
    told = capsys.readouterr()
    assert told.err == "extrude: device extrude0 is there already and is not ours: kind veth\n"
    assert "198.18.0.0/15 dev a0 table 4200 scope link" in ours()["routes"]
    assert "4290: from all lookup 4200" in ours()["rules"]
    ip("link del extrude0")
    assert run("apply") == 0
    assert run("apply --check") == 0


def test_a_device_of_others_stays_theirs_at_every_apply_and_at_the_purge(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {
        **STATE,
        "dummies": [{"name": "exd0"}],
        "addresses": [*STATE["addresses"], {"device": "exd0", "address": "10.9.9.9/24"}],
    }
    store.states.store([state])
    ip(f"link add exd0 type {dummy_kind()}", "addr add 10.9.9.9/24 dev exd0")
    theirs = output("ip", "addr", "show", "exd0")
    for _again in range(3):
        capsys.readouterr()
        assert run("apply") == 1
        told = capsys.readouterr()
        assert "exd0" not in told.out
        assert told.err.startswith("extrude: device exd0 is there already and is not ours: kind ")
        assert output("ip", "addr", "show", "exd0") == theirs
    store.states.store([STATE])
    assert run("apply") == 0
    assert output("ip", "addr", "show", "exd0") == theirs
    store.states.store([state])
    ip("link del exd0")
    assert run("apply") == 0
    assert "10.9.9.9/24" in output("ip", "addr", "show", "exd0")
    store.states.store([STATE])
    assert run("apply") == 0
    assert "exd0" not in output("ip", "link")


def test_one_site_does_not_hinder_another_of_its_customer(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def site(number: int, device: str = "lo") -> dict[str, Any]:
        addresses = [{"device": device, "address": f"203.0.113.{number}/32"}]
        return {"customer": "acme", "site": f"s{number}", "addresses": addresses, "rules": STATE["rules"][2:]}

    numbers = range(20, 29)
    store.states.store([site(number) for number in numbers])
    assert run("apply") == 0
    store.states.store([site(number, "b0" if number == 24 else "lo") for number in numbers])
    taking = {**site(26), "addresses": [*site(26)["addresses"], *site(20)["addresses"]]}
    store.states.store([taking, {**site(22), "rules": [{"priority": 4290, "table": "nonsense"}]}])
    ip("rule del priority 4290", "addr flush dev lo")
    capsys.readouterr()
    assert run("apply") == 1
    told = capsys.readouterr().err
    assert "customer acme, site s22: acme/s22.rules[0].table: 'nonsense' is not " in told
    held = "is held by customer acme, site s20"
    assert f"address 203.0.113.20/32 on lo of customer acme, site s26 {held}" in told
    assert "4290: from all lookup 4200" in ours()["rules"]
    standing = [number for number in numbers if f"inet 203.0.113.{number}/32" in output("ip", "addr")]
    assert standing == [20, 21, 23, 24, 25, 26, 27, 28]
    assert "203.0.113.24/32" in output("ip", "addr", "show", "b0")
    assert "203.0.113.22/32" in (store.records._folder / "acme.json").read_text()  # it is still its own


def test_an_apply_that_is_told_to_end_tries_no_further(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def ended(*arguments: Any) -> Any:
        calls.append(arguments)
        raise Stopped("stopped by SIGTERM")

    store.states.store([{**STATE, "site": "barn"}])
    monkeypatch.setattr(_apply, "run", ended)
    assert run("apply") == 1
    assert len(calls) == 1
    assert capsys.readouterr().err == "extrude: stopped by SIGTERM\n"


def test_states_that_all_fail_do_not_keep_boot_waiting(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_arguments: Any) -> Any:
        raise EngineError("pyroute2 is missing")

    store.states.store([{**STATE, "site": f"s{number}"} for number in range(3)])
    monkeypatch.setattr(_apply, "run", fails)
    monkeypatch.setattr(_command_apply, "_PATIENCE", 0.0)
    assert run("apply") == 1
    assert capsys.readouterr().err == "extrude: customer acme, site office, and 3 more: pyroute2 is missing\n"


def test_what_waits_when_time_is_out_is_told_and_not_tried(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def fails(*_arguments: Any) -> Any:
        calls.append(1)
        raise EngineError("bad")

    store.states.store([{**STATE, "site": f"s{number}"} for number in range(7)])
    monkeypatch.setattr(_apply, "run", fails)
    monkeypatch.setattr(_command_apply, "_PATIENCE", 2.0)
    monkeypatch.setattr(time, "monotonic", lambda: float(len(calls)))
    assert run("apply") == 1
    assert len(calls) == 2
    assert capsys.readouterr().err == (
        "extrude: customer acme, site office, and 3 more: bad;"
        " customer acme, site s3, and 3 more: not tried, since others took so long to fail\n"
    )


def test_what_hinders_the_whole_host_is_told_once_and_nothing_else_tried(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def full(*_arguments: Any) -> Any:
        calls.append(1)
        raise HostError("cannot write /var/lib/extrude/acme.json: No space left on device")

    store.states.store([{**STATE, "site": f"s{number}"} for number in range(3)])
    monkeypatch.setattr(_apply, "run", full)
    assert run("apply") == 1
    assert len(calls) == 1
    assert capsys.readouterr().err == "extrude: cannot write /var/lib/extrude/acme.json: No space left on device\n"


@pytest.mark.parametrize("error", [EngineError("the colo is not told"), OSError("the colo is not told")])
def test_what_hindered_is_told_even_where_the_colo_cannot_be_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fails(_store: Store) -> None:
        raise error

    monkeypatch.setattr(_endpoint_tell, "follow", fails)
    ip("rule add priority 4250 lookup 77 protocol 4")
    assert run("apply") == 1
    told = capsys.readouterr().err
    assert told.startswith("extrude: rule 4250: lookup 77 stands where only ours may")
    assert told.endswith("; the colo is not told\n")


def test_one_customer_does_not_hinder_another(run: Run, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {"customer": "zeta", "site": "barn", "addresses": [{"device": "lo", "address": "nonsense"}]}
    store.states.store([broken])
    assert run("apply") == 1
    told = capsys.readouterr()
    assert "add route 10.1.0.0/24 table 4222" in told.out
    assert told.err.startswith("extrude: customer zeta, site barn: zeta/barn.addresses[0].address: 'nonsense' is no ")
    assert "4290: from all lookup 4200" in ours()["rules"]


def test_what_a_run_has_not_purged_yet_no_event_purges(run: Run, store: Store) -> None:
    assert run("apply") == 0
    less = {**STATE, "rules": STATE["rules"][1:]}
    store.states.store([less], "make")
    assert run("wan up a0") == 0
    assert "4290: from all lookup 4200" in ours()["rules"]
    ip("rule del priority 4290")
    assert run("wan up a0") == 0
    assert "4290: from all lookup 4200" in ours()["rules"]
    store.states.store([{**less, "rules": []}], "make")
    assert run("wan up a0") == 0
    assert "4290: from all lookup 4200" in ours()["rules"]
    store.states.store([{**less, "rules": []}], "purge")
    assert run("wan up a0") == 0
    assert ours()["rules"] == []


def test_a_broken_file_is_told_and_its_copy_used(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("apply") == 0
    capsys.readouterr()
    (tmp_path / "etc" / "acme.json").write_text('{"schema": 1, "cus')
    (tmp_path / "var" / "acme.json").write_text("")
    assert run("apply") == 0
    told = capsys.readouterr()
    assert told.out == ""
    states, records = told.err.splitlines()
    assert states.startswith(f"extrude: warning: {tmp_path}/etc/acme.json is no list of states, so its copy")
    assert records.startswith(f"extrude: warning: {tmp_path}/var/acme.json is no record of what was applied")


def test_a_file_that_is_lost_is_told_and_keeps_no_other_from_being_applied(
    run: Run, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.states.store([{**STATE, "customer": "zeta", "tunnels": 5}])
    (tmp_path / "var").mkdir(exist_ok=True)
    for file in (tmp_path / "var" / "acme.json", tmp_path / "etc" / "note.json"):
        file.write_text("")
    assert run("apply") == 1
    told = capsys.readouterr().err
    for text in ("etc/zeta.json is no list of states", "etc/note.json is no list of", "var/acme.json is no record of"):
        assert f"{tmp_path}/{text}" in told
    assert "4290: from all lookup 4200" in ours()["rules"]
    for name in ("zeta.json", "zeta.json.last-good", "note.json"):
        (tmp_path / "etc" / name).unlink()
    for lost in (store.states.lost, store.records.lost):
        lost.clear()
    assert run("apply") == 0, "the record is whole again"


def test_links_that_change_during_an_apply_are_looked_at_again(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _apply.run
    calls = []

    def fails_once(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            dial("dsl0", "100.64.0.7")
            store.hints.store("dsl", Hint("dsl0"))
            raise EngineError("a device that it needs is gone")
        return real(*arguments)

    monkeypatch.setattr(_apply, "run", fails_once)
    assert run("apply") == 0
    assert len(calls) == 2
    assert "4230: from 100.64.0.7 lookup 4221" in ours()["rules"]


def test_status_says_what_is_up_since_when_and_why_not(
    run: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run("apply")
    capsys.readouterr()
    assert run("status") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "acme/office"
    assert lines[1] == "link dsl down there is no device dsl* that came up as isp"
    assert lines[2].startswith("link cable up a0 10.1.0.1, for ")
    assert lines[3:] == []
    ip("rule del priority 4290")
    assert run("status --json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["drift"] == {"operations": ["add rule 4290: lookup 4200"], "problems": []}
    assert status["sites"][0]["links"][0]["up"] is False


def test_an_endpoint_that_is_reported_is_the_far_end_of_the_colos_tunnel(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    tunnel = {"name": "ex1-dsl", "local": "10.1.0.1", "remote": "{dsl.endpoint}", "key": 17, "wan": "dsl"}
    state = {"customer": "acme", "site": "office", "endpoints": ["dsl"], "tunnels": [tunnel]}
    store.states.store([state])
    with host():
        assert _command.main(["apply", "--check"], store) == 0
        assert capsys.readouterr().out == "add tunnel ex1-dsl 10.1.0.1 -> 127.0.0.2 key 17\n"
        assert _command.main(["status"], store) == 0
        assert "down  the site has not reported its address yet" in capsys.readouterr().out
        store.endpoints.store(state, "dsl", "100.64.0.7")
        assert _command.main(["apply", "--check"], store) == 0
        assert capsys.readouterr().out == "add tunnel ex1-dsl 10.1.0.1 -> 100.64.0.7 key 17\n"


def test_nothing_of_ansible_is_needed_on_the_host() -> None:
    """The files are a package of the distribution's Python there."""
    code = f"""
import sys, importlib.util
sys.modules["ansible"] = None
spec = importlib.util.spec_from_file_location("extrude", {_command.__file__!r}[:-len("_command.py")] + "__init__.py",
    submodule_search_locations=[{_command.__file__!r}[:-len("/_command.py")]])
sys.modules["extrude"] = importlib.util.module_from_spec(spec)
from extrude._command import main
sys.exit(main(["apply", "--help"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: extrude apply" in done.stdout
