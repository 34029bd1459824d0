# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `ipsec_secrets`; its documentation is in ipsec_secrets.yml."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

PSK = "extrude_ipsec_psk"


def ipsec_secrets(states: Any, hostvars: Any) -> list[dict[str, Any]]:
    """Return what the module `ipsec_secrets` keeps for some sites, of which some may encrypt nothing."""
    if not (isinstance(states, list | tuple) and isinstance(hostvars, Mapping)):
        raise AnsibleFilterError("ipsec_secrets is used as: states | multihome.extrude.ipsec_secrets(hostvars)")
    return [_secret(state, hostvars) for state in states]


def _secret(state: Mapping[str, Any], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    """Return the secret of a site, and nothing in its place where it needs none."""
    made = dict(state["secret"])
    needed = state["connections"] and not state["certificate"]
    return {**made, "secret": _own(hostvars[state["site"]][PSK], made["links"])} if needed else made


def _own(secret: str, links: str) -> str:
    """Return what the links of one site use: who has it cannot be another site that was given the same secret."""
    return hmac.new(secret.encode(), links.encode(), "sha256").hexdigest()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"ipsec_secrets": ipsec_secrets}
