"""Watch figures of each snapshot, and note as events when one passes its limit, and until when.

:func:`passing` is a pure function of a watch and a snapshot; :class:`Watching` remembers since when
each limit is passed. A state counts once it has lasted as long as the watch says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from httptop import humanize
from httptop.filters.predicates import key_test
from httptop.filters.watches import MEASURES, Watch
from httptop.model import SIDES, EndpointKey, EndpointStats, Side, Snapshot, Totals
from httptop.view.jumps import jumped
from httptop.view.rows import RowsOnDemand, keys_of

#: What an event is about: an endpoint, or all of a side that a watch selects.
Subject = EndpointKey | Side

#: The most events that are kept, and the most endpoints of a watch that may be at its limit.
MOST_EVENTS: Final = 200
MOST_SUBJECTS: Final = 100

#: Figures of rows by measure: their names in ``view.state.SORTS``.
_FIGURES: Final = MappingProxyType({"errors": "error_share", "rate": "rps"})
_TOTALS: Final[Mapping[str, Callable[[Totals], float | None]]] = MappingProxyType(
    {
        "errors": lambda totals: totals.error_share,
        "rate": lambda totals: totals.rps,
        "in_flight": lambda totals: totals.in_flight,
    }
)
_OF_ROWS: Final[Mapping[str, Callable[[EndpointStats], float | None]]] = MappingProxyType(
    {
        "change": attrgetter("p99_change"),
        "error_share": attrgetter("error_share"),
        "rps": attrgetter("rps"),
        "in_flight": attrgetter("in_flight"),
        "oldest": attrgetter("oldest_in_flight_ns"),
        "window_errors": attrgetter("window_errors"),
        "window_requests": attrgetter("window_requests"),
    }
)
#: Figures of which 0 says that there is none; of the others less than that does.
_NONE_AT_0: Final = frozenset(("p50", "p90", "p95", "p99", "p999", "max", "change"))


@dataclass(frozen=True, slots=True)
class Passing:
    """What passes a watch's limit, by subject, and the worst value of all that it looks at."""

    values: Mapping[Subject, float]
    worst: float | None


class Selected:
    """The rows that a watch looks at, found again only when the endpoints have changed."""

    def __init__(self, watch: Watch) -> None:
        """Prepare the watch's filter."""
        self._test = None if watch.expression is None else key_test(watch.expression)
        self._keys: Sequence[EndpointKey] | None = None
        self._at: dict[Side, list[int]] = {}

    def of(self, rows: Sequence[EndpointStats]) -> Mapping[Side, list[int]]:
        """Return the indices of the rows, by side."""
        keys = keys_of(rows)
        if keys is not self._keys:
            test = self._test
            self._at = {side: [] for side in SIDES}
            for at, key in enumerate(keys):
                if test is None or test(key):
                    self._at[key.side].append(at)
            self._keys = keys
        return self._at


def passing(watch: Watch, snapshot: Snapshot, selected: Selected) -> Passing:
    """Return what passes a watch's limit in a snapshot."""
    values = (_each if watch.each else _together)(watch, snapshot, selected)
    worst = (max if watch.above else min)(values.values(), default=None)
    passes = watch.passes
    return Passing({what: value for what, value in values.items() if passes(value)}, worst)


def _each(watch: Watch, snapshot: Snapshot, selected: Selected) -> dict[Subject, float]:
    """Return the values of single endpoints that matter: those that pass, or else the worst."""
    rows, at = snapshot.endpoints, selected.of(snapshot.endpoints)
    figure = "change" if watch.usual else _FIGURES.get(watch.measure, watch.measure)
    values, passes = _column(rows, figure), watch.passes
    none_at = 0.0 if figure in _NONE_AT_0 else -1.0
    indices = [n for side in SIDES for n in at[side] if values[n] > none_at]
    found = [n for n in indices if passes(values[n])]
    if not found and indices:
        found = [(max if watch.above else min)(indices, key=values.__getitem__)]
    elif len(found) > MOST_SUBJECTS:
        found.sort(key=values.__getitem__, reverse=watch.above)
    keys = keys_of(rows)
    return {keys[n]: values[n] for n in found[:MOST_SUBJECTS]}


def _together(watch: Watch, snapshot: Snapshot, selected: Selected) -> dict[Subject, float]:
    """Return the values of each side that has any such endpoint."""
    found: dict[Subject, float] = {}
    at = selected.of(snapshot.endpoints)
    for side in SIDES:
        if not at[side]:
            continue
        if watch.expression is None and watch.measure != "oldest":
            value = _of_totals(watch.measure, snapshot, snapshot.total(side))
        else:
            value = _of_some(watch.measure, snapshot.endpoints, at[side])
        if value is not None:
            found[side] = value
    return found


def _of_totals(measure: str, snapshot: Snapshot, totals: Totals) -> float | None:
    if measure in _TOTALS:
        return _TOTALS[measure](totals)
    if measure == "5xx":
        ticks = 1
        if snapshot.interval_s > 0:
            ticks = max(1, round(snapshot.covered_s / snapshot.interval_s))
        classes = totals.trend_classes[-ticks:]
        responses = sum(map(sum, classes))
        return sum(rates[5] for rates in classes) / responses if responses else None
    return float(getattr(totals.latency, f"{measure}_ns")) if totals.latency.count else None


def _of_some(measure: str, rows: Sequence[EndpointStats], indices: Sequence[int]) -> float | None:
    def total(figure: str) -> float:
        values = _column(rows, figure)
        return sum(max(0.0, values[n]) for n in indices)

    match measure:
        case "rate":
            return total("rps")
        case "in_flight":
            return total("in_flight")
        case "errors":
            requests = total("window_requests")
            return total("window_errors") / requests if requests else None
        case _:
            values = _column(rows, "oldest")
            oldest = max(values[n] for n in indices)
            return oldest if oldest >= 0 else None


def _column(rows: Sequence[EndpointStats], figure: str) -> Sequence[float]:
    """Return a figure of each row; one that is not known is 0 or negative."""
    if isinstance(rows, RowsOnDemand) and (values := rows.values(figure)) is not None:
        return values
    if figure in _OF_ROWS:
        of_row = _OF_ROWS[figure]
        known = [of_row(row) for row in rows]
        return [-1.0 if value is None else value for value in known]
    return [getattr(row.latency, f"{figure}_ns") if row.latency.count else 0.0 for row in rows]


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


def value_text(watch: Watch, value: float | None, duration: Callable[[float], str]) -> str:
    """Return a value of a watch's figure for people; ``duration`` writes nanoseconds."""
    if value is None:
        return "-"
    if watch.usual:
        return f"{value:.1f}x" if value < 9.95 else f"{value:.0f}x"
    units: dict[str, Callable[[Any], str]] = {
        "duration": duration,
        "share": humanize.percent,
        "rate": lambda rate: f"{humanize.rate(rate)}/s",
        "count": humanize.count,
    }
    return units[MEASURES[watch.measure].unit](value)


def subject_text(event: Event) -> str:
    """Return what an event is about, for people, but for the side."""
    subject = event.subject
    if isinstance(subject, EndpointKey):
        host = f"{subject.host} " if subject.host else ""
        return f"{host}{subject.process} {subject.method} {subject.path}"
    return event.watch.scope_text


def event_text(event: Event, duration: Callable[[float], str]) -> str:
    """Return an event in a few words: ``rate 0.3/s (below 1/s): comm = nginx``."""
    watch = event.watch
    value = value_text(watch, event.worst, duration) + " usual" * watch.usual
    limit = watch.limit_text.removesuffix(" usual")
    over = "over" if watch.above else "below"
    return f"{watch.measure} {value} ({over} {limit}): {subject_text(event)}"


def lasting(seconds: float, *, at_least: bool = False) -> str:
    """Return a duration as ``12s``, ``2m41s``, ``1h02m``; ``12s+``: at least."""
    whole, more = max(0, round(seconds)), "+" * at_least
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m{more}"
    return (f"{whole // 60}m{whole % 60:02d}s" if whole >= 60 else f"{whole}s") + more
