#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tunnel_probe
short_description: Prove tunnels with traffic
version_added: 0.1.0
description:
  - Sends ICMP echo through all given tunnels at the same time, in packets as large as the tunnel's MTU that may not be
    fragmented. Where none of them comes back it looks for the largest size that does.
  - Sends echo from extruded addresses too, which may be owned by hosts of the LAN, and reports to which of them the far
    end answered.
  - Or, at the far end, observes which source addresses such packets arrive with.
  - Needs no C(ping) and changes nothing. A tunnel that does not work is a result and no failure of the module, so that
    all of them are reported; see the examples for an assertion.
options:
  tunnels:
    description:
      - The tunnels to probe from this end.
    type: list
    elements: dict
    suboptions:
      wan:
        description:
          - Name of the WAN, for the result. Without it, that of the device.
        type: str
      device:
        description:
          - The device of the tunnel.
        type: str
        required: true
      local:
        description:
          - The inside address of this end, IPv4 or IPv6.
        type: str
        required: true
      remote:
        description:
          - The inside address of the far end.
        type: str
        required: true
      mtu:
        description:
          - The size in bytes of the largest packet that has to pass, with its IP header.
        type: int
        required: true
      link:
        description:
          - The device of the link below, to say in the result whether that has a carrier.
        type: str
      sources:
        description:
          - Extruded addresses to send from as well, in turn, at least three packets from each.
        type: list
        elements: str
      remote6:
        description:
          - The IPv6 inside address of the far end, for O(tunnels[].sources) of IPv6 where the others are IPv4.
        type: str
  observe:
    description:
      - Where to look for packets with an extruded source.
    type: list
    elements: dict
    suboptions:
      device:
        description:
          - The device of the tunnel at this end.
        type: str
        required: true
      token:
        description:
          - The O(token) of the sender.
        type: str
        default: extrude
  token:
    description:
      - What the packets with an extruded source carry, by which O(observe) knows them. At most 64 printable ASCII
        characters without spaces.
    type: str
    default: extrude
  count:
    description:
      - How many packets to send through each tunnel, and at least as many again with extruded sources.
      - With O(observe), after how many packets a device is done.
    type: int
    default: 5
  interval:
    description:
      - Seconds between two packets in the same tunnel.
    type: float
    default: 0.1
  timeout:
    description:
      - Seconds to wait for the last answer.
    type: float
    default: 1.0
  seconds:
    description:
      - How long to observe at most. It ends earlier when every device has seen O(count) packets.
    type: float
    default: 30.0
  background:
    description:
      - With O(observe), whether to return as soon as it looks, and to go on in the background. What was seen until then
        M(multihome.extrude.background_info) has for who asks.
    type: bool
    default: false
requirements:
  - Python 3.11 or newer on the managed host
extends_documentation_fragment:
  - multihome.extrude._attributes.info_module
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Start to observe at the colo
  multihome.extrude.tunnel_probe:
    observe:
      - device: ex1-dsl
        token: office
      - device: ex1-cable
        token: office
    background: true
  delegate_to: colo1
  register: __observing

- name: Probe all tunnels of the site
  multihome.extrude.tunnel_probe:
    token: office
    tunnels:
      - wan: dsl
        device: ex-dsl
        local: 10.254.0.1
        remote: 10.254.0.0
        mtu: 1472
        sources: [203.0.113.10]
      - wan: cable
        device: ex-cable
        local: 10.254.0.3
        remote: 10.254.0.2
        mtu: 1472
        sources: [203.0.113.10]
  register: __probed

- name: Collect what the colo saw
  multihome.extrude.background_info:
    background: "{{ __observing.background }}"
  delegate_to: colo1
  register: __observed

- name: Every tunnel works, and packets arrive with the extruded address
  ansible.builtin.assert:
    that:
      - __probed.tunnels | rejectattr('ok') | length == 0
      - __observed.observed | rejectattr('sources', 'equalto', ['203.0.113.10']) | length == 0
    fail_msg: "{{ (__probed.tunnels + __observed.observed) | map(attribute='error') | select | join('; ') }}"
"""

RETURN = r"""
tunnels:
  description: What was found on each tunnel, in the order of O(tunnels).
  returned: when O(tunnels) is given
  type: list
  elements: dict
  contains:
    wan:
      description: Name of the WAN.
      type: str
      sample: dsl
    device:
      description: The device of the tunnel.
      type: str
      sample: ex-dsl
    present:
      description: Whether the device is there.
      type: bool
    held:
      description: Whether it has the address O(tunnels[].local). Without that, a missing answer says nothing.
      type: bool
    unencrypted:
      description: Why a tunnel that is to be encrypted and does not work is not encrypted. Empty for all others.
      type: str
      sample: ""
    carrier:
      description: Whether O(tunnels[].link) is there, up, and has a carrier; V(true) without that option.
      type: bool
    ok:
      description: Whether packets of the full size came back. Some may be lost, see RV(tunnels[].received).
      type: bool
    sent:
      description: Packets of the full size that were sent.
      type: int
      sample: 5
    received:
      description: Packets of the full size that came back.
      type: int
      sample: 5
    rtt_ms:
      description: Their round-trip times in milliseconds, or those of smaller packets; null when nothing came back.
      type: dict
      sample: {"min": 10.2, "avg": 10.6, "p90": 11.2, "max": 11.9}
    delay_ms:
      description: What this end holds back packets for on the device, to level it with slower tunnels.
      type: float
      sample: 0.0
    mtu:
      description: The full size in bytes.
      type: int
      sample: 1472
    mtu_ok:
      description: Whether packets of that size pass both ways.
      type: bool
    path_mtu:
      description: The largest size that passes both ways, at most RV(tunnels[].mtu); null when nothing came back.
      type: int
      sample: 1472
    sources:
      description: The extruded addresses.
      type: list
      elements: str
      sample: ["203.0.113.10"]
    source_sent:
      description: Packets with an extruded source that were sent.
      type: int
      sample: 5
    source_received:
      description: Answers to extruded addresses, by whichever of the given tunnels they came.
      type: int
      sample: 5
    silent:
      description: The extruded addresses to which no answer came.
      type: list
      elements: str
      sample: []
    error:
      description: What is wrong, in one sentence; empty when nothing is.
      type: str
      sample: ""
background:
  description: The name under which M(multihome.extrude.background_info) has the result.
  returned: with O(background)
  type: str
  sample: 0001f
observed:
  description: What was seen on each device, in the order of O(observe).
  returned: when O(observe) is given, without O(background)
  type: list
  elements: dict
  contains:
    device:
      description: The device.
      type: str
      sample: ex1-dsl
    sources:
      description: The source addresses of the packets with the token.
      type: list
      elements: str
      sample: ["203.0.113.10"]
    packets:
      description: How many of these packets were seen.
      type: int
      sample: 5
    transit_ms:
      description:
        - The shortest time in milliseconds that a packet of the full size took, or null. The difference of the two
          hosts' clocks is in it, so that only the tunnels of a site can be compared by it.
      type: float
      sample: 5.1
    delay_ms:
      description: What this end holds back packets for on the device, to level it with slower tunnels.
      type: float
      sample: 0.0
    error:
      description: Why nothing could be seen, in one sentence; empty when all is well.
      type: str
      sample: ""
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._background import Caller, start
from ansible_collections.multihome.extrude.plugins.module_utils._dump import interfaces, queues, read
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, Fields
from ansible_collections.multihome.extrude.plugins.module_utils._probe import (
    Pace,
    Target,
    Watch,
    duration,
    observe,
    packets,
    probe,
)
from ansible_collections.multihome.extrude.plugins.module_utils._strongswan import lacking

TUNNEL = {
    "wan": {"type": "str"},
    "device": {"type": "str", "required": True},
    "local": {"type": "str", "required": True},
    "remote": {"type": "str", "required": True},
    "mtu": {"type": "int", "required": True},
    "link": {"type": "str"},
    "sources": {"type": "list", "elements": "str"},
    "remote6": {"type": "str"},
}
WATCH = {
    "device": {"type": "str", "required": True},
    "token": {"type": "str", "default": "extrude", "no_log": False},
}


def run(params: dict[str, Any]) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    options = Fields(params, "")
    if params["tunnels"] is not None:
        targets = [Target.parse(item) for item in options.items("tunnels")]
        links = [item["link"] for item in params["tunnels"]]
        results = with_delays(probe(targets, Pace.parse(options)))
        return {"tunnels": with_encryption(with_carriers(with_held(results, targets), links))}
    watches = [Watch.parse(item) for item in options.items("observe")]
    seconds, count = duration(options, "seconds"), packets(options)

    def look(caller: Caller | None = None) -> dict[str, Any]:
        return {"observed": with_delays(observe(watches, seconds, count, caller))}

    return {"background": start(look)} if params["background"] else look()


def with_delays(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results, each with the delay that this end has on the device."""
    by_device = {delay.device: delay.delay for delay in queues(read(()).devices).delays}
    return [{**result, "delay_ms": by_device.get(result["device"], 0.0)} for result in results]


def with_held(results: list[dict[str, Any]], targets: list[Target]) -> list[dict[str, Any]]:
    """The results, each with whether the device has the inside address of this end."""
    held = {(address.device, address.address.partition("/")[0]) for address in read(()).addresses}
    return [
        {**result, "held": (target.device, target.local) in held}
        for result, target in zip(results, targets, strict=True)
    ]


def with_encryption(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results with why those tunnels that do not work are not encrypted, where they should be."""
    why = lacking(result["device"] for result in results if not result["ok"])
    return [{**result, "unencrypted": why.get(result["device"], "")} for result in results]


def with_carriers(results: list[dict[str, Any]], links: list[str | None]) -> list[dict[str, Any]]:
    """The results, each with whether the link below the tunnel can carry anything."""
    alive = {None, *(device.name for device in interfaces()[0].values() if device.up and device.carrier)}
    return [{**result, "carrier": link in alive} for result, link in zip(results, links, strict=True)]


def main() -> None:
    """Read the options, probe or observe."""
    module = AnsibleModule(
        argument_spec={
            "tunnels": {"type": "list", "elements": "dict", "options": TUNNEL},
            "observe": {"type": "list", "elements": "dict", "options": WATCH},
            "token": {"type": "str", "default": "extrude", "no_log": False},
            "count": {"type": "int", "default": 5},
            "interval": {"type": "float", "default": 0.1},
            "timeout": {"type": "float", "default": 1.0},
            "seconds": {"type": "float", "default": 30.0},
            "background": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("tunnels", "observe"), ("tunnels", "background")],
        required_one_of=[("tunnels", "observe")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **run(module.params))
    except EngineError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
