"""What the dashboard is made of, and how it is drawn.

Compact (below 100x30), everything above the table is two lines; larger, the head is graphs::

    httptop  web-1  up 4:02   SERVER side 14  client 12 (Tab)            ● last 60s
    ▲ stockd GET /stock/{id} p99 47.1ms→382ms for 2m40s  · new: nginx GET /signup
    ╭ requests/s by status 27.1k  errors 1.2% ╮╭ latency  p50 1.2ms  p99 45.0ms ──╮
    │   30k      ▂█████▇▇██                   ││    1s      ····      ··░░        │
    │     0  ██████████████████████           ││   1ms  ░▒▓█▓▒░▒▓█▓▒░▒▓█▓▒        │
    │       -2m        -1m              now   ││       -2m        -1m        now  │
    ╰─────────────────────────────────────────╯╰──────────────────────────────────╯
    ╭ endpoints 14 ────────────────────────────────────────────────────────────╮
    ╭ live requests ───────────────────────────────────────────────────────────╮
    own cost  cpu 1.2%  mem 58 MiB  kernel 3.4%  120ns/call               ✓ 0 lost
    keys
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Size

from httptop import humanize
from httptop.screens.base import Httptop, HttptopScreen
from httptop.screens.filter_control import FilterControl
from httptop.screens.group_control import GroupControl
from httptop.screens.hints import (
    PICKING_HINTS,
    dashboard_hints,
    held_hints,
    menu_hints,
    moment_hints,
)
from httptop.screens.panels import PanelControl
from httptop.screens.settings_control import SettingsControl
from httptop.view.headline import Finding, Headlines
from httptop.view.menus import Menu
from httptop.view.state import Scene, View, scene
from httptop.widgets.cost_line import CostLine
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.dashboard_head import (
    FiguresLine,
    TitleLine,
    graphs_note,
    latency_title,
    rate_title,
)
from httptop.widgets.empty_state import EmptyState
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.group_table import GroupTable
from httptop.widgets.headline import Headline
from httptop.widgets.heat_map import HeatMap
from httptop.widgets.input_line import InputLine
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.prompt import Prompt
from httptop.widgets.rate_graph import RateGraph
from httptop.widgets.time_lines import TimeLines
from httptop.widgets.too_small import LEAST_HEIGHT, LEAST_WIDTH, TooSmall


class DashboardView(HttptopScreen):
    """Draws the app's snapshot through its view."""

    #: Never an input line: while closed it is hidden, and must not get the focus.
    AUTO_FOCUS = "EndpointTable"

    def __init__(self, app: Httptop) -> None:
        super().__init__()
        symbols = app.symbols
        self._title_line = TitleLine(symbols)
        self._time_lines = TimeLines(symbols, titled=False)
        self._headline = Headline(symbols)
        self._headlines = Headlines("->" if symbols == "ascii" else "→")
        self._findings: tuple[Finding, ...] = ()
        self._figures = FiguresLine(symbols)
        self._rates, self._latencies = RateGraph(symbols), HeatMap(symbols)
        self._bar, self._editor, self._prompt = FilterBar(), FilterEditor(symbols), Prompt()
        self._lines: tuple[InputLine, ...] = (self._bar, self._editor, self._prompt)
        self._chips = FilterChips(symbols, app.fixed)
        self._table, self._group_table = EndpointTable(symbols), GroupTable(symbols)
        self._empty = EmptyState(symbols, app.watching, app.can_demo)
        self._live = LiveRequests(symbols)
        self._cost_line = CostLine(symbols)
        self._key_bar = KeyBar(above=self._cost_line)
        self._filters = FilterControl(
            app, self._table, self._live, self._bar, self._editor, self._chips
        )
        self._groups = GroupControl(app, self._group_table)
        self._settings = SettingsControl(app, self._table, self._prompt)
        self.scene = Scene(None, View())
        self._tables = (self._table, self._group_table, self._empty)
        self._panels = PanelControl(
            self, ((self._rates,), (self._latencies,), self._tables, (self._live,)), home=3
        )
        self._menu: Menu | None = None  # of which the next key chooses
        # As it will be at first: each change of the screen's classes has all widgets styled again.
        self.update_classes(self._shape(app.size), update=False)
        self._show_panels(self.scene, update=False)

    def compose(self) -> ComposeResult:
        """Lay out the widgets."""
        yield TooSmall()
        yield self._title_line
        yield self._time_lines
        yield self._headline
        yield self._figures
        with Horizontal(id="top", classes="panels"):
            yield self._rates
            yield self._latencies
        yield from self._lines
        yield self._chips
        yield self._table
        yield self._group_table
        yield self._empty
        yield self._live
        yield self._cost_line
        yield self._key_bar

    def on_mount(self) -> None:
        """Show the newest snapshot, if there is one."""
        self._table.focus()
        self.refresh_scene()

    def on_screen_resume(self) -> None:
        """Draw what changed while another screen was on top."""
        app = self.httptop
        if self.scene.snapshot is not app.snapshot or self.scene.view != app.view:
            self.refresh_scene()

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout for the size."""
        self.update_classes(self._shape(event.size))
        self.refresh_scene()

    def _shape(self, size: Size) -> dict[str, bool]:
        """Return for each class of the layout whether a size asks for it."""
        width, height = size
        too_small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        return {
            "-compact": width < 100 or height < 30,
            "-too-small": too_small,
            "-filled": self._panels.filling is not None and not too_small,
            "-low": height < 20,
            "-high": height >= 40,
        }

    def refresh_scene(self) -> None:
        """Draw the app's snapshot through its view."""
        app = self.httptop
        self.scene = now = scene(app.snapshot, app.view, self.scene)
        moment = app.moments.shown
        hints = moment_hints(app.key_of, moment)
        self._title_line.show(now, moment, hints)
        self._time_lines.show(moment, hints)
        past = moment is not None and moment.recording is None
        if now.snapshot is not None and not past:
            self._headlines.note(now.snapshot)
            self._findings = self._headlines.findings(now, app.units, app.watches.events)
            self._headline.show(self._findings)
        if self.has_class("-compact") and self._panels.filling is None:
            self._figures.show(now, app.units)
        else:
            end = "now" if moment is None else humanize.time_of_day(moment.at)[:8]
            self._rates.show(now, end)
            self._rates.set_title(rate_title(now))
            self._rates.set_note(graphs_note(now.head))
            self._latencies.show(now, end)
            self._latencies.set_title(latency_title(now, app.units))
            self._latencies.set_note(graphs_note(now.head, latencies=True))
        self._live.show(now, app.units)
        whose = "own cost now" if past else "own cost" if moment is None else "recorded run's cost"
        self._cost_line.show(app.newest, app.units, whose)
        self._filters.show_chips()
        self._show_keys()
        self.set_class(past, "-past")
        self.set_class(now.fleet, "-fleet")
        self._show_panels(now)
        if now.groups is not None:
            self._group_table.show(now, now.groups, app.units)
        else:
            self._table.show(now, app.ui.columns, app.units)
        if self.focused in (self._table, self._group_table):
            self._focus_rows()
        if now.followed_gone:  # the cursor stays where it was
            self.call_later(app.change_view, follows=False)
        if not now.rows:
            self._empty.show(now, app.demo_state, app.start_step)
        elif self.focused is None:
            self.call_after_refresh(self._focus_table)

    def _show_panels(self, now: Scene, *, update: bool = True) -> None:
        """Show those that have something to show; to style these alone is quick."""
        classes = {"-empty": not now.rows, "-grouped": now.groups is not None}
        for table in self._tables:
            table.update_classes(classes, update=update)
        quiet = not now.rows and not now.requests()
        self._live.update_classes({"-quiet": quiet}, update=update)

    def show_age(self, text: str) -> None:
        """Say in the title how old the figures are."""
        self._title_line.show_age(text)

    def _focus_table(self) -> None:
        """Return the focus to the table, which loses it while it is hidden without rows."""
        if self.focused is None and self.app.app_focus:
            self._focus_rows()

    @property
    def _rows(self) -> CursorTable:
        """The table that is shown: of endpoints, or of groups."""
        return self._group_table if self.scene.groups is not None else self._table

    def _focus_rows(self) -> None:
        """Have the table that is shown take the focus."""
        if self.focused is not self._rows:
            self.set_focus(self._rows)

    @property
    def _open_line(self) -> InputLine | None:
        """The open input line; None if there is none."""
        return next((line for line in self._lines if line.is_open), None)

    def _show_keys(self) -> None:
        """Show the keys that work now in the footer."""
        line = self._open_line
        self.set_class(line is self._editor, "-editing")
        key = self.httptop.key_of
        if line is not None:
            self._key_bar.show(line.HINTS)
        elif self._menu is not None:
            self._key_bar.show(menu_hints(self._menu), wrap=True)
        elif self._filters.picking:
            self._key_bar.show(PICKING_HINTS)
        elif self._live.held:
            self._key_bar.show(held_hints(key))
        else:
            demo = not self.scene.rows and self.httptop.can_demo
            filled = self._panels.filling is not None
            view, baseline_at = self.httptop.view, self.httptop.baseline_at
            self._key_bar.show(
                dashboard_hints(key, view, demo=demo, baseline_at=baseline_at, filled=filled)
            )
