# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Direct traffic leaves a link that is up but dead further on: the link's tunnel tells, which BIRD watches.

BIRD fills two kinds of tables for it. One has the links whose tunnels live, for new connections. The other, one for
each link, is empty while that link's tunnel lives, and then has the way by another's: what is direct by the dead link
finds it first. The kernel forgets a masqueraded connection that leaves elsewhere, so the next packet begins a new one.

BFD or a session says that a link lives, but only a session that another does. When the far end's BIRD goes, sessions
close before BFD is silent, and when it is back they come up after BFD; so nothing moves because of the colo. Nor does
it when this end's BIRD is started again: the unit enables these tables when the sessions are up.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._bird import (
    BEST,
    DEFAULT,
    KERNEL_METRIC,
    SCAN,
    WARNING,
    file_name,
)
from ansible_collections.multihome.extrude.plugins.plugin_utils._marks import DIRECT, MASK, direct_mark
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain, inside, tiers
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import DETECT, MAX_SLOT

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Site, Wan

SLOWEST = 1000
"""A link with a `detect` above this needs longer to be found alive again than the sessions of others, after a restart
of the colo's BIRD; so nothing leaves it that is under way."""
RULES = 19
"""Before the rules that lead to the links whether they live or not."""

LINKS = """
ipv4 table exits;
protocol kernel exits_kernel {{
  ipv4 {{ table exits; import none; export all; }};
  kernel table {table};
  scan time {scan};
  metric {metric};
  merge paths yes limit {slots};
}}
"""

# on one line: a line whose link is down is left out (module_utils/_bind.py)
LINK = (
    "protocol static '{name}' {{ ipv4 {{ table exits; import filter {{"
    ' ifname = "{device}"; onlink = true; gw = {gateway}; preference = {preference}; weight = {weight}; accept;'
    " }}; }}; route {network} via {far} bfd; }}\n"
)

OTHERS = """
ipv4 table others{slot};
protocol static '{tunnel}.lives' {{
  ipv4 {{ table others{slot}; import filter {{ preference = {best}; accept; }}; }};
  route {network} via {far} bfd;
}}
protocol pipe others{slot}_pipe {{
  table live4;
  peer table others{slot};
  import none;
  export filter {{
    if source != RTS_BGP then reject;
    if proto = "{tunnel}" then {{ preference = {best}; accept; }}
    if {sessions} then accept;
    reject;
  }};
}}
protocol kernel others{slot}_kernel {{
  disabled;
  ipv4 {{ table others{slot}; import none; export where source = RTS_BGP && proto != "{tunnel}"; }};
  kernel table {table};
  scan time {scan};
  metric {metric};
}}
"""


def tables(site: Site) -> list[int]:
    """Return the tables that BIRD fills for it."""
    leaving = [site.numbers.others(wan.slot) for wan in site.exits if _witnesses(site, wan)]
    return [*([site.numbers.exits] if _chooses(site) else []), *leaving]


def rules(site: Site) -> Iterator[Plain]:
    """Yield the rules that lead to them. Where these have no way, the next rules say what to do."""
    common = {"family": 4, "priority": site.numbers.priority + RULES, "mask": MASK}
    for wan in site.exits:
        if _witnesses(site, wan):
            yield {**common, "table": site.numbers.others(wan.slot), "mark": direct_mark(wan.slot)}
    if _chooses(site):
        yield {**common, "table": site.numbers.exits, "mark": DIRECT}


def files(site: Site, colo: Colo) -> Iterator[Plain]:
    """Yield the part of BIRD's configuration that fills them."""
    texts = [*_links(site, colo), *_others(site, colo)]
    if texts:
        yield {"path": f"bird.d/{file_name(site)}.direct.conf", "content": WARNING + "".join(texts)}


def _chooses(site: Site) -> bool:
    """Whether new connections have a choice of links, and tunnels tell which of these live."""
    return bool(site.listed(4)) and len(site.exits) > 1 and any(wan.has_tunnel for wan in site.exits)


def _witnesses(site: Site, wan: Wan) -> list[Wan]:
    """The links of which any one that lives says that a connection need not stay on `wan` when that is dead.

    That a link without a tunnel lives nobody knows. It is taken for alive while the colo is reached by another link.
    """
    is_told = wan.has_tunnel and (wan.detect or DETECT) <= SLOWEST
    if not (site.has_exit_table and is_told and 4 in site.versions):
        return []
    others = site.tunnelled if any(not one.has_tunnel for one in site.exits) else site.exits
    return [one for one in others if one != wan]


def _links(site: Site, colo: Colo) -> Iterator[str]:
    """The table of the links that live. One without a tunnel is in it while any tunnel lives."""
    if not _chooses(site):
        return
    yield LINKS.format(table=site.numbers.exits, scan=SCAN, metric=KERNEL_METRIC, slots=MAX_SLOT)
    for metric, tier in tiers(site.exits, "down"):
        for wan, weight in tier:
            for witness in [wan] if wan.has_tunnel else site.tunnelled:
                yield LINK.format(
                    name=f"{wan.name}.by.{witness.name}",
                    device=wan.device if wan.has_tunnel else wan.ready_device,
                    gateway=wan.router,
                    preference=BEST - metric,
                    weight=weight,
                    network=DEFAULT[4],
                    far=inside(site, colo, witness, 4)[0],
                )


def _others(site: Site, colo: Colo) -> Iterator[str]:
    """For each link the table of the ways by others, which its own way hides while it lives."""
    for wan in site.exits:
        if witnesses := _witnesses(site, wan):
            yield OTHERS.format(
                slot=wan.slot,
                tunnel=wan.tunnel,
                best=BEST,
                network=DEFAULT[4],
                far=inside(site, colo, wan, 4)[0],
                sessions=" || ".join(f'proto = "{one.tunnel}"' for one in witnesses),
                table=site.numbers.others(wan.slot),
                scan=SCAN,
                metric=KERNEL_METRIC,
            )
