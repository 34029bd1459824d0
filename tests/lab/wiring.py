# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a topology to the files that the guest's scripts read (guest/lib.sh): batches for ip, networkd units and so on.

All functions are pure. The key of a resulting mapping is a path below the guest's /lab, the value the file's text.
"""

from __future__ import annotations

import hashlib
import ipaddress

from .customer import customer_files
from .provider import provider_batch, provider_files, provider_sysctls
from .topology import STATIC, End, Link, Nat, Node, Route, Shape, Topology, gateway_device

PACKET_BYTES = 1514

FORWARDING = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")
# A namespace has nobody who withdraws routes when a line is cut; hosts have networkd.
NAMESPACE_SYSCTLS = {
    "net/ipv4/conf/all/ignore_routes_with_linkdown": 1,
    "net/ipv6/conf/all/ignore_routes_with_linkdown": 1,
}
UDP_TIMEOUTS = ("net/netfilter/nf_conntrack_udp_timeout", "net/netfilter/nf_conntrack_udp_timeout_stream")


def guest_files(topology: Topology) -> dict[str, str]:
    """Return every file that follows from the topology."""
    files = {
        "address": f"{topology.management_addresses['labvm']}/{topology.management.prefixlen}\n",
        "hosts": " ".join(topology.hosts) + "\n",
        "namespaces": " ".join(topology.namespaces) + "\n",
        "net/wires.ip": wires_batch(topology),
        "common/etc/hosts": hosts_file(topology),
    }
    for link in topology.links:
        files[f"net/{link.name}.link"] = " ".join(link.ports) + "\n"
        files[f"state/link.{link.name}"] = "up\n"
        for index, port in enumerate(link.ports):
            files[f"state/shape.{port}"] = netem(link.shape(index)) + "\n"
    for link in topology.dynamic_links:
        files |= provider_files(link, mac_address(link.customer.node, link.customer.device))
    for node in topology.nodes:
        files |= cable_files(topology, node)
        files |= host_files(topology, node) if node.kind == "host" else namespace_files(topology, node)
    return files


def netem(shape: Shape) -> str:
    """Return parameters of `tc qdisc … netem`, empty when nothing is shaped.

    The limit is in packets and holds those under way (rate times delay) as well as the queue.
    """
    words: list[str] = []
    if shape.delay or shape.jitter:
        words += ["delay", f"{shape.delay:g}ms", *([f"{shape.jitter:g}ms"] if shape.jitter else [])]
    if shape.loss:
        words += ["loss", f"{shape.loss:g}%"]
    if shape.rate:
        words += ["rate", f"{round(shape.rate * 1000)}kbit"]
        packets = shape.rate * 1000 / 8 * (shape.delay + shape.jitter + shape.queue) / PACKET_BYTES
        words += ["limit", str(max(32, round(packets)))]
    elif words:
        words += ["limit", "20000"]
    return " ".join(words)


def mac_address(node: str, device: str) -> str:
    """Return a locally administered address that stays the same over reboots."""
    digest = hashlib.sha256(f"{node}/{device}".encode()).hexdigest()
    return ":".join(["02", *(digest[start : start + 2] for start in range(0, 10, 2))])


def wires_batch(topology: Topology) -> str:
    """Return `ip -batch` commands for the namespace `wires`: one bridge a link."""
    lines = [f"link add name {link.name} type bridge forward_delay 0 mcast_snooping 0" for link in topology.links]
    return _lines(*lines, *(f"link set {link.name} up" for link in topology.links))


def cable_files(topology: Topology, node: Node) -> dict[str, str]:
    """Return what plugs a node in: its veth pairs, their places in `wires`, and the list of (device, port)."""
    ends = topology.ends_of(node.name)
    cables = [_cable(link, index, end) for link, index, end in ends]
    if node.kind == "host":
        mac = mac_address(node.name, "mgmt0")
        cables += [
            f"link add name m.{node.name} type veth peer name mgmt0 netns {node.name} address {mac}",
            f"link set m.{node.name} master mgmt up",
        ]
    wires = [f"link set {link.port(index)} master {link.name}" for link, index, _end in ends]
    return {
        f"net/{node.name}.cables": _lines(*cables),
        f"net/{node.name}.wires": _lines(*wires),
        f"net/{node.name}.ports": " ".join(link.port(index) for link, index, _end in ends) + "\n",
    }


def namespace_files(topology: Topology, node: Node) -> dict[str, str]:
    """Return what configures a namespace: sysctls, addresses and routes, NAT, source filters, services."""
    prefix = f"net/{node.name}"
    ends = [end for _link, _index, end in topology.ends_of(node.name)]
    provided = [link for link in topology.dynamic_links if link.provider.node == node.name]
    sysctls = {**NAMESPACE_SYSCTLS, **(dict.fromkeys(FORWARDING, 1) if node.forward or node.nat else {})}
    sysctls |= provider_sysctls(provided)
    sysctls |= dict.fromkeys(UDP_TIMEOUTS, node.nat.udp_timeout) if node.nat else {}
    batch = ["link set lo up", *(f"link set {end.device} up" for end in ends)]
    for end in static_ends(topology, node):
        batch += [f"addr add {address} dev {end.device}{_no_dad(address)}" for address in end.addresses]
    batch += [command for link in provided for command in provider_batch(link)]
    batch += [_route(route, gateway_device(topology, node.name, route.via)) for route in node.routes]
    files = {
        f"{prefix}.sysctl": _lines(*(f"{name} {value}" for name, value in sysctls.items())),
        f"{prefix}.ip": _lines(*batch),
        f"{prefix}.services": " ".join(node.services) + "\n",
        f"{prefix}.provided": " ".join(link.name for link in provided) + "\n",
    }
    if node.nat:
        files[f"{prefix}.nat"] = nat_rules(node.nat)
    if any(end.accept for end in ends):
        files |= {f"{prefix}.filter{version}": source_filter(ends, version) for version in (4, 6)}
    return files


def nat_rules(nat: Nat) -> str:
    """Return iptables-restore text of a NAT: it passes what has ports or is ICMP, and no answers that nobody asked for.

    Each flow gets a port by chance, as at a provider's NAT: one that was forgotten comes back from another port.
    """
    return _lines(
        "*nat",
        f"-A POSTROUTING -o {nat.outside} -j MASQUERADE --random-fully",
        "COMMIT",
        "*filter",
        ":outward - [0:0]",
        "-A outward -m conntrack --ctstate INVALID -j DROP",
        *(f"-A outward -p {protocol} -j RETURN" for protocol in ("tcp", "udp", "icmp")),
        "-A outward -j DROP",
        f"-A FORWARD -o {nat.outside} -j outward",
        *(
            f"-A {chain} -i {nat.outside} -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP"
            for chain in ("FORWARD", "INPUT")
        ),
        "COMMIT",
    )


def source_filter(ends: list[End], version: int) -> str:
    """Return iptables-restore text that drops what a customer sends with a source that isn't the customer's."""
    rules = []
    for end in (end for end in ends if end.accept):
        rules += [
            f"-A FORWARD -i {end.device} -s {prefix} -j ACCEPT"
            for prefix in end.accept
            if ipaddress.ip_network(prefix).version == version
        ]
        rules.append(f"-A FORWARD -i {end.device} -j DROP")
    return _lines("*filter", ":FORWARD ACCEPT [0:0]", *rules, "COMMIT")


def host_files(topology: Topology, node: Node) -> dict[str, str]:
    """Return the files of a host: its name, what configures its devices and, for a router, its sysctls."""
    root = f"files/{node.name}"
    prefix = f"{root}/etc"
    management = f"{topology.management_addresses[node.name]}/{topology.management.prefixlen}"
    files = {
        f"{prefix}/hostname": f"{node.name}\n",
        f"{prefix}/machine-id": hashlib.sha256(node.name.encode()).hexdigest()[:32] + "\n",
        f"{prefix}/systemd/network/10-mgmt0.network": networkd_unit("mgmt0", (management,), ()),
    }
    for end in static_ends(topology, node):
        routes = tuple(route for route in node.routes if gateway_device(topology, node.name, route.via) == end.device)
        files[f"{prefix}/systemd/network/20-{end.device}.network"] = networkd_unit(end.device, end.addresses, routes)
    given = [link for link in topology.dynamic_links if link.customer.node == node.name]
    files |= {f"{root}/{name}": text for name, text in customer_files(given).items()}
    if node.forward:
        files[f"{prefix}/sysctl.d/50-forward.conf"] = _lines(*(f"{name} = 1" for name in FORWARDING))
    return files


def static_ends(topology: Topology, node: Node) -> list[End]:
    """Return the devices of a node whose addresses are set there."""
    return [end for link, _index, end in topology.ends_of(node.name) if link.kind == STATIC]


def networkd_unit(device: str, addresses: tuple[str, ...], routes: tuple[Route, ...]) -> str:
    """Return a .network file, as an administrator would write it."""
    lines = ["[Match]", f"Name={device}", "", "[Network]", "IPv6AcceptRA=no"]
    lines += [f"Address={address}" for address in addresses]
    for route in routes:
        lines += ["", "[Route]", f"Destination={route.to}", f"Gateway={route.via}"]
        lines += [f"Metric={route.metric}"] if route.metric is not None else []
    return _lines(*lines)


def hosts_file(topology: Topology) -> str:
    """Return /etc/hosts: the hosts by their management addresses."""
    names = topology.management_addresses
    return _lines("127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items()))


def _cable(link: Link, index: int, end: End) -> str:
    """Return the command that makes one cable.

    `gso_max_segs 1`: shapers must see packets as they are on a real line, no super-packets.
    """
    mac = mac_address(end.node, end.device)
    return (
        f"link add name {link.port(index)} netns wires mtu {link.mtu} type veth "
        f"peer name {end.device} netns {end.node} mtu {link.mtu} gso_max_segs 1 address {mac}"
    )


def _no_dad(address: str) -> str:
    """Return the word that makes an IPv6 address usable at once."""
    return " nodad" if ipaddress.ip_interface(address).version == 6 else ""


def _route(route: Route, device: str | None) -> str:
    metric = "" if route.metric is None else f" metric {route.metric}"
    return f"route add {route.to} via {route.via} dev {device}{metric}"


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)
