"""The application: receives snapshots from a feed, holds the view, shows the screens.

The feed runs in its own thread and uses ``post_message`` only. The app adopts the newest snapshot
(unless paused) and lets the screens draw it; it computes no figures.
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final, cast

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.actions import SkipAction
from textual.binding import BindingType
from textual.driver import Driver
from textual.events import Event, Key, Resize
from textual.filter import Monochrome, NoColor
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme
from textual.widgets import Input

from httptop.collect.feed import Feed
from httptop.config.settings import BY_KEY, DEFAULTS, Paths, Settings, Ui, Watches
from httptop.config.value_types import Choice
from httptop.filters import Expression
from httptop.filters.on_screen import parse_for_screen
from httptop.humanize import Units
from httptop.linux.terminal import has_job_control
from httptop.model import EndpointKey, Snapshot, Transaction
from httptop.screens.base import Httptop, HttptopScreen, RunControls
from httptop.screens.box import Box
from httptop.screens.clipboard import Clipboard
from httptop.screens.commands import Command, commands, letters
from httptop.screens.compare import CompareScreen
from httptop.screens.coverage import CoverageScreen
from httptop.screens.dashboard import Dashboard
from httptop.screens.detail import DetailScreen
from httptop.screens.export_box import ExportBox
from httptop.screens.export_control import ExportControl
from httptop.screens.in_flight import InFlightScreen
from httptop.screens.messages import DemoStarted, FeedFailed, SettingsReloaded, SnapshotArrived
from httptop.screens.moments import Moments
from httptop.screens.pages import ConfirmQuit, Failure, help_page, notes_page
from httptop.screens.palette import Palette
from httptop.screens.plain import AsciiOnly
from httptop.screens.request import RequestScreen
from httptop.screens.shown_cells import ChangedCells, ShownCells
from httptop.screens.terminal import TerminalDriver
from httptop.screens.themes import THEMES
from httptop.screens.watch_control import WatchControl
from httptop.screens.watches import WatchesScreen
from httptop.screens.window_control import WindowControl
from httptop.view.keys import Action, behind_escape, effective, shown
from httptop.view.sorts import SORTS, descends
from httptop.view.state import View
from httptop.view.watches import Watching
from httptop.widgets.bindings import bindings, keymap
from httptop.widgets.filter_chips import Fixed
from httptop.widgets.sparkline import Symbols

FAILED: Final = 1


class HttptopApp(Httptop):
    """Shows the snapshots of a feed; with ``feed=None`` it waits for posted ones (tests)."""

    TITLE = "httptop"
    #: Read with the module: once root is given up the file may be out of reach.
    CSS = Path(__file__).with_name("httptop.tcss").read_text("utf-8")
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    theme: Reactive[str] = Reactive(DEFAULTS.ui.theme)

    def __init__(
        self,
        feed: Feed | None = None,
        *,
        run: RunControls | None = None,
        watching: str = "",
        ui: Ui = DEFAULTS.ui,
        paths: Paths = DEFAULTS.paths,
        watches: Watches = DEFAULTS.watches,
        fixed: tuple[Fixed, ...] = (),
        no_color: bool = False,
    ) -> None:
        """Prepare the app; nothing starts before it runs.

        ``run`` is what the screen can change in the run; None: nothing. ``watching`` says in a few
        words what is traced; ``fixed`` are the filters of the run. ``no_color``: attributes only.

        Raises:
            ValueError: ``ui.sort``, ``ui.theme``, ``ui.filter``, ``ui.keys`` or a watch is invalid.
        """
        super().__init__(ansi_color=True if no_color else None)
        self._filter_lines(no_color, ui.symbols)
        if ui.sort not in SORTS:
            raise ValueError(f"unknown sort column {ui.sort!r}; known: {', '.join(SORTS)}")
        if ui.theme not in self.available_themes:
            known = ", ".join(self.available_themes)
            raise ValueError(f"unknown theme {ui.theme!r}; known: {known}")
        self.theme = ui.theme
        self.symbols: Symbols = ui.symbols
        self.watching = watching
        self.ui = ui
        self.paths = self.read_paths = paths
        self.fixed = fixed
        self.read_watches = watches
        self._watch_control = WatchControl(self, watches)
        self._actions: tuple[Action, ...] = ()
        self._take_keys()
        self._window = WindowControl(self, self._ask_for_window)
        self.snapshot: Snapshot | None = None
        self.newest: Snapshot | None = None
        #: The error with which the feed failed; None if it did not.
        self.failure: BaseException | None = None
        self.demo_state = ""
        self.moments = Moments(self, self._stay_at)
        self.view = View(
            side=ui.side,
            sort=ui.sort,
            descending=descends(ui.sort),
            expression=self._first_filter(),
        )
        self._drawn_at_s: float | None = None  # uptime of the newest snapshot drawn
        self._arriving: Snapshot | None = None  # published, while no message has told us
        self._arrival = threading.Lock()
        self._shown = ShownCells()
        self._feed = feed
        self._feed_runs = False
        self._stands = self._ends = False
        self.run_controls = run
        self._export_control = ExportControl(self)
        self._copying = Clipboard(self, os.environ.get("TERM", ""))

    def _filter_lines(self, no_color: bool, symbols: Symbols) -> None:
        """Have lines without colours, and in ASCII; Textual's NO_COLOR would make colours grey."""
        self.no_color = no_color
        self._filters = [f for f in self._filters if not isinstance(f, Monochrome | NoColor)]
        if no_color:
            self._filters.append(NoColor())
        if symbols == "ascii":
            self._filters.append(AsciiOnly())

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Our themes by their names; Textual's own lack our hues."""
        return dict(THEMES)

    def get_driver_class(self) -> type[Driver]:
        """Draw on a terminal that may go away."""
        return TerminalDriver

    def get_default_screen(self) -> Dashboard:
        """Start with the dashboard."""
        return Dashboard(self)

    @property
    def units(self) -> Units:
        """The units of latencies and bytes."""
        return Units(self.ui.latency_unit, self.ui.byte_units)

    @property
    def watches(self) -> Watching:
        """What is watched, and the events."""
        return self._watch_control.watching

    def key_of(self, name: str) -> str:
        """Return the name of an action's key on the screen."""
        return next(shown(action.keys[0]) for action in self._actions if action.name == name)

    @property
    def can_demo(self) -> bool:
        """Whether a key may start the demo services."""
        return self.run_controls is not None and self.run_controls.can_demo

    # The feed

    def on_mount(self) -> None:
        """Start the feed."""
        self.call_after_refresh(self._stand)
        if self._feed is not None:
            self._feed_runs = True
            self._feed.look_in_flight(True)
            try:
                self._feed.start(self.publish, self.fail)
            except Exception as error:  # noqa: BLE001 - whatever it is, the user must see it
                self.fail(error)

    def _stand(self) -> None:
        self._stands = True
        if self._ends:
            self.exit(0)

    def end(self) -> None:
        """Quit, but not before the screen stands: Textual fails if it ends while it begins."""
        self._ends = True
        if self._stands:
            self.exit(0)

    def hang_up(self) -> None:
        """Reload the settings, or end where the terminal is gone."""
        if self.run_controls is None or not self.run_controls.reload():
            self.end()

    def publish(self, snapshot: Snapshot) -> None:
        """Accept a snapshot; any thread may call it, and it never blocks.

        Only the newest one waits while the screen cannot take it, as where nobody reads from the
        terminal.
        """
        with self._arrival:
            told, self._arriving = self._arriving is not None, snapshot
        if not told:
            self.post_message(SnapshotArrived())

    def fail(self, error: BaseException) -> None:
        """Accept the feed's error; any thread may call it, and it never blocks."""
        self.post_message(FeedFailed(error))

    async def on_unmount(self) -> None:
        """Stop the feed without blocking the event loop, to which its thread may be posting."""
        await asyncio.to_thread(self.stop_feed)

    def stop_feed(self) -> None:
        """Stop the feed; idempotent."""
        if self._feed is not None and self._feed_runs:
            self._feed_runs = False
            self._feed.stop()

    async def on_event(self, event: Event) -> None:
        """Let the screen have a key first; do what keys do at once, so in their order.

        Else those that go by way of the focused widget would be behind the others.
        Esc and a letter right behind it come as one key with Alt: they are two, if it does nothing.
        """
        if isinstance(event, Key) and not event.is_forwarded:
            letter = behind_escape(event.key)
            if letter is not None and event.key not in self.screen.active_bindings:
                await self._escape()
                await self.on_event(Key(letter, letter))
                return
            if await self._taken(event.key):
                return
            if isinstance(self.screen, HttptopScreen) and not isinstance(self.focused, Input):
                self.app_focus = True
                if not await self._check_bindings(event.key, priority=True):
                    await self.on_key(event)
                return
        await super().on_event(event)

    async def on_key(self, event: Key) -> None:
        """Do what a key does that no widget has taken, or say that it does nothing."""
        event.prevent_default()
        if not await self._check_bindings(event.key):
            name = shown(event.key)
            if event.character is not None and event.character.isprintable():
                name = event.character
            screen = self.screen
            if isinstance(screen, HttptopScreen | Box):
                screen.no_such_key(name)

    async def _taken(self, key: str) -> bool:
        """Return whether the screen takes a key before anything else does."""
        screen = self.screen
        if isinstance(screen, HttptopScreen):
            return await screen.take_key(key)
        return isinstance(screen, ExportBox) and screen.take_early(key)

    async def _escape(self) -> None:
        """Do at once what Esc does, before the next key is looked at."""
        if not await self._taken("escape") and not await self._check_bindings("escape", True):
            await self._check_bindings("escape")

    def on_snapshot_arrived(self) -> None:
        """Adopt the snapshot, or only keep it while paused or before it is due."""
        with self._arrival:
            snapshot, self._arriving = self._arriving, None
        if snapshot is None:
            return
        self.newest = snapshot
        self.moments.see(snapshot)
        self._window.see(snapshot)
        self._watch_control.see(snapshot)
        if snapshot.window_s == self.view.window_s:
            self.view = replace(self.view, window_s=None)
        if self._is_due(snapshot):
            self._drawn_at_s = snapshot.uptime_s
            if not self.view.paused:
                self.snapshot = snapshot
            self.refresh_screens()

    def _is_due(self, snapshot: Snapshot) -> bool:
        """Return whether the refresh interval has elapsed; a tick may come a little early."""
        if self._drawn_at_s is None or snapshot.final or snapshot.uptime_s < self._drawn_at_s:
            return True
        least_s = self.ui.refresh_s - snapshot.interval_s / 10
        return snapshot.uptime_s - self._drawn_at_s >= least_s

    def adopt(self, settings: Settings) -> None:
        """Apply settings that were read again: all of the screen's except its symbols.

        The user's changes to order, side and filter are kept unless the file changed these.
        """
        before, self.ui = self.ui, settings.ui
        self.paths = self.read_paths = settings.paths
        self.theme = self.ui.theme
        self._take_keys()
        if settings.watches != self.read_watches:
            self.read_watches = settings.watches
            self._watch_control.adopt(settings.watches)
        if self.ui.sort != before.sort:
            self.change_view(sort=self.ui.sort, descending=descends(self.ui.sort))
        if self.ui.side != before.side:
            self.change_view(side=self.ui.side)
        if self.ui.filter != before.filter:
            self.change_view(path_filter="", expression=self._first_filter())
        self.refresh_screens()

    def on_settings_reloaded(self, message: SettingsReloaded) -> None:
        """Apply the settings and tell the user what changed."""
        reload = message.reload
        if reload.applied:
            self.adopt(reload.settings)
        text = "\n".join(reload.sentences())
        if reload.error:
            self.notify(text, severity="error", markup=False)
        else:
            self.notify(text, severity="warning" if reload.refused else "information", markup=False)

    def on_feed_failed(self, message: FeedFailed) -> None:
        """Tell the user why; the exit status will be that of a failure."""
        self.failure = message.error
        text = str(message.error).strip() or type(message.error).__name__
        self.push_screen(Failure(text))

    # The view

    def change_view(self, **changes: Any) -> None:
        """Change fields of the view and draw; ending a pause adopts the newest snapshot."""
        view = replace(self.view, **changes)
        if view == self.view:
            return
        if self.view.paused and not view.paused:
            self.snapshot = self.newest
        self.view = view
        self.refresh_screens()

    def refresh_screens(self) -> None:
        """Draw the screen on top, or the one below the boxes."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, HttptopScreen):
                if screen.is_mounted:
                    screen.refresh_scene()
                return

    def change_window(self, step: int) -> None:
        """Have figures cover the next longer or shorter window, or say why they do not."""
        self._window.step(step)

    def _ask_for_window(self, seconds: float) -> None:
        if self._feed is not None:
            self._feed.set_window(seconds)

    def open_endpoint(self, key: EndpointKey) -> None:
        """Show one endpoint in full."""
        self.push_screen(DetailScreen(key))

    def look_at(self, key: EndpointKey | None) -> None:
        """Have the feed's snapshots hold more of an endpoint, or of none; see Feed."""
        if self._feed is not None:
            self._feed.look_at(key)

    def open_request(self, request: Transaction) -> None:
        """Show one sampled request in full."""
        self.push_screen(RequestScreen(request))

    def action_travel(self, steps: int, seconds: float = 0.0) -> None:
        """Show the moment so many ticks, or seconds, later than the one shown, and stay there."""
        self.moments.travel(steps, seconds)

    def _stay_at(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.view = replace(self.view, paused=True)
        self.refresh_screens()

    def action_baseline(self) -> None:
        """Compare with the baseline, or set one if there is none."""
        if self.moments.baseline is not None:
            self.push_screen(CompareScreen(self.moments))
        else:
            self.moments.set_baseline()

    def open_watches(self) -> None:
        """Show the watches and their events."""
        self.push_screen(WatchesScreen())

    def action_watches(self) -> None:
        """Show the watches and their events."""
        self.open_watches()

    def open_in_flight(self) -> None:
        """Show the requests in flight."""
        self.push_screen(InFlightScreen())

    def action_in_flight(self) -> None:
        """Show the requests in flight."""
        self.open_in_flight()

    def action_notes(self) -> None:
        """Show losses, and what cannot be seen."""
        self.push_screen(notes_page(self.newest))

    def action_coverage(self) -> None:
        """Show why a service does not show up, or only in part."""
        self.push_screen(CoverageScreen())

    def action_export(self) -> None:
        """Ask how to export what is shown."""
        if not self._export_control.ask():
            raise SkipAction

    def action_help(self) -> None:
        """Show the keys of the screen, columns and terms."""
        screen = self.screen
        if isinstance(screen, HttptopScreen):
            found = commands(screen, self._actions)
            self.push_screen(help_page(found, columns=isinstance(screen, Dashboard)))

    def action_palette(self) -> None:
        """Show all that can be done on the screen, to search in."""
        screen = self.screen
        if not isinstance(screen, HttptopScreen):
            raise SkipAction
        found = commands(screen, self._actions)
        for name, menu in screen.menus().items():
            found += letters(menu, self.key_of(name), screen)
        found += [
            Command("themes", (), f"theme {name}", f"app.use_theme({name!r})", self)
            for name in cast(Choice, BY_KEY["ui.theme"].kind).words
            if name != self.theme
        ]
        self.push_screen(Palette(found), self._run)

    def _run(self, command: Command | None) -> None:
        if command is not None:
            self.call_later(self.run_action, command.does, command.node)

    def action_use_theme(self, name: str) -> None:
        """Draw in the colours of a theme; saving keeps it."""
        self.theme = name

    def _take_keys(self) -> None:
        self._actions = effective(self.ui.keys)
        self.set_keymap(keymap(self.ui.keys))

    def _first_filter(self) -> Expression | None:
        return parse_for_screen(self.ui.filter) if self.ui.filter else None

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Tell the user something in a corner of the screen."""
        self.notify(text, severity="error" if wrong else "information", markup=False)

    def copy_text(self, text: str, what: str) -> None:
        """Send a text to the terminal's clipboard and say so; ``what`` it is, in a few words."""
        self._copying.copy(text, what)

    def write_to_terminal(self, sequence: str) -> None:
        """Send a control sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(sequence)

    # The demo

    def action_demo(self) -> None:
        """Start the demo services in a thread, once, if the run allows it."""
        run = self.run_controls
        if run is None or not run.can_demo or self.demo_state:
            return
        self.demo_state = "Starting the demo services..."
        self.refresh_screens()
        self.run_worker(self._run_demo(run), exit_on_error=False)

    async def _run_demo(self, run: RunControls) -> None:
        try:
            await asyncio.to_thread(run.start_demo)
        except Exception as error:  # noqa: BLE001 - whatever it is, the user must see it
            self.post_message(DemoStarted(error))
        else:
            self.post_message(DemoStarted())

    def on_demo_started(self, message: DemoStarted) -> None:
        """Tell the user whether the demo is running."""
        if message.error is None:
            self.demo_state = (
                "The demo services are running; their requests will appear in a moment."
            )
        else:
            self.demo_state = f"The demo could not be started: {message.error}"
        self.refresh_screens()

    # The terminal

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send only the cells that change; Textual calls this for each update."""
        if isinstance(renderable, LayoutUpdate | ChopsUpdate):
            changed = cast(RenderableType, ChangedCells(self._shown, renderable))
            super()._display(screen, changed)
        else:
            super()._display(screen, renderable)

    def action_redraw(self) -> None:
        """Draw the whole screen, whatever the terminal shows."""
        self._shown.forget()
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Draw all that a terminal of another size may have moved, also where it is back at it."""
        self._shown.forget()
        if event.size == self.size:
            self.refresh()

    # Suspending, and the end

    def action_suspend(self) -> None:
        """Give the terminal back and stop, if somebody can have httptop go on."""
        if has_job_control():
            self.action_suspend_process()
        else:
            self.say("There is no shell to come back from: httptop is not suspended.", wrong=True)

    def exit(
        self,
        result: int | None = None,
        return_code: int = 0,
        message: RenderableType | None = None,
    ) -> None:
        """Quit, within the time that the run has for it."""
        if self.run_controls is not None:
            self.run_controls.ending()
        super().exit(result, return_code, message)

    async def action_ask_quit(self) -> None:
        """Go back from a page; quit from the first one, and ask first with ``ui.confirm_quit``."""
        screen = self.screen
        if self.failure is not None:
            self.action_quit_failed()
        elif isinstance(screen, HttptopScreen) and screen.go_back():
            pass
        elif isinstance(screen, HttptopScreen) and len(self.screen_stack) > 1:
            self.pop_screen()
        elif self.ui.confirm_quit:
            if not isinstance(self.screen, ConfirmQuit):
                self.push_screen(ConfirmQuit(), self._quit_if)
        else:
            self.exit(0)

    def _quit_if(self, yes: bool | None) -> None:
        if yes:
            self.exit(0)

    async def action_quit(self) -> None:
        """Quit at once."""
        if self.failure is not None:
            self.action_quit_failed()
        else:
            self.exit(0)

    def action_quit_failed(self) -> None:
        """Quit with the status of a failure."""
        self.exit(FAILED, return_code=FAILED)
