# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users feel, measured in a lab: who answers for an address, where packets come from, each link's share."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.lab.lab import Lab

ROUTER_ADDRESS = "203.0.113.10"
"""Extruded to the office's router; its LAN leaves as this one."""

DESK_ADDRESS = "203.0.113.11"
"""Extruded to the host on the office's LAN."""

INTERNET_ADDRESS = "198.18.0.10"

FLOWS = 240
PACKETS_A_FLOW = 5
SENDER = """
import socket, sys, time
source, target, flows, packets = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for port in range(20000, 20000 + flows):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, port))
        for _ in range(packets):
            try:
                sender.sendto(b"x" * 400, (target, 9))
            except ConnectionRefusedError:
                pass
    time.sleep(0.005)  # all at once would overflow the lab's queues
"""


@dataclass(frozen=True)
class Shares:
    """The part of the packets that each tunnel of the office carried, by WAN, in percent."""

    up: dict[str, int]
    down: dict[str, int]


def own_the_desk_address(lab: Lab) -> None:
    """Give the LAN host the extruded address that is meant for it."""
    lab.exec("desk", ["ip", "address", "replace", f"{DESK_ADDRESS}/32", "dev", "eth0"])


def source_seen_outside(lab: Lab, node: str, source: str | None = None) -> str:
    """The address that a web server on the internet sees when *node* asks it."""
    bound = ["--interface", source] if source else []
    return fetch(lab, node, f"http://{INTERNET_ADDRESS}/ip", *bound)


def fetch(lab: Lab, node: str, url: str, *options: str) -> str:
    """The body of a page, fetched from *node*."""
    return lab.exec(node, ["curl", "-s", "--fail", "--max-time", "10", *options, url]).stdout.strip()


def reaches(lab: Lab, node: str, address: str, count: int = 3) -> bool:
    """Whether an address answers pings from *node*."""
    command = ["ping", "-c", str(count), "-i", "0.2", "-W", "2", address]
    return lab.exec(node, command, check=False).returncode == 0


def neighbour(lab: Lab, node: str, address: str) -> str:
    """The MAC address in *node*'s ARP cache for *address*, empty if there is none."""
    entries = json.loads(lab.exec(node, ["ip", "-j", "neigh", "show", "to", address]).stdout)
    return next((entry["lladdr"] for entry in entries if "lladdr" in entry), "")


def mac(lab: Lab, node: str, device: str) -> str:
    """The MAC address of a device."""
    return str(json.loads(lab.exec(node, ["ip", "-j", "link", "show", "dev", device]).stdout)[0]["address"])


def shares(lab: Lab) -> Shares:
    """Send many flows each way between the internet and the LAN host, and count what each tunnel carries."""
    up = _carried(lab, "tx", sender="desk", source=DESK_ADDRESS, target=INTERNET_ADDRESS)
    down = _carried(lab, "rx", sender="internet", source=INTERNET_ADDRESS, target=DESK_ADDRESS)
    return Shares(up, down)


def _carried(lab: Lab, direction: str, *, sender: str, source: str, target: str) -> dict[str, int]:
    before = counters(lab, direction)
    lab.exec(sender, ["python3", "-c", SENDER, source, target, str(FLOWS), str(PACKETS_A_FLOW)])
    after = counters(lab, direction)
    packets = {wan: after[wan] - before.get(wan, 0) for wan in after}
    return {wan: round(100 * count / max(1, sum(packets.values()))) for wan, count in packets.items()}


def counters(lab: Lab, direction: str) -> dict[str, int]:
    """Packets of each tunnel at the office so far, by WAN."""
    links = json.loads(lab.exec("office", ["ip", "-j", "-s", "link", "show", "type", "gre"]).stdout)
    named = {link["ifname"].removeprefix("ex-"): link for link in links if link.get("ifname", "").startswith("ex-")}
    return {wan: link["stats64"][direction]["packets"] for wan, link in named.items()}
