# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in a scratch namespace, and what its kernel holds as other programs tell it."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import (
    _dnsmasq,
    _duplicate,
    _files,
    _ipset,
    _strongswan,
    _wire,
)
from ansible_collections.multihome.extrude.plugins.module_utils._model import FOLDER
from tests.unit.netns import Netns, ip, output, scratch


@contextmanager
def host() -> Iterator[Netns]:
    """A namespace, entered, with the devices a0 (10.1.0.1/24) and b0 (10.2.0.1/24) and things of its administrator.

    It has no neighbours, so it does not listen for any as long as it would elsewhere. Requests that do not say
    where files stand have a scratch folder for them, which is made with the first file.
    """
    with (
        scratch() as namespace,
        namespace.entered(),
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as scratches,
    ):
        patch.setattr(_duplicate, "PAUSES", (0, 0))
        folder, real = Path(scratches, "extrude"), _files.Folder
        folders = {
            FOLDER: folder,
            str(_strongswan.FOLDER): Path(scratches, "swanctl"),
            str(_dnsmasq.FOLDER): Path(scratches, "dnsmasq"),
        }

        def scratch_folder(path: str | Path = FOLDER, *more: Any, **named: Any) -> _files.Folder:
            return real(folders.get(str(path), path), *more, **named)

        patch.setattr(_files, "Folder", scratch_folder)
        patch.setattr(_strongswan, "installed", lambda: True)
        patch.setattr(_dnsmasq, "installed", lambda: True)
        patch.setattr(_dnsmasq, "runs", lambda: False)
        patch.setattr(_wire, "DUMMY", dummy_kind())
        output("sysctl", "-q", "net.ipv6.conf.default.addr_gen_mode=1")
        ip(
            "link add a0 type veth peer name b0",
            "link set a0 addrgenmode none",
            "link set b0 addrgenmode none",
            "link set a0 up",
            "link set b0 up",
            "addr add 10.1.0.1/24 dev a0",
            "addr add 10.2.0.1/24 dev b0",
            "addr add 2001:db8:ffff::1/64 dev a0 nodad",
            "route add 198.51.100.0/24 via 10.1.0.7 proto static",
            "route add 192.0.2.128/25 dev b0 table 77 proto 12",
            "rule add priority 5210 lookup 52 protocol 4",
            "neigh add proxy 192.0.2.77 dev b0",
        )
        ip6("rule add priority 5210 lookup 52 protocol 4")
        yield namespace


@cache
def dummy_kind() -> str:
    """A kind of devices that the kernel has and that send nothing anywhere."""
    for kind in ("dummy", "ifb"):
        with scratch() as namespace, namespace.entered():
            if subprocess.run(["ip", "link", "add", "type", kind], capture_output=True, check=False).returncode == 0:
                return kind
    raise NotImplementedError("these tests need a kernel with devices of the kind dummy or ifb")


def ip6(*lines: str) -> None:
    """Run each line with ``ip -6``, in the namespace that the caller is in."""
    for line in lines:
        output("ip", "-6", *line.split())


def snapshot() -> dict[str, Any]:
    """Everything that the engine writes, but for the order in which the kernel lists it."""
    return {
        "links": _sorted([_link(link) for link in _json("link")]),
        "addresses": sorted(
            (link["ifname"], json.dumps(_without([address], "secondary")[0], sort_keys=True))
            for link in _json("addr")
            for address in link["addr_info"]
        ),
        # those of IPv6 that the kernel itself makes follow their address a little later
        "routes": _sorted(
            [
                route
                for family in ("-4", "-6")
                for route in _json(family, "route", "show", "table", "all")
                if route.get("protocol") != "kernel"
            ]
        ),
        "rules": _sorted(_json("-4", "rule") + _json("-6", "rule")),
        "proxies": _sorted(_json("neigh", "show", "proxy") + _json("-6", "neigh", "show", "proxy")),
        "chains": [line for program in ("iptables-save", "ip6tables-save") for line in _rules(output(program))],
        "sysctls": {
            str(path): path.read_text() for pattern in _SYSCTLS for path in Path("/proc/sys/net").glob(pattern)
        },
        "sets": _ipset.parse(output("ipset", "list", "-t")),
        "files": {
            path: path.is_file() and path.read_text()
            for folder in (files(), connections(), resolvers())
            for path in folder.rglob("*.conf")
        },
    }


def files() -> Path:
    """The folder of the files of requests that name no other."""
    return _files.Folder()._folder


def connections() -> Path:
    """The folder of strongSwan's connections."""
    return _files.Folder(_strongswan.FOLDER)._folder


def resolvers() -> Path:
    """The folder of dnsmasq's files."""
    return _files.Folder(_dnsmasq.FOLDER)._folder


_SYSCTLS = ("ipv4/conf/*/*", "ipv6/conf/*/proxy_ndp", "ipv4/neigh/*/proxy_delay", "ipv4/ip_forward")


def _json(*words: str) -> list[Any]:
    return list(json.loads(output("ip", "-j", "-d", *words) or "[]"))


def _link(link: dict[str, Any]) -> dict[str, Any]:
    """Without what a dummy that was made anew has anew."""
    is_dummy = link.get("linkinfo", {}).get("info_kind") == dummy_kind()
    (kept,) = _without([link], "stats64", *(("ifindex", "address") if is_dummy else ()))
    return dict(kept)


def _without(items: list[Any], *names: str) -> list[Any]:
    return [{name: value for name, value in item.items() if name not in names} for item in items]


def _sorted(items: list[Any]) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True) for item in items)


def _rules(text: str) -> list[str]:
    """Without the lines that come up by looking at a table, and with the jumps to our chains in one order."""
    lines = [re.sub(r" \[\d+:\d+\]", "", line) for line in text.splitlines()]
    lines = [line for line in lines if not re.match(r"[#*]|COMMIT|:[A-Z]+ ACCEPT", line)]
    return sorted(lines, key=lambda line: line if re.fullmatch(r"-A [A-Z]+ -j EXTRUDE-.*", line) else "")
