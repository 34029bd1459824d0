# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.multihome.extrude.plugins.module_utils import _runner
from ansible_collections.multihome.extrude.plugins.module_utils._model import (
    Address,
    Chain,
    File,
    Object,
    Owner,
    Proxy,
    Rule,
    State,
    Sysctl,
)
from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation

OWNER = Owner("acme", "office")
ADDRESS, PROXY, RULE = Address("lo", "203.0.113.10/32"), Proxy("a0", "203.0.113.10"), Rule(4, 4290, 4200)


def state(*objects: Object) -> State:
    return State(OWNER, objects)


# --- the report -----------------------------------------------------------------------------------


def test_a_report_without_operations_has_not_changed_anything() -> None:
    assert _runner.report([]) == {"changed": False, "operations": [], "diff": {"before": "", "after": ""}}


def test_a_diff_is_sorted_and_has_what_changes_only() -> None:
    operations = [
        Operation("add", None, PROXY),
        Operation("change", Sysctl("net/ipv4/ip_forward", "0"), Sysctl("net/ipv4/ip_forward", "1")),
        Operation("delete", ADDRESS),
    ]
    assert _runner.report(operations)["diff"] == {
        "before": "addresses: device=lo address=203.0.113.10/32\nsysctl net/ipv4/ip_forward = 0\n",
        "after": "proxies: device=a0 address=203.0.113.10\nsysctl net/ipv4/ip_forward = 1\n",
    }


def test_the_lines_of_a_chain_keep_their_order() -> None:
    chain = Chain(6, "filter", "EXTRUDE-A", "", tuple(f"-j {number}" for number in range(11)))
    lines = _runner.report([Operation("add", None, chain)])["diff"]["after"].splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == [str(number) for number in range(11)]
    assert lines[0] == "ip6tables -t filter EXTRUDE-A   1: -j 0"


def test_the_lines_of_files_come_last_and_keep_their_order() -> None:
    operations = [
        Operation("change", File("bird.conf", "z\na\n"), File("bird.conf", "z\nb\na\n")),
        Operation("add", None, File("a.conf", "new")),
        Operation("add", None, PROXY),
    ]
    assert _runner.report(operations)["diff"] == {
        "before": "bird.conf: z\nbird.conf: a\n",
        "after": ("proxies: device=a0 address=203.0.113.10\na.conf: new\nbird.conf: z\nbird.conf: b\nbird.conf: a\n"),
    }
