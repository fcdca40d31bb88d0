"""The main screen: head, status breakdown, endpoint table, live requests, cost, keys.

Compact (below 100x30), everything above the table is three lines; larger, the head is graphs::

    httptop  web-1  up 4:02   SERVER side 14  client 12 (Tab)            ● last 60s
    ╭ traffic ──────────────────────────╮╭ responses since start ─────────────────╮
    │ requests/s 27.1k      errors 1.2% ││ 2xx  ████████████████─  81.2k   97%  │
    │ p50 1.2ms             p99 45.0ms  ││ 5xx  ▏────────────────    301  0.4%  │
    ╰───────────────────────────────────╯╰──────────────────────────────────────╯
    ╭ endpoints 14 ────────────────────────────────────────────────────────────╮
    ╭ live requests ───────────────────────────────────────────────────────────╮
    own cost  cpu 1.2%  mem 58 MiB  kernel 3.4%  120ns/call               ✓ 0 lost
    keys
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content

from httptop.model import Snapshot
from httptop.screens.keeping import Keeping
from httptop.view.state import Scene, View, scene
from httptop.widgets.bindings import bindings
from httptop.widgets.columns import COLUMNS
from httptop.widgets.cost_line import CostLine
from httptop.widgets.empty_state import EmptyState
from httptop.widgets.endpoint_table import EndpointTable
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.filter_chips import FilterChips
from httptop.widgets.filter_editor import FilterEditor
from httptop.widgets.head import HeadGraphs, TitleLine
from httptop.widgets.key_bar import Hint, KeyBar
from httptop.widgets.live_requests import LiveRequests
from httptop.widgets.prompt import Prompt
from httptop.widgets.sparkline import GLYPHS
from httptop.widgets.status_breakdown import StatusBreakdown
from httptop.widgets.too_small import LEAST_HEIGHT, LEAST_WIDTH, TooSmall

_TITLES = {column.sort: column.title for column in COLUMNS}
_EDIT = "screen.edit_filter"
_LIVE_SIZES = ("-live", "-live-tall", "-live-off")


class Dashboard(Keeping):
    """A function of the app's snapshot and view; its actions only change the view."""

    #: Never an input: it is hidden while nothing is typed, and would take the keys.
    AUTO_FOCUS = "EndpointTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("dashboard"),
        *(
            Binding(str(digit), f"sort_column({(digit - 1) % 10})", "Sort", show=False)
            for digit in range(10)
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(None, View())
        self.live_size = _LIVE_SIZES[0]

    def compose(self) -> ComposeResult:
        """Make all widgets once; they are told what to show."""
        app = self.httptop
        symbols = app.symbols
        yield TooSmall()
        yield TitleLine(symbols)
        with Horizontal(id="top"):
            traffic = HeadGraphs(symbols)
            traffic.border_title = "traffic"
            yield traffic
            responses = StatusBreakdown(symbols)
            responses.border_title = "responses since start"
            yield responses
        yield FilterBar()
        yield FilterEditor(symbols)
        yield Prompt()
        yield FilterChips(symbols, app.fixed)
        yield EndpointTable(symbols)
        yield EmptyState(app.watching, app.can_demo)
        yield LiveRequests(symbols)
        yield CostLine(symbols)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show what there is already."""
        self.update_classes({"-tty": self.httptop.symbols == "tty", self.live_size: True})
        self.table.focus()
        self.refresh_scene()

    def on_screen_resume(self) -> None:
        """Catch up with what happened below another screen."""
        if self.scene.snapshot is not self.httptop.snapshot:
            self.refresh_scene()

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout for the size."""
        width, height = event.size
        self.update_classes(
            {
                "-compact": width < 100 or height < 30,
                "-too-small": width < LEAST_WIDTH or height < LEAST_HEIGHT,
                "-low": height < 20,
                "-high": height >= 40,
            }
        )

    def refresh_scene(self) -> None:
        """Draw the app's snapshot as its view wants it."""
        app = self.httptop
        self.scene = now = scene(app.snapshot, app.view, self.scene)
        newest: Snapshot | None = app.newest
        self.query_one(TitleLine).show(now, newest.taken_at if newest else None)
        self.query_one(HeadGraphs).show(now, app.units)
        self.query_one(StatusBreakdown).show(now)
        self.query_one(LiveRequests).show(now, app.units)
        self.query_one(CostLine).show(newest, app.units)
        self.query_one(FilterChips).show(now.view, self.picking)
        self.show_keys()
        table, empty = self.table, self.query_one(EmptyState)
        self.update_classes(
            {
                "-empty": not now.rows,
                "-quiet": not now.rows and not now.requests(),
                "-paused": now.view.paused,
            }
        )
        table.show(now, app.ui.columns, app.units)
        if not now.rows:
            empty.show(now, app.demo_state)
        elif self.focused is None:
            self.call_after_refresh(self._focus_table)
        table.border_title = empty.border_title = self._table_title()

    def _focus_table(self) -> None:
        """Give the keys back to the table, which lost them while it had no rows and was hidden."""
        if self.focused is None and self.app.app_focus:
            self.set_focus(self.table)

    def _table_title(self) -> Content:
        """Return how many endpoints are shown, what hides the rest, and the order."""
        now, view = self.scene, self.scene.view
        glyphs = GLYPHS[self.httptop.symbols]
        parts: list[str | tuple[str, str]] = [f"{view.side} endpoints "]
        if view.filtered:
            parts.append(f"{len(now.rows)} of ")
        parts.append(f"{now.side_rows} ")
        arrow = glyphs.down if view.descending else glyphs.up
        order = _TITLES.get(view.sort, view.sort.upper())
        parts.append((f"{glyphs.dot} by {order} {arrow}", "not bold $hue-muted"))
        return Content.assemble(*parts)

    def show_keys(self) -> None:
        """Name the keys that work now."""
        hints = self.filter_hints() or self.keeping_hints() or self._hints()
        self.query_one(KeyBar).show(hints)

    def _hints(self) -> list[Hint]:
        view, key = self.httptop.view, self.httptop.key_of
        if self.query_one(LiveRequests).held:
            return [
                (key("open"), "open the request", "screen.open"),
                (f"{key('down')} {key('up')}", "choose", ""),
                ("Esc", "let them go on", "screen.clear"),
                (key("help"), "help", "app.help"),
            ]
        hints: list[Hint] = [
            (key("quit"), "quit", "app.ask_quit"),
            (key("help"), "help", "app.help"),
        ]
        if not self.scene.rows and self.httptop.can_demo:
            hints.append((key("demo"), "demo", "app.demo"))
        hints += [(key("path"), "path", "screen.filter"), (key("filter"), "filter", _EDIT)]
        if view.filtered:
            hints.append((key("clear"), "clear filters", "screen.clear"))
        hints += [
            (key("side"), view.other_side(), "screen.toggle_side"),
            (key("sort"), "sort", "screen.cycle_sort(1)"),
            (key("reverse"), "reverse", "screen.reverse"),
            (key("pause"), "resume" if view.paused else "pause", "screen.pause"),
            (key("open"), "open", "screen.open"),
            (key("live"), "live", "screen.live"),
            (key("notes"), "notes", "app.notes"),
            (key("request"), "choose a request", "screen.choose"),
            (key("only_process"), "only its process", "screen.only('comm')"),
            (key("only_status"), "status", "screen.only('status')"),
            (key("save"), "save", "screen.save"),
        ]
        return hints

    # Actions

    def action_clear(self) -> None:
        """End typing; let held requests go on; remove the filters; let the selection go."""
        if self.stop_typing():
            return
        if self.query_one(LiveRequests).held:
            self.query_one(LiveRequests).action_leave()
        elif self.httptop.view.filtered:
            self.httptop.change_view(path_filter="", expression=None)
        else:
            self.httptop.change_view(selected=None)

    def action_cycle_sort(self, step: int) -> None:
        """Sort by the next or previous of the columns shown."""
        names = [column.sort for column, _ in self.table.columns]
        now = self.httptop.view.sort
        index = names.index(now) + step if now in names else 0
        self._sort(names[index % len(names)])

    def action_sort_column(self, index: int) -> None:
        """Sort by one of the columns shown, counted from the left; again reverses.

        While a filter is picked the number is that of the filter.
        """
        columns = self.table.columns
        if self.picking:
            self.action_drop_filter(index)
        elif index < len(columns):
            self._sort(columns[index][0].sort)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._sort(self.httptop.view.sort)

    def _sort(self, sort: str) -> None:
        view = self.httptop.view.sorted_by(sort)
        self.httptop.change_view(sort=view.sort, descending=view.descending)

    def action_toggle_side(self) -> None:
        """Show the other side."""
        self.httptop.change_view(side=self.httptop.view.other_side())

    def action_open(self) -> None:
        """Open the endpoint under the cursor, or the request that is being chosen."""
        live = self.query_one(LiveRequests)
        if live.held:
            live.action_open()
        else:
            self.table.action_open()

    def action_live(self) -> None:
        """Make the live request table tall, hide it, bring it back."""
        index = _LIVE_SIZES.index(self.live_size) + 1
        self._size_live(_LIVE_SIZES[index % len(_LIVE_SIZES)])

    def _size_live(self, size: str) -> None:
        self.update_classes({self.live_size: False, size: True})
        self.live_size = size
        if size == "-live-off":
            self.set_focus(self.table)

    def action_choose(self) -> None:
        """Give the keys to the live requests, or back to the table; while typing, be a letter."""
        if self.typing:
            raise SkipAction
        live = self.query_one(LiveRequests)
        if live.held:
            live.action_leave()
        elif not self.has_class("-quiet"):
            if self.live_size == "-live-off" or self.has_class("-low"):
                self._size_live("-live-tall")
            self.set_focus(live)

    # What the widgets say

    def on_endpoint_table_selected(self, message: EndpointTable.Selected) -> None:
        """Remember the endpoint, not its row."""
        self.httptop.change_view(selected=message.key)

    def on_endpoint_table_opened(self, message: EndpointTable.Opened) -> None:
        """Show its details."""
        self.httptop.open_endpoint(message.key)

    def on_endpoint_table_sort_asked(self, message: EndpointTable.SortAsked) -> None:
        """Sort by that column, or the other way round."""
        self._sort(message.sort)

    def on_live_requests_opened(self, message: LiveRequests.Opened) -> None:
        """Show everything about it."""
        self.httptop.open_request(message.request)

    def on_live_requests_held(self) -> None:
        """Name the keys that work now."""
        self.show_keys()

    def on_live_requests_left(self) -> None:
        """Give the keys back to the table."""
        self.set_focus(self.table)
