# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends: what runs the lab's machine. Both boot the same image and the same guest scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..process import Process
from ..sshconfig import Endpoint

# Names in a machine's folder.
INITRAMFS, DISK, KERNEL = "initramfs", "disk", "kernel"


@dataclass(frozen=True)
class Machine:
    """What a backend must know of the machine that it starts. `hosts`: name -> address in the management network.

    Its folder holds initramfs, disk and kernel (links into the cached image).
    """

    folder: Path
    hosts: Mapping[str, str]
    gateway: str
    prefix_length: int
    memory_mib: int = 2048


class Backend(Protocol):
    """One way to run the machine."""

    name: str
    kernel: str  # which first program of the image it boots: uml or debian
    boot_seconds: int  # when to give up waiting

    @property
    def description(self) -> str:
        """Words for `show`."""

    def check(self) -> None:
        """Raise LabError when this computer can't run it."""

    def start(self, machine: Machine) -> tuple[Process, dict[str, Endpoint]]:
        """Start the machine, its console in `console.log` in its folder; return it and where its hosts are reached."""
