# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tunnel whose path is dead while its link is up, on purpose and for a time.

GRE between the tunnel's endpoints is dropped, both ways, in a chain of our own. Before that a timer of systemd is armed
that undoes it, whatever becomes of this process: its name is also the lock that lets one drill run at a time.
This module util is private to the collection.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence

from . import _iptables, _programs
from ._model import Chain, EngineError, Tunnel

NAME = "EXTRUDE-DRILL"
TABLE = "mangle"
"""Not raw, which no other chain of ours is in: iptables would leave the empty table behind."""

UNIT = "extrude-drill"
_HOOKS = ("PREROUTING", "OUTPUT")


# --- pure -----------------------------------------------------------------------------------------


def chain_of(tunnel: Tunnel) -> Chain:
    """The chain that drops a tunnel's packets, those that come and those that go."""
    ends = f"-s {tunnel.remote}/32 -d {tunnel.local}/32", f"-s {tunnel.local}/32 -d {tunnel.remote}/32"
    return Chain(4, TABLE, NAME, " ".join(_HOOKS), tuple(f"{pair} -p gre -j DROP" for pair in ends))


def script(iptables: str) -> str:
    """Shell commands that undo it from whatever state it is in. The first ends the black hole, the others tidy up."""
    commands = [f"-F {NAME}", *(f"-D {hook} -j {NAME}" for hook in _HOOKS), f"-X {NAME}"]
    return "; ".join(f"{iptables} -w -t {TABLE} {command}" for command in commands)


def timer(seconds: float, shell_script: str) -> list[str]:
    """The command that has systemd run a script in some seconds; by default up to a minute late (systemd-run(1))."""
    options = [f"--unit={UNIT}", "--collect", "--quiet", f"--on-active={seconds:.3f}s"]
    return ["systemd-run", *options, "--timer-property=AccuracySec=10ms", "/bin/sh", "-c", shell_script]


def refusal(tunnel: Tunnel, others: Iterable[Tunnel]) -> str:
    """Why a tunnel cannot be told from another by its endpoints; empty when it can."""
    for other in others:
        if other.name != tunnel.name and (other.local, other.remote) == (tunnel.local, tunnel.remote):
            return (
                f"{tunnel.name} and {other.name} run between the same endpoints, {tunnel.local} and {tunnel.remote}: "
                "to black-hole one would black-hole the other"
            )
    return ""


# --- the host -------------------------------------------------------------------------------------


class BlackHole:
    """The black hole of one tunnel. Raises EngineError."""

    def __init__(self, tunnel: Tunnel, timeout: float) -> None:
        self._chain = chain_of(tunnel)
        self._timeout = timeout

    def arm(self) -> None:
        """Have systemd undo it when the time is out. Refused while another drill runs on this host."""
        if running():
            raise EngineError(f"another drill is running on this host (unit {UNIT}.timer): wait until it is over")
        done = _run(timer(self._timeout, script(_iptables_path())))
        if done.returncode:
            raise EngineError(f"cannot arm the timer that undoes the drill: {' '.join(done.stderr.split())}")

    def make(self) -> None:
        """From now on nothing passes. What an earlier drill may have left is replaced."""
        _iptables.apply([(self._standing(), self._chain)])

    def end(self) -> bool:
        """Let packets pass again, with one command since the moment counts. Whether the chain still stood."""
        return _run([_iptables_path(), "-w", "-t", TABLE, "-F", NAME]).returncode == 0

    def tidy(self) -> None:
        """Remove the chain, and then call off the timer."""
        _run(["/bin/sh", "-c", script(_iptables_path())])
        if self._standing():
            raise EngineError(f"{self._chain} could not be removed; the timer {UNIT} tries again")
        _run(["systemctl", "stop", f"{UNIT}.timer"])

    def _standing(self) -> Chain | None:
        return _iptables.read([4]).get(self._chain.place)


def running() -> bool:
    """Whether a drill runs on this host."""
    if _programs.find("systemd-run") is None:
        raise EngineError("systemd-run is missing on this host: without it nothing would undo a drill that is killed")
    return any(_run(["systemctl", "is-active", f"{UNIT}.{kind}"]).returncode == 0 for kind in ("timer", "service"))


def _iptables_path() -> str:
    path = _programs.find("iptables")
    if path is None:
        raise EngineError("iptables is missing on this host: install the package iptables")
    return path


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
