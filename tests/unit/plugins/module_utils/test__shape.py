# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _dump, _programs, _shape
from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, HostError
from ansible_collections.multihome.extrude.plugins.module_utils._model import Object, Redirect, Shaper
from ansible_collections.multihome.extrude.plugins.module_utils._netlink import Gone
from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation
from tests.unit.netns import ip, output, scratch

REDIRECT = Redirect("a0", "ifb-dsl")
UP, DOWN = Shaper("dsl0", 19_000), Shaper("ifb-dsl", 47_500, received=True)


@pytest.fixture
def namespace() -> Iterator[None]:
    """With the device a0 and two ifbs."""
    with scratch() as made, made.entered():
        ip("link add a0 type veth peer name b0", *(f"link add {name} type ifb" for name in ("ifb-dsl", "ifb-lte")))
        yield


def add(item: Object) -> Operation:
    return Operation("add", None, item)


def queues() -> _dump.Queues:
    return _dump.queues(_dump.read(()).devices)


def commands(monkeypatch: pytest.MonkeyPatch, *operations: Operation, error: str = "") -> list[str]:
    """What tc is told; it fails where there is an error."""
    told: list[str] = []

    def run(words: list[str]) -> subprocess.CompletedProcess[str]:
        told.append(" ".join(words[1:]))
        return subprocess.CompletedProcess(words, 2 if error else 0, "", error)

    monkeypatch.setattr(_programs, "run", run)
    for operation in operations:
        _shape.apply(operation)
    return told


CAKE = "diffserv4 flows nonat nowash no-ack-filter split-gso rtt 100ms noatm overhead 30 mpu 64"  # all that may differ


def test_cake_is_told_all_of_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Operation("change", UP, Shaper("dsl0", 9_500))
    assert commands(monkeypatch, add(UP), changed, Operation("delete", UP), add(DOWN)) == [
        f"qdisc add dev dsl0 root handle 78: cake bandwidth 19000kbit {CAKE} egress",
        f"qdisc change dev dsl0 root handle 78: cake bandwidth 9500kbit {CAKE} egress",
        "qdisc del dev dsl0 root handle 78:",
        f"qdisc add dev ifb-dsl root handle 78: cake bandwidth 47500kbit {CAKE} ingress",
    ]


def test_what_tc_says_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "Error: Exclusivity flag on,\n cannot modify.\n"
    with pytest.raises(
        EngineError, match=r"cannot add shaper of 19000 kbit/s on dsl0: Error: Exclusivity flag on, can"
    ):
        commands(monkeypatch, add(UP), error=said)
    with pytest.raises(EngineError, match=r"dsl0: this kernel has no CAKE \(module sch_cake\)"):
        commands(monkeypatch, add(UP), error="Error: Specified qdisc kind is unknown.\n")
    with pytest.raises(Gone):
        commands(monkeypatch, Operation("delete", UP), error='Cannot find device "dsl0"\n')


def test_without_tc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "find", lambda _program: None)
    assert _shape.works(redirects=True)
    with pytest.raises(HostError, match=r"tc is missing on this host \(Debian package iproute2\)"):
        _shape.apply(add(UP))


@pytest.mark.parametrize(("lacking", "works"), [((), True), (("cake",), False), (("u32", "mirred"), True)])
def test_the_kernel_is_asked_in_a_namespace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: tuple[str, ...], works: bool
) -> None:
    assert works_without(monkeypatch, tmp_path, *lacking, redirects=False) is works


@pytest.mark.parametrize("lacking", ["cake", "ifb", "clsact", "u32", "mirred"])
def test_what_is_received_takes_more_of_a_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lacking: str) -> None:
    assert works_without(monkeypatch, tmp_path, redirects=True)
    assert not works_without(monkeypatch, tmp_path, lacking, redirects=True)


def works_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str, redirects: bool) -> bool:
    """What is said where ip and tc refuse some words, and take all others."""
    program = tmp_path / "program"
    refused = "".join(f'*" {word} "*|' for word in words)
    program.write_text(f'#!/bin/sh\ncase " $* " in {refused}never) exit 2; esac\n')
    program.chmod(0o755)
    found = {"ip": str(program), "tc": str(program)}
    with monkeypatch.context() as patched:
        patched.setattr(_programs, "find", lambda name: found.get(name) or shutil.which(name))
        return _shape.works(redirects)


def test_a_namespace_that_may_not_be_made_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "run", lambda words: subprocess.CompletedProcess(words, 1, "", "not permitted"))
    assert _shape.works(redirects=True)


@pytest.mark.usefixtures("namespace")
def test_this_kernel_takes_the_words_by_which_it_is_asked() -> None:
    """All but CAKE, which not every kernel has."""
    script = _shape._IN_SCRATCH.replace("root cake", "root pfifo")
    output("unshare", "--net", "sh", "-c", script, "tc", "ip")


@pytest.mark.usefixtures("namespace")
def test_a_redirect_comes_changes_and_goes() -> None:
    other = Redirect("a0", "ifb-lte")
    for operation in (add(REDIRECT), Operation("change", REDIRECT, other)):
        _shape.apply(operation)
        assert queues() == ([], [], [operation.after], {}, {})
    _shape.apply(Operation("delete", other))
    assert queues() == ([], [], [], {}, {})
    assert "clsact" not in output("tc", "qdisc", "show", "dev", "a0")
    with pytest.raises(Gone):
        _shape.apply(Operation("delete", other))


@pytest.mark.usefixtures("namespace")
def test_both_directions_of_a_device_are_redirected_each_by_itself() -> None:
    sent = Redirect("a0", "ifb-lte", sent=True)
    for item in (sent, REDIRECT):
        _shape.apply(add(item))
    assert queues() == ([], [], [REDIRECT, sent], {}, {})
    _shape.apply(Operation("delete", REDIRECT))
    assert queues() == ([], [], [sent], {}, {})
    with pytest.raises(Gone):
        _shape.apply(Operation("delete", REDIRECT))
    with pytest.raises(EngineError, match="cannot add redirect of what a0 receives to ifb-none"):
        _shape.apply(add(Redirect("a0", "ifb-none")))
    assert queues() == ([], [], [sent], {}, {})
    _shape.apply(Operation("delete", sent))
    assert "clsact" not in output("tc", "qdisc", "show", "dev", "a0")


@pytest.mark.usefixtures("namespace")
def test_a_redirect_that_is_refused_leaves_what_was() -> None:
    nowhere = Redirect("a0", "ifb-none")
    with pytest.raises(EngineError, match="cannot add redirect of what a0 receives to ifb-none"):
        _shape.apply(add(nowhere))
    assert queues().redirects == []
    _shape.apply(add(REDIRECT))
    with pytest.raises(EngineError, match="cannot change redirect"):
        _shape.apply(Operation("change", REDIRECT, nowhere))
    assert queues().redirects == [REDIRECT]


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("qdisc", ["clsact", "ingress"])
def test_what_is_half_done_is_done_anew(qdisc: str) -> None:
    output("tc", "qdisc", "add", "dev", "a0", qdisc)
    half = Redirect("a0", "")
    assert queues() == ([], [], [half], {}, {})
    _shape.apply(Operation("change", half, REDIRECT))
    assert queues().redirects == [REDIRECT]
    ip("link del ifb-dsl")
    gone = queues().redirects[0]
    assert gone.to.startswith("#")
    _shape.apply(Operation("change", gone, half))
    assert queues().redirects == [half]


@pytest.mark.parametrize(
    ("qdisc", "filters", "words"),
    [
        ("ingress", ["pref 7 protocol all u32 match u32 0 0 action mirred egress redirect dev b0"], "ingress ffff:"),
        ("ingress", ["pref 120 protocol all u32 match u32 0 0 action mirred egress mirror dev b0"], "ingress ffff:"),
        (
            "ingress",
            ["pref 120 protocol all u32 match u32 0 0 action mirred egress redirect dev b0"] * 2,
            "ingress ffff:",
        ),
        ("clsact", ["pref 7 protocol all u32 match u32 0 0 action mirred egress redirect dev b0"], "clsact ffff:"),
    ],
)
@pytest.mark.usefixtures("namespace")
def test_what_others_do_with_what_is_received(qdisc: str, filters: list[str], words: str) -> None:
    output("tc", "qdisc", "add", "dev", "a0", qdisc)
    for text in filters:
        output("tc", "filter", "add", "dev", "a0", "egress" if qdisc == "clsact" else "ingress", *text.split())
    assert queues() == ([], [], [], {}, {"a0": words})


@pytest.mark.usefixtures("namespace")
def test_an_ingress_queue_of_ours_is_replaced() -> None:
    output("tc", "qdisc", "add", "dev", "a0", "ingress")
    match = "pref 120 protocol all u32 match u32 0 0 action mirred egress redirect dev ifb-dsl"
    output("tc", "filter", "add", "dev", "a0", "ingress", *match.split())
    (old,) = queues().redirects
    assert old == Redirect("a0", "")
    _shape.apply(Operation("change", old, REDIRECT))
    assert queues() == ([], [], [REDIRECT], {}, {})


@pytest.mark.usefixtures("namespace")
def test_queues_of_others() -> None:
    output(
        "tc", "qdisc", "add", "dev", "a0", "root", "handle", "9:", "tbf", "rate", "1mbit", "burst", "9k", "limit", "9k"
    )
    assert queues() == ([], [], [], {"a0": "tbf 9:"}, {})
