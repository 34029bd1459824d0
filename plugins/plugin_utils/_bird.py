# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of BIRD 2, which watches the tunnels: a BGP session with BFD in each.

The session says what the far end may be sent, BFD (RFC 5881) that the path is alive in both directions. BIRD puts the
ways that live into the kernel. Where no session of a site is up, though paths are alive (the far end's BIRD has just
been started again, or every link is held down), BFD alone decides.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._numbers import inside
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain, tiers
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import DETECT, MAX_SLOT

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Colo, Numbers, Site, Wan

FIRST_AS = 4_200_000_000
"""The colo's number; a site's is this plus its id. The first of those for private use (RFC 6996)."""
COLO_ROUTER = "0.0.0.1"
"""The router id of every colo. Its customers share the file that has it, and with another id all sessions would close;
so it follows from nothing that their inventories may differ in."""
BGP_PORT = 1179
"""Not 179, which a BGP router of the admin's would need for itself on all addresses."""
BFD_PORT = 3784
MULTIPLIER = 3
"""So many packets in a row are missed before a path counts as dead."""
KERNEL_METRIC = 32
SCAN = 5
"""Seconds between two looks at the kernel's tables: what somebody has deleted there is put back."""
BEST = 1000
"""The preference of a tier is this less its metric."""
SPARE = 500
"""The same, for ways that BFD alone vouches for: behind all tiers."""
FORGET = 4
"""A link is forgiven its failures after so many times the longest hold-down without one."""
MOST_RECEIVED = 1000
"""Networks that a site may announce before its session is closed: refused ones cost time too."""
DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}
WARNING = "# Made by multihome.extrude. What is changed here is put back by its next run.\n"

MAIN = """
router id {router};
log stderr all;
timeformat protocol iso long ms;

# how often the colo says that it lives, where no link has a say: it follows the number of sessions
include "/run/extrude/bird-interval.conf";

protocol device {{ }}
# only in tunnels, so that another daemon on this host can have BFD too
protocol bfd {{
  accept ipv4 direct;
  strict bind yes;
  include "bfd.d/*.conf";
}}

template bgp tunnel {{
  debug {{ states }};
  direct;
  strict bind yes;
  connect delay time 1;
  connect retry time 2;
  hold time 30;
  bfd on;
  graceful restart off;
}}

# the tunnel's slot where the site spreads packets, else 0
attribute int extrude_slot;
"""

LIVE = """
ipv{version} table live{version};
protocol kernel live{version}_kernel {{
  ipv{version} {{ table live{version}; import none; export where dest = RTD_UNICAST; }};
  kernel table {table};
  scan time {scan};
  metric {metric};
  merge paths yes limit {slots};
}}
"""

SLOT = """
ipv{version} table slot{slot}v{version};
protocol pipe slot{slot}v{version}_pipe {{
  table live{version};
  peer table slot{slot}v{version};
  import none;
  export where dest = RTD_UNICAST && extrude_slot = {slot};
}}
protocol kernel slot{slot}v{version}_kernel {{
  ipv{version} {{ table slot{slot}v{version}; import none; export all; }};
  kernel table {table};
  scan time {scan};
  metric {metric};
}}
"""

STATIC = """
protocol static {name}{version} {{
  ipv{version} {{ table live{version}; }};
  {routes}
}}
"""

SESSION = """
protocol bgp '{device}' from tunnel {{
  description "{who} {wan}";
  interface "{device}";
  local {local} port {port} as {local_as};
  neighbor {remote} port {port} as {remote_as};
  error wait time {hold_down}, {hold_down_max};
  error forget time {forget};
{channels}}}
"""

BFD = """\
interface "{device}" {{ interval {interval}; idle tx interval {idle}; multiplier {multiplier}; }};
"""

BY_BFD = """
protocol static '{device}.bfd' {{
  ipv4 {{
    table live4;
    import filter {{ preference = {preference}; weight = {weight}; extrude_slot = 0; {source}accept; }};
  }};
  {routes}
}}
"""

CHANNEL = """\
  ipv{version} {{
    table live{version};
    import filter {{
      {check}
      preference = {preference}; weight = {weight}; extrude_slot = {slot}; {source}accept;
    }};
    {options}
  }};
"""


@dataclass(frozen=True, slots=True)
class _End:
    """What the two ends of a site's tunnels do not have in common; dictionaries go by IP version."""

    direction: str
    side: int
    """Where `inside` has its address: 0 for the colo, 1 for the site."""
    device: Callable[[Wan], str]
    interval: Callable[[int | None], str]
    """The time between two packets for a `detect`, None where it is not set."""
    check: dict[int, str]
    """The beginning of the import filter: what is refused."""
    source: dict[int, str]
    options: dict[int, str]
    networks: list[str]
    """What goes by the tunnels, of IPv4."""


def site_files(site: Site, colo: Colo) -> list[Plain]:
    """Return the configuration of a site's router: it takes a default and announces what is extruded to the site."""
    end = _End(
        direction="up",
        side=1,
        device=lambda wan: wan.tunnel,
        interval=lambda detect: _interval(detect or DETECT),
        check={version: f"if net != {DEFAULT[version]} then reject;" for version in site.versions},
        source={version: str(network.ip) for version in site.versions for network in site.holds(version)[:1]},
        options={version: f'export where proto = "own{version}";' for version in site.versions},
        networks=[DEFAULT[4]] if 4 in site.versions else [],
    )
    own = [_static("own", version, list(map(str, site.claimed(version)))) for version in site.versions]
    # by its first slot, whatever links there are: another router id would close all sessions
    router = inside(colo.pool, site.number, 1)[end.side]
    main = _main(router, site.numbers)
    return _files(site, end, main, "".join([*own, *_sessions(site, colo, end)]))


def colo_files(site: Site, colo: Colo) -> list[Plain]:
    """Return the configuration of a colo, of which the first file is the same for all its sites.

    It takes from a site what is extruded to that site, and nothing else.
    """
    end = _End(
        direction="down",
        side=0,
        device=site.colo_device,
        interval=lambda detect: _interval(detect) if detect else "extrude_interval ms",
        check={version: _refusal(site, version) for version in site.versions},
        source={4: str(colo.address.ip)},
        options={
            version: f'receive limit {MOST_RECEIVED} action restart; export where proto = "default{version}";'
            for version in site.versions
        },
        networks=list(map(str, site.claimed(4))),
    )
    main = _main(COLO_ROUTER, colo.numbers)
    defaults = "".join(_static("default", version, [DEFAULT[version]]) for version in (4, 6))
    own = map(_own(site), site.versions)
    return _files(site, end, main + defaults, "".join([*own, *_sessions(site, colo, end)]))


def file_name(site: Site) -> str:
    """Return what the files of a site are called: by its id, since its name may hold any character."""
    return f"{site.customer}.{site.number}"


def _files(site: Site, end: _End, main: str, sessions: str) -> list[Plain]:
    paces = [_pace(end, wan) for wan in site.tunnelled]
    name = f"{file_name(site)}.conf"
    texts = {"bird.conf": main, f"bfd.d/{name}": "".join(paces), f"bird.d/{name}": sessions}
    return [{"path": path, "content": WARNING + text} for path, text in texts.items()]


def _pace(end: _End, wan: Wan) -> str:
    # where nobody answers BIRD would knock once a second, which is most of what a restart of the far end costs
    idle = wan.detect and min(wan.detect, MULTIPLIER * 1000)
    intervals = {"interval": end.interval(wan.detect), "idle": end.interval(idle)}
    return BFD.format(device=end.device(wan), multiplier=MULTIPLIER, **intervals)


def _main(router: str, numbers: Numbers) -> str:
    return MAIN.format(router=router) + _kernel_tables(numbers)


@lru_cache
def _kernel_tables(numbers: Numbers) -> str:
    """Return what writes into the kernel's tables; hosts have the same numbers, mostly."""
    parts: list[str] = []
    for version in (4, 6):
        common = {"version": version, "metric": KERNEL_METRIC, "scan": SCAN}
        parts.append(LIVE.format(table=numbers.live, slots=MAX_SLOT, **common))
        parts += [SLOT.format(slot=slot, table=numbers.slot(slot), **common) for slot in range(1, MAX_SLOT + 1)]
    return "".join(parts) + '\ninclude "bird.d/*.conf";\n'


def _static(name: str, version: int, networks: Sequence[str]) -> str:
    """Return networks that are announced; they never reach the kernel."""
    routes = "\n  ".join(f"route {network} blackhole;" for network in networks)
    return STATIC.format(name=name, version=version, routes=routes)


def _sessions(site: Site, colo: Colo, end: _End) -> Iterator[str]:
    """Yield the session of each tunnel."""
    for metric, tier in tiers(site.tunnelled, end.direction):
        for wan, weight in tier:
            channels = [_channel(site, colo, end, wan, metric, weight, version) for version in site.versions]
            yield _session(site, colo, end, wan, channels)
            if end.networks:
                yield _by_bfd(site, colo, end, wan, metric, weight)


def _session(site: Site, colo: Colo, end: _End, wan: Wan, channels: Sequence[str]) -> str:
    numbers = (FIRST_AS, FIRST_AS + site.number)
    addresses = inside(colo.pool, site.number, wan.slot)
    return SESSION.format(
        device=end.device(wan),
        who=_who(site),
        wan=wan.name,
        local=addresses[end.side],
        remote=addresses[1 - end.side],
        local_as=numbers[end.side],
        remote_as=numbers[1 - end.side],
        port=BGP_PORT,
        hold_down=wan.hold_down,
        hold_down_max=wan.hold_down_max,
        forget=FORGET * wan.hold_down_max,
        channels="".join(channels),
    )


def _channel(site: Site, colo: Colo, end: _End, wan: Wan, metric: int, weight: int, version: int) -> str:
    """Return what a session carries of one IP version. It runs over IPv4 itself, so an IPv6 way needs telling."""
    source, options = end.source.get(version), end.options[version]
    if version == 6:
        options += f" next hop address {inside(colo.pool6, site.number, wan.slot)[end.side]};"
    return CHANNEL.format(
        version=version,
        check=end.check[version],
        preference=BEST - metric,
        weight=weight,
        slot=wan.slot if site.has_slot(wan) else 0,
        source=_prefer(source),
        options=options,
    )


def _by_bfd(site: Site, colo: Colo, end: _End, wan: Wan, metric: int, weight: int) -> str:
    """Return the way of a tunnel that needs no session, only BFD: IPv4, over which that runs."""
    far = inside(colo.pool, site.number, wan.slot)[1 - end.side]
    return BY_BFD.format(
        device=end.device(wan),
        preference=SPARE - metric,
        weight=weight,
        source=_prefer(end.source.get(4)),
        routes="\n  ".join(f"route {network} via {far} bfd;" for network in end.networks),
    )


def _prefer(source: str | None) -> str:
    return f"krt_prefsrc = {source}; " if source else ""


def _own(site: Site) -> Callable[[int], str]:
    """Return what makes the set of the networks that are extruded to a site, by IP version."""

    def define(version: int) -> str:
        return f"\ndefine {_set_name(site, version)} = [ {', '.join(map(str, site.claimed(version)))} ];\n"

    return define


def _refusal(site: Site, version: int) -> str:
    refused = f'print "{_who(site)} announces ", net, ", which is not extruded to it: refused"; reject;'
    return f"if net !~ {_set_name(site, version)} then {{ {refused} }}"


def _set_name(site: Site, version: int) -> str:
    return f"site{site.number}_{version}"


def _who(site: Site) -> str:
    """Return the names of customer and site, in what texts of BIRD can hold."""
    return f"{site.customer}/{re.sub(r'[^A-Za-z0-9._-]', '?', site.name)}"


def _interval(detect: int) -> str:
    """Return the time between two packets by which silence is told after `detect` milliseconds."""
    return f"{detect * 1000 // MULTIPLIER} us"
