"""What stands out: what is slower than usual, for how long, and what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from httptop.humanize import DEFAULT_UNITS
from httptop.model import EndpointKey, EndpointStats, RequestInFlight
from httptop.view.headline import Finding, Headlines, slower_for
from httptop.view.state import View, scene
from tests.factory import key, row, snapshot

MS = 1e6


def _slow(name: EndpointKey, change: float, trend: tuple[float | None, ...] = ()) -> EndpointStats:
    return replace(
        row(name, trend=trend),
        usual_p99_ns=10 * MS,
        p99_change=change,
        latency=replace(row().latency, p99_ns=10 * MS * change, count=1000),
    )


def _found(*rows: EndpointStats, before: Sequence[EndpointStats] = ()) -> list[Finding]:
    headlines = Headlines("->")
    for tick, some in ((240, before), (250, rows)):
        headlines.note(shown := snapshot(some, tick=tick))
    return list(headlines.findings(scene(shown, View()), DEFAULT_UNITS))


def test_nothing_stands_out() -> None:
    rows = (row(), _slow(key("/a"), 1.0), _slow(key("/b"), 0.5))
    assert _found(*rows, before=rows) == []
    assert Headlines("->").findings(scene(None, View()), DEFAULT_UNITS) == ()


def test_the_endpoint_that_has_changed_most_is_named() -> None:
    slow = _slow(key("/stock", process="stockd"), 8.0)
    rows = (row(), _slow(key("/b"), 1.6), slow, _slow(key("/c", side="client"), 20.0))
    (found,) = _found(*rows, before=rows)
    assert (found.kind, found.key) == ("slower", slow.key)
    assert found.text == "stockd GET /stock p99 10.0ms->80.0ms, 1 more endpoint"


@pytest.mark.parametrize(
    ("trend", "ticks"),
    [
        ((10.0, 11.0, 80.0, 79.0, 85.0), 3),
        ((10.0, None, None, 80.0), 3),
        ((10.0, 80.0, None, 80.0), 3),
        ((80.0,) * 9, None),  # longer than is known
        ((), None),
    ],
)
def test_since_when(trend: tuple[float | None, ...], ticks: int | None) -> None:
    values = tuple(None if value is None else value * MS for value in trend)
    slow = _slow(key("/a"), 8.0, values)
    assert slower_for(slow) == ticks
    (found,) = _found(slow, before=[slow])
    assert (" for " in found.text) == (ticks is not None)
    if ticks is not None:
        assert f" for {ticks}s" in found.text


def test_few_requests_have_to_be_slow_for_longer_than_one_is_in_the_window() -> None:
    few = [
        _slow(key(f"/{ticks}"), 8.0, (10 * MS,) * 20 + (80 * MS,) * ticks) for ticks in (5, 11, 12)
    ]
    few = [replace(one, latency=replace(one.latency, count=60)) for one in few]
    found = [_found(one, before=[one]) for one in few]
    assert [len(some) for some in found] == [0, 0, 1]  # the window is of ten seconds
    slow = _slow(key("/less"), 2.0)
    (other,) = _found(few[0], slow, before=[few[0], slow])
    assert other.key == slow.key


def test_what_failed_and_was_new_is_not_known_where_a_replay_goes_back() -> None:
    headlines = Headlines("->")
    bad = replace(row(key("/a"), {500: 50}), window_errors=50)
    for tick, rows in (
        (240, [replace(row(key("/a"), {500: 0}), window_errors=1)]),
        (250, [bad, row()]),
    ):
        headlines.note(shown := snapshot(rows, tick=tick))
    assert len(headlines.findings(scene(shown, View()), DEFAULT_UNITS)) == 2
    past = scene(snapshot([bad, row()], tick=245), View())
    headlines.note(past.snapshot or shown)
    assert headlines.findings(past, DEFAULT_UNITS) == ()


def test_new_endpoints() -> None:
    names = [key("/n1"), key("/n2"), key("/c", side="client")]
    (found,) = _found(*map(row, names))
    assert (found.kind, found.key) == ("new", key("/n1"))
    assert found.text == f"new: {key().process} GET /n1 and 1 more"


def test_what_fails_comes_first() -> None:
    before = row(key("/a", process="shop"), {200: 100})
    now = replace(row(before.key, {200: 190, 503: 10}), window_errors=10)
    slow = _slow(key("/b"), 8.0)
    failing, slower = _found(now, slow, before=[replace(before, window_errors=1), slow])
    assert (failing.kind, failing.key, slower.kind) == ("failing", now.key, "slower")
    assert failing.text == "5xx 10%: shop GET /a"


def test_what_hangs_comes_before_what_is_slower() -> None:
    name = key("/hang", process="shop")
    rows = (replace(row(name), latency_total=row().latency), _slow(key("/stock"), 8.0))
    requests = tuple(RequestInFlight(name, age_s * 1e9, 7, "::1") for age_s in (40.0, 3.0, 0.9))
    for some, said in (
        (requests, "2 hang, oldest 40.0s: shop GET /hang"),
        (requests[1:], "1 hangs for 3.0s: shop GET /hang"),
    ):
        now = scene(replace(snapshot(rows), in_flight=some), View())
        hangs, slower = Headlines("->").findings(now, DEFAULT_UNITS)
        assert (hangs.kind, hangs.text, hangs.key) == ("hangs", said, name)
        assert slower.kind == "slower"
