# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our iptables chains (``EXTRUDE-*``): read, put into the host's own words, and loaded in one commit a table.

Of the administrator's chains only the single jump to each of ours is touched. Works alike with
iptables-nft and iptables-legacy. This module util is private to the collection.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from . import _ipset, _programs
from ._fields import HostError
from ._model import Chain, EngineError

PREFIX = "EXTRUDE-"
PROGRAMS = {4: "iptables", 6: "ip6tables"}
LOCK_SECONDS = 30
"""How long another program may hold the lock of iptables before that is an error."""

NO_NFTABLES = ("Failed to initialize nft: Protocol not supported", "generation id: Invalid argument")
"""How iptables-nft says that the kernel has no nf_tables."""

Place: TypeAlias = tuple[int, str, str]
"""Family, table and name of a chain."""

Change: TypeAlias = tuple[Chain | None, Chain | None]
"""A chain as it is and as it should be; None: not there."""


# --- pure -----------------------------------------------------------------------------------------


def parse_save(family: int, text: str) -> dict[Place, Chain]:
    """Our chains in the output of ``iptables-save``.

    The hook of a chain names each built-in chain with a plain jump to it, once a jump and separated
    by spaces, so that a jump put in twice by hand is seen; it is empty where no chain jumps.
    """
    rules: dict[tuple[str, str], list[str]] = {}
    hooks: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    builtin: set[tuple[str, str]] = set()
    table = ""
    for line in text.splitlines():
        word, _dummy, rest = line.partition(" ")
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(f":{PREFIX}"):
            rules[table, word[1:]] = []
        elif line.startswith(":") and not rest.startswith("-"):
            builtin.add((table, word[1:]))
        elif word == "-A":
            name, _dummy, rule = rest.partition(" ")
            if (table, name) in rules:
                rules[table, name].append(rule)
            elif (table, name) in builtin and rule.startswith(f"-j {PREFIX}"):
                hooks[table, rule.removeprefix("-j ")].append(name)
    return {
        (family, table, name): Chain(family, table, name, " ".join(hooks[table, name]), tuple(lines))
        for (table, name), lines in rules.items()
    }


def restore_text(changes: Sequence[Change]) -> str:
    """The input of ``iptables-restore --noflush`` for changes of one family, each table in one commit.

    Raises EngineError for what iptables-restore would read as more than one rule or as another's chain.
    """
    tables: defaultdict[str, list[Change]] = defaultdict(list)
    for before, after in changes:
        for chain in (before, after):
            if chain is not None:
                _check(chain)
        if chain := after or before:
            tables[chain.table].append((before, after))
    return "".join(f"*{table}\n{''.join(_table_lines(tables[table]))}COMMIT\n" for table in tables)


def _table_lines(changes: Sequence[Change]) -> list[str]:
    """The lines of one table: chains may jump to each other, so all are made first and removed last."""
    wanted = [change[1] for change in changes if change[1]]
    unwanted = [before for before, after in changes if before and not after]
    dropped = [(name, hook) for name, old, new in _hooks(changes) for hook in (old - new).elements()]
    missing = [(name, hook) for name, old, new in _hooks(changes) for hook in (new - old).elements()]
    return [
        *(f":{chain.name} - [0:0]\n" for chain in wanted),
        *(f"-D {hook} -j {name}\n" for name, hook in dropped),
        *(f"-F {chain.name}\n" for chain in unwanted),
        *(f"-A {chain.name} {rule}\n" for chain in wanted for rule in chain.rules),
        *_jumps(changes, missing),
        *(f"-X {chain.name}\n" for chain in unwanted),
    ]


def _jumps(changes: Sequence[Change], missing: Sequence[tuple[str, str]]) -> list[str]:
    """What filters comes after the admin's own rules, which so stay in force; what alters packets comes before them."""
    if any(chain.table == "filter" for change in changes for chain in change if chain):
        return [f"-A {hook} -j {name}\n" for name, hook in missing]
    # each goes to the top, so the last one first keeps the order of the changes
    return [f"-I {hook} 1 -j {name}\n" for name, hook in reversed(missing)]


def _hooks(changes: Sequence[Change]) -> Iterable[tuple[str, Counter[str], Counter[str]]]:
    """For each change: the name of the chain, and how often each built-in chain jumps to it before and after."""
    for before, after in changes:
        if chain := after or before:
            old, new = (Counter(side.hook.split() if side else ()) for side in (before, after))
            yield chain.name, old, new


def _check(chain: Chain) -> None:
    if not chain.name.startswith(PREFIX):
        raise EngineError(f"{chain} is not ours: the names of our chains start with {PREFIX}")
    for rule in chain.rules:
        if re.search(r"[\r\n\0]", rule):
            raise EngineError(f"{chain}: a rule is one line, and this one is not: {rule!r}")


def sentence(complaint: str, text: str) -> str:
    """What iptables wrote on stderr, as one line, with the line of its input *text* that it names."""
    noise = ("Try `", "Error occurred at line")
    lines = [line.strip() for line in complaint.splitlines() if line.strip() and not line.startswith(noise)]
    said = " ".join(lines) or "iptables-restore failed without a word"
    number = re.search(r"\bline (\d+)(?: failed|:)", said)
    inputs = text.splitlines()
    if number and 0 < int(number[1]) <= len(inputs):
        return f"{said} ({inputs[int(number[1]) - 1]})"
    return said


# --- the host -------------------------------------------------------------------------------------


def installed() -> bool:
    """Whether this host has iptables, without which there are no chains."""
    return _programs.find("iptables-save") is not None


def can_check(chains: Iterable[Chain]) -> bool:
    """Whether this host has what :func:`canonical` takes for these chains."""
    return installed() and (_ipset.installed() or not any(chain.sets for chain in chains))


def read(families: Iterable[int]) -> dict[Place, Chain]:
    """Our chains as they stand, by place. Where iptables or its tables are not there, none are."""
    chains: dict[Place, Chain] = {}
    for family in families:
        program = f"{PROGRAMS[family]}-save"
        if _programs.find(program) is None:
            continue
        done = _run([_installed(program)])
        if done.returncode == 0:
            chains |= parse_save(family, done.stdout)
        elif not any(words in done.stderr for words in NO_NFTABLES):
            raise HostError(sentence(done.stderr, ""))
    return chains


def canonical(chains: Sequence[Chain], others: Collection[Place] = ()) -> tuple[Chain, ...]:
    """The same chains, in the same order, with their rules as this host's iptables-save prints them.

    The rules are loaded into a scratch network namespace and read back, so that they compare exactly
    with what stands whatever the version of iptables, and the host's own tables stay untouched.
    *others* are chains of ours that stand beside these; the rules may jump to them. Sets that they look into are made
    there, empty.
    Raises EngineError that names chain and rule where iptables does not take a rule.
    """
    printed: dict[Place, Chain] = {}
    for family in sorted({chain.family for chain in chains}):
        ours = [chain for chain in chains if chain.family == family]
        done = _load_in_scratch(family, [*ours, *_targets(ours, others)])
        if done.returncode:
            raise EngineError(_blame(family, ours, others))
        printed |= parse_save(family, done.stdout)
    return tuple(printed[chain.place] for chain in chains)


def _targets(chains: Sequence[Chain], others: Collection[Place]) -> list[Chain]:
    """Those of the *others* that these chains jump to, empty."""
    targets = {place for chain in chains for place in chain.targets}
    beside = sorted(targets & set(others) - {chain.place for chain in chains})
    return [Chain(family, table, name, "", ()) for family, table, name in beside]


def apply(changes: Sequence[Change]) -> None:
    """Bring each chain from what it is to what it should be.

    Everything is tested before anything is loaded. Should a load fail all the same, what was loaded
    before it is put back. Raises EngineError with iptables' own sentence.
    """
    texts = _texts(changes)
    for family, text in texts.items():
        _restore(family, text, "--test")
    try:
        for family, text in texts.items():
            _restore(family, text)
    except EngineError as error:
        _put_back(changes, error)
        raise


def _texts(changes: Sequence[Change]) -> dict[int, str]:
    """The input of iptables-restore by family; changes that change nothing are left out."""
    families: defaultdict[int, list[Change]] = defaultdict(list)
    for before, after in changes:
        chain = after or before
        if chain and before != after:
            families[chain.family].append((before, after))
    return {family: restore_text(families[family]) for family in sorted(families)}


def _restore(family: int, text: str, *options: str) -> None:
    program = _installed(f"{PROGRAMS[family]}-restore")
    done = _run([program, "--noflush", "-w", str(LOCK_SECONDS), *options], text)
    if done.returncode:
        raise EngineError(sentence(done.stderr, text))


def _put_back(changes: Sequence[Change], error: EngineError) -> None:
    """Undo an apply of which only some tables or families were loaded before *error*."""
    places = {chain.place: before for before, after in changes if (chain := after or before)}
    try:
        now = read({place[0] for place in places})
        for family, text in _texts([(now.get(place), before) for place, before in places.items()]).items():
            _restore(family, text)
    except EngineError as second:
        raise EngineError(f"{error}; and putting back what stood before failed too: {second}") from error


_IN_SCRATCH = """\
save=$1 seconds=$2 ipset=$3 family=$4
shift $(($# < 4 ? $# : 4))
for name; do "$ipset" -exist create "$name" hash:ip family "$family" || exit; done
"$0" -w "$seconds" && exec "$save"
"""


def _load_in_scratch(family: int, chains: Sequence[Chain]) -> subprocess.CompletedProcess[str]:
    """Load chains into a network namespace that ends with the process, and print its tables."""
    restore, save = (_installed(f"{PROGRAMS[family]}-{verb}") for verb in ("restore", "save"))
    sets = sorted(name for chain in chains for name in chain.sets)
    making = [_ipset.program(), _ipset.FAMILIES[family], *sets] if sets else []
    command = ["sh", "-c", _IN_SCRATCH, restore, save, str(LOCK_SECONDS), *making]
    done = _run([_installed("unshare"), "--net", "--", *command], restore_text([(None, chain) for chain in chains]))
    if done.returncode and done.stderr.startswith("unshare:"):
        raise EngineError(
            "iptables rules are checked in a scratch network namespace, and this process may not make one "
            f"({' '.join(done.stderr.split())})"
        )
    return done


def _blame(family: int, chains: Sequence[Chain], others: Collection[Place]) -> str:
    """The sentence on chains that do not load: the first rule (or chain) at which loading starts to fail.

    Found by halving, since the line numbers in iptables' complaints are not exact.
    """
    rules = [(chain, rule) for chain in chains for rule in chain.rules]

    def complaint(count: int) -> str:
        """What iptables says to the first *count* rules; empty when it takes them."""
        left, some = count, _targets(chains, others)
        for chain in chains:
            some.append(replace(chain, rules=chain.rules[:left]))
            left -= len(some[-1].rules)
        done = _load_in_scratch(family, some)
        return sentence(done.stderr, "") if done.returncode else ""

    if not complaint(0):
        good, bad = 0, len(rules)
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (good, middle) if complaint(middle) else (middle, bad)
        chain, rule = rules[bad - 1]
        return f"chain {chain.name} in table {chain.table}: iptables does not take the rule {rule!r}: {complaint(bad)}"
    for chain in chains:
        done = _load_in_scratch(family, [replace(chain, rules=())])
        if done.returncode and _load_in_scratch(family, []).returncode == 0:
            return f"chain {chain.name} in table {chain.table}, hook {chain.hook}: {sentence(done.stderr, '')}"
    return complaint(0)


def _run(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def _installed(program: str) -> str:
    path = _programs.find(program)
    if path is None:
        package = "util-linux" if program == "unshare" else "iptables"
        raise HostError(f"{program} is missing on this host: install the package {package}")
    return path
