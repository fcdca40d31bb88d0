"""The tables of watches and of their events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.view.watch_texts import lasting, subject_text, value_text
from httptop.view.watches import Event, WatchState
from httptop.widgets.bindings import bindings, row_meanings
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.painting import Align
from httptop.widgets.sparkline import Symbols

_NO_ORDER: Final = ("", False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the table is in an order of its own."""

    title: str
    align: Align = "left"
    sort: str = " "


_ON, _WHAT, _LIMIT = Column(""), Column("WHAT"), Column("LIMIT", "right")
_NOW, _STATE = Column("NOW", "right"), Column("STATE")
_TIME, _SIDE, _EVENT = Column("SINCE"), Column("SIDE"), Column("WHAT")
_WORST = Column("WORST", "right")
_LASTED = Column("LASTED")


class WatchTable(CursorTable):
    """Shows what is watched: limit, value now, and for how long it has passed that."""

    MEANINGS = row_meanings("watch", "go to its newest event")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "switch", "On or off", show=False),
        *bindings("table"),
    ]

    class Switched(Message):
        """A watch is to be switched on or off."""

        def __init__(self, n: int) -> None:
            self.n = n
            super().__init__()

    class Opened(Message):
        """The user wants to see the events of a watch."""

        def __init__(self, n: int) -> None:
            self.n = n
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.states: tuple[WatchState, ...] = ()
        self.units = DEFAULT_UNITS

    def show(self, states: tuple[WatchState, ...], units: Units) -> None:
        """Show watches."""
        self.states, self.units = states, units
        self.stay_with(self.cursor_row, range(len(states)))
        on = sum(1 for state in states if state.on)
        self.set_title(
            f"watches {len(states)}" + (f" {self.glyphs.dot} {on} alerting" if on else "")
        )
        self.repaint()

    @property
    def columns(self) -> Sequence[tuple[Column, int]]:
        """The columns with their widths."""
        limit, now, state = 12, 7, 14
        what = max(8, self.canvas().width - 1 - 1 - limit - now - state - 5)
        return ((_ON, 1), (_WHAT, what), (_LIMIT, limit), (_NOW, now), (_STATE, state))

    order = _NO_ORDER
    has_selection = True

    @property
    def count(self) -> int:
        """The number of watches."""
        return len(self.states)

    def cells(self, row: int) -> Iterator[tuple[str, str]]:
        """Yield what the columns show of a watch."""
        state, glyphs = self.states[row], self.glyphs
        watch = state.watch
        off, on = not state.enabled, bool(state.on)
        texts = (
            (" " if off else glyphs.live, "muted" if off else "bad" if on else "good"),
            (f"{watch.scope_text} {glyphs.dot} {watch.measure}", "muted" if off else "strong"),
            (f"{watch.operator} {watch.limit_text}", "muted"),
            (value_text(watch, state.worst, self.units.duration), "bad" if on else "text"),
            (self._state(state), "bad" if on else "muted"),
        )
        for (text, hue), (column, cells) in zip(texts, self.columns, strict=True):
            yield self.fit(text, cells, column.align), hue

    def _state(self, state: WatchState) -> str:
        if not state.enabled:
            return "off"
        if not state.on:
            return "ok" if state.known else "unknown"
        lasted = lasting(state.seconds, at_least=state.at_least)
        if state.ending:
            return f"ending, {lasted}"
        number = f"{state.on}, " if state.on > 1 else ""
        return f"{self.glyphs.up} {number}{lasted}"

    def select(self, row: int) -> None:  # noqa: ARG002
        """Draw the cursor where it is now."""
        self.repaint()

    def action_switch(self) -> None:
        """Ask to switch the watch under the cursor on or off."""
        if self.states:
            self.post_message(self.Switched(self.cursor_row))

    def action_open(self) -> None:
        """Ask for the events of the watch under the cursor."""
        if self.states:
            self.post_message(self.Opened(self.cursor_row))


class EventTable(CursorTable):
    """Shows events, the newest first; the cursor stays with its event once it was moved."""

    MEANINGS = row_meanings("event", "go to when it began, and open its endpoint")

    class Opened(Message):
        """The user wants to see what an event is about."""

        def __init__(self, event: Event) -> None:
            self.event = event
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.events: tuple[Event, ...] = ()
        self.units = DEFAULT_UNITS
        self._selected: int | None = None  # number of the event; None: the newest

    def show(self, events: tuple[Event, ...], units: Units) -> None:
        """Show events."""
        self.events, self.units = events, units
        if self._selected is None:
            self.cursor_row = 0
        self.stay_with(self._selected, [event.number for event in events])
        on = sum(1 for event in events if event.on)
        still = f" {self.glyphs.dot} {on} ongoing" if on else ""
        self.set_title(f"events {len(events)}{still}")
        self.repaint()

    def point_at(self, number: int) -> None:
        """Move the cursor to an event, by its number."""
        self._selected = number
        self.show(self.events, self.units)
        self.bring_into_sight()

    @property
    def columns(self) -> Sequence[tuple[Column, int]]:
        """The columns with their widths."""
        time, side, worst, lasted = 8, 6, 7, 16
        what = max(8, self.canvas().width - 1 - time - side - worst - lasted - 5)
        return ((_TIME, time), (_SIDE, side), (_EVENT, what), (_WORST, worst), (_LASTED, lasted))

    order = _NO_ORDER
    has_selection = True

    @property
    def count(self) -> int:
        """The number of events."""
        return len(self.events)

    def cells(self, row: int) -> Iterator[tuple[str, str]]:
        """Yield what the columns show of an event."""
        event = self.events[row]
        lasted = lasting(event.seconds, at_least=event.at_least) + ", ongoing" * event.on
        texts = (
            (humanize.time_of_day(event.began_at)[:8], "muted"),
            (event.side, "muted"),
            (f"{event.watch.measure} {subject_text(event)}", "strong"),
            (value_text(event.watch, event.worst, self.units.duration), "text"),
            (lasted, "bad" if event.on else "muted"),
        )
        for (text, hue), (column, cells) in zip(texts, self.columns, strict=True):
            yield self.fit(text, cells, column.align), hue

    def select(self, row: int) -> None:
        """Stay with the event under the cursor; with the newest ones on the first line."""
        self._selected = self.events[row].number if row else None
        self.repaint()

    def action_open(self) -> None:
        """Ask for what the event under the cursor is about."""
        if self.events:
            self.post_message(self.Opened(self.events[self.cursor_row]))
