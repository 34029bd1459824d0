# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lab show` prints."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .topology import Link, Topology

# Devices that every namespace has: loopback, management, and what the kernel makes with its tunnel modules.
UNINTERESTING = ("lo", "mgmt0", "gre0", "gretap0", "erspan0", "ip6gre0", "ip6tnl0", "tunl0", "sit0")


@dataclass
class Report:
    """What the machine said of itself (`control show`, one fact a line)."""

    addresses: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    links: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def parse_report(text: str) -> Report:
    """Read what `control show` printed."""
    report = Report()
    for line in text.splitlines():
        kind, name, *words = line.split()
        if kind == "device" and words[0] not in UNINTERESTING:
            report.addresses[name].append(_device_words(*words))
        elif kind == "address":
            report.given[name] = words[0]
        elif kind == "link":
            report.links[name] = words[0]
        elif kind == "shape":
            report.shapes[name] = " ".join(words)
        elif kind == "host":
            report.hosts[name] = words[0]
        elif kind == "missing":
            report.missing.append(name)
    return report


def show_text(title: str, topology: Topology, report: Report, ssh_config: Path) -> str:
    """Return a running lab's nodes with addresses, links with state, and what to type."""
    lines = [title]
    for name in (*topology.hosts, *topology.namespaces):
        lines.append(f"  {name:<10} {_kind(report, name):<10} {', '.join(report.addresses[name])}")
    lines += [_link_line(link, report) for link in topology.links]
    if report.missing:
        lines.append(f"  this kernel lacks: {' '.join(report.missing)}")
    lines.append(f"  type: ssh -F {shlex.quote(str(ssh_config))} {topology.hosts[-1] if topology.hosts else 'labvm'}")
    return "\n".join(lines)


def _device_words(device: str, state: str, *addresses: str) -> str:
    visible = [address for address in addresses if not address.startswith("fe80:")]
    return " ".join([device, *visible, *(["(no carrier)"] if state == "LOWERLAYERDOWN" else [])])


def _kind(report: Report, name: str) -> str:
    if name not in report.hosts:
        return "namespace"
    return "host" if report.hosts[name] == "on" else "host, off"


def _link_line(link: Link, report: Report) -> str:
    ends = " -- ".join(f"{end.node}:{end.device}" for end in link.ends)
    facts = "; ".join((*_given(link, report), *_shaped(link, report)))
    return f"  link {link.name:<12} {report.links.get(link.name, '?'):<11} {ends}{f' ({facts})' if facts else ''}"


def _given(link: Link, report: Report) -> Iterable[str]:
    if link.name in report.given:
        yield f"{link.kind} gives {report.given[link.name]}"


def _shaped(link: Link, report: Report) -> Iterable[str]:
    for end, port in zip(link.ends, link.ports, strict=True):
        parameters, _limit, _packets = report.shapes.get(port, "").partition(" limit ")
        if parameters:
            yield f"to {end.node}: {parameters}"
