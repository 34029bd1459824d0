# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._storage import SiteFiles, write


def load(folder: Path) -> tuple[list[Any], list[str]]:
    files = SiteFiles(folder, "list of things")
    return files.load(lambda item, _where: item), files.warnings


def damage(path: Path) -> list[bytes]:
    whole = path.read_bytes()
    return [b"", whole[: len(whole) // 2], b"\0" * len(whole), b"{}", b"[]", b'{"schema": 2, "sites": {}}', b"\xff\xfe"]


def test_a_file_that_cannot_be_understood_is_named_and_its_copy_used(tmp_path: Path) -> None:
    SiteFiles(tmp_path, "list of things").store("acme", {"office": {"x": 1}, "barn": {"x": 2}})
    for text in damage(tmp_path / "acme.json"):
        (tmp_path / "acme.json").write_bytes(text)
        found, warnings = load(tmp_path)
        assert found == [{"x": 2}, {"x": 1}]
        (warning,) = warnings
        assert warning.startswith(
            f"{tmp_path}/acme.json is no list of things, so its copy acme.json.last-good is used: "
        )


def test_where_the_copy_cannot_be_understood_either_it_is_an_error(tmp_path: Path) -> None:
    SiteFiles(tmp_path, "list of things").store("acme", {"office": {"x": 1}})
    for name in ("acme.json", "acme.json.last-good"):
        (tmp_path / name).write_text("{")
    with pytest.raises(EngineError, match=r"acme\.json is no list of things, mend it or remove it: Expecting"):
        load(tmp_path)


def test_the_next_write_mends_both(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path, "list of things")
    files.store("acme", {"office": {"x": 1}})
    for name in ("acme.json", "acme.json.last-good"):
        (tmp_path / name).write_text("{")
    files.store("acme", {"office": {"x": 3}})
    assert load(tmp_path) == ([{"x": 3}], [])
    assert (tmp_path / "acme.json.last-good").read_bytes() == (tmp_path / "acme.json").read_bytes()


def test_a_file_without_sites_goes_with_its_copy(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path, "list of things")
    files.store("acme", {"office": {}})
    files.store("zeta", {"barn": {}})
    files.store("acme", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zeta.json", "zeta.json.last-good"]


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write(path, "old")
    with path.open() as reader:
        write(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert [item.name for item in path.parent.iterdir()] == ["file"]
