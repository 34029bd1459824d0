# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to say of the sites of a batch that are not reached.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import some

SHOWN = 20
"""Sites that are named, and whose reasons are told."""


def unreached(reached: Mapping[str, Mapping[str, Any]], play: Collection[str], limit: str) -> str:
    """Return who is not reached, why, and what to type to go on without; "" where all sites of the batch are.

    `reached` has what ``wait_for_connection`` said of each of them, which is a message where it failed. `play` are the
    sites of all batches, `limit` the pattern that they are from.
    """
    lost = {site: " ".join(str(found["msg"]).split()) for site, found in reached.items() if "msg" in found}
    if not lost:
        return ""
    first = f"{some(lost, SHOWN)}: not reached, so the rollout stops here; nothing of this batch was changed"
    if any(site not in lost for site in play):
        between = "," if "," in limit else ":"
        without = between.join([limit, *(f"!{site}" for site in lost)])
        first += f". Without {'it' if len(lost) == 1 else 'them'}: --limit '{without}'"
    return "\n".join([first, *(f"{site}: {reason}" for site, reason in list(lost.items())[:SHOWN])])
