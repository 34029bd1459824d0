# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of the batches in which sites are changed.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import TopologyError
from ansible_collections.multihome.extrude.plugins.plugin_utils._kinds import describe

VARIABLE = "extrude_batches"
ALLOWED = "numbers of sites, from 1, or percentages, up to 100%, such as 1,25%,100%"
_SIZE = re.compile(r"[1-9][0-9]{0,5}|(?:[1-9][0-9]?|100)%", re.ASCII).fullmatch


def batches(given: object) -> list[str]:
    """Return what Ansible's ``serial`` takes, of a list, or of a text with commas as ``-e NAME=VALUE`` makes it.

    Ansible itself takes 0 for all sites at once, and so without one that goes first.
    """
    entries = given if isinstance(given, list | tuple) else str(given).split(",")
    sizes = [str(entry).strip() for entry in entries]
    for size, entry in zip(sizes, entries, strict=True):
        if not _SIZE(size):
            raise TopologyError(f"{VARIABLE}: {describe(entry)} is no size of a batch; give {ALLOWED}")
    if not sizes:
        raise TopologyError(f"{VARIABLE}: is empty; give {ALLOWED}")
    return sizes
