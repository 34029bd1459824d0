# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab import process
from tests.lab.backends import Machine, choice
from tests.lab.backends.qemu import Qemu, free_ports, qemu_command
from tests.lab.backends.uml import UserModeLinux, claimed_processor, proxy_command, uml_command
from tests.lab.common import LabError


@pytest.fixture
def machine() -> Machine:
    return Machine(
        folder=Path("/cache/run-lab"),
        hosts={"labvm": "10.0.2.10", "colo": "10.0.2.11"},
        gateway="10.0.2.2",
        prefix_length=24,
    )


def test_uml_makes_its_network_in_namespaces_of_its_own(machine: Machine) -> None:
    command = uml_command(machine)
    assert command[:5] == ["unshare", "--net", "--pid", "--fork", "--kill-child"]
    script = command[-1].splitlines()
    assert "ip addr add 10.0.2.2/24 dev tap0" in script
    assert script[-1].startswith("exec ")
    assert "ubd0r=disk " in script[-1]


def test_uml_hosts_are_reached_through_the_namespace() -> None:
    assert proxy_command(42).startswith("nsenter --net=/proc/42/ns/net ")
    assert proxy_command(42).endswith(" nc %h %p")


@pytest.mark.parametrize(("accelerator", "processor"), [("kvm", "host"), ("tcg", "max")])
def test_qemu_differs_by_accelerator_only(machine: Machine, accelerator: str, processor: str) -> None:
    command = qemu_command(machine, accelerator, {"labvm": 40000, "colo": 40001})
    assert command[command.index("-accel") + 1].startswith(accelerator)
    assert command[command.index("-cpu") + 1] == processor
    assert command[command.index("-kernel") + 1] == "kernel"


def test_qemu_forwards_loopback_ports_only(machine: Machine) -> None:
    command = qemu_command(machine, "tcg", {"labvm": 40000, "colo": 40001})
    network = command[command.index("-netdev") + 1]
    assert "restrict=on" in network
    assert "hostfwd=tcp:127.0.0.1:40001-10.0.2.11:22" in network
    assert network.count("hostfwd=") == network.count("tcp:127.0.0.1:") == 2


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_firmware_starts_at_the_reset_vector() -> None:
    firmware = choice.firmware()
    assert len(firmware) == 65536
    assert firmware[0xFFF0:] == bytes.fromhex("66b9 00000002 67e2fd b001 e6f4 f4 ebfd")


def test_unknown_backend_is_refused() -> None:
    with pytest.raises(LabError, match="no backend vmware; there are: auto, uml, qemu"):
        choice.choose("vmware")


@pytest.mark.parametrize(
    ("name", "kvm", "description"),
    [
        ("auto", True, "qemu on KVM"),
        ("auto", False, "user-mode-linux"),
        ("qemu", True, "qemu on KVM"),
        ("qemu", False, "qemu, emulated"),
        ("uml", True, "user-mode-linux"),
    ],
)
def test_choice(monkeypatch: pytest.MonkeyPatch, name: str, kvm: bool, description: str) -> None:
    monkeypatch.setattr(choice, "kvm_usable", lambda: kvm)
    assert choice.choose(name).description == description


@pytest.mark.parametrize("outcome", ["ends with 3", "ends with 1", "hangs"])
def test_kvm_is_usable_only_where_a_guest_ran(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        if outcome == "hangs":
            raise subprocess.TimeoutExpired(command, 3)
        assert options["timeout"] == choice.PROBE_SECONDS
        return subprocess.CompletedProcess(command, int(outcome[-1]))

    monkeypatch.setattr("os.access", lambda *_arguments: True)
    monkeypatch.setattr(choice, "find_program", lambda _name: "/usr/bin/qemu-system-x86_64")
    monkeypatch.setattr("subprocess.run", run)
    assert choice.kvm_usable() == (outcome == "ends with 3")


def test_no_kvm_without_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_arguments: False)
    assert not choice.kvm_usable()


def test_emulated_machines_get_more_time() -> None:
    assert Qemu("tcg").boot_seconds > Qemu("kvm").boot_seconds
    assert UserModeLinux().kernel == "uml"


def test_every_lab_has_a_processor_of_its_own_while_there_are_some(tmp_path: Path) -> None:
    with ExitStack() as stack:
        claims = [stack.enter_context(claimed_processor(tmp_path)) for _processor in os.sched_getaffinity(0)]
        assert sorted(processor for processor, _claim in claims) == sorted(os.sched_getaffinity(0))
        with claimed_processor(tmp_path) as (processor, claim):
            assert (processor in os.sched_getaffinity(0), claim) == (True, [])
    with claimed_processor(tmp_path) as (processor, claim):
        assert (processor, len(claim)) == (max(os.sched_getaffinity(0)), 1)


def test_a_processor_is_claimed_as_long_as_a_child_of_the_lab_s_process_lives(tmp_path: Path) -> None:
    with claimed_processor(tmp_path) as (processor, claim):
        started = process.start(["sh", "-c", "sleep 60 & wait"], tmp_path / "log", {}, claim)
    with claimed_processor(tmp_path) as (other, _claim):
        assert other != processor or len(os.sched_getaffinity(0)) == 1
    started.kill()
    with claimed_processor(tmp_path) as (again, claim):
        assert (again, len(claim)) == (processor, 1)
