#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: policy_rules
short_description: Manage policy routing rules
version_added: 0.1.0
description:
  - Manages a list of rules that choose a routing table for packets (C(ip rule)).
  - All the fields of a rule make it one. A rule that differs in one of them is added before the old one is purged.
  - Rules are added by ascending priority. They carry the protocol number 120. A like rule of anybody else is an error
    which names the rule.
options:
  rules:
    description: The rules.
    type: list
    elements: dict
    required: true
    suboptions:
      family:
        description: V(4) for IPv4, V(6) for IPv6.
        type: int
        choices: [4, 6]
        default: 4
      priority:
        description: Rules are asked in ascending order of this number.
        type: int
        required: true
      table:
        description: Number of the routing table to look in.
        type: int
        required: true
      source:
        description: Prefix that the source address must be in.
        type: str
      destination:
        description: Prefix that the destination address must be in.
        type: str
      iif:
        description: Device that the packet must have come in by. V(lo) stands for packets of the host itself.
        type: str
      oif:
        description: Device that the sender must have bound itself to.
        type: str
      mark:
        description: Mark that the packet must carry.
        type: int
      mask:
        description: The bits of O(rules[].mark) that count. All of them if not given.
        type: int
      suppress_prefixlength:
        description: Pass over a found route whose prefix is not longer than this. V(0) passes over default routes.
        type: int
      suppress_ifgroup:
        description: Pass over a route that is found if its device is in this link group.
        type: int
extends_documentation_fragment:
  - multihome.extrude._scope
  - multihome.extrude._attributes
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: The WAN answers for itself, the rest goes by the tunnels
  multihome.extrude.policy_rules:
    customer: acme
    site: office
    rules:
      - priority: 4210
        source: 192.0.2.2/32
        table: 4221
      - priority: 4290
        table: 4200
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
      sample: rules
    text:
      description: The operation in words.
      type: str
      sample: "add rule 4290: lookup 4200"
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
    rules = items(
        family={"type": "int", "choices": [4, 6], "default": 4},
        priority={"type": "int", "required": True},
        table={"type": "int", "required": True},
        source={"type": "str"},
        destination={"type": "str"},
        iif={"type": "str"},
        oif={"type": "str"},
        mark={"type": "int"},
        mask={"type": "int"},
        suppress_prefixlength={"type": "int"},
        suppress_ifgroup={"type": "int"},
    )
    module = AnsibleModule(argument_spec={**scope(), "rules": rules}, supports_check_mode=True)
    run_kind(module, "rules")


if __name__ == "__main__":
    main()
