# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from tests.lab import image
from tests.lab.common import LabError, words

LISTING = """\
http://mirror.example/debian/|bookworm|main
http://mirror.example/debian/|bookworm|contrib
http://mirror.example/debian/|bookworm-updates|main
http://mirror.example/security/|bookworm-security|main
http://mirror.example/debian/|bookworm-backports|main
http://mirror.example/debian/|trixie|main
"""


def test_sources_are_the_releases_own() -> None:
    assert image.apt_sources(LISTING) == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
        "deb http://mirror.example/security/ bookworm-security main",
    ]


def test_proxies_are_taken_over_and_nothing_else() -> None:
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128/";\nAcquire::https::Proxy "";\n'
        'Acquire::Languages "none";\nAPT::Install-Recommends "1";\nAcquire::Retries "3";\n'
    )
    assert image.apt_options(dump) == ['Acquire::http::Proxy "http://proxy.example:3128/";', 'Acquire::Retries "3";']


def test_key_follows_names_and_contents() -> None:
    key = image.image_key({"a": b"1", "b": b"2"})
    assert key == image.image_key({"b": b"2", "a": b"1"})
    assert key != image.image_key({"a": b"1", "b": b"3"})
    assert key != image.image_key({"a": b"12", "b": b""})


def test_recipe_covers_package_lists_and_scripts() -> None:
    parts = image.recipe_parts(Path("/usr/lib/uml/modules/6.1"))
    assert {"packages.txt", "repository.txt", "customize.sh", "init", "uml", "release"} <= set(parts)


def test_bare_hosts_lack_what_the_roles_install() -> None:
    installed = set(words(image.RECIPE / "packages.txt"))
    installable = set(words(image.RECIPE / "repository.txt"))
    assert "python3-pyroute2" in installable
    assert not installed & installable


def test_command_line_of_mmdebstrap() -> None:
    command = image.mmdebstrap_command(["deb x bookworm main"], ["o"], ["systemd", "sudo"], "hook", Path("/out"))
    assert command[0] == "mmdebstrap"
    assert "--include=systemd,sudo" in command
    assert "--aptopt=o" in command
    assert command[-3:] == ["bookworm", "/out", "deb x bookworm main"]


def test_kernel_is_found_behind_its_unpacker() -> None:
    packed = b"MZ unpacker \xfd7zXZ\x00 not this one" + lzma.compress(b"\x7fELF kernel") + b"rest"
    assert image.unpack_kernel(packed) == b"\x7fELF kernel"


def test_unknown_packing_is_an_error() -> None:
    with pytest.raises(LabError, match="packed in a way"):
        image.unpack_kernel(b"MZ")
