"""The pictures of the docs are those of the tests, and need nothing from elsewhere."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.snapshots.docs_pictures import OF_DOCS, PICTURES, ROOT, of_docs, taken


@pytest.mark.parametrize("name", OF_DOCS)
def test_a_picture_is_that_of_its_test(name: str) -> None:
    made = of_docs(taken(OF_DOCS[name]))
    text = (PICTURES / f"{name}.svg").read_text("utf-8")
    assert text == made, "make docs-pictures writes it"
    assert not re.search(r"https:|url\((?!#)|@import|@font-face|href", text)
    assert len(text) < 80_000
    ElementTree.fromstring(text)


def test_each_picture_is_shown_somewhere_and_has_a_text() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    image = re.compile(r"!\[[^\]]{20,}\]\((?:docs/)?pictures/([\w-]+)\.svg\)")
    shown = {name for page in pages for name in image.findall(page.read_text())}
    assert shown == set(OF_DOCS) == {picture.stem for picture in PICTURES.glob("*.svg")}
