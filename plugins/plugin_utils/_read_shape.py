# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads whether links are shaped: ``extrude_shape``, and what a link says itself.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.multihome.extrude.plugins.plugin_utils import _kinds
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Shape, Wan

PERCENT = _kinds.integer(10, 100)
DEFAULT_PERCENT = 95
KEYS = ("shape", "shape_percent")
"""Those of a link."""
RATES = "give up, down or both: what the link really carries"
ENCRYPTED = "give up, what the link really carries: what an encrypted link receives (down) is not shaped"
"""ESP and the packet that was in it both arrive by the link, so each would be shaped twice."""
NOT_SHAPED = "has no effect; give {} too: true, or false to leave it so"
"""A percentage where nobody says whether to shape is taken for a wish to."""


class Wanted(NamedTuple):
    """What is asked for of links that say nothing themselves: whether they are shaped, and to how much of a rate.

    `said`: the site says whether; else not shaping is nobody's wish.
    """

    shape: bool
    percent: int
    said: bool


def read_default(reader: Reader) -> Wanted:
    """Read what the site says."""
    return Wanted(
        reader.read("extrude_shape", _kinds.FLAG, False),
        reader.read("extrude_shape_percent", PERCENT, DEFAULT_PERCENT),
        not reader.lacks("extrude_shape"),
    )


def read_shape(reader: Reader, default: Wanted, up: float | None, down: float | None, ipsec: bool) -> Shape | None:
    """Read what a link says. One without rates is shaped in no direction, which it may not ask for itself."""
    down = None if ipsec else down
    own = not reader.lacks("shape")
    wanted = reader.read("shape", _kinds.FLAG, default.shape)
    percent = reader.read("shape_percent", PERCENT, default.percent)
    if reader.has("shape_percent") and percent and not own and not default.said:
        reader.problem("shape_percent", NOT_SHAPED.format("shape"))
    if wanted and own and up is None and down is None:
        reader.problem("shape", f"true, and the link has no rate to be shaped to; {ENCRYPTED if ipsec else RATES}")
    if not wanted or (up is None and down is None):
        return None
    variable = f"{reader.path}shape" if own else "extrude_shape"
    return Shape(_kilobits(up, percent), _kilobits(down, percent), f"{reader.host}: {variable}")


def check_shape(reader: Reader, default: Wanted, wans: Sequence[Wan]) -> None:
    """Note a site that asks for it, and has no link that is or can be; what is wrong with links is told already."""
    if not wans or any(wan.shape for wan in wans):
        return
    if not default.said and reader.has("extrude_shape_percent"):
        reader.problem("extrude_shape_percent", NOT_SHAPED.format("extrude_shape"))
    if default.shape and all(wan.up is None and (wan.down is None or wan.ipsec) for wan in wans):
        needs = ENCRYPTED if all(wan.ipsec for wan in wans) else RATES
        reader.problem("extrude_shape", f"true, and no link has a rate to be shaped to; {needs}")
    elif default.shape:
        advice = "give false here, or leave that out of one of them"
        reader.problem("extrude_shape", f"true, and all links with a rate have shape: false; {advice}")


def _kilobits(rate: float | None, percent: int) -> int:
    """Return some percent of a rate in Mbit/s, in kbit/s; 0 for none."""
    return 0 if rate is None else max(1, round(rate * 10 * percent))
