"""In every theme texts can be read, and statuses told apart, with any colour vision."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from textual.color import Color

from httptop.app import HttptopApp
from httptop.config.settings import Ui
from httptop.screens.themes import THEMES
from httptop.widgets.endpoint_table import EndpointTable
from tests.factory import busy
from tests.screens.colours import (
    DEUTERANOPIA,
    PROTANOPIA,
    RGB,
    contrast,
    difference,
    distance,
    lab,
    seen_with,
)

#: What terminals make of the 16 colours by default.
XTERM = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0),
    (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0),
    (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
)  # fmt: skip
LINUX = (
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0),
    (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
    (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85),
    (85, 85, 255), (255, 85, 255), (85, 255, 255), (255, 255, 255),
)  # fmt: skip
#: Each theme in each palette that it depends on.
SHOWN = [(name, XTERM) for name in THEMES] + [("ansi", LINUX)]

STATES = ("2xx", "3xx", "4xx", "5xx", "none")
TEXTS = (
    *STATES, "text", "strong", "muted", "heading", "accent", "good", "warn", "bad", "1xx", "key",
)  # fmt: skip
QUIET = ("faint",)


def colours(name: str, palette: tuple[RGB, ...]) -> dict[str, RGB]:
    """Return the colours of a theme's variables, without ``hue-``."""
    found = {}
    for variable, value in THEMES[name].variables.items():
        colour = Color.parse(value)
        rgb = colour.rgb if colour.ansi is None else palette[colour.ansi]
        found[variable.removeprefix("hue-")] = rgb
    return found


def test_formulas_give_published_values() -> None:
    """CIEDE2000 of three pairs of Sharma's table; WCAG's black on white; white stays white."""
    assert difference((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)
    assert difference((50, 0, 0), (50, -1, 2)) == pytest.approx(2.3669, abs=1e-4)
    low = (2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514)
    assert difference(*low) == pytest.approx(0.9082, abs=1e-4)
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    for deficiency in (DEUTERANOPIA, PROTANOPIA):
        assert seen_with(deficiency, (255, 255, 255)) == (255, 255, 255)
        red, green = (seen_with(deficiency, c) for c in ((180, 60, 0), (110, 90, 0)))
        assert distance(red, green) < distance((180, 60, 0), (110, 90, 0)) / 2


@pytest.mark.parametrize(("name", "palette"), SHOWN)
def test_every_text_can_be_read_on_everything_it_stands_on(
    name: str, palette: tuple[RGB, ...]
) -> None:
    of = colours(name, palette)
    least, least_quiet = (7.0, 4.5) if name == "high-contrast" else (4.5, 3.0)
    behind = ["background", "panel"]
    if of["cursor-text"] == of["strong"]:  # else texts are of one colour on the cursor
        behind.append("cursor")
    read = [(hue, back, least) for hue in TEXTS for back in behind]
    read += [(hue, back, least_quiet) for hue in QUIET for back in behind]
    read += [("cursor-text", "cursor", least), ("strong", "chip", least)]
    read += [("banner-text", "banner", least)]
    found = [(hue, back, contrast(of[hue], of[back]), low) for hue, back, low in read]
    assert not [(hue, back, ratio) for hue, back, ratio, low in found if ratio < low]


@pytest.mark.parametrize(("name", "palette"), SHOWN)
def test_the_cursor_and_the_scroll_bar_can_be_seen(name: str, palette: tuple[RGB, ...]) -> None:
    of = colours(name, palette)
    for mark in ("cursor", "chip", "scrollbar"):
        assert distance(of[mark], of["background"]) > 7, mark


@pytest.mark.parametrize(("name", "palette"), SHOWN)
def test_states_can_be_told_apart(name: str, palette: tuple[RGB, ...]) -> None:
    """With deficiencies, too; only of the terminal's own 16 colours there are no better ones."""
    of = colours(name, palette)
    assert (of["good"], of["warn"], of["bad"]) == (of["2xx"], of["4xx"], of["5xx"])
    pairs = [*combinations(STATES, 2), ("accent", "4xx"), ("accent", "5xx"), ("accent", "none")]
    least = {"ansi": 6, "colour-blind": 14}.get(name, 12)
    for one, other in pairs:
        assert distance(of[one], of[other]) > 20, (one, other)
        for deficiency in (DEUTERANOPIA, PROTANOPIA):
            seen = (seen_with(deficiency, of[hue]) for hue in (one, other))
            assert distance(*seen) > least, (one, other)


def test_lightness_alone_tells_states_apart_for_the_colour_blind() -> None:
    lights = sorted(lab(colours("colour-blind", XTERM)[hue])[0] for hue in STATES)
    assert min(b - a for a, b in pairwise(lights)) > 4.5


async def test_the_theme_of_16_colours_asks_for_no_others() -> None:
    app = HttptopApp(ui=Ui(theme="ansi"))
    async with app.run_test(size=(120, 40)) as pilot:
        app.publish(busy())
        await pilot.pause()
        await pilot.press("j")
        app.say("a toast")
        await pilot.pause()
        for strips in app.screen._compositor.render_strips():
            for _, style, _ in strips:
                for colour in (style.color, style.bgcolor) if style else ():
                    assert colour is None or colour.is_system_defined, (style, colour)


@pytest.mark.parametrize("name", THEMES)
async def test_widgets_have_the_colours_of_each_theme(name: str) -> None:
    app = HttptopApp()
    async with app.run_test(size=(120, 40)) as pilot:
        app.publish(busy())
        app.theme = name
        await pilot.pause()
        await pilot.press("j", "k")
        table = app.screen.query_one(EndpointTable)
        styles = [segment.style for segment in table.render_line(1) if segment.style]
        cursor = Color.parse(THEMES[name].variables["hue-cursor"]).rich_color
        assert {style.bgcolor for style in styles} == {cursor}
