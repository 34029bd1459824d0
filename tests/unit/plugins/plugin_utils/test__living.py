# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._bind import bind
from ansible_collections.multihome.extrude.plugins.module_utils._model import State
from tests.unit.plugins.plugin_utils.samples import Vars, cable, changed, dsl, office, run

LISTED = {"extrude_direct": [{"ports": 443}]}
PATH = "bird.d/acme.1.direct.conf"
OWN = {"name": "own", "interface": "own0", "address": "100.64.9.2/24", "gateway": "100.64.9.1", "use": "direct"}
LTE = {"name": "lte", "interface": "lte0", "address": "100.64.8.2/24", "gateway": "100.64.8.1", "use": "extruded"}


def state(**changes: Any) -> Vars:
    found: Vars = run(office=office(**{**LISTED, **changes}))["sites"]["office"]
    return found


def text(found: Vars) -> str:
    (content,) = (file["content"] for file in found["files"] if file["path"] == PATH)
    return str(content)


def living(found: Vars) -> Vars:
    """The tables of the rules that come before those of the links, by mark."""
    rules = (rule for rule in found["rules"] if rule["priority"] == 4219)
    return {f"{rule['mark']:#x}": rule["table"] for rule in rules}


def witnesses(found: Vars) -> dict[str, list[str]]:
    """For each link that connections leave when it is dead, the tunnels by which they may."""
    ways = re.findall(r"protocol static 'ex-(\w+)\.lives'.*?if (proto = [^{]*) then accept;", text(found), re.DOTALL)
    return {link: re.findall(r'"ex-(\w+)"', sessions) for link, sessions in ways}


def test_new_connections_take_links_whose_tunnel_lives_by_their_tiers_and_what_they_receive() -> None:
    wans = [dsl(up=20, down=50), cable(up=10, down=25), changed(LTE, {"metric": 2, "use": ...})]
    way = r'ifname = "(\w+)"; onlink = true; gw = (\S+); preference = (\d+); weight = (\d+); .* via (\S+) bfd; }$'
    assert re.findall(way, text(state(extrude_wans=wans)), re.MULTILINE) == [
        ("dsl0", "192.0.2.1", "999", "2", "10.254.0.0"),
        ("cable0", "198.51.100.1", "999", "1", "10.254.0.2"),
        ("lte0", "100.64.8.1", "998", "1", "10.254.0.4"),
    ]


def test_the_tables_of_the_living_come_before_all_links() -> None:
    found = state()
    assert living(found) == {"0x21000000": 4238, "0x22000000": 4239, "0x20000000": 4237}
    assert found["reserved"]["tables"][-3:] == [4237, 4238, 4239]
    for table in (4237, 4238, 4239):
        assert f"  kernel table {table};\n" in text(found)
    assert {rule["priority"] for rule in found["rules"] if rule.get("mark", 0) >= 0x20000000} == {4219, 4220}
    State.parse(bind(found, {}))


def test_a_connection_leaves_a_dead_link_when_another_has_a_session() -> None:
    found = state()
    assert witnesses(found) == {"dsl": ["cable"], "cable": ["dsl"]}
    first = text(found).partition("protocol static 'ex-dsl.lives' {")[2]
    assert "import filter { preference = 1000; accept; }; };\n  route 0.0.0.0/0 via 10.254.0.0 bfd;" in first
    assert 'if proto = "ex-dsl" then { preference = 1000; accept; }' in first
    kernel = '{ table others1; import none; export where source = RTS_BGP && proto != "ex-dsl"; };'
    assert f"  disabled;\n  ipv4 {kernel}\n  kernel table 4238;\n" in first


def test_what_is_under_way_stays_on_a_link_that_is_told_dead_or_alive_slowly() -> None:
    found = state(extrude_wans=[dsl(detect=1000), cable(detect=1001)])
    assert witnesses(found) == {"dsl": ["cable"]}
    assert living(found) == {"0x21000000": 4238, "0x20000000": 4237}
    assert "cable.by.cable" in text(found)


def test_a_link_without_a_tunnel_lives_while_any_tunnel_does_and_it_is_up() -> None:
    found = state(extrude_wans=[dsl(), LTE, OWN])
    lines = [line for line in text(found).splitlines() if "'own.by." in line]
    assert [re.findall(r"own\.by\.\w+|{own.device}|via \S+", line) for line in lines] == [
        ["own.by.dsl", "{own.device}", "via 10.254.0.0"],
        ["own.by.lte", "{own.device}", "via 10.254.0.2"],
    ]
    assert "lte.by" not in text(found)
    assert witnesses(found) == {"dsl": ["lte"]}
    assert living(found) == {"0x21000000": 4238, "0x20000000": 4237}
    bound = text(bind(found, {"own.device": "own0"}))
    assert bound.count('ifname = "own0"; onlink = true; gw = 100.64.9.1;') == 2
    assert "own.by" not in text(bind(found, {}))
    assert text(bind(found, {})).count("{") == text(bind(found, {})).count("}")


def test_a_dynamic_link_has_a_line_while_it_is_up() -> None:
    found = state(extrude_wans=[dsl(interface="ppp*", address=..., gateway=...), cable()])
    up = text(bind(found, {"dsl.device": "ppp0", "dsl.gateway": "100.64.0.1", "dsl.address": "100.64.0.7"}))
    assert 'ifname = "ppp0"; onlink = true; gw = 100.64.0.1;' in up
    down = text(bind(found, {}))
    assert "dsl.by" not in down
    assert witnesses(bind(found, {})) == witnesses(found)
    assert down.count("{") == down.count("}")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"extrude_direct": []}, id="nothing is listed"),
        pytest.param({"extrude_wans": [dsl()]}, id="one link"),
        pytest.param({"extrude_wans": [dsl(), LTE]}, id="one link for direct traffic"),
        pytest.param({"extrude_wans": [LTE, OWN]}, id="nobody knows whether it lives"),
        pytest.param({"extrude_direct": [], "extrude_wans": [dsl(), cable()]}, id="main chooses"),
    ],
)
def test_others_have_none_of_it(changes: Vars) -> None:
    found = state(**changes)
    assert PATH not in [file["path"] for file in found["files"]]
    assert living(found) == {}
    assert max(found["reserved"]["tables"]) < 4237


def test_what_leaves_without_tunnels_leaves_a_dead_link_too() -> None:
    found = state(extrude_direct=[], extrude_wans=[dsl(), cable(), LTE])
    assert witnesses(found) == {"dsl": ["cable"], "cable": ["dsl"]}
    assert living(found) == {"0x21000000": 4238, "0x22000000": 4239}
    assert "table exits" not in text(found)


def test_rules_by_the_address_of_a_link_stay_so_that_it_can_be_found_alive_again() -> None:
    own = [rule for rule in state()["rules"] if rule["priority"] == 4230]
    assert own == [
        {"family": 4, "table": 4221, "priority": 4230, "source": "192.0.2.2/32"},
        {"family": 4, "table": 4222, "priority": 4230, "source": "198.51.100.2/32"},
    ]
