"""A run that prints snapshots."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from httptop.collect.feed import ObservedFeed
from httptop.config.destination import STANDARD_OUTPUT
from httptop.config.load import Config
from httptop.config.reload import Reload
from httptop.config.scope import scope_of
from httptop.config.settings import Output
from httptop.console import complain, nothing
from httptop.errors import HttptopError
from httptop.linux.files import InvokingUser
from httptop.linux.terminal import Terminal
from httptop.model import Snapshot
from httptop.output import batch_writer
from httptop.run.arguments import Arguments
from httptop.run.configuration import Configuration, follow, read_again
from httptop.run.feed import exit_status_of, observers_of, open_feed, require_output
from httptop.run.log import logged
from httptop.run.scheduling import settle_memory
from httptop.run.service import observers_for
from httptop.run.session import Session

#: How much of the time that a run has to end its last snapshot may wait for its reader.
_TO_BE_READ: Final = 0.8


def run_batch(asked: Arguments, config: Config, invoker: InvokingUser, session: Session) -> int:
    """Print snapshots until the run ends; return the exit status."""
    settings, terminal = config.settings, Terminal()
    quiet = settings.output.quiet
    logs = STANDARD_OUTPUT in settings.request_log.to
    if quiet:
        require_output(asked, settings)
    elif sys.stdout is None:
        raise HttptopError("standard output is closed")
    configuration = Configuration(asked, invoker, session)
    with logged(settings, invoker, session.reopen), contextlib.ExitStack() as closing:
        signals = closing.enter_context(
            batch_writer.StopSignals(lambda: session.ending(settings.general.shutdown_timeout_s))
        )
        feed = open_feed(asked, settings, scope_of(settings.filter), invoker, session)
        closing.callback(feed.stop)

        def report(reload: Reload) -> None:
            observed.reopen()
            for sentence in reload.sentences():
                complain(sentence)

        reloading = follow(
            settings,
            lambda: configuration.read().settings,
            configuration.files,
            feed,
            report,
            session.manager,
        )
        closing.callback(reloading.stop)

        def patience_s() -> float:
            return reloading.settings.general.shutdown_timeout_s

        observed = ObservedFeed(
            feed,
            observers_of(
                asked,
                settings,
                invoker,
                feed,
                lambda timeout_s: observed.metrics(timeout_s),
                session.reopen,
            ),
            observers_for(session.manager),
            tell=complain,
            patience_s=patience_s,
        )
        closing.callback(observed.stop)
        reloading.start()

        signals.ending = lambda: session.ending(patience_s())
        signals.goes_on = lambda: read_again(terminal, reloading, session.manager)
        rendering = Rendering(lambda: reloading.settings.output, silent=logs)
        # Who has the requests there is waited for as who has the snapshots is.
        output = nothing() if quiet and not logs else sys.stdout.fileno()
        if quiet and not logs:
            closing.callback(os.close, output)
        settle_memory()
        missed = batch_writer.run(
            observed,
            rendering.render,
            output,
            signals,
            asked.iterations,
            lambda: patience_s() * _TO_BE_READ,
        )
        if missed and not (quiet or logs):
            complain(f"{missed} snapshots were not printed: the output was read too slowly")
        return exit_status_of(feed, observed)


class Rendering:
    """Renders the snapshots of a run, one after the other, as text or JSON."""

    def __init__(self, chosen: Callable[[], Output], *, silent: bool = False) -> None:
        """``chosen`` returns the current settings of batch output; they may change.

        ``silent``: nothing is rendered, whatever they are.
        """
        self._chosen, self._silent = chosen, silent
        self._notes: tuple[str, ...] = ()

    def render(self, snapshot: Snapshot) -> str:
        """Return a snapshot as text or JSON; text contains only notes that are new.

        It is empty if the run is quiet.
        """
        chosen = self._chosen()
        if chosen.quiet or self._silent:
            return ""
        if chosen.format == "json":
            from httptop.output.json import to_json

            return to_json(snapshot, active=chosen.active, sort=chosen.sort) + "\n"
        from httptop.output.text import to_text

        new = tuple(note for note in snapshot.notes if note not in self._notes)
        self._notes = snapshot.notes
        columns = shutil.get_terminal_size((132, 50)).columns
        text = to_text(
            replace(snapshot, notes=new), columns, active=chosen.active, sort=chosen.sort
        )
        return text + ("" if snapshot.final else "\n")
