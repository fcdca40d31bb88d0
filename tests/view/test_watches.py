"""Watches on snapshots: what passes a limit, when that becomes an event, and when it ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from httptop.collect.source import RawResponse
from httptop.config.settings import DEFAULTS
from httptop.filters.watches import parse_watch
from httptop.humanize import DEFAULT_UNITS
from httptop.model import NO_LATENCY, EndpointStats, Snapshot
from httptop.view.passing import MOST_SUBJECTS, Selected, Subject, passing
from httptop.view.watch_texts import event_text, lasting, value_text
from httptop.view.watches import MOST_EVENTS, Event, Watching
from tests.collect import cells
from tests.collect.cells import FedRows
from tests.factory import endpoint, key, shop, snapshot

MS = 1e6
#: Two endpoints of nginx, one of shop, on the server's side; a client's.
ROWS = (
    replace(endpoint(key("/a"), rps=10.0, in_flight=3), window_requests=100, window_errors=1),
    replace(endpoint(key("/b"), rps=2.0, in_flight=4), window_requests=20, window_errors=11),
    replace(
        endpoint(key("/api/{id}", process="shop"), rps=0.5),
        usual_p99_ns=1 * MS,
        p99_change=8.1,
        oldest_in_flight_ns=38e9,
    ),
    endpoint(key("/c", side="client"), rps=7.0, in_flight=1),
)


def _passing(text: str, rows: Sequence[EndpointStats] = ROWS) -> dict[str, float]:
    watch = parse_watch(text)
    found = passing(watch, snapshot(rows), Selected(watch)).values
    return {_short(subject): round(value, 3) for subject, value in found.items()}


def _short(subject: Subject) -> str:
    return subject if isinstance(subject, str) else subject.path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("any p99 > 3x usual", {"/api/{id}": 8.1}),
        ("any p99 > 9x usual", {}),
        ("any oldest > 30s", {"/api/{id}": 38e9}),
        ("any rate >= 7/s", {"/a": 10.0, "/c": 7.0}),
        ("any rate < 1/s", {"/api/{id}": 0.5}),
        ("any errors > 50%", {"/b": 0.55}),
        ("any side = server in_flight > 3", {"/b": 4}),
        ("comm = nginx rate > 1/s", {"server": 12.0, "client": 7.0}),
        ("comm = nginx and side = server in_flight > 6", {"server": 7}),
        ("path ~ /[ab] errors > 5%", {"server": 0.1}),
        ("comm = shop oldest > 1s", {"server": 38e9}),
        ("all oldest > 1s", {"server": 38e9}),
        ("all rate > 8/s", {"server": 12.5}),
        ("all rate < 8/s", {"client": 7.0}),
        ("comm = nobody rate < 1/s", {}),  # no such endpoint: not known
        ("any comm = nobody rate < 1/s", {}),
    ],
)
def test_what_passes_a_limit(text: str, found: dict[str, float]) -> None:
    assert _passing(text) == pytest.approx(found)


def test_latencies_are_those_of_the_window_and_5xx_those_of_its_responses() -> None:
    shown = snapshot(ROWS)
    p99_ns = shown.total("server").latency.p99_ns
    assert _passing("all p99 > 1us")["server"] == pytest.approx(p99_ns)
    assert _passing("any p50 > 1us")["/a"] == pytest.approx(ROWS[0].latency.p50_ns)
    assert _passing("any p50 > 1us", [replace(ROWS[0], latency=NO_LATENCY)]) == {}
    classes = ((0.0, 0.0, 90.0, 0.0, 0.0, 10.0),) * 5 + ((0.0, 0.0, 97.0, 0.0, 0.0, 3.0),) * 10
    side = replace(shown.total("server"), trend_classes=classes)
    watch = parse_watch("all 5xx > 1%")
    found = passing(watch, replace(shown, totals={"server": side}), Selected(watch))
    assert found.values == pytest.approx({"server": 0.03})  # of the last ten seconds
    assert found.worst == pytest.approx(0.03)


def test_the_worst_value_is_known_if_nothing_passes() -> None:
    for text, worst in (
        ("any rate > 100/s", 10.0),
        ("any rate < 0.1/s", 0.5),
        ("comm = nginx rate > 100/s", 12.0),
        ("any p99 > 100x usual", 8.1),
        ("any comm = nobody rate > 1/s", None),
    ):
        watch = parse_watch(text)
        found = passing(watch, snapshot(ROWS), Selected(watch))
        assert (dict(found.values), found.worst) == ({}, worst), text


def test_rows_on_demand_give_the_same_as_rows() -> None:
    fed = FedRows()
    names = {1: cells.endpoint("/a"), 2: cells.endpoint("/b"), 3: cells.endpoint("/c")}
    responses = {4: RawResponse(1, 200), 5: RawResponse(2, 503)}
    fed.take(cells.Reading(endpoints=names, responses=responses))
    counted = [cells.delta(1, counted=40), cells.delta(2, counted=9), cells.delta(3, counted=2)]
    answered = [cells.answered(4, 30, 5_000), cells.answered(5, 9, 90_000)]
    fed.take(cells.Reading(deltas=[*counted, *answered]))
    table = fed.table(10.0)
    assert len(table) == 3
    for text in (
        *(f"any {name} > 1us" for name in ("p50", "p95", "p99", "p999", "max")),
        *("any rate > 0/s", "any errors < 100%", "any in_flight >= 0", "any oldest > 1s"),
        *("any p99 > 1x usual", "path ~ /* rate > 0/s", "path ~ /* errors < 100%"),
        *("path ~ /* in_flight >= 0", "all oldest > 1s"),
    ):
        watch = parse_watch(text)
        on_demand = passing(watch, replace(snapshot(), endpoints=table), Selected(watch))
        made = passing(watch, replace(snapshot(), endpoints=tuple(table)), Selected(watch))
        assert on_demand.values == pytest.approx(made.values), text


# Events


class Ticks:
    """Snapshots of one endpoint's rate, a second each."""

    def __init__(self, *watches: str) -> None:
        self.watching = Watching(tuple(map(parse_watch, watches)))
        self.tick = 100

    def __call__(self, *rates: float) -> list[tuple[Event, ...]]:
        return [self.note(snapshot([endpoint(key("/a"), rps=rate)], tick=0)) for rate in rates]

    def note(self, shown: Snapshot) -> tuple[Event, ...]:
        self.tick += 1
        at = {"uptime_s": float(self.tick), "taken_at": 1e9 + self.tick}
        return self.watching.note(replace(shown, **at))  # type: ignore[arg-type]


def test_a_limit_that_is_passed_for_long_enough_is_an_event_until_it_is_not() -> None:
    ticks = Ticks("any rate > 5/s for 2s")
    assert ticks(1.0, 6.0, 7.0) == [(), (), ()]
    (begun,) = ticks(9.0)
    (event,) = begun
    assert (event.subject, event.on, event.worst) == (key("/a"), True, 9.0)
    assert event.began_at == 1e9 + 102
    assert event.seconds == 2.0
    assert ticks(8.0, 1.0) == [(), ()], "it has begun once"
    (event,) = ticks.watching.events
    assert (event.on, event.worst, event.seconds) == (True, 9.0, 3.0)
    ticks(1.0)
    (event,) = ticks.watching.events
    assert (event.on, event.seconds) == (False, 3.0)
    ticks(6.0, 6.0, 6.0)
    assert [event.on for event in ticks.watching.events] == [True, False]
    assert event_text(event, DEFAULT_UNITS.duration) == "rate 9.0/s (over 5/s): nginx GET /a"


def test_ages_of_requests_in_flight_are_not_known_where_nobody_has_them() -> None:
    ticks = Ticks("all oldest > 30s", "all rate > 900/s")
    for in_flight, known in ((None, False), ((), True)):
        ticks.note(replace(snapshot(), in_flight=in_flight))
        assert [state.known for state in ticks.watching.states] == [known, True]


def test_a_moment_is_no_event_and_a_moment_does_not_end_one() -> None:
    ticks = Ticks("any rate > 5/s for 3s")
    ticks(6.0, 6.0, 1.0, 6.0, 6.0, 1.0)
    assert not ticks.watching.events
    ticks(6.0, 6.0, 6.0, 6.0, 1.0, 1.0, 6.0)
    (event,) = ticks.watching.events
    assert event.on
    assert ticks.watching.states[0].on == 1


def test_at_once_if_it_says_so() -> None:
    ticks = Ticks("any rate > 5/s for 0s")
    assert len(ticks(6.0)[0]) == 1
    ticks(1.0)
    assert not ticks.watching.events[0].on


def test_an_endpoint_that_is_gone_ends_its_event() -> None:
    ticks = Ticks("any rate > 5/s for 1s")
    ticks(6.0, 6.0)
    for _ in range(2):
        ticks.note(snapshot([]))
    assert not ticks.watching.events[0].on


def test_the_lowest_value_is_the_worst_below_a_limit() -> None:
    ticks = Ticks("comm = nginx rate < 5/s for 0s")
    ticks(4.0, 2.0, 3.0)
    (event,) = ticks.watching.events
    assert (event.subject, event.worst) == ("server", 2.0)
    assert event_text(event, DEFAULT_UNITS.duration) == "rate 2.0/s (below 5/s): comm = nginx"


def test_a_watch_that_is_switched_off_notes_nothing_and_ends_what_is_on() -> None:
    ticks = Ticks("any rate > 5/s for 0s", "any rate > 6/s for 0s")
    ticks(9.0)
    assert [state.on for state in ticks.watching.states] == [1, 1]
    ticks.watching.switch(0)
    assert [(event.watch.limit, event.on) for event in ticks.watching.events] == [
        (6.0, True),
        (5.0, False),
    ]
    ticks(9.0)
    assert [state.on for state in ticks.watching.states] == [0, 1]
    assert [state.enabled for state in ticks.watching.states] == [False, True]
    assert len(ticks.watching.events) == 2
    ticks.watching.switch(0)
    ticks(9.0)
    assert len(ticks.watching.events) == 3


def test_watches_that_stay_keep_their_state() -> None:
    ticks = Ticks("any rate > 5/s for 0s", "any rate > 6/s for 0s")
    ticks(9.0)
    ticks.watching.replace([parse_watch("all rate > 1/s"), parse_watch("any rate > 5/s for 0s")])
    assert [state.on for state in ticks.watching.states] == [0, 1]
    ticks(9.0)
    assert [(str(event.watch), event.on) for event in ticks.watching.events] == [
        ("any rate > 6/s for 0s", False),
        ("any rate > 5/s for 0s", True),
    ]


def test_another_run_begins_anew() -> None:
    ticks = Ticks("any rate > 5/s for 0s")
    ticks(9.0)
    ticks.tick = 3
    ticks(1.0)
    assert not ticks.watching.events
    assert ticks.watching.states[0].on == 0


def test_where_a_replay_goes_back_what_has_ended_by_then_stays() -> None:
    ticks = Ticks("any rate > 5/s for 0s")
    ticks(9.0, 1.0, 1.0, 9.0, 9.0, 1.0, 9.0)
    assert [event.began_at - 1e9 for event in ticks.watching.events] == [107, 104, 101]
    ticks.tick = 104
    ticks(9.0)  # the second one was on then: it begins anew
    assert [event.began_at - 1e9 for event in ticks.watching.events] == [105, 101]


def test_where_a_replay_jumps_what_was_on_has_ended_when_it_was_last_seen() -> None:
    ticks = Ticks("any rate > 5/s for 2s")
    ticks(1.0, 9.0, 9.0, 9.0)
    assert [(event.seconds, event.at_least) for event in ticks.watching.events] == [(2.0, False)]
    ticks.tick += 60
    ticks(9.0)
    (event,) = ticks.watching.events
    assert (event.on, event.seconds) == (False, 2.0)
    assert ticks.watching.states[0].on == 0
    ticks(9.0, 9.0)
    newest = ticks.watching.events[0]
    assert (newest.on, newest.seconds, newest.at_least) == (True, 2.0, True)
    assert newest.began_at == 1e9 + 165


def test_the_value_of_now_is_of_what_alerts_and_none_passes_while_it_ends() -> None:
    ticks = Ticks("any rate > 5/s for 2s")

    def state(**rates: float) -> tuple[float | None, int, bool]:
        ticks.note(snapshot([endpoint(key(f"/{path}"), rps=rate) for path, rate in rates.items()]))
        (one,) = ticks.watching.states
        return one.worst, one.on, one.ending

    assert state(a=6.0) == (6.0, 0, False)
    assert state(a=6.0) == (6.0, 0, False)
    assert state(a=7.0, b=9.0) == (7.0, 1, False)  # b has not passed it for long enough
    assert state(a=2.0, b=1.0) == (2.0, 1, True)
    assert ticks.watching.events[0].ending
    assert state(a=8.0, b=1.0) == (8.0, 1, False)
    assert not ticks.watching.events[0].ending


def test_events_and_what_is_on_are_bounded_and_what_is_on_stays() -> None:
    ticks = Ticks("any rate > 5/s for 0s")
    rows = [endpoint(key(f"/{n}"), rps=6.0 + n) for n in range(MOST_SUBJECTS + 50)]
    begun = ticks.note(snapshot(rows))
    assert len(begun) == MOST_SUBJECTS
    assert key("/149") in {event.subject for event in begun}, "the worst ones"
    for _ in range(MOST_EVENTS):
        ticks.note(snapshot(rows[-1:]))
        ticks.note(snapshot([*rows[-1:], endpoint(key("/again"), rps=7.0)]))
    assert len(ticks.watching.events) == MOST_EVENTS
    (on,) = [event for event in ticks.watching.events if event.on and event.subject == key("/149")]
    assert on.number < MOST_SUBJECTS


def test_thousands_of_rows_take_little() -> None:
    rows = [endpoint(key(f"/{n}"), rps=n) for n in range(2000)]
    watching = Watching(
        [parse_watch("any rate > 1990/s"), parse_watch("comm = nginx and path ~ /1* rate > 1/s")]
    )
    shown = replace(snapshot(), endpoints=tuple(rows))
    watching.note(shown)
    before = time.process_time()
    for tick in range(5):
        watching.note(replace(shown, uptime_s=300.0 + tick))
    assert time.process_time() - before < 1.0


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("any p99 > 3x usual", 8.14, "8.1x"),
        ("any p99 > 3x usual", 21.4, "21x"),
        ("all errors > 1%", 0.021, "2.1%"),
        ("any oldest > 30s", 38.2e9, "38.2s"),
        ("all rate > 1/s", 0.25, "0.2/s"),
        ("all in_flight > 1", 12.0, "12"),
        ("all in_flight > 1", None, "-"),
    ],
)
def test_values_for_people(text: str, value: float | None, shown: str) -> None:
    assert value_text(parse_watch(text), value, DEFAULT_UNITS.duration) == shown


def test_durations_for_people() -> None:
    assert [lasting(n) for n in (0.4, 12, 161, 3720)] == ["0s", "12s", "2m41s", "1h02m"]


def test_the_defaults_say_nothing_of_a_shop_as_usual() -> None:
    watching = Watching(tuple(map(parse_watch, DEFAULTS.watches.rules)))
    quiet = [row for row in shop() if row.status_class(5) == 0 and not row.p99_change]
    shown = snapshot(quiet)
    for tick in range(60):
        watching.note(replace(shown, uptime_s=float(tick), totals={}))
    assert watching.events == ()
