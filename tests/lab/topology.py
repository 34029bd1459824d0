# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's topology as data: nodes, the links between them, and what is wrong with a file that describes them.

A node is a host (Debian with systemd, reached over SSH) or a namespace (plain Linux networking). A link joins two or
more ends; an end is a device in a node. Rates are Mbit/s, delays milliseconds (one way).

The addresses of a static link are set at both ends. On a link of another kind a provider, its first end, gives the
customer, its second end, an address that it may change: the customer's address in the file is what is given first.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Record = TypeVar("Record")

KINDS = ("host", "namespace")
SERVICES = ("http", "iperf3")
STATIC, PPPOE, DHCP = "static", "pppoe", "dhcp"
IFUPDOWN, NETWORKD, NETWORK_MANAGER = "ifupdown", "networkd", "networkmanager"
# What a customer can dial or ask with, by kind of link; networkd cannot dial: a unit runs pppd beside it.
CLIENTS: dict[str, tuple[str, ...]] = {
    STATIC: ("",),
    PPPOE: (IFUPDOWN, NETWORKD, NETWORK_MANAGER),
    DHCP: (IFUPDOWN, NETWORKD, NETWORK_MANAGER),
}
LOGINS = ("chap", "pap")
RESERVED_NAMES = ("wires", "labvm", "mgmt", "lo")
TOPOLOGIES = Path(__file__).parent / "topologies"
DEFAULT, DYNAMIC, NAT = (TOPOLOGIES / f"{name}.toml" for name in ("default", "dynamic", "nat"))


class TopologyError(Exception):
    """A topology that can't be built; the text holds every fault, one a line."""


@dataclass(frozen=True)
class Shape:
    """What packets meet in one direction: rate in Mbit/s (None: unlimited), delay and jitter in ms, loss in %.

    `queue`: room for those that wait, in ms at the rate; the default is about what a cheap router buffers.
    """

    rate: float | None = None
    delay: float = 0
    jitter: float = 0
    loss: float = 0
    queue: float = 60


@dataclass(frozen=True)
class Route:
    """A route of a node's main table through the gateway `via`."""

    to: str
    via: str
    metric: int | None = None


@dataclass(frozen=True)
class End:
    """One end of a link: a device of a node. `accept`: the only sources that are forwarded from there (empty: any).

    A customer's end: `client` is the program that brings the link up, `metric` that of its default route.
    """

    node: str
    device: str
    addresses: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    client: str = ""
    metric: int = 0


@dataclass(frozen=True)
class Link:
    """A cable, or a segment when it has more than two ends. The first end receives `up`, all others `down`.

    `login`: how a PPPoE customer proves who it is.
    """

    name: str
    ends: tuple[End, ...]
    kind: str = STATIC
    login: str = "chap"
    down: float | None = None
    up: float | None = None
    delay: float = 0
    jitter: float = 0
    loss: float = 0
    mtu: int = 1500

    def port(self, index: int) -> str:
        """Return the name of the far end of the cable of end `index`."""
        return f"{self.name}.{index}"

    @property
    def provider(self) -> End:
        """The end that gives addresses, of a link that isn't static."""
        return self.ends[0]

    @property
    def customer(self) -> End:
        """The end that is given an address, of a link that isn't static."""
        return self.ends[1]

    @property
    def ports(self) -> tuple[str, ...]:
        """All ports, in the order of the ends."""
        return tuple(self.port(index) for index in range(len(self.ends)))

    def shape(self, index: int) -> Shape:
        """Return what packets towards end `index` meet."""
        return Shape(self.up if index == 0 else self.down, self.delay, self.jitter, self.loss)


@dataclass(frozen=True)
class Nat:
    """A node's NAT: all share the address of its device `outside`; flows silent for `udp_timeout` s are forgotten."""

    outside: str
    udp_timeout: int = 30


@dataclass(frozen=True)
class Node:
    """A host or a namespace. One with a NAT forwards too."""

    name: str
    kind: str
    forward: bool = False
    nat: Nat | None = None
    services: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True)
class Topology:
    """Everything that a lab is built from."""

    management: ipaddress.IPv4Network
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names of the nodes that are reached over SSH."""
        return tuple(node.name for node in self.nodes if node.kind == "host")

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Names of the nodes that are plain namespaces."""
        return tuple(node.name for node in self.nodes if node.kind == "namespace")

    @property
    def nats(self) -> tuple[str, ...]:
        """Names of the nodes that have a NAT."""
        return tuple(node.name for node in self.nodes if node.nat)

    @property
    def gateway(self) -> str:
        """The controller's address in the management network."""
        return str(self.management[2])

    @property
    def management_addresses(self) -> dict[str, str]:
        """Address of the machine (`labvm`) and of each host in the management network."""
        return {name: str(self.management[10 + index]) for index, name in enumerate(("labvm", *self.hosts))}

    @property
    def dynamic_links(self) -> tuple[Link, ...]:
        """The links whose customers are given their addresses."""
        return tuple(link for link in self.links if link.kind != STATIC)

    def link(self, name: str) -> Link:
        """Return the link called `name`."""
        for link in self.links:
            if link.name == name:
                return link
        raise TopologyError(f"no link {name}; there are: {', '.join(link.name for link in self.links)}")

    def links_of(self, name: str) -> tuple[Link, ...]:
        """Return the link called `name`, or all links of the node called so."""
        if any(node.name == name for node in self.nodes):
            return tuple(link for link in self.links if any(end.node == name for end in link.ends))
        return (self.link(name),)

    def ends_of(self, node: str) -> tuple[tuple[Link, int, End], ...]:
        """Return (link, index of the end, end) for each device of `node`."""
        every = ((link, index, end) for link in self.links for index, end in enumerate(link.ends))
        return tuple(entry for entry in every if entry[2].node == node)

    def without(self, names: Collection[str]) -> Topology:
        """Return it without some nodes, their links, and nodes that have no link left. Errors: TopologyError."""
        unknown = sorted(set(names) - {node.name for node in self.nodes})
        if unknown:
            raise TopologyError(f"no node {', '.join(unknown)}")
        links = tuple(link for link in self.links if not any(end.node in names for end in link.ends))
        linked = {end.node for link in links for end in link.ends}
        alone = {end.node for link in self.links for end in link.ends} - linked
        return replace(self, nodes=tuple(node for node in self.nodes if node.name not in (*names, *alone)), links=links)

    def as_data(self) -> dict[str, Any]:
        """Return the topology in the form that `parse` takes."""
        return {
            "management": {"network": str(self.management)},
            "nodes": {node.name: _without_name(node) for node in self.nodes},
            "links": {link.name: _without_name(link) for link in self.links},
        }


def load(path: Path) -> Topology:
    """Read and check a TOML file. Errors: TopologyError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TopologyError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TopologyError(f"{path}: {error}") from error
    return parse(data)


def parse(data: Mapping[str, Any]) -> Topology:
    """Turn a mapping with the keys `management`, `nodes` and `links` into a checked topology. Errors: TopologyError."""
    try:
        topology = Topology(
            management=ipaddress.IPv4Network(data.get("management", {}).get("network", "10.0.2.0/24")),
            nodes=tuple(_node(name, value) for name, value in data.get("nodes", {}).items()),
            links=tuple(_link(name, value) for name, value in data.get("links", {}).items()),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise TopologyError(str(error)) from error
    faults = [*_node_faults(topology), *_link_faults(topology)]
    # these look addresses up among sound ones
    faults = faults or [*_customer_faults(topology), *_route_faults(topology)]
    if faults:
        raise TopologyError("\n".join(faults))
    return topology


def gateway_device(topology: Topology, node: str, via: str) -> str | None:
    """Return the device of `node` in whose network the address `via` lies, or None."""
    for _link_of, _index, end in topology.ends_of(node):
        if any(ipaddress.ip_address(via) in ipaddress.ip_interface(address).network for address in end.addresses):
            return end.device
    return None


def _node(name: str, data: Mapping[str, Any]) -> Node:
    where = f"node {name}"
    record = dict(data)
    record["routes"] = tuple(_record(Route, route, f"{where}: route") for route in record.get("routes", ()))
    record["services"] = tuple(record.get("services", ()))
    if record.get("nat") is not None:
        record["nat"] = _record(Nat, record["nat"], f"{where}: nat")
    return _record(Node, {"name": name, **record}, where)


def _link(name: str, data: Mapping[str, Any]) -> Link:
    where = f"link {name}"
    record = dict(data)
    record["ends"] = tuple(_end(end, where) for end in record.get("ends", ()))
    return _record(Link, {"name": name, **record}, where)


def _end(data: Mapping[str, Any], where: str) -> End:
    record = dict(data)
    for key in ("addresses", "accept"):
        record[key] = tuple(record.get(key, ()))
    return _record(End, record, f"{where}: end")


def _record(kind: type[Record], data: Mapping[str, Any], where: str) -> Record:
    """Build the dataclass `kind` from a mapping, with errors that say what is unknown or missing."""
    known = fields(kind)  # type: ignore[arg-type]  # mypy cannot see that it is a dataclass
    unknown = sorted(set(data) - {entry.name for entry in known})
    if unknown:
        raise ValueError(f"{where}: unknown key {', '.join(unknown)}")
    missing = [entry.name for entry in known if entry.default is MISSING and entry.name not in data]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} is missing")
    return kind(**data)


def _node_faults(topology: Topology) -> Iterable[str]:
    if not topology.nodes:
        yield "no nodes"
    if len(topology.hosts) + 11 > topology.management.num_addresses:
        yield f"management network {topology.management} is too small"
    for node in topology.nodes:
        where = f"node {node.name}"
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,12}", node.name) or node.name in RESERVED_NAMES:
            yield f"{where}: a name is up to 13 of a-z, 0-9 and -, and not {', '.join(RESERVED_NAMES)}"
        if node.kind not in KINDS:
            yield f"{where}: kind is {node.kind!r}, not host or namespace"
        for service in node.services:
            if service not in SERVICES or node.kind == "host":
                yield f"{where}: service {service!r} is not one of {', '.join(SERVICES)} in a namespace"
        if node.nat:
            yield from (f"{where}: nat: {fault}" for fault in _nat_faults(topology, node, node.nat))


def _nat_faults(topology: Topology, node: Node, nat: Nat) -> Iterable[str]:
    if node.kind == "host":
        yield "only a namespace has one"
    if nat.outside not in (end.device for _link_of, _index, end in topology.ends_of(node.name)):
        yield f"outside is {nat.outside!r}, not a device of {node.name}"
    if nat.udp_timeout < 1:
        yield f"udp_timeout {nat.udp_timeout} is not above 0"


def _link_faults(topology: Topology) -> Iterable[str]:
    names = {node.name for node in topology.nodes}
    devices: set[tuple[str, str]] = set()
    for link in topology.links:
        where = f"link {link.name}"
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,11}", link.name) or link.name in (*names, *RESERVED_NAMES):
            yield f"{where}: a name is up to 12 of a-z, 0-9 and -, and no node's"
        if len(link.ends) < 2:
            yield f"{where}: needs at least two ends"
        yield from (f"{where}: {fault}" for index in (0, 1) for fault in shape_faults(link.shape(index)))
        for end in link.ends:
            if end.node not in names:
                yield f"{where}: no node {end.node}"
            if not re.fullmatch(r"[a-z][a-z0-9.-]{0,14}", end.device) or end.device in ("lo", "mgmt0"):
                yield f"{where}: device {end.device!r} is not a free device name"
            if (end.node, end.device) in devices:
                yield f"{where}: {end.node} has a second device {end.device}"
            devices.add((end.node, end.device))
            yield from (f"{where}: {fault}" for address in end.addresses for fault in _interface_faults(address))
            yield from (f"{where}: {fault}" for prefix in end.accept for fault in _network_faults(prefix))


def _customer_faults(topology: Topology) -> Iterable[str]:
    for link in topology.links:
        where = f"link {link.name}"
        if link.kind not in CLIENTS:
            yield f"{where}: kind is {link.kind!r}, not one of {', '.join(CLIENTS)}"
        elif link.kind == STATIC:
            yield from (f"{where}: {end.node} has a client on a static link" for end in link.ends if end.client)
        else:
            yield from (f"{where}: {fault}" for fault in _dynamic_faults(topology, link))


def _dynamic_faults(topology: Topology, link: Link) -> Iterable[str]:
    if len(link.ends) != 2:
        yield "joins a provider and one customer"
        return
    if link.provider.node not in topology.namespaces or link.customer.node not in topology.hosts:
        yield "the first end is the provider's, a namespace, the second the customer's, a host"
    if link.provider.accept or link.provider.client:
        yield f"{link.provider.node} takes no client, and nothing to accept: that is what it gave"
    if link.customer.client not in CLIENTS[link.kind]:
        yield f"client {link.customer.client!r} is not one of {', '.join(CLIENTS[link.kind])}"
    if link.login not in LOGINS:
        yield f"login {link.login!r} is not one of {', '.join(LOGINS)}"
    networks = [ipaddress.ip_interface(address).network for end in link.ends for address in end.addresses]
    if [len(end.addresses) for end in link.ends] != [1, 1] or networks[0] != networks[1] or networks[0].version != 4:
        yield "both ends have one IPv4 address, of one network"


def shape_faults(shape: Shape) -> Iterable[str]:
    """Say what is wrong with a shape, if anything."""
    if shape.rate is not None and shape.rate <= 0:
        yield f"rate {shape.rate} is not above 0"
    if shape.delay < 0 or shape.jitter < 0:
        yield "delay and jitter can't be negative"
    if not 0 <= shape.loss <= 100:
        yield f"loss {shape.loss} is not a percentage"


def _route_faults(topology: Topology) -> Iterable[str]:
    for node in topology.nodes:
        for route in node.routes:
            where = f"node {node.name}: route to {route.to}"
            bad = [*_network_faults(route.to), *_interface_faults(route.via)]
            yield from (f"{where}: {fault}" for fault in bad)
            if not bad and gateway_device(topology, node.name, route.via) is None:
                yield f"{where}: gateway {route.via} is in no network of {node.name}"


def _interface_faults(text: str) -> Iterable[str]:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        yield f"{text!r} is not an address"


def _network_faults(text: str) -> Iterable[str]:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        yield f"{text!r} is not a network"


def _without_name(record: Node | Link) -> dict[str, Any]:
    data = asdict(record)
    del data["name"]
    return data
