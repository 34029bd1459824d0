# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, assume, given
from hypothesis import strategies as st

from ansible_collections.multihome.extrude.plugins.module_utils import (
    _announce,
    _host,
    _liveness,
    _netlink,
    _programs,
    _shape,
    _sysctl,
)
from ansible_collections.multihome.extrude.plugins.module_utils._conflict import Conflict
from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError, Proxy, State
from ansible_collections.multihome.extrude.plugins.module_utils._request import Operation, Request
from tests.unit.examples import examples
from tests.unit.host import files, host, ip6, snapshot
from tests.unit.netns import ip, output
from tests.unit.states import RP_FILTERS, Plain, elsewhere, plain_states, states
from tests.unit.systemctl import Systemctl

RESERVED = {"tables": [4200, 4221], "priorities": [4200, 4299]}


def state(owner: str = "acme", **lists: object) -> State:
    return State.parse({"customer": owner, "site": "office", **lists})


WHOLE: Plain = {
    "dummies": [{"name": "extrude0"}],
    "groups": [{"device": "b0", "group": 4200}],
    "addresses": [{"device": "lo", "address": "203.0.113.10/32"}, {"device": "a0", "address": "2001:db8::1/64"}],
    "sysctls": [{"name": RP_FILTERS[0], "value": "2"}, {"name": "net/ipv4/ip_forward", "value": "1"}],
    "chains": [
        {"name": "EXTRUDE-FORWARD", "hook": "FORWARD", "rules": ["-i ex-+ -d 203.0.113.10 -j ACCEPT"]},
        {"table": "mangle", "name": "EXTRUDE-MSS", "hook": "FORWARD", "rules": ["-o a0 -j RETURN"]},
    ],
    "routes": [
        {
            "destination": "0.0.0.0/0",
            "table": 4200,
            "metric": 1,
            "source": "203.0.113.10",
            "nexthops": [{"device": "a0", "weight": 15}, {"device": "b0", "weight": 4}],
        },
        {"destination": "0.0.0.0/0", "table": 4200, "metric": 9, "type": "unreachable"},
        {"destination": "::/0", "table": 4200, "nexthops": [{"device": "a0"}]},
        {"destination": "203.0.113.0/24", "table": 4218, "nexthops": [{"device": "extrude0"}]},
    ],
    "rules": [
        {"priority": 4230, "table": 254, "suppress_prefixlength": 0, "suppress_ifgroup": 4200},
        {"priority": 4210, "table": 4221, "source": "192.0.2.2/32"},
        {"family": 6, "priority": 4290, "table": 4200},
    ],
    "proxies": [{"device": "a0", "address": "203.0.113.10"}, {"device": "a0", "address": "2001:db8::77"}],
    "files": [
        {"path": "bird.conf", "content": "router id 192.0.2.1;\n"},
        {"path": "bird.d/acme.office.conf", "content": "protocol bgp {\n}\n"},
    ],
    "reserved": RESERVED,
}
STRANGE = "stands where only ours may and was made by"
GRE = [{"name": "ex-dsl", "local": "192.0.2.1", "remote": "203.0.113.2"}]


def run(request: Request) -> tuple[Operation, ...]:
    found = _host.survey(request)
    _host.apply(request, found)
    return found.operations


def left(request: Request) -> list[str]:
    return [str(operation) for operation in _host.survey(request).operations]


def steps(operations: Sequence[Operation]) -> int:
    """How often something is written: the chains and files of a batch count once."""
    return sum(len(_host._parts(batch)) for batch in _host._batches(operations))


@pytest.fixture
def _namespace() -> Iterator[None]:
    with host():
        yield


inside = pytest.mark.usefixtures("_namespace")


class Failing:
    """Lets the first operations through, refuses one, and lets all others through, which are the undo."""

    def __init__(self, after: int, act: Callable[[], None]) -> None:
        self._real = _host._apply_part
        self._left = after
        self._act = act
        self.refused: list[Operation] = []

    def __call__(self, operations: list[Operation], writers: _host._Writers) -> None:
        self._left -= 1
        if self._left == -1:
            self.refused = operations
            self._act()
        self._real(operations, writers)


def refuse() -> None:
    raise EngineError("refused")


FEW = examples(20, 1000, phases=[Phase.explicit, Phase.reuse, Phase.generate])
"""An example costs a tenth of a second, so there are few, and a failing one is not made smaller."""

# --- laws, on a real kernel -------------------------------------------------------------------------


@FEW
@given(states(tunnels=False), states(tunnels=False))
def test_any_state_leads_to_any_other_and_back_to_nothing(first: State, second: State) -> None:
    with host():
        before = snapshot()
        run(Request((first,)))
        assert left(Request((first,), (first,))) == []
        run(Request((second,), (first,)))
        assert left(Request((second,), (second,))) == []
        run(Request((state(),), (second,)))
        after = snapshot()
        before.pop("sysctls"), after.pop("sysctls")
        assert after == before


@FEW
@given(states(tunnels=False), states(tunnels=False), st.data())
def test_an_error_at_any_point_leaves_everything_as_it_was(first: State, second: State, data: st.DataObject) -> None:
    with host(), pytest.MonkeyPatch.context() as patch:
        run(Request((first,)))
        before = snapshot()
        request = Request((second,), (first,))
        found = _host.survey(request)
        assume(found.operations)
        failing = Failing(data.draw(st.integers(0, steps(found.operations) - 1)), refuse)
        patch.setattr(_host, "_apply_part", failing)
        with pytest.raises(EngineError, match=r"^refused$"):
            _host.apply(request, found)
        assert snapshot() == before


@FEW
@given(states(tunnels=False), plain_states(tunnels=False, owner=("other", "office")).map(elsewhere).map(State.parse))
def test_one_owner_never_disturbs_another(mine: State, theirs: State) -> None:
    with host():
        run(Request((theirs,)))
        before = snapshot()
        run(Request((mine,), (theirs,)))
        run(Request((state(),), (mine, theirs)))
        after = snapshot()
        before.pop("sysctls"), after.pop("sysctls")
        assert after == before


# --- each kind --------------------------------------------------------------------------------------


@inside
@pytest.mark.parametrize("number", range(14))
def test_undo_reverses_every_kind(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request((state(**WHOLE),))
    before, found = snapshot(), _host.survey(request)
    failing = Failing(number, refuse)
    monkeypatch.setattr(_host, "_apply_part", failing)
    with pytest.raises(EngineError, match=r"^refused$"):
        _host.apply(request, found)
    assert failing.refused
    assert snapshot() == before
    failing._left = 99
    back = Request((state(),), (state(**WHOLE),))
    run(Request((state(**WHOLE),)))
    before = snapshot()
    failing._left = number
    with pytest.raises(EngineError, match=r"^refused$"):
        run(back)
    assert snapshot() == before


@inside
def test_a_second_run_finds_nothing_to_do_and_a_third_takes_all_away() -> None:
    whole = state(**WHOLE)
    assert len(run(Request((whole,)))) == 19
    assert left(Request((whole,), (whole,))) == []
    assert {operation.action for operation in run(Request((state(),), (whole,)))} == {"delete"}
    assert left(Request((state(),), (whole,))) == []


@inside
def test_what_somebody_has_changed_by_hand_is_put_right() -> None:
    whole = state(**WHOLE)
    run(Request((whole,)))
    ip(
        "neigh del proxy 203.0.113.10 dev a0",
        "route del default table 4200 metric 9",
        "addr del 203.0.113.10/32 dev lo",
    )
    ip6("rule del priority 4290")
    output("iptables", "-A", "EXTRUDE-FORWARD", "-j", "DROP")
    output("sysctl", "-q", "net.ipv4.conf.a0.rp_filter=1")
    ip("link set extrude0 down")
    (files() / "bird.conf").write_text("an administrator's\n")
    (files() / "bird.d" / "acme.office.conf").unlink()
    assert [text.split(" (value")[0].split(" (rules")[0] for text in left(Request((whole,), (whole,)))] == [
        "change iptables chain EXTRUDE-FORWARD in filter, 2 rules",
        "change dummy extrude0 (extra: down -> unset)",
        "add address 203.0.113.10/32 on lo",
        "change sysctl net/ipv4/conf/a0/rp_filter = 1",
        "add unreachable route 0.0.0.0/0 table 4200 metric 9",
        "add route 203.0.113.0/24 table 4218 metric 0 dev extrude0 weight 1",
        "add rule 4290: lookup 4200 (IPv6)",
        "add proxy 203.0.113.10 on a0",
        "change file bird.conf",
        "add file bird.d/acme.office.conf",
    ]
    run(Request((whole,), (whole,)))
    assert left(Request((whole,), (whole,))) == []


@inside
def test_what_is_lost_when_a_device_is_switched_off_comes_back() -> None:
    whole = state(**WHOLE)
    run(Request((whole,)))
    ip("link set a0 down", "link set a0 up")
    lost = left(Request((whole,), (whole,)))
    assert "add proxy 203.0.113.10 on a0" in lost
    assert "add proxy 2001:db8::77 on a0" in lost
    run(Request((whole,), (whole,)))
    assert left(Request((whole,), (whole,))) == []


@inside
def test_new_proxies_are_announced_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(_announce, "announce", told.extend)
    whole = state(**WHOLE)
    run(Request((whole,)))
    assert told == [("a0", "203.0.113.10"), ("a0", "2001:db8::77")]
    told.clear()
    more = state(**{**WHOLE, "proxies": [*WHOLE["proxies"], {"device": "a0", "address": "203.0.113.11"}]})
    run(Request((more,), (whole,)))
    assert told == [("a0", "203.0.113.11")]


@inside
def test_learnt_routes_are_forgotten_when_routes_change(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(_sysctl, "write", lambda name, _value: written.append(name))
    run(Request((state(routes=WHOLE["routes"][1:3]),)))
    assert written == ["net/ipv4/route/flush", "net/ipv6/route/flush"]


# --- the daemon that watches --------------------------------------------------------------------------

LIVE, STATIC = {"priority": 4290, "table": 4200}, {"priority": 4291, "table": 4217, "standby": True}


@inside
def test_stand_by_rules_are_the_daemons_while_it_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = tmp_path / "live"
    monkeypatch.setattr(_liveness, "LIVE", live)
    wanted = state(rules=[LIVE, STATIC])
    run(Request((wanted,)))
    assert "4291:" in output("ip", "rule")
    live.touch()
    ip("rule del priority 4291")
    assert run(Request((wanted,), (wanted,))) == ()
    ip("rule add priority 4291 lookup 4217 protocol 120")
    live.unlink()
    assert run(Request((wanted,), (wanted,))) == ()
    ip("rule del priority 4291")
    assert left(Request((wanted,), (wanted,))) == ["add rule 4291: lookup 4217"]


@inside
@pytest.mark.parametrize("looks", [[True, False], [False, True]], ids=["ends", "begins"])
def test_a_watch_that_begins_or_ends_meanwhile_is_no_drift(looks: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(looks)
    monkeypatch.setattr(_liveness, "watched", lambda: next(answers, False))
    wanted = state(rules=[STATIC])
    assert left(Request((wanted,), (wanted,))) == []


@inside
def test_the_daemon_is_told_of_all_files_at_once_and_when_they_are_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl = Systemctl(tmp_path, monkeypatch, files() / "bird.conf", "active")
    told = ["is-active extrude-bird.service", "reload extrude-bird.service"]
    whole = state(**WHOLE)
    run(Request((whole,)))
    assert systemctl.calls() == told
    assert run(Request((whole,), (whole,))) == ()
    run(Request((state(**{**WHOLE, "proxies": []}),), (whole,)))
    assert systemctl.calls() == []
    moved = state(**{**WHOLE, "files": [WHOLE["files"][0], {"path": "bird.d/b.conf", "content": "# b\n"}]})
    monkeypatch.setattr(_host, "_settle", lambda _request, _operations: refuse())
    with pytest.raises(EngineError, match=r"^refused$"):
        run(Request((moved,), (whole,)))
    assert systemctl.calls() == told * 2
    assert sorted(path.name for path in files().rglob("*.conf")) == ["acme.office.conf", "bird.conf"]


@inside
def test_files_that_the_daemon_refuses_undo_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = files() / "bird.conf"
    systemctl = Systemctl(tmp_path, monkeypatch, main, "active")
    old = state(**{**WHOLE, "proxies": [], "rules": []})
    run(Request((old,)))
    before = snapshot()
    systemctl.calls()
    bad = [{"path": "bird.conf", "content": "nonsense\n"}, {"path": "bird.d/b.conf", "content": "# b\n"}]
    with pytest.raises(EngineError) as error:
        run(Request((state(**{**WHOLE, "files": bad}),), (old,)))
    assert str(error.value) == f"extrude-bird.service does not take its new files: bird: {main}:1:1 syntax error"
    assert snapshot() == before
    assert systemctl.calls() == ["is-active extrude-bird.service", "reload extrude-bird.service"] * 2


# --- trouble ----------------------------------------------------------------------------------------


@inside
def test_a_kernel_without_gre_says_so_and_is_left_as_it_was() -> None:
    """This one has none, like most kernels of containers and small VMs."""
    old = state(addresses=[{"device": "lo", "address": "203.0.113.99/32"}])
    run(Request((old,)))
    before = snapshot()
    with pytest.raises(
        EngineError, match=r"^cannot add tunnel ex-dsl .*: this kernel has no GRE tunnels \(module ip_gre\)$"
    ):
        run(Request((state(tunnels=GRE),), (old,)))
    assert snapshot() == before


@inside
def test_a_kernel_without_cake_says_so_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shape, "works", lambda _redirects: False)
    before = snapshot()
    shaper = {"device": "a0", "rate": 19_000, "variable": "office: extrude_shape"}
    with pytest.raises(Conflict, match=r"^office: extrude_shape: a0 cannot be shaped: this kernel has no CAKE"):
        run(Request((state(**WHOLE, shapers=[shaper]),)))
    assert snapshot() == before


@inside
def test_at_boot_a_link_that_somebody_shapes_is_left_to_him(monkeypatch: pytest.MonkeyPatch) -> None:
    output(
        "tc", "qdisc", "add", "dev", "a0", "root", "handle", "9:", "tbf", "rate", "1mbit", "burst", "9k", "limit", "9k"
    )
    monkeypatch.setattr(_shape, "works", lambda _redirects: True)
    address = {"device": "lo", "address": "203.0.113.99/32"}
    wanted = state(addresses=[address], shapers=[{"device": "a0", "rate": 19_000}])
    found = _host.survey(Request((wanted,), yields=True))
    assert [str(operation) for operation in found.operations] == ["add address 203.0.113.99/32 on lo"]
    assert found.left.problems == (
        "shaper of 19000 kbit/s on a0: a0 has a queueing discipline of somebody else's, tbf 9:",
    )


@inside
def test_at_boot_without_ipset_all_else_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    find = _programs.find
    monkeypatch.setattr(_programs, "find", lambda program: None if program == "ipset" else find(program))
    rules = ["-m set --match-set EXTRUDE-a.example dst -j RETURN", "-d 198.18.7.0/24 -j RETURN"]
    chain = {"table": "mangle", "name": "EXTRUDE-DIRECT", "hook": "PREROUTING", "rules": rules}
    request = Request((state(chains=[chain], sets=[{"name": "EXTRUDE-a.example", "timeout": 9}]),), yields=True)
    assert [str(operation) for operation in run(request)] == ["add iptables chain EXTRUDE-DIRECT in mangle, 1 rules"]
    assert left(request) == []


@inside
def test_what_stands_in_the_way_is_told_before_anything_is_touched() -> None:
    ip("route add 198.18.0.0/15 dev a0 table 4221", "rule add priority 4250 lookup 9")
    before = snapshot()
    with pytest.raises(Conflict) as conflict:
        run(Request((state(**{**WHOLE, "proxies": [{"device": "gone", "address": "203.0.113.10"}]}),)))
    assert conflict.value.problems == (
        f"route 198.18.0.0/15 table 4221 metric 0 dev a0 weight 1 {STRANGE} hand at boot (protocol 3)",
        f"rule 4250: lookup 9 {STRANGE} hand or an unknown program (protocol 0)",
        "proxy 203.0.113.10 on gone: there is no device gone on this host",
    )
    assert snapshot() == before


@inside
def test_a_kernel_that_does_not_keep_what_is_written_is_an_error_and_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    real = _netlink.Writer.apply

    def lossy(writer: _netlink.Writer, operation: Operation) -> None:
        if operation.action == "delete" or not isinstance(operation.item, Proxy):
            real(writer, operation)

    monkeypatch.setattr(_netlink.Writer, "apply", lossy)
    before = snapshot()
    proxies = [{"device": "a0", "address": f"203.0.113.{number}"} for number in range(8)]
    with pytest.raises(EngineError) as error:
        run(Request((state(**{**WHOLE, "proxies": proxies}),)))
    assert str(error.value).startswith(
        "the kernel did not keep what was written; still to do: add proxy 203.0.113.0 on"
    )
    assert str(error.value).endswith("add proxy 203.0.113.4 on a0 and 3 more")
    assert snapshot() == before


@inside
def test_what_cannot_be_undone_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def act() -> None:
        output("sysctl", "-q", "net.ipv4.conf.a0.rp_filter=2")
        monkeypatch.setattr(_sysctl, "write", lambda _name, _value: refuse())
        refuse()

    request = Request((state(**WHOLE),))
    found = _host.survey(request)
    monkeypatch.setattr(_host, "_apply_part", Failing(6, act))
    with pytest.raises(_host.NotUndone) as error:
        _host.apply(request, found)
    assert str(error.value).startswith("refused; and not all of it could be undone: refused")


@inside
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_taken_between_two_operations_and_undoes(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before, handler = snapshot(), signal.getsignal(number)
    request = Request((state(**WHOLE),))
    found = _host.survey(request)
    monkeypatch.setattr(_host, "_apply_part", Failing(5, lambda: os.kill(os.getpid(), number)))
    with pytest.raises(EngineError, match=f"^stopped by {signal.Signals(number).name}$"):
        _host.apply(request, found)
    assert snapshot() == before
    assert signal.getsignal(number) == handler


@inside
def test_without_iptables_a_plan_shows_the_chains_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_programs, "find", lambda _program: None)
    assert left(Request((state(chains=WHOLE["chains"]),))) == [
        "add iptables chain EXTRUDE-FORWARD in filter, 1 rules",
        "add iptables chain EXTRUDE-MSS in mangle, 1 rules",
    ]
