# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from netaddr import IPNetwork

from ansible_collections.multihome.extrude.plugins.plugin_utils._numbers import gre_key, inside, sites_in

POOL = IPNetwork("10.254.0.0/15")
POOL6 = IPNetwork("fd65:7874:7275::/48")


@pytest.mark.parametrize(("site", "slot", "key"), [(1, 1, 17), (1, 16, 32), (2, 1, 33), (4095, 16, 65536)])
def test_gre_key(site: int, slot: int, key: int) -> None:
    assert gre_key(site, slot) == key


def test_gre_keys_are_unique() -> None:
    assert len({gre_key(site, slot) for site in range(1, 4096) for slot in range(1, 17)}) == 4095 * 16


@pytest.mark.parametrize(
    ("site", "slot", "ends"),
    [
        (1, 1, ("10.254.0.0", "10.254.0.1")),
        (1, 2, ("10.254.0.2", "10.254.0.3")),
        (2, 1, ("10.254.0.32", "10.254.0.33")),
        (4095, 16, ("10.255.255.222", "10.255.255.223")),
    ],
)
def test_inside(site: int, slot: int, ends: tuple[str, str]) -> None:
    assert inside(POOL, site, slot) == ends


@pytest.mark.parametrize(
    ("site", "slot", "ends"),
    [
        (1, 1, ("fd65:7874:7275::", "fd65:7874:7275::1")),
        (1, 2, ("fd65:7874:7275:1::", "fd65:7874:7275:1::1")),
        (4095, 16, ("fd65:7874:7275:ffef::", "fd65:7874:7275:ffef::1")),
    ],
)
def test_inside_ipv6(site: int, slot: int, ends: tuple[str, str]) -> None:
    assert inside(POOL6, site, slot) == ends


@pytest.mark.parametrize(
    ("pool", "sites"),
    [
        ("10.254.0.0/15", 4096),
        ("10.254.0.0/24", 8),
        ("10.254.0.0/27", 1),
        ("10.254.0.0/28", 0),
        ("10.254.0.0/32", 0),
        ("fd65:7874:7275::/48", 4096),
        ("fd65:7874:7275::/60", 1),
        ("fd65:7874:7275::/61", 0),
        ("fd65:7874:7275::/128", 0),
    ],
)
def test_the_last_site_of_a_pool_fits_and_the_next_does_not(pool: str, sites: int) -> None:
    network = IPNetwork(pool)
    assert sites_in(network) == sites
    assert sites == 0 or inside(network, sites, 16)[1] in network
    assert inside(network, sites + 1, 16)[1] not in network
