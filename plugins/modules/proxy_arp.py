#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_arp
short_description: Answer ARP and neighbour solicitations for addresses
version_added: 0.1.0
description:
  - Manages the single addresses for which a device answers ARP (IPv4) or neighbour solicitations (IPv6),
    so that hosts on that segment send packets for them here.
  - Sets what the kernel needs for it. Forwarding, C(proxy_ndp) for IPv6, and C(proxy_delay=0), since the default delays
    answers by up to 0.8 seconds.
  - Announces each newly taken address on the segment, so that neighbours learn the new owner at once.
  - First asks the segment whether somebody there holds one of the new addresses. That is an error, which names the
    MAC address that answered.
  - The kernel forgets these entries when the device is set down. The next run puts them back.
options:
  proxies:
    description: The addresses.
    type: list
    elements: dict
    required: true
    suboptions:
      device:
        description: The device that answers.
        type: str
        required: true
      address:
        description: A single IPv4 or IPv6 address. The kernel takes no prefixes here.
        type: str
        required: true
  take_over:
    description:
      - Take addresses without asking, even those that a neighbour holds.
      - For segments whose router answers ARP for everything.
    type: bool
    default: false
extends_documentation_fragment:
  - multihome.extrude._scope
  - multihome.extrude._attributes
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: The rack answers ARP for an address that lives at the office
  multihome.extrude.proxy_arp:
    customer: acme
    site: office
    proxies:
      - device: eth0
        address: 203.0.113.10
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
      sample: proxies
    text:
      description: The operation in words.
      type: str
      sample: "add proxy 203.0.113.10 on eth0"
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
from ansible_collections.multihome.extrude.plugins.module_utils._model import needed_by_proxies
from ansible_collections.multihome.extrude.plugins.module_utils._runner import run_kind


def main() -> None:
    """Read the options, hand over to the engine."""
    proxies = items(
        device={"type": "str", "required": True},
        address={"type": "str", "required": True},
    )
    take_over = {"type": "bool", "default": False}
    spec = {**scope(), "proxies": proxies, "take_over": take_over}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run_kind(module, "proxies", needed_by_proxies)


if __name__ == "__main__":
    main()
