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
options:
  routes_of:
    description:
      - Read only where the kernel sends packets to some destinations, which is quick however much the host holds.
    type: dict
    suboptions:
      tables:
        description:
          - Numbers of routing tables.
        type: list
        elements: int
        required: true
      destinations:
        description:
          - Prefixes whose routes to return, whoever made them.
        type: list
        elements: str
        required: true
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

- name: Read how an extruded address is spread over the tunnels
  multihome.extrude.extrude_info:
    routes_of:
      tables: [4200, 4217]
      destinations: [203.0.113.10/32]
  register: __spread
"""

RETURN = r"""
applied:
  description: The states that were applied on this host, with the options of M(multihome.extrude.extrude_state).
  returned: when O(routes_of) is not given
  type: list
  elements: dict
owners:
  description: The sites that have anything on this host.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
  contains:
    name:
      description: Customer and site.
      type: str
      sample: acme/office
    secret:
      description:
        - What the secret of the site is called, as M(multihome.extrude.ipsec_secrets) takes it, never the secret.
          Null where the host does not keep that.
      type: dict
      sample: {site: acme.1, links: "*.1.acme.extrude"}
    gone:
      description: Whether nothing is left of it but the note that its change went back.
      type: bool
waiting:
  description: The sites whose last change waits to be confirmed on this host.
  returned: success
  type: list
  elements: str
  sample: [acme/office]
drift:
  description: What the next run would have to do to put back what was applied, in words.
  returned: when O(routes_of) is not given
  type: list
  elements: str
  sample: ["add proxy 203.0.113.10 on eth0"]
tunnels:
  description: The tunnels of all customers, as the kernel holds them.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
addresses:
  description: The addresses on these tunnels.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
routes:
  description: The routes with our protocol number, or those of O(routes_of).
  returned: success
  type: list
  elements: dict
rules:
  description: The rules with our protocol number.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
proxies:
  description: All proxy entries of the host. The kernel does not say whose they are.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
dummies:
  description: The devices of kind dummy or ifb that the collection has made.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
shapers:
  description: The CAKE that the collection has given to devices.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
redirects:
  description: The devices whose received packets go by an ifb; with C(sent) those that they send.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
files:
  description: The files of the states that were applied, with what is in them now.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
watched:
  description: Whether the unit C(extrude-bird.service) watches the tunnels. While it does no stand-by rule is needed.
  returned: success
  type: bool
missing_packages:
  description: Packages that the host lacks.
  returned: when O(routes_of) is not given
  type: list
  elements: str
  sample: []
missing_for_domains:
  description: Packages that it lacks beside these where C(extrude_direct) names domains.
  returned: when O(routes_of) is not given
  type: list
  elements: str
  sample: []
sets:
  description: The sets of addresses of the states that were applied.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
resolvers:
  description: The files of dnsmasq of the states that were applied, with what is in them now.
  returned: when O(routes_of) is not given
  type: list
  elements: dict
ipsec:
  description: What encrypted links need.
  returned: when O(routes_of) is not given
  type: dict
  contains:
    missing_packages:
      description: Packages that the host lacks for them.
      type: list
      elements: str
      sample: []
    missing_for_certificates:
      description: Packages that it lacks beside these where links use certificates.
      type: list
      elements: str
      sample: []
    certificate:
      description: The host's certificate, in PEM; empty where it has none.
      type: str
      sample: ""
    authority:
      description: The certificate of the authority that has signed it, in PEM; empty where there is none.
      type: str
      sample: ""
    rival:
      description: The unit of another IKE daemon that is in use; empty where there is none.
      type: str
      sample: ""
    secrets:
      description: Whose secrets the host keeps.
      type: list
      elements: str
      sample: [acme.1]
stopped_units:
  description: Units of the collection that do not run, or would not after a reboot.
  returned: when O(routes_of) is not given
  type: list
  elements: str
  sample: ["extrude-bird.service"]
networkd_runs:
  description: Whether systemd-networkd runs, so that new settings take a restart of it.
  returned: when O(routes_of) is not given
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._argspec import directories
from ansible_collections.multihome.extrude.plugins.module_utils._runner import run_info


def main() -> None:
    """Read the options, hand over to the engine."""
    options = {"tables": {"type": "list", "elements": "int"}, "destinations": {"type": "list", "elements": "str"}}
    asked = {name: {**option, "required": True} for name, option in options.items()}
    spec = {**directories(), "routes_of": {"type": "dict", "options": asked}}
    run_info(AnsibleModule(argument_spec=spec, supports_check_mode=True))


if __name__ == "__main__":
    main()
