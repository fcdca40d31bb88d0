"""The screen of the requests in flight: what hangs now, since when, from whom.

It shows the side and the filters of the dashboard, the oldest requests first::

     in flight now  SERVER 12   2 hang   (Tab: client)                     as of 12:04:12
    ╭───────────────────────────────────────────────────────────────────────────────────╮
    │ ▼AGE         NORMALLY       PROCESS:PID    METHOD  PATH            CALLER         │
    │ 38.2s ▲×85   p99 446ms      shop:27961     GET     /api/hang       127.0.0.1      │
    │ … 8 younger than usual, Space shows them                                          │
    ╰───────────────────────────────────────────────────────────────────────────────────╯
     ages 10s and more ━━ 2  1-10s ━ 1  0.1-1s ━━━━ 4  under 0.1s ━━━━ 4
    keys
"""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.strip import Strip

from httptop import humanize
from httptop.model import Snapshot
from httptop.screens.base import HttptopScreen
from httptop.screens.hints import in_flight_hints
from httptop.screens.unsaved import filter_text
from httptop.view.in_flight import InFlightScene, in_flight_scene
from httptop.view.state import View
from httptop.widgets.bindings import TRAVEL, named
from httptop.widgets.in_flight_table import Ages, InFlightTable
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.painting import Line, Painted, spread
from httptop.widgets.sparkline import Symbols
from httptop.widgets.time_lines import TimeLines


class InFlightTitle(Painted):
    """Shows the side, how many requests are in flight and how many hang, and the filter."""

    DEFAULT_CSS = """
    InFlightTitle { height: 1; }
    """

    def __init__(self, symbols: Symbols) -> None:
        super().__init__(symbols)
        self.scene = InFlightScene(None, View())

    def show(self, scene: InFlightScene) -> None:
        """Show the figures of a scene."""
        self.scene = scene
        self.repaint()

    def paint(self, width: int, _height: int, /) -> list[Strip]:
        """Return the one line."""
        scene, view = self.scene, self.scene.view
        text, muted = self.hue("text"), self.hue("muted")
        left = Line().add(" in flight now ", self.hue("accent") + Style(bold=True))
        number = "" if scene.number is None else f"{scene.number:,} "
        left.add(f" {view.side.upper()} side {number}", self.hue("chip") + Style(bold=True))
        if hanging := scene.hanging:
            hang = "hangs" if hanging == 1 else "hang"
            left.add(f" {hanging:,} {hang}", self.hue("bad") + Style(bold=True))
        if not view.filtered or width >= 100:
            toggle = Style.from_meta({"@click": "screen.toggle_side"})
            left.add(f"  {view.other_side()} (Tab)", muted + toggle)
        right = Line()
        if scene.snapshot is not None:
            right.add(f"as of {_time(scene.snapshot)} ", muted)
        if view.filtered and (room := width - left.used - right.used - 1) > 8:
            shown = f"  only {filter_text(view)}"
            left.add(self.fit(shown, room) if len(shown) > room else shown, self.hue("warn"))
        return [spread(left, right, width, text)]


class InFlightScreen(HttptopScreen):
    """Draws the requests in flight of the app's snapshot."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left,i,q", "app.pop_screen", "Back", show=False),
        *named("side", *TRAVEL),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.scene = InFlightScene(None, View())

    def compose(self) -> ComposeResult:
        """Make title, list, ages and keys."""
        symbols = self.httptop.symbols
        yield TimeLines(symbols)
        yield InFlightTitle(symbols)
        yield InFlightTable(symbols)
        yield Ages(symbols)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the current snapshot."""
        self.query_one(InFlightTable).focus()
        self.refresh_scene()

    def on_screen_resume(self) -> None:
        """Draw what changed while another screen was on top."""
        self.refresh_scene()

    def refresh_scene(self) -> None:
        """Draw the app's snapshot."""
        app = self.httptop
        self.scene = now = in_flight_scene(app.snapshot, app.view)
        self.refresh_time()
        self.query_one(InFlightTitle).show(now)
        self.query_one(InFlightTable).show(now, app.units)
        self.query_one(Ages).show(now)
        self.query_one(KeyBar).show(in_flight_hints(app.key_of, app.view))

    def action_toggle_side(self) -> None:
        """Show the other side, here and on the dashboard."""
        self.httptop.change_view(side=self.httptop.view.other_side())

    def action_open(self) -> None:
        """Open the endpoint of the request under the cursor."""
        self.query_one(InFlightTable).action_open()

    def action_fold(self) -> None:
        """Show the requests that are younger than is usual, or hide them."""
        self.query_one(InFlightTable).action_fold()

    def on_in_flight_table_opened(self, message: InFlightTable.Opened) -> None:
        """Show the endpoint of a request."""
        self.httptop.open_endpoint(message.key)


def _time(snapshot: Snapshot) -> str:
    """Return when the requests in flight of a snapshot were read, in local time."""
    return humanize.time_of_day(snapshot.taken_at - snapshot.in_flight_age_s)[:8]
