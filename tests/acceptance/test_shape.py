# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links that are shaped: a call beside a bulk upload stays usable, and what does that comes and goes as asked for."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

from tests.acceptance import modules, watch
from tests.acceptance.call import beside
from tests.acceptance.conftest import brought, give_back
from tests.acceptance.inventory import Variables, lab_host, states
from tests.acceptance.traffic import DESK_ADDRESS, INTERNET_ADDRESS
from tests.lab.lab import Lab

SECONDS = 6
UP, DOWN = 6, 15
"""Mbit/s of dsl: so little that a busy emulator is not what packets wait for."""
QUEUE = 400
"""Milliseconds that the modem lets packets wait."""
EF = 46
"""The class of calls (RFC 4594)."""


def office(**changes: object) -> Variables:
    """The office with all traffic on dsl."""
    site = lab_host("office")
    dsl, cable = site["extrude_wans"]
    return {**site, "extrude_wans": [{**dsl, "up": UP, "down": DOWN}, {**cable, "metric": 2}], **changes}


SHAPED = office(extrude_shape=True)


@pytest.fixture(scope="module")
def shaped(deployed: Lab) -> Iterator[Lab]:
    """The lab where links are shaped, and the modem of dsl has a long queue. The tests below take one step each."""
    deployed.shape("dsl", up=UP, down=DOWN, queue=QUEUE)
    with brought(deployed, SHAPED):
        yield deployed
    deployed.shape("dsl")


def queues(lab: Lab, device: str) -> str:
    """What tc shows of a device; empty where there is none."""
    return lab.exec("office", ["tc", "qdisc", "show", "dev", device], check=False).stdout


def bring(lab: Lab, site: Variables) -> modules.Result:
    """Bring the router alone to what follows from a site."""
    return modules.apply(lab, "office", states({"office": site})["office"])


def test_both_directions_of_each_link_have_cake(shaped: Lab) -> None:
    rates = {"dsl0": "5700Kbit", "ifb-dsl": "14250Kbit", "cable0": "9500Kbit", "ifb-cable": "28500Kbit"}
    for device, rate in rates.items():
        assert "qdisc cake 78: root refcnt" in queues(shaped, device)
        assert f" bandwidth {rate} diffserv4 flows nonat " in queues(shaped, device)
    assert modules.plan(shaped, "office", states({"office": SHAPED})["office"]).texts == []


def test_the_class_of_a_packet_shows_outside_of_its_tunnel(shaped: Lab) -> None:
    ping = ["ping", "-c", "1", "-W", "2", "-I", DESK_ADDRESS, "-Q", str(EF << 2), INTERNET_ADDRESS]
    with watch.capture(shaped, "office", "dsl0", f"proto gre and ip[1] & 0xfc == {EF << 2}") as seen:
        shaped.exec("desk", ping)
    out, back = seen.lines
    assert "192.0.2.2 > 203.0.113.2: GREv0" in out
    assert "203.0.113.2 > 192.0.2.2: GREv0" in back


def test_a_link_that_comes_and_goes_is_shaped_when_it_is_there(shaped: Lab) -> None:
    site = copy.deepcopy(SHAPED)
    for key in ("address", "gateway"):
        del site["extrude_wans"][1][key]
    assert not bring(shaped, site).failed
    assert "cake 78:" in queues(shaped, "cable0")
    shaped.exec("office", ["ip", "address", "del", "198.51.100.2/24", "dev", "cable0"])
    try:
        shaped.exec("office", ["extrude", "apply"], timeout=60)
        assert "cake" not in queues(shaped, "cable0")
        assert "clsact" not in queues(shaped, "cable0")
    finally:
        give_back(shaped)
    shaped.exec("office", ["extrude", "apply"], timeout=60)
    assert "cake 78:" in queues(shaped, "cable0")
    assert "cake 78:" in queues(shaped, "ifb-cable")
    assert "clsact ffff:" in queues(shaped, "cable0")


def test_a_call_beside_an_upload_in_the_same_tunnel_stays_usable(shaped: Lab) -> None:
    good = beside(shaped, seconds=SECONDS)
    assert not bring(shaped, office()).failed
    assert "cake" not in queues(shaped, "dsl0") + queues(shaped, "cable0")
    assert "clsact" not in queues(shaped, "dsl0")
    assert queues(shaped, "ifb-dsl") == ""
    bad = beside(shaped, seconds=SECONDS)
    assert bad.added > QUEUE / 3, (good, bad)
    assert good.added < bad.added / 3, (good, bad)
    assert good.rate > 0.7 * bad.rate, (good, bad)


def test_what_the_admin_shapes_by_himself_is_left_alone(shaped: Lab) -> None:
    assert not bring(shaped, office()).failed
    shaped.exec(
        "office",
        [
            "tc",
            "qdisc",
            "add",
            "dev",
            "dsl0",
            "root",
            "handle",
            "9:",
            "tbf",
            "rate",
            "15mbit",
            "burst",
            "20k",
            "latency",
            "50ms",
        ],
    )
    try:
        result = bring(shaped, SHAPED)
        assert "office: extrude_shape: dsl0 has a queueing discipline of somebody else's, tbf 9:" in result.message
        assert "cake" not in queues(shaped, "cable0"), "nothing was changed"
        assert "tbf 9:" in queues(shaped, "dsl0")
    finally:
        shaped.exec("office", ["tc", "qdisc", "del", "dev", "dsl0", "root"])
