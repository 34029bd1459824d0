#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: multipath_routes
short_description: Manage routes with weighted next hops
version_added: 0.1.0
description:
  - Manages a list of routes in one call, which brings about all of them or changes nothing.
  - Its table, destination and metric make a route. All else is changed in place, in one step.
  - Routes carry the protocol number 120. A route of anybody else in the same place is never taken over.
    That is an error which names the route.
options:
  routes:
    description: The routes.
    type: list
    elements: dict
    required: true
    suboptions:
      destination:
        description: Prefix such as V(203.0.113.0/24), V(0.0.0.0/0) for the IPv4 default route.
        type: str
        required: true
      table:
        description: Number of the routing table.
        type: int
        default: 254
      metric:
        description: Of routes to the same destination the kernel takes the lowest metric. IPv6 makes 1024 of V(0).
        type: int
        default: 0
      type:
        description: What happens to packets. With V(throw) the rules after that of the table decide.
        type: str
        choices: [unicast, blackhole, unreachable, prohibit, throw]
        default: unicast
      scope:
        description: Scope of the destination (IPv4). V(link) if no next hop has a gateway, else V(global).
        type: str
        choices: [global, link, host]
      source:
        description: Source address that the host itself prefers for this route.
        type: str
      nexthops:
        description: Where packets go. Required with O(routes[].type=unicast), refused with any other type.
        type: list
        elements: dict
        suboptions:
          device:
            description: Device to send by.
            type: str
            required: true
          gateway:
            description: Address of the next router. IPv6 wants one in routes of several next hops.
            type: str
          weight:
            description: Share of this next hop, 1 to 255.
            type: int
            default: 1
extends_documentation_fragment:
  - multihome.extrude._scope
  - multihome.extrude._attributes
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: The default route of a table, two thirds by DSL
  multihome.extrude.multipath_routes:
    customer: acme
    site: office
    routes:
      - destination: 0.0.0.0/0
        table: 4200
        nexthops:
          - device: ex-dsl
            weight: 2
          - device: ex-cable
            weight: 1
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
      sample: routes
    text:
      description: The operation in words.
      type: str
      sample: "add route 0.0.0.0/0 table 4200 metric 0 dev ex-cable weight 1 dev ex-dsl weight 2"
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
from ansible_collections.multihome.extrude.plugins.module_utils._model import ROUTE_TYPES, SCOPES
from ansible_collections.multihome.extrude.plugins.module_utils._runner import run_kind


def main() -> None:
    """Read the options, hand over to the engine."""
    routes = items(
        destination={"type": "str", "required": True},
        table={"type": "int", "default": 254},
        metric={"type": "int", "default": 0},
        type={"type": "str", "choices": list(ROUTE_TYPES), "default": "unicast"},
        scope={"type": "str", "choices": list(SCOPES)},
        source={"type": "str"},
        nexthops={
            "type": "list",
            "elements": "dict",
            "options": {
                "device": {"type": "str", "required": True},
                "gateway": {"type": "str"},
                "weight": {"type": "int", "default": 1},
            },
        },
    )
    module = AnsibleModule(argument_spec={**scope(), "routes": routes}, supports_check_mode=True)
    run_kind(module, "routes")


if __name__ == "__main__":
    main()
