"""The screen that compares now with a baseline that the user has set."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from httptop import humanize
from httptop.screens.base import HttptopScreen
from httptop.screens.baseline_control import BaselineControl
from httptop.screens.hints import page_hints
from httptop.view.compare import MOST_ROWS, compare, measured
from httptop.view.window import covered
from httptop.widgets.bindings import TRAVEL, named
from httptop.widgets.compare_table import CompareTable
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.time_lines import TimeLines


class CompareScreen(HttptopScreen):
    """What has changed of each endpoint; it shows each new snapshot, as the dashboard does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left", "app.pop_screen", "Back", show=False),
        Binding("space", "fold", "Show all", show=False, priority=True),
        Binding("b", "again", "New baseline", show=False),
        Binding("B", "drop", "Drop the baseline", show=False),
        Binding("tab,c", "toggle_side", "Other side", show=False),
        *named(*TRAVEL),
    ]

    def __init__(self, control: BaselineControl) -> None:
        super().__init__()
        self._control = control
        self._all = False

    def compose(self) -> ComposeResult:
        """Make table and keys."""
        yield TimeLines(self.httptop.symbols)
        yield CompareTable(self.httptop.symbols)
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the current snapshot."""
        self.query_one(CompareTable).focus()
        self.refresh_scene()

    def refresh_scene(self) -> None:
        """Draw the app's snapshot against the baseline."""
        self.refresh_time()
        app, table = self.httptop, self.query_one(CompareTable)
        key, view = app.key_of, app.view
        self.query_one(KeyBar).show(
            page_hints(
                key,
                (key("open"), "open", ""),
                ("Space", "fold" if self._all else "show all", "screen.fold"),
                ("b", "new baseline", "screen.again"),
                ("B", "drop it", "screen.drop"),
                ("Tab", view.other_side(), "screen.toggle_side"),
                (key("pause"), "resume" if view.paused else "pause", "screen.pause"),
            )
        )
        snapshot, baseline = app.snapshot, self._control.baseline
        if snapshot is None or baseline is None:
            return
        now = measured(snapshot)
        found = compare(now, baseline, view.side)
        changed = [one for one in found if one.changed]
        most = f" (the {MOST_ROWS} busiest)" if MOST_ROWS in (len(now), len(baseline.rows)) else ""
        table.set_title(
            Content.assemble(
                f"{view.side}: last {covered(snapshot)} against the {baseline.window} before ",
                (humanize.time_of_day(baseline.taken_at)[:8], "$hue-strong"),
                (f"  {len(changed)} of {len(found)} changed{most} ", "not bold $hue-muted"),
            )
        )
        folded = [] if self._all else [one for one in found if not (one.changed or one.striking)]
        shown = found if self._all else [one for one in found if one.changed or one.striking]
        table.show(shown, folded, app.units)

    def action_fold(self) -> None:
        """Show what has not changed, too, or hide it."""
        self._all = not self._all
        self.refresh_scene()

    def action_again(self) -> None:
        """Take the current window as the baseline."""
        self._control.set()
        self.refresh_scene()

    def action_drop(self) -> None:
        """Have no baseline any more, and go back."""
        self._control.drop()
        self.app.pop_screen()

    def action_toggle_side(self) -> None:
        """Show the other side."""
        self.httptop.change_view(side=self.httptop.view.other_side())

    def on_compare_table_opened(self, message: CompareTable.Opened) -> None:
        """Show an endpoint's details."""
        self.httptop.open_endpoint(message.key)
