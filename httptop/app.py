"""The application: receives snapshots from a feed, holds the view, shows the screens.

The feed runs in its own thread and uses ``post_message`` only. The app adopts the newest snapshot
(unless paused) and lets the screens draw it; it computes no figures.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from rich.console import RenderableType
from textual.actions import SkipAction
from textual.binding import BindingType

from httptop.collect.feed import Feed
from httptop.config.settings import DEFAULTS, Paths, Settings, Ui, Watches
from httptop.filters import Expression
from httptop.filters.on_screen import parse_for_screen
from httptop.humanize import Units
from httptop.model import EndpointKey, Snapshot, Transaction
from httptop.screens.base import HttptopScreen, RunControls
from httptop.screens.baseline_control import BaselineControl
from httptop.screens.dashboard import Dashboard
from httptop.screens.demo_control import DemoControl
from httptop.screens.export_control import ExportControl
from httptop.screens.messages import DemoStarted, FeedFailed, SettingsReloaded, SnapshotArrived
from httptop.screens.moments import Moments
from httptop.screens.pages import ConfirmQuit, Failure
from httptop.screens.replaying import Player, ReplayMoments
from httptop.screens.telling_app import TellingApp
from httptop.screens.time_control import TimeControl
from httptop.screens.watch_control import WatchControl
from httptop.screens.window_control import WindowControl
from httptop.view.kept_requests import KeptRequests
from httptop.view.sorts import SORTS, descends
from httptop.view.state import View
from httptop.view.watches import Watching
from httptop.widgets.bindings import bindings
from httptop.widgets.filter_chips import Fixed

FAILED: Final = 1


class HttptopApp(TellingApp):
    """Shows the snapshots of a feed; with ``feed=None`` it waits for posted ones (tests)."""

    TITLE = "httptop"
    #: Read with the module: once root is given up the file may be out of reach.
    CSS = Path(__file__).with_name("httptop.tcss").read_text("utf-8")
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")

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
        player: Player | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the app; nothing starts before it runs.

        ``run`` is what the screen can change in the run; None: nothing. ``watching`` says in a few
        words what is traced; ``fixed`` are the filters of the run. ``no_color``: attributes only.
        ``player`` plays a capture. ``clock`` returns seconds on a monotonic clock.

        Raises:
            ValueError: ``ui.sort``, ``ui.theme``, ``ui.filter``, ``ui.keys`` or a watch is invalid.
        """
        super().__init__(ui, no_color=no_color, clock=clock)
        if ui.sort not in SORTS:
            raise ValueError(f"unknown sort column {ui.sort!r}; known: {', '.join(SORTS)}")
        if ui.theme not in self.available_themes:
            known = ", ".join(self.available_themes)
            raise ValueError(f"unknown theme {ui.theme!r}; known: {known}")
        self.theme = ui.theme
        self.watching = watching
        self.paths = self.read_paths = paths
        self.fixed = fixed
        self.read_watches = watches
        self._watch_control = WatchControl(self, watches)
        self._window = WindowControl(self, self._ask_for_window)
        self.snapshot: Snapshot | None = None
        self.newest: Snapshot | None = None
        #: The error with which the feed failed; None if it did not.
        self.failure: BaseException | None = None
        self._demo = DemoControl(self)
        self.kept_requests = KeptRequests()
        self.baseline_control = BaselineControl(self)
        self.moments: TimeControl = Moments(self)
        if player is not None:
            self.moments = ReplayMoments(self, player)
        self.view = View(
            side=ui.side,
            sort=ui.sort,
            descending=descends(ui.sort),
            expression=self._first_filter(),
        )
        self._drawn_at_s: float | None = None  # uptime of the newest snapshot drawn
        self._arriving: Snapshot | None = None  # published, while no message has told us
        self._arrival = threading.Lock()
        self._feed = feed
        self._feed_runs = False
        self._stands = self._ends = False
        self.run_controls = run
        self._export_control = ExportControl(self)

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

    @property
    def baseline_at(self) -> float | None:
        """The Unix time at the end of the baseline's window; None: there is no baseline."""
        baseline = self.baseline_control.baseline
        return None if baseline is None else baseline.taken_at

    @property
    def can_demo(self) -> bool:
        """Whether a key may start the demo services."""
        return self._demo.is_allowed

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
        self.lateness.arrived(snapshot)
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

    def on_snapshot_arrived(self) -> None:
        """Adopt the snapshot, or only keep it while paused or before it is due."""
        with self._arrival:
            snapshot, self._arriving = self._arriving, None
        if snapshot is None:
            return
        self.newest = snapshot
        self.moments.see(snapshot)
        self.kept_requests.note(snapshot)
        self._window.see(snapshot)
        self._watch_control.see(snapshot)
        if snapshot.window_s == self.view.window_s:
            self.view = replace(self.view, window_s=None)
        if self._is_due(snapshot):
            self._drawn_at_s = snapshot.uptime_s
            if not self.view.paused:
                self.snapshot = snapshot
            self.refresh_screens()
        self.look_at_age()

    def _is_due(self, snapshot: Snapshot) -> bool:
        """Return whether the refresh interval has elapsed; a tick may come a little early."""
        if self._drawn_at_s is None or snapshot.final or snapshot.uptime_s < self._drawn_at_s:
            return True
        if self.moments.steps:
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
        self.say("\n".join(reload.sentences()), wrong=bool(reload.error or reload.refused))

    def on_feed_failed(self, message: FeedFailed) -> None:
        """Tell the user why; the exit status will be that of a failure."""
        self.failure = message.error
        self.push_screen(Failure(str(message.error).strip() or type(message.error).__name__))

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
        """Draw the screen on top, or the one below the boxes; tell the feed by which filter."""
        if self._feed is not None:
            self._feed.filter_by(self.view.filter)
        page = self.page
        if page is not None and page.is_mounted:
            page.refresh_scene()
        self.show_told()

    def change_window(self, step: int) -> None:
        """Have figures cover the next longer or shorter window, or say why they do not."""
        self._window.step(step)

    def _ask_for_window(self, seconds: float) -> None:
        if self._feed is not None:
            self._feed.set_window(seconds)

    # Pages are imported when they are first opened: the start need not wait for them.

    def open_endpoint(self, key: EndpointKey) -> None:
        """Show one endpoint in full."""
        from httptop.screens.detail import DetailScreen

        self.push_screen(DetailScreen(key))

    def look_at(self, key: EndpointKey | None) -> None:
        """Have the feed's snapshots hold more of an endpoint, or of none; see Feed."""
        if self._feed is not None:
            self._feed.look_at(key)

    def open_request(self, request: Transaction) -> None:
        """Show one sampled request in full."""
        from httptop.screens.request import RequestScreen

        self.push_screen(RequestScreen(request))

    def action_baseline(self) -> None:
        """Compare with the baseline, or set one if there is none."""
        if self.baseline_control.baseline is not None:
            from httptop.screens.compare import CompareScreen

            self.push_screen(CompareScreen(self.baseline_control))
        else:
            self.baseline_control.set()
            self.refresh_screens()

    def action_watches(self) -> None:
        """Show the watches and their events."""
        from httptop.screens.watches import WatchesScreen

        self.push_screen(WatchesScreen())

    def action_in_flight(self) -> None:
        """Show the requests in flight."""
        from httptop.screens.in_flight import InFlightScreen

        self.push_screen(InFlightScreen())

    def action_health(self) -> None:
        """Show what was missed, own cost, and why a service does not show up."""
        from httptop.screens.health import HealthScreen

        self.push_screen(HealthScreen())

    def action_export(self) -> None:
        """Ask how to export what is shown."""
        if not self._export_control.ask():
            raise SkipAction

    def _first_filter(self) -> Expression | None:
        return parse_for_screen(self.ui.filter) if self.ui.filter else None

    def action_demo(self) -> None:
        """Start the demo services, once, if the run allows it."""
        self._demo.start()

    @property
    def demo_state(self) -> str:
        """The state of the demo in words; empty until it is started."""
        return self._demo.state

    def on_demo_started(self, message: DemoStarted) -> None:
        """Tell the user whether the demo is running."""
        self._demo.started(message.error)

    # The end

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
