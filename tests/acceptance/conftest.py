# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all acceptance tests of a process, on which the collection is deployed once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra

from tests.acceptance import modules, playbook, sessions, snapshot, traffic, watch
from tests.acceptance.inventory import Variables
from tests.lab.lab import Lab
from tests.lab.topology import DYNAMIC

HOSTS = ("colo", "office")
WAN_ADDRESS = "192.0.2.2"
NETWORKD_IS_READY = ["/lib/systemd/systemd-networkd-wait-online", "--quiet", "--timeout=60"]
HEALING = "/run/extrude-heals"
"""While a host has this file, extrude-apply.timer does its work there."""
HOLD = f"""
dropins=/run/systemd/system/extrude-apply.service.d
[ -e $dropins ] && exit
mkdir -p $dropins
printf '[Unit]\\nConditionPathExists={HEALING}\\n' >$dropins/tests.conf
systemctl daemon-reload
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--backend", default="auto", help="what runs the lab: auto, uml or qemu")
    parser.addoption("--keep", action="store_true", help="leave the lab up, and use it if it is up")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has a lab of its own comes first, while no other is up; then what begins with bare hosts."""
    items.sort(key=lambda item: (not item.get_closest_marker("dynamic"), item.path.stem != "test_deployment"))


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """A lab with nothing deployed on it."""
    made = Lab("-".join(["accept", *filter(None, [os.environ.get("PYTEST_XDIST_WORKER")])]))
    keep = pytestconfig.getoption("keep")
    if not keep:
        made.down()
    made.up(pytestconfig.getoption("backend"))
    traffic.own_the_desk_address(made)
    yield made
    if not keep:
        made.down()


def dynamic_lab(
    config: pytest.Config, name: str, topology: Path = DYNAMIC, without: Sequence[str] = ()
) -> Iterator[Lab]:
    """A lab of sites whose links come and go, with nothing deployed on it unless it was kept."""
    made = Lab(name)
    keep = config.getoption("keep")
    if not keep:
        made.down()
    made.up(config.getoption("backend"), topology, without=without)
    yield made
    if not keep:
        made.down()


@dataclass(frozen=True)
class FirstCheck:
    """A check on bare hosts, and what each host held before and after it."""

    run: playbook.Run
    before: dict[str, str]
    after: dict[str, str]


@dataclass(frozen=True)
class First:
    """The first real run, and connections that were busy during it."""

    run: playbook.Run
    ssh: watch.Connection
    wan: watch.Connection


@pytest.fixture(scope="session")
def first_check(lab: Lab) -> FirstCheck:
    """Checks bare hosts."""
    before = {host: snapshot.take(lab, host) for host in HOSTS}
    run = playbook.run(lab, "--check", "--diff")
    return FirstCheck(run, before, {host: snapshot.take(lab, host) for host in HOSTS})


@pytest.fixture(scope="session")
def first(lab: Lab) -> First:
    """Deploys; all tests that need a deployed lab share this."""
    with (
        watch.ssh_session(lab, "office") as ssh,
        watch.connection(lab, "internet", "office", WAN_ADDRESS) as wan,
    ):
        run = playbook.run(lab, "--diff")
    return First(run, ssh, wan)


@pytest.fixture(scope="session")
def second_check(lab: Lab, first: First) -> playbook.Run:
    """Checks what is deployed."""
    return playbook.run(lab, "--check", "--diff")


@pytest.fixture(scope="session")
def second(lab: Lab, first: First) -> playbook.Run:
    """Deploys once more."""
    return playbook.run(lab, "--diff")


@pytest.fixture(scope="session")
def deployed(lab: Lab, request: pytest.FixtureRequest) -> Lab:
    """The lab with the collection deployed."""
    if not request.config.getoption("keep") or modules.drift(lab):
        run = request.getfixturevalue("first").run
        if run.code != 0:
            pytest.fail(f"the deployment failed:\n{run.output}")
    hold(lab, HOSTS)
    return lab


def hold(lab: Lab, hosts: Iterable[str], heals: bool = False) -> None:
    """Hosts heal only where a test asks for it: not under the hands of one that looks at what is broken.

    It would also take a third of the lab's processor.
    """
    for host in hosts:
        lab.exec(host, ["sh", "-c", f"({HOLD}); {'touch' if heals else 'rm -f'} {HEALING}"])


@pytest.fixture
def mended(deployed: Lab) -> Iterator[Lab]:
    """For tests that disturb the deployment: puts it back afterwards, whatever the test has found."""
    hold(deployed, HOSTS)
    yield deployed
    put_back(deployed)


@contextmanager
def brought(deployed: Lab, site: Variables, tunnels: sessions.Tunnels | None = None, **colo: Any) -> Iterator[Lab]:
    """For several tests of one inventory: both ends hold what follows from *site* meanwhile.

    *tunnels* are those that it has, None: the usual ones. *colo*: its variables that are changed.
    """
    modules.bring(deployed, site, **colo)
    sessions.wait_up(deployed, tunnels)
    try:
        yield deployed
    finally:
        put_back(deployed)


def restart_networkd(lab: Lab, host: str) -> None:
    """Start networkd anew and wait until it has configured its links."""
    lab.exec(host, ["systemctl", "restart", "systemd-networkd.service"], timeout=120)
    lab.exec(host, NETWORKD_IS_READY)


def give_back(lab: Lab, address: str = "198.51.100.2/24") -> None:
    """Give the office's cable link its address again, and the default route that the kernel has dropped with it.

    With its broadcast address, as networkd does: one that lacks it Debian 12's networkd sets again and again from its
    next start on, and is told of it each time, without end.
    """
    lab.exec("office", ["ip", "address", "replace", address, "brd", "+", "dev", "cable0"])
    lab.exec("office", ["ip", "route", "replace", "default", "via", "198.51.100.1", "metric", "200"])


def put_back(lab: Lab) -> None:
    """Bring the lab to what its inventory says, with all links and sessions up."""
    for link in ("dsl", "cable", "rack"):
        lab.heal(link)
    for host in HOSTS:
        if lab.exec(host, NETWORKD_IS_READY, check=False).returncode:
            restart_networkd(lab, host)
    if failed := modules.put_back(lab):
        pytest.exit(f"the lab cannot be put back: {failed}", 1)
    sessions.wait_up(lab)


@pytest.fixture(scope="session")
def hosts(lab: Lab) -> dict[str, Any]:
    """The managed hosts, for questions by testinfra over SSH."""
    return {name: testinfra.get_host(f"ssh://{name}", ssh_config=str(lab.ssh_config)) for name in HOSTS}
