# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._endpoint_accept import Refused, accept
from ansible_collections.multihome.extrude.plugins.module_utils._learned import Endpoints
from ansible_collections.multihome.extrude.plugins.module_utils._local import Store
from ansible_collections.multihome.extrude.plugins.module_utils._states import States

STATE = {
    "customer": "acme",
    "site": "office",
    "endpoints": ["dsl", "lte"],
    "files": [{"path": "bird.conf", "content": "x"}],
    "routes": [{"destination": "203.0.113.8/29"}, {"destination": "2001:db8::/48"}],
    "addresses": [{"device": "ex1-dsl", "address": "10.254.0.0/31"}, {"device": "ex1-dsl", "address": "fd00::/127"}],
}
OTHER = {**STATE, "site": "shop", "endpoints": ["cable"]}
FROM = "100.64.0.7 50022 203.0.113.2 22"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(states=States(tmp_path / "etc"), endpoints=Endpoints(tmp_path / "endpoints"))
    made.states.store([STATE, OTHER, {**STATE, "customer": "globex"}])
    return made


def test_a_link_is_where_its_report_comes_from(store: Store, tmp_path: Path) -> None:
    assert accept("acme/office", "dsl", FROM, store) == "100.64.0.7"
    assert store.endpoints.values(STATE) == {"dsl.endpoint": "100.64.0.7", "lte.endpoint": "127.0.0.2"}
    assert store.endpoints.reported(STATE, "dsl") is not None
    assert store.endpoints.reported(STATE, "lte") is None
    assert (tmp_path / "endpoints" / ".news").exists()
    assert accept("acme/office", "dsl", "100.64.0.8 50022 203.0.113.2 22", store) == "100.64.0.8"
    assert store.endpoints.read(STATE, "dsl") == "100.64.0.8"


@pytest.mark.parametrize(
    ("who", "asked", "connection", "words"),
    [
        ("acme/office", "cable", FROM, "'cable' is not a link of acme/office whose address changes"),
        ("acme/office", "", FROM, "no link is named"),
        ("acme/office", "dsl; id", FROM, "'dsl; id' is not a link"),
        ("acme/office", "../shop/cable", FROM, "'../shop/cable' is not a link"),
        ("acme/office", "/bin/sh", FROM, "'/bin/sh' is not a link"),
        ("acme/office", "x" * 5000, FROM, f"'{'x' * 60}…' is not a link"),
        ("acme/barn", "dsl", FROM, "acme/barn is not deployed here"),
        ("nobody/office", "dsl", FROM, "nobody/office is not deployed here"),
        ("acme", "dsl", FROM, "acme is not deployed here"),
        ("acme/office", "dsl", "", "it comes from '', which is no IPv4 address"),
        ("acme/office", "dsl", "2001:db8::7 1 2001:db8::1 22", "it comes from '2001:db8::7', which is no IPv4 address"),
        ("acme/office", "dsl", "127.0.0.1 1 127.0.0.1 22", "no tunnel can end at 127.0.0.1"),
        ("acme/office", "dsl", "203.0.113.11 1 203.0.113.2 22", "it comes from 203.0.113.11, by a tunnel"),
        ("acme/office", "dsl", "10.254.0.1 1 10.254.0.0 22", "it comes from 10.254.0.1, by a tunnel"),
    ],
)
def test_what_a_key_may_not_do(store: Store, tmp_path: Path, who: str, asked: str, connection: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        accept(who, asked, connection, store)
    assert str(refused.value).startswith(words)
    assert not (tmp_path / "endpoints").exists()
