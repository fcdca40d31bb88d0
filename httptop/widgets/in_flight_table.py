"""The list of requests in flight: a line for each, the oldest first; one is selected."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import UNIX_PEER, EndpointKey, Side
from httptop.view.in_flight import InFlightScene, Waiting
from httptop.view.state import View
from httptop.widgets.bindings import row_meanings
from httptop.widgets.painting import Line, Painted, Palette, fit, width_of
from httptop.widgets.scrolled import Scrolled
from httptop.widgets.sparkline import GLYPHS, Symbols, bar

_WIDE_FROM: Final = 100
_METHOD: Final = 7
_LEAST_PATH: Final = 8
#: The greatest width of the bars beside the ages, in cells.
_AGE_BAR: Final = 10


def age_hue(one: Waiting) -> str:
    """Return the hue of a request's age: striking if it hangs, inconspicuous if it is usual."""
    if one.hangs:
        return "bad"
    return "warn" if one.times is not None else "text"


def beyond(one: Waiting, symbols: Symbols) -> str:
    """Return how far a request is beyond its endpoint's p99: ``▲×5``, at most 7 cells; or empty."""
    times, glyphs = one.times, GLYPHS[symbols]
    if times is None:
        return ""
    shown = f"{times:.1f}" if times < 9.95 else humanize.count(times)
    return f"{glyphs.up}{glyphs.remove}{shown}"


def caller_heading(side: Side) -> str:
    """Return what the other end of a side's requests is called."""
    return "CALLER" if side == "server" else "SERVER"


def caller(one: Waiting) -> str:
    """Return who is at the other end, as far as it is known: a process of this host, an address."""
    request = one.request
    if request.peer_process:
        pid = "" if request.peer_pid is None else f":{request.peer_pid}"
        return f"{request.peer_process}{pid}"
    peer = request.peer
    return "Unix socket" if peer == UNIX_PEER else peer


def process(one: Waiting, width: int, ellipsis: str) -> str:
    """Return process and pid; the name is shortened first."""
    request = one.request
    pid = "" if request.pid is None else f":{request.pid}"
    name, room = request.key.process, max(width - len(pid), 1)
    return f"{name if width_of(name) <= room else fit(name, room, 'left', ellipsis)}{pid}"


def waiting_line(one: Waiting, width: int, hue: Palette, symbols: Symbols, units: Units) -> Line:
    """Return the line of a request."""
    text, muted, ellipsis = hue("text"), hue("muted"), GLYPHS[symbols].ellipsis
    wide, (age, name, path, peer) = width >= _WIDE_FROM, _widths(width, units)
    usual = "-" if not one.usual.count else units.duration(one.usual.p99_ns)
    key = one.request.key
    line = Line().space(1, text)
    line.add(units.age(one.request.age_ns), hue(age_hue(one)), age, "right").space(1, text)
    line.add(beyond(one, symbols), hue(age_hue(one)), 7).space(1, text)
    if wide:
        line.add("p99 " if one.usual.count else "", muted, 4)
    line.add(usual, muted, age, "right").space(1, text)
    line.add(process(one, name, ellipsis), hue("accent"), name).space(1, text)
    line.add(fit(key.method, _METHOD, "left", ellipsis), muted).space(1, text)
    line.add(fit(key.path, path, "left", ellipsis), hue("strong")).space(1, text)
    return line.add(fit(caller(one), peer, "left", ellipsis), muted)


def heading_line(side: Side, width: int, hue: Palette, symbols: Symbols, units: Units) -> Line:
    """Return the line above."""
    heading, loud = hue("heading"), hue("accent") + Style(bold=True)
    age, name, path, peer = _widths(width, units)
    line = Line().space(1, heading).add(f"{GLYPHS[symbols].down}AGE", loud, age, "right")
    line.space(1, heading).add("NORMALLY", heading, 8 + (4 if width >= _WIDE_FROM else 0) + age)
    line.space(1, heading).add("PROCESS:PID", heading, name).space(1, heading)
    line.add("METHOD", heading, _METHOD).space(1, heading)
    line.add("PATH", heading, path).space(1, heading)
    return line.add(caller_heading(side), heading, peer)


def _widths(width: int, units: Units) -> tuple[int, int, int, int]:
    """Return the widths of age, process, path and caller."""
    age = max(6, units.latency_width)
    name, peer = (14, 15) if width < _WIDE_FROM else (18, 15) if width < 130 else (22, 39)
    usual = 8 + (4 if width >= _WIDE_FROM else 0) + age
    path = width - 1 - age - usual - name - _METHOD - peer - 5
    return age, name, max(path, _LEAST_PATH), peer


class InFlightTable(Scrolled):
    """Shows requests in flight. The first line of the content, the header, does not scroll.

    Those younger than is usual have no lines of their own unless they are asked for: the last line
    tells how many they are.
    """

    MEANINGS = row_meanings("request", "open its endpoint") | {
        "fold": "show or hide those younger than usual"
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "Show or hide those younger than usual", show=False)
    ]
    DEFAULT_CSS = """
    InFlightTable { height: 1fr; }
    """

    class Opened(Message):
        """The user wants to see the endpoint of a request."""

        def __init__(self, key: EndpointKey) -> None:
            self.key = key
            super().__init__()

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.scene = InFlightScene(None, View())
        self.units = DEFAULT_UNITS
        #: Whether those younger than is usual have lines of their own.
        self.unfolded = False
        self.listed: tuple[Waiting, ...] = ()
        #: Line of the cursor; it stays with its request once it was moved.
        self.cursor_row = 0
        self._moved = False

    @property
    def selected(self) -> Waiting | None:
        """The request under the cursor."""
        return self.listed[self.cursor_row] if self.cursor_row < len(self.listed) else None

    def show(self, scene: InFlightScene, units: Units) -> None:
        """Show the requests of a scene."""
        other_side = scene.view.side != self.scene.view.side
        self.scene, self.units = scene, units
        if other_side:
            self._moved, self.cursor_row = False, 0
        self._list()
        self.repaint()

    def _list(self) -> None:
        """List the requests; the cursor stays with its one, or in its line if that is over."""
        before = self.selected
        self.listed = self.scene.listed(young=self.unfolded)
        if self._moved and before is not None:
            places = (at for at, one in enumerate(self.listed) if one.identity == before.identity)
            self.cursor_row = next(places, self.cursor_row)
        self.cursor_row = max(0, min(self.cursor_row, len(self.listed) - 1))
        self._fit_size()

    def _fit_size(self) -> None:
        self.virtual_size = Size(self.size.width, 1 + len(self.listed) + len(self._below()))

    # Painting

    def state(self) -> tuple[object, ...]:
        """Return what lines are in sight, and where the cursor is."""
        return self.scroll_offset.y, self.cursor_row, self.has_focus

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return the header, the requests in sight, and what is said below them."""
        scene, first = self.scene, self.scroll_offset.y
        side, hue = scene.view.side, self.hue
        lines = [heading_line(side, width, hue, self.symbols, self.units).strip()]
        for at, one in enumerate(self.listed[first : first + height - 1], start=first):
            line = waiting_line(one, width, hue, self.symbols, self.units).strip()
            if at == self.cursor_row:
                line = self.on_cursor(line, width, mark=self.has_focus)
            lines.append(line)
        for text in self._below()[max(0, first - len(self.listed)) :]:
            lines.append(Line().add(f" {text}", hue("muted")).strip())
        return lines

    def _below(self) -> list[str]:
        """Return the lines below the requests."""
        scene, said = self.scene, []
        if not scene.waiting:
            return [_nothing(scene)]
        dots = self.glyphs.ellipsis
        if young := scene.young:
            them = "Space hides them" if self.unfolded else "Space shows them"
            said.append(f"{dots} {young} younger than usual, {them}")
        if scene.unlisted:
            said.append(f"{dots} {scene.unlisted:,} more, younger than all that are listed")
        return said

    # Moving

    def _page(self) -> int:
        return max(self.scrollable_content_region.height - 1, 1)

    def _select(self, row: int) -> None:
        if not self.listed:
            return
        self.cursor_row = max(0, min(row, len(self.listed) - 1))
        self._moved = self.cursor_row > 0
        top = self.scroll_offset.y
        if self.cursor_row < top:
            self.scroll_to(y=self.cursor_row, animate=False)
        elif self.cursor_row >= top + self._page():
            self.scroll_to(y=self.cursor_row - self._page() + 1, animate=False)
        self.repaint()

    def action_move(self, rows: int) -> None:
        """Move the cursor by a number of requests."""
        self._select(self.cursor_row + rows)

    def action_page(self, pages: int) -> None:
        """Move the cursor by a page."""
        self._select(self.cursor_row + pages * self._page())

    def action_edge(self, last: int) -> None:
        """Move the cursor to the oldest request, or to the youngest."""
        self._select(len(self.listed) - 1 if last else 0)

    def action_open(self) -> None:
        """Ask for the endpoint of the request under the cursor."""
        if (one := self.selected) is not None:
            self.post_message(self.Opened(one.request.key))

    def action_fold(self) -> None:
        """Show those younger than is usual, or hide them."""
        self.unfolded = not self.unfolded
        self._list()
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """Select a request and open its endpoint on a double-click; show or hide younger ones."""
        _, y = event.get_content_offset_capture(self)
        row = y - 1 + self.scroll_offset.y
        if y > 0 and row < len(self.listed):
            self._select(row)
            if event.chain >= 2:
                self.action_open()
        elif row == len(self.listed) and self.scene.young:
            self.action_fold()

    def on_resize(self) -> None:
        """Keep the cursor in sight when the terminal shrinks."""
        self._fit_size()
        if self._moved:
            self._select(self.cursor_row)


def _nothing(scene: InFlightScene) -> str:
    if scene.snapshot is None:
        return "No snapshot has arrived yet."
    if not scene.known and scene.snapshot is not None and scene.snapshot.hosts:
        return "Unknown: hosts say how many requests are in flight, and nothing of each."
    if not scene.known:
        return "Unknown: a capture has them only if it was recorded with --in-flight."
    what = "that matches the filter " if scene.view.filtered else ""
    return f"No request {what}is in flight on the {scene.view.side} side."


class Ages(Painted):
    """Shows how many of the requests are how old."""

    DEFAULT_CSS = """
    Ages { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.scene = InFlightScene(None, View())

    def show(self, scene: InFlightScene) -> None:
        """Show the ages of a scene."""
        self.scene = scene
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line: the oldest first, as in the list."""
        counts, line = self.scene.by_age[::-1], Line().add(" ages ", self.hue("muted"))
        names = ("10s and more", "1-10s", "0.1-1s", "under 0.1s")
        hues = ("bad", "warn", "text", "text")
        fixed = sum(
            len(name) + len(humanize.count(n)) + 4 for name, n in zip(names, counts, strict=True)
        )
        cells = max(0, min(_AGE_BAR, (width - line.used - fixed) // len(names)))
        most = max(counts) or 1
        for name, hue, n in zip(names, hues, counts, strict=True):
            quiet = self.hue("faint" if not n else "muted")
            line.add(f"{name} ", quiet).add(bar(n / most, cells, self.symbols), self.hue(hue))
            line.add(f" {humanize.count(n)}  ", self.hue(hue if n else "faint"))
        return [line.strip()]
