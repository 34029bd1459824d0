# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The domains that a site keeps off the extruded space: for each a set of its addresses, and of IPv6 another one, which
the site's dnsmasq fills.

A set belongs to a domain and not to an entry of a list, so that it keeps what it holds when the list changes.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from ansible_collections.multihome.extrude.plugins.plugin_utils._bird import WARNING, file_name
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Site

PREFIX = "EXTRUDE-"
LONGEST = 31 - len(PREFIX)
"""The kernel takes names of up to 31 bytes (include/uapi/linux/netfilter/ipset/ip_set.h)."""
_DIGITS = 8
TIMEOUT = 2 * 86400
"""Seconds after the last answer that named an address. Who got it may keep it for as long as the answer lives, which is
rarely more than a day; so does dnsmasq itself, which does not add it again meanwhile."""
SUFFIX = {4: "", 6: ".6"}
"""There is no such top-level domain."""


def set_name(domain: str, version: int) -> str:
    """Return the name of a domain's set: the domain, as far as it fits."""
    longest = LONGEST - len(SUFFIX[version])
    if len(domain) > longest:
        domain = f"{domain[: longest - _DIGITS - 1]}-{sha256(domain.encode()).hexdigest()[:_DIGITS]}"
    return f"{PREFIX}{domain}{SUFFIX[version]}"


def sets(site: Site) -> list[Plain]:
    """Return the sets of a site."""
    family: dict[int, Plain] = {4: {}, 6: {"family": 6}}
    return [
        {"name": set_name(domain, version), "timeout": TIMEOUT, **family[version]}
        for version in site.versions
        for domain in sorted(site.domains_of(version))
    ]


def resolvers(site: Site) -> list[Plain]:
    """Return dnsmasq's file, which says which answers go into which sets; none where no domain is named."""
    lines = "".join(_lines(site))
    return [{"name": file_name(site), "content": WARNING + lines}] if lines else []


def _lines(site: Site) -> Iterator[str]:
    """Of several lines that fit a name dnsmasq takes the one with the longest domain, so that names the sets of all."""
    for domain in site.domains:
        around = [
            set_name(other, version)
            for version in site.versions
            for other in sorted(site.domains_of(version))
            if f".{domain}".endswith(f".{other}")
        ]
        yield f"ipset=/{domain}/{','.join(around)}\n"
