#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: extrude_info
short_description: Read the kernel objects of the collection
version_added: 0.1.0
description:
  - Reads what the collection holds in the kernel of a host, and what was applied there.
options: {}
extends_documentation_fragment:
  - multihome.extrude._scope.directory
  - multihome.extrude._scope.config_directory
  - multihome.extrude._attributes.info_module
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Read what is there
  multihome.extrude.extrude_info:
  register: __extrude

- name: Show the tunnels
  ansible.builtin.debug:
    var: __extrude.tunnels
"""

RETURN = r"""
applied:
  description: The states that were applied on this host, with the options of M(multihome.extrude.extrude_state).
  returned: success
  type: list
  elements: dict
drift:
  description: What the next run would have to do to put back what was applied, in words.
  returned: success
  type: list
  elements: str
  sample: ["add proxy 203.0.113.10 on eth0"]
tunnels:
  description: The tunnels of all customers, as the kernel holds them.
  returned: success
  type: list
  elements: dict
addresses:
  description: The addresses on these tunnels.
  returned: success
  type: list
  elements: dict
routes:
  description: The routes with our protocol number.
  returned: success
  type: list
  elements: dict
rules:
  description: The rules with our protocol number.
  returned: success
  type: list
  elements: dict
proxies:
  description: All proxy entries of the host. The kernel does not say whose they are.
  returned: success
  type: list
  elements: dict
dummies:
  description: The devices of kind dummy that the collection has made.
  returned: success
  type: list
  elements: dict
files:
  description: The files of the states that were applied, with what is in them now.
  returned: success
  type: list
  elements: dict
watched:
  description: Whether the unit C(extrude-bird.service) watches the tunnels. While it does no stand-by rule is needed.
  returned: success
  type: bool
missing_packages:
  description: Packages that the host lacks.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._argspec import directories
from ansible_collections.multihome.extrude.plugins.module_utils._runner import run_info


def main() -> None:
    """Read the options, hand over to the engine."""
    run_info(AnsibleModule(argument_spec=directories(), supports_check_mode=True))


if __name__ == "__main__":
    main()
