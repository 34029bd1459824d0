#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_keys
short_description: Find the keys by which a site and its colo know each other
version_added: 0.1.0
description:
  - At a site, makes the key by which it reports the addresses of its links where there is none, and returns the public
    part. The private part never leaves the site.
  - At a colo, returns the public keys of the host and the port of its sshd.
  - The role P(multihome.extrude.endpoint#role) uses it.
options:
  end:
    description:
      - Which end the host is.
    type: str
    choices: [site, colo]
    required: true
  path:
    description:
      - The file of the site's key. The public part is not kept.
    type: path
    default: /etc/extrude/endpoint_key
requirements:
  - C(ssh-keygen) at a site, C(sshd) at a colo
extends_documentation_fragment:
  - multihome.extrude._attributes
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Have a key at the site
  multihome.extrude.endpoint_keys:
    end: site
  register: __key

- name: Read those of the colo
  multihome.extrude.endpoint_keys:
    end: colo
  delegate_to: rack1
  register: __door
"""

RETURN = r"""
public_keys:
  description:
    - Public keys, without comments. At a site there is one.
    - In check mode, where the site has no key yet, a text that stands for it.
  returned: success
  type: list
  elements: str
  sample: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5x0vZ8"]
port:
  description: The port of the colo's sshd.
  returned: at a colo
  type: int
  sample: 22
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._endpoint_keys import host_door, site_key
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError


def run(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    if params["end"] == "colo":
        door = host_door()
        return {"changed": False, "public_keys": list(door.keys), "port": door.port}
    made, key = site_key(Path(params["path"]), check)
    return {"changed": made, "public_keys": [key]}


def main() -> None:
    """Read the options, find the keys."""
    options = {
        "end": {"type": "str", "choices": ["site", "colo"], "required": True},
        "path": {"type": "path", "default": "/etc/extrude/endpoint_key"},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except EngineError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
