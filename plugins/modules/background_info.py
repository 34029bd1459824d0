#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: background_info
short_description: Collect the result of a module that works in the background
version_added: 0.1.0
description:
  - Waits until a module that was started with C(background=true) has ended, and returns what that would have returned.
    M(multihome.extrude.tunnel_probe) and M(multihome.extrude.path_drill) can work like that, at the far end of what
    they measure. They wait for packets until they are asked, at most.
  - Each result can be had once, and for ten minutes. Nothing is left behind on the host, even where nobody asks.
options:
  background:
    description:
      - What the module that was started has returned under that name.
    type: str
    required: true
  seconds:
    description:
      - How long to wait for the result.
    type: float
    default: 60.0
requirements:
  - Python 3.11 or newer on the managed host
extends_documentation_fragment:
  - multihome.extrude._attributes.info_module
seealso:
  - module: multihome.extrude.tunnel_probe
  - module: multihome.extrude.path_drill
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Start to observe at the colo
  multihome.extrude.tunnel_probe:
    observe:
      - device: ex1-dsl
        token: office
    background: true
  delegate_to: colo1
  register: __observing

- name: Collect what the colo saw
  multihome.extrude.background_info:
    background: "{{ __observing.background }}"
  delegate_to: colo1
  register: __observed

- name: Say from where packets came
  ansible.builtin.debug:
    msg: "{{ __observed.observed | map(attribute='sources') }}"
"""

RETURN = r"""
observed:
  description: What M(multihome.extrude.tunnel_probe) returns under that name, when that was started.
  returned: when that was started
  type: list
  elements: dict
log:
  description: What M(multihome.extrude.path_drill) returns under that name, when that was started.
  returned: when that was started
  type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._background import collect
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, Fields
from ansible_collections.multihome.extrude.plugins.module_utils._probe import duration


def run(params: dict[str, Any]) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    return {"changed": False, **collect(params["background"], duration(Fields(params, ""), "seconds"))}


def main() -> None:
    """Read the options, wait for the result."""
    module = AnsibleModule(
        argument_spec={
            "background": {"type": "str", "required": True},
            "seconds": {"type": "float", "default": 60.0},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params))
    except EngineError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
