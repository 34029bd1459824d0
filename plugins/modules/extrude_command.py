#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: extrude_command
short_description: Install the command extrude
version_added: 0.1.0
description:
  - Installs the engine of the modules as a Python package on the host, so that boot and the hooks of links run the same
    code as the modules do, and with it other files.
  - The role P(multihome.extrude.host#role) uses it.
options:
  directory:
    description:
      - Folder of the package.
    type: path
    default: /usr/lib/extrude
  files:
    description:
      - Other files to install, all in one go. Folders that are missing are made.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Where the file goes.
        type: path
        required: true
      content:
        description:
          - Its text.
        type: str
        required: true
      mode:
        description:
          - Its permissions, as an octal number.
        type: str
        default: "0644"
requirements:
  - Python 3.11 or newer on the managed host
extends_documentation_fragment:
  - multihome.extrude._attributes
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Install the package and a launcher
  multihome.extrude.extrude_command:
    files:
      - path: /usr/sbin/extrude
        mode: "0755"
        content: |
          #!/bin/sh
          exec /usr/bin/python3 -I /usr/lib/extrude "$@"
"""

RETURN = r"""
installed:
  description: The files that were written, and in check mode those that would be.
  returned: success
  type: list
  elements: str
removed:
  description: Files of the package that earlier versions had.
  returned: success
  type: list
  elements: str
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._install import (
    Wanted,
    command_files,
    differences,
    install,
)

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
}


def run(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    folder = Path(params["directory"])
    others = {Path(file["path"]): Wanted(file["content"], int(file["mode"], 8)) for file in params["files"]}
    to_write, stale = differences({**command_files(folder), **others}, folder)
    if not check:
        install(to_write, stale)
    return {
        "changed": bool(to_write or stale),
        "installed": sorted(map(str, to_write)),
        "removed": sorted(map(str, stale)),
    }


def main() -> None:
    """Read the options, install."""
    options = {
        "directory": {"type": "path", "default": "/usr/lib/extrude"},
        "files": {"type": "list", "elements": "dict", "default": [], "options": FILE},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except EngineError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
