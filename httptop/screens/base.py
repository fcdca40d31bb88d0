"""What every screen shares, and what the screens need of the app and of the run.

The app shows screens and so imports them; screens see the app only as :class:`Httptop` here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual.app import App
from textual.events import Event, Mount, Resize, ScreenResume
from textual.screen import Screen

from httptop.config.settings import Paths, Ui, Watches
from httptop.humanize import Units
from httptop.model import EndpointKey, Snapshot, Transaction
from httptop.screens.hints import moment_hints
from httptop.screens.time_control import TimeControl
from httptop.view.kept_requests import KeptRequests
from httptop.view.menus import Menu
from httptop.view.notices import Notices
from httptop.view.state import View
from httptop.view.watches import Watching
from httptop.widgets.filter_chips import Fixed
from httptop.widgets.key_bar import KeyBar
from httptop.widgets.sparkline import Symbols
from httptop.widgets.time_lines import TimeLines

if TYPE_CHECKING:
    from httptop.coverage.processes import Survey

#: Changed settings, by key: ``{"ui.sort": "p99"}``.
Changes = Mapping[str, object]


class RunControls(Protocol):
    """What the screen can change in the run that feeds it.

    :meth:`reload` is called in the thread of the screen and returns at once. The others may take
    seconds: the screen calls them in threads of their own, and only where the flag allows it.
    """

    @property
    def is_live(self) -> bool:
        """Whether figures are of this host and of now, and not of a capture."""

    @property
    def can_demo(self) -> bool:
        """Whether :meth:`start_demo` may be called."""

    @property
    def can_save(self) -> bool:
        """Whether :meth:`save` may be called."""

    @property
    def can_change(self) -> bool:
        """Whether :meth:`change` may be called."""

    @property
    def can_survey(self) -> bool:
        """Whether :meth:`survey` may be called."""

    def start_demo(self) -> None:
        """Start the demo services and their traffic.

        Raises:
            HttptopError: They could not be started, for this reason.
        """

    def save(self, changes: Changes) -> str:
        """Write settings to the configuration file and return its path.

        Raises:
            HttptopError: They cannot be written.
        """

    @property
    def exported_to(self) -> str:
        """The directory that :meth:`export` writes to, cleaned; empty: it may not be called."""

    def export(self, kind: str, host: str, at_s: float, text: str) -> str:
        """Write a new file of a kind of ``output.EXPORTS`` and return its path, cleaned.

        ``host`` and ``at_s``, Unix time, are what it shows.

        Raises:
            HttptopError: It cannot be written.
        """

    def change(self, changes: Changes) -> None:
        """Apply settings to the run without writing them.

        Raises:
            HttptopError: They cannot be applied; nothing was changed.
        """

    def reload(self) -> bool:
        """Request a reload of the settings; return whether the run continues."""

    def ending(self) -> None:
        """Have the process end in time; any thread may call it."""

    @property
    def fixed_window(self) -> str:
        """Why the window cannot be changed, in a few words; empty: it can."""

    def survey(self) -> Survey:
        """Inspect the processes of the host that have stream sockets.

        Raises:
            OSError: The processes cannot be inspected.
            ValueError: The privileged helper returned an invalid survey.
        """


class Httptop(App[int]):
    """What the screens need of the app; ``httptop.app`` has all of it."""

    #: The snapshot shown, and the newest that arrived; they differ while paused.
    snapshot: Snapshot | None
    newest: Snapshot | None
    #: The state of the dashboard; only :meth:`change_view` changes it.
    view: View
    #: Which moment is shown.
    moments: TimeControl
    #: The settings of the screen, as last read or saved.
    ui: Ui
    #: The rules for paths in force, and those last read or saved.
    paths: Paths
    read_paths: Paths
    #: The watches last read or saved.
    read_watches: Watches
    #: The characters of graphs and lines; fixed for the whole run.
    symbols: Symbols
    #: What is traced, in a few words.
    watching: str
    #: The filters of the run.
    fixed: tuple[Fixed, ...]
    #: What the screen can change in the run; None: nothing.
    run_controls: RunControls | None
    #: The sampled requests of the last minutes.
    kept_requests: KeptRequests

    @property
    @abstractmethod
    def units(self) -> Units:
        """The units of latencies and bytes."""

    @property
    @abstractmethod
    def watches(self) -> Watching:
        """What is watched, and the events."""

    @property
    @abstractmethod
    def baseline_at(self) -> float | None:
        """The Unix time at the end of the baseline's window; None: there is no baseline."""

    @property
    @abstractmethod
    def start_step(self) -> tuple[str, float]:
        """The step of the start, and for how many seconds it has been going on."""

    @property
    @abstractmethod
    def notices(self) -> Notices:
        """What the user has been told."""

    @property
    @abstractmethod
    def can_demo(self) -> bool:
        """Whether a key may start the demo services."""

    @property
    @abstractmethod
    def demo_state(self) -> str:
        """The state of the demo in words; empty until it is started."""

    @abstractmethod
    def refresh_screens(self) -> None:
        """Draw the app's current state."""

    @abstractmethod
    def key_of(self, name: str) -> str:
        """Return the name of an action's key on the screen."""

    @abstractmethod
    def change_view(self, **changes: Any) -> None:
        """Change some fields of the view and draw."""

    @abstractmethod
    def change_window(self, step: int) -> None:
        """Have figures cover the next longer window (``step`` 1), or the next shorter one (-1)."""

    @abstractmethod
    def say(self, text: str, *, wrong: bool = False) -> None:
        """Tell the user something above the keys; any thread may call it."""

    @abstractmethod
    def dismiss_notice(self) -> bool:
        """Show no message any more; return whether one of a fault was shown."""

    @abstractmethod
    def write_to_terminal(self, sequence: str) -> None:
        """Send a control sequence to the terminal."""

    @abstractmethod
    def open_endpoint(self, key: EndpointKey) -> None:
        """Show one endpoint in full."""

    @abstractmethod
    def look_at(self, key: EndpointKey | None) -> None:
        """Have snapshots hold more of an endpoint, or of none; see Feed."""

    @abstractmethod
    def copy_text(self, text: str, what: str) -> None:
        """Send a text to the terminal's clipboard and say so; ``what`` it is, in a few words."""

    @abstractmethod
    def action_watches(self) -> None:
        """Show the watches and their events."""

    @abstractmethod
    def action_in_flight(self) -> None:
        """Show the requests in flight."""

    @abstractmethod
    def open_request(self, request: Transaction) -> None:
        """Show one sampled request in full."""


class HttptopScreen(Screen[None]):
    """A full screen, not a box above another one."""

    #: Whether it shows what is known now, also while a moment in the past is shown elsewhere.
    OF_NOW: ClassVar[bool] = False

    @property
    def httptop(self) -> Httptop:
        """The app, which holds snapshot and view."""
        app = self.app
        assert isinstance(app, Httptop)
        return app

    async def on_event(self, event: Event) -> None:
        """Draw no page that was left at once: what it is made of may be missing."""
        drawing = isinstance(event, Mount | Resize | ScreenResume)
        if not drawing or self in self.app.screen_stack:
            await super().on_event(event)

    def refresh_scene(self) -> None:
        """Draw the app's current state; does nothing on a screen that does not show snapshots."""

    def refresh_time(self) -> None:
        """Say which moment is shown, if that is not now, and have the page make room for it."""
        moment = self.httptop.moments.shown
        hints = moment_hints(self.httptop.key_of, moment)
        if self.OF_NOW:
            moment, hints = moment if moment is not None and moment.recording else None, []
        for lines in self.query(TimeLines):
            lines.show(moment, hints)

    def on_time_lines_chosen(self, message: TimeLines.Chosen) -> None:
        """Show the moment that was clicked."""
        if not self.httptop.moments.go_to(message.at, stays=False):
            self.httptop.say("Nothing is kept of that moment.")

    async def take_key(self, key: str, /) -> bool:
        """Return whether the screen takes a key, by Textual's name, before anything else does.

        Esc ends a message, and does nothing else where that is of a fault.
        """
        for bar in self.query(KeyBar):
            bar.say("")
        return key == "escape" and self.httptop.dismiss_notice()

    def no_such_key(self, key: str) -> None:
        """Say in the key bar that a key, by its name on the screen, does nothing here."""
        for bar in self.query(KeyBar):
            bar.say(f"no such key: {key}; {self.httptop.key_of('help')} helps")

    def show_age(self, text: str) -> None:
        """Say how old the figures are: ``3s old``; empty: they are not late."""
        for bar in self.query(KeyBar):
            bar.say_age(text)

    def menus(self) -> Mapping[str, Menu]:
        """Return the menus of letters, by the names of the actions that open them."""
        return {}

    def go_back(self) -> bool:
        """Return whether the screen went back to what it showed before, instead of being left."""
        return False

    def action_live(self) -> None:
        """Show what arrives, if another moment is shown."""
        self.httptop.moments.newest()

    def action_pause(self) -> None:
        """Stay at the moment that is shown, or resume."""
        self.httptop.moments.pause()

    def action_play(self) -> None:
        """Play on from a moment in the past."""
        self.httptop.moments.play()

    def action_speed(self, step: int) -> None:
        """Play faster or slower."""
        self.httptop.moments.change_speed(step)

    def action_travel(self, steps: int, seconds: float = 0.0) -> None:
        """Show the moment so many ticks, or seconds, later than the one shown, and stay there."""
        self.httptop.moments.travel(steps, seconds)

    def action_window(self, step: int) -> None:
        """Have figures cover a longer or a shorter window."""
        self.httptop.change_window(step)
