# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-builder reads names what is there, and all that plugins import on the controller."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[3]
ON_CONTROLLER = ("filter", "plugin_utils")
WITH_ANSIBLE = {"ansible", "ansible_collections", "jinja2", "yaml"}


def requirements() -> set[str]:
    """The names of the Python packages that the collection asks for."""
    metadata = yaml.safe_load((CHECKOUT / "meta" / "execution-environment.yml").read_text())
    lines = (CHECKOUT / metadata["dependencies"]["python"]).read_text().splitlines()
    return {re.split(r"[<>=~]", line)[0] for line in lines if line and not line.startswith("#")}


def imported(kind: str) -> Iterator[str]:
    """The packages that plugins import, but for Python's own, Ansible's and ours."""
    for path in (CHECKOUT / "plugins" / kind).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            yield from (name.partition(".")[0] for name in names)


def test_the_collection_asks_for_what_its_plugins_import_on_the_controller() -> None:
    found = {name for kind in ON_CONTROLLER for name in imported(kind)}
    assert found - sys.stdlib_module_names - WITH_ANSIBLE == requirements()


def test_the_example_takes_the_archive_of_this_version() -> None:
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
    archive = f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"
    example = yaml.safe_load((CHECKOUT / "execution-environment.yml").read_text())
    (file,) = example["additional_build_files"]
    (collection,) = example["dependencies"]["galaxy"]["collections"]
    assert (file["src"], collection["name"]) == (archive, f"/build/{file['dest']}/{archive}")
