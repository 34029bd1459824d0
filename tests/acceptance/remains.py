# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host holds, to tell whether a teardown has left anything: beside what docs/teardown.md says that stays."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.acceptance import snapshot
from tests.lab.lab import Lab

_FILES = r"""
passing='^/(proc|sys|run|tmp|var/(log|cache|tmp|lib/(apt|dpkg|systemd)))'
find / -xdev -type f -o -xdev -type d -o -xdev -type l | grep -Ev "$passing" >/tmp/there
cat /var/lib/dpkg/info/*.list | sed -E 's,^/(bin|sbin|lib)/,/usr/\1/,' | sort -u >/tmp/packaged
sort -u /tmp/there | comm -23 - /tmp/packaged
rm /tmp/there /tmp/packaged
"""
_RUN = r"""
find / -xdev -iname '*extrude*' -not -path '/var/log/*' -not -path '/proc/*' -not -path '/sys/*'
find /run -iname '*extrude*'
grep -ril extrude /etc
getent passwd extrude extrude-bird; getent group extrude extrude-bird
systemctl list-units --all --plain --no-legend | grep -i extrude
swanctl --list-conns 2>/dev/null | grep -E '^ex'; swanctl --list-sas 2>/dev/null | grep -E '^ex'
ps -eo args | grep -E '^(\S*/)?(bird -f|extrude|python3 \S*extrude)'
true
"""
"""What is of the collection by its name, and has none before."""
_ALL = """
ip -d link; ip address; ip rule; ip neigh show proxy
for table in 4200 4217 4218 4219; do ip route show table $table; done
iptables-save; swanctl --list-conns; getent passwd
find /etc /var/lib/extrude | grep -v /ssl/
cat /etc/extrude/*.json /var/lib/extrude/*.json /etc/extrude/*/* /etc/swanctl/conf.d/*
true
"""
_FIXED = re.compile(r"\b(gre|gretap|erspan|ifb|tunl|ip_vti|sit)[0-9]\b")
"""Devices that come with modules of the kernel."""
_OF_OTHERS = re.compile(r"^220:\tfrom all lookup 220")
"""What strongSwan makes when it runs, as it goes on to."""
_SETTINGS = re.compile(r"^net\.ipv[46]\.")
_STAYS = re.compile(
    r"^/(usr/lib/python3/dist-packages/.*__pycache__|etc/(rc\d\.d|bird|apparmor\.d/local)/|var/lib/ucf/"
    r"|etc/systemd/system/(multi-user\.target\.wants/)?strongswan|root/\.ansible|etc/(passwd|group|g?shadow)-$)"
)
"""Files that scripts of packages, Ansible and useradd(8) make."""
_EMPTY = re.compile(r"^(\*|:(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) |COMMIT|$)")
"""Of tables without rules, which stay when they were used."""


@dataclass(frozen=True)
class Host:
    """The kernel's objects, files that are of no package, and what has the name of the collection."""

    kernel: frozenset[str]
    files: frozenset[str]
    named: frozenset[str]


def take(lab: Lab, host: str) -> Host:
    """Look at all of it."""
    return Host(kernel(lab, host), frozenset(_lines(lab, host, _FILES)), frozenset(_lines(lab, host, _RUN)))


def kernel(lab: Lab, host: str) -> frozenset[str]:
    """The kernel's objects, whatever their numbers are and whichever settings they came with."""
    lines, known = [], ""
    for line in snapshot.take(lab, host).splitlines():
        if re.match(r"\d+: ", line):
            known = line
        if line.startswith("/"):  # files come below
            continue
        if not (
            _FIXED.search(line)
            or (line.startswith(" ") and _FIXED.search(known))
            or _SETTINGS.match(line)
            or _OF_OTHERS.match(line)
        ):
            lines.append(re.sub(r"^\d+: ", "", line))
    return frozenset(line for line in lines if not _EMPTY.match(line))


def difference(before: Host, after: Host) -> list[str]:
    """What came and has not gone, and what is gone."""
    return [
        *(f"+ {line}" for line in sorted(after.kernel - before.kernel)),
        *(f"- {line}" for line in sorted(before.kernel - after.kernel)),
        *(f"+ {line}" for line in sorted(after.files - before.files)),
        *(f"- {line}" for line in sorted(before.files - after.files)),
        *(f"named: {line}" for line in sorted(after.named)),
    ]


def of(lab: Lab, host: str, pattern: str) -> list[str]:
    """All lines of what a host holds that match, in a stable order."""
    found = lab.exec(host, ["sh", "-c", f"({_ALL}) 2>/dev/null"]).stdout
    lines = [re.sub(r"\[\d+:\d+\]", "", line) for line in found.splitlines()]
    return sorted(line for line in lines if re.search(pattern, line))


def _lines(lab: Lab, host: str, script: str) -> list[str]:
    lines = lab.exec(host, ["sh", "-c", script], timeout=120, check=False).stdout.splitlines()
    return [line for line in lines if not _STAYS.search(line)]
