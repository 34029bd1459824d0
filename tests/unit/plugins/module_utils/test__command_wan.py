# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._command_wan import (
    _gateway,
    forgotten,
    is_concerned,
    learnt,
)
from ansible_collections.multihome.extrude.plugins.module_utils._links import Hint, Wan

DSL, LTE, CABLE = Wan("dsl", "ppp*", match="isp"), Wan("lte", "ppp*", match="lte"), Wan("cable", "eth1")
FIBRE = Wan("fibre", "eth2", address="192.0.2.2")
WANS = [DSL, LTE, CABLE, FIBRE]
STATE = {"routes": [{"nexthops": [{"device": "lan0"}, {"device": "ex-dsl"}]}], "tunnels": [{"name": "ex-dsl"}]}


def concerned(device: str, *names: str, hints: dict[str, Hint] | None = None) -> bool:
    return is_concerned(device, names, [STATE], WANS, hints or {})


def test_what_an_event_can_mean_something_to() -> None:
    assert concerned("ppp3", "x", "isp")
    assert concerned("eth1")
    assert concerned("eth2")
    assert concerned("lan0"), "a route stands on it, which the kernel drops with the device"
    assert concerned("ppp3", hints={"dsl": Hint("ppp3")})
    assert not concerned("ppp3")
    assert not concerned("ppp3", "other")
    assert not concerned("ex-dsl"), "what we make tells us nothing"
    assert not concerned("lo")
    assert not concerned("eth10")


def test_an_event_tells_the_device_and_perhaps_the_gateway() -> None:
    assert learnt("ppp3", ["isp"], "", WANS, {}) == {"dsl": Hint("ppp3", names=("isp",))}
    assert learnt("eth1", [], "198.51.100.1", WANS, {}) == {"cable": Hint("eth1", "198.51.100.1")}
    assert learnt("eth2", [], "", WANS, {}) == {}, "a static link has nothing to learn"


def test_an_event_without_a_gateway_leaves_the_one_that_is_known_for_the_device() -> None:
    hints = {"cable": Hint("eth1", "198.51.100.1"), "dsl": Hint("ppp0", "192.0.2.1")}
    assert learnt("eth1", [], "", WANS, hints) == {}
    assert learnt("eth1", [], "198.51.100.3", WANS, hints) == {"cable": Hint("eth1", "198.51.100.3")}
    assert learnt("ppp1", ["isp"], "", WANS, hints) == {"dsl": Hint("ppp1", names=("isp",))}


def test_an_event_without_names_leaves_those_that_are_known_for_the_device() -> None:
    hints = {"cable": Hint("eth1", "198.51.100.1", ("Wired",))}
    assert learnt("eth1", [], "198.51.100.3", WANS, hints) == {"cable": Hint("eth1", "198.51.100.3", ("Wired",))}


def test_a_gateway_that_cannot_be_read_loses_no_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert [_gateway(text) for text in ("198.51.100.1", "", "0.0.0.0")] == ["198.51.100.1", "", ""]
    assert capsys.readouterr().err == ""
    assert _gateway("router.example.com") == ""
    said = "extrude: warning: --gateway 'router.example.com' is no IPv4 address, so it is passed over\n"
    assert capsys.readouterr().err == said


def test_a_device_that_comes_back_as_another_link_is_taken_from_the_first() -> None:
    hints = {"dsl": Hint("ppp0"), "lte": Hint("ppp1")}
    assert learnt("ppp0", ["lte"], "", WANS, hints) == {"lte": Hint("ppp0", names=("lte",)), "dsl": None}
    assert learnt("ppp0", [], "", WANS, hints) == {}, "whose it is was not said"


def test_without_a_match_another_session_takes_no_link_from_one_that_is_up() -> None:
    any_ppp, hints = [Wan("dsl", "ppp*")], {"dsl": Hint("ppp0")}
    assert learnt("ppp1", ["vpn"], "", any_ppp, hints, held=["ppp0", "ppp1"]) == {}
    assert learnt("ppp1", ["isp"], "", any_ppp, hints, held=["ppp1"]) == {"dsl": Hint("ppp1", names=("isp",))}
    assert learnt("ppp1", ["isp"], "", [DSL], {"dsl": Hint("ppp0")}, held=["ppp0", "ppp1"]) == {
        "dsl": Hint("ppp1", names=("isp",))
    }


def test_a_session_of_the_same_name_takes_no_link_from_one_that_is_up_before_it_has_an_address() -> None:
    """As when it comes up with IPv6 first, or while the former one has not noticed yet that its line is dead."""
    hints = {"dsl": Hint("ppp0", names=("isp",))}
    assert learnt("ppp1", ["isp"], "", [DSL], hints, held=["ppp0"]) == {}
    assert learnt("ppp1", ["isp"], "", [DSL], hints, held=[]) == {"dsl": Hint("ppp1", names=("isp",))}


def test_a_device_that_goes_takes_its_hints_along() -> None:
    assert forgotten("ppp0", {"dsl": Hint("ppp0"), "lte": Hint("ppp1")}) == {"dsl": None}
