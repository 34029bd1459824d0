# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is to what should be: an ordered list of operations. Pure.

The same operations are reported in check mode, shown as the diff, applied, and undone.
This module util is private to the collection.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from ._conflict import refuse
from ._forwarding import OPPOSITE, SWITCHES, is_set_by
from ._model import (
    PROTOCOL,
    Address,
    AddressSet,
    AnyObject,
    Chain,
    Connection,
    Current,
    Delay,
    Dummy,
    File,
    Group,
    Object,
    Place,
    Proxy,
    Redirect,
    Resolver,
    Route,
    Rule,
    Shaper,
    Sysctl,
    Tunnel,
)
from ._request import (
    Operation,
    Places,
    Request,
    by_place,
    device_of_sysctl,
    devices_of,
    doomed,
    is_known,
    of_kind,
    strangers,
)


def plan(current: Current, request: Request, chains: Sequence[Chain] = ()) -> tuple[Operation, ...]:
    """The operations that lead from *current* to what is asked for, in the order to apply them.

    *chains* are the merged chains (see :func:`merged_chains`) in the form in which this host prints
    them. Raises Conflict, with every problem, before anything is changed.
    """
    refuse(current, request)
    ground = _ground(current, request)
    make: list[Operation] = []
    clean: list[Operation] = []
    for added, deleted in (
        _sets(ground),
        _chains(ground, chains),
        _connections(ground),
        _tunnels(ground),
        _dummies(ground),
        _delays(ground),
        _shapers(ground),
        _redirects(ground),
        _addresses(ground),
        _sysctls(ground),
        _routes(ground),
        _rules(ground),
        _groups(ground),  # chains ask for it before they look into the tables
        _proxies(ground),
        _files(ground),
        _resolvers(ground),
    ):
        make += added
        clean = deleted + clean
    made = () if request.only == "purge" else (*ground.breaks, *make)
    return made if request.only == "make" else (*made, *clean)


# --- tunnels that go, and what stands on them --------------------------------------------------------


@dataclass(frozen=True)
class _Ground:
    """What the comparison starts from, once the tunnels that must go before others can come are gone.

    ``again``: what stood on those of them that come back. ``falling``: what goes with purged devices.
    ``strangers``: devices of others that have the names of ours.
    """

    current: Current
    request: Request
    breaks: tuple[Operation, ...]
    again: Places
    falling: Places
    strangers: Set[str]

    def wanted(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        return {**of_kind(self.again, model), **self.request.wanted(model)}

    def gone(self, model: type[AnyObject]) -> dict[Place, AnyObject]:
        wanted = self.wanted(model)
        gone = {**of_kind(self.falling, model), **self.request.dropped(model)}
        return {place: item for place, item in gone.items() if place not in wanted and not self._is_of_others(item)}

    def _is_of_others(self, item: Object) -> bool:
        """Whether what is in the place of an object is not ours: of routes the kernel says whose they are."""
        return not isinstance(item, Route) and not self.strangers.isdisjoint(devices_of(item))


def _ground(current: Current, request: Request) -> _Ground:
    first = _to_recreate(current, request)
    last = [device for device in doomed(current, request) if device not in first]
    taken = _standing_on({tunnel.name for tunnel in first}, current, request)
    falling = _standing_on({device.name for device in last}, current, request)
    going = {device.name for device in doomed(current, request)}
    again = [item for item in taken if going.isdisjoint(devices_of(item)) and not request.drops(item)]
    return _Ground(
        current=_without(current, [*taken, *first]),
        request=request,
        breaks=tuple(Operation("delete", item) for item in [*taken, *first]),
        again=by_place(again),
        falling=by_place(falling),
        strangers=strangers(current, request),
    )


def _to_recreate(current: Current, request: Request) -> list[Tunnel]:
    """Tunnels whose identity (endpoints and key) a wanted tunnel of another name takes over.

    The kernel refuses two tunnels of one identity, so these go first, even those that come back.
    """
    takers = {tunnel.identity: tunnel.name for tunnel in request.wanted(Tunnel).values()}
    tunnels = [device.tunnel for device in current.devices.values() if device.tunnel]
    return [tunnel for tunnel in tunnels if takers.get(tunnel.identity, tunnel.name) != tunnel.name]


def _standing_on(names: Set[str], current: Current, request: Request) -> list[Object]:
    """What the kernel drops when the devices *names* go and we would have to put back, the latest kind first."""
    if not names:
        return []
    routes = [route for route, protocol in current.routes.values() if protocol == PROTOCOL]
    sysctls = [Sysctl(name, value) for name, value in current.sysctls.items() if value is not None]
    found: list[Object] = [
        *(proxy for proxy in current.proxies if proxy.device in names),
        *(Group(d.name, d.group) for d in current.devices.values() if d.name in names and d.group),
        *(route for route in routes if not names.isdisjoint(devices_of(route))),
        *(sysctl for sysctl in sysctls if device_of_sysctl(sysctl, names)),
        *(a for a in reversed(current.addresses) if a.device in names and not _made_by_kernel(a, request)),
        *(redirect for redirect in current.redirects.values() if not names.isdisjoint(devices_of(redirect))),
        *(shaper for shaper in current.shapers.values() if shaper.device in names),
        *(delay for delay in current.delays.values() if delay.device in names),
    ]
    return found


def _made_by_kernel(address: Address, request: Request) -> bool:
    """Link-local addresses come with the device, unless somebody has asked for them."""
    named = (request.held(Address), request.had(Address), request.wanted(Address))
    return address.address.startswith("fe80:") and not any(address.place in places for places in named)


def _without(current: Current, items: Sequence[Object]) -> Current:
    gone = by_place(items)
    names = {tunnel.name for tunnel in of_kind(gone, Tunnel).values()}
    if not names:
        return current
    return replace(
        current,
        devices={name: device for name, device in current.devices.items() if name not in names},
        addresses=tuple(address for address in current.addresses if address.device not in names),
        proxies=frozenset(proxy for proxy in current.proxies if proxy.device not in names),
        delays={place: delay for place, delay in current.delays.items() if delay.device not in names},
        shapers={place: shaper for place, shaper in current.shapers.items() if shaper.device not in names},
        redirects={place: one for place, one in current.redirects.items() if names.isdisjoint(devices_of(one))},
        routes={place: pair for place, pair in current.routes.items() if place not in gone[Route.KIND]},
        sysctls={name: None if (name,) in gone[Sysctl.KIND] else value for name, value in current.sysctls.items()},
    )


# --- one kind after the other ------------------------------------------------------------------------

Changes = tuple[list[Operation], list[Operation]]
"""What to add or change, and what to delete afterwards."""


def _compare(is_: dict[Place, AnyObject], wanted: dict[Place, AnyObject], gone: Iterable[Place]) -> Changes:
    """Adds, changes and deletes between two sets of objects of one kind."""
    make = []
    for place, item in wanted.items():
        before = is_.get(place)
        if before is None:
            make.append(Operation("add", None, item))
        elif before != item:
            make.append(Operation("change", before, item))
    return make, [Operation("delete", is_[place]) for place in gone if place in is_]


def _tunnels(ground: _Ground) -> Changes:
    is_ = {(name,): device.tunnel for name, device in ground.current.devices.items() if device.tunnel}
    gone = [device.place for device in doomed(ground.current, ground.request)]
    return _compare(is_, ground.wanted(Tunnel), gone)


def _dummies(ground: _Ground) -> Changes:
    is_ = {(name,): device.dummy for name, device in ground.current.devices.items() if device.dummy}
    gone = [device.place for device in doomed(ground.current, ground.request)]
    return _compare(is_, ground.wanted(Dummy), gone)


def _groups(ground: _Ground) -> Changes:
    """A group that somebody has changed since is left alone."""
    is_ = {(name,): Group(name, device.group) for name, device in ground.current.devices.items() if device.group}
    gone = [place for place, item in ground.gone(Group).items() if is_.get(place) == item]
    return _compare(is_, ground.wanted(Group), gone)


def _delays(ground: _Ground) -> Changes:
    return _compare(ground.current.delays, ground.wanted(Delay), ground.gone(Delay))


def _shapers(ground: _Ground) -> Changes:
    return _compare(ground.current.shapers, ground.wanted(Shaper), ground.gone(Shaper))


def _redirects(ground: _Ground) -> Changes:
    return _compare(ground.current.redirects, ground.wanted(Redirect), ground.gone(Redirect))


def _addresses(ground: _Ground) -> Changes:
    """Secondary addresses go before their primary one, with which the kernel may drop them."""
    is_ = {address.place: address for address in ground.current.addresses}
    gone = ground.gone(Address)
    return _compare(is_, ground.wanted(Address), [place for place in reversed(is_) if place in gone])


def _proxies(ground: _Ground) -> Changes:
    is_ = {proxy.place: proxy for proxy in ground.current.proxies}
    return _compare(is_, ground.wanted(Proxy), ground.gone(Proxy))


def _sysctls(ground: _Ground) -> Changes:
    """Settings are shared by everybody on the host, so they only go with their device, or back where that is asked."""
    is_ = {(name,): Sysctl(name, value) for name, value in ground.current.sysctls.items() if value is not None}
    wanted = {
        place: item
        for place, item in ground.wanted(Sysctl).items()
        if not item.optional or is_known(item, ground.current, ground.request)
    }
    back = {place: item for place, item in _put_back(ground.request, is_).items() if place not in wanted}
    gone = [place for place in ground.falling[Sysctl.KIND] if place not in wanted]
    made, deleted = _compare(is_, {**back, **wanted}, gone)
    return [*made, *_kept(made, back)], deleted


def _put_back(request: Request, is_: dict[Place, Sysctl]) -> dict[Place, Sysctl]:
    """Settings as they were before the owners of the request had altered them, where they still are as altered."""
    others = request.held(Sysctl)
    return {
        (name,): Sysctl(name, before)
        for name, (before, after) in request.settings.items()
        if (name,) not in others and is_.get((name,)) == Sysctl(name, after)
    }


def _kept(made: Iterable[Operation], back: Mapping[Place, Sysctl]) -> list[Operation]:
    """What goes back to what it is, but would not be that any more once forwarding is off again."""
    changed = {operation.item.place for operation in made}
    switches = [name for name in SWITCHES if (name,) in changed and back.get((name,)) == Sysctl(name, "0")]
    return [
        Operation("change", Sysctl(item.name, OPPOSITE[item.value]), item)
        for place, item in back.items()
        if place not in changed and is_set_by(item.name, switches)
    ]


def _sets(ground: _Ground) -> Changes:
    return _compare(ground.current.sets, ground.wanted(AddressSet), ground.gone(AddressSet))


def _chains(ground: _Ground, merged: Sequence[Chain]) -> Changes:
    """From a chain of others what the owners of this request have stopped using goes as late as chains of their own:
    it may be what keeps an encrypted tunnel closed that still stands."""
    made, deleted = _compare(ground.current.chains, {chain.place: chain for chain in merged}, ground.gone(Chain))
    wanted = ground.request.wanted(Chain)
    left = [operation for operation in made if operation.action == "change" and operation.item.place not in wanted]
    return [operation for operation in made if operation not in left], [*left, *deleted]


def _routes(ground: _Ground) -> Changes:
    """Lasting routes lose their next hops by tunnels that go just before these, however late that is."""
    is_ = {place: route for place, (route, protocol) in ground.current.routes.items() if protocol == PROTOCOL}
    wanted = ground.wanted(Route)
    if not ground.request.only:
        return _compare(is_, wanted, ground.gone(Route))
    # the kernel takes no next hop by a device that is down
    going = {device.name for device in doomed(ground.current, ground.request) if "down" not in device.extra.split()}
    wide = {place: _widened(route, is_.get(place), going) for place, route in wanted.items()}
    made, deleted = _compare(is_, wide, ground.gone(Route))
    narrowed = [Operation("change", wide[place], route) for place, route in wanted.items() if wide[place] != route]
    return made, [*narrowed, *deleted]


def _widened(route: Route, is_: Route | None, going: Set[str]) -> Route:
    """A wanted route that lasts, with those of its next hops by devices that are *going* that it has now."""
    if is_ is None or not route.lasting:
        return route
    kept = [hop for hop in is_.nexthops if hop.device in going]
    return route.by([*route.nexthops, *kept]) if kept else route


def _rules(ground: _Ground) -> Changes:
    """Rules of lower numbers go in first: the answers of the WANs are safe before traffic is moved.

    While the tunnels are watched, stand-by rules are left to the scripts of the daemon's unit.
    """
    is_ = {rule.place: rule for rule, protocol in ground.current.rules if protocol == PROTOCOL}
    wanted = dict(sorted(ground.wanted(Rule).items(), key=lambda entry: entry[1].priority))
    if ground.current.watched:
        wanted = {place: rule for place, rule in wanted.items() if not rule.standby}
    gone = sorted(ground.gone(Rule).values(), key=lambda rule: -rule.priority)
    return _compare(is_, wanted, [rule.place for rule in gone])


def _connections(ground: _Ground) -> Changes:
    return _compare(ground.current.connections, ground.wanted(Connection), ground.gone(Connection))


def _files(ground: _Ground) -> Changes:
    return _compare(ground.current.files, ground.wanted(File), ground.gone(File))


def _resolvers(ground: _Ground) -> Changes:
    return _compare(ground.current.resolvers, ground.wanted(Resolver), ground.gone(Resolver))


# --- chains of several owners ----------------------------------------------------------------------


def merged_chains(request: Request, standing: Container[Place] = ()) -> tuple[Chain, ...]:
    """The chains that the request touches, each with the rules of every owner, in order of owner.

    With those that they jump to and that are not *standing* on the host, perhaps since it was booted anew.
    """
    if Chain.KIND not in request.kinds:
        return ()
    states = sorted([*request.others, *request.desired], key=lambda state: (state.owner.customer, state.owner.site))
    parts: dict[Place, list[Chain]] = {}
    for chain in (chain for state in states for chain in state.of(Chain)):
        parts.setdefault(chain.place, []).append(chain)
    merged: dict[Place, Chain] = {}
    waiting = list({**request.had(Chain), **request.wanted(Chain)})
    while waiting:
        place = waiting.pop(0)
        if place in parts and place not in merged:
            rules = dict.fromkeys(rule for part in parts[place] for rule in part.rules)
            merged[place] = replace(parts[place][-1], rules=tuple(rules))
            waiting += [target for target in merged[place].targets if target not in standing]
    return tuple(merged.values())
