"""Every view stays within the screen, whatever names there are, at any size and in any theme."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from rich.cells import cell_len

from httptop.app import HttptopApp
from httptop.coverage.processes import Holder, Survey
from httptop.screens.themes import THEMES
from tests.factory import NOON
from tests.hostile import RAW, clean, hostile
from tests.screens.handles import show, whole_screen
from tests.screens.views import VIEWS, Shown, controls, go, leave

#: Categories of characters that a terminal does not show where they stand.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
SIZES = ((80, 24), (120, 40), (200, 60))


def faults(app: HttptopApp, view: Shown) -> list[str]:
    """Return what is wrong with a view, each fault with a line that has it."""
    width, height = app.size
    lines = whole_screen(app)
    found = [f"{len(lines)} lines"] if len(lines) != height else []
    for line in lines:
        if cell_len(line) != width:
            found.append(f"{cell_len(line)} cells: {line}")
        if unseen := sorted({one for one in line if unicodedata.category(one) in _UNSEEN}):
            found.append(f"{unseen}: {line}")
    text = "\n".join(lines)
    found += [f"no {word!r}: {lines[-1]}" for word in (view.title, view.back) if word not in text]
    return [f"{view.name}: {fault}" for fault in found]


@pytest.mark.parametrize("size", SIZES)
async def test_every_view(size: tuple[int, int]) -> None:
    """Each in another theme at each size; no theme is left out at any."""
    holders = tuple(
        Holder(100 + n, clean(raw, 15), (80,), (clean(raw),), 1, 2) for n, raw in enumerate(RAW)
    )
    run = controls()
    run.survey = lambda: Survey(NOON, holders, 1)  # type: ignore[method-assign]
    app = HttptopApp(run=run, watching=clean(RAW[0]))
    async with app.run_test(size=size) as pilot:
        for tick in (250, 251, 252):
            await show(pilot, hostile(tick))
        found: list[str] = []
        themes = itertools.cycle((*THEMES, *THEMES)[SIZES.index(size) :][: len(THEMES)])
        for view, theme in zip(VIEWS, themes, strict=False):
            app.theme = theme
            await go(pilot, view)
            found += [f"{theme}: {fault}" for fault in faults(app, view)]
            await leave(pilot)
        assert found == []


async def test_any_size_at_any_time() -> None:
    """A page is open while the terminal goes from large to tiny and back: nothing is lost."""
    app = HttptopApp(run=controls())
    pages = [one for one in VIEWS if one.name in ("endpoint", "by peer", "in flight", "help")]
    sizes = ((300, 100), (20, 5), (120, 40))
    async with app.run_test(size=sizes[-1]) as pilot:
        await show(pilot, hostile())
        assert len(pages) == 4
        for view in pages:
            await go(pilot, view)
            for size in sizes:
                await pilot.resize_terminal(*size)
                width, height = size
                assert [cell_len(line) for line in whole_screen(app)] == [width] * height, view
            assert faults(app, view) == []
            await leave(pilot)
