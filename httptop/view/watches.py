"""Watch figures of each snapshot, and note as events when one passes its limit, and until when.

:mod:`httptop.view.passing` says what does so in a snapshot; :class:`Watching` remembers since
when. A state counts once it has lasted as long as the watch says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from httptop.filters.watches import Watch
from httptop.model import EndpointKey, Side, Snapshot
from httptop.view.jumps import jumped
from httptop.view.passing import MOST_SUBJECTS, Selected, Subject, passing

#: The most events that are kept.
MOST_EVENTS: Final = 200


@dataclass(frozen=True, slots=True)
class Event:
    """A limit that was passed, or still is."""

    number: int  # ascending in order of their noting
    watch: Watch
    subject: Subject
    began_at: float  # Unix time
    seconds: float  # that it has lasted
    worst: float
    on: bool
    #: Whether it may have lasted longer: the limit was passed when it was first looked at.
    at_least: bool = False
    #: Whether it is on, but does not pass the limit now: not for long enough to end.
    ending: bool = False

    @property
    def side(self) -> Side:
        """The side that it is on."""
        return self.subject.side if isinstance(self.subject, EndpointKey) else self.subject


@dataclass(frozen=True, slots=True)
class WatchState:
    """A watch as the screen shows it."""

    watch: Watch
    enabled: bool
    #: The worst value now, of those that alert if any of these passes the limit; None: not known.
    worst: float | None = None
    on: int = 0  # subjects that alert: they pass its limit, and have for long enough
    seconds: float = 0.0  # for how long the longest of them
    at_least: bool = False  # or longer, as of events
    ending: bool = False  # whether none of them passes the limit now
    known: bool = True  # whether snapshots hold what it is a limit of


@dataclass(slots=True)
class _Run:
    """A subject that passes a limit."""

    began_at: float
    began_s: float
    last_s: float
    value: float  # at last_s
    worst: float
    at_least: bool
    number: int | None = None  # of its event; None: it does not count yet


@dataclass(slots=True)
class _Watched:
    watch: Watch
    selected: Selected
    enabled: bool = True
    seen: bool = False  # whether it has looked at any snapshot, since a jump if there was one
    worst: float | None = None
    known: bool = True
    runs: dict[Subject, _Run] = field(default_factory=dict)


class Watching:
    """Remembers which limits are passed, and the events; for one thread alone."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        """Watch from the next snapshot on."""
        self._watched = [_Watched(watch, Selected(watch)) for watch in watches]
        self._events: dict[int, Event] = {}  # by number, ascending
        self._numbers = 0
        self._now_s = -1.0

    @property
    def events(self) -> tuple[Event, ...]:
        """The events, the newest first; at most MOST_EVENTS."""
        return tuple(reversed(self._events.values()))

    @property
    def states(self) -> tuple[WatchState, ...]:
        """The watches in their order."""
        return tuple(map(self._state, self._watched))

    def replace(self, watches: Sequence[Watch]) -> None:
        """Watch something else; watches that stay keep their state."""
        before = {one.watch: one for one in self._watched}
        for watch, one in before.items():
            if watch not in watches:
                self._end_all(one)
        self._watched = [before.get(watch) or _Watched(watch, Selected(watch)) for watch in watches]

    @property
    def rules(self) -> tuple[str, ...]:
        """The watches as texts, on or off."""
        return tuple(str(one.watch) for one in self._watched)

    def switch(self, n: int) -> None:
        """Switch a watch on or off, by its place."""
        one = self._watched[n]
        self._end_all(one)
        one.enabled, one.seen, one.worst = not one.enabled, False, None

    def note(self, snapshot: Snapshot) -> tuple[Event, ...]:
        """Note the next snapshot; return the events that have begun."""
        if snapshot.uptime_s < self._now_s:  # a replay goes back: what has been until then stays
            self._events = {
                number: event
                for number, event in self._events.items()
                if not event.on and event.began_at + event.seconds < snapshot.taken_at
            }
            for one in self._watched:
                one.runs.clear()
                one.seen = False
        elif self._now_s >= 0 and jumped(self._now_s, snapshot.uptime_s, snapshot.interval_s):
            for one in self._watched:  # what was on may have been off meanwhile
                self._end_all(one)
                one.seen = False
        self._now_s = snapshot.uptime_s
        begun = self._numbers
        for one in self._watched:
            if one.enabled:
                self._note(one, snapshot)
        while len(self._events) > MOST_EVENTS:
            ended = next((number for number, event in self._events.items() if not event.on), None)
            del self._events[next(iter(self._events)) if ended is None else ended]
        return tuple(event for number, event in self._events.items() if number >= begun)

    def _note(self, one: _Watched, snapshot: Snapshot) -> None:
        watch, now_s = one.watch, snapshot.uptime_s
        found = passing(watch, snapshot, one.selected)
        one.worst = found.worst
        one.known = watch.measure != "oldest" or snapshot.in_flight is not None
        worse = max if watch.above else min
        for subject, value in found.values.items():
            run = one.runs.get(subject)
            if run is None:
                if len(one.runs) >= MOST_SUBJECTS:
                    continue
                run = one.runs[subject] = _Run(
                    snapshot.taken_at, now_s, now_s, value, value, at_least=not one.seen
                )
            run.last_s, run.value, run.worst = now_s, value, worse(run.worst, value)
            if run.number is None and now_s - run.began_s >= watch.hold_s:
                run.number, self._numbers = self._numbers, self._numbers + 1
                self._events[run.number] = Event(
                    run.number, watch, subject, run.began_at, 0.0, run.worst, True, run.at_least
                )
            self._update(run, now_s, on=True)
        for subject in [other for other in one.runs if other not in found.values]:
            run = one.runs[subject]
            if run.number is None or now_s - run.last_s >= watch.hold_s:
                self._update(run, run.last_s, on=False)
                del one.runs[subject]
            else:
                self._update(run, run.last_s, on=True, ending=True)
        one.seen = True

    def _update(self, run: _Run, until_s: float, *, on: bool, ending: bool = False) -> None:
        if run.number is not None and run.number in self._events:
            self._events[run.number] = replace(
                self._events[run.number],
                seconds=until_s - run.began_s,
                worst=run.worst,
                on=on,
                ending=ending,
            )

    def _end_all(self, one: _Watched) -> None:
        for run in one.runs.values():
            self._update(run, run.last_s, on=False)
        one.runs.clear()

    def _state(self, one: _Watched) -> WatchState:
        counted = [run for run in one.runs.values() if run.number is not None]
        if not counted:
            return WatchState(one.watch, one.enabled, one.worst, known=one.known)
        longest = min(counted, key=lambda run: run.began_s)
        seconds = max(run.last_s for run in counted) - longest.began_s
        now = [run.value for run in counted if run.last_s == self._now_s]
        worst = (max if one.watch.above else min)(now, default=one.worst)
        return WatchState(
            one.watch,
            one.enabled,
            worst,
            len(counted),
            seconds,
            longest.at_least,
            ending=not now,
        )
