"""The live requests: the newest sampled ones, one per line; one of them can be selected.

Requests arrive faster than anyone can select them. So the list is *held* while it has the focus:
only a change of side or filter changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import STATUS_UNKNOWN, Transaction
from httptop.view.state import Scene, View
from httptop.widgets.bindings import bindings, row_meanings
from httptop.widgets.painting import Line, Painted, Palette, fit, status_hue, width_of
from httptop.widgets.sparkline import GLYPHS, Symbols

_PEER_FROM = 130
_TITLE = "live requests"


def request_lines(
    samples: Sequence[Transaction],
    width: int,
    height: int,
    hue: Palette,
    symbols: Symbols,
    units: Units,
    header: bool = True,
) -> list[Strip]:
    """Return a header and a line for each of the newest samples, at most ``height`` lines."""
    peer = 21 if width >= _PEER_FROM else 0
    process = 16 if width < 100 else 22
    latency = max(8, units.latency_width + 1)
    path = width - 2 - process - 38 - latency - (peer + 1 if peer else 0)
    path = max(path, 8)
    text, muted, heading = hue("text"), hue("muted"), hue("heading")
    lines: list[Strip] = []
    if header:
        line = Line().space(1, heading)
        line.add("TIME", heading, 13).add("PROCESS:PID", heading, process + 1)
        line.add("METHOD", heading, 8).add("PATH", heading, path + 1)
        line.add("STATUS", heading, 6, "right").add("LATENCY", heading, latency, "right")
        line.add("BYTES", heading, 9, "right")
        if peer:
            line.space(1, heading).add("PEER", heading, peer)
        lines.append(line.strip())
    ellipsis = GLYPHS[symbols].ellipsis
    for sample in samples[: max(0, height - len(lines))]:
        bad = sample.status >= 500 or sample.status == STATUS_UNKNOWN
        line = Line().space(1, text)
        line.add(humanize.time_of_day(sample.responded_at), muted, 13)
        line.add(_process(sample, process, ellipsis), hue("accent"), process).space(1, text)
        line.add(sample.key.method, muted, 8)
        shown = fit(sample.path, path, "left", ellipsis)
        line.add(shown, hue(status_hue(sample.status)) if bad else hue("strong")).space(1, text)
        status = str(sample.status) if sample.status != STATUS_UNKNOWN else "none"
        line.add(status, hue(status_hue(sample.status)), 6, "right")
        slow = "warn" if sample.slow else "text"
        line.add(units.duration(sample.latency_ns), hue(slow), latency, "right")
        line.add(units.size(sample.response_bytes), muted, 9, "right")
        if peer:
            line.space(1, text).add(sample.peer or humanize.UNKNOWN, muted, peer)
        lines.append(line.strip())
    return lines


def _process(sample: Transaction, width: int, ellipsis: str) -> str:
    pid = f":{sample.pid}" if sample.pid else ""
    name = sample.key.process
    room = max(width - len(pid), 1)
    if width_of(name) > room:
        name = fit(name, room, "left", ellipsis)
    return f"{name}{pid}"


class LiveRequests(Painted, can_focus=True):
    """Shows the newest sampled requests of the shown side and filter; counts never use them."""

    MEANINGS = row_meanings("request", "open the request")
    BINDINGS: ClassVar[list[BindingType]] = bindings("table")
    DEFAULT_CSS = """
    LiveRequests { height: 5; }
    """

    class Opened(Message):
        """The user wants to see the details of a request."""

        def __init__(self, request: Transaction) -> None:
            self.request = request
            super().__init__()

    class Held(Message):
        """The list was held or released."""

    class Left(Message):
        """Another widget should get the focus."""

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.units = DEFAULT_UNITS
        self.scene = Scene(None, View())
        self.requests: list[Transaction] = []
        #: Whether the list is held, so that a request can be selected.
        self.held = False
        #: While held: the index of the request under the cursor, and of the first visible one.
        self.cursor_row = 0
        self._top = 0

    def on_mount(self) -> None:
        """Set the title of the list."""
        self.set_title(_TITLE)

    def show(self, scene: Scene, units: Units) -> None:
        """Show the samples of a scene, unless the list is held."""
        other = _what(scene.view) != _what(self.scene.view)
        self.scene, self.units = scene, units
        if not self.held:
            self.requests = scene.requests()
        elif other:
            self.requests = scene.requests()
            self.cursor_row = self._top = 0
        self.repaint()

    @property
    def selected(self) -> Transaction | None:
        """The request under the cursor, while held."""
        if not self.held or self.cursor_row >= len(self.requests):
            return None
        return self.requests[self.cursor_row]

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return as many requests as fit, below a header if that fits, too."""
        if not self.requests:
            return [self._nothing()]
        self._top = max(min(self._top, self.cursor_row), self.cursor_row - self._page() + 1)
        shown = self.requests[self._top :]
        header = self._has_header(height)
        lines = request_lines(
            shown, width, height, self.hue, self.symbols, self.units, header=header
        )
        if self.held:
            row = self.cursor_row - self._top + header
            lines[row] = self.on_cursor(lines[row], width)
        return lines

    def _nothing(self) -> Strip:
        snapshot = self.scene.snapshot
        if snapshot is not None and "samples" in snapshot.overhead.shed:
            return (
                Line()
                .add(" no samples for now: httptop exceeds its limits", self.hue("warn"))
                .strip()
            )
        if snapshot is not None and snapshot.hosts:
            return Line().add(" hosts send no single requests", self.hue("muted")).strip()
        return Line().add(" no request sampled yet", self.hue("muted")).strip()

    # Holding

    def hold(self) -> None:
        """Hold the list: keep the requests that it shows, with a cursor on the first."""
        if not self.held:
            self.held = True
            self.cursor_row = self._top = 0
            how = ("held: Enter opens one, Esc resumes", "not bold $hue-warn")
            self.set_title(Content.assemble(f"{_TITLE} ", how))
            self.repaint()
            self.post_message(self.Held())

    def release(self) -> None:
        """Release the list: show the newest requests again."""
        if self.held:
            self.held = False
            self.cursor_row = self._top = 0
            self.set_title(_TITLE)
            self.requests = self.scene.requests()
            self.repaint()
            self.post_message(self.Held())

    def on_focus(self) -> None:
        """Hold the list."""
        self.hold()

    def on_blur(self) -> None:
        """Release the list, unless the whole terminal lost the focus."""
        if self.app.app_focus:
            self.release()

    # Selecting

    @staticmethod
    def _has_header(height: int) -> bool:
        return height >= 4

    def _page(self) -> int:
        return max(self.size.height - self._has_header(self.size.height), 1)

    def _select(self, row: int) -> None:
        if self.requests:
            self.cursor_row = max(0, min(row, len(self.requests) - 1))
            self.repaint()

    def action_move(self, rows: int) -> None:
        """Move the cursor by a number of requests."""
        self._select(self.cursor_row + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a page."""
        self._select(self.cursor_row + pages * self._page())

    def action_fold(self) -> None:
        """Move the cursor by a page; there is nothing that folds."""
        self.action_page(1)

    def action_edge(self, last: int) -> None:
        """Move the cursor to the newest or the oldest request."""
        self._select(len(self.requests) - 1 if last else 0)

    def action_open(self) -> None:
        """Ask for the details of the request under the cursor."""
        if (request := self.selected) is not None:
            self.post_message(self.Opened(request))

    def action_leave(self) -> None:
        """Ask for another widget to get the focus."""
        self.post_message(self.Left())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Hold the list, and move the cursor down."""
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Hold the list, and move the cursor up."""
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, lines: int) -> None:
        event.stop()
        self.hold()
        self.focus()
        self.action_move(lines)

    def on_click(self, event: events.Click) -> None:
        """Select a request; open it on a double-click."""
        _, y = event.get_content_offset_capture(self)
        row = y - self._has_header(self.size.height) + self._top
        if self._top <= row < len(self.requests) and self.held:
            self._select(row)
            if event.chain >= 2:
                self.action_open()


def _what(view: View) -> View:
    """Return a view reduced to the fields that decide which requests are shown."""
    return replace(
        view, sort="", descending=False, selected=None, moves=0, follows=False, paused=False
    )
