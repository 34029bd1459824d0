# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel objects that the collection manages, as frozen values.

Every value is normalised when it is made, so that what was asked for and what the kernel
reports compare with ``==``. This module util is private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias, TypeVar, dataclass_transform

from . import _fields, _swanctl
from ._fields import Fields, Form, family_of

EngineError = _fields.EngineError

SCHEMA = 1

PROTOCOL = 120
"""Origin of our routes and rules (rtnetlink ``rtm_protocol``), 'x' in ASCII."""

MAIN_TABLE = 254

FOLDER = "/etc/extrude"
"""Where the files of states stand."""

Action: TypeAlias = Literal["add", "change", "delete"]

CUSTOMER = Form(r"[a-z0-9-]{1,32}", "the name of a customer: 1 to 32 of a-z, 0-9 and -")
SITE = Form(r"[^\s/]{1,64}", "the name of a site: 1 to 64 characters without blank and slash")
WAN = Form(r"[^\s/]{1,64}", "the name of a link: 1 to 64 characters without blank and slash")
SYSCTL = Form(r"(?!.*\.\.)\w\S*/\S+", "the path of a setting below /proc/sys, such as net/ipv4/ip_forward")
CHAIN = Form(r"EXTRUDE-[A-Z0-9-]{1,20}", "the name of a chain of ours: EXTRUDE- and 1 to 20 of A-Z, 0-9 and -")
SET = Form(r"EXTRUDE-[a-z0-9._-]{1,23}", "the name of a set of ours: EXTRUDE- and 1 to 23 of a-z, 0-9, dot, _ and -")
RESOLVER = Form(r"[a-z0-9][a-z0-9.-]{0,63}", "the name of an owner in that of a file")
HOOK = Form(r"PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING", "a built-in chain such as FORWARD")
CONNECTION = Form(r"ex[0-9]*-[a-z0-9-]{1,8}", "the name of a tunnel of ours")
FILE = Form(
    r"([A-Za-z0-9][A-Za-z0-9._-]{0,99}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,199}",
    f"the path of a file below {FOLDER}: at most one folder, and names of A-Z, a-z, 0-9, dot, _ and -",
)
CONTENT = Form(r"[^\0\ud800-\udfff]+", "what a text file may hold")
LABEL = "extrude:"
"""What the aliases of our devices start with."""

FAMILIES = (4, 6)
_WORD32 = 2**32 - 1
_LONGEST_ALIAS = 255
"""Bytes; include/uapi/linux/if.h, IFALIASZ."""

Class = TypeVar("Class")

Place: TypeAlias = tuple[Any, ...]
"""What the kernel knows an object of its kind by."""


def keys(names: str) -> frozenset[str]:
    """The keys that plain data may have."""
    return frozenset(names.split())


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[Class]) -> type[Class]:
    """A dataclass with slots, frozen for the type checker only: at run time that would double the time to make one."""
    return dataclass(unsafe_hash=True, slots=True)(cls)


# pylint does not see that these are dataclasses
# pylint: disable=invalid-field-call

# --- the objects ----------------------------------------------------------------------------------


@value
class Tunnel:
    """A GRE device over IPv4 (RFC 2784; key: RFC 2890). ``ttl`` and ``tos`` 0 and 1 mean: inherit."""

    KIND: ClassVar[str] = "tunnels"
    KEYS: ClassVar[frozenset[str]] = keys("name local remote key ttl tos pmtudisc mtu device wan")
    name: str
    local: str
    remote: str
    key: int | None = None
    ttl: int = 64
    tos: int = 0
    pmtudisc: bool = True
    mtu: int = 1472
    device: str | None = None
    alias: str = ""
    extra: str = ""
    """What the kernel reports beyond the above (down, checksums, encapsulation); never wanted by us."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Tunnel:
        name = data.device("name")
        tunnel = cls(
            name=name,
            local=data.address("local", 4),
            remote=data.address("remote", 4),
            key=data.optional_integer("key", 0, _WORD32),
            ttl=data.integer("ttl", 0, 255, 64),
            tos=data.integer("tos", 0, 255, 0),
            pmtudisc=data.flag("pmtudisc", True),
            mtu=data.integer("mtu", 68, 65511, 1472),
            device=data.optional_device("device"),
            alias=f"{owner}/{data.optional_text('wan', WAN) or name}",
        )
        if len(tunnel.alias.encode()) > _LONGEST_ALIAS:
            raise data.error("wan", f"the alias {tunnel.alias} is longer than {_LONGEST_ALIAS} bytes")
        data.only(cls.KEYS)
        return tunnel

    @property
    def identity(self) -> Place:
        """What the kernel tells two tunnels apart by (net/ipv4/ip_tunnel.c, ip_tunnel_find)."""
        return (self.local, self.remote, self.key, self.device)

    @property
    def owner(self) -> str:
        """The start of the alias, which is the label of an owner; empty where the alias is not ours."""
        return self.alias.rpartition("/")[0] if self.alias.startswith(LABEL) else ""

    @property
    def place(self) -> Place:
        return (self.name,)

    def __str__(self) -> str:
        key = "" if self.key is None else f" key {self.key}"
        return f"tunnel {self.name} {self.local} -> {self.remote}{key}"


DUMMY_KINDS = ("dummy", "ifb")


@value
class Dummy:
    """A device with no wire behind it, which is up: one of kind dummy sends nothing anywhere, one of kind ifb lets
    what others have received queue (ip-link(8)). Several owners may share it."""

    KIND: ClassVar[str] = "dummies"
    KEYS: ClassVar[frozenset[str]] = keys("name kind")
    ALIAS: ClassVar[str] = f"{LABEL}dummy"
    name: str
    alias: str = ALIAS
    extra: str = ""
    """What the kernel reports beyond the above (down); never wanted by us."""
    kind: str = "dummy"

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Dummy:
        dummy = cls(data.device("name"), kind=data.choice("kind", DUMMY_KINDS, "dummy"))
        data.only(cls.KEYS)
        return dummy

    @property
    def place(self) -> Place:
        return (self.name,)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@value
class Group:
    """The link group of a device, by which rules can tell WANs from LANs (ip-rule(8), suppress_ifgroup)."""

    KIND: ClassVar[str] = "groups"
    KEYS: ClassVar[frozenset[str]] = keys("device group")
    device: str
    group: int

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Group:
        group = cls(data.device("device"), data.integer("group", 1, _WORD32))
        data.only(cls.KEYS)
        return group

    @property
    def place(self) -> Place:
        return (self.device,)

    def __str__(self) -> str:
        return f"group {self.group} of {self.device}"


@value
class Delay:
    """What a device holds back all that it sends for, in milliseconds with one decimal (tc-netem(8))."""

    KIND: ClassVar[str] = "delays"
    KEYS: ClassVar[frozenset[str]] = keys("device delay")
    LONGEST: ClassVar[int] = 1000
    device: str
    delay: float

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Delay:
        value = data.required("delay")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= cls.LONGEST:
            raise data.error("delay", f"{value!r} is no number of milliseconds from 0.1 to {cls.LONGEST}")
        delay = cls(data.device("device"), round(float(value), 1))
        data.only(cls.KEYS)
        return delay

    @property
    def place(self) -> Place:
        return (self.device,)

    def __str__(self) -> str:
        return f"delay of {self.delay} ms on {self.device}"


@value
class Shaper:
    """CAKE on all that a device sends (tc-cake(8)): at most *rate* kbit/s, without a queue that others wait in.

    ``received``: what comes by it has come in by the link already, and so has what is dropped here (for an ifb).
    Several owners of one customer may share it.
    """

    KIND: ClassVar[str] = "shapers"
    KEYS: ClassVar[frozenset[str]] = keys("device rate received variable")
    MOST: ClassVar[int] = 100_000_000
    device: str
    rate: int
    received: bool = False
    extra: str = ""
    """What the kernel reports beyond the above (options that are others than ours); never wanted by us."""
    variable: str = field(default="", compare=False)
    """Host and variable of the inventory that ask for it."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Shaper:
        shaper = cls(
            device=data.device("device"),
            rate=data.integer("rate", 1, cls.MOST),
            received=data.flag("received", False),
            variable=data.optional_text("variable") or "",
        )
        data.only(cls.KEYS)
        return shaper

    @property
    def place(self) -> Place:
        return (self.device,)

    def __str__(self) -> str:
        return f"shaper of {self.rate} kbit/s on {self.device}"


@value
class Redirect:
    """All that a device receives goes by the queue of another one, an ifb, before anything else (tc-mirred(8)).

    ``sent``: so goes what it sends, before its own queue.
    """

    KIND: ClassVar[str] = "redirects"
    KEYS: ClassVar[frozenset[str]] = keys("device to sent variable")
    device: str
    to: str
    sent: bool = False
    variable: str = field(default="", compare=False)
    """Host and variable of the inventory that ask for it."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Redirect:
        redirect = cls(
            device=data.device("device"),
            to=data.device("to"),
            sent=data.flag("sent", False),
            variable=data.optional_text("variable") or "",
        )
        data.only(cls.KEYS)
        return redirect

    @property
    def place(self) -> Place:
        return (self.device, self.sent)

    def __str__(self) -> str:
        return f"redirect of what {self.device} {'sends' if self.sent else 'receives'} to {self.to}"


@value
class Address:
    """An address with its prefix length on a device.

    IPv6 takes an address only once on a device, IPv4 once with each prefix length.
    """

    KIND: ClassVar[str] = "addresses"
    KEYS: ClassVar[frozenset[str]] = keys("device address")
    device: str
    address: str

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Address:
        address = cls(data.device("device"), data.interface("address"))
        data.only(cls.KEYS)
        return address

    @property
    def place(self) -> Place:
        return (self.device, self.address.partition("/")[0] if ":" in self.address else self.address)

    def __str__(self) -> str:
        return f"address {self.address} on {self.device}"


@value
class Proxy:
    """An address that a device answers ARP (RFC 1027) or neighbour solicitations (RFC 4389) for."""

    KIND: ClassVar[str] = "proxies"
    KEYS: ClassVar[frozenset[str]] = keys("device address")
    device: str
    address: str

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Proxy:
        proxy = cls(data.device("device"), data.address("address"))
        data.only(cls.KEYS)
        return proxy

    @property
    def place(self) -> Place:
        return (self.device, self.address)

    def __str__(self) -> str:
        return f"proxy {self.address} on {self.device}"


class Nexthop(NamedTuple):
    """One leg of a route. ``weight`` is the share of the legs' sum, 1 to 255."""

    device: str
    gateway: str = ""
    weight: int = 1

    @classmethod
    def parse(cls, data: Fields) -> Nexthop:
        hop = cls(data.device("device"), data.optional_address("gateway") or "", data.integer("weight", 1, 255, 1))
        data.only(_HOP)
        return hop

    def __str__(self) -> str:
        via = f"via {self.gateway}" if self.gateway else ""
        device = f"dev {self.device}" if self.device else ""
        return " ".join(word for word in (via, device, f"weight {self.weight}") if word)


RouteType: TypeAlias = Literal["unicast", "blackhole", "unreachable", "prohibit", "throw"]
ROUTE_TYPES: tuple[RouteType, ...] = ("unicast", "blackhole", "unreachable", "prohibit", "throw")
SCOPES = ("global", "link", "host")
IPV6_METRIC = 1024
"""The metric that the kernel gives to IPv6 routes that have none (include/uapi/linux/ipv6_route.h)."""


@value
class Route:
    """A route with one or more weighted next hops; its place is table, destination and metric."""

    KIND: ClassVar[str] = "routes"
    KEYS: ClassVar[frozenset[str]] = keys("destination table metric type scope source nexthops lasting")
    destination: str
    table: int = MAIN_TABLE
    metric: int = 0
    type: RouteType = "unicast"
    scope: str = "global"
    source: str | None = None
    nexthops: tuple[Nexthop, ...] = ()
    lasting: bool = field(default=False, compare=False)
    """It keeps its next hops by tunnels that go until these go: the far end may still use them."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Route:
        destination = data.prefix("destination")
        family = family_of(destination)
        kind: RouteType = data.choice("type", ROUTE_TYPES, "unicast")
        hops = tuple(Nexthop.parse(item) for item in data.items("nexthops"))
        if problem := _problem_of_hops(kind, family, hops):
            raise data.error("nexthops", problem)
        route = normal_route(
            destination=destination,
            table=data.integer("table", 1, _WORD32, MAIN_TABLE),
            metric=data.integer("metric", 0, _WORD32, 0),
            type=kind,
            scope=data.choice("scope", SCOPES, None),
            source=data.optional_address("source", family),
            nexthops=hops,
        )
        lasting = data.flag("lasting", False)
        data.only(cls.KEYS)
        return replace(route, lasting=True) if lasting else route

    def by(self, nexthops: Iterable[Nexthop]) -> Route:
        """The same route by other next hops."""
        route = normal_route(
            destination=self.destination,
            table=self.table,
            metric=self.metric,
            type=self.type,
            scope=self.scope,
            source=self.source,
            nexthops=nexthops,
        )
        return replace(route, lasting=self.lasting)

    @property
    def family(self) -> int:
        return family_of(self.destination)

    @property
    def place(self) -> Place:
        return (family_of(self.destination), self.table, self.destination, self.metric)

    def __str__(self) -> str:
        words: list[str] = [] if self.type == "unicast" else [self.type]
        words += [f"route {self.destination} table {self.table} metric {self.metric}"]
        words += [str(hop) for hop in self.nexthops]
        return " ".join(words)


@lru_cache(maxsize=1000)  # thousands of routes, few sets of next hops; so with the next one
def _problem_of_hops(kind: RouteType, family: int, hops: tuple[Nexthop, ...]) -> str | None:
    if (kind == "unicast") != bool(hops):
        return "a unicast route needs at least one, any other type takes none"
    gateways = [hop.gateway for hop in hops if hop.gateway]
    if any(family_of(gateway) != family for gateway in gateways):
        return f"a gateway is not of IPv{family} as the destination is"
    if len({(hop.device, hop.gateway) for hop in hops}) < len(hops):
        return "the same next hop stands there twice"
    if family == 6 and len(hops) > 1 and len(gateways) < len(hops):
        return "IPv6 takes several next hops only when each has a gateway"
    return None


def normal_route(
    *,
    destination: str,
    table: int,
    metric: int,
    type: RouteType,
    scope: str | None,
    source: str | None,
    nexthops: Iterable[Nexthop],
) -> Route:
    """A route in the form in which the kernel reports it.

    IPv6 knows no scope and no metric 0. Without a gateway an IPv4 route has scope link (ip-route(8)).
    """
    hops = _normal_hops(tuple(nexthops))
    if family_of(destination) == 6:
        scope, metric = "global", metric or IPV6_METRIC
    elif scope is None:
        scope = "link" if hops and not [hop for hop in hops if hop.gateway] else "global"
    return Route(destination, table, metric, type, scope, source, hops)


@lru_cache(maxsize=1000)
def _normal_hops(hops: tuple[Nexthop, ...]) -> tuple[Nexthop, ...]:
    """The order of next hops means nothing; the weight of a single one neither."""
    return (hops[0]._replace(weight=1),) if len(hops) == 1 else tuple(sorted(hops))


@value
class Rule:
    """A policy rule that sends what it matches to a table (ip-rule(8)). All the kernel's fields are its identity."""

    KIND: ClassVar[str] = "rules"
    KEYS: ClassVar[frozenset[str]] = keys(
        "family priority table source destination iif oif mark mask suppress_prefixlength suppress_ifgroup standby"
    )
    family: int
    priority: int
    table: int
    source: str | None = None
    destination: str | None = None
    iif: str | None = None
    oif: str | None = None
    mark: int | None = None
    mask: int | None = None
    suppress_prefixlength: int | None = None
    suppress_ifgroup: int | None = None
    standby: bool = field(default=False, compare=False)
    """Wanted only while no daemon watches the tunnels, and put in and taken out by its unit's scripts meanwhile."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Rule:
        family = data.choice("family", FAMILIES, 4)
        mark = data.optional_integer("mark", 0, _WORD32)
        mask = data.optional_integer("mask", 1, _WORD32)
        if mask is not None and mark is None:
            raise data.error("mark", "is missing, but mask is given")
        rule = cls(
            family=family,
            priority=data.integer("priority", 1, _WORD32),
            table=data.integer("table", 1, _WORD32),
            source=_unless_all(data.optional_prefix("source", family)),
            destination=_unless_all(data.optional_prefix("destination", family)),
            iif=data.optional_device("iif"),
            oif=data.optional_device("oif"),
            mark=mark,
            mask=_WORD32 if mask is None and mark is not None else mask,
            suppress_prefixlength=data.optional_integer("suppress_prefixlength", 0, 32 if family == 4 else 128),
            suppress_ifgroup=data.optional_integer("suppress_ifgroup", 0, _WORD32 - 1),
            standby=data.flag("standby", False),
        )
        data.only(cls.KEYS)
        return rule

    @property
    def place(self) -> Place:
        return _RULE_FIELDS(self)

    def __str__(self) -> str:
        words = [f"rule {self.priority}:"]
        words += [
            f"{word} {value}"
            for word, value in (
                ("from", self.source),
                ("to", self.destination),
                ("iif", self.iif),
                ("oif", self.oif),
                ("fwmark", None if self.mark is None else f"{self.mark:#x}/{self.mask:#x}"),
            )
            if value is not None
        ]
        words += [f"lookup {self.table}"]
        if self.suppress_prefixlength is not None:
            words += [f"suppress_prefixlength {self.suppress_prefixlength}"]
        if self.suppress_ifgroup is not None:
            words += [f"suppress_ifgroup {self.suppress_ifgroup}"]
        return " ".join(words) + (" (IPv6)" if self.family == 6 else "")


_RULE_FIELDS: Callable[[Rule], Place] = attrgetter(*(item.name for item in fields(Rule) if item.compare))


def _unless_all(prefix: str | None) -> str | None:
    """A prefix of length 0 matches everything, which the kernel reports as no match at all."""
    return None if prefix is None or prefix.endswith("/0") else prefix


@value
class Sysctl:
    """A kernel setting; its name is the path below ``/proc/sys``, since device names may hold dots."""

    KIND: ClassVar[str] = "sysctls"
    KEYS: ClassVar[frozenset[str]] = keys("name value optional")
    name: str
    value: str
    optional: bool = field(default=False, compare=False)
    """Passed over where the kernel does not have it."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Sysctl:
        value = data.required("value")
        if not isinstance(value, str | int):
            raise data.error("value", f"{value!r} is neither a text nor a number")
        words = str(int(value) if isinstance(value, bool) else value).split()
        sysctl = cls(data.text("name", SYSCTL), " ".join(words), data.flag("optional", False))
        data.only(cls.KEYS)
        return sysctl

    @property
    def place(self) -> Place:
        return (self.name,)

    def __str__(self) -> str:
        return f"sysctl {self.name} = {self.value}"


@value
class AddressSet:
    """A set of addresses that chains look into and somebody else fills (ipset(8), hash:ip). An address goes when nobody
    has added it for *timeout* seconds."""

    KIND: ClassVar[str] = "sets"
    KEYS: ClassVar[frozenset[str]] = keys("name timeout family")
    name: str
    timeout: int
    extra: str = ""
    """What the kernel reports beyond the above (another type); never wanted by us."""
    family: int = 4

    @classmethod
    def parse(cls, data: Fields, owner: str) -> AddressSet:
        timeout = data.integer("timeout", 1, 2147483)
        made = cls(data.text("name", SET), timeout, family=data.choice("family", FAMILIES, 4))
        data.only(cls.KEYS)
        return made

    @property
    def place(self) -> Place:
        return (self.name,)

    def __str__(self) -> str:
        return f"set {self.name}"


_SET = re.compile(r"--match-set (\S+)")
_JUMP = re.compile(r" ?-[jg] (EXTRUDE-[A-Z0-9-]+)$")


@value
class Chain:
    """An iptables chain of ours, and the built-in chain that jumps to it (``hook``; empty: none does)."""

    KIND: ClassVar[str] = "chains"
    KEYS: ClassVar[frozenset[str]] = keys("family table name hook rules")
    family: int
    table: str
    name: str
    hook: str
    rules: tuple[str, ...]

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Chain:
        chain = cls(
            family=data.choice("family", FAMILIES, 4),
            table=data.choice("table", ("filter", "mangle", "nat", "raw"), "filter"),
            name=data.text("name", CHAIN),
            hook=data.optional_text("hook", HOOK) or "",
            rules=data.strings("rules"),
        )
        data.only(cls.KEYS)
        return chain

    @property
    def place(self) -> Place:
        return (self.family, self.table, self.name)

    @property
    def targets(self) -> set[Place]:
        """The places of the chains of ours that its rules jump to."""
        found = (_JUMP.search(rule) for rule in self.rules)
        return {(self.family, self.table, jump[1]) for jump in found if jump}

    @property
    def sets(self) -> set[str]:
        """The names of the sets that its rules look into."""
        return {name for rule in self.rules for name in _SET.findall(rule)}

    def __str__(self) -> str:
        program = "iptables" if self.family == 4 else "ip6tables"
        return f"{program} chain {self.name} in {self.table}, {len(self.rules)} rules"


@value
class File:
    """A text file below the folder of the configuration. Several owners may share one."""

    KIND: ClassVar[str] = "files"
    KEYS: ClassVar[frozenset[str]] = keys("path content")
    path: str
    content: str
    extra: str = ""
    """What is beyond the content (that nobody was told of it); never wanted by us."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> File:
        file = cls(data.text("path", FILE), data.text("content", CONTENT))
        data.only(cls.KEYS)
        return file

    @property
    def place(self) -> Place:
        return (self.path,)

    def __str__(self) -> str:
        return f"file {self.path}"


@value
class Connection:
    """A connection of strongSwan by which a tunnel is encrypted: settings of swanctl.conf(5), as the text of a file."""

    KIND: ClassVar[str] = "connections"
    KEYS: ClassVar[frozenset[str]] = keys("name settings")
    name: str
    content: str
    extra: str = ""
    """What is beyond the content (that the daemon does not know it); never wanted by us."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Connection:
        name, settings = data.text("name", CONNECTION), data.required("settings")
        try:
            connection = cls(name, _swanctl.render({"connections": {name: dict(settings)}}))
        except (TypeError, ValueError) as error:
            raise data.error("settings", str(error)) from error
        data.only(cls.KEYS)
        return connection

    @property
    def settings(self) -> _swanctl.Settings:
        """What :meth:`parse` takes; nothing of a file that somebody has damaged."""
        return _swanctl.section(self.content, "connections", self.name)

    @property
    def place(self) -> Place:
        return (self.name,)

    @property
    def path(self) -> str:
        """What a diff calls it."""
        return str(self)

    def __str__(self) -> str:
        return f"connection {self.name}"


@value
class Resolver:
    """A file of dnsmasq that says which of its answers it keeps in sets; its name is that of its owner."""

    KIND: ClassVar[str] = "resolvers"
    KEYS: ClassVar[frozenset[str]] = keys("name content")
    name: str
    content: str
    extra: str = ""
    """What is beyond the content (that nobody was told of it); never wanted by us."""

    @classmethod
    def parse(cls, data: Fields, owner: str) -> Resolver:
        resolver = cls(data.text("name", RESOLVER), data.text("content", CONTENT))
        data.only(cls.KEYS)
        return resolver

    @property
    def place(self) -> Place:
        return (self.name,)

    @property
    def path(self) -> str:
        """What a diff calls it."""
        return str(self)

    def __str__(self) -> str:
        return f"dnsmasq's file of {self.name}"


Object: TypeAlias = (
    Tunnel
    | Dummy
    | Group
    | Delay
    | Shaper
    | Redirect
    | Address
    | Proxy
    | Route
    | Rule
    | Sysctl
    | AddressSet
    | Chain
    | File
    | Connection
    | Resolver
)

AnyObject = TypeVar(
    "AnyObject",
    Tunnel,
    Dummy,
    Group,
    Delay,
    Shaper,
    Redirect,
    Address,
    Proxy,
    Route,
    Rule,
    Sysctl,
    AddressSet,
    Chain,
    File,
    Connection,
    Resolver,
)

_IN_ORDER: tuple[type[Object], ...] = (
    AddressSet,
    Chain,
    Connection,
    Tunnel,
    Dummy,
    Group,
    Delay,
    Shaper,
    Redirect,
    Address,
    Sysctl,
    Route,
    Rule,
    Proxy,
    File,
    Resolver,
)
MODELS: dict[str, type[Object]] = {model.KIND: model for model in _IN_ORDER}
KINDS = tuple(MODELS)
"""The kinds in the order in which they are added: what comes later stands on what comes before.

What is encrypted is never sent in the clear: the chains that drop what is not encrypted are there before all else and
go after it, connections are there before tunnels and go after them.
"""


# --- what a host holds ----------------------------------------------------------------------------


@value
class Device:
    """A network device as the kernel reports it; ``tunnel`` is set for GRE devices, ``dummy`` for dummies."""

    name: str
    index: int
    kind: str = ""
    alias: str = ""
    group: int = 0
    tunnel: Tunnel | None = None
    dummy: Dummy | None = None


@dataclass(frozen=True)
class Current:
    """What the host holds. Routes and rules come with their protocol number (who made them).

    ``queues``: by device, the queueing disciplines that somebody else has put there; ``filtered``: those, and their
    filters, of what a device receives. ``shapes``: whether the kernel can, where that matters. ``resolves``: there
    is dnsmasq. ``looks_up``: there is ipset.
    Addresses stand in the kernel's order, in which a primary one precedes its secondary ones. ``watched``: a
    daemon watches the tunnels, and puts the routes of live ones into tables before those of the stand-by rules.
    """

    devices: dict[str, Device] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    delays: dict[Place, Delay] = field(default_factory=dict)
    shapers: dict[Place, Shaper] = field(default_factory=dict)
    redirects: dict[Place, Redirect] = field(default_factory=dict)
    queues: dict[str, str] = field(default_factory=dict)
    filtered: dict[str, str] = field(default_factory=dict)
    shapes: bool = True
    proxies: frozenset[Proxy] = frozenset()
    routes: dict[Place, tuple[Route, int]] = field(default_factory=dict)
    rules: tuple[tuple[Rule, int], ...] = ()
    sysctls: dict[str, str | None] = field(default_factory=dict)
    chains: dict[Place, Chain] = field(default_factory=dict)
    files: dict[Place, File] = field(default_factory=dict)
    connections: dict[Place, Connection] = field(default_factory=dict)
    sets: dict[Place, AddressSet] = field(default_factory=dict)
    resolvers: dict[Place, Resolver] = field(default_factory=dict)
    resolves: bool = True
    looks_up: bool = True
    watched: bool = False


# --- states ---------------------------------------------------------------------------------------


@value
class Owner:
    """Whose an object is: the scope of a change."""

    customer: str
    site: str

    @property
    def label(self) -> str:
        """The start of the alias of this owner's tunnels."""
        return f"{LABEL}{self.customer}/{self.site}"

    def __str__(self) -> str:
        return f"customer {self.customer}, site {self.site}"


@value
class Expected:
    """What must be so before a change; else it is the wrong host, or a wrong inventory.

    The host holds *address*, on *device* if that is given, and there somebody answers for *gateway* where it is new.
    Or *network* is not on the link of another device than *device*. *variable* says where the inventory has that.
    """

    address: str | None = None
    device: str | None = None
    gateway: str | None = None
    network: str | None = None
    variable: str | None = None

    @classmethod
    def parse(cls, data: Fields) -> Expected:
        network, gateway = data.optional_prefix("network"), data.optional_address("gateway", 4)
        expected = cls(
            address=data.optional_address("address") if network else data.address("address", 4 if gateway else None),
            device=data.device("device") if network or gateway else data.optional_device("device"),
            gateway=gateway,
            network=network,
            variable=data.optional_text("variable"),
        )
        data.only(_EXPECTED)
        return expected

    @property
    def told(self) -> str:
        """Host and variable, to begin a sentence with."""
        return f"{self.variable}: " if self.variable else ""

    def plain(self) -> dict[str, str]:
        """What :meth:`parse` reads back."""
        return {entry.name: value for entry in fields(self) if (value := getattr(self, entry.name)) is not None}


@value
class State:
    """The objects that one host should hold for one owner.

    In the reserved tables and priorities (first, last) nothing of anybody else may stand. Unless
    ``renumber``, a tunnel that is there must keep its key, by which both ends know it. Where the host does
    not hold what the state expects, it is the wrong host or a wrong inventory. Unless ``take_over``, no address
    that a neighbour holds is answered for.
    """

    owner: Owner
    objects: tuple[Object, ...] = ()
    reserved_tables: tuple[int, ...] = ()
    reserved_priorities: tuple[int, int] | None = None
    renumber: bool = True
    expects: tuple[Expected, ...] = ()
    take_over: bool = False

    def of(self, model: type[AnyObject]) -> list[AnyObject]:
        return [item for item in self.objects if isinstance(item, model)]

    @classmethod
    def parse(cls, data: object, where: str = "") -> State:
        """A state from plain data (JSON); raises InvalidInput with the place of the first bad value."""
        top = Fields(data, where)
        if (schema := top.integer("schema", 1, 2**31, SCHEMA)) != SCHEMA:
            raise top.error("schema", f"{schema} is newer than this version understands ({SCHEMA})")
        owner = Owner(top.text("customer", CUSTOMER), top.text("site", SITE))
        objects = [model.parse(item, owner.label) for kind, model in MODELS.items() for item in top.items(kind)]
        reserved = Fields(top.optional("reserved") or {}, f"{where}.reserved" if where else "reserved")
        tables = reserved.integers("tables", 1, _WORD32)
        priorities = reserved.integers("priorities", 1, _WORD32)
        if priorities and len(priorities) != 2:
            raise reserved.error("priorities", "takes the first and the last one")
        reserved.only(_RESERVED)
        renumber = top.flag("renumber", True)
        expects = tuple(Expected.parse(item) for item in top.items("expects"))
        take_over = top.flag("take_over", False)
        top.only(_STATE)
        span = (priorities[0], priorities[1]) if priorities else None
        return cls(owner, tuple(objects), tables, span, renumber, expects, take_over)

    def plain(self) -> dict[str, Any]:
        """The state as plain data, which :meth:`parse` reads back."""
        data: dict[str, Any] = {"schema": SCHEMA, "customer": self.owner.customer, "site": self.owner.site}
        data["renumber"] = self.renumber
        data["take_over"] = self.take_over
        data["expects"] = [item.plain() for item in self.expects]
        for item in self.objects:
            data.setdefault(item.KIND, []).append(plain(item))
        data["reserved"] = {"tables": list(self.reserved_tables), "priorities": list(self.reserved_priorities or ())}
        return data


_STATE = keys("schema customer site reserved renumber expects take_over links lans endpoints secret certificate")
_STATE |= frozenset(KINDS)
_RESERVED = keys("tables priorities")
_EXPECTED = keys("address device gateway network variable")
_HOP = keys("device gateway weight")


def needed_by_proxies(state: State) -> tuple[Sysctl, ...]:
    """The settings without which the proxy entries of a state do nothing, or answer late.

    Source: Documentation/networking/ip-sysctl.rst; net/ipv4/arp.c, net/ipv6/ndisc.c.
    """
    names = []
    for device, family in sorted({(proxy.device, family_of(proxy.address)) for proxy in state.of(Proxy)}):
        if family == 4:
            names += ["net/ipv4/ip_forward=1", f"net/ipv4/neigh/{device}/proxy_delay=0"]
        else:
            names += ["net/ipv6/conf/all/forwarding=1", f"net/ipv6/conf/{device}/proxy_ndp=1"]
            names += [f"net/ipv6/neigh/{device}/proxy_delay=0"]
    pairs = (setting.split("=") for setting in dict.fromkeys(names))
    return tuple(Sysctl(name, value) for name, value in pairs)


def plain(item: Object) -> dict[str, Any]:
    """One object as plain data, without what is not set."""
    data: dict[str, Any] = {entry.name: getattr(item, entry.name) for entry in fields(item)}
    data = {name: value for name, value in data.items() if value not in (None, "", ())}
    if isinstance(item, Connection):
        data["settings"] = item.settings
        del data["content"]
    if isinstance(item, Tunnel):
        alias = data.pop("alias", "")  # one that was made by a run that was cut short has none yet
        data.update({"wan": alias.rpartition("/")[2]} if alias else {})
    if isinstance(item, Dummy) and item.alias == Dummy.ALIAS:
        del data["alias"]
    if isinstance(item, Dummy) and item.kind == "dummy":
        del data["kind"]
    if isinstance(item, Redirect) and not item.sent:
        del data["sent"]
    if isinstance(item, Rule) and not item.standby:
        del data["standby"]
    if isinstance(item, Route) and not item.lasting:
        del data["lasting"]
    if isinstance(item, Route):
        data["nexthops"] = [plain_hop(hop) for hop in item.nexthops]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}


def plain_hop(hop: Nexthop) -> dict[str, Any]:
    gateway = {"gateway": hop.gateway} if hop.gateway else {}
    return {"device": hop.device, **gateway, "weight": hop.weight}
