#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_certificate
short_description: Keep the certificate of encrypted links
version_added: 0.1.0
description:
  - Keeps the certificate by which strongSwan proves who this host is, and that of the authority that has signed it, and
    has a running daemon use them, with the host's private key. Keys and certificates of others stay as they are.
  - Connections that are up stay up. Those of a site that are not up are tried at once.
  - The role P(multihome.extrude.ipsec#role) uses it.
options:
  state:
    description:
      - V(absent) removes certificates and keys. A daemon that runs forgets the key at once, them when it ends.
    type: str
    choices: [present, absent]
    default: present
  certificate:
    description:
      - The certificate of the host, in PEM. The private key that it is for is in C(extrude.key) below O(directory),
        where strongSwan does not read it. The module puts both where strongSwan does, together.
      - Required with O(state=present).
    type: str
  authority:
    description:
      - The certificate of the authority, in PEM.
      - Required with O(state=present).
    type: str
  directory:
    description:
      - The folder of strongSwan's keys and certificates, which it reads when it starts.
    type: path
    default: /etc/swanctl
requirements:
  - strongSwan 5.9 with C(swanctl)
extends_documentation_fragment:
  - multihome.extrude._attributes
seealso:
  - module: multihome.extrude.ipsec_secrets
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Keep the certificate
  multihome.extrude.ipsec_certificate:
    certificate: "{{ __signed.certificate }}"
    authority: "{{ lookup('ansible.builtin.file', '/etc/ca/certificate.pem') }}"
"""

RETURN = r"""
files:
  description: Which files change, or what the daemon has to be told anew.
  returned: success
  type: list
  elements: str
  sample: [x509/extrude.pem]
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._certificate import FOLDER, KEY, NEXT_KEY, Certificates
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._model import File


def run(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    kept = Certificates(Path(params["directory"]))
    if params["state"] == "absent":
        changes = kept.remove(check)
    else:
        certificate, authority = (f"{params[name].strip()}\n" for name in ("certificate", "authority"))
        changes = kept.apply(certificate, authority, check)
    befores, afters = ([change[end] for change in changes] for end in (0, 1))
    return {
        "changed": bool(changes),
        "files": [file.path for change in changes if (file := change[1] or change[0])],
        "diff": {"before": _text(befores), "after": _text(afters)},
    }


def _text(files: Iterable[File | None]) -> str:
    """What a diff shows of files: of a private key nothing."""
    shown = (file for file in files if file and file.path not in (KEY, NEXT_KEY))
    return "".join(f"# {file.path}{f', {file.extra}' if file.extra else ''}\n{file.content}" for file in shown)


def main() -> None:
    """Read the options, keep the certificates."""
    options = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "certificate": {"type": "str"},
        "authority": {"type": "str"},
        "directory": {"type": "path", "default": str(FOLDER)},
    }
    needed = [("state", "present", ["certificate", "authority"])]
    module = AnsibleModule(argument_spec=options, required_if=needed, supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except EngineError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
