# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""user-mode-linux: a Linux kernel as a process. The default without KVM."""

from __future__ import annotations

import fcntl
import os
import random
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import process
from ..common import LabError, find_program, need_programs, need_root, run
from ..process import Process
from ..sshconfig import Endpoint
from . import DISK, INITRAMFS, Machine

PROGRAMS = (
    ("linux.uml", "user-mode-linux"),
    ("ip", "iproute2"),
    ("busybox", "busybox-static"),
    ("ssh", "openssh-client"),
    ("tcc", "tcc"),
)
REGISTERS = Path(__file__).with_name("registers.c")
LIBRARY = "registers.so"
"""What it is built to, in the machine's folder."""
WIDE = {"amx_tile", "apx"}
"""Features of processors (/proc/cpuinfo) with more registers than this kernel knows of."""
LOCKS = Path("/run/lock")


class UserModeLinux:
    """Runs the machine in network and process namespaces of its own: killing its first process ends all of it."""

    name = "uml"
    kernel = "uml"
    boot_seconds = 90
    description = "user-mode-linux"

    def check(self) -> None:
        """Raise LabError when a program, root or /dev/net/tun is missing."""
        need_programs(PROGRAMS)
        need_root()
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            raise LabError("no /dev/net/tun on this machine: type modprobe tun, or use --backend qemu")

    def start(self, machine: Machine) -> tuple[Process, dict[str, Endpoint]]:
        """Start the machine; its hosts are reached through its network namespace."""
        environment = {"HOME": str(machine.folder), "TMPDIR": memory_folder(machine)}
        wide = has_wide_registers(Path("/proc/cpuinfo").read_text(encoding="ascii"))
        if wide:
            build_library(machine.folder)
        with claimed_processor(LOCKS) as (processor, claim):
            command = ["taskset", "--cpu-list", str(processor), *uml_command(machine, wide)]
            started = process.start(command, machine.folder / "console.log", environment, claim)
        proxy = proxy_command(started.pid)
        return started, {name: Endpoint(address, proxy=proxy) for name, address in machine.hosts.items()}


@contextmanager
def claimed_processor(locks: Path) -> Iterator[tuple[int, list[int]]]:
    """Yield a processor of this computer for a kernel to stay on, and the open file by whose lock it is claimed.

    The kernel and its programs hand over to each other at every system call, which costs three times as much between
    two processors. The claim stands as long as somebody has that file open. Where all are claimed they are shared.
    """
    locks.mkdir(parents=True, exist_ok=True)
    processors = sorted(os.sched_getaffinity(0), reverse=True)  # the first one serves interrupts
    for processor in processors:
        with (locks / f"extrude-lab-processor-{processor}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield processor, [file.fileno()]
            return
    yield random.choice(processors), []


def has_wide_registers(cpuinfo: str) -> bool:
    """Say whether the processor has more registers than the kernel knows of, so that it needs REGISTERS."""
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    return not WIDE.isdisjoint(flags.split())


def build_library(folder: Path) -> None:
    """Build REGISTERS. Errors: LabError."""
    command = ["tcc", "-nostdlib", "-nostdinc", "-shared", "-o", str(folder / LIBRARY), str(REGISTERS)]
    run(command, what=f"building {REGISTERS.name}")


def uml_command(machine: Machine, wide: bool = False) -> list[str]:
    """Return the command that makes the private network with its tap and becomes the kernel in it.

    Runs in the machine's folder: a kernel's command line takes neither blanks nor long paths. *wide*: with LIBRARY.
    """
    kernel = [
        *(["env", f"LD_PRELOAD=./{LIBRARY}"] if wide else []),
        find_program("linux.uml") or "linux.uml",
        f"mem={machine.memory_mib}M",
        "uml_dir=uml/",
        "umid=lab",
        f"ubd0r={DISK}",
        f"initrd={INITRAMFS}",
        "vec0:transport=tap,ifname=tap0,depth=128",
        "con=null",
        "con0=null,fd:1",
        "quiet",
        "audit=0",
        "apparmor=0",
    ]
    script = [
        "ip link set lo up",
        "ip tuntap add dev tap0 mode tap",
        f"ip addr add {machine.gateway}/{machine.prefix_length} dev tap0",
        "ip link set tap0 up",
        f"exec {shlex.join(kernel)}",
    ]
    return ["unshare", "--net", "--pid", "--fork", "--kill-child", "--", "/bin/sh", "-ec", "\n".join(script)]


def proxy_command(pid: int) -> str:
    """Return ssh's ProxyCommand into the network namespace of process `pid`."""
    return f"nsenter --net=/proc/{pid}/ns/net {find_program('busybox') or 'busybox'} nc %h %p"


def memory_folder(machine: Machine) -> str:
    """Return where the file behind the machine's memory goes: a tmpfs where one has room, may be executed from."""
    for folder in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        if folder.is_dir() and shutil.disk_usage(folder).free > machine.memory_mib << 20:
            if not os.statvfs(folder).f_flag & os.ST_NOEXEC:
                return str(folder)
    return str(machine.folder)
