# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._read_services import read_services
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Ports, Service
from tests.unit.plugins.plugin_utils.samples import noted, reader

SSH = {"protocol": "tcp", "port": 22}


def read(services: Any, **more: Any) -> tuple[tuple[Service, ...] | None, list[str]]:
    one = reader({"extrude_services": services, **more})
    return read_services(one), noted(one)


def test_without_a_list_the_administrators_own_firewall_decides() -> None:
    one = reader({})
    assert (read_services(one), noted(one)) == (None, [])


def test_what_is_listed() -> None:
    listed = [
        {**SSH, "customers": ["acme"]},
        {"protocol": "udp", "port": "5000-5010", "customers": "globex"},
        {"protocol": "tcp", "port": 443},
    ]
    assert read(listed) == (
        (
            Service("tcp", Ports(22, 22), ("acme",)),
            Service("udp", Ports(5000, 5010), ("globex",)),
            Service("tcp", Ports(443, 443), None),
        ),
        [],
    )


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ([SSH, {"protocol": "icmp", "port": 1}], "extrude_services[1].protocol: 'icmp' is no choice"),
        ([SSH, {"protocol": "tcp"}], "extrude_services[1].port: is missing"),
        ([SSH, {"protocol": "tcp", "port": 70000}], "extrude_services[1].port: 70000 is out of range"),
        ([{**SSH, "customers": ["Acme"]}], "extrude_services[0].customers[0]: 'Acme' does not fit"),
        (
            [{**SSH, "customer": "acme"}],
            "extrude_services[0].customer: is not known; the nearest known key is customers",
        ),
        (
            None,
            (
                "extrude_services: is empty; leave it out, or give a list of dictionaries such as {protocol: tcp,"
                " port: 443, customers: [acme]}"
            ),
        ),
        (
            [{**SSH, "customers": None}],
            (
                "extrude_services[0].customers: is empty; leave it out, or give customers, [] for none of them:"
                " the name of each is 1 to 32 of the characters a-z 0-9 -"
            ),
        ),
        (["tcp"], "extrude_services[0]: 'tcp' is not a dictionary"),
        (22, "extrude_services: 22 is not a list"),
    ],
)
def test_what_is_wrong_is_named(listed: Any, told: str) -> None:
    (problem,) = read(listed)[1]
    assert problem.startswith(f"office: {told}")


@pytest.mark.parametrize("listed", [[], [{"protocol": "udp", "port": 22}], [{"protocol": "tcp", "port": 443}]])
def test_the_port_by_which_ansible_comes_is_not_cut_without_a_word(listed: Any) -> None:
    (problem,) = read(listed)[1]
    assert problem == (
        "office: extrude_services: lacks tcp port 22, by which Ansible reaches office, perhaps from a site; list it,"
        " with the customers that may use it (customers: [] for none)"
    )


def test_it_may_be_closed_in_words_and_may_be_another_port() -> None:
    assert read([{**SSH, "customers": []}]) == ((Service("tcp", Ports(22, 22), ()),), [])
    assert read([{"protocol": "tcp", "port": "2000-2300"}], ansible_port=2222)[1] == []
    assert "lacks tcp port 2222" in read([SSH], ansible_port=2222)[1][0]
