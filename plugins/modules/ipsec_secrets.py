#!/usr/bin/python
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipsec_secrets
short_description: Keep the secrets of encrypted links
version_added: 0.1.0
description:
  - Keeps the secrets by which strongSwan at a site and at its colo know each other, each in a file that only root
    reads, and has a running daemon use them. Secrets of others stay as they are.
  - Connections that are up stay up when a secret changes. Those of a site that are not up are tried at once.
  - The role P(multihome.extrude.ipsec#role) uses it. No result and no diff shows a secret.
options:
  secrets:
    description:
      - A secret for each site. Sites that are not listed keep theirs.
    type: list
    elements: dict
    required: true
    suboptions:
      site:
        description:
          - What the secret is called on the host.
        type: str
        required: true
      links:
        description:
          - The names by which the links of the site call, as a pattern.
        type: str
        required: true
      secret:
        description:
          - The secret. Without it the site has no use for one, and with O(former=forget) none any more.
        type: str
  former:
    description:
      - What becomes of a secret that another one replaces. V(forget) - it goes. V(accept) - the far end may still prove
        itself by it. V(use) - this host still proves itself by it, too, and takes either one from the far end.
      - First V(use) at the colo, then V(accept) at the site, then V(forget) at both - so both know each other all the
        while, and also where a run is cut short.
    type: str
    choices: [forget, accept, use]
    default: forget
  directory:
    description:
      - The folder of the files, which strongSwan reads when it starts.
    type: path
    default: /etc/swanctl/conf.d
requirements:
  - strongSwan 5.9 with C(swanctl)
extends_documentation_fragment:
  - multihome.extrude._attributes
attributes:
  diff_mode:
    support: partial
    details: Shows whose secrets change, never the secrets.
seealso:
  - module: multihome.extrude.extrude_state
author:
  - The multihome.extrude authors (@multihome-extrude)
"""

EXAMPLES = r"""
- name: Keep the secret of a site
  multihome.extrude.ipsec_secrets:
    secrets:
      - site: acme.1
        links: "*.1.acme.extrude"
        secret: "{{ extrude_ipsec_psk }}"
  no_log: true
"""

RETURN = r"""
sites:
  description: Whose secrets change.
  returned: success
  type: list
  elements: str
  sample: [acme.1]
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._strongswan import FOLDER, Secret, Secrets


def run(params: dict[str, Any], check: bool) -> dict[str, Any]:
    """The result for the options of the module; raises EngineError."""
    asked, kept = [Secret(**entry) for entry in params["secrets"]], Secrets(Path(params["directory"]))
    sites = kept.apply(asked, check, params["former"])
    told = "".join(f"secret of {site}\n" for site in sites)
    return {
        "changed": bool(sites),
        "sites": sites,
        "diff": {"before": "", "after": told},
    }


def main() -> None:
    """Read the options, keep the secrets."""
    entry = {
        "site": {"type": "str", "required": True},
        "links": {"type": "str", "required": True},
        "secret": {"type": "str", "no_log": True},
    }
    # the sites' names are no secrets, whatever the option is called
    options = {
        "secrets": {"type": "list", "elements": "dict", "options": entry, "required": True, "no_log": False},
        "former": {"type": "str", "choices": ["forget", "accept", "use"], "default": "forget"},
        "directory": {"type": "path", "default": str(FOLDER)},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except EngineError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
