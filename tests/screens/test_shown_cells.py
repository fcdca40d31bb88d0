"""Only cells that differ are sent, and after them the terminal shows what it should."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from httptop.screens.rendition import PLAIN, change, rendition_of
from httptop.screens.shown_cells import ShownCells
from tests.screens.emulator import Emulator, Look

ATTRIBUTES = (
    "bold", "dim", "italic", "underline", "blink", "blink2", "reverse", "conceal", "strike",
    "underline2", "frame", "encircle", "overline",
)  # fmt: skip
COLORS = st.sampled_from((None, "default", "red", "bright_blue", "color(99)", "#102030", "#fefefe"))
STYLES = st.builds(
    lambda words, color, bgcolor: (
        Style.parse(" ".join(words)) + Style(color=color, bgcolor=bgcolor)
    ),
    st.lists(st.sampled_from(ATTRIBUTES), max_size=4),
    COLORS,
    COLORS,
)
WIDTH = 12
PIECES = st.sampled_from(
    ("a", "b", " ", "   ", "日", "é", "e\u0301", "👩‍👩‍👧", "❤️", "─", "⠿", "\x1b[2J")
)
LINES = st.lists(st.tuples(PIECES, STYLES | st.none()), max_size=12).map(
    lambda parts: Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(WIDTH)
)
TRUE = ColorSystem.TRUECOLOR


class Terminal:
    """What is shown, as it is remembered and as an emulator has it."""

    def __init__(self, height: int = 1) -> None:
        self.shown, self.emulator = ShownCells(), Emulator(WIDTH, height)
        self.height = height

    def draw(self, *lines: Strip) -> str:
        """Draw the whole screen; return what was sent."""
        update = LayoutUpdate([[line] for line in lines], Region(0, 0, WIDTH, self.height))
        return self._send(update)

    def put(self, x: int, *strips: Strip) -> str:
        """Draw neighbouring parts of the first line, each a widget's; return what was sent."""
        starts = list(accumulate((strip.cell_length for strip in strips), initial=x))
        cuts = sorted({0, *starts, WIDTH})
        chops = [dict[int, Strip | None].fromkeys(cuts[:-1]) for _ in range(self.height)]
        chops[0].update(zip(starts, strips, strict=False))
        spans = [(0, start, end) for start, end in pairwise(starts)]
        return self._send(ChopsUpdate(chops, spans, [cuts[1:]] * self.height))

    def _send(self, update: LayoutUpdate | ChopsUpdate) -> str:
        data = self.shown.change_to(update, TRUE)
        self.emulator.feed(data)
        assert self.emulator.look == Look()
        return data


def plain(text: str) -> Strip:
    return Strip([Segment(text, None)])


def fresh(*lines: Strip) -> list[list[tuple[str, Look]]]:
    """Return the cells of a terminal on which these lines alone were drawn."""
    terminal = Terminal(len(lines))
    terminal.draw(*lines)
    return terminal.emulator.cells


@given(st.lists(st.tuples(LINES, LINES), min_size=1, max_size=5))
def test_after_each_update_the_screen_is_as_if_drawn_anew(screens: list[tuple[Strip, ...]]) -> None:
    terminal = Terminal(2)
    for lines in screens:
        terminal.draw(*lines)
        assert terminal.emulator.cells == fresh(*lines)
        assert terminal.draw(*lines) == ""


@given(LINES, st.integers(0, WIDTH - 2))
def test_half_a_wide_character_under_a_box_is_whole_again_without_it(line: Strip, x: int) -> None:
    terminal = Terminal()
    terminal.draw(line)
    terminal.put(x, plain("[]"))
    terminal.put(0, line)
    assert terminal.emulator.cells == fresh(line)


@given(LINES, LINES, LINES, st.integers(1, WIDTH - 3))
def test_a_box_over_half_a_wide_character_is_drawn_with_what_is_beside_it(
    before: Strip, line: Strip, box: Strip, x: int
) -> None:
    terminal = Terminal()
    terminal.draw(before)
    parts = line.crop(0, x), box.crop(0, 2), line.crop(x + 2, WIDTH)
    terminal.put(0, *parts)
    assert terminal.emulator.cells == fresh(Strip.join(parts))


@given(
    st.lists(STYLES, min_size=2, max_size=8),
    st.sampled_from((TRUE, ColorSystem.EIGHT_BIT, ColorSystem.STANDARD)),
)
def test_each_rendition_is_reached_from_any_other(styles: list[Style], colors: ColorSystem) -> None:
    looks = [rendition_of(style, colors) for style in styles]
    terminal, anew = Emulator(1, 1), Emulator(1, 1)
    terminal.feed(change(PLAIN, looks[0]))
    for before, after in pairwise(looks):
        sequence = change(before, after)
        terminal.feed(sequence)
        anew.look = Look()
        anew.feed(change(PLAIN, after))
        assert terminal.look == anew.look
        assert (sequence == "") == (before is after)


def test_a_rendition_is_named_once_for_all_of_its_cells() -> None:
    red, blue = Style(color="#ff0000"), Style(color="#0000ff")
    terminal = Terminal(2)
    lines = [Strip([Segment("aaa", red), Segment("bbb", blue), Segment("ccc", red)])] * 2
    sent = terminal.draw(*(line.adjust_cell_length(WIDTH) for line in lines))
    assert sent.count("38;2;255;0;0") == sent.count("38;2;0;0;255") == 1


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ("abcdefghijkl", "abcdefghijkl", ""),
        ("abcdefghijkl", "abcdXfghijkl", "\x1b[1;5HX"),
        ("abcdefghijkl", "XbcXefghijkl", "\x1b[1;1HXbcX"),  # no move is shorter than two cells
        ("abcdefghijkl", "XbcdefghiXkl", "\x1b[1;1HX\x1b[8CX"),
        ("a─c─efghijkl", "X─X─efghijkl", "\x1b[1;1HX\x1b[CX"),
        ("日本語", "日木語", "\x1b[1;3H木"),
    ],
)
def test_only_cells_that_differ_are_sent(before: str, after: str, sent: str) -> None:
    terminal = Terminal()
    terminal.draw(plain(before).adjust_cell_length(WIDTH))
    assert terminal.draw(plain(after).adjust_cell_length(WIDTH)) == sent


def test_a_blank_in_another_colour_is_the_same_blank() -> None:
    terminal = Terminal()
    red, blue = Style(color="red"), Style(color="blue")
    terminal.draw(Strip([Segment("a" + " " * 11, red)]))
    assert "\x1b[1;1Ha\x1b" in terminal.draw(Strip([Segment("a" + " " * 11, blue)]))


def test_behind_a_character_of_doubtful_width_the_cursor_is_placed() -> None:
    sent = Terminal().draw(plain("e\u0301xyz").adjust_cell_length(WIDTH))
    assert "e\u0301\x1b[1;2Hx" in sent


def test_words_of_wide_characters_are_sent_in_one_piece() -> None:
    sent = Terminal().draw(plain("a日本語b").adjust_cell_length(WIDTH))
    assert "a日本語b" in sent


def test_where_a_terminal_may_take_one_cell_for_two_nothing_old_is_left() -> None:
    terminal = Terminal()
    terminal.draw(plain("abcdef").adjust_cell_length(WIDTH))
    assert terminal.draw(plain("a❤️def").adjust_cell_length(WIDTH)) == "\x1b[1;2H  \x1b[1;2H❤️"


def test_what_is_forgotten_is_sent_again() -> None:
    terminal = Terminal()
    line = plain("abc").adjust_cell_length(WIDTH)
    first = terminal.draw(line)
    terminal.shown.forget()
    assert terminal.draw(line) == first
