# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each hook runs, in the surroundings that its program gives it (measured on Debian 12)."""

from __future__ import annotations

import subprocess
from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from ansible_collections.multihome.extrude.plugins.module_utils import _liveness, _needs

ROLE = Path(__file__).parents[3] / "roles" / "host"
HOOKS = ROLE / "files" / "hooks"
PPP = {"PPP_IFACE": "ppp0", "PPP_IPPARAM": "isp", "LINKNAME": "dsl"}
LEASE = {"interface": "eth1", "new_ip_address": "198.51.100.7", "new_routers": "198.51.100.1 198.51.100.3"}
NM = {"CONNECTION_ID": "office dsl", "DEVICE_IP_IFACE": "ppp0"}


def called(tmp_path: Path, name: str, arguments: list[str], environment: dict[str, str]) -> list[list[str]]:
    """The commands that a hook runs, word by word, when it is sourced as dhclient-script does, or run with `sh`."""
    log = tmp_path / "log"
    recorder = tmp_path / "run"
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" | sed "s/ --/\\t--/g" >>{log}\n')
    recorder.chmod(0o755)
    script = tmp_path / "script"
    script.write_text((HOOKS / name).read_text().replace("/usr/lib/extrude/run", str(recorder)))
    environment = {"PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run(
        ["sh", str(script), *arguments] if name != "dhclient" else ["sh", "-c", f'. "{script}"; echo goes on'],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert name != "dhclient" or done.stdout == "goes on\n"
    return [line.split("\t") for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize(
    ("name", "arguments", "environment", "command"),
    [
        ("ppp-up", [], PPP, ["wan up ppp0", "--match=isp", "--match=dsl"]),
        ("ppp-up", [], {**PPP, "LINKNAME": ""}, ["wan up ppp0", "--match=isp", "--match="]),
        ("ppp-up", [], {"PPP_IFACE": "ppp0", "PPP_IPPARAM": ""}, ["wan up ppp0", "--match=", "--match="]),
        ("ppp-down", [], {"PPP_IFACE": "ppp0", "PPP_IPPARAM": "isp"}, ["wan down ppp0", "--match=isp", "--match="]),
        ("dhclient", [], {**LEASE, "reason": "BOUND"}, ["wan up eth1", "--gateway=198.51.100.1"]),
        ("dhclient", [], {**LEASE, "reason": "REBOOT"}, ["wan up eth1", "--gateway=198.51.100.1"]),
        (
            "dhclient",
            [],
            {**LEASE, "reason": "RENEW", "old_ip_address": "198.51.100.9", "old_routers": LEASE["new_routers"]},
            ["wan up eth1", "--gateway=198.51.100.1"],
        ),
        ("dhclient", [], {"interface": "eth1", "reason": "EXPIRE"}, ["wan down eth1"]),
        ("dhclient", [], {"interface": "eth1", "reason": "BOUND"}, ["wan up eth1", "--gateway="]),
        (
            "networkmanager",
            ["ppp0", "up"],
            {**NM, "IP4_GATEWAY": "192.0.2.1"},
            ["wan up ppp0", "--match=office dsl", "--gateway=192.0.2.1"],
        ),
        (
            "networkmanager",
            ["eth1", "dhcp4-change"],
            {"CONNECTION_ID": "cable", "DHCP4_ROUTERS": "198.51.100.1 198.51.100.3", "IP4_GATEWAY": "0.0.0.0"},
            ["wan up eth1", "--match=cable", "--gateway=198.51.100.1"],
        ),
        ("networkmanager", ["dsl0", "down"], NM, ["wan down ppp0"]),
        ("networkd-dispatcher", [], {"IFACE": "eth1", "OperationalState": "routable"}, ["wan up eth1"]),
        ("networkd-dispatcher", [], {"IFACE": "eth1", "OperationalState": "off"}, ["wan down eth1"]),
        ("ifupdown-up", [], {"IFACE": "eth1"}, ["wan up eth1"]),
        ("ifupdown-down", [], {"IFACE": "eth1"}, ["wan down eth1"]),
    ],
)
def test_a_hook_says_what_its_program_knows(
    tmp_path: Path, name: str, arguments: list[str], environment: dict[str, str], command: list[str]
) -> None:
    assert called(tmp_path, name, arguments, environment) == [command]


@pytest.mark.parametrize(
    ("name", "arguments", "environment"),
    [
        ("dhclient", [], {**LEASE, "reason": "PREINIT"}),
        (
            "dhclient",
            [],
            {
                **LEASE,
                "reason": "RENEW",
                "old_ip_address": LEASE["new_ip_address"],
                "old_routers": LEASE["new_routers"],
            },
        ),
        ("networkmanager", ["eth1", "pre-up"], NM),
        ("networkmanager", ["none", "hostname"], {}),
        ("ifupdown-up", [], {"IFACE": "--all"}),
    ],
)
def test_what_changes_nothing_runs_nothing(
    tmp_path: Path, name: str, arguments: list[str], environment: dict[str, str]
) -> None:
    assert called(tmp_path, name, arguments, environment) == []


def test_every_unit_that_the_role_starts_is_looked_after_and_installed() -> None:
    first, other, at_boot = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__host_units"]
    assert {first, other, at_boot} == {*_needs.UNITS} - {_liveness.UNIT}
    brings = (ROLE / "files" / "units" / first).read_text()
    assert f"\nWants={other}\n" in brings
    assert f"\nAlso={at_boot} {other}\n" in brings
    assert "\nRestart" not in (ROLE / "files" / "units" / "extrude.service").read_text(), "the timer tries again"


def test_every_file_of_the_role_is_installed_under_a_name_that_run_parts_takes() -> None:
    listed = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__host_files"]
    sources = {item["content"].split("'")[3] for item in listed}
    assert sources == {str(path.relative_to(ROLE / "files")) for path in (ROLE / "files").rglob("*") if path.is_file()}
    hooks = [item for item in listed if "'hooks/" in item["content"]]
    assert all("." not in Path(item["path"]).name and item["mode"] == "0755" for item in hooks)


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ("ex-dsl", "gre"),
        ("ex1-dsl", "gre"),
        ("extrude0", "dummy"),
        ("ifb-dsl", "ifb"),
        ("exu-acme", "ifb"),
        ("exd-acme", "ifb"),
    ],
)
def test_networkd_leaves_our_devices_alone(device: str, kind: str) -> None:
    unit = ConfigParser()
    unit.read(ROLE / "files" / "networkd" / "05-extrude.network")
    assert any(fnmatch(device, name) for name in unit["Match"]["Name"].split())
    assert kind in unit["Match"]["Kind"].split()
