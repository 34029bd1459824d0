# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.multihome.extrude.plugins.module_utils._background import collect
from ansible_collections.multihome.extrude.plugins.modules import tunnel_probe
from tests.unit.netns import Netns, ip, scratch, wait_for_links

TUNNEL = {"device": "s0", "local": "10.254.0.1", "remote": "10.254.0.0", "mtu": 1472, "sources": ["203.0.113.10"]}
QUICK = {"count": 2, "interval": 0.01, "timeout": 0.3}


@pytest.fixture
def site() -> Iterator[Netns]:
    """A site with one link to a colo."""
    with scratch() as near, scratch() as far:
        with near.entered():
            ip(
                f"link add s0 type veth peer c0 netns {far.path}",
                "link set s0 up",
                "address add 10.254.0.1/31 dev s0",
            )
        with far.entered():
            ip("link set c0 up", "address add 10.254.0.0/31 dev c0", "route add 203.0.113.10 via 10.254.0.1")
            wait_for_links("c0")
        with near.entered():
            wait_for_links("s0")
            yield near


def result(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """What the module prints for these options."""
    with patch_module_args(options), pytest.raises(SystemExit):
        tunnel_probe.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("check_mode", [True, False])
def test_it_probes_in_check_mode_too_and_changes_nothing(capsys: pytest.CaptureFixture[str], check_mode: bool) -> None:
    found = result(capsys, tunnels=[TUNNEL], _ansible_check_mode=check_mode, **QUICK)
    assert found["changed"] is False
    (tunnel,) = found["tunnels"]
    assert (tunnel["wan"], tunnel["ok"], tunnel["received"], tunnel["source_received"]) == ("s0", True, 2, 3)
    assert tunnel["error"] == ""


@pytest.mark.usefixtures("site")
def test_it_observes_no_longer_than_asked(capsys: pytest.CaptureFixture[str]) -> None:
    found = result(capsys, observe=[{"device": "s0"}], seconds=0.1)
    assert found["observed"] == [
        {"device": "s0", "sources": [], "packets": 0, "transit_ms": None, "error": "", "delay_ms": 0.0}
    ]


@pytest.mark.usefixtures("site")
def test_it_observes_in_the_background_until_it_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    looking = result(capsys, observe=[{"device": "lo", "token": "office"}], background=True, seconds=600)
    near = {"device": "lo", "local": "127.0.0.1", "remote": "127.0.0.1", "mtu": 1400, "sources": ["127.0.0.2"]}
    result(capsys, tunnels=[near], token="office", **QUICK)
    assert looking["changed"] is False
    (seen,) = collect(looking["background"], 30)["observed"]
    assert (seen["device"], seen["sources"], seen["packets"]) == ("lo", ["127.0.0.2"], 3)


def test_no_tunnels_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert result(capsys, tunnels=[])["tunnels"] == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "one of the following is required: tunnels, observe"),
        ({"tunnels": [], "background": True}, "parameters are mutually exclusive: tunnels|background"),
        ({"tunnels": [], "observe": []}, "parameters are mutually exclusive: tunnels|observe"),
        (
            {"tunnels": [{**TUNNEL, "remote": "fd65::"}]},
            "tunnels[0].remote: 'fd65::' is no IPv4 address",
        ),
        ({"tunnels": [], "count": 0}, "count: 0 is not a number from 1 to 1000"),
        ({"tunnels": [], "token": "two words"}, "token: 'two words' is not 1 to 64 printable"),
        ({"observe": [], "seconds": 1e6}, "seconds: 1000000.0 is no number of seconds from 0 to 600"),
    ],
)
def test_bad_options_fail_with_one_sentence(
    capsys: pytest.CaptureFixture[str], options: dict[str, Any], sentence: str
) -> None:
    failed = result(capsys, **options)
    assert failed["failed"] is True
    assert sentence in failed["msg"]


@pytest.mark.usefixtures("site")
def test_whether_the_link_below_a_tunnel_has_a_carrier(capsys: pytest.CaptureFixture[str]) -> None:
    ip("link add out0 type veth peer out1", "link set out0 up")
    tunnels = [
        {**TUNNEL, **link} for link in ({}, {"link": "s0"}, {"link": "out0"}, {"link": "out1"}, {"link": "gone"})
    ]
    found = result(capsys, tunnels=tunnels, **QUICK)["tunnels"]
    assert [tunnel["carrier"] for tunnel in found] == [True, True, False, False, False]


@pytest.mark.usefixtures("site")
def test_whether_the_tunnel_has_the_address_that_it_is_asked_with(capsys: pytest.CaptureFixture[str]) -> None:
    ip("link add s1 type veth peer c1", "address add fd65::1/127 dev s1", "link set s1 up")
    other = {"local": "10.254.9.1", "remote": "10.254.9.0"}
    six = {"device": "s1", "local": "fd65:0::1", "remote": "fd65::", "sources": []}
    tunnels = [{**TUNNEL, **change} for change in ({}, other, {"device": "s1"}, {"device": "gone"}, six)]
    found = result(capsys, tunnels=tunnels, **QUICK)["tunnels"]
    assert [tunnel["held"] for tunnel in found] == [True, False, False, False, True]
