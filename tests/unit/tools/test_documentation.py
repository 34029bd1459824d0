# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages of documentation refer to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("roles/*/README.md")])
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s:]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text_of(page: Path) -> str:
    """A page without its blocks of code."""
    return _CODE.sub("", page.read_text(encoding="utf-8"))


def anchor(heading: str) -> str:
    """What a heading is called in links, as forges make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken(page: Path) -> list[str]:
    """The links of a page to files and headings that are not there; links to other hosts are not looked at."""
    links = [link.partition("#") for link in _LINK.findall(text_of(page))]
    targets = [(f"{path}{mark}{name}", page.parent / path if path else page, name) for path, mark, name in links]
    return [link for link, target, name in targets if not _is_there(target, name)]


def _is_there(target: Path, name: str) -> bool:
    return target.exists() and (not name or name in map(anchor, _HEADING.findall(text_of(target))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_all_that_a_page_links_to_is_there(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# It doesn't: `what`?\n[1](#it-doesnt-what) [2](#it) [3](page.md) [4](no.md) [5](page.md#no)\n", "utf-8"
    )
    assert broken(page) == ["#it", "no.md", "page.md#no"]


def test_the_readme_names_each_page() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in _LINK.findall(text_of(ROOT / "README.md"))}
    pages = [*ROOT.glob("docs/*"), *ROOT.glob("docs/tasks/*")]
    assert {page for page in pages if page.resolve() not in linked} == set()
