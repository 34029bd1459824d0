# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from tests.unit.plugins.plugin_utils.samples import Vars, cable, colo, dsl, office, run, run_all, shop

BOTH = ["203.0.113.10", "2001:db8:100::10"]
LANS = [{"interface": "lan0", "mode": "nat"}]


def files(end: str, rack: Vars | None = None, **changes: Any) -> dict[str, str]:
    """Return the files of the sample site or of its colo by their paths."""
    made = run(rack=rack, office=office(**changes))
    state = made["sites"]["office"] if end == "site" else made["colos"]["rack"][0]
    return {file["path"]: file["content"] for file in state["files"]}


def sessions(end: str, **changes: Any) -> str:
    return files(end, **changes)["bird.d/acme.1.conf"]


def test_the_sessions_of_a_site() -> None:
    text = sessions("site", extrude_wans=[dsl(up=20), cable(up=10, hold_down=5, hold_down_max=50)])
    first, second = text.split("protocol bgp ")[1:]
    assert first.startswith("'ex-dsl' from tunnel {")
    for line in (
        'interface "ex-dsl";',
        "local 10.254.0.1 port 1179 as 4200000001;",
        "neighbor 10.254.0.0 port 1179 as 4200000000;",
        "error wait time 2, 30;",
        "error forget time 120;",
        "if net != 0.0.0.0/0 then reject;",
        "preference = 999; weight = 2; extrude_slot = 0; krt_prefsrc = 203.0.113.10; accept;",
    ):
        assert f" {line}\n" in first
    assert "local 10.254.0.3 port 1179 as 4200000001;" in second
    assert "error wait time 5, 50;" in second
    assert "weight = 1;" in second
    assert "route 203.0.113.10/32 blackhole;\n  route 203.0.113.11/32 blackhole;" in text


def test_the_sessions_of_a_colo() -> None:
    text = sessions("colo", extrude_wans=[dsl(down=50, metric=2), cable(down=30, metric=2, detect=600)])
    assert "define site1_4 = [ 203.0.113.10/32, 203.0.113.11/32 ];" in text
    first, second = text.split("protocol bgp ")[1:]
    for line in (
        'interface "ex1-dsl";',
        "local 10.254.0.0 port 1179 as 4200000000;",
        "neighbor 10.254.0.1 port 1179 as 4200000001;",
        "preference = 998; weight = 5; extrude_slot = 0; krt_prefsrc = 203.0.113.2; accept;",
    ):
        assert f" {line}\n" in first
    assert "if net !~ site1_4 then { print" in first
    assert "weight = 3;" in second


def test_the_pace_of_bfd() -> None:
    wans = [dsl(), cable(detect=9000)]
    site, colo_ = (files(end, extrude_wans=wans)["bfd.d/acme.1.conf"] for end in ("site", "colo"))
    quick = "interval 50000 us; idle tx interval 50000 us; multiplier 3;"
    slow = "interval 3000000 us; idle tx interval 1000000 us; multiplier 3;"
    counted = "interval extrude_interval ms; idle tx interval extrude_interval ms; multiplier 3;"
    assert f'interface "ex-dsl" {{ {quick} }};' in site
    assert f'interface "ex-cable" {{ {slow} }};' in site
    assert f'interface "ex1-dsl" {{ {counted} }};' in colo_
    assert f'interface "ex1-cable" {{ {slow} }};' in colo_


def test_ways_that_bfd_alone_vouches_for_stand_behind_every_tier_and_out_of_packet_mode() -> None:
    text = sessions("colo", extrude_wans=[dsl(metric=255, down=50)])
    (spare,) = text.split("protocol static ")[1:]
    assert spare.startswith("'ex1-dsl.bfd' {")
    assert "preference = 245; weight = 1; extrude_slot = 0; krt_prefsrc = 203.0.113.2; accept;" in spare
    assert "preference = 745;" in text
    assert "route 203.0.113.10/32 via 10.254.0.1 bfd;\n  route 203.0.113.11/32 via 10.254.0.1 bfd;" in spare
    assert "route 0.0.0.0/0 via 10.254.0.0 bfd;" in sessions("site")


def test_one_session_carries_both_ip_versions() -> None:
    for end, own in (("site", "fd65:7874:7275::1"), ("colo", "fd65:7874:7275::")):
        text = sessions(end, extrude_addresses=BOTH, extrude_lan=LANS, extrude_wans=[dsl()])
        assert text.count("protocol bgp") == 1
        assert text.partition("protocol bgp")[2].count("ipv6 {") == 1
        assert f"next hop address {own};" in text
    assert "krt_prefsrc = 2001:db8:100::10;" in sessions("site", extrude_addresses=BOTH, extrude_lan=LANS)


def test_the_main_file_is_the_same_for_all_sites_of_a_colo_and_all_links_of_a_site() -> None:
    rack = run(office=office(), shop=shop())["colos"]["rack"]
    assert rack[0]["files"][0] == rack[1]["files"][0]
    assert files("site")["bird.conf"] == files("site", extrude_wans=[cable(slot=7)])["bird.conf"]


def test_the_main_file_has_a_kernel_table_for_all_and_for_each_slot() -> None:
    text = files("site", extrude_table=1000)["bird.conf"]
    for number in range(1000, 1017):
        assert text.count(f"  kernel table {number};\n") == 2
    assert text.count("  merge paths yes limit 16;\n") == 2
    assert "router id 10.254.0.1;" in text


def test_the_main_file_of_a_colo_does_not_follow_what_customers_may_call_it() -> None:
    one, other = (files("colo", rack=colo(extrude_colo_address=f"203.0.113.{last}")) for last in (2, 3))
    assert "router id 0.0.0.1;" in one["bird.conf"]
    assert one["bird.conf"] == other["bird.conf"]


def test_names_of_sites_cannot_end_a_text() -> None:
    state = run_all({'a"b;é': office()})["colos"]["rack"][0]
    assert 'description "acme/a?b?? dsl";' in state["files"][2]["content"]
