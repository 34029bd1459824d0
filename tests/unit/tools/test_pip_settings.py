# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that ansible-test's own pip gets."""

from __future__ import annotations

import pytest

from tools.pip_settings import settings


def test_files_and_environment_become_one_file() -> None:
    listing = "global.timeout='5'\ninstall.find-links='/one\\n/two'"
    config = settings(listing, {})
    assert {name: dict(config[name]) for name in config.sections()} == {
        "global": {"timeout": "5"},
        "install": {"find-links": "/one\n/two"},
    }


def test_the_environment_wins_over_files() -> None:
    config = settings(":env:.index-url='https://env.example'\nglobal.index-url='https://file.example'", {})
    assert config["global"]["index-url"] == "https://env.example"


def test_the_name_of_the_file_itself_is_left_out() -> None:
    assert "config-file" not in settings(":env:.config-file='/etc/other.conf'", {})["global"]


@pytest.mark.parametrize(("name", "variable"), [("cert", "REQUESTS_CA_BUNDLE"), ("proxy", "https_proxy")])
def test_variables_of_other_programs_count_where_pip_has_none(name: str, variable: str) -> None:
    assert settings("", {variable: "other"})["global"][name] == "other"
    assert settings(f"global.{name}='own'", {variable: "other"})["global"][name] == "own"
