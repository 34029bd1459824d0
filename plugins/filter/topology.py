# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `topology`; its documentation is in topology.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.multihome.extrude.plugins.plugin_utils._address import HAS_NETADDR, NETADDR_MISSING
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError
from ansible_collections.multihome.extrude.plugins.plugin_utils._topology import topology as make_topology


def topology(hostvars: Any, groups: Any, batch: Any = None) -> dict[str, Any]:
    """Return the states of the sites in `batch` (default: all) and of their colos."""
    if not (
        isinstance(hostvars, Mapping) and isinstance(groups, Mapping) and isinstance(batch, list | tuple | NoneType)
    ):
        raise AnsibleFilterError(
            "topology is used as: hostvars | multihome.extrude.topology(groups, ansible_play_batch)"
        )
    if not HAS_NETADDR:
        raise AnsibleFilterError(NETADDR_MISSING)
    try:
        return make_topology(hostvars, groups, batch, Display().warning)
    except TopologyError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"topology": topology}
