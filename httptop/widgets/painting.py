"""Paint lines of styled cells: the base classes and helpers of all our widgets.

A widget paints plain strings with *hues*, which name the meaning of a colour. Their colours are
variables of the theme, which ``httptop.tcss`` uses, too. Markup is never interpreted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from httptop.model import STATUS_UNKNOWN, class_of
from httptop.view.failures import LEAST_SHARE
from httptop.widgets.sparkline import GLYPHS, Symbols

Align = Literal["left", "right"]
#: Finds the style of a hue.
Palette = Callable[[str], Style]


@dataclass(frozen=True, slots=True)
class _Hue:
    """The theme's variables that make a hue."""

    color: str
    background: str = ""  # empty: the widget's own
    bold: bool = False
    plain: str = ""  # rich's style where there are no colours


#: All hues, named by the meaning of a colour, not by its look.
_HUES: Final[Mapping[str, _Hue]] = MappingProxyType(
    {
        "text": _Hue("hue-text"),
        "strong": _Hue("hue-strong"),
        "muted": _Hue("hue-muted", plain="dim"),
        "faint": _Hue("hue-faint", plain="dim"),
        "heading": _Hue("hue-heading", bold=True),
        "accent": _Hue("hue-accent"),
        "good": _Hue("hue-good"),
        "warn": _Hue("hue-warn", plain="bold"),
        "bad": _Hue("hue-bad", plain="bold"),
        "1xx": _Hue("hue-1xx"),
        "2xx": _Hue("hue-2xx"),
        "3xx": _Hue("hue-3xx"),
        "4xx": _Hue("hue-4xx", plain="bold"),
        "5xx": _Hue("hue-5xx", plain="bold"),
        "none": _Hue("hue-none", plain="bold"),
        "rate": _Hue("hue-accent"),
        "trend": _Hue("hue-3xx"),
        "key": _Hue("hue-key", bold=True),
        "chip": _Hue("hue-strong", "hue-chip", plain="reverse"),
        "banner": _Hue("hue-banner-text", "hue-banner", bold=True, plain="reverse"),
        "cursor": _Hue("hue-cursor-text", "hue-cursor", plain="reverse"),
    }
)


class Hued(Widget):
    """A widget that paints with hues and one set of symbols.

    CSS component classes would do the same, but Textual resolves each of them for each widget
    whenever a class or the focus changes, which took half the time of the start and of every change
    of layout.
    """

    def __init__(self, symbols: Symbols = "braille") -> None:
        super().__init__()
        self.symbols: Symbols = symbols
        self.glyphs = GLYPHS[symbols]
        self._hues: dict[str, Style] = {}

    def hue(self, name: str) -> Style:
        """Return the style of a hue on this widget's background."""
        style = self._hues.get(name)
        if style is None:
            hue, variables = _HUES[name], self.app.theme_variables
            behind = hue.background and Color.parse(variables[hue.background]).rich_color
            style = Style(
                color=Color.parse(variables[hue.color]).rich_color,
                bgcolor=behind or self.rich_style.bgcolor,
                bold=hue.bold or None,
            )
            if self.app.no_color and hue.plain:
                style += Style.parse(hue.plain)
            self._hues[name] = style
        return style

    def cursor_style(self) -> Style:
        """Return what the cursor's row changes of a style: the background, and where a theme has a
        text for it that is not its ``hue-strong`` all colours of the text, too.
        """
        cursor, variables = self.hue("cursor"), self.app.theme_variables
        if self.app.no_color:
            return Style(reverse=True)
        if variables["hue-cursor-text"] == variables["hue-strong"]:
            return Style(bgcolor=cursor.bgcolor)
        return Style(color=cursor.color, bgcolor=cursor.bgcolor)

    def fit(self, text: str, width: int, align: Align = "left") -> str:
        """Return a text cut or padded to ``width`` cells, in this widget's symbols."""
        return fit(text, width, align, self.glyphs.ellipsis)

    def on_cursor(self, line: Strip, width: int, *, mark: bool = True) -> Strip:
        """Return a line as the one under the cursor, with a ``mark`` in its first cell."""
        first = Segment(self.glyphs.cursor if mark else " ", self.hue("accent"))
        whole = Strip([first, *line.crop(1)]).adjust_cell_length(width, self.hue("text"))
        return Strip(Segment.apply_style(whole, post_style=self.cursor_style()), width)

    def notify_style_update(self) -> None:
        """Discard the colours of the previous theme or background."""
        super().notify_style_update()
        self._hues = {}


class Painted(Hued):
    """A widget whose content is lines, painted once for each change of data or size.

    Only lines that have changed are drawn: Textual's work for each line is most of what a screen
    costs. What of a line goes to the terminal is not decided here (screens/shown_cells.py).
    """

    _strips: list[Strip] | None = None  # as they were painted last; None: not, or in other colours
    _painted_for: tuple[object, ...] = ()  # what they depended on
    _border_text: str | Content | None = None
    _border_note: Content = Content("")
    #: The number that stands before the title, by which the panel is chosen; 0: none.
    panel: int = 0

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the lines of the content; they may be fewer or narrower than requested."""
        raise NotImplementedError

    def canvas(self) -> Size:
        """Return the size of what is painted."""
        return self.size

    def state(self) -> tuple[object, ...]:
        """Return what the lines depend on besides the data that :meth:`repaint` follows."""
        return ()

    def repaint(self) -> None:
        """Paint anew, and draw the lines that have changed."""
        before = self._strips
        if before is None or self._painted_for[0] != self.canvas():
            self._strips = None
            self.refresh()
            return
        lines = self._paint()
        width = self.canvas().width
        changed = [y for y, line in enumerate(lines) if line != before[y]]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _paint(self) -> list[Strip]:
        size, base = self.canvas(), self.rich_style
        lines = self.paint(*size)[: size.height]
        lines = [line.adjust_cell_length(size.width, base) for line in lines]
        lines += [Strip.blank(size.width, base)] * (size.height - len(lines))
        self._strips, self._painted_for = lines, (size, *self.state())
        return lines

    def set_title(self, title: str | Content) -> None:
        """Set the border's title, if it has changed: to set it has all lines drawn."""
        if title != self._border_text:
            self._border_text = title
            number = (self.glyphs.panels[self.panel - 1], "$hue-key") if self.panel else ""
            self.border_title = Content.assemble(number, title)

    def set_note(self, note: Content) -> None:
        """Set the text in the border below, likewise."""
        if note != self._border_note:
            self._border_note = note
            self.border_subtitle = note

    def notify_style_update(self) -> None:
        """Paint again in the new colours."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """Return one line of the content."""
        lines = self._strips
        if lines is None or self._painted_for != (self.canvas(), *self.state()):
            lines = self._paint()
        return lines[y] if y < len(lines) else Strip.blank(self.canvas().width, self.rich_style)


def width_of(text: str) -> int:
    """Return the width of a text in cells."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, align: Align = "left", ellipsis: str = "…") -> str:
    """Return a text cut or padded to exactly ``width`` cells."""
    if text.isascii():
        length = len(text)
        if length <= width:
            return text.ljust(width) if align == "left" else text.rjust(width)
        if width <= 1:
            return ellipsis[:width]
        return text[: width - 1] + ellipsis
    return _fit_wide(text, width, align, ellipsis)


@lru_cache(4096)
def _fit_wide(text: str, width: int, align: Align, ellipsis: str) -> str:
    length = cell_len(text)
    if length > width:
        if width <= 1:
            return ellipsis[:width]
        text = set_cell_size(text, width - 1) + ellipsis
        return text if cell_len(text) == width else set_cell_size(text, width)
    pad = " " * (width - length)
    return text + pad if align == "left" else pad + text


class Line:
    """Builds one line from left to right."""

    __slots__ = ("segments", "used")

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.used = 0

    def add(self, text: str, style: Style, width: int | None = None, align: Align = "left") -> Line:
        """Append a text, cut or padded to ``width`` cells unless that is None."""
        if width is not None:
            text = fit(text, width, align)
        else:
            width = width_of(text)
        self.segments.append(Segment(text, style))
        self.used += width
        return self

    def space(self, width: int, style: Style) -> Line:
        """Append blanks, none if ``width`` is not positive."""
        if width > 0:
            self.segments.append(Segment(" " * width, style))
            self.used += width
        return self

    def to(self, column: int, style: Style) -> Line:
        """Append blanks up to a column."""
        return self.space(column - self.used, style)

    def join(self, other: Line) -> Line:
        """Append another line."""
        self.segments += other.segments
        self.used += other.used
        return self

    def strip(self) -> Strip:
        """Return the finished line."""
        return Strip(self.segments, self.used)


def spread(left: Line, right: Line, width: int, style: Style) -> Strip:
    """Return a line with ``right`` at the right edge, or without it if it does not fit."""
    if left.used + right.used + 1 <= width:
        left.to(width - right.used, style).join(right)
    return left.strip()


def beside(
    left: Sequence[Strip], right: Sequence[Strip], left_width: int, gap: int, style: Style
) -> list[Strip]:
    """Return two blocks of lines next to each other."""
    blank = Strip.blank(left_width, style)
    space = Strip.blank(gap, style)
    lines: list[Strip] = []
    for index in range(max(len(left), len(right))):
        parts = [left[index].adjust_cell_length(left_width, style) if index < len(left) else blank]
        if index < len(right):
            parts += [space, right[index]]
        lines.append(Strip.join(parts))
    return lines


def status_hue(code: int) -> str:
    """Return the hue of a status code; 0: the request has no response."""
    return f"{class_of(code)}xx" if 1 <= class_of(code) < 6 else "none"


def status_phrase(code: int) -> str:
    """Return the reason phrase of a status code in the IANA registry; empty if it has none."""
    if STATUS_UNKNOWN < code < 10:
        return "further codes"
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def change_hue(change: float | None) -> str:
    """Return the hue of a figure by its change, as a ratio, against what is usual for it."""
    if change is None or change <= 1:
        return "text"
    return "warn" if change < 2 else "bad"


def errors_hue(share: float | None) -> str:
    """Return the hue of a share of errors: striking from what the headline calls failing on."""
    if not share:
        return "faint"
    return "bad" if share >= LEAST_SHARE else "text"
