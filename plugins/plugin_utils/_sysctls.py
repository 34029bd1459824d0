# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings that both ends need.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain


def sysctl(name: str, value: str, *, optional: bool = False) -> Plain:
    """Return one setting; an optional one is left out where the kernel doesn't have it."""
    return {"name": f"net/{name}", "value": value, "optional": optional}


def common(versions: Collection[int], tunnels: Iterable[str]) -> Iterator[Plain]:
    """Yield the settings of every colo and site that extrudes these IP versions."""
    yield sysctl("ipv4/ip_forward", "1")
    if 6 in versions:
        yield sysctl("ipv6/conf/all/forwarding", "1")
    # spread by ports too, so that two connections between two hosts can take two tunnels
    yield sysctl("ipv4/fib_multipath_hash_policy", "1")
    yield sysctl("ipv6/fib_multipath_hash_policy", "1", optional=True)
    # only kernels before 3.6 have the route cache, which would pin a destination to one tunnel
    yield sysctl("ipv4/rt_cache_rebuild_count", "-1", optional=True)
    yield from map(loose, tunnels)


def loose(device: str) -> Plain:
    """Return the setting by which a device takes packets whose answers would leave by another (RFC 3704 section 2.4).

    The kernel takes the higher of this and ``conf/all``, and 2 (loose) is the highest.
    """
    return sysctl(f"ipv4/conf/{device}/rp_filter", "2")
