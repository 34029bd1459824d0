# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend runs the lab here."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from ..common import LabError, find_program
from . import Backend
from .qemu import Qemu
from .uml import UserModeLinux

NAMES = ("auto", "uml", "qemu")
# A firmware image whose reset vector (16 bytes before its end) is: mov ecx,1<<25; loop itself; mov al,1; out 0xf4,al;
# hlt; jmp back. A processor counts down in a tenth of a second; where KVM emulates the guest's kernel it takes half a
# minute.
FIRMWARE_BYTES = 1 << 16
RESET_VECTOR = b"\x66\xb9\x00\x00\x00\x02\x67\xe2\xfd\xb0\x01\xe6\xf4\xf4\xeb\xfd"
PROBE_SECONDS = 3
# isa-debug-exit ends qemu with status (value << 1) | 1.
PROBE_STATUS = 3


def choose(name: str) -> Backend:
    """Return the backend called `name`; `auto`: qemu where KVM runs guests, else user-mode-linux. Errors: LabError."""
    if name not in NAMES:
        raise LabError(f"no backend {name}; there are: {', '.join(NAMES)}")
    if name == "uml":
        return UserModeLinux()
    usable = kvm_usable()
    return UserModeLinux() if name == "auto" and not usable else Qemu("kvm" if usable else "tcg")


def firmware() -> bytes:
    """Return the firmware of the probe."""
    return (b"\x90" * (FIRMWARE_BYTES - 16) + RESET_VECTOR).ljust(FIRMWARE_BYTES, b"\x90")


def probe_command(qemu: str, image: Path) -> list[str]:
    """Return the command line of a machine that counts down and ends with status 3."""
    return [
        *(qemu, "-machine", "q35", "-accel", "kvm", "-cpu", "host", "-m", "16M", "-nodefaults", "-display", "none"),
        *("-no-reboot", "-bios", str(image), "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"),
    ]


def kvm_usable() -> bool:
    """Say whether a guest really runs on KVM here, at the processor's speed.

    A device that opens and reports its version doesn't prove it, nor does a guest that runs a few instructions.
    """
    qemu = find_program("qemu-system-x86_64")
    if qemu is None or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "probe.bin"
        image.write_bytes(firmware())
        try:
            done = subprocess.run(
                probe_command(qemu, image),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PROBE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == PROBE_STATUS
