# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab: starting and stopping it, and everything that is done to it while it runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import image, paths, preparation, sshconfig
from .backends import Backend, Machine
from .backends.choice import choose
from .common import LabError, locked, say
from .customer import redial
from .process import Process
from .provider import address_fault, next_address
from .show import parse_report, show_text
from .topology import DEFAULT, PPPOE, STATIC, Link, Shape, Topology, load, parse, shape_faults
from .wiring import netem

LINK_UP, LINK_CUT, LINK_BLACK_HOLED = "up", "cut", "black-holed"
SIGN_SECONDS = 60
SSH_WAIT_SECONDS = 60
SSH_FAILED = 255
LINK_WAIT_SECONDS = 60
# networkd has set up every link that has a carrier; a link that was cut is no reason to wait for ever.
HOST_READY = "/lib/systemd/systemd-networkd-wait-online --quiet --timeout=10; true"

# Other connections hold the names ppp0 and so on, up to the one that is wanted.
TAKE_DEVICES = """
for device in $(ip -br link show type dummy | sed -n 's/^\\(ppp[0-9]*\\) .*/\\1/p'); do ip link del "$device"; done
n=0
while [ "ppp$n" != "$1" ]; do ip link add "ppp$n" type dummy; n=$((n + 1)); done
"""


@dataclass(frozen=True)
class State:
    """What is known of a running lab between commands (`state.json` in its folder)."""

    description: str
    process: Process
    sockets: str
    topology: dict[str, Any]
    ready: bool = False  # all hosts have answered


class Lab:
    """The lab called `name`. What it raises is LabError or TopologyError, with a sentence for the user."""

    def __init__(self, name: str = "lab") -> None:
        """Take a name of up to 16 of a-z, 0-9 and -."""
        if not re.fullmatch(r"[a-z0-9-]{1,16}", name):
            raise LabError(f"a lab's name is up to 16 of a-z, 0-9 and -, not {name!r}")
        self.name = name
        self.folder = paths.run_folder(name)

    @property
    def ssh_config(self) -> Path:
        """The file for `ssh -F`, Ansible's `ansible_ssh_common_args` and testinfra's `--ssh-config`."""
        return self.folder / "ssh_config"

    @property
    def topology(self) -> Topology:
        """What the running lab was built from."""
        return parse(self._running().topology)

    @property
    def description(self) -> str:
        """Words for what the running lab runs on: those of its backend."""
        return self._running().description

    # ---- life ----

    def up(self, backend: str = "auto", topology_file: Path = DEFAULT, *, without: Sequence[str] = ()) -> None:
        """Start the lab; nothing to do where the same one runs. What a dead one left is removed first.

        `without`: nodes of the topology to leave out, with their links and what hangs on those alone.
        """
        topology = load(topology_file).without(without)
        with self._locked():
            state = self._state()
            if state is not None and state.ready and state.process.alive():
                self._check_same(state, backend, topology)
                say(f"{self.name} is already up")
                return
            if self.folder.exists():
                say(f"removing what a former {self.name} left")
                self._remove(state)
            self._start(choose(backend), topology)

    def down(self) -> None:
        """Stop the lab and remove all it made; nothing to do where there is none."""
        with self._locked():
            if not self.folder.exists():
                say(f"{self.name} is not up")
                return
            self._remove(self._state())

    def reboot(self, host: str, *, hard: bool = False) -> None:
        """Reboot a host (hard: as a power cut) and wait until it is back, with its addresses on links that are up."""
        if host not in self.topology.hosts:
            raise LabError(f"no host {host}; there are: {', '.join(self.topology.hosts)}")
        self._run_ssh("-O", "exit", host)
        self._control("reboot", host, *(["hard"] if hard else []))
        self._wait_for_host(host)
        self._wait_for_links(link for link in self.topology.dynamic_links if link.customer.node == host)

    # ---- running things ----

    def ssh_command(self, host: str, command: Sequence[str] = ()) -> list[str]:
        """Return the local command line that logs in to a host, or runs a command there over SSH."""
        self._running()
        return ["ssh", "-F", str(self.ssh_config), host, *command]

    def exec_command(self, node: str, command: Sequence[str], *, terminal: bool = False) -> list[str]:
        """Return the local command line that runs `command` in a node (host, namespace, `wires` or `labvm`)."""
        known = (*self.topology.hosts, *self.topology.namespaces, "wires", "labvm")
        if node not in known:
            raise LabError(f"no node {node}; there are: {', '.join(known)}")
        remote = shlex.join(["/lab/control", "exec", node, *(command or ["bash"])])
        return ["ssh", "-F", str(self.ssh_config), *(["-tt"] if terminal else []), "labvm", remote]

    def exec(
        self, node: str, command: Sequence[str], *, check: bool = True, timeout: float | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a node and return what it printed. Works when the node's own network doesn't.

        Errors: subprocess.CalledProcessError (with `check`), subprocess.TimeoutExpired.
        """
        argv = self.exec_command(node, command)
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=check, timeout=timeout)

    def processor_seconds(self) -> float:
        """Return the processor time that the machine has taken of this computer so far."""
        return self._running().process.processor_seconds()

    def popen(self, node: str, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command in a node beside the caller; its output, errors too, can be read from the result."""
        argv = self.exec_command(node, command)
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    # ---- links ----

    def cut(self, name: str, *, black_hole: bool = False) -> None:
        """Cut a link (or all of a node): its ends lose carrier; black-holed, they keep it and packets vanish."""
        self._set_links(name, LINK_BLACK_HOLED if black_hole else LINK_CUT)

    def heal(self, name: str) -> None:
        """Bring a link (or all of a node) back."""
        self._set_links(name, LINK_UP)

    def shape(self, name: str, *, toward: str | None = None, **changes: float | None) -> None:
        """Shape a link: rate (None: unlimited), delay, jitter, loss and queue; what isn't given is as in the topology.

        `toward`: only the direction towards this node. `down` and `up` are the rates of the two directions.
        """
        link = self.topology.link(name)
        nodes = [end.node for end in link.ends]
        if toward is not None and toward not in nodes:
            raise LabError(f"link {name} doesn't end at {toward}, but at {', '.join(nodes)}")
        for index, port in enumerate(link.ports):
            if toward in (None, nodes[index]):
                self._shape_port(port, changed_shape(link.shape(index), changes, first=index == 0))

    def unshape(self, name: str) -> None:
        """Let a link carry what it can, without delay."""
        for port in self.topology.link(name).ports:
            self._shape_port(port, Shape())

    # ---- NAT ----

    def rebind(self, node: str) -> None:
        """Make a node's NAT forget its flows: what goes on gets another port outside, answers to the old are lost."""
        nats = self.topology.nats
        if node not in nats:
            raise LabError(f"{node} has no NAT; those that have: {', '.join(nats) or 'none'}")
        self._control("rebind", node)

    # ---- links whose addresses come and go ----

    def given(self) -> dict[str, str]:
        """Return link -> the address that its provider gives the customer at present."""
        return parse_report(self._control("show")).given

    def readdress(self, name: str, address: str | None = None, *, wait: bool = True) -> str:
        """Make a provider give another address (None: the next that is free), and return it.

        The PPPoE session or the lease ends at once, and packets from the old address are dropped. A PPPoE customer
        notices at once, a DHCP customer when it asks for the lease anew, within about 20 s. `wait`: until then.
        """
        link, given = self._dynamic_link(name), self.given()
        wanted = address or next_address(link, given[name], given.values())
        self._give({name: wanted}, wait=wait)
        return wanted

    def swap(self, name: str, other: str, *, wait: bool = True) -> None:
        """Make a provider give each of the customers of two links the address that the other one has."""
        links, given = (self._dynamic_link(name), self._dynamic_link(other)), self.given()
        if links[0].provider.node != links[1].provider.node:
            raise LabError(f"{name} and {other} are not of the same provider")
        self._give({name: given[other], other: given[name]}, wait=wait)

    def redial(self, name: str, *, device: str | None = None, wait: bool = True) -> None:
        """Give a link up and bring it back by the customer's own means.

        `device`: PPPoE comes back as this one (ppp1), because something else has taken those before it.
        """
        link = self._dynamic_link(name)
        node, commands = link.customer.node, redial(link)
        if device is not None and link.kind != PPPOE:
            raise LabError(f"the device of {name} has a fixed name")
        self.exec(node, commands.down, timeout=LINK_WAIT_SECONDS)
        if device is not None:
            self.exec(node, ["sh", "-ec", TAKE_DEVICES, "sh", device], timeout=LINK_WAIT_SECONDS)
        self.exec(node, commands.up, timeout=LINK_WAIT_SECONDS)
        if wait:
            self._wait_for_links([link])

    def show(self) -> str:
        """Return nodes, addresses, links and how they are, in lines for the user."""
        title = f"lab {self.name}: up on {self.description}"
        return show_text(title, self.topology, parse_report(self._control("show")), self.ssh_config)

    # ---- inside: starting and stopping ----

    def _start(self, backend: Backend, topology: Topology) -> None:
        backend.check()
        base = image.ensure(paths.cache_folder())
        self.folder.mkdir(parents=True, mode=0o700)
        self._last_words.unlink(missing_ok=True)
        preparation.prepare(self.folder, topology, base, backend.kernel)
        machine = Machine(
            folder=self.folder,
            hosts=topology.management_addresses,
            gateway=topology.gateway,
            prefix_length=topology.management.prefixlen,
        )
        say(f"starting {self.name} on {backend.description}")
        try:
            state = self._boot(backend, machine, topology)
            self._wait_for_console("] READY", state.process, backend.boot_seconds * max(1, len(topology.hosts) // 2))
            for host in topology.hosts:
                self._wait_for_host(host)
            self._wait_for_links(topology.dynamic_links)
            self._write(replace(state, ready=True))
        except BaseException:
            self._remove(self._state())
            raise

    def _boot(self, backend: Backend, machine: Machine, topology: Topology) -> State:
        """Start the machine until it gives a sign of life: an emulated kernel hangs before that now and then."""
        state = self._boot_once(backend, machine, topology)
        try:
            self._wait_for_console("[lab ", state.process, SIGN_SECONDS)
        except LabError:
            say("the machine gives no sign of life, starting it again")
            self._stop(state)
            state = self._boot_once(backend, machine, topology)
        return state

    def _boot_once(self, backend: Backend, machine: Machine, topology: Topology) -> State:
        process, endpoints = backend.start(machine)
        state = State(backend.description, process, str(self._sockets()), topology.as_data())
        self._write(state)
        text = sshconfig.ssh_config(endpoints, self.folder, Path(state.sockets))
        self.ssh_config.write_text(text, encoding="utf-8")
        return state

    def _write(self, state: State) -> None:
        data = {**vars(state), "process": vars(state.process)}
        (self.folder / "state.json").write_text(json.dumps(data, indent=1), encoding="utf-8")

    def _remove(self, state: State | None) -> None:
        if state is not None:
            self._stop(state)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop(self, state: State) -> None:
        for socket in Path(state.sockets).glob("*"):
            self._run_ssh("-O", "exit", socket.name)
        state.process.kill()
        shutil.rmtree(state.sockets, ignore_errors=True)

    def _wait_for_console(self, words: str, process: Process, seconds: int) -> None:
        log = self.folder / "console.log"
        end = time.monotonic() + seconds
        while words not in log.read_text(encoding="utf-8", errors="replace"):
            ended = not process.alive()
            if ended or time.monotonic() > end:
                shutil.copyfile(log, self._last_words)
                how = "ended" if ended else f"wasn't ready after {seconds} s"
                raise LabError(f"the lab's machine {how}; what it said is in {self._last_words}")
            time.sleep(0.1)

    def _wait_for_host(self, host: str) -> None:
        """Wait until a host answers over SSH and networkd has configured its links."""
        end = time.monotonic() + SSH_WAIT_SECONDS
        while self._run_ssh(host, HOST_READY) == SSH_FAILED:
            if time.monotonic() > end:
                raise LabError(f"host {host} didn't answer over SSH within {SSH_WAIT_SECONDS} s")
            time.sleep(0.2)

    @property
    def _last_words(self) -> Path:
        """The console's log of a machine that didn't start; it outlives the folder, until the next start."""
        return paths.cache_folder() / f"console-{self.name}.log"

    def _sockets(self) -> Path:
        """Return a folder for ssh's shared connections whose path is short enough for a socket."""
        folder = self.folder / "ssh"
        if len(bytes(folder / ("a" * 13))) > sshconfig.SOCKET_PATH_BYTES:
            return Path(tempfile.mkdtemp(prefix="lab-"))
        folder.mkdir()
        return folder

    # ---- inside: the running lab ----

    def _state(self) -> State | None:
        try:
            data = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            return State(**{**data, "process": Process(**data["process"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def _running(self) -> State:
        state = self._state()
        if state is None:
            raise LabError(f"{self.name} is not up: type {self._command()} up")
        if not state.process.alive():
            raise LabError(f"{self.name} has died: type {self._command()} up to start it again")
        return state

    def _check_same(self, state: State, backend: str, topology: Topology) -> None:
        if backend != "auto" and choose(backend).description != state.description:
            raise LabError(f"{self.name} is up on {state.description}: type {self._command()} down first")
        if parse(state.topology) != topology:
            raise LabError(f"{self.name} is up with another topology: type {self._command()} down first")

    def _command(self) -> str:
        return "tests/lab/lab" if self.name == "lab" else f"tests/lab/lab --name {self.name}"

    def _run_ssh(self, *words: str) -> int:
        """Run ssh quietly and return its exit status."""
        argv = ["ssh", "-F", str(self.ssh_config), *words]
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode

    def _control(self, *words: str) -> str:
        """Run the machine's control script and return what it printed. Errors: LabError."""
        argv = self.ssh_command("labvm", [shlex.join(["/lab/control", *words])])
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"{' '.join(words)} failed in the machine: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def _set_links(self, name: str, state: str) -> None:
        self._control("link", state, *(link.name for link in self.topology.links_of(name)))

    def _dynamic_link(self, name: str) -> Link:
        link = self.topology.link(name)
        if link.kind == STATIC:
            names = [each.name for each in self.topology.dynamic_links]
            raise LabError(f"the addresses of {name} are fixed; those that come and go: {', '.join(names) or 'none'}")
        return link

    def _give(self, addresses: Mapping[str, str], *, wait: bool) -> None:
        """Have providers give these addresses: link -> address."""
        for name, address in addresses.items():
            fault = address_fault(self._dynamic_link(name), address)
            if fault:
                raise LabError(fault)
        self._control("address", *(word for pair in addresses.items() for word in pair))
        if wait:
            self._wait_for_links(self.topology.link(name) for name in addresses)

    def _wait_for_links(self, links: Iterable[Link]) -> None:
        """Wait until customers have the addresses that they are given, on links that aren't cut."""
        names = [link.name for link in links]
        if names:
            self._control("await", str(LINK_WAIT_SECONDS), *names)

    def _shape_port(self, port: str, shape: Shape) -> None:
        faults = list(shape_faults(shape))
        if faults:
            raise LabError("; ".join(faults))
        self._control("shape", port, *netem(shape).split())

    def _locked(self) -> AbstractContextManager[None]:
        """Let one command at a time start or stop this lab."""
        return locked(paths.cache_folder() / "locks" / self.folder.name)


def changed_shape(shape: Shape, changes: Mapping[str, float | None], *, first: bool) -> Shape:
    """Return `shape` with the given values put in; of `down` and `up` the one that this end receives."""
    values = {**vars(shape), **{key: value for key, value in changes.items() if key not in ("down", "up")}}
    rate = "up" if first else "down"
    if rate in changes:
        values["rate"] = changes[rate]
    return Shape(**values)
