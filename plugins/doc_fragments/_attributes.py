# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of every module of the collection. Private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Says in check mode exactly what a run would do, without doing it.
    support: full
  diff_mode:
    description: Shows in diff mode what changes, as it was and as it will be.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
  action_group:
    description: Use C(group/multihome.extrude.extrude) in C(module_defaults) for all modules of the collection.
    support: full
    membership:
      - multihome.extrude.extrude
  platform:
    description: Hosts it works on.
    platforms: linux
    support: full
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Changes nothing, so it does the same in check mode.
    support: full
    details: It does not change anything.
  diff_mode:
    description: Shows in diff mode what changes.
    support: N/A
    details: It does not change anything.
  idempotent:
    description: A second run changes nothing.
    support: full
    details: It does not change anything.
  action_group:
    description: Use C(group/multihome.extrude.extrude) in C(module_defaults) for all modules of the collection.
    support: full
    membership:
      - multihome.extrude.extrude
  platform:
    description: Hosts it works on.
    platforms: linux
    support: full
"""
