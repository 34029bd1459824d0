# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _probe
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, Fields, InvalidInput
from ansible_collections.multihome.extrude.plugins.module_utils._icmp import Echo
from ansible_collections.multihome.extrude.plugins.module_utils._probe import (
    RUNG_PACKETS,
    RUNGS,
    SMALLEST,
    Pace,
    Probe,
    Target,
    Watch,
    duration,
    ladder,
    largest_size,
    observe,
    probe,
    stamp_of,
    stamped,
    summary,
)
from tests.unit.netns import Netns, ip, scratch, wait_for_links

TARGET = Target("dsl", "ex-dsl", "10.254.0.1", "10.254.0.0", 1472)
EXTRUDED = replace(TARGET, sources=("203.0.113.10",))
PACE = Pace(count=3, interval=0.1, timeout=1.0, token="office")


# --- input ----------------------------------------------------------------------------------------


def test_a_target_is_read_from_plain_data() -> None:
    data = {"device": "ex-dsl", "local": "fd65::1", "remote": "fd65:0::0", "mtu": 1472, "wan": None, "sources": None}
    assert Target.parse(Fields(data, "tunnels[0]")) == Target("ex-dsl", "ex-dsl", "fd65::1", "fd65::", 1472)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device", "a/b"),
        ("local", "10.254.0.256"),
        ("remote", "fd65::1"),
        ("sources", ["2001:db8::10"]),
        ("sources", ["203.0.113.300"]),
        ("remote6", "10.254.0.0"),
        ("mtu", 67),
        ("mtu", 65536),
    ],
)
def test_a_bad_value_is_named_with_its_place(name: str, value: object) -> None:
    data = {"device": "ex-dsl", "local": "10.254.0.1", "remote": "10.254.0.0", "mtu": 1472, name: value}
    with pytest.raises(InvalidInput, match=rf"^tunnels\[0\]\.{name}: "):
        Target.parse(Fields(data, "tunnels[0]"))


@pytest.mark.parametrize("token", ["", "two words", "x" * 65, "\u00e4"])
def test_a_token_is_printable_and_short(token: str) -> None:
    with pytest.raises(InvalidInput, match="token: "):
        Watch.parse(Fields({"device": "ex1-dsl", "token": token}, "observe[0]"))


@pytest.mark.parametrize("value", [-1, 601, float("nan"), "soon", True])
def test_a_duration_has_limits(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"timeout: .* seconds"):
        duration(Fields({"timeout": value}, ""), "timeout")


# --- the search -----------------------------------------------------------------------------------


def search(mtu: int, path: int) -> tuple[int | None, list[list[int]]]:
    """The outcome and the rounds of a search over a path that carries *path* bytes."""
    rounds = []
    steps = largest_size(mtu, 5)
    sizes = next(steps)
    while True:
        rounds.append(sizes)
        try:
            sizes = steps.send({size for size in sizes if size <= path})
        except StopIteration as stop:
            return stop.value, rounds


def test_a_path_that_carries_the_full_size_is_asked_once() -> None:
    assert search(1472, 1500) == (1472, [[1472] * 5])


@pytest.mark.parametrize(
    "path", [*range(SMALLEST, SMALLEST + 40), 576, 1279, 1280, 1399, 1400, 1401, *range(1440, 1472)]
)
def test_the_search_finds_the_exact_size_in_few_rounds(path: int) -> None:
    size, rounds = search(1472, path)
    assert size == path
    assert len(rounds) <= 5
    assert max(map(len, rounds)) <= RUNGS * RUNG_PACKETS


@pytest.mark.parametrize("mtu", [SMALLEST, SMALLEST + 1, 1472])
def test_a_dead_path_is_given_up_after_one_round_of_small_packets(mtu: int) -> None:
    size, rounds = search(mtu, 0)
    assert size is None
    assert len(rounds) == (1 if mtu == SMALLEST else 2)


def test_a_size_that_got_lost_twice_does_not_hide_larger_ones() -> None:
    steps = largest_size(1472, 1)
    next(steps)
    rungs = sorted(set(steps.send(set())))
    again = steps.send({rungs[0], rungs[2]})
    assert min(again) == rungs[2] + 1
    assert max(again) == rungs[3] - 1


def test_a_ladder_is_even_and_has_both_ends() -> None:
    assert ladder(68, 68) == [68]
    assert ladder(68, 70) == [68, 69, 70]
    sizes = ladder(68, 1471)
    assert (sizes[0], sizes[-1], len(sizes)) == (68, 1471, RUNGS)
    assert {later - former for former, later in pairwise(sizes)} <= {93, 94}


def test_times_are_summed_up_in_milliseconds() -> None:
    assert summary([0.010, 0.012, 0.0201236]) == {"min": 10.0, "avg": 14.041, "p90": 20.124, "max": 20.124}
    assert summary([]) is None


# --- one tunnel, without a kernel -----------------------------------------------------------------


Results: TypeAlias = list[dict[str, Any]]


def answer(echo: Echo) -> Echo:
    return replace(echo, is_request=False, source=echo.destination, destination=echo.source)


def played(probing: Probe, path: int = 1500, delay: float = 0.02, silent: tuple[str, ...] = ()) -> list[Echo]:
    """Let a probe run against a path of *path* bytes and *delay* seconds; returns what it sent."""
    now, sent = 100.0, []
    on_the_way: list[tuple[float, Echo]] = []
    while not probing.finished:
        for echo in probing.due(now):
            sent.append(echo)
            if echo.size <= path and echo.source not in silent:
                on_the_way.append((now + delay, answer(echo)))
        arrival = min((at for at, _echo in on_the_way), default=float("inf"))
        now = max(now, min(arrival, probing.wake()))
        for at, echo in [one for one in on_the_way if one[0] <= now]:
            on_the_way.remove((at, echo))
            probing.came_back(echo, now)
        assert now < 120, "the probe does not come to an end"
    return sent


def test_a_good_tunnel_has_no_error_and_takes_no_longer_than_its_packets() -> None:
    probing = Probe(TARGET, PACE, 7, 100.0)
    sent = played(probing)
    assert [echo.size for echo in sent] == [1472] * 3
    assert probing.result() == {
        "wan": "dsl",
        "device": "ex-dsl",
        "sources": [],
        "ok": True,
        "sent": 3,
        "received": 3,
        "rtt_ms": {"min": 20.0, "avg": 20.0, "p90": 20.0, "max": 20.0},
        "mtu": 1472,
        "mtu_ok": True,
        "path_mtu": 1472,
        "source_sent": 0,
        "source_received": 0,
        "silent": [],
        "error": "",
    }


def test_extruded_packets_carry_the_token_and_are_counted_apart() -> None:
    probing = Probe(EXTRUDED, PACE, 7, 100.0)
    sent = played(probing)
    assert [(echo.source, echo.payload) for echo in sent if echo.size != 1472] == [("203.0.113.10", b"office")] * 3
    result = probing.result()
    assert (result["sent"], result["received"]) == (3, 3)
    assert (result["source_sent"], result["source_received"], result["error"]) == (3, 3, "")


def test_a_source_without_an_answer_is_said_though_the_tunnel_is_fine() -> None:
    probing = Probe(EXTRUDED, PACE, 7, 100.0)
    played(probing, silent=("203.0.113.10",))
    result = probing.result()
    assert (result["ok"], result["source_received"]) == (True, 0)
    assert result["error"] == "no answer to packets from 203.0.113.10 through ex-dsl"


def test_every_source_has_its_turn_and_a_silent_one_is_named() -> None:
    sources = (*(f"203.0.113.{number}" for number in range(10, 14)), "2001:db8::10")
    probing = Probe(replace(TARGET, sources=sources, remote6="fd65::"), PACE, 7, 100.0)
    sent = [echo for echo in played(probing, silent=("203.0.113.12", "2001:db8::10")) if echo.size != 1472]
    assert [echo.source for echo in sent] == [*sources] * 3
    assert {echo.destination for echo in sent if echo.family == 6} == {"fd65::"}
    result = probing.result()
    assert (result["source_sent"], result["source_received"]) == (15, 9)
    assert result["silent"] == ["203.0.113.12", "2001:db8::10"]
    assert result["error"] == "no answer to packets from 203.0.113.12, 2001:db8::10 through ex-dsl"


def test_many_sources_take_little_longer_than_one() -> None:
    """A hundred addresses, three packets each, at no less than 5 ms: one and a half seconds."""
    probing = Probe(replace(TARGET, sources=tuple(f"203.0.113.{number}" for number in range(100))), PACE, 7, 100.0)
    last = 100.0
    now = 100.0
    while now < 102:
        if probing.due(now):
            last = now
        now += 0.001
    assert last < 101.6


def test_a_narrow_path_is_measured_and_the_error_says_what_to_change() -> None:
    probing = Probe(TARGET, PACE, 7, 100.0)
    played(probing, path=1400)
    result = probing.result()
    assert (result["ok"], result["mtu_ok"], result["path_mtu"], result["received"]) == (False, False, 1400, 0)
    assert result["rtt_ms"] == {"min": 20.0, "avg": 20.0, "p90": 20.0, "max": 20.0}
    assert result["error"] == (
        "packets of 1472 bytes do not pass ex-dsl; the largest that do have 1400: lower the mtu of WAN dsl by 72"
    )


def test_a_dead_path_is_an_error_in_words() -> None:
    probing = Probe(TARGET, PACE, 7, 100.0)
    played(probing, path=0)
    result = probing.result()
    assert (result["ok"], result["path_mtu"], result["rtt_ms"]) == (False, None, None)
    assert result["error"] == "no answer from 10.254.0.0 through ex-dsl, to small packets neither"


def test_what_the_kernel_refuses_to_send_is_named_and_not_waited_for() -> None:
    probing = Probe(TARGET, PACE, 7, 100.0)
    now = 100.0
    while not probing.finished:
        for echo in probing.due(now):
            probing.refused(echo, OSError(errno.ENETUNREACH, "Network is unreachable"))
        now = max(now, probing.wake())
    assert now < 100.6
    assert probing.result()["error"].endswith("to small packets neither (Network is unreachable)")


def test_a_packet_that_is_too_large_for_the_device_is_no_trouble_but_a_size() -> None:
    probing = Probe(TARGET, PACE, 7, 100.0)
    (echo,) = probing.due(100.0)
    probing.refused(echo, OSError(errno.EMSGSIZE, "Message too long"))
    played(probing, path=1400)
    assert probing.result()["path_mtu"] == 1400
    assert "Message too long" not in probing.result()["error"]


def test_what_waits_to_be_read_when_the_time_is_over_is_not_lost() -> None:
    probing = Probe(TARGET, replace(PACE, count=1), 7, 100.0)
    (echo,) = probing.due(100.0)
    assert probing.due(102.0, heard=100.9) == []
    probing.came_back(answer(echo), 102.0)
    assert probing.due(102.0, heard=102.0) == []
    assert (probing.finished, probing.result()["received"]) == (True, 1)


@pytest.mark.parametrize(
    "strange",
    [
        {"identifier": 8},
        {"sequence": 99},
        {"source": "192.0.2.1"},
        {"destination": "192.0.2.1"},
        {"payload": b"else"},
        {"is_request": True},
    ],
)
def test_answers_of_strangers_do_not_count(strange: dict[str, Any]) -> None:
    probing = Probe(TARGET, PACE, 7, 100.0)
    (echo,) = probing.due(100.0)
    probing.came_back(replace(answer(echo), **strange), 100.01)
    assert probing.result()["received"] == 0
    probing.came_back(answer(echo), 100.02)
    probing.came_back(answer(echo), 100.03)
    assert probing.result()["received"] == 1


# --- on a kernel: veth pairs stand in for tunnels -------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[Netns, Netns]]:
    """A site and a colo with three links between them: the second is narrow, the last leads to extruded addresses."""
    with scratch() as site, scratch() as colo:
        with site.entered():
            for number in range(3):
                ip(
                    f"link add s{number} type veth peer c{number} netns {colo.path}",
                    f"link set s{number} mtu 1472 up",
                    f"address add 10.254.0.{2 * number + 1}/31 dev s{number}",
                    f"address add fd65:{number}::1/127 dev s{number} nodad",
                )
        with colo.entered():
            for number in range(3):
                ip(
                    f"link set c{number} mtu {1400 if number == 1 else 1472} up",
                    f"address add 10.254.0.{2 * number}/31 dev c{number}",
                    f"address add fd65:{number}::/127 dev c{number} nodad",
                )
            ip("route add 203.0.113.10 via 10.254.0.5", "route add 2001:db8::10 via fd65:2::1")
            wait_for_links("c0", "c1", "c2")
        with site.entered():
            wait_for_links("s0", "s1", "s2")
        yield site, colo


def target(number: int, *sources: str, mtu: int = 1472) -> Target:
    return Target(f"wan{number}", f"s{number}", f"10.254.0.{2 * number + 1}", f"10.254.0.{2 * number}", mtu, sources)


QUICK = Pace(count=3, interval=0.02, timeout=0.3, token="office")


def test_all_links_are_probed_at_the_same_time(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        started = time.monotonic()
        results = probe([target(0, "203.0.113.10"), target(1), target(2, "203.0.113.10")], QUICK)
        spent = time.monotonic() - started
    assert [(result["ok"], result["path_mtu"]) for result in results] == [(True, 1472), (False, 1400), (True, 1472)]
    # nobody here owns the extruded address, and its answers come by one link only
    assert [result["source_received"] for result in results] == [3, 0, 3]
    assert results[0]["rtt_ms"]["min"] < 100
    assert results[0]["error"] == results[2]["error"] == ""
    assert spent < 4


def test_good_links_take_no_longer_together_than_one_alone(ends: tuple[Netns, Netns]) -> None:
    pace = replace(QUICK, interval=0.2, timeout=5.0)
    with ends[0].entered():
        started = time.monotonic()
        results = probe([target(0), target(2)] * 8, pace)
        assert time.monotonic() - started < pace.timeout < 16 * 2 * pace.interval
    assert [result["received"] for result in results] == [3] * 16


def test_a_device_narrower_than_asked_is_measured_without_waiting(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        (result,) = probe([target(0, mtu=1500)], QUICK)
    assert (result["mtu_ok"], result["path_mtu"]) == (False, 1472)


@pytest.mark.parametrize("source", [None, "2001:db8::10"])
def test_ipv6_works_alike(ends: tuple[Netns, Netns], source: str | None) -> None:
    with ends[0].entered():
        sources = (source,) if source else ()
        good = Target("wan0", "s0", "fd65::1", "fd65::", 1472, sources)
        narrow = Target("wan1", "s1", "fd65:1::1", "fd65:1::", 1472, sources)
        last = Target("wan2", "s2", "fd65:2::1", "fd65:2::", 1472)
        results = probe([good, narrow, last], QUICK)
    assert [(result["ok"], result["path_mtu"]) for result in results] == [(True, 1472), (False, 1400), (True, 1472)]
    assert results[0]["source_received"] == (3 if source else 0)


def test_both_families_are_proved_over_one_tunnel(ends: tuple[Netns, Netns]) -> None:
    with ends[0].entered():
        # tunnels need no neighbours; here they have to be known, since strangers' packets ask for none at first
        probe([Target("wan2", "s2", "fd65:2::1", "fd65:2::", 1472)], QUICK)
        (result,) = probe([replace(target(2, "203.0.113.10", "2001:db8::10"), remote6="fd65:2::")], QUICK)
    assert (result["source_received"], result["silent"], result["error"]) == (6, [], "")


@pytest.mark.parametrize("busy", [1, 2])
def test_a_host_that_is_busy_for_longer_than_the_timeout_loses_nothing(
    ends: tuple[Netns, Netns], monkeypatch: pytest.MonkeyPatch, busy: int
) -> None:
    """It stands still once, when all packets of a tunnel are sent and some answers wait to be read."""
    waits = iter([2 * QUICK.timeout])

    def send_then_wait(sender: Probe, *arguments: Any) -> None:
        send(sender, *arguments)
        if sender.target.device == f"s{busy}" and not sender._queue:
            time.sleep(next(waits, 0))

    send = _probe._send_due
    monkeypatch.setattr(_probe, "_send_due", send_then_wait)
    with ends[0].entered():
        results = probe([target(0, "203.0.113.10"), target(1, "203.0.113.10"), target(2)], QUICK)
    assert [result["path_mtu"] for result in results] == [1472, 1400, 1472]
    assert [result["received"] for result in results] == [3, 0, 3]
    assert [result["source_received"] for result in results] == [3, 3, 0]


def test_a_dead_link_a_missing_device_and_a_down_one_are_results(ends: tuple[Netns, Netns]) -> None:
    with ends[1].entered():
        ip("link set c0 down")
    with ends[0].entered():
        ip("link set s2 down")
        results = probe([target(0), replace(target(1), device="gone0"), target(2)], QUICK)
    assert [result["ok"] for result in results] == [False] * 3
    errors = [result["error"] for result in results]
    assert errors[0].startswith("no answer from 10.254.0.0 through s0, to small packets neither")
    assert errors[1] == "there is no device gone0"
    assert errors[2].startswith("no answer from 10.254.0.4 through s2")


def test_a_firewall_on_the_way_in_does_not_disturb(ends: tuple[Netns, Netns]) -> None:
    """The path is judged alone: here the site takes no packet from the far end."""
    with ends[0].entered():
        ip("rule add priority 1 from 10.254.0.0 to 10.254.0.1 blackhole")
        (result,) = probe([target(0)], QUICK)
    assert result["received"] == 3


def observed(place: Netns, watches: list[Watch], seconds: float, count: int, into: Results) -> threading.Thread:
    """Observe in another thread, which is in another namespace."""
    ready = threading.Event()

    def run() -> None:
        with place.entered():
            ready.set()
            into.extend(observe(watches, seconds, count))

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    time.sleep(0.1)
    return thread


def untimed(seen: Results) -> Results:
    """What was seen, without how long it took."""
    return [{key: value for key, value in one.items() if key != "transit_ms"} for one in seen]


def test_the_far_end_knows_how_long_packets_of_the_full_size_took_as_clocks_have_it(ends: tuple[Netns, Netns]) -> None:
    seen: Results = []
    observer = observed(ends[1], [Watch("c0", "office"), Watch("c2", "other")], 2, QUICK.count, seen)
    with ends[0].entered():
        probe([target(0, "203.0.113.10"), target(2, "203.0.113.11")], QUICK)
    observer.join()
    assert 0 < seen[0]["transit_ms"] < 100
    assert seen[1]["transit_ms"] is None


def test_a_stamp_leaves_the_size_and_is_left_out_where_it_does_not_fit() -> None:
    made = stamped(bytes(100), b"office", 12345)
    assert len(made) == 100
    assert stamp_of(made, b"office") == 12345
    assert stamp_of(made, b"offic") is None
    assert stamp_of(b"office", b"office") is None
    assert stamped(bytes(14), b"office", 1) == bytes(14)


def test_the_far_end_sees_the_extruded_source_and_is_done_early(ends: tuple[Netns, Netns]) -> None:
    seen: Results = []
    watches = [Watch("c0", "office"), Watch("c2", "office")]
    started = time.monotonic()
    observer = observed(ends[1], watches, 20, QUICK.count, seen)
    with ends[0].entered():
        probe([target(0, "203.0.113.10"), target(2, "203.0.113.11")], QUICK)
    observer.join()
    assert time.monotonic() - started < 5
    assert untimed(seen) == [
        {"device": "c0", "sources": ["203.0.113.10"], "packets": 3, "error": ""},
        {"device": "c2", "sources": ["203.0.113.11"], "packets": 3, "error": ""},
    ]


def test_ipv6_sources_are_seen_alike(ends: tuple[Netns, Netns]) -> None:
    seen: Results = []
    observer = observed(ends[1], [Watch("c0", "office")], 20, QUICK.count, seen)
    with ends[0].entered():
        probe([Target("wan0", "s0", "fd65::1", "fd65::", 1472, ("2001:db8::10",))], QUICK)
    observer.join()
    assert untimed(seen) == [{"device": "c0", "sources": ["2001:db8::10"], "packets": 3, "error": ""}]


def test_packets_with_another_token_or_of_the_tunnel_itself_are_not_counted(ends: tuple[Netns, Netns]) -> None:
    seen: Results = []
    observer = observed(ends[1], [Watch("c0", "offic"), Watch("gone0", "office")], 1, 1, seen)
    with ends[0].entered():
        probe([target(0, "203.0.113.10")], QUICK)
    observer.join()
    assert untimed(seen) == [
        {"device": "c0", "sources": [], "packets": 0, "error": ""},
        {"device": "gone0", "sources": [], "packets": 0, "error": "there is no device gone0"},
    ]


def test_what_leaves_by_a_device_is_not_what_arrived_there(ends: tuple[Netns, Netns]) -> None:
    seen: Results = []
    observer = observed(ends[0], [Watch("s0", "office")], 1, 1, seen)
    with ends[0].entered():
        probe([target(0, "203.0.113.10")], QUICK)
    observer.join()
    assert seen[0]["packets"] == 0


def test_without_permission_one_sentence_says_so() -> None:
    with scratch() as namespace, namespace.entered(), ExitStack() as stack:
        os.seteuid(65534)
        stack.callback(os.seteuid, 0)
        with pytest.raises(EngineError, match="no permission to send and hear raw packets"):
            probe([target(0)], QUICK)
        with pytest.raises(EngineError, match="no permission to send and hear raw packets"):
            observe([Watch("lo", "x")], 1, 1)


def test_results_are_plain_data() -> None:
    assert json.loads(json.dumps(Probe(EXTRUDED, PACE, 7, 100.0).result()))["sources"] == ["203.0.113.10"]
