# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _advertised, _apply, _dump, _sysctl
from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError, Object, Owner, State, Sysctl
from ansible_collections.multihome.extrude.plugins.module_utils._record import Records
from ansible_collections.multihome.extrude.plugins.module_utils._request import Request
from tests.advertise import advertise
from tests.unit.host import host, ip6
from tests.unit.netns import Netns, ip, output, scratch, wait_until

PREFIX = "2001:db8:5::"
FORWARDING = Sysctl("net/ipv6/conf/all/forwarding", "1")
KEPT = Sysctl("net/ipv6/conf/r0/accept_ra", "2", optional=True)
ACME, OTHER = Owner("acme", "office"), Owner("other", "x")


def state(*objects: Object, owner: Owner = ACME) -> State:
    return State(owner, objects)


# --- pure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "kept"), [("1", True), ("2", True), ("0", False), (None, True)])
def test_it_is_kept_where_the_kernel_listens_or_is_not_there_yet(value: str | None, kept: bool) -> None:
    request = _advertised.with_kept(Request((state(FORWARDING),)), {KEPT.name: value})
    assert request.desired == (state(*([KEPT] if kept else []), FORWARDING),)


def test_only_states_that_turn_forwarding_on_keep_it_and_first() -> None:
    plain = state(Sysctl("net/ipv4/ip_forward", "1"), owner=OTHER)
    request = _advertised.with_kept(Request((state(FORWARDING), plain)), {KEPT.name: "1"})
    assert request.desired == (state(KEPT, FORWARDING), plain)


def test_without_forwarding_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_dump, "advertised")
    off = replace(FORWARDING, value="0")
    for request in (Request((state(off),)), Request((state(FORWARDING),), kinds={"rules"})):
        assert _advertised.keep(request) is request


# --- a kernel that has learnt ------------------------------------------------------------------------


@pytest.fixture
def learnt() -> Iterator[None]:
    """A host with a default route and an address from an advertisement that came by r0."""
    with scratch() as router, host():
        ip(f"link add r0 type veth peer name r1 netns {router.path}", "link set r0 addrgenmode eui64 up")
        with router.entered():
            ip("link set r1 addrgenmode none", "link set r1 up", "addr add fe80::1/64 dev r1 nodad")
        wait_until(lambda: has_learnt(router), "learnt")
        yield


def has_learnt(router: Netns) -> bool:
    """Whether r0 has a route and an address; a link that was just set up may have lost the advertisement."""
    with router.entered():
        advertise("r1", PREFIX)
    return default() != "" and " dynamic " in output("ip", "address", "show", "dev", "r0")


def default() -> str:
    return output("ip", "-6", "route", "show", "default", "dev", "r0")


def setting() -> str | None:
    return _sysctl.read([KEPT.name])[KEPT.name]


@pytest.mark.usefixtures("learnt")
def test_devices_that_learn_are_found() -> None:
    assert _dump.advertised() == {"r0"}
    ip6("route del default dev r0")
    assert _dump.advertised() == {"r0"}, "an address would end too"


@pytest.mark.usefixtures("learnt")
def test_a_learnt_default_outlives_forwarding_and_a_boot(tmp_path: Path) -> None:
    records, request = Records(tmp_path), Request((state(FORWARDING),))
    assert setting() == "1"
    check = _apply.run(records, request, check=True)
    run = _apply.run(records, request, check=False)
    assert [str(operation.item) for operation in run.operations] == [str(KEPT), str(FORWARDING)]
    assert check.operations == run.operations
    assert default()
    assert _apply.run(records, request, check=False).operations == ()

    ip6("route flush proto ra", "address flush dev r0 scope global")
    _sysctl.write(FORWARDING.name, "0")
    _sysctl.write(KEPT.name, "1")
    booted = _apply.run(records, request, check=False)
    assert [str(operation.item) for operation in booted.operations] == [str(KEPT), str(FORWARDING)]

    _sysctl.write(KEPT.name, "0")
    assert _apply.run(records, request, check=False).operations == (), "a program listens now"


@pytest.mark.usefixtures("learnt")
def test_what_the_inventory_asks_for_is_not_taken_for_learnt(tmp_path: Path) -> None:
    records, wan = Records(tmp_path), replace(KEPT, optional=False)
    _apply.run(records, Request((state(wan, FORWARDING),)), check=False)
    assert records.load() == (state(wan, FORWARDING),)
    ip6("route flush proto ra", "address flush dev r0 scope global")
    _apply.run(records, Request((state(FORWARDING),)), check=False)
    assert records.load() == (state(FORWARDING),)


@pytest.mark.usefixtures("learnt")
def test_a_failure_takes_it_back(tmp_path: Path) -> None:
    broken = Sysctl("net/ipv4/ip_default_ttl", "0")
    with pytest.raises(EngineError):
        _apply.run(Records(tmp_path), Request((state(FORWARDING, broken),)), check=False)
    assert setting() == "1"
    assert default()


@pytest.mark.usefixtures("learnt")
def test_a_device_that_forwards_already_has_learnt_nothing(tmp_path: Path) -> None:
    _sysctl.write(FORWARDING.name, "1")
    ip6("address add 2001:db8:aaaa::1/64 dev r0 valid_lft 86400 preferred_lft 3600")  # as by prefix delegation
    assert _dump.advertised() == {"r0"}
    assert _apply.run(Records(tmp_path), Request((state(FORWARDING),)), check=False).operations == ()
    assert setting() == "1"
