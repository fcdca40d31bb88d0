"""The feed of a run: what makes its snapshots, and who sees them pass."""

from __future__ import annotations

from collections.abc import Callable

from httptop.collect.feed import Feed, Observer
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.console import complain
from httptop.errors import UsageError
from httptop.linux.files import InvokingUser
from httptop.privilege.drop import refuse_root_screen
from httptop.run.arguments import Arguments
from httptop.run.configuration import Configuration
from httptop.run.log import SnapshotLog
from httptop.run.scheduling import schedule
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
) -> Feed:
    """Return what makes the snapshots: the probes of this host, or a capture.

    ``screen`` and ``tell`` are those of :func:`httptop.run.live.open_live`.
    """
    schedule(settings.performance, session.pids)
    if asked.replay is not None:
        from httptop.capture.replay import ReplayFeed
        from httptop.capture.restrict import require_narrowable

        require_narrowable(scope)
        refuse_root_screen(settings.security, screen=screen)
        pace_s = settings.general.tick_s if "general.tick" in asked.settings else None
        return ReplayFeed(asked.replay, invoker, scope=scope, pace_s=pace_s)
    from httptop.run.live import open_live

    configuration = Configuration(asked, invoker, session)
    return open_live(
        settings,
        scope,
        session,
        demo=asked.demo,
        screen=screen,
        tell=tell,
        read=configuration.files,
        save=configuration.saved_to,
    )


def observers_of(asked: Arguments, invoker: InvokingUser) -> list[Observer]:
    """Return who sees every snapshot: a recording, where one is asked for, and the log.

    To be called once the feed is open: only then is it right to empty the file of a recording.
    Raises :class:`UsageError` where that is refused.
    """
    if asked.record is None:
        return [SnapshotLog()]
    from httptop.capture.recorder import Recorder

    return [Recorder(asked.record, invoker), SnapshotLog()]


def exit_status_of(feed: Feed) -> int:
    """Return the exit status of a run that went to its end; tell where its capture did not."""
    problem: str | None = getattr(feed, "problem", None)
    if problem is not None:
        complain(problem)
        if getattr(feed, "damaged", False):
            return UsageError.exit_status
    return 0
