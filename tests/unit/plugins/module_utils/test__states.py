# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._states import States


def state(customer: str = "acme", site: str = "office", device: str = "{dsl.device}") -> dict[str, Any]:
    return {"customer": customer, "site": site, "groups": [{"device": device, "group": 4200}]}


def test_states_are_kept_as_they_were_made(tmp_path: Path) -> None:
    States(tmp_path).store([state(), state(site="barn"), state("other")])
    assert States(tmp_path).load() == (state(site="barn"), state(), state("other"))


def test_one_state_is_found_without_those_of_others(tmp_path: Path) -> None:
    states = States(tmp_path)
    states.store([state(), state(site="barn"), state("other")])
    (tmp_path / "other.json").write_text("{")
    (tmp_path / "other.json.last-good").write_text("{")
    assert states.find("acme", "barn") == state(site="barn")
    assert states.find("acme", "shop") is None
    assert states.find("nobody", "office") is None
    states.store([state(device="eth1")])
    assert states.find("acme", "office") == state(device="eth1")


def test_only_the_states_that_are_stored_change(tmp_path: Path) -> None:
    states = States(tmp_path)
    states.store([state(), state(site="barn"), state("other")])
    before = (tmp_path / "other.json").stat().st_ino
    states.store([state(device="eth1"), {"customer": "acme", "site": "barn"}, state("other")])
    assert states.load() == (state(device="eth1"), state("other"))
    assert (tmp_path / "other.json").stat().st_ino == before


def test_a_state_without_objects_goes_and_leaves_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    states = States(folder)
    states.store([{"customer": "acme", "site": "office", "groups": []}])
    assert not folder.exists()
    states.store([state()])
    assert folder.exists()
    states.store([{"customer": "acme", "site": "office", "links": [{"wan": "dsl"}]}])
    assert not folder.exists()


def test_a_state_that_does_not_say_whose_it_is_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "acme.json").write_text('{"sites": {"office": {"customer": "acme"}}}')
    with pytest.raises(EngineError, match=r"acme\.json is no list of states, .*: sites\.office\.site: is missing"):
        States(tmp_path).load()
