"""Only lines that have changed are drawn again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip

from httptop.widgets.painting import Line, Painted


class _Letters(Painted):
    """A letter a line."""

    letters = "abc"

    def paint(self, width: int, height: int, /) -> list[Strip]:
        letters = self.letters[: width * height]
        return [Line().add(letter, self.rich_style).strip() for letter in letters]


class _Screen(App[None]):
    CSS = "_Letters { height: 5; border: round white; }"

    def compose(self) -> ComposeResult:
        yield _Letters()


@pytest.mark.parametrize(
    ("letters", "drawn"),
    [("abc", []), ("axc", [1]), ("ab", [2]), ("abcd", [])],
    ids=["nothing", "a line", "a line less", "more than there is room for"],
)
def test_lines_that_have_changed(
    letters: str, drawn: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    regions: list[Region] = []
    drew = [0]

    def refresh(self: Painted, *lines: Region, **_: Any) -> Painted:
        regions.extend(lines)
        drew[0] += 1
        return self

    async def look() -> None:
        async with _Screen().run_test(size=(20, 8)) as pilot:
            widget = pilot.app.query_one(_Letters)
            monkeypatch.setattr(_Letters, "refresh", refresh)
            widget.letters = letters
            widget.repaint()
            assert regions == [Region(0, y, widget.size.width, 1) for y in drawn]
            assert drew[0] == bool(drawn)
            shown = [widget.render_line(y).text.strip() for y in range(3)]
            assert "".join(shown) == letters[:3]
            widget.set_title("title")
            drew[0] = 0
            widget.set_title("title")
            assert drew[0] == 0
            widget.set_title(Content("other"))
            assert drew[0]

    asyncio.run(look())
