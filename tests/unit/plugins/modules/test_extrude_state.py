# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _netlink
from ansible_collections.multihome.extrude.plugins.module_utils._guard import Guarded, Guards
from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError
from tests.unit.host import dummy_kind, snapshot
from tests.unit.netns import WITHOUT_RIGHTS, ip, output
from tests.unit.systemctl import Systemctl
from tests.unit.timers import Timers

Run = Callable[..., dict[str, Any]]
STATE: dict[str, Any] = {
    "customer": "acme",
    "site": "office",
    "dummies": [{"name": "extrude0"}],
    "groups": [{"device": "b0", "group": 4200}],
    "addresses": [{"device": "lo", "address": "203.0.113.10/32"}],
    "sysctls": [{"name": "net/ipv4/conf/a0/rp_filter", "value": "2"}],
    "chains": [{"name": "EXTRUDE-FORWARD", "hook": "FORWARD", "rules": ["-d 203.0.113.10 -j ACCEPT"]}],
    "routes": [{"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "a0"}, {"device": "b0"}]}],
    "rules": [{"priority": 4290, "table": 4200}],
    "proxies": [{"device": "a0", "address": "203.0.113.11"}],
    "files": [{"path": "bird.conf", "content": "router id 192.0.2.1;\n"}],
    "reserved": {"tables": [4200], "priorities": [4200, 4299]},
}
EMPTY = {"customer": "acme", "site": "office"}


def texts(result: dict[str, Any]) -> list[str]:
    return [operation["text"] for operation in result["operations"]]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_check_mode_says_exactly_what_the_run_does_and_touches_nothing(run: Run, folder: Path, config: Path) -> None:
    part = {"path": "bird.d/acme.office.conf", "content": "protocol bgp {\n}\n"}
    steps = [
        [STATE],
        [{**STATE, "proxies": [], "routes": [{"destination": "0.0.0.0/0", "table": 4200, "type": "unreachable"}]}],
        [{**STATE, "files": [part, {**STATE["files"][0], "content": "router id 192.0.2.2;\n"}]}],
        [EMPTY],
    ]
    for states in steps:
        before = snapshot()
        stored = {**contents(folder), **contents(config)}
        planned = run("extrude_state", states=states, check=True)
        assert snapshot() == before
        assert {**contents(folder), **contents(config)} == stored
        done = run("extrude_state", states=states)
        assert planned == done
        assert done["changed"] is True
        assert run("extrude_state", states=states)["operations"] == []


def test_check_mode_needs_no_folder(run: Run, folder: Path, config: Path) -> None:
    assert run("extrude_state", states=[STATE], check=True)["changed"] is True
    assert not folder.exists()
    assert not config.exists()


def test_what_a_state_lists_no_more_goes_without_a_trace(run: Run, folder: Path, config: Path) -> None:
    before = snapshot()
    run("extrude_state", states=[STATE])
    run("extrude_state", states=[EMPTY])
    after = snapshot()
    assert {**after, "sysctls": {}} == {**before, "sysctls": {}}
    assert list(folder.glob("*.json")) == []
    assert not config.exists()


@pytest.mark.parametrize("check", [True, False])
def test_a_link_that_is_found_by_another_name_is_a_change(run: Run, check: bool) -> None:
    link = {"wan": "dsl", "interface": "ppp*", "match": "isp"}
    run("extrude_state", states=[{**STATE, "links": [link]}])
    same = run("extrude_state", states=[{**STATE, "links": [link]}], check=check)
    assert (same["changed"], same["diff"]) == (False, {"before": "", "after": ""})
    result = run("extrude_state", states=[{**STATE, "links": [{**link, "match": "isp-dsl"}]}], check=check)
    assert (result["changed"], texts(result)) == (True, [])
    assert result["diff"] == {
        "before": "links: acme/office name=dsl interface=ppp* match=isp\n",
        "after": "links: acme/office name=dsl interface=ppp* match=isp-dsl\n",
    }


def test_a_file_is_written_where_the_option_says_and_its_lines_are_shown(run: Run, config: Path) -> None:
    config.mkdir()
    (config / "bird.conf").write_text("an administrator's\n")
    result = run("extrude_state", states=[{**EMPTY, "files": STATE["files"]}])
    assert texts(result) == ["change file bird.conf"]
    assert result["diff"] == {
        "before": "bird.conf: an administrator's\n",
        "after": "bird.conf: router id 192.0.2.1;\n",
    }
    assert (config / "bird.conf").read_text() == "router id 192.0.2.1;\n"


def test_a_file_that_the_daemon_refuses_is_an_error_and_undoes_all_kinds(
    run: Run, folder: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Systemctl(tmp_path, monkeypatch, config / "bird.conf", "active")
    run("extrude_state", states=[{**EMPTY, "files": STATE["files"]}])
    before, stored = snapshot(), {**contents(folder), **contents(config)}
    result = run("extrude_state", states=[{**STATE, "files": [{"path": "bird.conf", "content": "nonsense\n"}]}])
    assert result["msg"] == (
        f"extrude-bird.service does not take its new files: bird: {config}/bird.conf:1:1 syntax error"
    )
    assert snapshot() == before
    assert {**contents(folder), **contents(config)} == stored


def test_files_that_states_share_follow_the_last_one_and_go_with_the_last_one(run: Run, config: Path) -> None:
    other = {"customer": "other", "site": "x", "files": STATE["files"]}
    newer = {**EMPTY, "files": [{"path": "bird.conf", "content": "router id 192.0.2.2;\n"}]}
    run("extrude_state", states=[other])
    run("extrude_state", states=[newer])
    assert (config / "bird.conf").read_text() == "router id 192.0.2.2;\n"
    assert run("extrude_info")["drift"] == []
    run("extrude_state", states=[EMPTY])
    assert (config / "bird.conf").exists()
    run("extrude_state", states=[{"customer": "other", "site": "x"}])
    assert not config.exists()


def test_addresses_and_groups_that_were_there_before_stay(run: Run) -> None:
    ip("addr add 203.0.113.10/32 dev lo", "link set b0 group 4200", "neigh add proxy 203.0.113.11 dev a0")
    before = snapshot()
    run("extrude_state", states=[STATE])
    run("extrude_state", states=[STATE])
    run("extrude_state", states=[EMPTY])
    assert {**snapshot(), "sysctls": {}} == {**before, "sysctls": {}}


def test_a_strange_chain_rule_is_put_right_and_shown(run: Run) -> None:
    run("extrude_state", states=[STATE])
    output("iptables", "-I", "EXTRUDE-FORWARD", "-j", "DROP")
    result = run("extrude_state", states=[STATE])
    assert result["diff"] == {
        "before": "iptables -t filter EXTRUDE-FORWARD   1: -j DROP\n"
        "iptables -t filter EXTRUDE-FORWARD   2: -d 203.0.113.10/32 -j ACCEPT\n"
        "iptables -t filter EXTRUDE-FORWARD: from FORWARD\n",
        "after": "iptables -t filter EXTRUDE-FORWARD   1: -d 203.0.113.10/32 -j ACCEPT\n"
        "iptables -t filter EXTRUDE-FORWARD: from FORWARD\n",
    }
    assert run("extrude_state", states=[STATE])["changed"] is False


def test_an_error_undoes_all_kinds_and_leaves_the_record(run: Run, folder: Path) -> None:
    run("extrude_state", states=[STATE])
    before, record = snapshot(), (folder / "acme.json").read_text()
    bad = {**STATE, "addresses": [], "routes": [{**STATE["routes"][0], "source": "192.0.2.99"}], "rules": []}
    result = run("extrude_state", states=[bad])
    assert result["msg"] == (
        "cannot change route 0.0.0.0/0 table 4200 metric 0 dev a0 weight 1 dev b0 weight 1"
        " (source: unset -> 192.0.2.99): Invalid prefsrc address"
    )
    assert snapshot() == before
    assert (folder / "acme.json").read_text() == record


def test_an_undo_that_fails_leaves_everything_on_record(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _netlink.Writer.apply

    def failing(writer: _netlink.Writer, operation: Any) -> None:
        if operation.kind == "rules" or operation.action == "delete":
            raise EngineError("refused")
        real(writer, operation)

    monkeypatch.setattr(_netlink.Writer, "apply", failing)
    result = run("extrude_state", states=[STATE])
    assert result["msg"].startswith("refused; and not all of it could be undone: refused; ")
    monkeypatch.undo()
    assert "203.0.113.10/32" in (folder / "acme.json").read_text()
    run("extrude_state", states=[EMPTY])
    assert "203.0.113.10" not in output("ip", "addr")


def test_states_of_several_owners_are_one_transaction(run: Run) -> None:
    other = {
        "customer": "other",
        "site": "x",
        "rules": STATE["rules"],
        "chains": [{**STATE["chains"][0], "rules": ["-d 203.0.113.20 -j ACCEPT"]}],
    }
    run("extrude_state", states=[STATE, other])
    assert output("iptables", "-S", "EXTRUDE-FORWARD").count("ACCEPT") == 2
    run("extrude_state", states=[EMPTY])
    assert "203.0.113.20/32" in output("iptables", "-S", "EXTRUDE-FORWARD")
    assert "4290" in output("ip", "rule")
    run("extrude_state", states=[{"customer": "other", "site": "x"}])
    assert "4290" not in output("ip", "rule")


@pytest.mark.parametrize("wanted", [{**STATE, "rules": []}, EMPTY])
@pytest.mark.parametrize("is_record", [True, False])
def test_where_states_or_records_cannot_be_written_nothing_is_changed(
    run: Run, folder: Path, config: Path, wanted: dict[str, Any], is_record: bool
) -> None:
    run("extrude_state", states=[STATE])
    before, stored = snapshot(), {**contents(folder), **contents(config)}
    place = folder if is_record else config
    (place / ".acme.json.new").mkdir()
    result = run("extrude_state", states=[wanted])
    assert result["msg"] == f"cannot write {place}/acme.json: Is a directory"
    assert snapshot() == before
    assert {**contents(folder), **contents(config)} == stored


def test_a_conflict_leaves_the_states_that_boot_restores(run: Run, config: Path) -> None:
    run("extrude_state", states=[STATE])
    before = {path.name: path.stat().st_ino for path in config.iterdir()}
    ip("rule add priority 4201 lookup main")
    assert run("extrude_state", states=[{**STATE, "proxies": []}])["failed"]
    assert {path.name: path.stat().st_ino for path in config.iterdir()} == before


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([STATE, STATE], "customer acme, site office has more than one state here"),
        (["acme"], "Elements value for option 'states' is of type"),
        ([STATE, {**EMPTY, "site": "x", "rules": [{"priority": 1}]}], "states[1].rules[0].table: is missing"),
        ([{"customer": "acme"}], "states[0].site: is missing"),
        ([{**EMPTY, "adresses": []}], "states[0].adresses: is not known here; known are addresses, certificate"),
    ],
)
def test_bad_states_are_one_sentence(run: Run, states: list[Any], message: str) -> None:
    result = run("extrude_state", states=states)
    assert result["failed"]
    assert message in result["msg"]


def test_a_hand_made_route_in_our_table_is_an_error_that_names_it(run: Run) -> None:
    ip("route add 192.0.2.0/25 dev a0 table 4200 proto 0", "rule add priority 4201 lookup main")
    before = snapshot()
    for check in (True, False):
        result = run("extrude_state", states=[STATE], check=check)
        assert result["msg"].startswith("route 192.0.2.0/25 table 4200 metric 0 dev a0 weight 1 stands where only ours")
        assert "; rule 4201: lookup 254 stands where only ours may" in result["msg"]
    assert snapshot() == before


def test_a_corrupt_record_is_named(run: Run, folder: Path) -> None:
    folder.mkdir()
    (folder / "acme.json").write_text("{")
    result = run("extrude_state", states=[STATE])
    assert result["msg"].startswith(f"{folder}/acme.json is no record of what was applied, mend it or remove it: ")


# --- as processes of their own ----------------------------------------------------------------------


def module_process(folder: Path, states: list[Any], *, check: bool = False, first: str = "") -> subprocess.Popen[str]:
    """The module as a process of its own; *first* is run in it before."""
    folders = {"directory": str(folder), "config_directory": str(folder.parent / "extrude")}
    args = {"states": states, **folders, "_ansible_check_mode": check}
    code = (
        f"import json, os, signal, sys\nfrom ansible.module_utils.testing import patch_module_args\n"
        f"from ansible_collections.multihome.extrude.plugins.module_utils import _wire\n"
        f"from ansible_collections.multihome.extrude.plugins.modules import extrude_state\n"
        f"_wire.DUMMY = {dummy_kind()!r}\n{first}\n"
        f"with patch_module_args(json.load(sys.stdin)): extrude_state.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(args))
    process.stdin.close()
    process.stdin = None
    return process


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=60)
    assert out, err
    result: dict[str, Any] = json.loads(out)
    return result


AT_STEP = """
from ansible_collections.multihome.extrude.plugins.module_utils import _host
real, seen = _host._apply_part, []
def part(operations, writer):
    seen.append(operations)
    if len(seen) == {number}: {act}
    real(operations, writer)
_host._apply_part = part
"""


@pytest.mark.parametrize("number", range(1, 10))
def test_a_run_that_is_killed_leaves_nothing_without_an_owner(run: Run, folder: Path, number: int) -> None:
    before = snapshot()
    kill = AT_STEP.format(number=number, act="os.kill(os.getpid(), signal.SIGKILL)")
    process = module_process(folder, [STATE], first=kill)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    if number % 2:
        run("extrude_state", states=[STATE])
        assert run("extrude_state", states=[STATE])["operations"] == []
    run("extrude_state", states=[EMPTY])
    assert {**snapshot(), "sysctls": {}} == {**before, "sysctls": {}}


def test_a_run_that_is_told_to_end_undoes_what_it_did(run: Run, folder: Path) -> None:
    before = snapshot()
    end = AT_STEP.format(number=5, act="os.kill(os.getpid(), signal.SIGTERM)")
    assert finished(module_process(folder, [STATE], first=end))["msg"] == "stopped by SIGTERM"
    assert snapshot() == before
    assert list(folder.glob("*.json")) == []


def test_a_bare_host_can_be_planned_but_not_changed(run: Run, folder: Path) -> None:
    """Without pyroute2 and iptables, as before the first run."""
    expected = run("extrude_state", states=[{**STATE, "chains": []}], check=True)
    bare = (
        "from ansible_collections.multihome.extrude.plugins.module_utils import _programs\n"
        "sys.modules['pyroute2'] = None\n_programs.find = lambda program: None\n"
    )
    planned = finished(module_process(folder, [{**STATE, "chains": []}], check=True, first=bare))
    assert planned["operations"] == expected["operations"]
    assert planned["missing_packages"] == ["python3-pyroute2", "iptables", "bird2"]
    assert "chains" in {
        operation["kind"]
        for operation in finished(module_process(folder, [STATE], check=True, first=bare))["operations"]
    }
    real = finished(module_process(folder, [STATE], first=bare))
    assert real["msg"] == "pyroute2 is missing on this host (Debian package python3-pyroute2)"


def test_people_without_rights_get_one_sentence(run: Run) -> None:
    plain = {**STATE, "chains": []}
    taking = {**plain, "take_over": True}
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o555)
        folder = Path(parent, "records")
        refused = finished(module_process(folder, [STATE], first=WITHOUT_RIGHTS))
        unasked = finished(module_process(folder, [plain], check=True, first=WITHOUT_RIGHTS))
        planned = finished(module_process(folder, [taking], check=True, first=WITHOUT_RIGHTS))
    assert refused["msg"] == f"cannot write {folder}/.lock: Permission denied; it takes root"
    assert unasked["msg"] == "no permission to send and hear raw packets (root or CAP_NET_RAW is needed)"
    assert planned["operations"] == run("extrude_state", states=[plain], check=True)["operations"]


def test_a_second_run_waits_for_the_first(run: Run, folder: Path) -> None:
    slow = AT_STEP.format(number=3, act="__import__('time').sleep(1)")
    processes = [module_process(folder, [STATE], first=slow) for _number in range(2)]
    results = [finished(process) for process in processes]
    assert sorted(len(result["operations"]) for result in results) == [0, 9]


STATIC: dict[str, Any] = {
    **EMPTY,
    "links": [{"wan": "cable", "interface": "a0", "address": "10.1.0.1"}],
    "routes": [
        {"destination": "0.0.0.0/0", "table": 4200, "nexthops": [{"device": "a0", "gateway": "10.1.0.9"}]},
        {"destination": "0.0.0.0/0", "table": 4201, "nexthops": [{"device": "b0"}]},
    ],
    "expects": [{"device": "a0", "address": "10.1.0.1", "gateway": "10.1.0.9"}],
    "reserved": {"tables": [4200, 4201]},
}
BY_A0 = "route 0.0.0.0/0 table 4200 metric 0 via 10.1.0.9 dev a0 weight 1"


def test_a_new_gateway_has_to_answer_unless_the_administrator_knows_it(run: Run) -> None:
    for check in (True, False):
        refused = run("extrude_state", states=[STATIC], check=check)["msg"]
        assert refused.startswith("nobody answers ARP for 10.1.0.9 on a0")
    ip("route add default via 10.1.0.9 dev a0")
    assert f"add {BY_A0}" in texts(run("extrude_state", states=[STATIC]))
    ip("route del default via 10.1.0.9 dev a0")
    assert run("extrude_state", states=[STATIC])["operations"] == []


@pytest.mark.parametrize("away", [["link set b0 down"], ["link set b0 down", "addr flush dev a0"], ["link del a0"]])
def test_a_static_link_that_is_out_is_waited_for_where_it_is_known(run: Run, away: list[str]) -> None:
    static = {**STATIC, "routes": STATIC["routes"][:1]}
    ip("route add default via 10.1.0.9 dev a0")
    new = {**static, "links": [{"wan": "lte", "interface": "a0", "address": "10.1.0.1"}]}
    assert texts(run("extrude_state", states=[static])) == [f"add {BY_A0}"]
    ip(*away)
    assert "msg" not in run("extrude_state", states=[static])
    if len(away) > 1 or "del" in away[0]:
        assert (
            "10.1.0.1 is on no device of this host; the inventory has it on a0"
            in run("extrude_state", states=[new])["msg"]
        )


def test_a_network_that_is_on_the_link_of_another_device_is_refused_in_check_mode_too(run: Run) -> None:
    expected = {"network": "192.0.2.8/29", "device": "b0", "variable": "rack: extrude_colo_interface"}
    state = {**EMPTY, "addresses": STATE["addresses"], "expects": [expected]}
    ip("addr add 192.0.2.1/24 dev a0")
    before = snapshot()
    for check in (True, False):
        refused = run("extrude_state", states=[state], check=check)["msg"]
        assert refused.startswith("rack: extrude_colo_interface: 192.0.2.8/29 is not on the link of b0 but of a0")
    assert snapshot() == before
    ip("addr add 192.0.2.2/24 dev b0")
    assert run("extrude_state", states=[state])["changed"] is True


def armed(timers: Timers) -> int:
    """How often a timer was armed."""
    return sum("--on-active" in call for call in timers.calls())


def test_a_guarded_change_waits_and_an_unguarded_one_takes_over(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers = Timers(tmp_path, monkeypatch)
    first = run("extrude_state", states=[STATE], guard=60)
    assert (first["changed"], first["guarded"]) == (True, True)
    assert armed(timers) == 1
    again = run("extrude_state", states=[STATE], guard=60)
    assert (again["changed"], again["guarded"]) == (False, True)
    assert run("extrude_state", states=[STATE])["guarded"] is False
    same = run("extrude_state", states=[STATE], guard=60)
    assert (same["changed"], same["guarded"]) == (False, False)
    assert armed(timers) == 2
    assert not (folder / "guard").exists()


def test_a_guarded_change_keeps_the_kernel_settings_that_it_alters(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timers(tmp_path, monkeypatch)
    guards = Guards(folder / "guard")
    name = "net/ipv4/conf/a0/rp_filter"
    former = Path("/proc/sys", name).read_text(encoding="ascii").strip()
    run("extrude_state", states=[STATE], guard=60)
    assert [one.settings for one in guards.waiting()] == [{name: (former, "2")}]
    run("extrude_state", states=[{**STATE, "sysctls": [{"name": name, "value": "1"}]}], guard=60)
    assert [one.settings for one in guards.waiting()] == [{name: (former, "1")}], "what was before the first change"
    run("extrude_state", states=[{**STATE, "sysctls": []}], guard=60)
    assert [one.settings for one in guards.waiting()] == [{name: (former, "1")}], "though it asks for it no more"


def test_what_switching_forwarding_off_would_change_is_kept_and_outlives_a_run_that_fails(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timers(tmp_path, monkeypatch)
    switch, kept = Path("/proc/sys/net/ipv4/ip_forward"), "net/ipv4/conf/b0/forwarding"
    switch.write_text("0")
    Path("/proc/sys", kept).write_text("1")
    on = {"name": "net/ipv4/ip_forward", "value": "1"}
    nonsense = {"name": "net/ipv4/conf/a0/rp_filter", "value": "nonsense"}
    failed = run("extrude_state", states=[{**STATE, "sysctls": [on, nonsense]}], guard=60)
    assert "rp_filter cannot be set to 'nonsense'" in failed["msg"]
    assert (switch.read_text(), Path("/proc/sys", kept).read_text()) == ("0\n", "1\n")
    run("extrude_state", states=[{**STATE, "sysctls": [on]}], guard=60)
    (waiting,) = Guards(folder / "guard").waiting()
    assert waiting.settings == {on["name"]: ("0", "1"), kept: ("1", "1")}


def test_check_mode_guards_nothing(run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timers = Timers(tmp_path, monkeypatch)
    assert run("extrude_state", states=[STATE], guard=60, check=True)["guarded"] is False
    assert timers.calls() == []
    assert not folder.exists()


def test_what_one_end_makes_and_later_purges_is_one_change(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timers(tmp_path, monkeypatch)
    run("extrude_state", states=[STATE])
    without = {**STATE, "proxies": []}
    made = run("extrude_state", states=[without], guard=60, only="make")
    assert (texts(made), made["guarded"]) == ([], True)
    purged = run("extrude_state", states=[without], guard=60, only="purge")
    assert (texts(purged), purged["guarded"]) == (["delete proxy 203.0.113.11 on a0"], True)


def test_a_purge_after_the_change_went_back_is_refused(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timers(tmp_path, monkeypatch)
    run("extrude_state", states=[STATE])
    without = {**STATE, "proxies": []}
    run("extrude_state", states=[without], guard=60, only="make")
    guards = Guards(folder / "guard")
    guards.undo(guards.waiting())
    before = snapshot()
    refused = run("extrude_state", states=[without], guard=60, only="purge")
    assert refused["msg"].startswith("acme/office: not confirmed within 60 s")
    assert snapshot() == before


def test_a_run_does_not_go_on_with_what_another_one_is_changing(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timers(tmp_path, monkeypatch)
    run("extrude_state", states=[STATE])
    without = {**STATE, "proxies": []}
    for name in ("first", "second"):
        assert run("extrude_state", states=[without], guard=60, only="make", run=name)["guarded"] is True
    before = snapshot()
    refused = run("extrude_state", states=[without], guard=60, only="purge", run="first")
    assert refused["msg"].startswith("acme/office: another run is changing it")
    assert snapshot() == before
    assert texts(run("extrude_state", states=[without], guard=60, only="purge", run="second")) != []


def test_former_files_are_kept_on_the_disk_while_a_change_of_them_waits(
    run: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers = Timers(tmp_path, monkeypatch)
    run("extrude_state", states=[STATE])
    changed = {**STATE, "files": [{"path": "bird.conf", "content": "router id 192.0.2.9;\n"}]}

    def kept() -> list[str]:
        return [path.read_text() for path in config.glob(".bird.conf.*")]

    assert run("extrude_state", states=[changed], guard=60, only="make")["changed"] is True
    assert kept() == [STATE["files"][0]["content"]]
    run("extrude_state", states=[changed])
    assert kept() == []
    timers.refuse("no")
    assert "msg" in run("extrude_state", states=[STATE], guard=60)
    assert kept() == []


def test_what_a_site_may_have_again_is_given_to_no_other(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Timers(tmp_path, monkeypatch)
    run("extrude_state", states=[STATE])
    run("extrude_state", states=[{**STATE, "proxies": []}], guard=60)
    claim = {"customer": "globex", "site": "branch", "proxies": STATE["proxies"]}
    before = snapshot()
    for check in (True, False):
        refused = run("extrude_state", states=[claim], guard=60, check=check)
        assert refused["msg"] == (
            "proxy 203.0.113.11 on a0 of customer globex, site branch is held by customer acme, site office,"
            " whose change waits to be confirmed; run again once it is, or has gone back"
        )
    assert snapshot() == before
    both = [{**STATE, "proxies": []}, claim]
    assert "msg" not in run("extrude_state", states=both, check=True), "one run may move it"
    Guards(folder / "guard").drop([("acme", "office")])
    assert "msg" not in run("extrude_state", states=[claim])


def test_a_site_that_goes_takes_with_it_that_a_change_of_it_went_back(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first deployment did, so nothing else says that it was ever here."""
    Timers(tmp_path, monkeypatch)
    guards = Guards(folder / "guard")
    with guards.guarding([Guarded("acme", "office", None, secret={"site": "acme.1"})], 60):
        pass
    guards.undo(guards.waiting())
    owner = {"name": "acme/office", "secret": {"site": "acme.1"}, "gone": True}
    assert run("extrude_info")["owners"] == [owner], "else nobody takes it off"
    run("extrude_state", states=[EMPTY])
    assert guards.load() == []
    assert run("extrude_info")["owners"] == []


def test_a_site_that_goes_takes_with_it_what_it_has_reported(run: Run, folder: Path) -> None:
    heard = folder / "endpoints" / "acme" / "office" / "dsl"
    heard.parent.mkdir(parents=True)
    heard.write_text("100.64.0.7\n")
    empty = [{"customer": "acme", "site": "office"}]
    assert run("extrude_state", states=empty, only="make")["changed"] is False
    planned = run("extrude_state", states=empty, check=True)
    assert heard.exists()
    assert planned["diff"]["before"] == "heard: acme/office where dsl is\n"
    assert run("extrude_state", states=empty) == planned
    assert not heard.parent.parent.exists()
    assert run("extrude_state", states=empty)["changed"] is False
