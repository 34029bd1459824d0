# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.multihome.extrude.plugins.plugin_utils._sysctls import common, loose, sysctl


def test_names_are_paths_because_devices_may_hold_dots() -> None:
    assert loose("eth0.100") == {"name": "net/ipv4/conf/eth0.100/rp_filter", "value": "2", "optional": False}


def test_what_some_kernels_lack_is_optional() -> None:
    optional = [item["name"] for item in common([4], []) if item["optional"]]
    assert optional == ["net/ipv6/fib_multipath_hash_policy", "net/ipv4/rt_cache_rebuild_count"]


def test_ipv6_is_forwarded_only_where_it_is_used() -> None:
    forwarding = sysctl("ipv6/conf/all/forwarding", "1")
    assert forwarding in common([4, 6], [])
    assert forwarding not in common([4], [])
