"""Documentation and comments: links lead somewhere, and files that are named exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

import httptop
from httptop.config.settings import SETTINGS
from httptop.conformance.case import load_cases
from tests.test_imports import ROOMS

PACKAGE: Final = Path(httptop.__file__).parent
ROOT: Final = PACKAGE.parent
PAGES: Final = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "bench/*.md", ".github/**/*.md", "httptop/**/*.md")
    for page in ROOT.glob(pattern)
)
SOURCES: Final = sorted(file for file in PACKAGE.rglob("*") if file.suffix in {".py", ".c", ".h"})
#: Files of BCC, which find_bcc.py looks for.
NOT_OURS: Final = frozenset(("libbcc.py", "table.py", "syscall.py"))

_LINK: Final = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_FILE: Final = re.compile(r"(?<![\w./$-])([\w*-]+(?:/[\w*-]+)*\.(?:py|c|h|md|toml|tcss))(?![\w/])")
_CODE: Final = re.compile(r"(?<![\w./-])([\w-]+(?:/[\w-]+)*\.(?:py|c|h))(?![\w/])")
_TREE: Final = [
    "/" + path.relative_to(ROOT).as_posix()
    for room in (".", "httptop", "tests", "bench", "docs", "scripts", ".github")
    for path in (ROOT.iterdir() if room == "." else (ROOT / room).rglob("*"))
    if "__pycache__" not in path.parts
]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def exists(name: str) -> bool:
    """Return whether a path, perhaps without its first directories, is that of a file of ours."""
    ending = re.compile(rf".*/{re.escape(name).replace(re.escape('*'), '[^/]*')}")
    return any(ending.fullmatch(path) for path in _TREE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_files_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    for target, anchor in _LINK.findall(text):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"
    assert [name for name in _FILE.findall(text) if not exists(name)] == []


def test_files_named_in_the_code_exist() -> None:
    missing = [
        f"{source.relative_to(ROOT)}: {name}"
        for source in SOURCES
        for name in _CODE.findall(source.read_text())
        if name not in NOT_OURS and not exists(name)
    ]
    assert missing == []


def test_what_the_readme_counts_is_so_many() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"There are {len(SETTINGS)} settings" in text
    assert f"{len(load_cases())} cases of raw bytes" in text


def test_the_rooms_of_the_architecture_are_those_of_the_rules() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = page.partition("## The rooms")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", rooms, re.MULTILINE)
    assert named == list(ROOMS)
