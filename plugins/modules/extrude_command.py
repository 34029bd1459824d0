#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: extrude_command
short_description: Install or remove the command extrude
version_added: 0.1.0
description:
  - Installs the engine of the modules as a Python package on the host, so that boot and the hooks of links run the same
    code as the modules do, and with it other files.
  - Where a later version of the collection has applied something, that is an error before anything is changed; the
    command must not be older than what it has to apply.
  - The role P(multihome.extrude.host#role) uses it.
options:
  state:
    description:
      - V(absent) stops the units among O(files), removes these, the package and O(folders), and the folders that had
        to be made for them where nothing else is in there.
    type: str
    choices: [present, absent]
    default: present
  folders:
    description:
      - With O(state=absent), folders to remove with all that is in them. One with the state of a customer (C(*.json))
        is an error outside check mode, since a site is deployed on the host then.
    type: list
    elements: path
    default: []
  directory:
    description:
      - Folder of the package.
    type: path
    default: /usr/lib/extrude
  files:
    description:
      - Other files to install, all in one go, or to remove. Folders that are missing are made.
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
  description:
    - Files of the package that earlier versions had. With O(state=absent) the files and folders that were there.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._install import (
    Wanted,
    command_files,
    differences,
    install,
    present,
    refuse_in_use,
    remove,
)
from ansible_collections.multihome.extrude.plugins.module_utils._model import FOLDER as STATES
from ansible_collections.multihome.extrude.plugins.module_utils._record import FOLDER as RECORDS
from ansible_collections.multihome.extrude.plugins.module_utils._storage import refuse_newer

KEPT = (Path(STATES), Path(RECORDS))
"""What the command applies, and what it has applied."""
FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True},
    "mode": {"type": "str", "default": "0644"},
}


def run(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    folder = Path(params["directory"])
    others = {Path(file["path"]): Wanted(file["content"], int(file["mode"], 8)) for file in params["files"]}
    if params["state"] == "absent":
        return _removed(folder, [*others], [Path(path) for path in params["folders"]], check)
    to_write, stale = differences({**command_files(folder), **others}, folder)
    if to_write or stale:
        refuse_newer(KEPT)
    if not check:
        install(to_write, stale, folder)
    return _result(to_write, stale)


def _removed(folder: Path, files: list[Path], folders: list[Path], check: bool) -> dict[str, Any]:
    there = present([folder, *files, *folders])
    if there and not check:
        refuse_in_use(folders)
        remove(there, folder)
    return {**_result((), there), "diff": {"before": "".join(f"{path}\n" for path in there), "after": ""}}


def _result(installed: Iterable[Path], removed: Iterable[Path]) -> dict[str, Any]:
    written, gone = sorted(map(str, installed)), sorted(map(str, removed))
    return {"changed": bool(written or gone), "installed": written, "removed": gone}


def main() -> None:
    """Read the options, install."""
    options = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "folders": {"type": "list", "elements": "path", "default": []},
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
