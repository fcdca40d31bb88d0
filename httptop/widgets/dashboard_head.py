"""The top of the dashboard: the title, and the main figures of the shown side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from httptop import humanize
from httptop.humanize import DEFAULT_UNITS, Units
from httptop.model import Snapshot
from httptop.view.head import Head
from httptop.view.moment import Moment
from httptop.view.state import Scene, View
from httptop.view.window import window_named, window_of
from httptop.widgets.key_bar import Hint
from httptop.widgets.painting import Line, Painted, errors_hue, spread
from httptop.widgets.sparkline import Symbols, ceiling, trend
from httptop.widgets.time_lines import banner

#: In a narrower line the window is more important than the uptime, and than a key.
_WHOLE_WIDTH: Final = 76


class TitleLine(Painted):
    """Shows name, host, uptime and the two sides; or a banner that says that this is not now."""

    DEFAULT_CSS = """
    TitleLine { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.scene = Scene(None, View())
        self.moment: Moment | None = None
        self._hints: Sequence[Hint] = ()
        self._age = ""

    def show_age(self, text: str) -> None:
        """Show how old the figures are, where they are late, in place of the live mark."""
        if text != self._age:
            self._age = text
            self.repaint()

    def show(self, scene: Scene, moment: Moment | None, hints: Sequence[Hint] = ()) -> None:
        """Show a scene; ``moment`` is None if it is of now, and ``hints`` are its keys."""
        self.scene, self.moment, self._hints = scene, moment, hints
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        scene, glyphs = self.scene, self.glyphs
        text, muted, strong = self.hue("text"), self.hue("muted"), self.hue("strong")
        snapshot, view = scene.snapshot, scene.view
        if self.moment is not None:
            return [self._banner(self.moment, width)]
        left = Line().add(" httptop", self.hue("accent") + Style(bold=True))
        if snapshot is not None:
            left.add("  ", text).add(self._host(snapshot.host, max(8, width - 78)), strong)
            if width >= _WHOLE_WIDTH:
                left.add(f"  up {humanize.clock(snapshot.uptime_s)}", muted)
        left.add("  ", text)
        left.join(self._side())
        toggle = Style.from_meta({"@click": "screen.toggle_side"})
        tab = " (Tab)" if width >= _WHOLE_WIDTH else ""
        left.add(f" {view.other_side()} {scene.other_rows}{tab}", muted + toggle)
        state, windows = Line(), [Line()]
        if snapshot is not None:
            windows = self._windows(snapshot, view)
        if self._age:
            state.add(f"{glyphs.bad} {self._age}", self.hue("warn") + Style(bold=True))
        elif snapshot is not None:
            state.add(glyphs.live, self.hue("good"))
        room = width - left.used - state.used - 1
        window = next((line for line in windows if line.used <= room), Line())
        return [spread(left, state.join(window), width, text)]

    def _side(self) -> Line:
        """Return the name of the shown side, and how many endpoints it has."""
        side, toggle = self.scene.view.side, Style.from_meta({"@click": "screen.toggle_side"})
        text = f" {side.upper()} side {self.scene.side_rows} "
        return Line().add(text, self.hue("chip") + Style(bold=True) + toggle)

    def _banner(self, moment: Moment, width: int) -> Strip:
        """Return the line that says which moment is shown, and of which window its figures are."""
        snapshot, view, style = self.scene.snapshot, self.scene.view, self.hue("banner")
        window = "" if snapshot is None else f" {window_of(snapshot, view)} "
        room = width - len(window) if width >= _WHOLE_WIDTH else width
        line = banner(moment, self._hints, self._side(), room, self.hue, self.glyphs)
        if room == width:
            return line
        return Strip.join([line, Line().add(window, style + Style(bold=False)).strip()])

    def _windows(self, snapshot: Snapshot, view: View) -> list[Line]:
        """Return what the window is called, the longest text first."""
        text, muted = self.hue("text"), self.hue("muted")
        whole, name = f" {window_of(snapshot, view)} ", f" {window_named(snapshot, view)} "
        keys = Line().add("(", muted)
        keys.add("-", muted + Style.from_meta({"@click": "screen.window(-1)"})).add(" ", muted)
        keys.add("+", muted + Style.from_meta({"@click": "screen.window(1)"})).add(") ", muted)
        return [
            Line().add(whole, text).join(keys),
            Line().add(whole, text),
            Line().add(name, text).join(keys),
            Line().add(name, text),
            Line().add(name.replace("window ", ""), text),
        ]

    def _host(self, host: str, room: int) -> str:
        """Return the host name, shortened to leave ``room`` for the rest."""
        return host if len(host) <= room else self.fit(host, room)


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of the head with its trend."""

    label: str
    value: str
    hue: str
    values: tuple[float | None, ...]
    top: float


def metrics(scene: Scene, units: Units) -> tuple[Metric, ...]:
    """Return the four figures of the head; those whose trend is of all requests say so."""
    head, totals = scene.head, scene.head.totals
    latency = totals.latency
    known = latency.count > 0
    rate, errors = totals.trend_rps, totals.trend_error_share
    share = humanize.percent(totals.error_share)
    if head.graphs_of_all:
        rate = errors = ()
    return (
        Metric("REQ/S", shown_rate(scene), "rate", rate, ceiling(rate)),
        Metric("ERR", share, errors_hue(totals.error_share), errors, ceiling(errors, 0.05)),
        *(
            Metric(
                name.upper(),
                units.duration(value if known else None),
                "text",
                () if head.graphs_of_all else values,
                ceiling(values),
            )
            for name, value, values in (
                ("p50", latency.p50_ns, totals.trend_p50_ns),
                ("p99", latency.p99_ns, totals.trend_p99_ns),
            )
        ),
    )


def shown_rate(scene: Scene) -> str:
    """Return the requests a second, with a filter of which part: ``62.6 of 224/s = 28%``."""
    rate = humanize.rate(scene.rps)
    if not scene.view.filtered:
        return rate
    share = f" = {humanize.percent(scene.shown_rps / scene.rps)}" if scene.rps else ""
    return f"{humanize.rate(scene.shown_rps)} of {rate}/s{share}"


def rate_title(scene: Scene) -> Content:
    """Return the rate, the errors and what is in flight, for the border of the rate's graph."""
    totals = scene.head.totals
    return Content.assemble(
        "" if scene.view.filtered else "requests/s by status ",
        (shown_rate(scene), "$hue-strong"),
        ("  errors ", "not bold $hue-muted"),
        (
            humanize.percent(totals.error_share),
            f"$hue-{errors_hue(totals.error_share)}",
        ),
        (f"  {_count(totals.in_flight)} in flight ", "not bold $hue-muted"),
    )


def _count(n: int | None) -> str:
    return humanize.UNKNOWN if n is None else humanize.count(n)


def latency_title(scene: Scene, units: Units) -> Content:
    """Return percentiles of the requests shown, for the border of the map of latencies."""
    latency = scene.head.totals.latency
    parts: list[str | tuple[str, str]] = ["latency "]
    if latency.count:
        for name, value in (
            ("p50", latency.p50_ns),
            ("p95", latency.p95_ns),
            ("p99", latency.p99_ns),
            ("max", latency.max_ns),
        ):
            parts.append((f" {name} ", "not bold $hue-muted"))
            parts.append((units.duration(value), "$hue-strong"))
    elif scene.view.filtered and scene.shown_rps:
        parts.append((" not known of the filter", "not bold $hue-muted"))
    return Content.assemble(*parts, " ")


def graphs_note(head: Head, *, latencies: bool = False) -> Content:
    """Return what has to be said of a graph, below it; ``latencies``: and of the percentiles.

    That is of which requests it is, or since when, where that is not what the title says.
    """
    since = head.graphs_since
    if latencies and since is None:
        since = head.latencies_since
    if head.graphs_of_all:
        text = "of all requests"
    elif since is not None:
        text = f"since the filter, {humanize.time_of_day(since)[:8]}"
    else:
        text = ""
    if latencies and head.latencies_together:
        text = f"of all picked together {text}".rstrip()
    return Content.styled(text, "not bold $hue-muted") if text else Content("")


class FiguresLine(Painted):
    """Shows requests per second, error share, p50 and p99, each with its trend, where it is low."""

    DEFAULT_CSS = """
    FiguresLine { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.scene = Scene(None, View())
        self.units = DEFAULT_UNITS

    def show(self, scene: Scene, units: Units) -> None:
        """Show the totals of a scene."""
        self.scene, self.units = scene, units
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        figures = metrics(self.scene, self.units)
        text, muted = self.hue("text"), self.hue("muted")
        cells = (width - 2) // len(figures)
        line = Line().space(1, text)
        for index, metric in enumerate(figures):
            hue = self.hue(metric.hue)
            start = 1 + index * cells
            line.to(start, text).add(f"{metric.label} ", muted)
            line.add(metric.value, hue + Style(bold=True)).space(1, text)
            room = start + cells - 2 - line.used
            if room >= 3:
                line.add(trend(metric.values, room, self.symbols, metric.top), hue)
        return [line.strip()]
