"""The input line for a filter, with its errors and completions below."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input, Label

from httptop.filters import Expression, FilterError, conjuncts
from httptop.filters.completion import Completion, Seen, complete
from httptop.filters.on_screen import parse_for_screen, reach
from httptop.widgets.input_line import InputLine
from httptop.widgets.painting import Line, Painted, width_of
from httptop.widgets.sparkline import Symbols

_LABEL: Final = " filter "
_WIDEST_CANDIDATE: Final = 40


class Advice(Painted):
    """Shows, below the text, a mark under the error with its reason, then the candidates."""

    DEFAULT_CSS = """
    Advice { height: 6; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.error: FilterError | None = None
        self.loud = False
        self.note = ""
        self.mark = 0  # cell of the error
        self.completion = Completion(0, 0)
        self.selected = 0

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the line of the mark and the candidates, the selected one always visible."""
        lines = self._mark(width)
        rows = height - len(lines)
        top = max(0, min(self.selected - rows // 2, len(self.completion.candidates) - rows))
        lines += [self._candidate(n, width) for n in range(top, top + rows)]
        return [line.strip() for line in lines]

    def _mark(self, width: int) -> list[Line]:
        """Return a caret below the error and the reason beside it, or on a second line."""
        if self.error is None:
            return [Line().space(len(_LABEL), self.hue("muted")).add(self.note, self.hue("muted"))]
        hue = self.hue("bad" if self.loud else "muted")
        at = max(0, min(self.mark, width - 1))
        message = self.error.message
        if width_of(message) <= width - at - 2:
            return [Line().space(at, hue).add(f"^ {message}", hue)]
        if width_of(message) <= at - 1:
            return [Line().space(at - 1 - width_of(message), hue).add(f"{message} ^", hue)]
        cut = max(message.rfind(" ", 0, width - at - 2), 0)
        first = Line().space(at, hue).add(f"^ {message[:cut]}".rstrip(), hue)
        room = width - len(_LABEL)
        rest = self.fit(message[cut:].lstrip(), room)
        return [first, Line().space(len(_LABEL), hue).add(rest, hue)]

    def _candidate(self, n: int, width: int) -> Line:
        line = Line()
        if n >= len(self.completion.candidates):
            return line
        candidate = self.completion.candidates[n]
        room = width - len(_LABEL) - 1
        text = self.fit(candidate.text.rstrip(), min(room, _WIDEST_CANDIDATE))
        if not candidate.note:
            text = self.fit(candidate.text, max(room, 8))
        click = Style.from_meta({"@click": f"screen.take_candidate({n})"})
        blank = self.hue("text")
        if n == self.selected:
            line.space(len(_LABEL) - 2, blank).add(self.glyphs.cursor, self.hue("accent"))
            line.add(f" {text.rstrip()} ", self.hue("cursor") + click)
        else:
            line.space(len(_LABEL), blank).add(f"{text.rstrip()} ", self.hue("text") + click)
        if candidate.note and (left := width - 24) > 8:
            note = self.fit(candidate.note, left).rstrip()
            line.to(24, blank).add(note, self.hue("muted"))
        return line


class FilterEditor(InputLine):
    """Filters as the user types: the last valid text applies.

    A single word, which may still become a field's name, applies only after Enter. Tab inserts the
    selected candidate.
    """

    DEFAULT_CSS = """
    FilterEditor { layout: vertical; height: auto; }
    FilterEditor > Horizontal { height: 1; }
    FilterEditor Label { padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "take", "Take", show=False),
        Binding("down", "choose(1)", "Next", show=False),
        Binding("up,shift+tab", "choose(-1)", "Previous", show=False),
    ]
    HINTS = (
        ("Enter", "keep the filter", "screen.submit_line"),
        ("Tab", "complete", "screen.take_candidate"),
        ("Up Down", "select", ""),
        ("Esc", "undo", "screen.clear"),
    )

    class Changed(Message):
        """The filter changed; None: the text is empty."""

        def __init__(self, expression: Expression | None) -> None:
            self.expression = expression
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__()
        self.symbols: Symbols = symbols
        self.seen: Seen = {}

    def compose(self) -> ComposeResult:
        """Make the input and the advice below it."""
        with Horizontal():
            yield Label(_LABEL, markup=False)
            yield Input(
                placeholder="status = 5xx and path ~ /api/*", compact=True, select_on_focus=False
            )
        yield Advice(self.symbols)

    def on_mount(self) -> None:
        """Update the advice whenever the cursor moves."""
        self.watch(self.field, "selection", self._follow, init=False)
        self.watch(self.field, "scroll_x", self._place_mark, init=False)

    @property
    def advice(self) -> Advice:
        """The widget below the text."""
        return self.query_one(Advice)

    def open(self, text: str, seen: Seen) -> None:
        """Show the editor with an initial text; ``seen`` are the values that it completes."""
        self.seen = seen
        self.begin(text)
        self._advise(text)
        self.call_after_refresh(self._follow_cursor)

    def action_choose(self, step: int) -> None:
        """Select the next or previous candidate."""
        advice = self.advice
        if count := len(advice.completion.candidates):
            advice.selected = (advice.selected + step) % count
            advice.repaint()

    def action_take(self) -> None:
        """Insert the selected candidate."""
        self.take(self.advice.selected)

    def take(self, n: int) -> None:
        """Insert a candidate by its index."""
        completion, field = self.advice.completion, self.field
        if self.is_open and n < len(completion.candidates):
            field.value, field.cursor_position = completion.applied(field.value, n)

    def typed(self, text: str) -> None:
        """Filter by the text, if it is valid."""
        self._advise(text)
        self.call_after_refresh(self._follow_cursor)
        if not self.advice.completion.unsettled:
            self._apply(text)

    def submitted(self, text: str, /) -> None:
        """Keep the filter; if it is not valid, highlight the error."""
        advice = self.advice
        if advice.error is None:
            self._apply(text)
            self.close()
        else:
            advice.loud = True
            advice.repaint()

    def _follow_cursor(self) -> None:
        """Scroll to the cursor, which the input does not do for a text set as a whole."""
        field = self.field
        at = width_of(field.value[: field.cursor_position])
        field.scroll_to_region(Region(at, 0, 1, 1), force=True, animate=False)

    def _parsed(self, text: str) -> Expression:
        return parse_for_screen(text, fleet="host" in self.seen)

    def _apply(self, text: str) -> None:
        if self.advice.error is None:
            self.post_message(self.Changed(self._parsed(text) if text.strip() else None))

    def _follow(self) -> None:
        self._advise(self.field.value)

    def _advise(self, text: str) -> None:
        """Show the error or a note about a text, and the candidates at the cursor.

        When the user types fast it may not be the newest text; each is shown in turn.
        """
        field, advice = self.field, self.advice
        advice.error, advice.note = None, ""
        try:
            if text.strip():
                advice.note = _note(self._parsed(text))
        except FilterError as error:
            advice.error = error
            # A text that is incomplete, or ends within a value, is still being typed.
            advice.loud = " " in text[error.column - 1 :].strip()
        advice.completion = complete(text, min(field.cursor_position, len(text)), self.seen)
        if advice.error is None and advice.completion.unsettled:
            advice.note = "a single word: Enter filters by paths that contain it"
        advice.selected = 0
        self._place_mark()

    def _place_mark(self) -> None:
        """Keep the mark below its character, however far the text is scrolled."""
        field, advice = self.field, self.advice
        if advice.error is not None:
            before = width_of(field.value[: advice.error.column - 1])
            advice.mark = len(_LABEL) + before - round(field.scroll_x)
        advice.repaint()


def _note(expression: Expression) -> str:
    """Return a note if a part filters only endpoints."""
    for part in conjuncts(expression):
        if reach(part) == "endpoints":
            return f"filters endpoints only: {part}"
    return ""
