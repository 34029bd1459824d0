# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and results that the changing modules share; must say the same as C(module_utils/_argspec.py).

Private to the collection.
"""

from __future__ import annotations


class ModuleDocFragment:
    DIRECTORY = r"""
options:
  directory:
    description:
      - Folder of the records of what was applied, one file for each customer.
    type: path
    default: /var/lib/extrude
requirements:
  - Python 3.11 or newer on the managed host
  - pyroute2 0.7.2 or newer on the managed host (Debian package C(python3-pyroute2))
"""

    CONFIG_DIRECTORY = r"""
options:
  config_directory:
    description:
      - Folder of the files of states. It holds nothing of anybody else.
    type: path
    default: /etc/extrude
"""

    DOCUMENTATION = r"""
options:
  customer:
    description:
      - Whose the objects are.
      - Objects of other customers, of other sites, and of anybody else are never changed.
      - Lower case letters, digits and hyphens, at most 32 of them.
    type: str
    required: true
  site:
    description:
      - For which of the customer's sites the objects are.
    type: str
    default: local
  purge:
    description:
      - Whether objects of this kind, customer and site that are not listed are deleted.
    type: bool
    default: false
  directory:
    description:
      - Folder of the records of what was applied, one file for each customer.
    type: path
    default: /var/lib/extrude
requirements:
  - Python 3.11 or newer on the managed host
  - pyroute2 0.7.2 or newer on the managed host (Debian package C(python3-pyroute2))
"""
