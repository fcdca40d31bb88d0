"""Run: settings to a feed, the feed to a screen or a printer, changed settings to both."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from httptop.collect.feed import Feed
from httptop.config.load import Config, config_files, load
from httptop.config.reload import Reload, Reloading
from httptop.config.save import save_changes
from httptop.config.scope import Scope, scope_of
from httptop.config.settings import Settings
from httptop.console import complain
from httptop.coverage.processes import Survey, survey
from httptop.errors import HttptopError, UsageError
from httptop.linux.files import Caller
from httptop.linux.terminal import Terminal
from httptop.model import Snapshot, clean
from httptop.output import batch
from httptop.privilege.helper import Monitor
from httptop.run.arguments import Arguments
from httptop.run.log import LOG, log_reload, log_start, logging_to_file, set_level
from httptop.run.observers import CountedFeed, LoggedFeed, open_feed


def run_batch(asked: Arguments, config: Config, caller: Caller) -> int:
    """Print snapshots to the end; return the exit status."""
    if sys.stdout is None:
        raise HttptopError("standard output is closed")
    settings, terminal = config.settings, Terminal()

    def report(reload: Reload) -> None:
        for sentence in reload.sentences():
            complain(sentence)

    with _logged(settings, caller), contextlib.ExitStack() as closing:
        signals = closing.enter_context(batch.StopSignals())
        feed = open_feed(asked, settings, scope_of(settings.filter), caller)
        closing.callback(feed.stop)
        reloading = Reloading(
            settings,
            lambda: _configured(asked, caller).settings,
            _files(asked, caller),
            lambda reload: _follow(reload, feed, report),
        )
        closing.callback(reloading.stop)
        reloading.start()
        signals.goes_on = lambda: _read_again(terminal, reloading)
        _settle_memory()
        missed = batch.run(
            LoggedFeed(feed),
            lambda snapshot: _rendered(snapshot, reloading.settings),
            sys.stdout.fileno(),
            signals,
            asked.iterations,
            lambda: reloading.settings.general.shutdown_timeout_s,
        )
        if missed:
            complain(f"{missed} snapshots were not printed: the output was read too slowly")
        return _ending(feed)


def run_screen(asked: Arguments, config: Config, caller: Caller) -> int:
    """Show the screen to the end; return the exit status."""
    settings, terminal = _for_screen(config, os.environ), Terminal()
    scope = scope_of(settings.filter)
    with _logged(settings, caller), contextlib.ExitStack() as closing:
        # The loader works in a process of its own while Textual is imported.
        feed = open_feed(asked, settings, scope, caller, early=True)
        closing.callback(feed.stop)
        counted = CountedFeed(LoggedFeed(feed), asked.iterations)

        from httptop.app import HttptopApp
        from httptop.screens.messages import SettingsReloaded

        def report(reload: Reload) -> None:
            app.post_message(SettingsReloaded(reload))

        reloading = Reloading(
            settings,
            lambda: _for_screen(_configured(asked, caller), os.environ),
            _files(asked, caller),
            lambda reload: _follow(reload, feed, report),
        )
        closing.callback(reloading.stop)
        ui = settings.ui
        app = HttptopApp(
            counted,
            run=_Controls(asked, caller, feed, reloading, terminal, closing),
            watching=_watching(asked, scope),
            ui=ui if ui.side in scope.sides else replace(ui, side=next(iter(scope.sides))),
            paths=settings.paths,
            fixed=scope.described(),
        )
        counted.enough = app.exit
        reloading.start()
        _settle_memory()
        _end_with(terminal)
        app.run()
        if app.failure is not None:
            raise app.failure
        return app.return_code or _ending(feed)


class _Controls:
    """What the screen may do to the run: see ``screens.base.RunControls``."""

    can_save = True

    def __init__(
        self,
        asked: Arguments,
        caller: Caller,
        feed: Feed,
        reloading: Reloading,
        terminal: Terminal,
        closing: contextlib.ExitStack,
    ) -> None:
        self.can_demo = not (asked.demo or asked.replay)
        self.can_change = self.can_survey = not asked.replay
        self._asked, self._caller, self._feed = asked, caller, feed
        self._reloading, self._terminal, self._closing = reloading, terminal, closing

    def start_demo(self) -> None:
        """Start the demo; it ends with the run."""
        _start_demo(self._closing)

    def save(self, changes: Mapping[str, object]) -> str:
        """Write settings; return where."""
        path = _saved(changes, self._asked, self._caller)
        self._reloading.took(changes)  # or the file would be news
        return str(path)

    def change(self, changes: Mapping[str, object]) -> None:
        """Apply settings to the feed."""
        self._feed.apply(self._reloading.took(changes))

    def reload(self) -> bool:
        """Have the settings read again, unless the terminal is gone."""
        return _read_again(self._terminal, self._reloading)

    def survey(self) -> Survey:
        """Look at the processes of this host."""
        return _survey()


# The settings of a run


def _files(asked: Arguments, caller: Caller) -> tuple[Path, ...]:
    return config_files(os.environ, caller, asked.config)


def _configured(asked: Arguments, caller: Caller) -> Config:
    """Read everything again; what root's alone is, by the helper that stayed root."""
    read = None if Monitor.running is None else Monitor.running.read
    return load(asked.settings, os.environ, caller, asked.config, read=read)


def _saved(changes: Mapping[str, object], asked: Arguments, caller: Caller) -> Path:
    """Write changed settings, likewise; return where."""
    monitor = Monitor.running
    if monitor is None:
        return save_changes(changes, os.environ, caller, asked.config)
    return save_changes(
        changes,
        os.environ,
        caller,
        asked.config,
        read=monitor.read,
        write=monitor.save,
    )


def _for_screen(config: Config, environ: Mapping[str, str]) -> Settings:
    """Return the settings as a screen wants them.

    It has a window of its own, unless a flag asked for one, and the console of Linux has no
    braille.
    """
    settings = config.settings
    if not config.origins["general.window"].startswith("--"):
        general = replace(settings.general, window_s=settings.ui.window_s)
        settings = replace(settings, general=general)
    if environ.get("TERM") == "linux" and config.origins["ui.symbols"] == "default":
        settings = replace(settings, ui=replace(settings.ui, symbols="tty"))
    return settings


def _follow(reload: Reload, feed: Feed, report: Callable[[Reload], None]) -> None:
    """Let a run go on with settings that were read again, and tell the user."""
    if reload.applied:
        set_level(reload.settings)
        feed.apply(reload.settings)
    log_reload(reload)
    report(reload)


def _read_again(terminal: Terminal, reloading: Reloading) -> bool:
    """Take SIGHUP: have the settings read again; return whether the run goes on."""
    if terminal.gone:
        return False
    reloading.ask()
    return True


def _end_with(terminal: Terminal) -> None:
    """Send ourselves SIGHUP when the terminal is gone: Textual would read its end for ever."""

    def wait() -> None:
        if terminal.wait_until_gone():
            os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=wait, name="terminal", daemon=True).start()


# Around a run


@contextlib.contextmanager
def _logged(settings: Settings, caller: Caller) -> Iterator[None]:
    """Log the start and the end of a run, and tell where that could not be written."""
    with logging_to_file(settings, caller) as log:
        log_start(settings)
        try:
            yield
        except BaseException as fault:
            LOG.error("httptop ends: %s", str(fault) or type(fault).__name__)
            raise
        else:
            LOG.info("httptop ends")
        finally:
            if log is not None and log.failure:
                complain(f"{settings.general.log_file} is not complete: {log.failure}")


def _rendered(snapshot: Snapshot, settings: Settings) -> str:
    if settings.output.format == "json":
        from httptop.output.json import to_json

        return to_json(snapshot) + "\n"
    from httptop.output.text import to_text

    columns = shutil.get_terminal_size((132, 50)).columns
    return to_text(snapshot, columns) + ("" if snapshot.final else "\n")


def _settle_memory() -> None:
    """Let the collector of garbage pass by what was imported, and come rarely.

    A tick makes thousands of objects and no cycle; with 5,000 endpoints the usual thresholds cost
    60 ms a tick, these 4 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _start_demo(closing: contextlib.ExitStack) -> None:
    from httptop.demo.supervisor import Demo

    demo = Demo()
    closing.callback(demo.stop)
    try:
        demo.start()
    except OSError as fault:
        raise HttptopError(f"the demo could not be started: {fault}") from None


def _survey() -> Survey:
    """Look at the processes; by the helper that stayed root, where there is one."""
    monitor = Monitor.running
    return survey(time.time()) if monitor is None else monitor.survey()


def _watching(asked: Arguments, scope: Scope) -> str:
    limits = "; ".join(scope.describe())
    if asked.replay is not None:
        what = f"the capture {clean(os.fsencode(asked.replay))}"
    else:
        what = "every process of this host"
    return f"{what}, only {limits}" if limits else what


def _ending(feed: Feed) -> int:
    """Return the exit status of a run that went to its end."""
    problem: str | None = getattr(feed, "problem", None)
    if problem is not None:
        complain(problem)
        if getattr(feed, "damaged", False):
            return UsageError.exit_status
    return 0
