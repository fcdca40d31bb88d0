"""Between whoever makes snapshots (collector, replay) and whoever shows them (app, batch)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from httptop.collect.metrics import Metrics
from httptop.config.settings import DEFAULTS, Settings
from httptop.filters.on_screen import ScreenFilter
from httptop.model import EndpointKey, SinkStats, Snapshot


class Feed(Protocol):
    """A maker of snapshots, running in a thread of its own."""

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Begin; call ``publish`` once a tick and ``fail`` at most once, from another thread."""

    def apply(self, settings: Settings) -> None:
        """Apply other settings, as far as they can change during a run; any thread may call it."""

    def look_at(self, key: EndpointKey | None) -> None:
        """Have snapshots hold more of an endpoint (``looked_at``) from the next tick on.

        None: of no endpoint. What snapshots hold otherwise does not change. Any thread may call it.
        """

    def set_window(self, seconds: float) -> None:
        """Have rates and latencies cover another time, from the next tick on.

        A longer window has at once what is kept, and grows from there. Nothing happens where
        snapshots are written down as well, or come from a capture. Any thread may call it.
        """

    def look_in_flight(self, on: bool) -> None:
        """Have snapshots hold the requests in flight from the next tick on, or no longer.

        Those that ``output.in_flight`` asks for are there anyway. Any thread may call it.
        """

    def filter_by(self, ready: ScreenFilter | None) -> None:
        """Have snapshots hold what the screen's filter picks (``filtered``) from the next tick on.

        None: there is no filter. What snapshots hold otherwise does not change. Any thread may call
        it.
        """

    def metrics(self, timeout_s: float) -> Metrics | None:
        """Return what outputs of metrics send, of now; after the end, as it was then.

        None: the feed has none, or did not come to it in time. Any thread may call it, and waits.
        """

    def stop(self) -> Snapshot | None:
        """End, detach the probes and return the last snapshot (``final`` set); idempotent."""


class Observer:
    """Who sees the snapshots of a run pass and says nothing to it; does nothing by itself."""

    #: A sentence about why it cannot do its work any more; empty while it can.
    trouble = ""

    @property
    def incomplete(self) -> bool:
        """Whether something is missing of what it was to do, once the run has ended."""
        return bool(self.trouble)

    @property
    def sinks(self) -> tuple[SinkStats, ...]:
        """What has become of what it sends somewhere, for the snapshots; any thread may ask."""
        return ()

    def begin(self) -> None:
        """Get ready, before the feed starts; called once, in the thread that starts it."""

    def see(self, snapshot: Snapshot) -> None:
        """Take a snapshot, in the feed's thread."""

    def failed(self, error: BaseException) -> None:
        """Take why the run fails, in the feed's thread."""

    def end(self, last: Snapshot | None) -> None:
        """Take the last snapshot, once the feed has stopped; called once."""

    def finish(self, until_s: float) -> None:
        """Wait for what is under way, at most until a moment of the monotonic clock.

        Called once, when all observers have had the last snapshot: they share that time.
        """

    def reopen(self) -> None:
        """Go on in the file that has the name now, if it was rotated; any thread may call it."""

    def late_note(self, note: str) -> None:
        """Take what came to be known behind the last snapshot, as another one's trouble."""


class ObservedFeed:
    """A feed whose snapshots observers see: some before who consumes them, some after.

    The trouble of an observer ends nothing: it becomes a note of the snapshots that follow.
    """

    def __init__(
        self,
        feed: Feed,
        before: Sequence[Observer],
        after: Sequence[Observer] = (),
        *,
        tell: Callable[[str], None] = lambda trouble: None,  # noqa: ARG005
        patience_s: Callable[[], float] = lambda: DEFAULTS.general.shutdown_timeout_s,
    ) -> None:
        """``tell`` tells the user of trouble, once each, in a thread of the feed.

        ``patience_s`` returns how long the run may take to end; half of it is for the feed and all
        observers together, and at least an eighth for the observers.
        """
        self._feed = feed
        self._before, self._after = before, after
        self._all = (*before, *after)
        self._tell, self._patience_s = tell, patience_s
        self._ended = False
        #: The troubles of the observers so far.
        self.troubles: tuple[str, ...] = ()

    @property
    def incomplete(self) -> bool:
        """Whether something is missing of what an observer was to do, once the run has ended."""
        return any(observer.incomplete for observer in self._all)

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Begin; see Feed."""

        def failed(error: BaseException) -> None:
            for observer in self._all:
                observer.failed(error)
            fail(error)

        def publish_to_all(snapshot: Snapshot) -> None:
            for observer in self._before:
                observer.see(self._noted(snapshot))
                self._look_for_trouble(observer)
            snapshot = self._noted(snapshot)
            publish(snapshot)
            for observer in self._after:
                observer.see(snapshot)
                self._look_for_trouble(observer)

        for observer in self._all:
            observer.begin()
        self._feed.start(publish_to_all, failed)

    def apply(self, settings: Settings) -> None:
        """Hand other settings on."""
        self._feed.apply(settings)

    def look_at(self, key: EndpointKey | None) -> None:
        """Hand on which endpoint is looked at."""
        self._feed.look_at(key)

    def set_window(self, seconds: float) -> None:
        """Hand on which time rates and latencies are to cover."""
        self._feed.set_window(seconds)

    def look_in_flight(self, on: bool) -> None:
        """Hand on whether requests in flight are looked at."""
        self._feed.look_in_flight(on)

    def filter_by(self, ready: ScreenFilter | None) -> None:
        """Hand on what the screen's filter is."""
        self._feed.filter_by(ready)

    def reopen(self) -> None:
        """Have all observers go on in the files that have the names now."""
        for observer in self._all:
            observer.reopen()

    def metrics(self, timeout_s: float) -> Metrics | None:
        """Return those of the feed, with what has become of what observers send."""
        metrics = self._feed.metrics(timeout_s)
        return None if metrics is None else replace(metrics, sinks=self._sinks())

    def stop(self) -> Snapshot | None:
        """End the feed, and then its observers, with its last snapshot."""
        began_s = time.monotonic()
        last = self._feed.stop()
        if not self._ended:
            self._ended = True
            for observer in self._all:
                observer.end(None if last is None else self._noted(last))
                self._look_for_trouble(observer)
            patience_s = self._patience_s()
            until_s = max(began_s + patience_s / 2, time.monotonic() + patience_s / 8)
            noted = len(self.troubles)
            for observer in self._all:
                observer.finish(until_s)
                self._look_for_trouble(observer)
            for trouble in self.troubles[noted:]:
                for observer in self._all:
                    observer.late_note(trouble)
        return None if last is None else self._noted(last)

    def _look_for_trouble(self, observer: Observer) -> None:
        if observer.trouble and observer.trouble not in self.troubles:
            self.troubles += (observer.trouble,)
            self._tell(observer.trouble)

    def _noted(self, snapshot: Snapshot) -> Snapshot:
        new = tuple(trouble for trouble in self.troubles if trouble not in snapshot.notes)
        sinks = self._sinks()
        if not (new or sinks):
            return snapshot
        return replace(snapshot, notes=(*snapshot.notes, *new), sinks=sinks)

    def _sinks(self) -> tuple[SinkStats, ...]:
        return tuple(sink for observer in self._all for sink in observer.sinks)
