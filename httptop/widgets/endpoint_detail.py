"""The page of one endpoint: facts, trend, percentiles, responses, recent requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import (
    EndpointKey,
    EndpointStats,
    Snapshot,
    StatusLatency,
    Transaction,
)
from httptop.view.band_history import BandHistory
from httptop.view.rows import row_of
from httptop.view.since_start import row_since_start
from httptop.view.window import covered
from httptop.widgets.bindings import bindings, row_meanings
from httptop.widgets.endpoint_requests import (
    CHOICES,
    Choice,
    EndpointInFlight,
    Sampled,
    SampledRequests,
    requests_section,
    requests_title,
)
from httptop.widgets.endpoint_tables import (
    TIMES_WIDTH,
    latency_table,
    responses_table,
    times_of,
)
from httptop.widgets.latency_panel import latency_panel
from httptop.widgets.painting import (
    Hued,
    Line,
    beside,
)
from httptop.widgets.party_tables import Parties, parties_of, party_table
from httptop.widgets.sparkline import Symbols, capacity, ceiling, graph, stretched
from httptop.widgets.time_axis import tick_of

_GRAPH_HEIGHT = 6
#: Where figures stand, behind the time that they are of.
_FIGURES_AT = 13


class EndpointDetail(Hued, ScrollView, can_focus=True):
    """The page of one endpoint; it scrolls if the terminal is too low."""

    MEANINGS = row_meanings("request", "open the request")
    BINDINGS: ClassVar[list[BindingType]] = bindings("table")
    DEFAULT_CSS = """
    EndpointDetail { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }
    """

    def __init__(self, key: EndpointKey, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.key = key
        self.stats: EndpointStats | None = None
        self.by_status: Mapping[int, StatusLatency] = {}
        self.parties: Parties | None = None  # None: not known
        self.requests = SampledRequests()
        self.in_flight = EndpointInFlight()
        self._sampled: Sampled = lambda _: []
        self._first_request = 0  # the line of the first request
        self.window = ""  # what it covers; empty: only the figures since start are shown
        self.units = DEFAULT_UNITS
        self._history = BandHistory(key)
        self._newest, self._interval_s = 0, 1.0
        self._lines: list[Strip] = []
        self._painted_for = 0

    def show(
        self,
        snapshot: Snapshot | None,
        units: Units,
        sampled: Sampled,
        *,
        since_start: bool = False,
    ) -> None:
        """Show the newest figures; an endpoint that is gone keeps its last ones.

        ``sampled`` returns its sampled requests. ``since_start``: show no figures of the window.
        """
        self.units, self._sampled = units, sampled
        if snapshot is None:
            return
        looked_at = snapshot.looked_at
        if (stats := row_of(snapshot.endpoints, self.key)) is not None:
            self.stats = row_since_start(stats, snapshot.uptime_s) if since_start else stats
            self.by_status = stats.latency_by_status or {}
            self.parties = parties_of(stats, looked_at, since_start=since_start)
            if looked_at is not None and looked_at.key == self.key:
                self.by_status = looked_at.latency_by_status
        self.requests.show(sampled)
        self.in_flight.show(snapshot, self.key)
        self.window = "" if since_start else covered(snapshot)
        self._history.note(snapshot)
        self._newest, self._interval_s = tick_of(snapshot), snapshot.interval_s
        self._paint()

    def switch(self, key: EndpointKey) -> None:
        """Have the page be another endpoint's."""
        self.key, self.stats, self.by_status, self.parties = key, None, {}, None
        self.requests = SampledRequests(self.requests.choice)
        self.in_flight = EndpointInFlight()
        self._history = BandHistory(key)
        self.scroll_to(y=0, animate=False)

    def on_resize(self) -> None:
        """Lay out the page again."""
        self._paint()

    def notify_style_update(self) -> None:
        """Paint again in the new colours."""
        super().notify_style_update()
        self._painted_for = 0

    def render_line(self, y: int) -> Strip:
        """Return one line of the page."""
        width = self.scrollable_content_region.width
        if self._painted_for != width:
            self._paint()
        index = y + self.scroll_offset.y
        base = self.rich_style
        if index >= len(self._lines):
            return Strip.blank(width, base)
        line = self._lines[index].adjust_cell_length(width, base)
        if self.requests.shown and index == self._first_request + self.requests.at:
            return self.on_cursor(line, width, mark=self.has_focus)
        return line

    # Choosing a request

    class Opened(Message):
        """The user wants to see the details of a request."""

        def __init__(self, request: Transaction) -> None:
            self.request = request
            super().__init__()

    @property
    def _height(self) -> int:
        return max(self.scrollable_content_region.height, 1)

    def _choose(self, at: int) -> None:
        """Choose a recent request and bring it into sight."""
        held = self.requests.held
        self.requests.choose(at)
        line, top = self._first_request + self.requests.at, self.scroll_offset.y
        if not top <= line < top + self._height:
            self.scroll_to(y=line if line < top else line - self._height + 1, animate=False)
        if held == self.requests.held:
            self.refresh()
        else:  # the title of the list says so
            self._paint()

    def action_move(self, rows: int) -> None:
        """Choose the next request, or scroll as long as the chosen one is not in sight."""
        requests, top = self.requests, self.scroll_offset.y
        below = self._first_request + requests.at >= top + self._height
        if not requests.shown or (below if rows > 0 else below or not requests.at):
            self.scroll_relative(y=rows, animate=False)
        else:
            self._choose(requests.at + rows)

    def switch_requests(self, choice: Choice | None) -> None:
        """Show another list of requests, the next one if none is named, and bring it into sight."""
        now = CHOICES.index(self.requests.choice)
        self.requests.switch(choice or CHOICES[(now + 1) % len(CHOICES)], self._sampled)
        self._paint()
        self.scroll_to(y=max(self._first_request - 2, 0), animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by a page."""
        self.scroll_relative(y=pages * self._height, animate=False)

    def action_edge(self, last: int) -> None:
        """Choose the oldest request; or the newest one, and scroll to the top."""
        if self.requests.shown:
            self._choose(len(self.requests.shown) - 1 if last else 0)
        self.scroll_to(y=self.max_scroll_y if last else 0, animate=False)

    def action_open(self) -> None:
        """Ask for the details of the chosen request."""
        if (request := self.requests.chosen) is not None:
            self.post_message(self.Opened(request))

    def on_click(self, event: events.Click) -> None:
        """Choose a request; open it on a double-click."""
        _, y = event.get_content_offset_capture(self)
        at = y + self.scroll_offset.y - self._first_request
        if 0 <= at < len(self.requests.shown):
            self._choose(at)
            if event.chain >= 2:
                self.action_open()

    # Painting

    def _paint(self) -> None:
        width = self.scrollable_content_region.width
        self._painted_for = width
        self._lines = self._page(width) if self.stats is not None and width > 20 else []
        self.virtual_size = Size(self.size.width, len(self._lines))
        self.refresh()

    def _page(self, width: int) -> list[Strip]:
        stats = self.stats
        assert stats is not None
        text = self.hue("text")
        inner = width - 2
        hangs: list[Strip] = []  # what hangs comes first
        if self.in_flight.hangs:
            title = self._title("IN FLIGHT", "the oldest first", inner)
            lines = self.in_flight.lines(self.hue, self.symbols, self.units)
            hangs = [Strip([]), title, *lines]
        blocks = [*self._facts(stats, inner), *hangs, Strip([]), *self._over_time(stats, inner)]
        further = TIMES_WIDTH * max(len(times_of(stats)) - 2, 0)  # the first two always fit
        latency_width = 51 + further if inner >= 96 else min(inner, 60 + further)
        note = "wait: sampled" if stats.wait_total.count else ""
        latency = [
            self._title("LATENCY", note, latency_width),
            *latency_table(stats, self.window, self.units, self.hue),
        ]
        responses_width = inner - latency_width - 4 if inner >= 96 else min(inner, 60)
        responses = [
            self._title("RESPONSES", "since start", responses_width),
            *responses_table(
                stats, self.by_status, responses_width, self.units, self.symbols, self.hue
            ),
        ]
        if inner >= 96:
            blocks += [Strip([]), *beside(latency, responses, latency_width, 4, text)]
        else:
            blocks += [Strip([]), *latency, Strip([]), *responses]
        blocks += self._parties(stats, inner)
        shown = self.requests, self.in_flight
        title = requests_title(*shown, inner, self.hue, self.symbols)
        margin = Strip([*Line().space(1, text).segments])
        lines = [Strip.join([margin, line]) for line in [*blocks, Strip([]), title]]
        self._first_request = len(lines) + 1
        return lines + requests_section(*shown, width, self.hue, self.symbols, self.units)

    def _title(self, title: str, note: str, width: int) -> Strip:
        faint = self.hue("faint")
        line = Line().add(f"{title} ", self.hue("accent") + Style(bold=True))
        if note:
            line.add(f"{note} ", self.hue("muted"))
        return line.add(self.glyphs.rule * max(width - line.used, 0), faint).strip()

    def _facts(self, stats: EndpointStats, width: int) -> list[Strip]:
        text, muted, strong = self.hue("text"), self.hue("muted"), self.hue("strong")
        dot = f" {self.glyphs.dot} "
        key = stats.key
        pids = ", ".join(map(str, stats.pids)) or "unknown"
        tls = ", over TLS" if key.tls else ""
        who = Line().add(key.process, self.hue("accent"))
        user = f"{dot}host {key.host}" if key.host else ""
        user += f"{dot}user {key.user}" if key.user else ""
        where = f"{dot}container {', '.join(stats.containers)}" if stats.containers else ""
        port = f"{dot}port {key.port}" if key.port else ""
        who.add(
            f"{user}{where}{dot}pid {pids}{dot}{key.side} side{port}{dot}{key.protocol}{tls}", muted
        )
        lines = [who.strip(), Strip([])]
        for time, figures in self._figures(stats):
            line = Line().add(time, self.hue("heading"), _FIGURES_AT)
            for label, value, hue in figures:
                if line.used + len(label) + len(value) + 1 > width:
                    lines.append(line.strip())
                    line = Line().space(_FIGURES_AT, text)
                style = strong if hue == "text" else self.hue(hue) + Style(bold=True)
                line.add(f"{label} ", muted).add(value, style).space(3, text)
            lines.append(line.strip())
        return lines

    def _figures(
        self, stats: EndpointStats
    ) -> tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]:
        """Return label, text and hue of the figures of the window, and of those since start."""
        share = humanize.percent(stats.error_share)
        now: tuple[tuple[str, str, str], ...] = (
            ("req/s", humanize.rate(stats.rps), "rate"),
            ("errors", share, "5xx" if stats.error_share else "text"),
            ("in flight", "-" if stats.in_flight is None else f"{stats.in_flight:,}", "text"),
        )
        if stats.oldest_in_flight_ns is not None:
            now = (*now, ("oldest", self.units.age(stats.oldest_in_flight_ns), "text"))
        total = (
            ("requests", f"{stats.requests:,}", "text"),
            ("errors", f"{stats.errors:,}", "5xx" if stats.errors else "text"),
            ("unanswered", f"{stats.unanswered:,}", "none" if stats.unanswered else "text"),
            ("request bytes", self.units.size(stats.request_bytes), "text"),
            ("response bytes", self.units.size(stats.response_bytes), "text"),
        )
        return (f"LAST {self.window}" if self.window else "", now), ("SINCE START", total)

    def _parties(self, stats: EndpointStats, width: int) -> list[Strip]:
        """Return who has the requests, by peer and by process, as far as that is known."""
        half = (width - 4) // 2 if width >= 96 else min(width, 60)
        tables = []
        if (known := self.parties) is None:
            return []
        span = "since start" if known.since_start else f"last {self.window}"
        for title, name, parties in (
            ("BY PEER", "FROM" if stats.key.side == "server" else "TO", known.peers),
            ("BY PROCESS", "PID", known.pids),
        ):
            if parties:
                table = party_table(
                    name, parties, half, self.units, self.symbols, self.hue,
                    since_start=known.since_start,
                )  # fmt: skip
                tables.append([self._title(title, span, half), *table])
        if width >= 96 and len(tables) == 2:
            peers, processes = tables
            return [Strip([]), *beside(peers, processes, half, 4, self.hue("text"))]
        return [line for table in tables for line in (Strip([]), *table)]

    def _over_time(self, stats: EndpointStats, width: int) -> list[Strip]:
        """Return the map of latencies, or the trend where single latencies are not known."""
        if not self._history.all:
            return self._trend(stats, width)
        note = "since this page was opened; darker: more responses"
        panel = latency_panel(
            self._history, self._newest, self._interval_s, width, self.symbols, self.hue
        )
        return [self._title("LATENCY OVER TIME", note, width), *panel]

    def _trend(self, stats: EndpointStats, width: int) -> list[Strip]:
        faint, hue = self.hue("faint"), self.hue("trend")
        axis = self.units.latency_width + 2
        cells = width - axis
        room = capacity(cells, self.symbols)
        shown = stretched(stats.trend_ns[-room:], room)
        top = ceiling(shown)
        known = any(value is not None for value in shown)
        lines = [
            self._title(
                "LATENCY TREND", "P99 of the window at each tick, newest on the right", width
            )
        ]
        drawn = graph(shown, cells, _GRAPH_HEIGHT, self.symbols, top)
        for index, marks in enumerate(drawn):
            label = ""
            if known and index == 0:
                label = self.units.duration(top)
            elif known and index == _GRAPH_HEIGHT // 2:
                label = self.units.duration(top * (1 - index / _GRAPH_HEIGHT))
            elif index == _GRAPH_HEIGHT - 1:
                label = "0"
            line = Line().add(label, self.hue("muted"), axis - 2, "right").space(2, faint)
            lines.append(line.add(marks, hue).strip())
        return lines
