# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.plugin_utils._status_report import SHOWN, report
from tests.unit.plugins.plugin_utils.samples import changed, office, run, shop

TOPOLOGY = run(office=office())
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def status(kind: str = "site", tunnels: dict[str, str] | None = None, links: dict[str, str] | None = None) -> str:
    """What the command prints: links and tunnels that are dead, with the reason."""
    wans = ("dsl", "cable")
    troubles = tunnels or {}
    site = {
        "customer": "acme",
        "site": "office",
        "tunnels": [{"link": wan, "up": wan not in troubles, "reason": troubles.get(wan, "")} for wan in wans],
        "links": [{"name": wan, "up": wan not in (links or {}), "reason": (links or {}).get(wan, "")} for wan in wans],
    }
    return json.dumps({"sites": [site if kind == "site" else {**site, "links": []}]})


def found(kind: str = "site", **changes: Any) -> dict[str, Any]:
    """What the role finds on a host that is as the inventory has it."""
    info = {
        "owners": [{"name": "acme/office", "gone": False}],
        "missing_packages": [],
        "stopped_units": [],
        "ipsec": {},
    }
    usual = {"unreached": "", "info": info, "state": {"operations": []}, "files": [{"installed": [], "removed": []}]}
    return changed({**usual, "status": {"stdout": status(kind)}}, changes)


def told(site: dict[str, Any] | None = None, colo: dict[str, Any] | None = None) -> list[str]:
    result = report(TOPOLOGY, {"office": site or found()}, {"rack": colo or found("colo")}, NOW)
    assert result["ok"] is (len(result["text"]) == 2 and all("nothing differs" in line for line in result["text"]))
    return list(result["text"])


def test_hosts_that_are_as_they_should_be_have_a_line_each() -> None:
    assert told() == ["office (acme): dsl alive, cable alive; nothing differs", "rack: nothing differs"]


def test_a_dead_tunnel_is_told_with_what_each_end_says() -> None:
    site = found(status={"stdout": status(tunnels={"cable": "no way through"})})
    colo = found("colo", status={"stdout": status("colo", tunnels={"cable": "it is down"})})
    lines = told(site, colo)
    assert lines[0] == "office (acme): dsl alive, cable DEAD; nothing differs"
    assert lines[2:] == ["office: cable is dead: no way through (at office); it is down (at rack)"]


def test_a_link_that_is_down_says_why_rather_than_its_tunnel() -> None:
    site = found(status={"stdout": status(tunnels={"dsl": "it is not there"}, links={"dsl": "dsl0 has no carrier"})})
    assert told(site)[2:] == ["office: dsl is dead: dsl0 has no carrier (at office)"]


def test_a_site_that_is_not_reached_is_named_and_the_colo_still_says_how_its_tunnels_are() -> None:
    lines = told({"unreached": "timed out", "info": {}, "status": {}, "state": {}})
    assert lines[0] == "office (acme): dsl alive, cable alive; NOT REACHED"
    assert lines[2:] == ["office was not reached: timed out"]


def test_where_nobody_is_reached_nobody_knows() -> None:
    lost = {"unreached": "timed out", "info": {}, "status": {}, "state": {}}
    assert told(lost, lost) == [
        "office (acme): dsl not known, cable not known; NOT REACHED",
        "rack: NOT REACHED",
        "office was not reached: timed out",
        "rack was not reached: timed out",
    ]


def test_a_change_that_waits_to_be_confirmed_is_told_where_it_is_of_these_sites() -> None:
    def waiting(site: str, undone: str | None) -> dict[str, Any]:
        return {"customer": "acme", "site": site, "left": None if undone else 41, "undone": undone}

    guarded = [waiting("office", None), waiting("other", None), waiting("office", "2026-11-29T10:00:00+00:00")]
    colo = found("colo", status={"stdout": json.dumps({**json.loads(status("colo")), "guarded": guarded})})
    assert told(None, colo)[1:] == [
        "rack: 1 difference",
        "rack: a change of acme/office waits to be confirmed, and goes back in 41 s",
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"state": {"operations": ["add rule 4290: lookup 4200"]}}, "add rule 4290: lookup 4200"),
        ({"state": {"msg": "there is no\ndevice dsl0"}}, "cannot be compared: there is no device dsl0"),
        ({"files": [{"installed": ["/usr/sbin/extrude"]}]}, "file /usr/sbin/extrude is missing, or another"),
        (
            {"files": [{"installed": [f"/x{number}" for number in range(9)], "removed": ["/old"]}]},
            "10 files of the collection are missing, or of another version, such as /old",
        ),
        ({"info": {"owners": [], "missing_packages": ["bird2"]}}, "lacks packages: bird2"),
        (
            {"info": {"owners": [], "stopped_units": ["extrude-bird.service"]}},
            "extrude-bird.service does not run, or would not after a reboot",
        ),
        (
            {"units": [{"name": "x.service", "status": {"ActiveState": "failed", "UnitFileState": "enabled"}}]},
            "x.service does not run, or would not after a reboot",
        ),
        ({"secrets": {"sites": ["acme.1"]}}, "secret of acme.1"),
        ({"secrets": {"msg": "no"}}, "cannot be compared: no"),
        ({"left_out": ["its state"]}, "not compared: its state"),
        ({"status": {"stderr": "extrude: no"}}, "extrude status does not answer: extrude: no"),
    ],
)
def test_each_difference_is_told_in_words(changes: dict[str, Any], text: str) -> None:
    lines = told(found(**changes))
    assert lines[0].endswith("; 1 difference")
    assert f"office: {text}" in lines[2:]


def test_many_differences_are_counted() -> None:
    lines = told(found(state={"operations": [f"add rule {number}" for number in range(SHOWN + 5)]}))
    assert lines[0].endswith(f"; {SHOWN + 5} differences")
    assert len(lines) == 2 + SHOWN + 1
    assert lines[-1] == "office: and 5 more; extrude.yml --check --diff shows them all"


def test_a_site_that_only_the_colo_knows_is_told_with_what_to_type() -> None:
    owners = [{"name": name, "gone": False} for name in ("acme/office", "acme/old", "initech/plant")]
    owners += [{"name": "acme/never", "gone": True}]
    lines = told(colo=found("colo", info={"owners": owners}))
    typed = "teardown.yml -e teardown_forgotten=acme/old -e teardown_colo=rack"
    assert lines[2:] == [f"rack: has acme/old, which the inventory lacks; to take it off: {typed}"]


def test_a_site_that_has_moved_is_told_at_the_colo_that_it_has_left() -> None:
    topology = run(office=office(), shop=shop())
    topology["homes"]["shop"] = "rack2"
    del topology["sites"]["shop"]
    owners = [{"name": "acme/office", "gone": False}, {"name": "initech/shop", "gone": False}]
    result = report(topology, {"office": found()}, {"rack": found("colo", info={"owners": owners})}, NOW)
    typed = "teardown.yml -e teardown_forgotten=initech/shop -e teardown_colo=rack"
    told = "has initech/shop, which the inventory has at rack2; once it works there, to take it off here"
    assert result["text"][2:] == [f"rack: {told}: {typed}"]


def test_what_the_command_prints_may_be_nonsense() -> None:
    assert "office: extrude status does not answer: no answer" in told(found(status={"stdout": "[1"}))


@pytest.mark.parametrize(
    ("certificate", "until", "text"),
    [
        ("", None, "has no certificate"),
        ("PEM", "2026-12-01T00:00:00+00:00", "certificate expires on 2026-12-01: run extrude.yml"),
        ("PEM", "2026-11-01T00:00:00+00:00", "certificate expired on 2026-11-01: run extrude.yml"),
    ],
)
def test_a_certificate_that_is_missing_or_about_to_expire_is_told(
    certificate: str, until: str | None, text: str
) -> None:
    state = {**TOPOLOGY["sites"]["office"], "certificate": {"subject": "x"}}
    topology = {**TOPOLOGY, "sites": {"office": state}}
    said = {**json.loads(status()), "certificate": until and {"until": until}}
    one = found(info={"owners": [], "ipsec": {"certificate": certificate}}, status={"stdout": json.dumps(said)})
    result = report(topology, {"office": one}, {"rack": found("colo")}, NOW)
    assert result["text"][2:] == [f"office: {text}"]
    assert not result["ok"]


def test_packages_count_where_something_needs_them() -> None:
    ipsec = {"missing_packages": ["strongswan-swanctl"], "missing_for_certificates": ["python3-cryptography"]}
    assert len(told(found(info={"owners": [], "ipsec": ipsec}))) == 2
    state = {**TOPOLOGY["sites"]["office"], "connections": [{"name": "ex-dsl"}]}
    one = found(info={"owners": [], "ipsec": ipsec})
    result = report({**TOPOLOGY, "sites": {"office": state}}, {"office": one}, {"rack": found("colo")}, NOW)
    assert result["text"][2:] == ["office: lacks packages: strongswan-swanctl"]


def test_a_batch_concerns_its_own_sites_and_customers() -> None:
    topology = run(batch=["office"], office=office(), shop=shop())
    owners = [{"name": "initech/gone", "gone": False}, {"name": "initech/shop", "gone": False}]
    result = report(topology, {"office": found()}, {"rack": found("colo", info={"owners": owners})}, NOW)
    assert result["ok"], result["text"]


def test_a_site_that_is_not_deployed_has_dead_links() -> None:
    nothing = {"stdout": json.dumps({"sites": []})}
    lines = told(found(status=nothing), found("colo", status=nothing))
    assert lines[2] == "office: dsl is dead: it is not deployed (at office); it is not deployed (at rack)"
