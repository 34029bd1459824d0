# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `teardown`; its documentation is in teardown.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.multihome.extrude.plugins.plugin_utils._address import HAS_NETADDR, NETADDR_MISSING
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError
from ansible_collections.multihome.extrude.plugins.plugin_utils._teardown import teardown as choose


def teardown(hostvars: Any, groups: Any, play: Any, asked: Any) -> dict[str, Any]:
    """Return which sites are taken off, and from which hosts."""
    if not HAS_NETADDR:
        raise AnsibleFilterError(NETADDR_MISSING)
    try:
        return choose(hostvars, groups, play, asked)
    except TopologyError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"teardown": teardown}
