# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from ansible_collections.multihome.extrude.plugins.module_utils import _learned
from ansible_collections.multihome.extrude.plugins.plugin_utils import _endpoint

ROLE = Path(__file__).parents[3] / "roles" / "endpoint"
FILES = ROLE / "files"


def test_every_file_of_the_role_is_installed() -> None:
    listed = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__endpoint_files"]
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    copied = {task["ansible.builtin.copy"]["src"] for task in tasks if "ansible.builtin.copy" in task}
    assert copied | {item["content"].split("'")[3] for item in listed} == {path.name for path in FILES.iterdir()}


def test_the_news_that_the_unit_waits_for_are_those_that_are_written() -> None:
    news = f"{_learned.ENDPOINTS}/{_learned.NEWS}"
    assert f"PathExists={news}\n" in (FILES / "extrude-endpoints.path").read_text()
    service = (FILES / "extrude-endpoints.service").read_text()
    forgotten, applied = f"ExecStart=/bin/sh -c 'rm -f {news} ", "ExecStart=/usr/sbin/extrude endpoint apply"
    assert service.index(forgotten) < service.index(applied)
    (user,) = [
        task["ansible.builtin.user"]
        for task in yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
        if "ansible.builtin.user" in task
    ]
    assert user["home"] == _learned.ENDPOINTS
    assert f"User {user['name']}\n" in _endpoint.CONFIG


def test_only_news_that_cannot_be_removed_delay_those_that_come_meanwhile(tmp_path: Path) -> None:
    service = (FILES / "extrude-endpoints.service").read_text()
    (forget,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", service, re.MULTILINE)
    assert "ExecStopPost" not in service, "what is reported during a run is applied by the next, at once"
    news = tmp_path / "news"
    news.touch()
    script = forget.replace(f"{_learned.ENDPOINTS}/{_learned.NEWS}", str(news)).replace("sleep", "echo sleeps")
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == ""
    assert not news.exists()
    news.mkdir()  # which rm does not remove, like a file on a disk that cannot be written
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == "sleeps 10\n"


def test_sshd_is_told_of_that_user_only() -> None:
    lines = (FILES / "sshd.conf").read_text().splitlines()
    settings = [line for line in lines if not line.startswith("#")]
    assert settings[0] == "Match User extrude"
    assert all(re.match(r"    \S+ \S", line) for line in settings[1:])
