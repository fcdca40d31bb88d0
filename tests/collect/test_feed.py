"""Observers of a feed: in which order they see what passes, and what becomes of their errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from httptop.collect.feed import ObservedFeed, Observer
from httptop.config.settings import DEFAULTS, Settings
from httptop.model import EndpointKey, Snapshot
from tests.factory import snapshot_at

FIRST, SECOND, LAST = snapshot_at(1), snapshot_at(2), snapshot_at(3, final=True)


class Scripted:
    """Publishes two snapshots at once; ``error``: what it then fails with."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.applied: list[Settings] = []
        self.windows: list[float] = []
        self._error = error

    def start(
        self, publish: Callable[[Snapshot], None], fail: Callable[[BaseException], None]
    ) -> None:
        publish(FIRST)
        publish(SECOND)
        if self._error is not None:
            fail(self._error)

    def apply(self, settings: Settings) -> None:
        self.applied.append(settings)

    def filter_by(self, ready: object) -> None: ...

    def metrics(self, timeout_s: float) -> None: ...

    def look_at(self, key: EndpointKey | None) -> None:
        raise NotImplementedError

    def set_window(self, seconds: float) -> None:
        self.windows.append(seconds)

    def look_in_flight(self, on: bool) -> None:
        raise NotImplementedError

    def stop(self) -> Snapshot | None:
        return LAST


class Noting(Observer):
    """Records all calls in a list; raises ``error`` at the first snapshot."""

    trouble = ""

    def __init__(self, name: str, told: list[Any], error: BaseException | None = None) -> None:
        self._name, self._told, self._error = name, told, error

    def see(self, snapshot: Snapshot) -> None:
        self._told.append((self._name, snapshot))
        if self._error is not None and snapshot is FIRST:
            raise self._error

    def failed(self, error: BaseException) -> None:
        self._told.append((self._name, error))

    def end(self, last: Snapshot | None) -> None:
        self._told.append((self._name, last))


class Begun(Noting):
    """Records when it begins, and until when it may finish, too."""

    def begin(self) -> None:
        self._told.append((self._name, "begins"))

    def finish(self, until_s: float) -> None:
        self._told.append((self._name, until_s))


def test_observers_see_all_in_their_order_and_end_once() -> None:
    told: list[Any] = []
    one, two, after = (Begun(name, told) for name in ("one", "two", "after"))
    inner = Scripted()
    feed = ObservedFeed(inner, [one, two], [after])
    feed.start(lambda snapshot: told.append(("shown", snapshot)), told.append)
    order = ["one", "two", "shown", "after"]
    assert told[:3] == [(name, "begins") for name in ("one", "two", "after")]
    assert told[3:] == [(name, snapshot) for snapshot in (FIRST, SECOND) for name in order]
    feed.apply(DEFAULTS)
    assert inner.applied == [DEFAULTS]
    feed.set_window(60.0)
    assert inner.windows == [60.0]
    told.clear()
    assert feed.stop() is feed.stop() is LAST
    assert told[:3] == [("one", LAST), ("two", LAST), ("after", LAST)]
    ((_, until_s), *_) = finished = told[3:]
    assert finished == [(name, until_s) for name in ("one", "two", "after")]


class Troubled(Noting):
    """Is in trouble from the second snapshot on."""

    def see(self, snapshot: Snapshot) -> None:
        super().see(snapshot)
        if snapshot.taken_at == SECOND.taken_at:
            self.trouble = "the disk is full"


def test_the_trouble_of_an_observer_is_told_and_ends_nothing() -> None:
    told: list[object] = []
    feed = ObservedFeed(Scripted(), [Troubled("one", told), Noting("two", told)], tell=told.append)
    failures: list[BaseException] = []
    feed.start(told.append, failures.append)
    second, last = (
        replace(tick, notes=(*tick.notes, "the disk is full")) for tick in (SECOND, LAST)
    )
    assert told == [
        ("one", FIRST), ("two", FIRST), FIRST,
        ("one", SECOND), "the disk is full", ("two", second), second,
    ]  # fmt: skip
    assert feed.stop() == last
    assert told[-2:] == [("one", last), ("two", last)]
    assert feed.troubles == ("the disk is full",)
    assert not failures


def test_trouble_at_the_end_is_told_once() -> None:
    told: list[str] = []

    class AtTheEnd(Observer):
        def end(self, last: Snapshot | None) -> None:
            assert last is not None
            self.trouble = "not complete"

    feed = ObservedFeed(Scripted(), [], [AtTheEnd(), AtTheEnd()], tell=told.append)
    feed.start(lambda _: None, lambda _: None)
    feed.stop()
    assert feed.stop() == replace(LAST, notes=(*LAST.notes, "not complete"))
    assert told == ["not complete"]


def test_observers_hear_why_the_feed_fails() -> None:
    told: list[object] = []
    error = OSError("gone")
    failures: list[BaseException] = []
    ObservedFeed(Scripted(error), [Noting("one", told)]).start(lambda _: None, failures.append)
    assert failures == [error]
    assert told[-1] == ("one", error)


def test_an_error_that_nobody_foresaw_is_the_feeds_to_handle() -> None:
    feed = ObservedFeed(Scripted(), [Noting("one", [], ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        feed.start(lambda _: None, lambda _: None)
