"""The line in which a filter is written, what is wrong with it, and what may follow."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input, Label

from httptop.filters import Expression, FilterError, conjuncts
from httptop.filters.completion import Completion, Seen, complete
from httptop.filters.on_screen import parse_for_screen, reach
from httptop.widgets.painting import Line, Painted, fit, width_of
from httptop.widgets.sparkline import GLYPHS, Symbols

_LABEL: Final = " filter "
_WIDEST_CANDIDATE: Final = 40


class Advice(Painted):
    """Below the text: a mark under the fault and its reason, then what may follow."""

    DEFAULT_CSS = """
    Advice { height: 6; }
    """

    def __init__(self, symbols: Symbols, id: str | None = None) -> None:
        super().__init__(id=id)
        self.symbols: Symbols = symbols
        self.fault: FilterError | None = None
        self.loud = False
        self.note = ""
        self.mark = 0  # cell of the fault
        self.completion = Completion(0, 0)
        self.chosen = 0

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the line of the mark and the candidates, the chosen one in sight."""
        lines = self._mark(width)
        rows = height - len(lines)
        top = max(0, min(self.chosen - rows // 2, len(self.completion.candidates) - rows))
        lines += [self._candidate(n, width) for n in range(top, top + rows)]
        return [line.strip() for line in lines]

    def _mark(self, width: int) -> list[Line]:
        """Return a caret below the fault and the reason beside it, or on a second line."""
        if self.fault is None:
            return [Line().space(len(_LABEL), self.hue("muted")).add(self.note, self.hue("muted"))]
        hue = self.hue("bad" if self.loud else "muted")
        at = max(0, min(self.mark, width - 1))
        message = self.fault.message
        if width_of(message) <= width - at - 2:
            return [Line().space(at, hue).add(f"^ {message}", hue)]
        if width_of(message) <= at - 1:
            return [Line().space(at - 1 - width_of(message), hue).add(f"{message} ^", hue)]
        cut = max(message.rfind(" ", 0, width - at - 2), 0)
        first = Line().space(at, hue).add(f"^ {message[:cut]}".rstrip(), hue)
        room = width - len(_LABEL)
        rest = fit(message[cut:].lstrip(), room, "left", self._ellipsis)
        return [first, Line().space(len(_LABEL), hue).add(rest, hue)]

    @property
    def _ellipsis(self) -> str:
        return GLYPHS[self.symbols].ellipsis

    def _candidate(self, n: int, width: int) -> Line:
        line = Line()
        if n >= len(self.completion.candidates):
            return line
        candidate = self.completion.candidates[n]
        room = width - len(_LABEL) - 1
        text = fit(candidate.text.rstrip(), min(room, _WIDEST_CANDIDATE), "left", self._ellipsis)
        if not candidate.note:
            text = fit(candidate.text, max(room, 8), "left", self._ellipsis)
        click = Style.from_meta({"@click": f"screen.take_candidate({n})"})
        blank = self.hue("text")
        if n == self.chosen:
            line.space(len(_LABEL) - 2, blank).add(GLYPHS[self.symbols].cursor, self.hue("accent"))
            line.add(f" {text.rstrip()} ", self.hue("cursor") + click)
        else:
            line.space(len(_LABEL), blank).add(f"{text.rstrip()} ", self.hue("text") + click)
        if candidate.note and (left := width - 24) > 8:
            line.to(24, blank).add(
                fit(candidate.note, left, "left", self._ellipsis).rstrip(), self.hue("muted")
            )
        return line


class FilterEditor(Vertical):
    """Filters while one types: the last text that made sense holds.

    A word alone, which may yet become a field's name, does not filter before Enter.

    Enter keeps it, Escape brings back what was before, Tab takes the chosen candidate.
    """

    DEFAULT_CSS = """
    FilterEditor { height: auto; display: none; }
    FilterEditor.-open { display: block; }
    FilterEditor > Horizontal { height: 1; }
    FilterEditor Label { width: auto; }
    FilterEditor Input { width: 1fr; border: none; padding: 0; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("tab", "take", "Take", show=False),
        Binding("down", "choose(1)", "Next", show=False),
        Binding("up,shift+tab", "choose(-1)", "Previous", show=False),
    ]

    class Changed(Message):
        """The text is another filter; None: it is empty."""

        def __init__(self, expression: Expression | None) -> None:
            self.expression = expression
            super().__init__()

    class Closed(Message):
        """Writing is over; ``kept`` unless what was before shall come back."""

        def __init__(self, kept: bool) -> None:
            self.kept = kept
            super().__init__()

    def __init__(self, symbols: Symbols, id: str | None = None) -> None:
        super().__init__(id=id)
        self.symbols: Symbols = symbols
        self.seen: Seen = {}

    def compose(self) -> ComposeResult:
        """Make the input and what stands below it."""
        with Horizontal():
            yield Label(_LABEL, markup=False)
            yield Input(
                placeholder="status = 5xx and path ~ /api/*", compact=True, select_on_focus=False
            )
        yield Advice(self.symbols)

    def on_mount(self) -> None:
        """Follow the cursor, and keep it still: no picture depends on the moment it was taken."""
        field = self.query_one(Input)
        field.cursor_blink = False
        self.watch(field, "selection", self._follow, init=False)
        self.watch(field, "scroll_x", self._place_mark, init=False)

    @property
    def is_open(self) -> bool:
        """Whether a filter is being written."""
        return self.has_class("-open")

    @property
    def fault(self) -> FilterError | None:
        """What is wrong with the text as it stands."""
        return self.query_one(Advice).fault

    def open(self, text: str, seen: Seen) -> None:
        """Show the editor with a text to go on from, and the values that may be completed."""
        self.seen = seen
        self.add_class("-open")
        field = self.query_one(Input)
        with self.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.screen.set_focus(field)
        self._advise(text)
        self.call_after_refresh(self._follow_cursor)

    def close(self, kept: bool = True) -> None:
        """Hide the editor."""
        self.remove_class("-open")
        self.post_message(self.Closed(kept))

    def action_cancel(self) -> None:
        """Bring back what was before."""
        self.close(kept=False)

    def action_choose(self, step: int) -> None:
        """Choose the next or previous candidate."""
        advice = self.query_one(Advice)
        if count := len(advice.completion.candidates):
            advice.chosen = (advice.chosen + step) % count
            advice.repaint()

    def action_take(self) -> None:
        """Put the chosen candidate into the text."""
        self.take(self.query_one(Advice).chosen)

    def take(self, n: int) -> None:
        """Put a candidate into the text."""
        completion, field = self.query_one(Advice).completion, self.query_one(Input)
        if self.is_open and n < len(completion.candidates):
            field.value, field.cursor_position = completion.applied(field.value, n)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter by the text, if it makes sense; a key may come when all is over."""
        event.stop()
        if self.is_open:
            self._advise(event.value)
            self.call_after_refresh(self._follow_cursor)
            if not self.query_one(Advice).completion.unsettled:
                self._apply(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter; where it makes no sense, point at the fault more loudly."""
        event.stop()
        advice = self.query_one(Advice)
        if self.fault is None:
            self._apply(event.value)
            self.close()
        else:
            advice.loud = True
            advice.repaint()

    def _follow_cursor(self) -> None:
        """Scroll to the cursor, which the input does not for a text that came all at once."""
        field = self.query_one(Input)
        at = width_of(field.value[: field.cursor_position])
        field.scroll_to_region(Region(at, 0, 1, 1), force=True, animate=False)

    def _apply(self, text: str) -> None:
        if self.fault is None:
            self.post_message(self.Changed(parse_for_screen(text) if text.strip() else None))

    def _follow(self) -> None:
        self._advise(self.query_one(Input).value)

    def _advise(self, text: str) -> None:
        """Say what is wrong or worth knowing about a text, and what may follow at the cursor.

        When keys come fast it is not the newest text, but each gets its turn.
        """
        field, advice = self.query_one(Input), self.query_one(Advice)
        advice.fault, advice.note = None, ""
        try:
            if text.strip():
                advice.note = _note(parse_for_screen(text))
        except FilterError as fault:
            advice.fault = fault
            # What ends too early, or in a value that is none yet, is still being typed.
            advice.loud = " " in text[fault.column - 1 :].strip()
        advice.completion = complete(text, min(field.cursor_position, len(text)), self.seen)
        if advice.fault is None and advice.completion.unsettled:
            advice.note = "a word alone means paths that contain it: Enter takes it so"
        advice.chosen = 0
        self._place_mark()

    def _place_mark(self) -> None:
        """Keep the mark below its character, wherever the text has been scrolled to."""
        field, advice = self.query_one(Input), self.query_one(Advice)
        if advice.fault is not None:
            before = width_of(field.value[: advice.fault.column - 1])
            advice.mark = len(_LABEL) + before - round(field.scroll_x)
        advice.repaint()


def _note(expression: Expression) -> str:
    """Return what a user would wonder about: parts that leave some of the screen as it is."""
    reached = {reach(part): part for part in conjuncts(expression)}
    if "requests" in reached:
        return f"live requests only, as endpoints do not know it: {reached['requests']}"
    if "endpoints" in reached:
        return f"endpoints only, as live requests do not know it: {reached['endpoints']}"
    return ""
