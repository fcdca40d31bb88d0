"""The screen of watches: what is watched, and the events, each a limit that was passed::

    ╭ watches 3 · 1 alerting ─────────────────────────────────────────────────────────╮
    │ ● any endpoint · p99                          > 3x usual    8.1x ▲ 2m41s        │
    ╰─────────────────────────────────────────────────────────────────────────────────╯
    ╭ events 12 · 1 ongoing ──────────────────────────────────────────────────────────╮
    │ 12:01:30 server p99 stockd GET /stock/{id}                  8.1x 2m41s, ongoing │
    ╰─────────────────────────────────────────────────────────────────────────────────╯
    keys

From 140 columns on they stand side by side.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Input

from httptop import humanize
from httptop.config.settings.string_types import MOST_WATCHES
from httptop.filters.watches import parse_watch
from httptop.model import EndpointKey
from httptop.screens.base import HttptopScreen
from httptop.screens.hints import watches_hints
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.prompt import Prompt
from httptop.widgets.time_lines import TimeLines
from httptop.widgets.watch_tables import EventTable, WatchTable

_BESIDE_FROM = 140


class WatchesScreen(HttptopScreen):
    """Draws the app's watches, also while the screen is paused: they are of now."""

    OF_NOW = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left,a,q", "app.pop_screen", "Back", show=False),
        Binding("tab,shift+tab", "other_box", "Other box", show=False),
        Binding("space", "switch", "On or off", show=False),
        Binding("n", "add", "New watch", show=False),
        Binding("x,delete", "remove", "Remove the watch", show=False),
    ]

    def compose(self) -> ComposeResult:
        """Make the two boxes and the keys."""
        symbols = self.httptop.symbols
        yield TimeLines(symbols)
        with Container(id="boxes"):
            yield WatchTable(symbols)
            yield EventTable(symbols)
        yield Prompt()
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the watches as they are."""
        self.query_one(WatchTable).focus()
        self._show_keys()
        self.refresh_scene()

    def _show_keys(self) -> None:
        """Show the keys that work now in the footer."""
        prompt = self.query_one(Prompt)
        key = self.httptop.key_of
        self.query_one(KeyBar).show(prompt.HINTS if prompt.is_open else watches_hints(key))

    def on_screen_resume(self) -> None:
        """Draw what changed while another screen was on top."""
        self.refresh_scene()

    def on_resize(self, event: events.Resize) -> None:
        """Choose the layout for the width."""
        self.set_class(event.size.width >= _BESIDE_FROM, "-beside")
        self.refresh_scene()

    def refresh_scene(self) -> None:
        """Draw the watches and the events."""
        self.refresh_time()
        app = self.httptop
        self.query_one(WatchTable).show(app.watches.states, app.units)
        self.query_one(EventTable).show(app.watches.events, app.units)

    def action_other_box(self) -> None:
        """Move the focus to the other box."""
        boxes = self.query_one(WatchTable), self.query_one(EventTable)
        self.set_focus(boxes[1 if boxes[0].has_focus else 0])

    def action_switch(self) -> None:
        """Switch the watch under the cursor on or off."""
        self.query_one(WatchTable).action_switch()

    # Changing what is watched

    def action_add(self) -> None:
        """Ask for a watch, like the one under the cursor."""
        table = self.query_one(WatchTable)
        text = str(table.states[table.cursor_row].watch) if table.states else ""
        self.query_one(Prompt).ask("watch", text, self._checked, self._add)
        self._show_keys()

    def _checked(self, text: str) -> str:
        """Return the text of a watch in its normal form; raise ValueError if it is none."""
        if len(self.httptop.watches.states) >= MOST_WATCHES:
            raise ValueError(f"at most {MOST_WATCHES} watches are allowed")
        return str(parse_watch(text))

    def _add(self, text: str) -> None:
        watches = self.httptop.watches
        if text in watches.rules:
            self.httptop.say("That is watched already.")
            return
        watches.replace([*(state.watch for state in watches.states), parse_watch(text)])
        self._changed("Watched for this run")
        self.query_one(WatchTable).action_edge(1)

    def action_remove(self) -> None:
        """Remove the watch under the cursor."""
        watches, at = self.httptop.watches, self.query_one(WatchTable).cursor_row
        left = [state.watch for n, state in enumerate(watches.states) if n != at]
        if len(left) < len(watches.states):
            watches.replace(left)
            self._changed("Removed for this run")

    def _changed(self, what: str) -> None:
        app = self.httptop
        app.say(f"{what}; {app.key_of('save')} on the first page saves it.")
        self.refresh_scene()

    def action_submit_line(self) -> None:
        """Act as if Enter were pressed in the line."""
        self.query_one(Prompt).submit()

    def action_clear(self) -> None:
        """Close the line without adding what is in it."""
        self.query_one(Prompt).action_cancel()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Close the line when another widget gets the focus."""
        if not isinstance(event.widget, Input):
            self.query_one(Prompt).close(kept=False)

    def on_input_line_closed(self) -> None:
        """Return the focus to the watches."""
        if self.focused is None or isinstance(self.focused, Input):
            self.set_focus(self.query_one(WatchTable))
        self._show_keys()

    # What events are about

    def action_open(self) -> None:
        """Open what is under the cursor of the box that has the focus."""
        if self.query_one(EventTable).has_focus:
            self.query_one(EventTable).action_open()
        else:
            self.query_one(WatchTable).action_open()

    def on_watch_table_switched(self, message: WatchTable.Switched) -> None:
        """Switch a watch on or off."""
        self.httptop.watches.switch(message.n)
        self.refresh_scene()

    def on_watch_table_opened(self, message: WatchTable.Opened) -> None:
        """Go to the newest event of a watch."""
        watches = self.httptop.watches
        watch = watches.states[message.n].watch
        number = next((event.number for event in watches.events if event.watch == watch), None)
        if number is None:
            self.httptop.say("This watch has had no event.")
        else:
            table = self.query_one(EventTable)
            table.point_at(number)
            self.set_focus(table)

    def on_event_table_opened(self, message: EventTable.Opened) -> None:
        """Go to the moment when an event began, to the endpoint or endpoints it is about."""
        event, app = message.event, self.httptop
        if not app.moments.go_to(event.began_at):
            at = humanize.time_of_day(event.began_at)[:8]
            app.say(f"{at}, when it began, is no longer kept.")
        if isinstance(event.subject, EndpointKey):
            app.open_endpoint(event.subject)
        else:
            app.change_view(side=event.subject, path_filter="", expression=event.watch.expression)
            app.pop_screen()
