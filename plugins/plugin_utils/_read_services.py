# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what sites reach of the colo itself: ``extrude_services``.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_management import read_management
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Ports, Service

KEYS = ("protocol", "port", "customers")
PROTOCOL = replace(_kinds.protocol("tcp", "udp"), allowed="tcp or udp: an entry for each")
EXAMPLE = "{protocol: tcp, port: 443, customers: [acme]}"
CUSTOMER = replace(
    _kinds.CUSTOMER, allowed=f"customers, [] for none of them: the name of each is {_kinds.CUSTOMER.allowed}"
)
NO_PORT = Ports(0, 0)


def read_services(reader: Reader) -> tuple[Service, ...] | None:
    """Read the services of a colo; None where it leaves them to its own firewall."""
    if reader.lacks("extrude_services"):
        return None
    before = len(reader.problems)
    services = tuple(_read_service(child) for _index, child in reader.children("extrude_services", EXAMPLE, None))
    if len(reader.problems) == before:
        _check_management(reader, services)
    return services


def _read_service(reader: Reader) -> Service:
    reader.only(KEYS)
    return Service(
        protocol=reader.read("protocol", PROTOCOL),
        ports=reader.read("port", _kinds.ONE_PORT) or NO_PORT,
        customers=None if reader.lacks("customers") else tuple(reader.some("customers", CUSTOMER, none=True)),
    )


def _check_management(reader: Reader, services: Sequence[Service]) -> None:
    """Note that a list says nothing of the port by which Ansible reaches the colo: an operator may sit at a site."""
    _host, port = read_management(reader)
    taken = (service.ports for service in services if service.protocol == "tcp")
    if port.isdecimal() and not any(ports.first <= int(port) <= ports.last for ports in taken):
        text = f"lacks tcp port {port}, by which Ansible reaches {reader.host}, perhaps from a site; list it, with the"
        reader.problem("extrude_services", f"{text} customers that may use it (customers: [] for none)")
