# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from pathlib import Path

from tests.lab import sshconfig
from tests.lab.sshconfig import Endpoint


def test_what_ssh_makes_of_the_file(tmp_path: Path) -> None:
    proxy = "nsenter --net=/proc/7/ns/net busybox nc %h %p"
    endpoints = {"colo": Endpoint("127.0.0.1", 40001), "office": Endpoint("10.0.2.12", proxy=proxy)}
    folder = tmp_path / "a folder 100%"
    config = tmp_path / "ssh_config"
    config.write_text(sshconfig.ssh_config(endpoints, folder, folder / "ssh"), encoding="utf-8")
    settings = {}
    for host in endpoints:
        printed = subprocess.run(["ssh", "-G", "-F", config, host], capture_output=True, text=True, check=True).stdout
        settings[host] = dict(line.split(" ", 1) for line in printed.splitlines())
    assert settings["colo"]["hostname"] == "127.0.0.1"
    assert settings["colo"]["port"] == "40001"
    assert "proxycommand" not in settings["colo"]
    assert settings["office"]["proxycommand"] == proxy
    for host, values in settings.items():
        assert values["user"] == "root"
        assert values["controlpath"] == str(folder / "ssh" / host)
        assert values["serveraliveinterval"] == "2"
        assert values["stricthostkeychecking"] == "true"


def test_no_file_of_the_user_is_read(tmp_path: Path) -> None:
    text = sshconfig.ssh_config({"colo": Endpoint("127.0.0.1")}, tmp_path, tmp_path)
    assert f'UserKnownHostsFile "{tmp_path}/known_hosts"' in text
    assert "GlobalKnownHostsFile /dev/null" in text
    assert "IdentitiesOnly yes" in text


def test_known_hosts_names_the_alias_of_all_hosts() -> None:
    assert sshconfig.known_hosts("ssh-ed25519 AAAA lab\n") == "extrude-lab ssh-ed25519 AAAA\n"
