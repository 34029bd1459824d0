# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _strongswan, _vici
from ansible_collections.multihome.extrude.plugins.module_utils._local import Store, bound
from ansible_collections.multihome.extrude.plugins.module_utils._post_quantum import offered
from tests.unit.charon import Charon, response

HYBRID, CLASSIC, ESP = "aes256gcm16-prfsha384-x25519-ke1_mlkem768", "aes256gcm16-prfsha384-x25519", "aes256gcm16-x25519"
PLAIN = {"customer": "acme", "site": "depot", "connections": []}
# what swanctl --list-algs has them called: Debian 12, Debian 13, and strongSwan 6.1
DEBIAN_12 = {"dh": {"CURVE_25519": "openssl", "ECP_256": "openssl"}}
DEBIAN_13 = {"ke": {"CURVE_25519": "openssl", "ECP_256": "openssl"}}
LATER = {"ke": {"ML_KEM_768": "openssl", "CURVE_25519": "openssl"}}


def state(*proposals: str) -> dict[str, Any]:
    children = {"ex-dsl": {"mode": "beet", "esp_proposals": [ESP]}}
    settings = {"version": "2", "proposals": list(proposals), "children": children}
    return {"customer": "acme", "site": "office", "connections": [{"name": "ex-dsl", "settings": settings}]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the connections; no daemon runs."""
    monkeypatch.setattr(_vici, "SOCKET", tmp_path / "charon.vici")
    monkeypatch.setattr(_strongswan, "FOLDER", tmp_path)
    return tmp_path


@contextmanager
def daemon(folder: Path, algorithms: dict[str, Any]) -> Iterator[Charon]:
    with Charon(folder / "charon.vici", {"get-algorithms": response(algorithms)}) as charon:
        yield charon


@pytest.mark.parametrize(
    ("algorithms", "offers"),
    [(DEBIAN_12, [CLASSIC]), (DEBIAN_13, [CLASSIC]), (LATER, [HYBRID, CLASSIC]), ({}, [CLASSIC])],
)
def test_a_host_offers_it_where_its_daemon_can(folder: Path, algorithms: dict[str, Any], offers: list[str]) -> None:
    with daemon(folder, algorithms):
        assert offered([PLAIN, state(HYBRID, CLASSIC)]) == [PLAIN, state(*offers)]


def test_what_is_bound_is_what_the_host_offers(folder: Path) -> None:
    with daemon(folder, DEBIAN_12):
        (made,) = bound([state(HYBRID, CLASSIC)], Store())
    assert "mlkem" not in str(made)
    assert CLASSIC in str(made)


def test_esp_is_looked_at_too(folder: Path) -> None:
    one = state(CLASSIC)
    one["connections"][0]["settings"]["children"]["ex-dsl"]["esp_proposals"] = [f"{ESP}-ke1_mlkem1024", ESP]
    with daemon(folder, DEBIAN_13):
        assert offered([one]) == [state(CLASSIC)]


def test_where_nothing_would_be_left_the_daemon_says_what_it_thinks_of_it(folder: Path) -> None:
    with daemon(folder, DEBIAN_12):
        assert offered([state(HYBRID)]) == [state(HYBRID)]


def test_nobody_is_asked_where_nothing_needs_it(folder: Path) -> None:
    with daemon(folder, LATER) as charon:
        assert offered([PLAIN, state(CLASSIC)]) == [PLAIN, state(CLASSIC)]
        assert charon.asked() == []


@pytest.mark.parametrize(("proposals", "offers"), [(CLASSIC, [CLASSIC]), (f"{HYBRID},{CLASSIC}", [HYBRID, CLASSIC])])
def test_while_no_daemon_runs_connections_stay_as_they_are(folder: Path, proposals: str, offers: list[str]) -> None:
    (folder / "admin.conf").write_text(HYBRID)
    (folder / "extrude-ex-dsl.conf").write_text(f"proposals = {proposals}\n")
    assert offered([state(HYBRID, CLASSIC)]) == [state(*offers)]
