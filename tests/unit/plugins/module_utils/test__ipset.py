# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _ipset, _programs
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, HostError
from ansible_collections.multihome.extrude.plugins.module_utils._ipset import apply, parse, read
from ansible_collections.multihome.extrude.plugins.module_utils._model import AddressSet
from tests.unit.netns import output, scratch

ONE, OTHER = AddressSet("EXTRUDE-a.example", 60), AddressSet("EXTRUDE-b.example", 600)
NAMES = [ONE.name, OTHER.name]


@pytest.fixture
def kernel() -> Iterator[None]:
    with scratch() as namespace, namespace.entered():
        output("ipset", "create", "admins", "hash:net")
        yield


@pytest.mark.usefixtures("kernel")
def test_what_was_applied_reads_back_and_is_gone_after_the_delete() -> None:
    for one in (ONE, OTHER):
        apply(None, one)
    assert read(NAMES) == {ONE.place: ONE, OTHER.place: OTHER}
    assert read([OTHER.name]) == {OTHER.place: OTHER}
    for one in (ONE, OTHER):
        apply(one, None)
    assert read(NAMES) == {}
    assert "admins" in output("ipset", "list", "-n")


@pytest.mark.usefixtures("kernel")
def test_a_set_that_changes_stays_under_the_rules_that_look_into_it() -> None:
    apply(None, ONE)
    rule = ["PREROUTING", "-t", "mangle", "-m", "set", "--match-set", ONE.name, "dst"]
    output("iptables", "-A", *rule)
    longer = AddressSet(ONE.name, 90)
    output("ipset", "create", "EXTRUDE-.", "hash:ip")  # of a run that was cut short
    apply(ONE, longer)
    assert read(NAMES) == {ONE.place: longer}
    assert output("ipset", "list", "-n").split() == ["admins", ONE.name]
    output("iptables", "-D", *rule)
    apply(longer, None)


@pytest.mark.usefixtures("kernel")
def test_a_set_that_somebody_else_uses_stays_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ipset, "_PATIENCE", 0.1)
    apply(None, ONE)
    output("iptables", "-A", "INPUT", "-m", "set", "--match-set", ONE.name, "src")
    with pytest.raises(EngineError, match=r"ipset destroy EXTRUDE-a.example: .* in use"):
        apply(ONE, None)


def test_a_set_of_another_type_is_not_what_is_wanted() -> None:
    listed = "Name: EXTRUDE-a.example\nType: hash:net\nRevision: 7\nHeader: family inet6 hashsize 64 timeout 60\n\n"
    (found,) = parse(listed + "\n").values()
    assert found == AddressSet(ONE.name, 60, "hash:net inet6", 6) != ONE


@pytest.mark.usefixtures("kernel")
def test_a_set_of_ipv6_addresses() -> None:
    six = AddressSet("EXTRUDE-a.example.6", 60, family=6)
    apply(None, six)
    output("ipset", "add", six.name, "2001:db8::1")
    assert read([six.name]) == {six.place: six}
    apply(six, None)


def test_a_set_without_a_timeout_is_not_either() -> None:
    (found,) = parse("Name: x\nType: hash:ip\nHeader: family inet hashsize 1024 maxelem 65536\n").values()
    assert found == AddressSet("x", 0)


def test_without_ipset_there_are_no_sets_and_none_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "find", {}.get)
    assert read(NAMES) == {}
    with pytest.raises(HostError, match="ipset is missing on this host: install the package ipset"):
        apply(None, ONE)
