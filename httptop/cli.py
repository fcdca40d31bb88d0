"""Tie the ends: arguments to settings, settings to a feed, the feed to a screen or a printer."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import shutil
import signal
import sys
import threading
import tomllib
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from httptop import arguments, batch
from httptop.arguments import UNNAMED, Arguments
from httptop.config import Config, check_file, load, read_config, user_file
from httptop.config_file import to_toml
from httptop.errors import HttptopError, UsageError
from httptop.feed import Feed
from httptop.files import Caller, FileError, calling_user, write_text
from httptop.model import Snapshot, clean
from httptop.scope import Scope, scope_of
from httptop.settings import SETTINGS, Settings


def main(words: Sequence[str] | None = None) -> int:
    """Run httptop and return its exit status; every failure is a line on standard error."""
    try:
        return _main(arguments.parse(sys.argv[1:] if words is None else words))
    except HttptopError as fault:
        complain(str(fault))
        return fault.exit_status
    except BrokenPipeError:
        _forget_output()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as fault:  # noqa: BLE001 - a user shall not see a traceback
        place = traceback.extract_tb(fault.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        complain(f"{type(fault).__name__}: {fault} ({where})".replace("\n", " "))
        return HttptopError.exit_status


def complain(message: str) -> None:
    """Write a message to standard error, each line with our name and safe to show."""
    with contextlib.suppress(OSError, AttributeError):
        for line in message.splitlines() or [""]:
            text = clean(line.encode("utf-8", "surrogateescape"), 2000)
            print(f"httptop: {text}", file=sys.stderr, flush=True)


def _main(asked: Arguments) -> int:
    if asked.doctor:
        from httptop.bpf import doctor

        return doctor.main()
    caller = calling_user(os.environ)
    if asked.validate_config not in (None, UNNAMED):
        return _validated(check_file(asked.validate_config, caller))
    config = load(asked.settings, os.environ, caller, asked.config)
    if asked.validate_config is not None:
        return _validated(config)
    scope = scope_of(config.settings.filter)
    if asked.print_config:
        return _print_config(config)
    if asked.save_config is not None:
        return _save_config(config, asked.save_config, caller)
    if asked.batch or not _can_draw(os.environ):
        return _run_batch(asked, config.settings, scope, caller)
    return _run_screen(asked, _for_screen(config, os.environ), scope, caller)


# Configuration


def _validated(config: Config) -> int:
    scope_of(config.settings.filter)
    names = ", ".join(map(str, config.files)) or "no configuration file, the defaults hold"
    _say(f"{names}: no fault")
    return 0


def _print_config(config: Config) -> int:
    lines = [f"{s.key} = {s.kind.show(s.of(config.settings))}" for s in SETTINGS]
    width = min(60, max(map(len, lines)))
    for setting, line in zip(SETTINGS, lines, strict=True):
        _say(f"{line:<{width}}  # {config.origins[setting.key]}")
    return 0


def _save_config(config: Config, file: Path, caller: Caller) -> int:
    path = user_file(os.environ, caller) if file == UNNAMED else file
    try:
        previous = read_config(path, caller)
        tomllib.loads(previous)
        saved = write_text(path, to_toml(config.settings, previous), caller)
    except FileError as fault:
        raise UsageError(f"{fault}; nothing was written") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: is there and is no TOML; nothing was written") from None
    _say(str(saved))
    return 0


# Running


def _run_batch(asked: Arguments, settings: Settings, scope: Scope, caller: Caller) -> int:
    if sys.stdout is None:
        raise HttptopError("standard output is closed")
    with batch.StopSignals() as signals, contextlib.ExitStack() as closing:
        feed = _open_feed(asked, settings, scope, caller)
        closing.callback(feed.stop)
        _settle_memory()
        missed = batch.run(
            feed, _renderer(settings), sys.stdout.fileno(), signals, asked.iterations
        )
    if missed:
        complain(f"{missed} snapshots were not printed: the output was read too slowly")
    return _ending(feed)


def _renderer(settings: Settings) -> Callable[[Snapshot], str]:
    if settings.output.format == "json":
        from httptop.exporters.json import to_json

        return lambda snapshot: to_json(snapshot) + "\n"
    from httptop.exporters.text import to_text

    columns = shutil.get_terminal_size((132, 50)).columns
    return lambda snapshot: to_text(snapshot, columns) + ("" if snapshot.final else "\n")


def _run_screen(asked: Arguments, settings: Settings, scope: Scope, caller: Caller) -> int:
    with contextlib.ExitStack() as closing:
        # The loader works in a process of its own while Textual is imported.
        feed = _open_feed(asked, settings, scope, caller, early=True)
        closing.callback(feed.stop)
        counted = _CountedFeed(feed, asked.iterations)

        from httptop.app import HttptopApp

        ui = settings.ui
        may_demo = not (asked.demo or asked.replay)
        app = HttptopApp(
            counted,
            start_demo=(lambda: _start_demo(closing)) if may_demo else None,
            watching=_watching(asked, scope),
            ui=ui if ui.side in scope.sides else replace(ui, side=next(iter(scope.sides))),
        )
        counted.enough = app.exit
        _settle_memory()
        threading.Thread(target=_end_with_terminal, name="terminal", daemon=True).start()
        app.run()
        if app.failure is not None:
            raise app.failure
        if app.return_code:
            return app.return_code
    return _ending(feed)


def _end_with_terminal() -> None:
    """Wait until the terminal is gone, then end as on SIGHUP.

    A terminal that is not ours to control sends no signal when it goes, and Textual would read its
    end for ever.
    """
    if sys.__stdin__ is None:
        return
    gone = select.poll()
    gone.register(sys.__stdin__.fileno(), 0)  # a hang-up is always told
    gone.poll()
    os.kill(os.getpid(), signal.SIGHUP)


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


def _settle_memory() -> None:
    """Let the collector of garbage pass by what was imported, and come rarely.

    A tick makes thousands of objects and no cycle; with 5,000 endpoints the usual thresholds cost
    60 ms a tick, these 4 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


class _CountedFeed:
    """A feed that says when it has published as many snapshots as were asked for."""

    def __init__(self, feed: Feed, iterations: int | None) -> None:
        self.enough: Callable[[], None] = lambda: None
        self._feed = feed
        self._left = iterations

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        def counted(snapshot: Snapshot) -> None:
            publish(snapshot)
            if self._left is not None:
                self._left -= 1
                if self._left == 0:
                    self.enough()

        self._feed.start(counted, fail)

    def stop(self) -> Snapshot | None:
        return self._feed.stop()


def _open_feed(
    asked: Arguments, settings: Settings, scope: Scope, caller: Caller, *, early: bool = False
) -> Feed:
    if asked.replay is not None:
        from httptop.narrowing import require_narrowable
        from httptop.sources.replay import ReplayFeed

        require_narrowable(scope)
        pace_s = settings.general.tick_s if "general.tick" in asked.settings else None
        return ReplayFeed(asked.replay, caller, scope=scope, pace_s=pace_s)
    from httptop.sources.live import open_live

    feed = open_live(settings, scope, demo=asked.demo, early=early)
    if asked.record is None:
        return feed
    from httptop.recording import RecordedFeed, Recorder

    try:
        return RecordedFeed(feed, Recorder(asked.record, caller))
    except BaseException:
        feed.stop()
        raise


def _start_demo(closing: contextlib.ExitStack) -> None:
    from httptop.sources.demo import Demo

    demo = Demo()
    closing.callback(demo.stop)
    try:
        demo.start()
    except OSError as fault:
        raise HttptopError(f"the demo could not be started: {fault}") from None


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


def _say(text: str) -> None:
    print(text, flush=True)


def _can_draw(environ: Mapping[str, str]) -> bool:
    """Whether there is a terminal that can show a screen."""
    both = _is_terminal(sys.stdin) and _is_terminal(sys.stdout)
    return both and environ.get("TERM") != "dumb"


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    try:
        return bool(isatty and isatty())
    except ValueError:  # closed
        return False


def _forget_output() -> None:
    """Keep Python from complaining about the closed pipe once more when it exits."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
