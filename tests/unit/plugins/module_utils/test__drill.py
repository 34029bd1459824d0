# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _drill, _liveness
from ansible_collections.multihome.extrude.plugins.module_utils._background import collect, start
from ansible_collections.multihome.extrude.plugins.module_utils._drill import (
    End,
    Plan,
    answer,
    check,
    described,
    drill,
    judge,
)
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, Fields, InvalidInput
from ansible_collections.multihome.extrude.plugins.module_utils._model import Tunnel
from ansible_collections.multihome.extrude.plugins.plugin_utils._drill_report import report
from tests.unit.netns import Netns, ip, scratch, wait_for_links

TUNNELS = [
    {"wan": "dsl", "device": "s0", "local": "10.254.0.1", "remote": "10.254.0.0"},
    {"wan": "cable", "device": "s1", "local": "10.254.0.3", "remote": "10.254.0.2"},
]
SITE: dict[str, Any] = {
    "wan": "dsl",
    "tunnels": TUNNELS,
    "source": "203.0.113.10",
    "destination": "203.0.113.2",
    "token": "t",
    "interval": 10,
}
COLO: dict[str, Any] = {
    **SITE,
    "source": "203.0.113.2",
    "destination": "203.0.113.10",
    "tunnels": [
        {"wan": one["wan"], "device": f"c{number}", "local": one["remote"], "remote": one["local"]}
        for number, one in enumerate(TUNNELS)
    ],
}
DSL = Tunnel("ex-dsl", "192.0.2.2", "203.0.113.2", 17)


def end(options: dict[str, Any], **changes: Any) -> End:
    return End.parse(Fields({**options, **changes}, ""))


# --- input ----------------------------------------------------------------------------------------


def test_the_tunnel_that_is_drilled_comes_first() -> None:
    found = end(SITE, wan="cable")
    assert (found.wan, found.device, found.interval) == ("cable", "s1", 0.01)
    assert [tunnel.wan for tunnel in found.tunnels] == ["cable", "dsl"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"wan": "lte"}, "wan: there is no tunnel of lte; there are dsl, cable"),
        ({"source": "2001:db8::1"}, "source: '2001:db8::1' is no IPv4 address"),
        ({"source": None}, "source: is missing"),
        ({"token": "two words"}, "token: "),
        ({"interval": 0}, "interval: 0 is not a number from 1 to 1000"),
    ],
)
def test_a_bad_option_is_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        end(SITE, **changes)


def test_the_timer_must_leave_time_for_the_drill() -> None:
    options = {"hold": 5, "timeout": 10, "wait": 45, "last": None}
    assert Plan.parse(Fields(options, "")) == Plan(5.0, 10.0, 45.0, last=False)
    with pytest.raises(InvalidInput, match="timeout: 9 s is too short: it has to be 5 s longer than the hold of 5 s"):
        Plan.parse(Fields({**options, "timeout": 9}, ""))


# --- may it be drilled? ---------------------------------------------------------------------------


def found(**alive: bool) -> list[dict[str, Any]]:
    return [
        {
            "wan": wan,
            "device": f"ex-{wan}",
            "path_mtu": 128 if lives else None,
            "error": "" if lives else f"no answer through ex-{wan}",
        }
        for wan, lives in alive.items()
    ]


def test_another_live_link_is_enough() -> None:
    assert judge(found(dsl=True, cable=False, lte=True), None, last=False) == ["lte"]
    assert judge(found(dsl=True, cable=True, lte=True), {"ex-dsl", "ex-cable"}, last=False) == ["cable"]


def test_the_last_live_link_is_refused_unless_told_otherwise() -> None:
    with pytest.raises(
        EngineError, match=r"dsl is the last live link of this site \(cable is dead \(no answer through"
    ):
        judge(found(dsl=True, cable=False), None, last=False)
    with pytest.raises(EngineError, match=r"last live link of this site \(it has no other\)"):
        judge(found(dsl=True), None, last=False)
    with pytest.raises(EngineError, match=r"\(cable answers, but BIRD does not use it now\)"):
        judge(found(dsl=True, cable=True), {"ex-dsl"}, last=False)
    assert judge(found(dsl=True), None, last=True) == []


@pytest.mark.parametrize("last", [False, True])
def test_a_dead_link_is_refused(last: bool) -> None:
    with pytest.raises(EngineError, match=r"dsl is dead \(no answer through ex-dsl\): there is nothing to drill"):
        judge(found(dsl=False, cable=True), None, last=last)
    with pytest.raises(EngineError, match="dsl answers, but BIRD does not use it now: there is nothing to drill"):
        judge(found(dsl=True, cable=True), {"ex-cable"}, last=last)


def test_a_drill_in_words() -> None:
    plan = Plan(5.0, 30.0, 45.0, last=False)
    text = "drop GRE between 192.0.2.2 and 203.0.113.2 (ex-dsl) for 5 s; live besides it: cable"
    assert described(DSL, plan, ["cable"]) == text
    assert described(DSL, plan, []).endswith("no other link lives")


# --- the streams: links through a third namespace, which can swallow packets while the links stay up ------


@pytest.fixture
def ends() -> Iterator[tuple[Netns, Netns, Netns]]:
    """A site and a colo with two links, each a bridge in a namespace between them. Flows are spread over both."""
    with scratch() as site, scratch() as colo, scratch() as wires:
        with wires.entered():
            for number in range(2):
                ip(
                    f"link add b{number} type bridge",
                    f"link set b{number} up",
                    f"link add ws{number} master b{number} type veth peer s{number} netns {site.path}",
                    f"link add wc{number} master b{number} type veth peer c{number} netns {colo.path}",
                    f"link set ws{number} up",
                    f"link set wc{number} up",
                )
        for place, letter, own, far, odd in (
            (site, "s", "203.0.113.10", "203.0.113.2", 1),
            (colo, "c", "203.0.113.2", "203.0.113.10", 0),
        ):
            with place.entered():
                ip(f"address add {own}/32 dev lo")
                for number in range(2):
                    ip(
                        f"link set {letter}{number} up",
                        f"address add 10.254.0.{2 * number + odd}/31 dev {letter}{number}",
                    )
                spread(letter, odd, far, 0, 1)
                Path("/proc/sys/net/ipv4/fib_multipath_hash_policy").write_text("1")
        for place, devices in ((site, ("s0", "s1")), (colo, ("c0", "c1"))):
            with place.entered():
                wait_for_links(*devices)
        yield site, colo, wires


def spread(letter: str, odd: int, far: str, *numbers: int) -> None:
    """Spread what goes to the far end over these links."""
    hops = " ".join(f"nexthop via 10.254.0.{2 * number + 1 - odd} dev {letter}{number}" for number in numbers)
    ip(f"route replace {far} {hops}")


def in_thread(place: Netns, work: Callable[[], Any]) -> Callable[[], Any]:
    """Run *work* in another thread, in a namespace; what is returned waits for its result."""
    results: list[Any] = []

    def run() -> None:
        with place.entered():
            try:
                results.append(work())
            except EngineError as error:
                results.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(60)
        assert not thread.is_alive(), "it does not come to an end"
        return results[0]

    return result


class Hole:
    """Stands in for the black hole: unplugs the first link in the middle, and has routes follow a little later."""

    def __init__(self, places: tuple[Netns, Netns, Netns], switch: float | None, fails: bool = False) -> None:
        self._places, self._switch, self._fails = places, switch, fails
        self.steps: list[str] = []

    def _both(self, *numbers: int) -> None:
        site, colo, _wires = self._places
        with site.entered():
            spread("s", 1, "203.0.113.2", *numbers)
        with colo.entered():
            spread("c", 0, "203.0.113.10", *numbers)

    def _later(self) -> None:
        assert self._switch is not None
        time.sleep(self._switch)
        self._both(1)

    def _plug(self, how: str) -> None:
        with self._places[2].entered():
            ip(f"link set ws0 {how}")

    def arm(self) -> None:
        self.steps.append("arm")

    def make(self) -> None:
        self.steps.append("make")
        self._plug("nomaster")
        if self._fails:
            raise EngineError("iptables has no mood")
        if self._switch is not None:
            threading.Thread(target=self._later).start()

    def end(self) -> bool:
        self.steps.append("end")
        self._plug("master b0")
        if self._switch is not None:
            threading.Timer(0.3, self._both, [0, 1]).start()
        return True

    def tidy(self) -> None:
        self.steps.append("tidy")
        self._plug("master b0")


@pytest.fixture
def hole(request: pytest.FixtureRequest, ends: tuple[Netns, Netns, Netns], monkeypatch: pytest.MonkeyPatch) -> Hole:
    made = Hole(ends, **request.param)
    monkeypatch.setattr(_drill, "BlackHole", lambda _tunnel, _timeout: made)
    return made


PLAN = Plan(hold=1.0, timeout=30.0, wait=5.0, last=False)


@pytest.mark.parametrize("hole", [{"switch": 0.2}], indirect=True)
def test_a_cut_that_is_routed_around_costs_as_long_as_that_took(ends: tuple[Netns, Netns, Netns], hole: Hole) -> None:
    far = in_thread(ends[1], lambda: answer(end(COLO), 30))
    with ends[0].entered():
        near = drill(end(SITE), PLAN, DSL)
    found = report(near, far(), "dsl")
    assert hole.steps == ["arm", "make", "end", "tidy"]
    assert near["back"]
    for direction in ("up", "down"):
        one = found[direction]
        assert one["carried"]
        assert 100 <= one["lost_ms"] <= 450
        assert 100 <= one["switch_ms"] <= 450
        assert 200 <= one["return_ms"] <= 900
        assert one["lost_on_return_ms"] <= 20
    assert found["ok"]


@pytest.mark.parametrize("hole", [{"switch": None}], indirect=True)
def test_a_cut_that_nobody_notices_costs_all_of_it(ends: tuple[Netns, Netns, Netns], hole: Hole) -> None:
    far = in_thread(ends[1], lambda: answer(end(COLO), 30))
    with ends[0].entered():
        near = drill(end(SITE), PLAN, DSL)
    found = report(near, far(), "dsl")
    assert not found["ok"]
    for direction in ("up", "down"):
        assert 900 <= found[direction]["lost_ms"] <= 1500
        assert found[direction]["switch_ms"] is None
        assert found[direction]["return_ms"] <= 300
    assert "DID NOT SWITCH up and down" in found["text"]
    assert hole.steps[-1] == "tidy"


@pytest.mark.parametrize("hole", [{"switch": None}], indirect=True)
@pytest.mark.parametrize(("ways", "back"), [([{"s1"}, {"s0", "s1"}], True), ([{"s1"}], False)])
def test_a_link_is_back_when_bird_uses_it_too(
    ends: tuple[Netns, Netns, Netns],
    hole: Hole,
    monkeypatch: pytest.MonkeyPatch,
    ways: list[set[str]],
    back: bool,
) -> None:
    monkeypatch.setattr(_liveness, "ways", lambda: ways.pop(0) if len(ways) > 1 else ways[0])
    far = in_thread(ends[1], lambda: answer(end(COLO), 30))
    with ends[0].entered():
        near = drill(end(SITE), replace(PLAN, hold=0.3, wait=1.0), DSL)
    assert near["back"] is back
    assert far()["ended"]
    assert hole.steps[-1] == "tidy"


@pytest.mark.parametrize("hole", [{"switch": None, "fails": True}], indirect=True)
def test_whatever_fails_all_is_undone(ends: tuple[Netns, Netns, Netns], hole: Hole) -> None:
    far = in_thread(ends[1], lambda: answer(end(COLO), 4))
    with ends[0].entered(), pytest.raises(EngineError, match="no mood"):
        drill(end(SITE), PLAN, DSL)
    assert hole.steps == ["arm", "make", "tidy"]
    assert far()["ended"] is False


@pytest.mark.parametrize("hole", [{"switch": None}], indirect=True)
def test_nothing_is_black_holed_where_the_colo_does_not_answer(
    ends: tuple[Netns, Netns, Netns], hole: Hole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_drill, "MEETING", 0.5)
    with ends[0].entered(), pytest.raises(EngineError, match=r"the colo sends nothing to 203\.0\.113\.10 that arrives"):
        drill(end(SITE), PLAN, DSL)
    assert hole.steps == []


def test_the_colo_does_not_wait_for_ever(ends: tuple[Netns, Netns, Netns]) -> None:
    with ends[1].entered(), pytest.raises(EngineError, match=r"the site sends nothing from 203\.0\.113\.10"):
        answer(end(COLO), 0.3)


def test_the_colo_waits_no_more_when_it_is_asked(ends: tuple[Netns, Netns, Netns]) -> None:
    with ends[1].entered(), pytest.raises(EngineError, match=r"the site sends nothing from 203\.0\.113\.10"):
        collect(start(lambda caller: answer(end(COLO), 600, caller)), _drill.MEETING / 2)


def test_a_tunnel_that_is_not_there_is_said(ends: tuple[Netns, Netns, Netns]) -> None:
    with ends[0].entered():
        with pytest.raises(EngineError, match="there is no GRE tunnel s0 on this host"):
            check(end(SITE), PLAN)
        with pytest.raises(EngineError, match="there is no device gone0"):
            answer(end({**SITE, "tunnels": [{**TUNNELS[0], "device": "gone0"}]}), 1)
