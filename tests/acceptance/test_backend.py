# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab runs on what it says: on another kernel, or another iptables, the other tests would prove something else."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.conftest import HOSTS
from tests.lab.lab import Lab

STOCK = re.compile(r"\d+\.\d+\.\d+-\d+-amd64")
"""The release of a kernel from the package linux-image-amd64. That of user-mode-linux has no ABI number and flavour."""
RULES = {"nf_tables": ["nft", "list", "ruleset"], "legacy": ["iptables-legacy-save"]}
"""What shows the rules of each variant of iptables, and only those."""

pytestmark = [pytest.mark.core, pytest.mark.parametrize("host", HOSTS)]


def test_the_kernel_is_the_stock_one_under_qemu_only(lab: Lab, host: str) -> None:
    release = lab.exec(host, ["uname", "-r"]).stdout.strip()
    assert bool(STOCK.fullmatch(release)) == lab.description.startswith("qemu"), release


@pytest.mark.parametrize("tool", ["iptables", "ip6tables"])
def test_iptables_is_the_variant_that_this_kernel_has(lab: Lab, host: str, tool: str) -> None:
    assert f"({_variant(lab)})" in lab.exec(host, [tool, "--version"]).stdout


@pytest.mark.parametrize("variant", RULES)
def test_our_chains_are_in_that_variant_and_not_in_the_other(deployed: Lab, host: str, variant: str) -> None:
    shown = deployed.exec(host, RULES[variant], check=False).stdout
    assert ("EXTRUDE-FORWARD" in shown) == (variant == _variant(deployed)), shown


def _variant(lab: Lab) -> str:
    """The variant that users of this kernel have: Debian's is backed by nftables, which user-mode-linux lacks."""
    return "nf_tables" if lab.description.startswith("qemu") else "legacy"
