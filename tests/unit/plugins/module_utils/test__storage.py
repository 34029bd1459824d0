# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._fields import EngineError, HostError
from ansible_collections.multihome.extrude.plugins.module_utils._storage import SiteFiles, write


def store(files: SiteFiles, customer: str, sites: dict[str, Any]) -> None:
    with files.storing({customer: sites}):
        pass


def load(folder: Path) -> tuple[list[Any], list[str]]:
    files = SiteFiles(folder, "list of things")
    return files.load(lambda item, _where: item), files.warnings


def damage(path: Path) -> list[bytes]:
    whole = path.read_bytes()
    return [b"", whole[: len(whole) // 2], b"\0" * len(whole), b"{}", b"[]", b'{"schema": 2, "sites": {}}', b"\xff\xfe"]


def test_a_file_that_cannot_be_understood_is_named_and_its_copy_used(tmp_path: Path) -> None:
    store(SiteFiles(tmp_path, "list of things"), "acme", {"office": {"x": 1}, "barn": {"x": 2}})
    for text in damage(tmp_path / "acme.json"):
        (tmp_path / "acme.json").write_bytes(text)
        found, warnings = load(tmp_path)
        assert found == [{"x": 2}, {"x": 1}]
        (warning,) = warnings
        assert warning.startswith(
            f"{tmp_path}/acme.json is no list of things, so its copy acme.json.last-good is used: "
        )


def test_where_the_copy_cannot_be_understood_either_it_is_an_error(tmp_path: Path) -> None:
    store(SiteFiles(tmp_path, "list of things"), "acme", {"office": {"x": 1}})
    for name in ("acme.json", "acme.json.last-good"):
        (tmp_path / name).write_text("{")
    with pytest.raises(EngineError, match=r"acme\.json is no list of things, mend it or remove it: Expecting"):
        load(tmp_path)


def test_a_file_of_a_newer_version_is_not_to_be_mended(tmp_path: Path) -> None:
    for name in ("acme.json", "acme.json.last-good"):
        (tmp_path / name).write_text('{"schema": 2, "sites": {}}')
    said = r"acme\.json is no list of things, run the collection that wrote it: schema: 2 is newer than this version"
    with pytest.raises(EngineError, match=said):
        load(tmp_path)


def test_a_patient_caller_goes_without_what_cannot_be_understood(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path, "list of things", patient=True)
    store(files, "acme", {"office": {"x": 1}})
    store(files, "zeta", {"barn": {"x": 2}})
    for name in ("acme.json", "acme.json.last-good"):
        (tmp_path / name).write_text("[" * 100_000)
    (tmp_path / "note.json").write_text("")
    for _turn in range(2):
        assert files.load(lambda item, _where: item) == [{"x": 2}]
    assert files.warnings == []
    assert [text.partition(" is no list of things, mend it or remove it: ")[0] for text in files.lost] == [
        f"{tmp_path}/acme.json",
        f"{tmp_path}/note.json",
    ]


def test_the_next_write_mends_both(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path, "list of things")
    store(files, "acme", {"office": {"x": 1}})
    for name in ("acme.json", "acme.json.last-good"):
        (tmp_path / name).write_text("{")
    store(files, "acme", {"office": {"x": 3}})
    assert load(tmp_path) == ([{"x": 3}], [])
    assert (tmp_path / "acme.json.last-good").read_bytes() == (tmp_path / "acme.json").read_bytes()


def test_a_file_without_sites_goes_with_its_copy(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path, "list of things")
    store(files, "acme", {"office": {}})
    store(files, "zeta", {"barn": {}})
    store(files, "acme", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zeta.json", "zeta.json.last-good"]


def test_a_link_to_elsewhere_that_somebody_put_into_the_folder_is_not_followed(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "acme.json", tmp_path / "elsewhere"
    (tmp_path / ".acme.json.new").symlink_to(elsewhere)
    write(path, "text")
    assert (path.read_text(), path.is_symlink(), elsewhere.exists()) == ("text", False, False)


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write(path, "old")
    with path.open() as reader:
        write(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert [item.name for item in path.parent.iterdir()] == ["file"]


def full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("second", [{}, {"barn": {"x": 3}}])
def test_what_cannot_all_be_written_is_told_before_the_body_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: dict[str, Any]
) -> None:
    files = SiteFiles(tmp_path, "list of things")
    store(files, "acme", {"office": {"x": 1}})
    store(files, "zeta", {"barn": {"x": 2}})
    before = contents(tmp_path)
    begun = []
    (tmp_path / ".zeta.json.new").mkdir()
    with (
        pytest.raises(HostError, match=rf"^cannot write {tmp_path}/zeta\.json: Is a directory$"),
        files.storing({"acme": {"office": {"x": 7}}, "zeta": second}),
    ):
        begun.append(True)
    (tmp_path / ".zeta.json.new").rmdir()
    monkeypatch.setattr("os.fsync", full)
    with (
        pytest.raises(HostError, match=rf"^cannot write {tmp_path}/acme\.json: No space left on device$"),
        files.storing({"acme": {"office": {"x": 7}}, "zeta": second}),
    ):
        begun.append(True)
    assert not begun
    assert contents(tmp_path) == before


def test_a_body_that_fails_leaves_the_files(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path, "list of things")
    store(files, "acme", {"office": {"x": 1}})
    before = contents(tmp_path)
    with pytest.raises(ZeroDivisionError), files.storing({"acme": {}, "zeta": {"barn": {}}}):
        raise ZeroDivisionError
    assert contents(tmp_path) == before


def test_a_single_file_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", "new")
    assert contents(tmp_path) == {}


def test_while_the_disk_is_full_files_go_to_the_spare_folder_and_count_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, memory = tmp_path / "disk", tmp_path / "memory"
    files = SiteFiles(disk, "list of things", memory)
    for customer, number in (("acme", 1), ("zeta", 2)):
        store(files, customer, {"office": {"x": number}})
    before = contents(disk)

    def full_disk(descriptor: int) -> None:
        if disk in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            full(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_disk)
        store(files, "acme", {"office": {"x": 7}})
        store(files, "zeta", {})
    assert contents(disk) == before
    (warning, *_others) = files.warnings
    assert (
        warning
        == f"cannot write {disk}/acme.json: No space left on device; it is kept in {memory} until that can be written"
    )
    again = SiteFiles(disk, "list of things", memory)
    assert again.load(lambda item, _where: item) == [{"x": 7}]
    assert again.load(lambda item, _where: item, ["zeta"]) == []
    assert again.spared() == {"acme", "zeta"}
    store(again, "acme", {"office": {"x": 8}})
    store(again, "zeta", {})
    assert (again.spared(), contents(memory)) == (set(), {})
    assert load(disk) == ([{"x": 8}], [])


def test_another_trouble_than_a_full_disk_is_an_error_even_with_a_spare_folder(tmp_path: Path) -> None:
    files = SiteFiles(tmp_path / "disk", "list of things", tmp_path / "memory")
    (tmp_path / "disk" / ".acme.json.new").mkdir(parents=True)
    with pytest.raises(HostError, match="Is a directory"):
        store(files, "acme", {"office": {"x": 1}})
    assert files.spared() == set()


def test_of_several_that_write_a_file_at_once_each_writes_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "run" / "dsl"
    texts = [letter * 1000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(texts)) as pool:
        for _turn in range(20):
            list(pool.map(lambda text: write(path, text, sync=False), texts))
            assert path.read_text(encoding="ascii") in texts
    assert list(path.parent.iterdir()) == [path]
