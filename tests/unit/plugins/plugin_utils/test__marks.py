# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.multihome.extrude.plugins.plugin_utils import _marks
from ansible_collections.multihome.extrude.plugins.plugin_utils._types import MAX_SLOT
from tests.unit.plugins.plugin_utils.samples import office, run

LANS = [{"interface": "lan0", "mode": "nat"}, {"interface": "lan1", "mode": "routed"}]
ADDRESSES = ["203.0.113.10", "203.0.113.16/28", "2001:db8:100:1::/64"]


def mangle(name: str, family: int = 4, **changes: Any) -> list[str]:
    """Return the rules of a mangle chain of the sample site."""
    options = {"extrude_addresses": ADDRESSES, "extrude_lan": LANS, **changes}
    chains = run(office=office(**options))["sites"]["office"]["chains"]
    found = [chain for chain in chains if (chain["family"], chain["table"], chain["name"]) == (family, "mangle", name)]
    return [rule for chain in found for rule in chain["rules"]]


def test_slots_and_direct_links_have_marks_of_their_own_within_the_mask() -> None:
    slots = [_marks.slot_mark(slot) for slot in range(1, MAX_SLOT + 1)]
    direct = [_marks.direct_mark(slot) for slot in range(1, MAX_SLOT + 1)]
    assert len({0, *slots, *direct}) == 2 * MAX_SLOT + 1
    assert all(mark & ~_marks.MASK == 0 for mark in (*slots, *direct))
    assert not any(mark & _marks.DIRECT for mark in slots)
    assert all(mark & _marks.DIRECT for mark in direct)


def test_only_lans_with_nat_and_hosts_with_an_extruded_address_become_direct() -> None:
    marked = [rule for rule in mangle("EXTRUDE-FORWARD") if "-o dsl0" in rule]
    assert [rule.partition(" -o dsl0 ")[0] for rule in marked] == ["-i lan0", "-s 203.0.113.16/28 -i lan1"]
    assert all("--mark 0x0/0x3f000000" in rule for rule in marked)  # somebody else's mark is left alone
    # what has been through a tunnel never is, nor is what belongs to such a connection (RELATED)
    assert all("--ctstate NEW ! --ctstatus CONFIRMED" in rule for rule in marked)


def test_a_host_on_a_lan_with_nat_is_not_named_twice() -> None:
    both = [{"interface": "lan0", "mode": "nat"}, {"interface": "lan0", "mode": "routed"}]
    marked = [rule for rule in mangle("EXTRUDE-FORWARD", extrude_lan=both) if "-o dsl0" in rule]
    assert [rule.partition(" -o dsl0 ")[0] for rule in marked] == ["-i lan0"]


def test_all_but_tunnels_follow_what_their_connections_remember() -> None:
    *claims, follow, _unmark = mangle("EXTRUDE-PREROUTING")
    assert follow.startswith("! -i ex-+ -m mark --mark 0x0/0x3f000000 -m connmark --mark 0x20000000/0x20000000")
    assert follow.endswith("-j CONNMARK --restore-mark --nfmask 0x3f000000 --ctmask 0x3f000000")
    assert all("--ctstate NEW" in rule for rule in claims), "a first packet is claimed before"


def test_what_comes_out_of_a_tunnel_is_not_marked_as_what_has_carried_it() -> None:
    unmark = "-i ex-+ -m mark --mark 0x20000000/0x20000000 -j MARK --set-xmark 0x0/0x3f000000"
    assert mangle("EXTRUDE-PREROUTING")[-1] == unmark


def test_a_link_claims_nothing_that_is_for_an_extruded_address() -> None:
    assert mangle("EXTRUDE-CLAIM") == [
        "-d 203.0.113.10/32 -j RETURN",
        "-d 203.0.113.16/28 -j RETURN",
        "-i dsl0 -j CONNMARK --set-xmark 0x21000000/0x3f000000",
        "-i cable0 -j CONNMARK --set-xmark 0x22000000/0x3f000000",
    ]


def test_without_lans_and_a_list_nothing_is_marked() -> None:
    assert mangle("EXTRUDE-PREROUTING", extrude_addresses=["203.0.113.10"], extrude_lan=[]) == []


def test_no_extruded_source_leaves_by_a_link_nor_that_of_another_link() -> None:
    assert mangle("EXTRUDE-GUARD") == [
        "-m policy --dir out --pol ipsec -j RETURN",
        "! -o dsl0 -m conntrack --ctstate DNAT --ctorigdst 192.0.2.2 --ctdir REPLY -j DROP",
        "! -o cable0 -m conntrack --ctstate DNAT --ctorigdst 198.51.100.2 --ctdir REPLY -j DROP",
        "-s 203.0.113.10/32 -j DROP",
        "-s 203.0.113.16/28 -j DROP",
        "-m conntrack --ctrepldst 203.0.113.10 -j DROP",
        "-m conntrack --ctstate DNAT --ctorigdst 203.0.113.10 -j DROP",
    ]
    assert mangle("EXTRUDE-GUARD", 6)[-1:] == ["-s 2001:db8:100:1::/64 -j DROP"]
    assert [rule.split()[1] for rule in mangle("EXTRUDE-POSTROUTING", 6)] == ["dsl0", "cable0"] * 2


def test_in_ipv6_the_kernel_sees_what_main_leads_to_another_link_and_forgets_it() -> None:
    assert (
        mangle("EXTRUDE-GUARD", 6)[1]
        == "-m conntrack --ctstate SNAT -m connmark --mark 0x20000000/0x20000000 -j RETURN"
    )


def test_in_ipv6_only_hosts_with_an_extruded_address_become_direct() -> None:
    marked = [rule for rule in mangle("EXTRUDE-FORWARD", 6) if "-o dsl0" in rule]
    assert [rule.partition(" -o dsl0 ")[0] for rule in marked] == ["-s 2001:db8:100:1::/64 -i lan1"]
    assert [rule.split()[1] for rule in mangle("EXTRUDE-PREROUTING", 6)] == ["lan1"]


def test_a_link_that_borrows_an_extruded_address_shows_it_in_first_packets_only() -> None:
    addresses = [*ADDRESSES, "2001:db8:100::10"]
    lans = [LANS[0], {**LANS[1], "addresses": ["203.0.113.16/28", "2001:db8:100:1::/64"]}]
    rules = mangle("EXTRUDE-POSTROUTING", 6, extrude_addresses=addresses, extrude_lan=lans)
    of_dsl = "-o dsl0 -m mark --mark 0x21000000/0x3f000000 -m conntrack --ctrepldst"
    for address in ("2001:db8:100::10", "2001:db8:100:1::/64"):  # also one of its own on that LAN
        assert f"{of_dsl} {address} --ctstatus CONFIRMED -j DROP" in rules
