# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's command line: `python3 -m tests.lab COMMAND`, or tests/lab/lab from any folder."""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import image, paths
from .backends.choice import NAMES
from .common import NEEDS_ROOT, LabError, say
from .lab import Lab
from .topology import DEFAULT, TopologyError

SHAPES = {
    "rate": "Mbit/s in both directions",
    "down": "Mbit/s towards all ends but the first",
    "up": "Mbit/s towards the first end",
    "delay": "milliseconds, one way",
    "jitter": "milliseconds",
    "loss": "per cent",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    arguments = parser().parse_args(argv)
    command: Callable[[Lab, argparse.Namespace], int | None] = arguments.function
    try:
        return command(Lab(arguments.name), arguments) or 0
    except (LabError, TopologyError) as error:
        for line in str(error).splitlines():
            say(line)
        return 1
    except PermissionError:
        say(NEEDS_ROOT)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the parser: a table of the commands."""
    about = "A virtual internet with a rack and an office, for tests and the demo."
    top = argparse.ArgumentParser(prog="lab", description=about)
    top.add_argument("--name", default="lab", help="name of the lab, so that several can run at once (default: lab)")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    add = _add(commands, "image", _image, "build the hosts' root filesystem (or find it in the cache)")
    add = _add(commands, "up", _up, "start the lab")
    add.add_argument("--backend", choices=NAMES, default="auto", help="auto: qemu where KVM works, else uml")
    add.add_argument("--topology", type=Path, default=DEFAULT, metavar="FILE", help="not the default topology")
    add.add_argument("--without", nargs="+", default=(), metavar="NODE", help="leave these out of the topology")
    _add(commands, "down", _down, "stop the lab and remove all it made")
    _add(commands, "show", _show, "say what there is and how it is")
    add = _add(commands, "ssh", _ssh, "log in to a host, or run a command there over SSH")
    add.add_argument("host")
    add.add_argument("command", nargs=argparse.REMAINDER)
    add = _add(commands, "exec", _exec, "run a command in a host or namespace, past its network")
    add.add_argument("node")
    add.add_argument("command", nargs=argparse.REMAINDER)
    add = _add(commands, "cut", _cut, "cut a link, or all links of a node", "link")
    add.add_argument("--blackhole", action="store_true", help="keep the carrier, lose every packet")
    _add(commands, "heal", _heal, "bring a link back, or all links of a node", "link")
    add = _add(commands, "shape", _shape, "set what a link carries; what isn't given is as in the topology", "link")
    add.add_argument("--toward", metavar="NODE", help="only the direction towards this end")
    add.add_argument("--off", action="store_true", help="as fast as it can, no delay")
    for option, unit in SHAPES.items():
        add.add_argument(f"--{option}", type=float, help=unit)
    _add(commands, "rebind", _rebind, "make a node's NAT forget its flows: they go on from other ports", "node")
    add = _add(commands, "readdress", _readdress, "make a provider give the customer of a link another address", "link")
    add.add_argument("address", nargs="?", help="default: the next one that is free")
    _add(commands, "swap", _swap, "swap the addresses that the customers of two links are given", "link", "other")
    add = _add(commands, "redial", _redial, "give a link up and bring it back, by the customer's own means", "link")
    add.add_argument("--device", metavar="pppN", help="what a PPPoE session comes back as")
    add = _add(commands, "reboot", _reboot, "reboot a host and wait until it is back", "host")
    add.add_argument("--hard", action="store_true", help="as a power cut")
    return top


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    function: Callable[[Lab, argparse.Namespace], int | None],
    text: str,
    *words: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(function=function)
    for word in words:
        command.add_argument(word)
    return command


def _image(_lab: Lab, _arguments: argparse.Namespace) -> None:
    print(image.ensure(paths.cache_folder()).folder)


def _up(lab: Lab, arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    lab.up(arguments.backend, arguments.topology, without=arguments.without)
    say(f"up after {time.monotonic() - started:.1f} s")
    print(lab.show())


def _down(lab: Lab, _arguments: argparse.Namespace) -> None:
    lab.down()


def _show(lab: Lab, _arguments: argparse.Namespace) -> None:
    print(lab.show())


def _ssh(lab: Lab, arguments: argparse.Namespace) -> int:
    return subprocess.run(lab.ssh_command(arguments.host, arguments.command), check=False).returncode


def _exec(lab: Lab, arguments: argparse.Namespace) -> int:
    terminal = os.isatty(0) and os.isatty(1)
    argv = lab.exec_command(arguments.node, arguments.command, terminal=terminal)
    return subprocess.run(argv, check=False).returncode


def _cut(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.cut(arguments.link, black_hole=arguments.blackhole)


def _heal(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.heal(arguments.link)


def _shape(lab: Lab, arguments: argparse.Namespace) -> None:
    if arguments.off:
        lab.unshape(arguments.link)
        return
    changes = {key: getattr(arguments, key) for key in SHAPES if getattr(arguments, key) is not None}
    lab.shape(arguments.link, toward=arguments.toward, **changes)


def _rebind(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.rebind(arguments.node)


def _readdress(lab: Lab, arguments: argparse.Namespace) -> None:
    print(lab.readdress(arguments.link, arguments.address))


def _swap(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.swap(arguments.link, arguments.other)


def _redial(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.redial(arguments.link, device=arguments.device)


def _reboot(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.reboot(arguments.host, hard=arguments.hard)
