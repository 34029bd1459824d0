# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scratch network namespaces for tests that need a kernel. They end with their last user, so nothing is left behind."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000
WITHOUT_RIGHTS = (
    "import ctypes; ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)());"
)
"""Python that gives up all capabilities (capset(2)); the user stays, who may read a checkout in a closed folder."""
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Netns:
    """A network namespace that lives as long as its file descriptor."""

    fd: int

    @property
    def path(self) -> str:
        """A name that ``ip link set … netns`` takes."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Run the body, and the processes that it starts, inside."""
        with _here() as home:
            _call("setns", self.fd, CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", home, CLONE_NEWNET)


@contextmanager
def scratch() -> Iterator[Netns]:
    """A new namespace, with its loopback up."""
    if os.geteuid() != 0:
        raise PermissionError("these tests make network namespaces: run them as root")
    with _here() as home:
        _call("unshare", CLONE_NEWNET)
        try:
            namespace = Netns(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
            ip("link set lo up")
        finally:
            _call("setns", home, CLONE_NEWNET)
    try:
        yield namespace
    finally:
        os.close(namespace.fd)


def ip(*lines: str) -> None:
    """Run each line with ip(8) in the namespace that the caller is in."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def ip6(*lines: str) -> None:
    """Like ip(), for commands that don't say of which family they are."""
    subprocess.run(["ip", "-6", "-batch", "-"], input="\n".join(lines), text=True, check=True)


def sysctl(name: str, value: object) -> None:
    """Set what /proc/sys has by that name in the namespace that the caller is in."""
    Path("/proc/sys", name).write_text(str(value), encoding="ascii")


def join(there: Netns, *devices: str) -> None:
    """Lay a cable for each device to one of the same name in the other namespace, and wait until packets pass."""
    ip(*(f"link add {device} type veth peer name {device} netns {there.path}" for device in devices))
    ip(*(f"link set {device} up" for device in devices))
    with there.entered():
        ip(*(f"link set {device} up" for device in devices))
    wait_for_links(*devices)


def output(*command: str) -> str:
    return subprocess.run(command, text=True, check=True, capture_output=True).stdout


def wait_until(true: Callable[[], bool], what: str, seconds: float = 5) -> None:
    """The kernel does some things a little later: look again until it has."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.005)


def wait_for_links(*devices: str) -> None:
    """Wait until packets pass on these devices; a link that was just set up drops them."""
    wait_until(lambda: all(map(_is_up, devices)), f"{' '.join(devices)} up")


def _is_up(device: str) -> bool:
    return " state UP " in output("ip", "-oneline", "link", "show", device)


@contextmanager
def _here() -> Iterator[int]:
    descriptor = os.open(Path("/proc/thread-self/ns/net"), os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _call(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
