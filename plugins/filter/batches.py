# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `batches`; its documentation is in batches.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.multihome.extrude.plugins.plugin_utils._batches import batches as make_batches
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError


def batches(given: Any) -> list[str]:
    """Return the sizes of batches, as Ansible's serial takes them."""
    try:
        return make_batches(given)
    except TopologyError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {"batches": batches}
