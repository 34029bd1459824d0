# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random states for property tests. The domains are small, so that two states have much in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils._model import State

Plain = dict[str, Any]

DEVICES = ("a0", "b0")
"""Devices that the host has anyway; a0 has 10.1.0.1/24 and b0 10.2.0.1/24."""

GATEWAYS = {"a0": "10.1.0.9", "b0": "10.2.0.9"}
TABLES = (4200, 4221)
RP_FILTERS = tuple(f"net/ipv4/conf/{device}/rp_filter" for device in DEVICES)


def unique(items: st.SearchStrategy[Plain], *names: str, max_size: int = 4) -> st.SearchStrategy[list[Plain]]:
    return st.lists(items, max_size=max_size, unique_by=lambda item: tuple(item.get(name) for name in names))


TUNNELS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["ex-1", "ex-2", "ex-3"]),
            "local": st.just("192.0.2.1"),
            "remote": st.sampled_from(["203.0.113.1", "203.0.113.2"]),
            "key": st.sampled_from([None, 17, 18]),
            "ttl": st.sampled_from([0, 64]),
            "mtu": st.sampled_from([1400, 1472]),
            "wan": st.sampled_from(["dsl", "cable"]),
        }
    ),
    max_size=3,
    unique_by=(lambda item: item["name"], lambda item: (item["remote"], item["key"])),
)

DUMMIES = unique(st.fixed_dictionaries({"name": st.sampled_from(["extrude0", "extrude1"])}), "name")

PROXIES = unique(
    st.fixed_dictionaries(
        {
            "device": st.sampled_from(DEVICES),
            "address": st.sampled_from(["203.0.113.1", "203.0.113.2", "2001:db8:2::1", "2001:db8:2::2"]),
        }
    ),
    "device",
    "address",
)

GROUPS = unique(
    st.fixed_dictionaries({"device": st.sampled_from(DEVICES), "group": st.sampled_from([4200, 4201])}), "device"
)

SYSCTLS = unique(
    st.one_of(
        st.fixed_dictionaries({"name": st.sampled_from(RP_FILTERS), "value": st.sampled_from(["0", "1", "2"])}),
        st.just({"name": "net/ipv4/no_such_setting", "value": "1", "optional": True}),
    ),
    "name",
)

CHAINS = unique(
    st.fixed_dictionaries(
        {
            "family": st.sampled_from([4, 6]),
            "name": st.sampled_from(["EXTRUDE-FORWARD", "EXTRUDE-INPUT"]),
            "hook": st.just("FORWARD"),
            "rules": st.lists(st.sampled_from(["-i a0 -j ACCEPT", "-i b0 -j ACCEPT", "-j RETURN"]), unique=True),
        }
    ),
    "family",
    "name",
)

SETS = unique(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["EXTRUDE-a.example", "EXTRUDE-b.example"]), "timeout": st.sampled_from([60, 600])}
    ),
    "name",
)

RESOLVERS = unique(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["acme.1", "acme.2"]),
            "content": st.sampled_from(["ipset=/a.example/EXTRUDE-a.example\n", "# none\n"]),
        }
    ),
    "name",
)

RULES = unique(
    st.one_of(
        st.fixed_dictionaries(
            {
                "priority": st.sampled_from([4210, 4290]),
                "table": st.sampled_from(TABLES),
                "source": st.sampled_from([None, "192.0.2.1/32", "192.0.2.0/24", "0.0.0.0/0"]),
                "mark": st.sampled_from([None, 0, 0x1000000]),
                "iif": st.sampled_from([None, "a0"]),
            }
        ),
        st.fixed_dictionaries(
            {
                "family": st.just(6),
                "priority": st.just(4230),
                "table": st.just(254),
                "suppress_prefixlength": st.sampled_from([None, 0]),
                "suppress_ifgroup": st.sampled_from([None, 0, 4200]),
                "oif": st.sampled_from([None, "b0"]),
            }
        ),
    ).filter(lambda rule: rule.get("source") != "0.0.0.0/0" or rule["iif"] is None),
    *("family", "priority", "table", "source", "mark", "iif", "oif", "suppress_prefixlength", "suppress_ifgroup"),
)


def delays(devices: Sequence[str]) -> st.SearchStrategy[list[Plain]]:
    return unique(
        st.fixed_dictionaries({"device": st.sampled_from(devices), "delay": st.sampled_from([0.1, 5, 12.34, 1000])}),
        "device",
    )


def shapers(devices: Sequence[str]) -> st.SearchStrategy[list[Plain]]:
    shaper = {"device": st.sampled_from(devices), "rate": st.sampled_from([64, 19_000]), "received": st.booleans()}
    return unique(st.fixed_dictionaries(shaper), "device")


def redirects(devices: Sequence[str], to: Sequence[str]) -> st.SearchStrategy[list[Plain]]:
    redirect = {"device": st.sampled_from(devices), "to": st.sampled_from(to), "sent": st.booleans()}
    return unique(st.fixed_dictionaries(redirect), "device", "sent")


FILES = unique(
    st.fixed_dictionaries(
        {
            "path": st.sampled_from(["bird.conf", "bird.d/acme.office.conf", "standby.d/acme.office.4"]),
            "content": st.sampled_from(["router id 192.0.2.1;\n", "# büro", "one\n\ntwo\n"]),
        }
    ),
    "path",
)


def addresses(devices: Sequence[str]) -> st.SearchStrategy[list[Plain]]:
    values = ["198.51.100.1/24", "198.51.100.2/24", "198.51.100.2/32", "2001:db8:1::1/64", "2001:db8:1::1/128"]
    address = st.fixed_dictionaries({"device": st.sampled_from([*devices, "lo"]), "address": st.sampled_from(values)})
    return st.lists(
        address,
        max_size=4,
        unique_by=lambda item: (
            item["device"],
            item["address"].split("/")[0] if ":" in item["address"] else item["address"],
        ),
    )


@st.composite
def nexthops(draw: st.DrawFn, family: int, devices: Sequence[str]) -> list[Plain]:
    chosen = draw(st.lists(st.sampled_from(devices), min_size=1, max_size=3, unique=True))
    hops: list[Plain] = [{"device": device, "weight": draw(st.integers(1, 255))} for device in chosen]
    for hop in hops:
        if family == 6 and (len(hops) > 1 or draw(st.booleans())):
            hop["gateway"] = "fe80::9"
        if family == 4 and draw(st.booleans()) and hop["device"] in GATEWAYS:
            hop["gateway"] = GATEWAYS[hop["device"]]
    return hops


@st.composite
def route(draw: st.DrawFn, devices: Sequence[str]) -> Plain:
    destination = draw(st.sampled_from(["0.0.0.0/0", "198.18.0.0/15", "::/0", "2001:db8:9::/48"]))
    family = 6 if ":" in destination else 4
    kind = draw(st.sampled_from(["unicast", "unicast", "unicast", "blackhole", "unreachable", "prohibit", "throw"]))
    made: Plain = {
        "destination": destination,
        "table": draw(st.sampled_from(TABLES)),
        "metric": draw(st.sampled_from([0, 1, 9])),
        "type": kind,
    }
    if kind == "unicast":
        made["nexthops"] = draw(nexthops(family, devices))
        if family == 4:
            made["source"] = draw(st.sampled_from([None, "10.1.0.1"]))
    return made


CONNECTIONS = unique(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["ex-dsl", "ex-cable", "ex7-dsl"]),
            "settings": st.sampled_from(
                [{"mobike": "no"}, {"proposals": ["aes256gcm16-x25519"], "local": {"id": "a.b"}, "children": {}}]
            ),
        }
    ),
    "name",
)


def looking(chains: list[Plain], sets: list[Plain]) -> list[Plain]:
    """Chains that look into sets, of IPv4 as these are."""
    rules = [f"-m set --match-set {one['name']} dst -j RETURN" for one in sets]
    return [{**one, "rules": [*one["rules"], *(rules if one["family"] == 4 else [])]} for one in chains]


@st.composite
def plain_states(draw: st.DrawFn, tunnels: bool = True, owner: tuple[str, str] = ("acme", "office")) -> Plain:
    """A whole state as plain data; without *tunnels* every kernel can hold it."""
    made = draw(TUNNELS) if tunnels else []
    dummies = draw(DUMMIES)
    new = [str(device["name"]) for device in [*made, *dummies]]
    devices = [*DEVICES, *new]
    # dummies have no addresses: with the last one of IPv4 the kernel would drop their routes
    addressed = [*DEVICES, *(str(tunnel["name"]) for tunnel in made)]
    sets = draw(SETS)
    sysctls = [{"name": f"net/ipv4/conf/{name}/rp_filter", "value": "2"} for name in new if draw(st.booleans())]
    return {
        "customer": owner[0],
        "site": owner[1],
        "tunnels": made,
        "dummies": dummies,
        "groups": draw(GROUPS),
        "delays": draw(delays(new)) if made else [],
        "shapers": draw(shapers(DEVICES)) if made else [],
        "redirects": draw(redirects(addressed, [str(one["name"]) for one in dummies])) if dummies and made else [],
        "addresses": draw(addresses(addressed)),
        "sysctls": draw(SYSCTLS) + sysctls,
        "sets": sets,
        "chains": looking(draw(CHAINS), sets),
        "routes": draw(unique(route(devices), "destination", "table", "metric", max_size=5)),
        "rules": draw(RULES),
        "proxies": draw(PROXIES),
        "files": draw(FILES),
        "connections": draw(CONNECTIONS),
        "resolvers": draw(RESOLVERS),
        "reserved": {"tables": list(TABLES), "priorities": [4200, 4299]},
    }


def states(tunnels: bool = True, owner: tuple[str, str] = ("acme", "office")) -> st.SearchStrategy[State]:
    return plain_states(tunnels, owner).map(State.parse)


def elsewhere(state: Plain) -> Plain:
    """The same state in places that no state of the strategies above takes, but for what owners may share."""
    return {
        **state,
        "tunnels": [{**t, "name": f"other{t['name']}", "key": 1000 + (t["key"] or 0)} for t in state["tunnels"]],
        "groups": [],
        "delays": [],
        "shapers": [],
        "redirects": [],
        "addresses": [],
        "sysctls": [],
        "routes": [
            {
                **r,
                "destination": r["destination"].replace(".18.", ".20.").replace(":9:", ":a:"),
                "metric": 1000 + r["metric"],
                "nexthops": [h for h in r.get("nexthops", []) if h["device"] in DEVICES],
            }
            for r in state["routes"]
            if r["type"] != "unicast" or any(h["device"] in DEVICES for h in r["nexthops"])
        ],
        "proxies": [{**p, "address": f"{p['address']}00"} for p in state["proxies"]],
        "files": [{**f, "path": f"other.{f['path'].replace('/', '.')}"} for f in state["files"]],
        "connections": [{**c, "name": c["name"].replace("ex", "ex4")} for c in state["connections"]],
        "sets": [],
        "chains": [{**c, "rules": [r for r in c["rules"] if "--match-set" not in r]} for c in state["chains"]],
        "resolvers": [{**r, "name": f"other.{r['name']}"} for r in state["resolvers"]],
    }
