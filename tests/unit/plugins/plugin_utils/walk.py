# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of a packet through chains, as the kernel would take it, for the few matches that decide at a colo."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

Chains = Mapping[tuple[str, str], Sequence[str]]
"""The rules of chains, by table and name."""
TUNNEL = re.compile(r"ex\d+-.+").fullmatch
ENDS = ("ACCEPT", "DROP", "REJECT")
HOOKS = {
    "forwarded": [
        ("raw", "PREROUTING"),
        ("mangle", "PREROUTING"),
        ("mangle", "FORWARD"),
        ("filter", "FORWARD"),
        ("mangle", "POSTROUTING"),
    ],
    "local": [("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("mangle", "INPUT"), ("filter", "INPUT")],
}


@dataclass
class Packet:
    """A packet of the first of a TCP connection, or of one that is established, with a source that is right.

    `told`: other matches that fit it, by their text. `walked`: the rules that it has passed.
    """

    comes: str
    goes: str = ""
    first: bool = True
    told: tuple[str, ...] = ()
    mark: int = 0
    walked: int = 0
    clamped: str = ""

    def passes(self, chains: Chains) -> str:
        """What becomes of it: DROP, REJECT, ACCEPT, or "" where only the administrator's rules decide."""
        verdict = ""
        for table, hook in HOOKS["forwarded" if self.goes else "local"]:
            verdict = self._walk(chains, table, f"EXTRUDE-{hook}")
            if verdict in ("DROP", "REJECT"):
                break
        return verdict

    def _walk(self, chains: Chains, table: str, name: str) -> str:
        for rule in chains.get((table, name), ()):
            self.walked += 1
            if not self._fits(rule):
                continue
            way, target, *options = re.split(r" ", re.split(r"(?=-[jg] [A-Z])", rule)[1])
            if target == "MARK":
                self.mark = int(options[1].split("/")[0], 16)
            elif target == "TCPMSS":
                self.clamped += f" {options[-1]}"
            elif target == "RETURN":
                return ""
            elif target in ENDS:
                return target
            else:
                verdict = self._walk(chains, table, target)
                if verdict or way == "-g":
                    return verdict
        return ""

    def _fits(self, rule: str) -> bool:
        matches = re.split(r"(?=-[jg] [A-Z])", rule)[0]
        for told in self.told:
            matches = matches.replace(told, "")
        for pattern, check in self._checks().items():
            for found in re.findall(pattern, matches):
                if not check(*found):
                    return False
            matches = re.sub(pattern, "", matches)
        return not matches.strip()

    def _checks(self) -> dict[str, Callable[..., bool]]:
        """What each match asks; its first group says that it is inverted."""

        def is_device(device: str) -> Callable[[str, str], bool]:
            return lambda inverted, name: fnmatchcase(device, name.replace("+", "*")) != bool(inverted)

        def in_groups(of_source: str, of_destination: str) -> bool:
            comes, goes = bool(TUNNEL(self.comes)), bool(TUNNEL(self.goes))
            return (comes or not of_source) and (goes or not of_destination)

        return {
            r"(! )?-i (\S+)": is_device(self.comes),
            r"(! )?-o (\S+)": is_device(self.goes),
            r"-m devgroup( --src-group \w+)?( --dst-group \w+)?": in_groups,
            r"-m conntrack( !)? --ctstate (\S+)": lambda inverted, _state: bool(inverted) == self.first,
            r"-m mark( !)? --mark (\w+)/\w+": lambda inverted, mark: (self.mark == int(mark, 16)) != bool(inverted),
            r"(-p tcp -m tcp --tcp-flags) (\S+ \S+)": lambda _match, _flags: self.first,
        }
