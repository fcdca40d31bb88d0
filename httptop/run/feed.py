"""Create the feed of a run, which makes its snapshots, and the observers, which receive them."""

from __future__ import annotations

import os
from collections.abc import Callable

from httptop.collect.feed import Feed, ObservedFeed, Observer
from httptop.collect.metrics import Metrics
from httptop.collect.redacted import SnapshotRedaction
from httptop.config.destination import STANDARD_OUTPUT
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.console import complain, hold_nothing
from httptop.errors import HttptopError, UsageError
from httptop.http.redaction import stricter
from httptop.linux.appended import Reopen
from httptop.linux.files import InvokingUser
from httptop.privilege.drop import refuse_root_screen
from httptop.run.arguments import Arguments
from httptop.run.configuration import Configuration
from httptop.run.exports import started_in
from httptop.run.log import SnapshotLog
from httptop.run.outputs import system_calls_of
from httptop.run.scheduling import bind
from httptop.run.session import Session


def open_feed(
    asked: Arguments,
    settings: Settings,
    scope: Scope,
    invoker: InvokingUser,
    session: Session,
    *,
    screen: bool = False,
    tell: Callable[[str], None] = complain,
    doing: Callable[[str], None] = lambda _: None,
) -> Feed:
    """Return the feed that makes the snapshots, from this host's probes, a capture or a fleet.

    ``screen``, ``tell`` and ``doing`` are those of :func:`httptop.run.live.open_live`. Raises
    :class:`HttptopError`.
    """
    bind(settings.performance.cpu_affinity, session.pids)
    if asked.source is not None:
        from httptop.run.fleet import open_fleet

        return open_fleet(asked, settings, scope, invoker, screen=screen, tell=tell)
    if asked.replay is not None:
        from httptop.capture.replay import ReplayFeed
        from httptop.capture.restrict import require_narrowable

        require_narrowable(scope)
        refuse_root_screen(settings.security, screen=screen)
        pace_s = settings.general.tick_s if "general.tick" in asked.settings else None
        redaction = SnapshotRedaction(settings.security.redact, settings.security.shown_fields)

        return ReplayFeed(
            asked.replay,
            invoker,
            redaction,
            scope=scope,
            pace_s=pace_s,
            opened=lambda: confine_replay(settings, invoker, saves=screen),
        )
    from httptop.run.live import open_live

    configuration = Configuration(asked, invoker, session)
    return open_live(
        settings,
        scope,
        session,
        demo=asked.demo,
        screen=screen,
        written=asked.record is not None
        or (not screen and prints(settings) and settings.output.format == "json"),
        tell=tell,
        doing=doing,
        read=configuration.files,
        save=configuration.saved_to,
        export=started_in() if screen else None,
    )


def prints(settings: Settings) -> bool:
    """Return whether a batch run prints snapshots."""
    return not settings.output.quiet and STANDARD_OUTPUT not in settings.request_log.to


def confine_replay(settings: Settings, invoker: InvokingUser, *, saves: bool = False) -> None:
    """Have this process make no other system calls than a replay needs; see system_calls.replay."""
    from httptop.privilege import system_calls
    from httptop.privilege.confine import confine

    hold_nothing()
    allowed = system_calls.replay(
        os.getpid(),
        saves=saves,
        elevated=invoker.elevated,
        more=system_calls_of(settings),
    )
    for sentence in confine(allowed) if settings.security.seccomp else ():
        complain(sentence)


def observers_of(
    asked: Arguments,
    settings: Settings,
    invoker: InvokingUser,
    feed: Feed,
    metrics: Callable[[float], Metrics | None],
    helped: Reopen | None = None,
) -> list[Observer]:
    """Return the observers of every snapshot: what records or reports, if asked for, and the log.

    ``metrics`` is that of the observed feed; ``helped`` opens logs again where this process may
    not. Call it once the feed is open, since it truncates the
    file of the recording. Raises :class:`UsageError` if a file, or an address, is refused.
    """
    observers: list[Observer] = []
    if settings.prometheus.listen:
        from httptop.output.prometheus.exporter import PrometheusExporter
        from httptop.output.prometheus.formats import Formats

        formats = Formats(settings.metrics.bounds_ns, native_histograms=settings.prometheus.native)
        observers.append(PrometheusExporter(settings.prometheus.listen, metrics, formats))
    if settings.otlp.endpoint:
        from httptop.run.otlp import otlp_sinks

        redaction = redaction_of_files(settings)
        spans_of = getattr(feed, "new_for_spans", None)
        observers += otlp_sinks(settings, invoker, metrics, spans_of, redaction)
    if asked.record is not None:
        from httptop.capture.recorder import Recorder
        from httptop.output.sink import SnapshotSink

        recorder = Recorder(asked.record, invoker, redaction_of_files(settings))
        observers.append(SnapshotSink("recording", recorder))
    if asked.exports:
        from httptop.run.report import reporter

        observers.append(reporter(asked, settings, invoker))
    if settings.request_log.to:
        from httptop.run.request_log import request_sinks

        new = getattr(feed, "new_requests", None)
        redaction = redaction_of_files(settings)
        observers += request_sinks(settings, invoker, redaction, new, helped)
    return [*observers, SnapshotLog()]


def redaction_of_files(settings: Settings) -> SnapshotRedaction:
    """Return what is masked in files that outlive the run, whatever is shown."""
    security = settings.security
    level = stricter(security.redact, security.redact_captures)
    return SnapshotRedaction(level, security.shown_fields)


def require_output(asked: Arguments, settings: Settings) -> None:
    """Raise :class:`UsageError` if a quiet run would say nothing to anybody."""
    asked_for = asked.record, asked.exports
    set_ = settings.request_log.to, settings.general.log_file, settings.prometheus.listen
    if not any((*asked_for, *set_, settings.otlp.endpoint)):
        raise UsageError(
            "a quiet run needs an output: --record FILE writes a capture, --export FORMAT a "
            "report, --log requests=DEST a line for each sampled request, --log-file FILE what "
            "httptop has to say; --prometheus serves metrics, --otlp URL pushes them"
        )


def exit_status_of(feed: Feed, observed: ObservedFeed) -> int:
    """Return the exit status of a finished run; report a replayed capture that was damaged.

    It is 1 if something is missing of what an observer was to do.
    """
    problem: str | None = getattr(feed, "problem", None)
    if problem is not None:
        complain(problem)
        if getattr(feed, "damaged", False):
            return UsageError.exit_status
    return HttptopError.exit_status if observed.incomplete else 0
