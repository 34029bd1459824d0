# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `ipsec_request`; its documentation is in ipsec_request.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.multihome.extrude.plugins.plugin_utils._certificate_request import lapse


def ipsec_request(request: Any, certificate: Any, host: Any) -> str:
    """Return a host's request for a certificate if it asks for what its state says, and nothing else."""
    if not (isinstance(request, str) and isinstance(certificate, Mapping) and isinstance(host, str)):
        raise AnsibleFilterError(
            "ipsec_request is used as: request | multihome.extrude.ipsec_request(certificate, host)"
        )
    if found := lapse(request, certificate["subject"], certificate["names"]):
        raise AnsibleFilterError(f"{host}: {found}. It is not signed; who is in control of {host}?")
    return request


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"ipsec_request": ipsec_request}
