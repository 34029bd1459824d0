# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""qemu with the stock Debian kernel: KVM where a guest really runs on it, else emulated (TCG)."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Mapping

from .. import process
from ..common import find_program, need_programs
from ..process import Process
from ..sshconfig import Endpoint
from . import DISK, INITRAMFS, KERNEL, Machine

PROGRAMS = (("qemu-system-x86_64", "qemu-system-x86"), ("ssh", "openssh-client"))
ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    "tcg": ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max"],
}
KERNEL_OPTIONS = "console=ttyS0 mitigations=off nokaslr audit=0 apparmor=0 nowatchdog cryptomgr.notests panic=1"
EMULATED_OPTIONS = "tsc=reliable no_timer_check"
PROCESSORS = min(2, os.cpu_count() or 1)


class Qemu:
    """Runs the machine under qemu. Its hosts are reached through ports on the loopback address; needs no root."""

    name = "qemu"
    kernel = "debian"

    def __init__(self, accelerator: str) -> None:
        """Take `kvm` or `tcg`."""
        self.accelerator = accelerator
        self.boot_seconds = 60 if accelerator == "kvm" else 240

    @property
    def description(self) -> str:
        """Words for `show`."""
        return "qemu on KVM" if self.accelerator == "kvm" else "qemu, emulated"

    def check(self) -> None:
        """Raise LabError when qemu is missing."""
        need_programs(PROGRAMS)

    def start(self, machine: Machine) -> tuple[Process, dict[str, Endpoint]]:
        """Start the machine."""
        ports = dict(zip(machine.hosts, free_ports(len(machine.hosts)), strict=True))
        started = process.start(qemu_command(machine, self.accelerator, ports), machine.folder / "console.log", {})
        return started, {name: Endpoint("127.0.0.1", port) for name, port in ports.items()}


def qemu_command(machine: Machine, accelerator: str, ports: Mapping[str, int]) -> list[str]:
    """Return the command line, to run in the machine's folder. `ports`: host -> loopback port of its sshd."""
    network = f"{machine.gateway.rsplit('.', 1)[0]}.0/{machine.prefix_length}"
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-{machine.hosts[name]}:22" for name, port in ports.items())
    options = KERNEL_OPTIONS if accelerator == "kvm" else f"{KERNEL_OPTIONS} {EMULATED_OPTIONS}"
    return [
        find_program("qemu-system-x86_64") or "qemu-system-x86_64",
        *("-machine", "q35", *ACCELERATORS[accelerator], "-smp", str(PROCESSORS), "-m", f"{machine.memory_mib}M"),
        *("-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"),
        *("-kernel", KERNEL, "-initrd", INITRAMFS, "-append", options),
        *("-drive", f"file={DISK},format=raw,if=none,id=disk,readonly=on,cache=unsafe,file.locking=off"),
        *("-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"),
        *("-netdev", f"user,id=net,restrict=on,ipv6=off,net={network},host={machine.gateway}{forwards}"),
        *("-device", "virtio-net-pci,netdev=net,romfile="),
    ]


def free_ports(count: int) -> Iterable[int]:
    """Return ports of the loopback address that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _number in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
