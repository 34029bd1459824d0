# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab import process
from tests.lab.backends import Machine, choice
from tests.lab.backends.qemu import Qemu, free_ports, qemu_command
from tests.lab.backends.uml import (
    LIBRARY,
    UserModeLinux,
    build_library,
    claimed_processor,
    has_wide_registers,
    proxy_command,
    uml_command,
)
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


@pytest.mark.parametrize(("flags", "wide"), [("fpu amx_tile avx", True), ("fpu avx512f", False)])
def test_uml_gets_help_where_the_processor_has_registers_that_it_does_not_know(
    machine: Machine, flags: str, wide: bool
) -> None:
    assert has_wide_registers(f"processor\t: 0\nflags\t\t: {flags}\n") is wide
    kernel = uml_command(machine, wide)[-1].splitlines()[-1]
    assert kernel.startswith(f"exec env LD_PRELOAD=./{LIBRARY} ") is wide


PART_OF_THE_REGISTERS = """
import ctypes, os, signal
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p]
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
child = os.fork()
if child == 0:
    ptrace(0, 0, 0, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(42)
os.waitpid(child, 0)
area = ctypes.create_string_buffer(576)
part = Vector(ctypes.addressof(area), len(area))
for request in (0x4204, 0x4205):
    print(ptrace(request, child, 0x202, ctypes.byref(part)), ctypes.get_errno())
ptrace(7, child, 0, None)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("helped", [True, False])
def test_part_of_the_registers_can_be_set_with_its_help_only(tmp_path: Path, helped: bool) -> None:
    """576 bytes: what every XSAVE area begins with."""
    build_library(tmp_path)
    preloaded = {"LD_PRELOAD": str(tmp_path / LIBRARY)} if helped else {}
    command = [sys.executable, "-c", PART_OF_THE_REGISTERS]
    done = subprocess.run(command, env=preloaded, text=True, capture_output=True, check=False)
    assert done.stdout.splitlines() == ["0 0", "0 0" if helped else "-1 14", "42"]


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
    while not process.children(started.pid):  # kill() takes those that there are
        assert started.alive()
        time.sleep(0.01)
    with claimed_processor(tmp_path) as (other, _claim):
        assert other != processor or len(os.sched_getaffinity(0)) == 1
    started.kill()
    with claimed_processor(tmp_path) as (again, claim):
        assert (again, len(claim)) == (processor, 1)
