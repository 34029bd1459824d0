# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _liveness
from ansible_collections.multihome.extrude.plugins.module_utils._files import UNTOLD, Change, Folder, Unwritable
from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError, File

MAIN, PART = File("bird.conf", "router id 192.0.2.1;\n"), File("bird.d/acme.office.conf", "# büro\n")
PATHS = [MAIN.path, PART.path]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    folders: list[Path] = []
    monkeypatch.setattr(_liveness, "reload", folders.append)
    return folders


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "extrude"


def names(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


def test_what_is_not_there_is_not_read(path: Path) -> None:
    assert Folder(path).read(PATHS) == {}
    assert not path.exists()


def test_files_are_written_read_and_told_of_once(path: Path, told: list[Path]) -> None:
    Folder(path).apply([(None, MAIN), (None, PART)])
    assert Folder(path).read(PATHS) == {MAIN.place: MAIN, PART.place: PART}
    assert Folder(path).read([MAIN.path]) == {MAIN.place: MAIN}
    assert told == [path]
    assert names(path) == ["bird.conf", "bird.d", "bird.d/acme.office.conf"]


def test_everybody_may_read_them_whatever_the_mask_of_the_run(path: Path, told: list[Path]) -> None:
    former = os.umask(0o077)
    try:
        Folder(path).apply([(None, PART)])
    finally:
        os.umask(former)
    modes = [stat.S_IMODE(place.stat().st_mode) for place in (path, path / "bird.d", path / PART.path)]
    assert modes == [0o755, 0o755, 0o644]


def test_files_may_be_for_root_alone(path: Path, told: list[Path]) -> None:
    former = os.umask(0)
    try:
        folder = Folder(path, mode=0o600)
        folder.apply([(None, MAIN)])
        folder.apply([(MAIN, File(MAIN.path, "more\n"))])
    finally:
        os.umask(former)
    assert stat.S_IMODE((path / MAIN.path).stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_file_that_is_open_to_others_is_written_anew(path: Path, told: list[Path]) -> None:
    secrets = Folder(path, mode=0o600)
    secrets.apply([(None, File("a.conf", "x"))])
    (path / "a.conf").chmod(0o644)
    (found,) = secrets.read(["a.conf"]).values()
    assert found != File("a.conf", "x")
    secrets.apply([(found, File("a.conf", "x"))])
    assert (path / "a.conf").stat().st_mode & 0o777 == 0o600
    assert secrets.read(["a.conf"]) == {("a.conf",): File("a.conf", "x")}


def test_a_folder_of_others_stays_when_ours_is_gone(path: Path, told: list[Path]) -> None:
    folder = Folder(path, shared=True)
    folder.apply([(None, MAIN), (None, PART)])
    folder.apply([(MAIN, None), (PART, None)])
    assert names(path) == ["bird.d"]


def test_who_reads_the_files_is_told_of_what_has_changed_and_of_what_is_put_back(path: Path, told: list[Path]) -> None:
    seen: list[list[Change]] = []

    def tell(changes: Sequence[Change]) -> None:
        seen.append(list(changes))
        if any(after and "nonsense" in after.content for _before, after in changes):
            raise EngineError("refused")

    folder, bad = Folder(path, tell), File(MAIN.path, "nonsense")
    folder.apply([(None, MAIN)])
    with pytest.raises(EngineError, match=r"^refused$"):
        folder.apply([(MAIN, bad), (None, PART)])
    assert seen == [[(None, MAIN)], [(MAIN, bad), (None, PART)], [(PART, None), (bad, MAIN)]]
    assert told == []


def test_two_kinds_in_one_folder_have_a_mark_each(path: Path) -> None:
    def refuse(_changes: Sequence[Change]) -> None:
        raise EngineError("refused")

    with pytest.raises(EngineError, match=r"^refused; and putting back"):
        Folder(path, refuse, shared=True, mark=".one").apply([(None, MAIN)])
    other = Folder(path, lambda _changes: None, shared=True, mark=".other")
    other.apply([(None, PART)])
    assert other.read([PART.path]) == {PART.place: PART}
    assert names(path) == [".one", "bird.d", "bird.d/acme.office.conf"]


def test_what_is_kept_comes_back_without_being_written(
    path: Path, told: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, second, third = Folder(path), File(PART.path, "# two\n"), File(PART.path, "# three\n")
    folder.apply([(None, PART)])
    changes: list[Change] = [(PART, second), (second, third), (third, None)]
    for change in changes:
        folder.keep(PART.path)
        folder.keep(PART.path)
        folder.apply([change])
    folder.keep(PART.path)
    assert folder.read(PATHS) == {}
    monkeypatch.setattr(Folder, "_fill", lambda _self, _path, content: pytest.fail("written") if content else None)
    monkeypatch.setattr(Folder, "_write", lambda *_arguments: None)  # the mark, which is empty
    for before, after in zip((None, second, PART), (second, PART, third), strict=True):
        folder.apply([(before, after)])
        assert folder.read(PATHS) == {PART.place: after}
    monkeypatch.undo()
    folder.forget()
    assert names(path) == ["bird.d", PART.path]
    folder.apply([(third, None)])
    assert not path.exists()


def test_what_was_kept_and_is_another_by_now_is_not_taken(path: Path, told: list[Path]) -> None:
    folder = Folder(path)
    folder.apply([(None, PART)])
    folder.keep(PART.path)
    (path / PART.path).write_text("by hand, in place")
    folder.apply([(None, PART)])
    assert folder.read(PATHS) == {PART.place: PART}


def test_a_full_disk_shows_before_the_first_file_is_replaced(
    path: Path, told: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(path)
    folder.apply([(None, MAIN), (None, PART)])
    inodes = [(path / name).stat().st_ino for name in PATHS]
    fill = Folder._fill

    def full(self: Folder, place: Path, content: bytes) -> None:
        fill(self, place, content[:3])
        if b"two" in content:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Folder, "_fill", full)
    with pytest.raises(Unwritable, match=r"^cannot write \S+acme\.office\.conf: No space left on device$"):
        folder.apply([(MAIN, File(MAIN.path, "one")), (PART, File(PART.path, "two"))])
    assert [(path / name).stat().st_ino for name in PATHS] == inodes
    assert names(path) == ["bird.conf", "bird.d", PART.path]


def test_the_last_file_takes_its_folders_along(path: Path, told: list[Path]) -> None:
    folder = Folder(path)
    folder.apply([(None, MAIN), (None, PART)])
    folder.apply([(PART, None)])
    assert names(path) == ["bird.conf"]
    folder.apply([(MAIN, None)])
    assert not path.exists()
    assert len(told) == 3


def test_a_folder_with_other_things_stays(path: Path, told: list[Path]) -> None:
    folder = Folder(path)
    folder.apply([(None, MAIN)])
    (path / "notes").touch()
    folder.apply([(MAIN, None)])
    assert names(path) == ["notes"]


def test_bytes_that_are_no_text_come_back_as_they_were(path: Path, told: list[Path]) -> None:
    path.mkdir(parents=True)
    (path / MAIN.path).write_bytes(b"\xff\r\n\0")
    folder = Folder(path)
    found = folder.read(PATHS)[MAIN.place]
    folder.apply([(found, MAIN)])
    folder.apply([(MAIN, found)])
    assert (path / MAIN.path).read_bytes() == b"\xff\r\n\0"


def test_a_link_is_replaced_and_what_it_led_to_stays(path: Path, tmp_path: Path, told: list[Path]) -> None:
    path.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("an administrator's")
    (path / MAIN.path).symlink_to(tmp_path / "elsewhere")
    Folder(path).apply([(File(MAIN.path, "an administrator's"), MAIN)])
    assert (tmp_path / "elsewhere").read_text() == "an administrator's"
    assert Folder(path).read(PATHS) == {MAIN.place: MAIN}


def test_files_that_the_daemon_refuses_are_put_back_and_told_of_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def reload(_folder: Path) -> None:
        seen.append((path / MAIN.path).read_text())
        if "nonsense" in seen[-1]:
            raise EngineError("refused")

    monkeypatch.setattr(_liveness, "reload", reload)
    folder, bad = Folder(path), File(MAIN.path, "nonsense")
    folder.apply([(None, MAIN)])
    with pytest.raises(EngineError, match=r"^refused$"):
        folder.apply([(MAIN, bad), (None, PART)])
    assert seen == [MAIN.content, "nonsense", MAIN.content]
    assert folder.read(PATHS) == {MAIN.place: MAIN}
    assert names(path) == ["bird.conf"]


def test_a_daemon_that_takes_nothing_is_told_of_all_files_next_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: Path) -> None:
        raise EngineError("refused")

    monkeypatch.setattr(_liveness, "reload", refuse)
    with pytest.raises(EngineError, match=r"^refused; and putting back the files .* failed too: refused$"):
        Folder(path).apply([(None, MAIN)])
    (path / PART.path).parent.mkdir()
    (path / PART.path).write_text(PART.content)
    assert Folder(path).read(PATHS) == {PART.place: File(PART.path, PART.content, UNTOLD)}


def test_what_a_run_that_was_cut_short_has_written_is_not_yet_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_liveness, "reload", die)
    monkeypatch.setattr(Folder, "_put_back", lambda *_args: None)
    with pytest.raises(KeyboardInterrupt):
        Folder(path).apply([(None, MAIN)])
    found = Folder(path).read(PATHS)
    assert found == {MAIN.place: File(MAIN.path, MAIN.content, UNTOLD)}
    told: list[Path] = []
    monkeypatch.setattr(_liveness, "reload", told.append)
    Folder(path).apply([(found[MAIN.place], MAIN)])
    assert told == [path]
    assert Folder(path).read(PATHS) == {MAIN.place: MAIN}


def test_files_that_cannot_be_read_or_written_are_named_and_nothing_is_left(path: Path, told: list[Path]) -> None:
    (path / "bird.conf").mkdir(parents=True)
    with pytest.raises(EngineError, match=rf"^cannot read {path}/bird\.conf: Is a directory$"):
        Folder(path).read(PATHS)
    (path / "bird.conf" / "x").touch()
    with pytest.raises(EngineError, match=rf"^cannot write {path}/bird\.conf: Is a directory$"):
        Folder(path).apply([(None, PART), (None, MAIN)])
    assert names(path) == ["bird.conf", "bird.conf/x"]
    path.parent.joinpath("file").touch()
    with pytest.raises(EngineError, match=r"^cannot write .*/file/\.untold: (Not a directory|File exists)$"):
        Folder(path.parent / "file").apply([(None, MAIN)])


def test_a_write_that_is_cut_short_leaves_the_old_file(
    path: Path, told: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(path)
    folder.apply([(None, MAIN)])
    sync = os.fsync

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size > len(MAIN.content):
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EngineError, match=r"bird\.conf: No space left on device$"):
        folder.apply([(MAIN, File(MAIN.path, MAIN.content * 2))])
    assert folder.read(PATHS) == {MAIN.place: MAIN}
    assert names(path) == ["bird.conf"]
