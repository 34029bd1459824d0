# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.multihome.extrude.plugins.module_utils import _sysctl
from ansible_collections.multihome.extrude.plugins.module_utils._forwarding import SWITCHES, contrary, is_set_by
from tests.unit.host import host

V4, V6 = SWITCHES


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_the_kernel_sets_as_well_is_what_this_says(switch: str) -> None:
    folder = SWITCHES[switch]
    with host():
        _sysctl.write(switch, "0")
        assert contrary([switch]) == {}, "as a kernel starts"
        _sysctl.write(f"{folder}/a0/forwarding", "1")
        found = {f"{folder}/a0/forwarding": "1"}
        if switch == V4:
            _sysctl.write(f"{folder}/all/accept_redirects", "0")
            found[f"{folder}/all/accept_redirects"] = "0"
        assert contrary([switch]) == found
        _sysctl.write(switch, "1")
        assert _sysctl.read(found) == found, "on, they stay"
        _sysctl.write(switch, "0")
        assert contrary([switch]) == {}, "off, none of them does"
        assert all(is_set_by(name, [switch]) for name in found)


def test_settings_are_of_their_own_switch() -> None:
    assert contrary([]) == {}
    assert is_set_by(f"{SWITCHES[V4]}/a0/forwarding", SWITCHES)
    assert not is_set_by(f"{SWITCHES[V4]}/a0/forwarding", [V6])
    assert not is_set_by(V6, [V6])
