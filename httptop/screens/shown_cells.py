"""What the terminal shows, cell by cell, and the bytes after which it shows something else.

Textual sends a span from the left edge of its widget, and a screen that was laid out anew as a
whole, though most of these cells are shown already. Here an update is compared with what was sent
before. Only cells that differ are sent: by their renditions, so that each is named once an update,
with the cursor moved between them.

What is remembered is right while nobody else writes to the terminal: who knows better calls
:meth:`ShownCells.forget`. Each update begins and ends in the default rendition.
"""

# To propose to Textual: ``ChopsUpdate.render_segments`` moves to the left edge ``x`` of a widget's
# part of the line, and crops it with ``strip.crop(0, min(end, x2) - x)``. With a move to
# ``max(x, x1)`` and ``strip.crop(max(x1 - x, 0), min(end, x2) - x)`` it would send the span alone,
# which is what ``Widget.refresh(*regions)`` promises.

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from httptop.screens.rendition import PLAIN, Rendition, change, rendition_of

#: Characters that take one cell in every terminal, and such that take two.
_ONE: Final = " -~\xa1-\xac\xae-\u02ff\u0370-\u0482…\u2190-\u2193\u2500-\u25fc\u2713\u2800-\u28ff"
_TWO: Final = "\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
_NARROW: Final = re.compile(f"[{_ONE}]*")
_SURE: Final = re.compile(f"[{_ONE}{_TWO}]*")
#: What never reaches the terminal: it could be obeyed.
_CONTROLS: Final = re.compile("[\0-\x1f\x7f-\x9f]")
#: The text of the second cell of a character that takes two.
_REST: Final = ""
#: To send so many cells that are shown already takes no more bytes than to move the cursor.
_BRIDGE: Final = 4
#: Rich's names of what terminals can do; where it does not know Textual sends true colours.
_COLORS: Final[Mapping[str | None, ColorSystem]] = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
}


class ChangedCells(CompositorUpdate):
    """An update of which only the cells are sent that the terminal does not show yet."""

    def __init__(self, shown: ShownCells, update: LayoutUpdate | ChopsUpdate) -> None:
        self._shown, self._update = shown, update

    def render_segments(self, console: Console) -> str:
        """Return the bytes, which must be sent."""
        colors = _COLORS.get(console.color_system, ColorSystem.TRUECOLOR)
        return self._shown.change_to(self._update, colors)


class ShownCells:
    """The cells of the terminal, as they were sent."""

    def __init__(self) -> None:
        self._width = self._height = 0
        self._texts: list[list[str]] = []
        self._renditions: list[list[Rendition | None]] = []  # None: anything may be shown

    def forget(self) -> None:
        """Have everything sent again, as the terminal may show anything."""
        self._width = self._height = 0

    def change_to(self, update: LayoutUpdate | ChopsUpdate, colors: ColorSystem) -> str:
        """Return the bytes after which the terminal shows an update; take them to be sent."""
        if isinstance(update, LayoutUpdate):
            lines, right, bottom = _of_layout(update), update.region.right, update.region.bottom
        else:
            lines, right, bottom = _of_chops(update), update.chop_ends[0][-1], len(update.chops)
        if (right, bottom) != (self._width, self._height):
            self._width, self._height = right, bottom
            self._texts = [[" "] * right for _ in range(bottom)]
            self._renditions = [[None] * right for _ in range(bottom)]
        runs: list[_Run] = []
        for y, strips in lines:
            self._put(y, [(x, *_cells(strip, colors)) for x, strip in strips], runs)
        return self._sequence(runs)

    def _put(
        self, y: int, parts: Iterable[tuple[int, list[str], list[Rendition]]], runs: list[_Run]
    ) -> None:
        """Remember parts of a line, each from a column on; append what changes to the runs."""
        shown, shown_looks = self._texts[y], self._renditions[y]
        texts, looks = shown.copy(), shown_looks.copy()
        sent = []  # the columns of each part
        for x, cells, renditions in parts:
            end = min(x + len(cells), self._width)
            texts[x:end], looks[x:end] = cells[: end - x], renditions[: end - x]
            sent.append(range(x, end))
        if texts == shown and looks == shown_looks:
            return
        # Where one half of a wide character is overwritten the terminal blanks the other.
        halves = [(part.start, part.start - 1) for part in sent if part.start]
        halves += [(part.stop, part.stop) for part in sent if part.stop < self._width]
        for cut, half in halves:
            if shown[cut] == _REST and not any(half in part for part in sent):
                texts[half], looks[half] = " ", looks[half] or PLAIN
        _add_runs(y, shown, shown_looks, texts, looks, runs)
        self._texts[y], self._renditions[y] = texts, looks

    def _sequence(self, runs: list[_Run]) -> str:
        """Return the bytes that draw the runs, wherever the cursor is."""
        out: list[str] = []
        look = PLAIN
        at: tuple[int, int] | None = None  # the cursor; None: terminals may disagree
        for run in sorted(runs, key=_order):
            out.append(change(look, run.look))
            look = run.look
            for x, text, end in run.pieces():
                out += (_move(at, run.y, x), text)
                at = None if end is None or end >= self._width else (run.y, end)
        out.append(change(look, PLAIN))
        return "".join(out)


class _Run:
    """Neighbouring cells that are sent in one rendition."""

    __slots__ = ("blank", "look", "texts", "x", "y")

    def __init__(self, y: int, x: int, text: str, look: Rendition) -> None:
        self.y, self.x, self.texts, self.look = y, x, [text], look
        self.blank = text == " "  # and nothing else so far

    def fits(self, text: str, look: Rendition) -> bool:
        """Return whether a cell looks the same in the rendition of the run."""
        return look is self.look or (text == " " and look.blank is self.look.blank)

    def take(self, text: str, look: Rendition) -> bool:
        """Append a cell, if one rendition does for the run and for it; return whether it does."""
        if not self.fits(text, look):
            if not (self.blank and look.blank is self.look.blank):
                return False
            self.look = look
        self.blank = self.blank and text == " "
        self.texts.append(text)
        return True

    def pieces(self) -> Iterator[tuple[int, str, int | None]]:
        """Return texts, their columns, and where the cursor is behind them; None: it is not sure.

        It is one text, or each character where widths are not sure: whatever width a terminal gives
        one, the next stands where it should then, and nothing old beside it.
        """
        text = "".join(self.texts)
        if _SURE.fullmatch(text):
            end = self.x + len(self.texts)
            yield self.x, text, end if _NARROW.fullmatch(text[-1:]) or not self.texts[-1] else None
            return
        for x, (text, after) in enumerate(
            zip(self.texts, [*self.texts[1:], " "], strict=True), self.x
        ):
            if after == _REST:
                yield x, "  ", None
            if text != _REST:
                yield x, text, x + 1 if _NARROW.fullmatch(text) else None


def _order(run: _Run) -> tuple[str, str, tuple[str, ...]]:
    look = run.look
    return look.background, look.foreground, look.attributes


def _move(at: tuple[int, int] | None, y: int, x: int) -> str:
    if at is None or at[0] != y or at[1] > x:
        return f"\x1b[{y + 1};{x + 1}H"
    right = x - at[1]
    return "" if not right else "\x1b[C" if right == 1 else f"\x1b[{right}C"


def _add_runs(
    y: int,
    shown: list[str],
    shown_looks: list[Rendition | None],
    texts: list[str],
    looks: list[Rendition | None],
    runs: list[_Run],
) -> None:
    """Append the cells of a line that have changed."""
    run: _Run | None = None
    end = 0  # of the run
    x = -1
    for old, text, old_look, look in zip(shown, texts, shown_looks, looks, strict=True):
        x += 1
        if (old == text and old_look is look) or look is None:
            continue
        if old == text == " " and old_look is not None and old_look.blank is look.blank:
            continue
        if run is None or not (
            (x == end or _bridged(run, texts[end:x], looks[end:x])) and run.take(text, look)
        ):
            run = _Run(y, x, text, look)
            runs.append(run)
        end = x + 1


def _bridged(run: _Run, texts: list[str], looks: list[Rendition | None]) -> bool:
    """Append cells that are shown already, if that takes no more bytes than to move the cursor."""
    if len(texts) > _BRIDGE:
        return False
    for text, look in zip(texts, looks, strict=True):
        if look is None or not (text.isascii() and run.fits(text, look)):
            return False
    run.texts += texts
    run.blank = run.blank and all(text == " " for text in texts)
    return True


def _cells(strip: Strip, colors: ColorSystem) -> tuple[list[str], list[Rendition]]:
    """Return texts and renditions of a strip's cells."""
    texts: list[str] = []
    looks: list[Rendition] = []
    for text, style, control in strip:
        if control:
            continue
        cells: Sequence[str] = text if text.isascii() and text.isprintable() else _graphemes(text)
        before = len(texts)
        texts.extend(cells)
        looks.extend([rendition_of(style, colors)] * (len(texts) - before))
    # Rich may cut a character of two cells so that one of them is missing.
    missing = strip.cell_length - len(texts)
    if missing > 0:
        texts.extend(" " * missing)
        looks.extend([looks[-1] if looks else PLAIN] * missing)
    return texts, looks


@lru_cache(2048)
def _graphemes(text: str) -> Sequence[str]:
    """Return the text of each cell."""
    if _NARROW.fullmatch(text):
        return text
    text = _CONTROLS.sub("", text)
    cells: list[str] = []
    for start, end, width in split_graphemes(text)[0]:
        cells += [text[start:end], *[_REST] * (width - 1)][:width]
    return cells


def _of_layout(update: LayoutUpdate) -> Iterator[tuple[int, list[tuple[int, Strip]]]]:
    """Return the lines of an update: the strips of each, and their columns."""
    for y, strips in enumerate(update.strips, update.region.y):
        x = update.region.x
        parts = []
        for strip in strips:
            parts.append((x, strip))
            x += strip.cell_length
        yield y, parts


def _of_chops(update: ChopsUpdate) -> Iterator[tuple[int, list[tuple[int, Strip]]]]:
    """Return the same, of whole strips that the changed spans touch."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for y, left, right in update.spans:
        spans.setdefault(y, []).append((left, right))
    for y, of_line in spans.items():
        strips = zip(update.chop_ends[y], update.chops[y].items(), strict=True)
        yield (
            y,
            [
                (x, strip)
                for end, (x, strip) in strips
                if strip is not None and any(x < right and end > left for left, right in of_line)
            ],
        )
