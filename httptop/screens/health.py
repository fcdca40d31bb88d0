"""The page of health: what is seen, what was missed, what httptop costs, and whom it does not see::

     health  web-1  up 4:02:01                                            as of 12:04:12
    ╭─ ¹seen and missed ────────────────────╮╭─ ²own cost ───────────────────────────────╮
    │ ✓ exact  All HTTP/1 that could be ... ││ 1.2%  cpu     of a CPU in user space, ... │
    ╰───────────────────────────────────────╯╰───────────────────────────────────────────╯
    ╭─ ³processes 12 · 3 without a request · as of 12:04:00 ─────────────────────────────╮
    │ PROCESS       PID                  REQUESTS  LISTENS  SOCKETS  WHY NOT SEEN        │
    │ nginx         1 master + 4 workers        0  :443          12  most likely TLS     │
    ╰────────────────────────────────────────────────────────────────────────────────────╯
    ╭─ ⁴messages 2 ──────────────────────────────────────────────────────────────────────╮
    keys

The processes are inspected in a thread, when the page opens and on a key.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content

from httptop import humanize
from httptop.coverage.processes import Survey
from httptop.coverage.services import ORDERS, Order, Service, in_order, matching, services
from httptop.filters.by_row import part_for
from httptop.model import MOST_PIDS, SIDES
from httptop.screens.base import HttptopScreen, RunControls
from httptop.screens.hints import health_hints
from httptop.screens.panels import Panel, PanelControl
from httptop.view.health import Fact, cost, missed
from httptop.view.notices import Notices
from httptop.view.rows import keys_of
from httptop.widgets.cursor_table import CursorTable
from httptop.widgets.fact_panel import FactPanel
from httptop.widgets.filter_bar import FilterBar
from httptop.widgets.health_title import HealthTitle
from httptop.widgets.input_line import InputLine
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.service_table import ServiceTable

#: How many panels there are.
PANELS: Final = 4
_REPLAYED: Final = "This is a capture; it does not contain the processes of its host."
_FLEET: Final = "These are the figures of other hosts; their processes are not known here."


class HealthScreen(HttptopScreen):
    """Draws the newest snapshot, also while the screen is paused, and a survey of the processes."""

    AUTO_FOCUS = "ServiceTable"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", show=False),
        Binding("backspace,left,n,y", "app.pop_screen", "Back", show=False),
        Binding("r", "look", "Look again at the processes", show=False),
        Binding("slash,f3", "search", "Search the processes", show=False),
        Binding("s,f6", "sort", "Sort the processes by the next column", show=False),
        *(
            Binding(
                str(digit),
                f"panel({digit})",
                f"Panel {digit}; again: it fills the screen",
                show=False,
            )
            for digit in range(1, PANELS + 1)
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._found: Survey | None = None
        self._services: list[Service] = []
        self._state = ""  # of the inspection, in words
        self._order: Order = "why"
        self._needle = ""
        self._looking = False

    def compose(self) -> ComposeResult:
        """Make title, panels, the line to search by, and keys."""
        symbols = self.httptop.symbols
        self._title_line = HealthTitle(symbols)
        self._missed, self._cost = FactPanel(symbols, "missed"), FactPanel(symbols, "cost")
        self._table, self._messages = ServiceTable(symbols), FactPanel(symbols, "messages")
        self._bar = FilterBar("contains", "part of a name, a port, a reason; a PID")
        self._key_bar = KeyBar()
        self._processes: Panel = (self._table,)
        panels = ((self._missed,), (self._cost,), self._processes, (self._messages,))
        self._panels = PanelControl(self, panels, home=3)
        yield self._title_line
        with Horizontal(id="facts", classes="panels"):
            yield self._missed
            yield self._cost
        yield self._bar
        yield self._table
        yield self._messages
        yield self._key_bar

    def on_mount(self) -> None:
        """Inspect the processes immediately."""
        self._table.focus()
        self.action_look()
        self.refresh_scene()

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout for the size."""
        width, height = event.size
        self.set_class(width < 100 or height < 30, "-compact")
        self.refresh_scene()

    def refresh_scene(self) -> None:
        """Draw the newest figures, and the processes as they were found last."""
        app = self.httptop
        snapshot, glyphs = app.newest, self._table.glyphs
        self._title_line.show(snapshot)
        none_yet = "No figures have arrived yet."
        facts = () if snapshot is None else missed(snapshot, app.watching, glyphs.good, glyphs.bad)
        self._missed.show(facts, none_yet)
        self._missed.set_title("seen and missed since start")
        self._cost.show(() if snapshot is None else cost(snapshot.overhead, app.units), none_yet)
        run = app.run_controls
        captured = run is not None and not run.is_live
        self._cost.set_title("the recorded run's cost" if captured else "own cost")
        told = app.notices
        self._messages.show(_told(told), "There was none.")
        self._messages.set_title(f"messages {len(told.newest_first)}")
        self._show_processes()
        bar_open = self._bar.is_open
        self._key_bar.show(self._bar.HINTS if bar_open else health_hints(app.key_of))

    # The processes

    def action_look(self) -> None:
        """Inspect the processes, unless that is in progress."""
        run = self.httptop.run_controls
        if run is None or not run.can_survey:
            newest = self.httptop.newest
            self._state = _FLEET if newest is not None and newest.hosts else _REPLAYED
        elif not self._looking:
            self._looking = True
            self._state = "inspecting the processes..."
            self.run_worker(self._look(run), exit_on_error=False)
        self._show_processes()

    async def _look(self, run: RunControls) -> None:
        newest = self.httptop.newest

        def inspect() -> tuple[Survey, list[Service]]:
            found = run.survey()
            return found, services(found, newest)

        try:
            self._found, self._services = await asyncio.to_thread(inspect)
        except (OSError, ValueError) as error:
            self._state = f"The processes cannot be inspected: {error}"
        else:
            self._state = ""
        finally:
            self._looking = False
        self._show_processes()

    def _show_processes(self) -> None:
        shown = in_order(matching(self._services, self._needle), self._order)
        title = ["processes "]
        if (found := self._found) is not None:
            dot = f" {self._table.glyphs.dot} "
            n = sum(len(one.holders) for one in self._services)
            silent = sum(one.requests == 0 and not one.own for one in self._services)
            parts = [
                f"{n}{'' if not self._needle else f', {len(shown)} with “{self._needle}”'}",
                f"{silent} without a request",
                f"as of {humanize.time_of_day(found.taken_at)[:8]}",
                *([f"{found.unreadable} not readable"] if found.unreadable else []),
                *([f"{found.left_out} left out"] if found.left_out else []),
            ]
            title.append(dot.join(parts))
        self._table.set_title(Content("".join(title)))
        self._table.show(shown, self._order, self._state or "There is none.")

    def on_service_table_opened(self, message: ServiceTable.Opened) -> None:
        """Show its endpoints on the dashboard, or say why there is none."""
        app, one = self.httptop, message.service
        if not one.requests:
            app.say(f"No request of {one.name} was counted: {one.why}.")
            return
        if len(one.pids) < MOST_PIDS:
            part = part_for("pid", tuple(map(str, one.pids)), False)
        else:
            part = part_for("comm", (one.name,), False)
        side = app.view.side
        keys = () if app.newest is None else keys_of(app.newest.endpoints)
        sides = {key.side for key in keys if key.process == one.name}
        if sides and side not in sides:
            side = next(other for other in SIDES if other in sides)
        app.change_view(side=side, path_filter="", expression=part)
        app.pop_screen()

    # Order, search and panels

    def action_sort(self) -> None:
        """Sort by the next column that sorts."""
        self._sort(ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)])

    def on_cursor_table_sort_asked(self, message: CursorTable.SortAsked) -> None:
        """Sort by a column whose header was clicked."""
        for order in ORDERS:
            if order == message.sort:
                self._sort(order)

    def _sort(self, order: Order) -> None:
        self._order = order
        self._show_processes()

    def action_search(self) -> None:
        """Open the line to search by."""
        if self._bar.is_open:
            raise SkipAction
        if self._panels.filling is not self._processes:
            self._panels.restore()
        self._panels.choose(self._processes)
        self._bar.begin(self._needle)
        self.refresh_scene()

    def on_filter_bar_changed(self, message: FilterBar.Changed) -> None:
        """Show the processes with the text as the user types."""
        self._needle = message.text
        self._show_processes()

    def on_input_line_closed(self, message: InputLine.Closed) -> None:
        """Keep the text, or show all again."""
        if not message.kept:
            self._needle = ""
        self.refresh_scene()

    def action_submit_line(self) -> None:
        """Keep the text that is searched for."""
        self._bar.submit()

    def action_clear(self) -> None:
        """Search no more."""
        self._bar.action_cancel()

    def action_back(self) -> None:
        """Show all panels; show all processes; go back."""
        if not self.go_back():
            self.app.pop_screen()

    def go_back(self) -> bool:
        """Return whether all panels, or all processes, are shown again."""
        if self._panels.filling is not None:
            self._panels.restore()
        elif self._needle:
            self._needle = ""
            self._show_processes()
        else:
            return False
        return True

    def action_panel(self, number: int) -> None:
        """Choose a panel by its digit; see PanelControl."""
        if self._bar.is_open:
            raise SkipAction
        self._panels.press(number)

    def on_click(self, event: events.Click) -> None:
        """Have the panel whose title was clicked fill the screen, or show all again."""
        widget, region = self.get_widget_at(event.screen_x, event.screen_y)
        number = self._panels.at(widget)
        if number and event.screen_y == region.y:
            self._panels.toggle(number)

    def action_open(self) -> None:
        """Open what is under the cursor."""
        self._table.action_open()


def _told(notices: Notices) -> list[Fact]:
    """Return the messages, the newest first."""
    found = []
    for notice in notices.newest_first:
        at = "at start" if notice.at is None else humanize.time_of_day(notice.at)[:8]
        hue = "bad" if notice.wrong else "text"
        found += [Fact(at if n == 0 else "", "", line, hue) for n, line in enumerate(notice.lines)]
    return found
