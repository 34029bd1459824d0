# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils._model import EngineError
from ansible_collections.multihome.extrude.plugins.module_utils._sysctl import read, write
from tests.unit.netns import ip, scratch


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A stand-in for /proc/sys, with a file beside it that must stay out of reach."""
    (tmp_path / "secret").write_text("secret\n")
    folder = tmp_path / "sys" / "net" / "ipv4"
    folder.mkdir(parents=True)
    (folder / "ip_forward").write_text("0\n")
    (folder / "tcp_rmem").write_text("4096\t131072\t6291456\n")
    return tmp_path / "sys"


def test_values_come_with_single_spaces(root: Path) -> None:
    assert read(["net/ipv4/ip_forward", "net/ipv4/tcp_rmem"], root) == {
        "net/ipv4/ip_forward": "0",
        "net/ipv4/tcp_rmem": "4096 131072 6291456",
    }


@pytest.mark.parametrize("name", ["net/ipv4/none", "net/ipv7/conf", "net/ipv4/ip_forward/below"])
def test_what_the_kernel_lacks_is_none_to_read_and_an_error_to_write(root: Path, name: str) -> None:
    assert read([name], root) == {name: None}
    with pytest.raises(EngineError, match=f"sysctl {name} cannot be set to '1': .* none of that name"):
        write(name, "1", root)
    assert not (root / "net/ipv4/none").exists()


def test_a_value_replaces_the_whole_of_the_old_one(root: Path) -> None:
    write("net/ipv4/tcp_rmem", "1 2 3", root)
    assert read(["net/ipv4/tcp_rmem"], root) == {"net/ipv4/tcp_rmem": "1 2 3"}


@pytest.mark.parametrize(
    "name", ["../secret", "net/../../secret", "/etc/passwd", "net//ipv4", "net/./ipv4", "", "net/ipv4/", "net\0/x"]
)
def test_names_that_lead_elsewhere_are_refused(root: Path, name: str) -> None:
    for attempt in (lambda: read([name], root), lambda: write(name, "1", root)):
        with pytest.raises(EngineError, match="is no name of a sysctl"):
            attempt()


def test_a_folder_of_settings_is_no_setting(root: Path) -> None:
    with pytest.raises(EngineError, match="cannot be read: that is a folder"):
        read(["net/ipv4"], root)
    with pytest.raises(EngineError, match="cannot be set to '1': that is a folder"):
        write("net/ipv4", "1", root)


def test_a_device_name_may_hold_a_dot() -> None:
    with scratch() as namespace, namespace.entered():
        ip("link add eth0.100 type veth peer peer0")
        name = "net/ipv4/conf/eth0.100/proxy_arp"
        assert read([name]) == {name: "0"}
        write(name, "1")
        assert read([name]) == {name: "1"}


def test_the_kernel_refuses_what_it_does_not_understand() -> None:
    with scratch() as namespace, namespace.entered():
        with pytest.raises(EngineError, match="net/ipv4/ip_forward cannot be set to 'maybe': the kernel refuses"):
            write("net/ipv4/ip_forward", "maybe")
        # nobody may write this one, root neither
        with pytest.raises(EngineError, match=r"net/ipv4/tcp_available_congestion_control .* no permission"):
            write("net/ipv4/tcp_available_congestion_control", "reno")
        # and nobody may read this one
        write("net/ipv4/route/flush", "1")
        with pytest.raises(EngineError, match="net/ipv4/route/flush cannot be read: no permission"):
            read(["net/ipv4/route/flush"])
