# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an inventory as a text to be read, and to be compared with that of another day.

This plugin util is **PRIVATE** to the collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from yaml import SafeDumper
else:
    SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # that in C takes a tenth of the time

TEXT = "tag:yaml.org,2002:str"
WIDTH = 1000
"""Characters of a line: a value that is broken into several ones is hard to compare."""


class _Dumper(SafeDumper):
    """Writes files line by line, and all that several hosts have in common at each of them."""

    def ignore_aliases(self, data: Any) -> bool:
        """A reference to another host's part says nothing where one compares."""
        return True


def plan_text(topology: Mapping[str, Any]) -> str:
    """Return what hosts would hold as YAML, of what the filter ``topology`` returns."""
    plan = {part: topology[part] for part in ("sites", "colos")}
    return yaml.dump(plan, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(TEXT, str(value), style="|" if "\n" in value else None)


# what Ansible hands over are classes of its own that derive from these
_Dumper.add_representer(str, _text)
_Dumper.add_multi_representer(str, _text)
_Dumper.add_multi_representer(int, lambda dumper, value: dumper.represent_int(int(value)))
_Dumper.add_multi_representer(float, lambda dumper, value: dumper.represent_float(float(value)))
_Dumper.add_multi_representer(dict, _Dumper.represent_dict)
_Dumper.add_multi_representer(list, _Dumper.represent_list)
