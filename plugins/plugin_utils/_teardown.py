# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sites a teardown takes off, and from which hosts.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.multihome.extrude.plugins.plugin_utils._checks import check_inventory
from ansible_collections.multihome.extrude.plugins.plugin_utils._errors import Problems, TopologyError, some
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_inventory import Groups, HostVars, read_inventory
from ansible_collections.multihome.extrude.plugins.plugin_utils._read_management import read_management
from ansible_collections.multihome.extrude.plugins.plugin_utils._reader import Reader
from ansible_collections.multihome.extrude.plugins.plugin_utils._routes import Plain

if TYPE_CHECKING:
    from ansible_collections.multihome.extrude.plugins.plugin_utils._types import Inventory, Site

SITES, CUSTOMER, FORGOTTEN = WAYS = ("teardown_sites", "teardown_customer", "teardown_forgotten")
COLO, GONE = "teardown_colo", "teardown_gone"
KNOWN = (*WAYS, COLO, GONE)
OWNER = re.compile(r"([a-z0-9-]{1,32})/([^\s/]{1,64})")
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
SHOWN = 20
"""Names that an error lists."""


def teardown(hostvars: HostVars, groups: Groups, play: Collection[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the empty states that take sites off, and the hosts of the `play` that go on with it.

    `asked` are the variables whose names begin with ``teardown_``. A TopologyError says what is wrong with them, or
    with the inventory, and what to type.
    """
    problems = Problems()
    inventory = read_inventory(hostvars, groups, problems)
    check_inventory(inventory, problems)
    problems.raise_if_any()
    _refuse_unclear(asked, inventory)
    if asked.get(FORGOTTEN):
        return _forgotten(asked, inventory, play)
    chosen, gone = _chosen(asked, inventory), _is_gone(asked)
    for site in () if gone else chosen:
        _refuse_own_branch(site, inventory, hostvars)
    colos: dict[str, list[Plain]] = {}
    for site in chosen:
        colos.setdefault(site.colo, []).append(_nothing(site.customer, site.name))
    return _result({} if gone else {one.name: _nothing(one.customer, one.name) for one in chosen}, colos, play, chosen)


def _result(
    sites: Mapping[str, Plain], colos: Mapping[str, Sequence[Plain]], play: Collection[str], chosen: Iterable[Site]
) -> dict[str, Any]:
    left = [name for name in sites if name not in play]
    if left:
        raise TopologyError(f"{SITES}: --limit leaves out {_some(left)}; a site goes at both ends, or not at all")
    # somebody has to do the colos' part
    hosts = [*sites] or [name for name in [*colos, *(site.name for site in chosen)] if name in play][:1]
    if not hosts:
        raise TopologyError(f"--limit leaves out {_some(colos)}, from which something is to be taken off")
    return {"sites": dict(sites), "colos": dict(colos), "hosts": hosts}


def _nothing(customer: str, site: str) -> Plain:
    """The state of a site that is to have nothing."""
    return {"schema": 1, "customer": customer, "site": site}


# --- what was asked for ---------------------------------------------------------------------------------


def _refuse_unclear(asked: Mapping[str, Any], inventory: Inventory) -> None:
    """Taking off is never a guess: what is asked for has to be said, in one way, and spelt right."""
    if unknown := [name for name in asked if name not in KNOWN]:
        raise TopologyError(f"{', '.join(unknown)}: not known; there are {', '.join(KNOWN)}")
    ways = [name for name in WAYS if asked.get(name)]
    if len(ways) > 1:
        raise TopologyError(f"{' and '.join(ways)} are given; give one of them")
    if not ways:
        raise TopologyError(
            f"say which sites are to be taken off: -e {SITES}=SITE, or several with commas, or all of a customer's: "
            f"-e {CUSTOMER}=NAME. There are {_some(_named(inventory.sites.values()))}"
        )
    if asked.get(COLO) and not asked.get(FORGOTTEN):
        raise TopologyError(f"{COLO}: goes with {FORGOTTEN}; the inventory says at which colo a site is")
    if _is_gone(asked) and not asked.get(SITES):
        raise TopologyError(f"{GONE}: goes with {SITES}, which names the sites whose routers are gone")


def _is_gone(asked: Mapping[str, Any]) -> bool:
    text = str(asked.get(GONE) or False).lower()
    if text not in BOOLEANS:
        raise TopologyError(f"{GONE}: {text} is neither true nor false")
    return BOOLEANS[text]


def _chosen(asked: Mapping[str, Any], inventory: Inventory) -> list[Site]:
    everything = list(inventory.sites.values())
    if customer := asked.get(CUSTOMER):
        found = [site for site in everything if site.customer == customer]
        if not found:
            customers = dict.fromkeys(site.customer for site in everything)
            raise TopologyError(f"{CUSTOMER}: {customer} has no site in the inventory; there are {_some(customers)}")
        return found
    names = list(dict.fromkeys(_names(asked[SITES])))
    if unknown := [name for name in names if name not in inventory.sites]:
        raise TopologyError(
            f"{SITES}: {', '.join(unknown)}: not in the inventory, which has {_some(_named(everything))}. "
            f"For one that only a colo knows any more: -e {FORGOTTEN}=CUSTOMER/SITE -e {COLO}=COLO"
        )
    return [inventory.sites[name] for name in names]


def _names(value: Any) -> list[str]:
    texts = [str(one) for one in value] if isinstance(value, list | tuple) else str(value).split(",")
    return [text.strip() for text in texts if text.strip()]


def _named(sites: Iterable[Site]) -> Iterator[str]:
    yield from (f"{site.name} ({site.customer})" for site in sites)


def _some(names: Iterable[str]) -> str:
    return some(names, SHOWN)


# --- a site that is in no inventory any more ------------------------------------------------------------


def _forgotten(asked: Mapping[str, Any], inventory: Inventory, play: Collection[str]) -> dict[str, Any]:
    owner, colo = str(asked[FORGOTTEN]), str(asked.get(COLO) or "")
    parts = OWNER.fullmatch(owner)
    if not parts:
        raise TopologyError(f"{FORGOTTEN}: {owner} is not CUSTOMER/SITE, as status.yml tells it")
    if colo not in inventory.colos:
        wrong = f"{colo} is not a colo of the inventory" if colo else "is missing"
        raise TopologyError(f"{COLO}: {wrong}; there are {_some(inventory.colos)}")
    customer, name = parts.groups()
    site = inventory.sites.get(name)
    if site and (site.customer, site.colo) == (customer, colo):
        raise TopologyError(f"{FORGOTTEN}: the inventory has {owner} at {colo}; take it off by -e {SITES}={name}")
    return _result({}, {colo: [_nothing(customer, name)]}, play, ())


# --- the way by which Ansible comes ---------------------------------------------------------------------


def _refuse_own_branch(site: Site, inventory: Inventory, hostvars: HostVars) -> None:
    """An address that goes with the site is no way to reach it by: nothing could say how it ended."""
    host, _port = read_management(Reader(site.name, hostvars[site.name], Problems()))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a name
        return
    colo = inventory.colos[site.colo]
    networks = [*(claim.network for claim in site.claims), colo.pool, colo.pool6]
    if any(address in ipaddress.ip_network(str(network), strict=False) for network in networks):
        raise TopologyError(
            f"{site.name}: Ansible reaches it by {host}, which goes with it; for this run set ansible_host to an "
            f"address that stays, such as one of its links. Where its router is gone for good: -e {GONE}=true"
        )
