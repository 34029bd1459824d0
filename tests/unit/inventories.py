# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random inventories for property tests: each variable that is read, with values that may be right, and with nonsense.

The domains are small, so that hosts claim the same things, and so that some inventories have no problem.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.plugins.plugin_utils.samples import colo, office, shop

Vars = dict[str, Any]
Values = st.SearchStrategy[Any]

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.binary(max_size=3) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


def noisy(strategy: Values) -> Values:
    """Mix some junk into values that may be right."""
    return st.one_of(*[strategy] * 9, JUNK)


def some(**keys: Values) -> Values:
    """Return dictionaries with some of the keys, and with junk among them."""
    return noisy(st.fixed_dictionaries({}, optional={key: noisy(value) for key, value in keys.items()}))


def few(strategy: Values) -> Values:
    """Return short lists."""
    return st.lists(noisy(strategy), max_size=3)


def one_or_more(strategy: Values) -> Values:
    """Return what may be a value or a list of them."""
    return strategy | few(strategy)


ADDRESS = st.builds("203.0.113.{}".format, st.integers(-1, 256))
PREFIX = st.builds("203.0.113.{}/{}".format, st.sampled_from([0, 16, 32, 77, 128]), st.integers(20, 33))
PREFIX6 = st.builds("2001:db8:100:{:x}::/{}".format, st.integers(0, 9), st.integers(40, 129))
NETWORK = ADDRESS | PREFIX | PREFIX6
LINK = st.builds("192.0.2.{}".format, st.integers(0, 255))
NAME = st.sampled_from(["acme", "dsl", "cable", "lte"]) | st.text("abz09-_", max_size=9)
INTERFACE = st.sampled_from(["eth0", "eth1", "lan0", "ppp0", "ppp*", "*", "lo", "ex-dsl", "dsl0"])
PORT = st.integers(-1, 70_000) | st.sampled_from(["22", "80-90", "90-80", "-", "http"])
PROTOCOL = st.sampled_from(["tcp", "udp", "icmp", "gre"])
RATE = st.floats(0, 100) | st.integers(0, 2_000_000)
SECRET = st.text("abz", min_size=15, max_size=40)
MATCH: dict[str, Values] = {
    "destination": one_or_more(NETWORK | LINK),
    "source": one_or_more(NETWORK),
    "protocol": one_or_more(PROTOCOL),
    "ports": one_or_more(PORT),
    "dscp": one_or_more(st.integers(-1, 64) | st.sampled_from(["ef", "cs1", "EF", "no"])),
    "domains": one_or_more(st.sampled_from(["example.org", "*.example.org", "com", "bad_.example", "büro.de"])),
    "wan": st.sampled_from(["dsl", "cable", "lte"]),
}
PROPOSAL = st.sampled_from(["aes256gcm16-x25519", "aes256gcm16-prfsha384-x25519", "aes128-sha1", "chacha20poly1305"])

WANS = some(
    name=NAME,
    interface=INTERFACE,
    match=st.text("a b", max_size=3),
    slot=st.integers(-1, 18),
    address=st.builds("{}/{}".format, LINK, st.integers(0, 33)) | ADDRESS,
    gateway=LINK,
    up=RATE,
    down=RATE,
    weight=st.integers(0, 256),
    metric=st.integers(0, 3),
    mtu=st.integers(500, 1600),
    nat=st.booleans(),
    ipsec=st.booleans(),
    use=st.sampled_from(["both", "direct", "extruded", "no"]),
    detect=st.integers(20, 70_000),
    hold_down=st.integers(0, 4000),
    hold_down_max=st.integers(0, 4000),
    shape=st.booleans(),
    shape_percent=st.integers(0, 110),
    typo=st.none(),
)
LANS = some(
    interface=INTERFACE, mode=st.sampled_from(["nat", "routed", "bridge"]), addresses=few(ADDRESS | PREFIX | PREFIX6)
)
FORWARDS = some(
    address=ADDRESS,
    protocol=PROTOCOL,
    port=PORT,
    to=st.builds("192.168.1.{}{}".format, st.integers(0, 256), st.sampled_from(["", ":80", ":", ":x"])),
)
TIME = st.floats() | st.floats(0, 100)
MEASURED = st.dictionaries(
    NAME, noisy(some(rtt=TIME, transit=TIME, site_delay=TIME, colo_delay=TIME)), max_size=3
)  # what a run finds out, which nobody writes; but somebody may
BOTH: dict[str, Values] = {
    "extrude_table": st.integers(0, 2**33),
    "extrude_rule_priority": st.integers(0, 40_000),
    "extrude_guard_timeout": st.integers(-1, 4000) | st.sampled_from(["60", "x"]),
    "extrude_ipsec_renew": st.booleans() | st.sampled_from(["true", "maybe"]),
    "extrude_shap": st.booleans(),
    "extrude_ipsec_nonsense": st.booleans(),
    "extrude_metric": st.integers(0, 2),
    "ansible_host": ADDRESS,
    "ansible_port": PORT,
    "mine": JUNK,
}
SITE: dict[str, Values] = {
    **BOTH,
    "extrude_customer": NAME,
    "extrude_site_id": st.integers(-1, 4100),
    "extrude_colo": st.sampled_from(["rack", "shed", ["rack"], ["rack", "rack"], []]),
    "extrude_addresses": few(NETWORK),
    "extrude_wans": st.lists(WANS, max_size=3),
    "extrude_lan": st.lists(LANS, max_size=3),
    "extrude_balance": st.sampled_from(["flow", "packet"]),
    "extrude_level_limit": st.integers(-1, 600),
    "extrude_when_down": st.sampled_from(["direct", "block"]),
    "extrude_direct": few(some(**MATCH)),
    "extrude_pins": few(some(**MATCH)),
    "extrude_forwards": few(FORWARDS),
    "extrude_peers": few(NAME),
    "extrude_limit": some(up=RATE, down=RATE),
    "extrude_renumber": st.booleans(),
    "extrude_take_over": st.booleans(),
    "extrude_shape": st.booleans(),
    "extrude_shape_percent": st.integers(0, 110),
    "extrude_ipsec": st.booleans(),
    "extrude_ipsec_auth": st.sampled_from(["psk", "certificate"]),
    "extrude_ipsec_psk": SECRET,
    "extrude_ipsec_ike": few(PROPOSAL),
    "extrude_ipsec_esp": few(PROPOSAL),
    "extrude_measured": MEASURED,
    "extrude_endpoint": some(
        key=st.sampled_from(["ssh-ed25519 AAAA", "no"]),
        port=PORT,
        host_keys=few(st.sampled_from(["ssh-ed25519 AAAA", "no"])),
    ),
}
RACK: dict[str, Values] = {
    **BOTH,
    "extrude_colo_address": ADDRESS,
    "extrude_colo_interface": INTERFACE | st.just("eth0:1"),
    "extrude_prefixes": few(PREFIX | PREFIX6),
    "extrude_inside_pool": st.builds("10.254.0.0/{}".format, st.integers(0, 33)),
    "extrude_inside_pool6": st.builds("fd00::/{}".format, st.integers(0, 129)),
    "extrude_ipsec_pool": st.builds("10.252.0.0/{}".format, st.integers(0, 33)),
    "extrude_ipsec_ca": st.sampled_from(["/ca", "ca", "/ca/"]),
    "extrude_ipsec_ca_passphrase": SECRET,
    "extrude_ipsec_certificate_days": st.integers(0, 2000),
    "extrude_services": few(some(protocol=PROTOCOL, port=PORT, customers=one_or_more(NAME))),
}


@st.composite
def host(draw: st.DrawFn, sound: Vars, variables: dict[str, Values]) -> Vars:
    """Return a host in which all may be random, or one that is sound but for a few variables."""
    if draw(st.integers(0, 3)) == 0:
        return dict(draw(st.fixed_dictionaries({}, optional={key: noisy(one) for key, one in variables.items()})))
    changed = draw(st.lists(st.sampled_from(sorted(variables)), max_size=4, unique=True))
    return {**sound, **{key: draw(noisy(variables[key])) for key in changed}}


@st.composite
def inventories(draw: st.DrawFn) -> Vars:
    """Return the variables of a rack and of two sites, by name."""
    return {
        "rack": draw(host(colo(), RACK)),
        "office": draw(host(office(), SITE)),
        "shop": draw(host(shop(), SITE)),
    }


# --- sound ones -------------------------------------------------------------------------------------


def sound_site(number: int, wans: list[tuple[int, int, float | None]], lan: bool, ipv6: bool, block: bool) -> Vars:
    """Return a site in which all is well: its links have the given slots, metrics and rates (all, or none)."""
    rated = all(rate is not None for _slot, _metric, rate in wans)
    links = [
        {
            "name": f"w{index}",
            "interface": f"eth{index}",
            "slot": slot,
            "address": f"192.0.{number}.{index + 2}/24",
            "gateway": f"192.0.{number}.1",
            "metric": metric,
            **({"up": rate, "down": rate} if rated else {}),
        }
        for index, (slot, metric, rate) in enumerate(wans)
    ]
    lans = [{"interface": "lan0", "mode": "nat"}, {"interface": "lan0", "mode": "routed"}]
    return {
        "extrude_customer": f"customer-{number}",
        "extrude_site_id": number,
        "extrude_colo": "rack",
        "extrude_addresses": [f"203.0.113.{10 * number}", f"203.0.113.{10 * number + 1}"]
        + ([f"2001:db8:100::{number:x}"] if ipv6 else []),
        "extrude_wans": links,
        "extrude_lan": lans if lan else [],
        "extrude_when_down": "block" if block else "direct",
    }


LINKS = st.lists(
    st.tuples(st.integers(1, 16), st.integers(1, 3), st.none() | st.floats(0.1, 10_000)),
    min_size=1,
    max_size=16,
    unique_by=lambda link: link[0],
)
SOUND = st.tuples(LINKS, st.booleans(), st.booleans(), st.booleans())
