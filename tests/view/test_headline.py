"""What stands out: what is slower than usual, for how long, and what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from httptop.filters.watches import parse_watch
from httptop.humanize import DEFAULT_UNITS
from httptop.model import EndpointKey, EndpointStats, PartyStats, RequestInFlight
from httptop.view.headline import Finding, Headlines, fitted, slower_for
from httptop.view.state import View, scene
from httptop.view.watches import Watching
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
    assert found.text == "8.0x slower, p99 10.0->80.0ms: stockd GET /stock, 1 more endpoint"


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
    assert (", for " in found.text) == (ticks is not None)
    if ticks is not None:
        assert f", for {ticks}s" in found.text


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


@pytest.mark.parametrize("tick", [245, 310, 900])
def test_after_a_jump_what_fails_is_known_of_the_window_and_nothing_is_new(tick: int) -> None:
    headlines = Headlines("->")
    good = replace(row(key("/a", process="shop"), {200: 100}), window_status={200: 10})
    bad = replace(
        row(good.key, {200: 100, 500: 50}),
        window_requests=100,
        window_errors=28,
        window_status={200: 72, 500: 28},
    )

    def texts(*rows: EndpointStats, tick: int) -> list[str]:
        headlines.note(shown := snapshot(rows, tick=tick))
        return [one.text for one in headlines.findings(scene(shown, View()), DEFAULT_UNITS)]

    assert texts(good, tick=240) == []
    assert texts(bad, row(), tick=250) == ["5xx 28%: shop GET /a", "new: nginx GET /users/{id}"]
    there = (bad, row(), row(key("/b")))
    assert texts(*there, tick=tick) == ["5xx 28%: shop GET /a"]
    later = [*there, row(key("/c"))]
    assert texts(*later, tick=tick + 3) == ["5xx 28%: shop GET /a, for 3s+", "new: nginx GET /c"]


def test_each_finding_has_its_figures_and_its_name_before_others_have_more() -> None:
    """Three faults at 120 columns: what, how bad and where of all of them, and who fails."""
    findings = _three_faults()
    shown = [text for _, text, _ in fitted(findings, 121, len)]
    assert shown == [
        "5xx 28%: shop /api/cart, only pid 7065",
        "4 hang, 38.4s: shop /api/hang",
        "30x slower 10.0->300ms: stock /price/{id}",
    ]
    shown = [text for _, text, _ in fitted(findings, 300, len)]
    assert shown == [one.text for one in findings]
    assert shown[-1].startswith("new: ")


@pytest.mark.parametrize("room", range(20, 300, 7))
def test_the_texts_fit_into_any_room_and_what_is_new_is_the_first_to_go(room: int) -> None:
    findings = _three_faults()
    shown = fitted(findings, room, len)
    assert sum(cells + 4 for _, _, cells in shown) <= max(room, 24)
    kinds = [one.kind for one, _, _ in shown]
    assert kinds == [one.kind for one in findings][: len(kinds)]
    if kinds[-1] == "new":
        assert [text for _, text, _ in shown] == [one.text for one in findings]


def _three_faults() -> tuple[Finding, ...]:
    cart, hang = key("/api/cart", "POST", "shop"), key("/api/hang", process="shop")
    by_pid = {7065: PartyStats(50, 0), 7066: PartyStats(50, 0)}
    price = _slow(key("/price/{id}", process="stock"), 30.0, (10 * MS,) + (300 * MS,) * 58)
    waiting = replace(row(hang), latency_total=row().latency)
    before = replace(row(cart, {200: 9, 500: 0}), window_errors=1, by_pid=by_pid)
    by_pid = {7065: PartyStats(100, 28), 7066: PartyStats(100, 0)}
    after = replace(row(cart, {200: 81, 500: 28}), window_errors=28, by_pid=by_pid)
    after = replace(after, window_requests=100, window_status={200: 72, 500: 28})
    requests = tuple(RequestInFlight(hang, 38.4e9, 7, "::1") for _ in range(4))
    headlines = Headlines("->")
    for tick, rows in ((240, [before]), (250, [after, row(), row(key("/new"))])):
        rows += [price, waiting]
        headlines.note(shown := replace(snapshot(rows, tick=tick), in_flight=requests))
    return headlines.findings(scene(shown, View()), DEFAULT_UNITS)


def test_a_watch_comes_behind_what_the_line_says_by_itself() -> None:
    slow = _slow(key("/stock", process="stockd"), 21.4)
    watching = Watching([parse_watch("any p99 > 3x usual"), parse_watch("any rate > 0.1/s")])
    headlines = Headlines("->")

    def texts(*rows: EndpointStats, tick: int) -> list[str]:
        headlines.note(shown := snapshot(rows, tick=tick))
        watching.note(shown)
        events = watching.events
        return [one.text for one in headlines.findings(scene(shown, View()), DEFAULT_UNITS, events)]

    assert texts(slow, tick=240) == ["21x slower, p99 10.0->214ms: stockd GET /stock"]
    assert texts(slow, tick=255) == [
        "21x slower, p99 10.0->214ms: stockd GET /stock",
        "watch: rate 1.0/s (over 0.1/s): stockd GET /stock, 15s+",
    ]
    usual = replace(slow, p99_change=1.0)
    assert texts(usual, tick=256) == ["watch: rate 1.0/s (over 0.1/s): stockd GET /stock, 16s+"]


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
