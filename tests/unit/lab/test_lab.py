# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab import cli, common, image, preparation, process, topology
from tests.lab import lab as lab_module
from tests.lab.backends import Machine, qemu, uml
from tests.lab.lab import Lab, changed_shape
from tests.lab.process import Process
from tests.lab.show import parse_report, show_text
from tests.lab.sshconfig import Endpoint
from tests.lab.topology import Shape

REPORT = """\
link dsl cut
link cable up
shape cable.0 delay 15ms rate 10000kbit limit 100
host colo on 1
host office off
device office lo UNKNOWN 127.0.0.1/8
device colo eth0 UP 203.0.113.2/24 fe80::1/64
device desk eth0 LOWERLAYERDOWN 192.168.10.2/24
missing wireguard
"""
GIVEN = """\
address dsl 192.0.2.10
address dsl-branch 192.0.2.11
address cable 198.51.100.10
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXTRUDE_CACHE", str(tmp_path))
    return tmp_path / "lab"


def write_state(cache: Path, dead_or_alive: Process, *, ready: bool = True, file: Path = topology.DEFAULT) -> None:
    (cache / "run-lab").mkdir(parents=True)
    state = {
        "description": "a test",
        "process": vars(dead_or_alive),
        "sockets": str(cache / "run-lab" / "ssh"),
        "ready": ready,
    }
    data = topology.load(file).as_data()
    (cache / "run-lab" / "state.json").write_text(json.dumps({**state, "topology": data}), encoding="utf-8")


def itself() -> Process:
    started = process.start_time(os.getpid())
    assert started is not None
    return Process(os.getpid(), started)


def test_show_says_what_is_cut_shaped_off_and_missing() -> None:
    text = show_text("title", topology.load(topology.DEFAULT), parse_report(REPORT), Path("/run/ssh_config"))
    lines = text.splitlines()
    assert lines[0] == "title"
    assert "  colo       host       eth0 203.0.113.2/24" in lines
    assert "  office     host, off  " in lines
    assert "  desk       namespace  eth0 192.168.10.2/24 (no carrier)" in lines
    assert "  link dsl          cut         isp-dsl:office0 -- office:dsl0" in lines
    assert any("link cable" in line and "(to isp-cable: delay 15ms rate 10000kbit)" in line for line in lines)
    assert "  this kernel lacks: wireguard" in lines
    assert lines[-1] == "  type: ssh -F /run/ssh_config office"


def test_show_says_what_a_provider_gives() -> None:
    text = show_text("title", topology.load(topology.DYNAMIC), parse_report(REPORT + GIVEN), Path("/run/ssh_config"))
    assert (
        "  link dsl          cut         isp-dsl:office0 -- office:dsl0 (pppoe gives 192.0.2.10)" in text.splitlines()
    )
    assert "(dhcp gives 198.51.100.10; to isp-cable: delay 15ms" in text


@pytest.fixture
def controlled(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A dynamic lab, and what its machine is told (but for questions)."""
    told: list[str] = []

    def control(_lab: Lab, *words: str) -> str:
        if words != ("show",):
            told.append(" ".join(words))
        return GIVEN

    monkeypatch.setattr(Lab, "_control", control)
    write_state(cache, itself(), file=topology.DYNAMIC)
    return told


def test_a_new_address_is_nobody_elses_and_waited_for(controlled: list[str]) -> None:
    assert Lab().readdress("dsl") == "192.0.2.12"
    assert controlled == ["address dsl 192.0.2.12", "await 60 dsl"]


def test_a_new_address_can_be_chosen_and_not_waited_for(controlled: list[str]) -> None:
    assert Lab().readdress("dsl", "192.0.2.99", wait=False) == "192.0.2.99"
    assert controlled == ["address dsl 192.0.2.99"]


def test_swapped_addresses_are_given_in_one_go(controlled: list[str]) -> None:
    Lab().swap("dsl", "dsl-branch")
    assert controlled[0] == "address dsl 192.0.2.11 dsl-branch 192.0.2.10"


def test_a_nat_forgets_its_flows_and_other_nodes_have_none(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(Lab, "_control", lambda _lab, *words: told.append(words))
    write_state(cache, itself(), file=topology.NAT)
    assert cli.main(["rebind", "cgnat"]) == 0
    assert told == [("rebind", "cgnat")]
    assert cli.main(["rebind", "core"]) == 1
    assert "core has no NAT; those that have: cgnat, lte-router, kiosk-router" in capsys.readouterr().err
    assert len(told) == 1


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["readdress", "lan"], "the addresses of lan are fixed; those that come and go: dsl, cable"),
        (["readdress", "dsl", "203.0.113.9"], "203.0.113.9 is not for customers of isp-dsl"),
        (["swap", "dsl", "cable"], "dsl and cable are not of the same provider"),
        (["redial", "cable", "--device", "ppp1"], "the device of cable has a fixed name"),
    ],
)
def test_what_a_provider_cannot_do_is_told(
    controlled: list[str], capsys: pytest.CaptureFixture[str], command: list[str], complaint: str
) -> None:
    assert cli.main(command) == 1
    assert complaint in capsys.readouterr().err
    assert controlled == []


def test_changed_shape_keeps_what_is_not_given() -> None:
    shape = Shape(rate=50, delay=10)
    assert changed_shape(shape, {"loss": 1}, first=True) == Shape(rate=50, delay=10, loss=1)
    assert changed_shape(shape, {"rate": None}, first=True) == Shape(delay=10)


def test_changed_rates_go_by_direction() -> None:
    changes = {"down": 7.0, "up": 3.0}
    assert changed_shape(Shape(), changes, first=True).rate == 3
    assert changed_shape(Shape(), changes, first=False).rate == 7


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "x" * 17])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(common.LabError, match="a lab's name is"):
        Lab(name)


def test_commands_without_a_lab_say_what_to_type(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show"]) == 1
    assert capsys.readouterr().err == "lab: lab is not up: type tests/lab/lab up\n"
    assert not (cache / "run-lab").exists()


def test_down_without_a_lab_is_no_error(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--name", "other", "down"]) == 0
    assert "other is not up" in capsys.readouterr().err
    assert not (cache / "run-other").exists()


def test_dead_lab_is_told_and_removed(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_state(cache, Process(os.getpid(), started=1))
    assert cli.main(["show"]) == 1
    assert "lab has died" in capsys.readouterr().err
    assert cli.main(["down"]) == 0
    assert not (cache / "run-lab").exists()


def test_up_leaves_a_running_lab_alone(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_state(cache, itself())
    Lab().up()
    assert Lab().description == "a test"
    assert "lab is already up" in capsys.readouterr().err


def test_up_starts_again_what_was_stopped_half_way(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []
    killed: list[int] = []
    monkeypatch.setattr(Lab, "_start", lambda _lab, backend, _topology: started.append(backend.name))
    monkeypatch.setattr(Process, "kill", lambda process: killed.append(process.pid))
    write_state(cache, itself(), ready=False)
    Lab().up(backend="uml")
    assert (started, killed) == (["uml"], [os.getpid()])
    assert "removing what a former lab left" in capsys.readouterr().err


class SlowStarter:
    """A backend whose machine says nothing at first; each start is a sleep that stands for a machine."""

    name, kernel, description, boot_seconds = "slow", "uml", "a slow starter", 1

    def __init__(self, signs: list[str]) -> None:
        self.signs = signs
        self.machines: list[Process] = []

    def check(self) -> None:
        pass

    def start(self, machine: Machine) -> tuple[Process, dict[str, Endpoint]]:
        script = f"printf '%s' '{self.signs[len(self.machines)]}'; exec sleep 60"
        self.machines.append(process.start(["sh", "-c", script], machine.folder / "console.log", {}))
        return self.machines[-1], {name: Endpoint("127.0.0.1") for name in machine.hosts}


@pytest.fixture
def no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "ensure", lambda _cache: image.Image(Path("/nowhere")))
    monkeypatch.setattr(preparation, "prepare", lambda *_arguments: None)
    monkeypatch.setattr(lab_module, "SIGN_SECONDS", 0.5)


@pytest.mark.usefixtures("no_image")
def test_machine_without_a_sign_of_life_is_started_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = SlowStarter(["", "[lab 1] READY"])
    monkeypatch.setattr(lab_module, "choose", lambda _name: backend)
    monkeypatch.setattr(Lab, "_wait_for_host", lambda _lab, _host: None)
    Lab().up()
    assert [machine.alive() for machine in backend.machines] == [False, True]
    assert json.loads((cache / "run-lab" / "state.json").read_text(encoding="utf-8"))["ready"]
    Lab().down()
    assert not backend.machines[1].alive()


@pytest.mark.usefixtures("no_image")
def test_start_that_fails_leaves_only_what_the_machine_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = SlowStarter(["[lab 1] started, not ready"])
    monkeypatch.setattr(lab_module, "choose", lambda _name: backend)
    with pytest.raises(common.LabError, match="wasn't ready after 1 s; what it said is in"):
        Lab().up()
    assert not backend.machines[0].alive()
    assert not (cache / "run-lab").exists()
    assert (cache / "console-lab.log").read_text(encoding="utf-8") == "[lab 1] started, not ready"


def test_up_refuses_to_change_a_running_lab(cache: Path, tmp_path: Path) -> None:
    write_state(cache, itself())
    with pytest.raises(common.LabError, match="lab is up on a test: type tests/lab/lab down first"):
        Lab().up(backend="uml")
    other = tmp_path / "other.toml"
    other.write_text('[nodes.alone]\nkind = "host"\n', encoding="utf-8")
    with pytest.raises(common.LabError, match="with another topology"):
        Lab().up(topology_file=other)


def test_unknown_nodes_and_ends_are_named(cache: Path) -> None:
    write_state(cache, itself())
    with pytest.raises(common.LabError, match="no node nobody; there are: colo, office, desk"):
        Lab().exec_command("nobody", ["true"])
    with pytest.raises(common.LabError, match="no host desk; there are: colo, office"):
        Lab().reboot("desk")
    with pytest.raises(common.LabError, match="link dsl doesn't end at desk"):
        Lab().shape("dsl", toward="desk")


def test_words_of_a_command_reach_the_node_unchanged(cache: Path) -> None:
    write_state(cache, itself())
    command = Lab().exec_command("desk", ["sh", "-c", "echo 'a  b' $HOME"])
    assert command[-2] == "labvm"
    assert command[-1] == "/lab/control exec desk sh -c 'echo '\"'\"'a  b'\"'\"' $HOME'"


def test_missing_programs_are_named_with_what_to_type() -> None:
    with pytest.raises(common.LabError, match="pkg-x is not installed: type apt-get install pkg-x"):
        common.need_programs([("sh", "dash"), ("no-such-program-x", "pkg-x")])


def test_root_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(common.LabError, match="with sudo in front"):
        common.need_root()


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("etc/hosts", 0o644),
        ("etc/ppp/chap-secrets", 0o600),
        ("etc/NetworkManager/system-connections/dsl.nmconnection", 0o600),
        ("etc/ppp/ip-up.d/default-route", 0o755),
    ],
)
def test_secrets_are_roots_and_hooks_can_be_run(tmp_path: Path, name: str, mode: int) -> None:
    preparation.write_tree(tmp_path / "tree" / "lab", {name: "text\n"})
    assert (tmp_path / "tree" / "lab" / name).stat().st_mode & 0o777 == mode


def test_guest_files_are_packed_as_roots(tmp_path: Path) -> None:
    preparation.write_tree(tmp_path / "tree" / "lab", {"net/a": "text\n"})
    archive = preparation.pack(tmp_path / "tree")
    listed = subprocess.run(["cpio", "--quiet", "-tvn"], input=archive, capture_output=True, check=True).stdout.decode()
    assert [line.split()[-1] for line in listed.splitlines()] == ["lab", "lab/net", "lab/net/a"]
    assert all(line.split()[2:4] == ["0", "0"] for line in listed.splitlines())


def test_process_is_known_by_its_start(tmp_path: Path) -> None:
    started = process.start(["sleep", "60"], tmp_path / "log", {})
    assert started.alive()
    assert not Process(started.pid, started.started + 1).alive()
    started.kill()
    assert not started.alive()


def test_controller_packages_cover_the_programs_that_are_asked_for() -> None:
    listed = {line.split()[0] for line in (Path(image.__file__).parent / "packages.txt").read_text().splitlines()}
    asked = {package for _program, package in (*image.PROGRAMS, *uml.PROGRAMS, *qemu.PROGRAMS)}
    assert asked <= listed


def test_processor_time_is_that_of_a_process_and_of_all_below_it(tmp_path: Path) -> None:
    work = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; touch done; sleep 60"
    started = process.start(["sh", "-c", f"sh -c '{work}' & wait"], tmp_path / "log", {})
    before = started.processor_seconds()
    while not (tmp_path / "done").exists():
        time.sleep(0.01)
    assert started.processor_seconds() > before
    started.kill()
