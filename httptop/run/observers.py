"""Open the feed of a run, and look at what passes."""

from __future__ import annotations

from collections.abc import Callable

from httptop.collect.feed import Feed
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.console import complain
from httptop.errors import UsageError
from httptop.linux.files import Caller
from httptop.model import Snapshot
from httptop.privilege.drop import refuse_root_screen
from httptop.run.arguments import Arguments
from httptop.run.configuration import Configuration
from httptop.run.log import LOG, SnapshotLog
from httptop.run.scheduling import schedule
from httptop.run.session import Session


def open_feed(
    asked: Arguments,
    settings: Settings,
    scope: Scope,
    caller: Caller,
    session: Session,
    *,
    early: bool = False,
) -> Feed:
    """Return what makes the snapshots: the probes of this host, or a capture."""
    schedule(settings.performance, session.pids)
    if asked.replay is not None:
        from httptop.capture.replay import ReplayFeed
        from httptop.capture.restrict import require_narrowable

        require_narrowable(scope)
        refuse_root_screen(settings.security, screen=early)
        pace_s = settings.general.tick_s if "general.tick" in asked.settings else None
        return ReplayFeed(asked.replay, caller, scope=scope, pace_s=pace_s)
    from httptop.run.live import open_live

    configuration = Configuration(asked, caller, session)
    feed = open_live(
        settings,
        scope,
        session,
        demo=asked.demo,
        early=early,
        read=configuration.files,
        save=configuration.saved_to,
    )
    if asked.record is None:
        return feed
    from httptop.capture.recorder import RecordedFeed, Recorder

    try:
        return RecordedFeed(feed, Recorder(asked.record, caller))
    except BaseException:
        feed.stop()
        raise


def exit_status_of(feed: Feed) -> int:
    """Return the exit status of a run that went to its end; tell where its capture did not."""
    problem: str | None = getattr(feed, "problem", None)
    if problem is not None:
        complain(problem)
        if getattr(feed, "damaged", False):
            return UsageError.exit_status
    return 0


class CountedFeed:
    """A feed that says when it has published as many snapshots as were asked for."""

    def __init__(self, feed: Feed, iterations: int | None) -> None:
        self.enough: Callable[[], None] = lambda: None
        self._feed = feed
        self._left = iterations

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Begin; see Feed."""

        def counted(snapshot: Snapshot) -> None:
            publish(snapshot)
            if self._left is not None:
                self._left -= 1
                if self._left == 0:
                    self.enough()

        self._feed.start(counted, fail)

    def apply(self, settings: Settings) -> None:
        """Hand other settings on."""
        self._feed.apply(settings)

    def stop(self) -> Snapshot | None:
        """End; see Feed."""
        return self._feed.stop()


class LoggedFeed:
    """A feed of which the log tells: when it is there, what it misses, why it ends."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._log = SnapshotLog()
        self._ended = False

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Begin; see Feed."""

        def seen(snapshot: Snapshot) -> None:
            self._log.see(snapshot)
            publish(snapshot)

        def failed(error: BaseException) -> None:
            LOG.error("%s", str(error) or type(error).__name__)
            fail(error)

        self._feed.start(seen, failed)

    def apply(self, settings: Settings) -> None:
        """Hand other settings on."""
        self._feed.apply(settings)

    def stop(self) -> Snapshot | None:
        """End; see Feed."""
        last = self._feed.stop()
        if last is not None and not self._ended:
            self._ended = True
            self._log.see(last)
        return last
