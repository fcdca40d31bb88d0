"""Between whoever makes snapshots (collector, replay) and whoever shows them (app, batch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from httptop.config.settings import Settings
from httptop.errors import HttptopError
from httptop.model import EndpointKey, Snapshot


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

    def stop(self) -> Snapshot | None:
        """End, detach the probes and return the last snapshot (``final`` set); idempotent."""


class Observer:
    """Who sees the snapshots of a run pass and says nothing to it; does nothing by itself."""

    def see(self, snapshot: Snapshot) -> None:
        """Take a snapshot, in the feed's thread; an :class:`HttptopError` fails the run."""

    def failed(self, error: BaseException) -> None:
        """Take why the run fails, in the feed's thread."""

    def end(self, last: Snapshot | None) -> None:
        """Take the last snapshot, once the feed has stopped; called once. May raise."""


class ObservedFeed:
    """A feed whose snapshots observers see: some before who consumes them, some after."""

    def __init__(
        self, feed: Feed, before: Sequence[Observer], after: Sequence[Observer] = ()
    ) -> None:
        self._feed = feed
        self._before, self._after = before, after
        self._ended = False

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        """Begin; see Feed. What an observer raises fails the run, which goes on all the same."""

        def failed(error: BaseException) -> None:
            for observer in (*self._before, *self._after):
                observer.failed(error)
            fail(error)

        def show(snapshot: Snapshot, observers: Sequence[Observer]) -> None:
            for observer in observers:
                try:
                    observer.see(snapshot)
                except HttptopError as error:
                    failed(error)

        def publish_to_all(snapshot: Snapshot) -> None:
            show(snapshot, self._before)
            publish(snapshot)
            show(snapshot, self._after)

        self._feed.start(publish_to_all, failed)

    def apply(self, settings: Settings) -> None:
        """Hand other settings on."""
        self._feed.apply(settings)

    def look_at(self, key: EndpointKey | None) -> None:
        """Hand on which endpoint is looked at."""
        self._feed.look_at(key)

    def stop(self) -> Snapshot | None:
        """End the feed, and then its observers, with its last snapshot."""
        last = self._feed.stop()
        if not self._ended:
            self._ended = True
            for observer in (*self._before, *self._after):
                observer.end(last)
        return last
