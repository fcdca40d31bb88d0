"""A run on a screen, and the actions of its keys that affect the run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from httptop.collect.feed import ObservedFeed, Observer
from httptop.config.load import Config
from httptop.config.reload import Reload
from httptop.config.scope import Scope, scope_of
from httptop.config.settings import Settings
from httptop.console import complain, has_no_colors, is_ascii_only
from httptop.errors import HttptopError
from httptop.linux.files import InvokingUser
from httptop.linux.signals import handled
from httptop.linux.stretches import GivingWay
from httptop.linux.terminal import Terminal
from httptop.model import Snapshot
from httptop.printable import clean
from httptop.run.arguments import Arguments
from httptop.run.configuration import Configuration, follow, read_again
from httptop.run.exports import Exports
from httptop.run.feed import exit_status_of, observers_of, open_feed
from httptop.run.log import logged
from httptop.run.scheduling import settle_memory
from httptop.run.service import observers_for
from httptop.run.session import Session

if TYPE_CHECKING:
    from httptop.app import HttptopApp
    from httptop.coverage.processes import Survey


def run_screen(asked: Arguments, config: Config, invoker: InvokingUser, session: Session) -> int:
    """Show the screen until the run ends; return the exit status."""
    settings = settings_for_screen(config, os.environ)
    with logged(settings, invoker, session.reopen), contextlib.ExitStack() as closing:
        return ScreenRun(asked, settings, invoker, session, closing).show()


class Countdown(Observer):
    """Calls ``done`` once a given number of snapshots has been published."""

    def __init__(self, iterations: int | None, done: Callable[[], None]) -> None:
        """``iterations``: the number of snapshots; None for no limit."""
        self._left, self._done = iterations, done

    def see(self, snapshot: Snapshot) -> None:  # noqa: ARG002
        """Count a snapshot."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._done()


class ScreenRun:
    """What the screen can change in the run: see ``screens.base.RunControls``."""

    can_save = True

    def __init__(
        self,
        asked: Arguments,
        settings: Settings,
        invoker: InvokingUser,
        session: Session,
        closing: contextlib.ExitStack,
    ) -> None:
        """Open the feed; ``closing`` ends what must end with the run."""
        elsewhere = asked.replay is not None or asked.source is not None
        self.is_live = asked.replay is None
        self.can_change = self.can_survey = not elsewhere
        self.fixed_window = fixed_window(asked)
        self._asked, self._settings, self._session = asked, settings, session
        self._app: HttptopApp | None = None
        self._terminal = Terminal()  # while it exists
        self._scope = scope_of(settings.filter)
        self._feed = open_feed(
            asked,
            settings,
            self._scope,
            invoker,
            session,
            screen=True,
            tell=self._tell,
            doing=self._doing,
        )
        closing.callback(self._feed.stop)
        self._configuration = Configuration(asked, invoker, session)
        self._exports = Exports(invoker, session)
        self._reloading = follow(
            settings,
            self._read,
            self._configuration.files,
            self._feed,
            self._report,
            session.manager,
        )
        closing.callback(self._reloading.stop)
        countdown = Countdown(asked.iterations, self._leave)
        self._observed = ObservedFeed(
            self._feed,
            observers_of(
                asked,
                settings,
                invoker,
                self._feed,
                lambda timeout_s: self._observed.metrics(timeout_s),
                session.reopen,
            ),
            [countdown, *observers_for(session.manager)],
            tell=self._tell_trouble,
            patience_s=lambda: self._reloading.settings.general.shutdown_timeout_s,
        )
        closing.callback(self._observed.stop)
        # Without a helper there is no launcher, and who is confined starts no processes.
        confined = settings.security.seccomp and session.helper is None
        self.can_demo = not (asked.demo or elsewhere or confined)
        self._demo = session.take_demo() if self.can_demo else None
        if self._demo is not None:
            closing.callback(self._demo.stop)

    def show(self) -> int:
        """Show the screen until the run ends; return the exit status or raise the feed's error."""
        # The loader works in a process of its own while Textual is imported.
        import asyncio

        from httptop.app import HttptopApp

        player = None
        if self._asked.replay is not None:
            from httptop.capture.replay import ReplayFeed

            assert isinstance(self._feed, ReplayFeed)
            player = self._feed
        ui, scope = self._settings.ui, self._scope
        app = self._app = HttptopApp(
            self._observed,
            run=self,
            watching=_watching(self._asked, scope),
            ui=ui if ui.side in scope.sides else replace(ui, side=next(iter(scope.sides))),
            paths=self._settings.paths,
            watches=self._settings.watches,
            fixed=scope.described(),
            no_color=has_no_colors(os.environ),
            player=player,
        )
        self._reloading.start()
        settle_memory()
        _end_with(self._terminal, self.ending)

        async def shown() -> None:
            on_signals = {
                signal.SIGINT: app.end,
                signal.SIGTERM: app.end,
                signal.SIGHUP: app.hang_up,
            }
            with handled(asyncio.get_running_loop(), on_signals, self._at_signal):
                await app.run_async()

        try:
            with asyncio.Runner(
                loop_factory=lambda: asyncio.SelectorEventLoop(GivingWay())
            ) as runner:
                runner.run(shown())
        except OSError:
            if not self._terminal.gone:
                raise
        self._observed.stop()
        for trouble in self._observed.troubles:
            complain(trouble)
        if app.failure is not None:
            raise app.failure
        # If the terminal is gone, nobody is left to be told what went wrong on it.
        failed = 0 if self._terminal.gone else app.return_code
        return failed or exit_status_of(self._feed, self._observed)

    def ending(self) -> None:
        """Have the process end within ``general.shutdown_timeout``; any thread may call it."""
        self._session.ending(self._reloading.settings.general.shutdown_timeout_s)

    def _at_signal(self, number: int) -> None:
        if number != signal.SIGHUP or self._terminal.gone:
            self.ending()

    def start_demo(self) -> None:
        """Start the demo; it ends with the run."""
        assert self._demo is not None
        try:
            self._demo.start()
        except OSError as error:
            raise HttptopError(str(error)) from None

    def save(self, changes: Mapping[str, object]) -> str:
        """Write settings; return the file's path; raise :class:`HttptopError`."""
        path = self._configuration.save(changes)
        self._reloading.took(changes)  # or the changed file would be reported as a reload
        return str(path)

    def change(self, changes: Mapping[str, object]) -> None:
        """Apply settings to the feed."""
        self._feed.apply(self._reloading.took(changes))

    def reload(self) -> bool:
        """Request a reload of the settings; return False if the terminal is gone instead."""
        return read_again(self._terminal, self._reloading, self._session.manager)

    @property
    def exported_to(self) -> str:
        """The directory that exported files are written to."""
        directory = self._exports.directory
        return "" if directory is None else clean(os.fsencode(directory))

    def export(self, kind: str, host: str, at_s: float, text: str) -> str:
        """Write an exported file; return its path; raise :class:`HttptopError`."""
        data = text.encode("utf-8", "backslashreplace")
        return clean(os.fsencode(self._exports.write(kind, host, at_s, data)), 1024)

    def survey(self) -> Survey:
        """Survey this host's processes; may take seconds."""
        return self._session.survey()

    def _read(self) -> Settings:
        return settings_for_screen(self._configuration.read(), os.environ)

    def _report(self, reload: Reload) -> None:
        from httptop.screens.messages import SettingsReloaded

        self._observed.reopen()
        assert self._app is not None
        self._app.post_message(SettingsReloaded(reload))

    def _tell(self, text: str) -> None:
        """Show the user a message; any thread may call it while the screen runs."""
        assert self._app is not None
        self._app.say(text)

    def _doing(self, step: str) -> None:
        """Show the user what the start does; any thread may call it while the screen runs."""
        from httptop.screens.messages import StartStep

        assert self._app is not None
        self._app.post_message(StartStep(step))

    def _tell_trouble(self, text: str) -> None:
        if self._app is not None and self._app.is_running:
            self._app.say(text, wrong=True)

    def _leave(self) -> None:
        """End the screen; any thread may call it while the screen runs."""
        assert self._app is not None
        self._app.end()


def fixed_window(asked: Arguments) -> str:
    """Return why the window cannot be changed on the screen, in a few words; empty: it can."""
    if asked.replay is not None:
        return "A capture has figures of one window"
    if asked.record is not None:
        return "The window stays as it is while the run is recorded"
    return ""


def settings_for_screen(config: Config, environ: Mapping[str, str]) -> Settings:
    """Return the settings adapted to a screen.

    It uses ``ui.window`` unless a flag sets the window, the order of ``--sort``, and only ASCII
    where the locale or the terminal have no more, unless ``ui.symbols`` is set. The Linux console's
    font lacks braille.
    """
    settings = config.settings
    if not config.origins["general.window"].startswith("--"):
        general = replace(settings.general, window_s=settings.ui.window_s)
        settings = replace(settings, general=general)
    if config.origins["output.sort"].startswith("--sort"):
        settings = replace(settings, ui=replace(settings.ui, sort=settings.output.sort))
    if is_ascii_only(environ) and config.origins["ui.symbols"] == "default":
        settings = replace(settings, ui=replace(settings.ui, symbols="ascii"))
    return settings


def _end_with(terminal: Terminal, ending: Callable[[], None]) -> None:
    """Send ourselves SIGHUP when the terminal is gone; Textual would read end-of-file forever."""

    def wait() -> None:
        if terminal.wait_until_gone():
            ending()
            os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=wait, name="terminal", daemon=True).start()


def _watching(asked: Arguments, scope: Scope) -> str:
    limits = "; ".join(scope.describe())
    if asked.replay is not None:
        what = f"the capture {clean(os.fsencode(asked.replay))}"
    elif asked.source is not None:
        from httptop.fleet.address import parse_source

        what = f"the hosts that Prometheus at {parse_source(asked.source)} has metrics of"
    else:
        what = "every process of this host"
    return f"{what}, only {limits}" if limits else what
