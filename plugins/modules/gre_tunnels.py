#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gre_tunnels
short_description: Manage GRE tunnels
version_added: 0.1.0
description:
  - Manages a list of GRE tunnels over IPv4 in one call, which brings about all of them or changes nothing.
  - A tunnel that differs is changed in place, so that its addresses and routes stay.
  - Each tunnel carries its owner in its alias (C(ip link show) prints it).
  - A device of anybody else is never taken over. That is an error which names the device.
options:
  tunnels:
    description: The tunnels.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the device, at most 15 characters.
        type: str
        required: true
      local:
        description: Own outer IPv4 address.
        type: str
        required: true
      remote:
        description: Outer IPv4 address of the far end.
        type: str
        required: true
      key:
        description: Key on which both ends must agree (RFC 2890). Without it packets carry none.
        type: int
      ttl:
        description: Time to live of the outer packets. V(0) copies it from the inner one.
        type: int
        default: 64
      tos:
        description: Type of service of the outer packets. V(1) copies it from the inner one.
        type: int
        default: 0
      pmtudisc:
        description: Whether outer packets must not be fragmented.
        type: bool
        default: true
      mtu:
        description: Largest inner packet in bytes. A link of 1500 bytes leaves 1472 with a key.
        type: int
        default: 1472
      device:
        description: Device that the outer packets must leave by. Without it the routing tables choose.
        type: str
      wan:
        description: Name of the link for the alias, the name of the device if not given.
        type: str
extends_documentation_fragment:
  - multihome.extrude._scope
  - multihome.extrude._attributes
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Two tunnels to the rack, and no others for this site
  multihome.extrude.gre_tunnels:
    customer: acme
    site: office
    purge: true
    tunnels:
      - name: ex-dsl
        local: 192.0.2.2
        remote: 203.0.113.2
        key: 17
      - name: ex-cable
        local: 198.51.100.2
        remote: 203.0.113.2
        key: 18
"""

RETURN = r"""
operations:
  description:
    - What was done, in order; in check mode what would be done.
    - After an error everything that was done is undone again.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(add), V(change) or V(delete).
      type: str
      sample: add
    kind:
      description: The kind of object, named as the lists of a state are.
      type: str
      sample: tunnels
    text:
      description: The operation in words.
      type: str
      sample: "add tunnel ex-dsl 192.0.2.2 -> 203.0.113.2 key 17"
    before:
      description: The object as it was, V(null) where there was none.
      type: dict
    after:
      description: The object as it is now, V(null) where it is gone.
      type: dict
missing_packages:
  description: Packages that the host lacks. Outside check mode it is an error to lack them.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._argspec import items, scope
from ansible_collections.multihome.extrude.plugins.module_utils._runner import run_kind


def main() -> None:
    """Read the options, hand over to the engine."""
    tunnels = items(
        name={"type": "str", "required": True},
        local={"type": "str", "required": True},
        remote={"type": "str", "required": True},
        key={"type": "int", "no_log": False},
        ttl={"type": "int", "default": 64},
        tos={"type": "int", "default": 0},
        pmtudisc={"type": "bool", "default": True},
        mtu={"type": "int", "default": 1472},
        device={"type": "str"},
        wan={"type": "str"},
    )
    module = AnsibleModule(argument_spec={**scope(), "tunnels": tunnels}, supports_check_mode=True)
    run_kind(module, "tunnels")


if __name__ == "__main__":
    main()
