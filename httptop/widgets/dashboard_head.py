"""The top of the dashboard: the title, and the main figures of the shown side."""

from __future__ import annotations

from dataclasses import dataclass

from rich.style import Style
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import Totals
from httptop.view.state import Scene, View
from httptop.widgets.painting import Line, Painted, beside, spread
from httptop.widgets.sparkline import Symbols, ceiling, graph, trend


class TitleLine(Painted):
    """Shows name, host, uptime and the two sides; a banner while paused."""

    DEFAULT_CSS = """
    TitleLine { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.scene = Scene(None, View())
        self.newest_at: float | None = None

    def show(self, scene: Scene, newest_at: float | None) -> None:
        """Show a scene; ``newest_at``: the Unix time of the newest snapshot, shown or not."""
        self.scene, self.newest_at = scene, newest_at
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        scene, glyphs = self.scene, self.glyphs
        text, muted, strong = self.hue("text"), self.hue("muted"), self.hue("strong")
        snapshot, view = scene.snapshot, scene.view
        left = Line().add(" httptop", self.hue("accent") + Style(bold=True))
        if snapshot is not None:
            left.add("  ", text).add(self._host(snapshot.host, max(8, width - 62)), strong)
            left.add(f"  up {humanize.clock(snapshot.uptime_s)}", muted)
        left.add("  ", text)
        shown = f" {view.side.upper()} side {scene.side_rows} "
        left.add(shown, self.hue("chip") + Style(bold=True))
        toggle = Style.from_meta({"@click": "screen.toggle_side"})
        left.add(f" {view.other_side()} {scene.other_rows} (Tab)", muted + toggle)
        right = Line()
        if view.paused:
            behind = ""
            if snapshot is not None and self.newest_at is not None:
                behind = f" {humanize.clock(self.newest_at - snapshot.taken_at)} behind"
            banner = f" {glyphs.pause} PAUSED{behind}, p resumes "
            if left.used + len(banner) + 1 > width:
                banner = f" {glyphs.pause} PAUSED "
            right.add(banner, self.hue("banner"))
        elif snapshot is not None:
            right.add(glyphs.live, self.hue("good"))
            window = f" last {snapshot.window_s:g}s"
            if left.used + 42 < width:
                window += f" {glyphs.dot} every {snapshot.interval_s:g}s"
            right.add(f"{window} ", muted)
        return [spread(left, right, width, text)]

    def _host(self, host: str, room: int) -> str:
        """Return the host name, shortened to leave ``room`` for the rest."""
        return host if len(host) <= room else self.fit(host, room)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of the head with its trend."""

    label: str
    short: str
    value: str
    note: str
    hue: str
    values: tuple[float | None, ...]
    top: float


def metrics(totals: Totals, rps: float, units: Units) -> tuple[Metric, Metric, Metric, Metric]:
    """Return the four figures of the head; ``rps`` is the current rate, the others the window's."""
    latency = totals.latency
    known = latency.count > 0
    peak = max(totals.trend_rps, default=0.0)
    slow = ceiling(totals.trend_p99_ns)
    return (
        Metric(
            "requests/s",
            "REQ/S",
            humanize.rate(rps),
            f"peak {humanize.rate(peak)}",
            "rate",
            totals.trend_rps,
            ceiling(totals.trend_rps),
        ),
        Metric(
            "errors",
            "ERR",
            humanize.percent(totals.error_share),
            f"{humanize.count(totals.in_flight)} in flight",
            "error" if totals.error_share else "muted",
            totals.trend_error_share,
            ceiling(totals.trend_error_share, 0.05),
        ),
        Metric(
            "p50",
            "P50",
            units.duration(latency.p50_ns if known else None),
            f"p95 {units.duration(latency.p95_ns if known else None)}",
            "p50",
            totals.trend_p50_ns,
            ceiling(totals.trend_p50_ns),
        ),
        Metric(
            "p99",
            "P99",
            units.duration(latency.p99_ns if known else None),
            f"max {units.duration(latency.max_ns if known else None)}",
            "p99",
            totals.trend_p99_ns,
            slow,
        ),
    )


class HeadGraphs(Painted):
    """Shows requests per second, error share, p50 and p99, each with its trend.

    One line high, it shows figures and short trends; higher, two by two graphs::

        requests/s 27.1k   peak 30.2k   errors 1.2%   16 in flight
        ⣀⣤⣶⣿⣿⣿⣶⣤⣀⣀⣤⣶⣿⣿⣿⣶⣤⣀   ⣀⣀⣀⣠⣤⣀⣀⣀⣀⣀⣀⣀⣀⣀
        p50 1.2ms         p95 8.1ms   p99 45.0ms     max 1.2s
        ⣀⣤⣶⣿⣿⣿⣶⣤⣀⣀⣤⣶⣿⣿⣿⣶⣤⣀   ⣀⣀⣀⣠⣤⣀⣀⣀⣀⣀⣀⣀⣀⣀
    """

    DEFAULT_CSS = """
    HeadGraphs { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.totals = Totals()
        self.rps = 0.0
        self.units = DEFAULT_UNITS

    def show(self, scene: Scene, units: Units) -> None:
        """Show the totals of a scene."""
        self.totals, self.rps, self.units = scene.totals, scene.rps, units
        self.repaint()

    def paint(self, width: int, height: int, /) -> list[Strip]:
        """Return one line, or two rows of two graphs."""
        figures = metrics(self.totals, self.rps, self.units)
        if height < 4:
            return [self._one_line(figures, width)]
        gap = 3
        half = (width - gap) // 2
        upper = height // 2
        lines: list[Strip] = []
        for pair, lines_high in ((figures[:2], upper), (figures[2:], height - upper)):
            blocks = [self._graph(metric, half, lines_high) for metric in pair]
            lines += beside(blocks[0], blocks[1], half, gap, self.hue("text"))
        return lines

    def _graph(self, metric: Metric, width: int, height: int) -> list[Strip]:
        hue = self.hue(metric.hue)
        text, muted = self.hue("text"), self.hue("muted")
        left = Line().add(f"{metric.label} ", muted).add(metric.value, hue + Style(bold=True))
        lines = [spread(left, Line().add(metric.note, muted), width, text)]
        for drawn in graph(metric.values, width, height - 1, self.symbols, metric.top):
            lines.append(Line().add(drawn, hue).strip())
        return lines

    def _one_line(self, figures: tuple[Metric, ...], width: int) -> Strip:
        text, muted = self.hue("text"), self.hue("muted")
        cells = (width - 2) // len(figures)
        line = Line().space(1, text)
        for index, metric in enumerate(figures):
            hue = self.hue(metric.hue)
            start = 1 + index * cells
            line.to(start, text).add(f"{metric.short} ", muted)
            line.add(metric.value, hue + Style(bold=True)).space(1, text)
            room = start + cells - 2 - line.used
            if room >= 3:
                line.add(trend(metric.values, room, self.symbols, metric.top), hue)
        return line.strip()
