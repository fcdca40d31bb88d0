"""Rows: what they add up."""

from __future__ import annotations

from httptop.collect.accumulator import Tally
from httptop.collect.histogram import bucket_of
from httptop.collect.rows import TREND_TICKS, Row, SideRow
from httptop.model import NO_LATENCY
from tests.collect.cells import answered, delta
from tests.factory import key


def _response(row: Row, status: int, count: int, max_ns: int = 10_000) -> None:
    came = answered(6, count, 100 * count)._replace(max_ns=max_ns)
    row.count_responses(0, status, came, Tally())


def test_a_row_adds_up() -> None:
    row = Row(key())
    row.total.open += 2
    _response(row, 200, 5)
    _response(row, 404, 2, 10_050)
    _response(row, 200, 1)
    row.total.open -= 1
    row.count_unanswered(0, 1, Tally())
    stats = row.stats(4.0)
    assert dict(stats.status) == {200: 6, 404: 2}
    assert (stats.requests, stats.unanswered, stats.in_flight) == (9, 1, 1)
    assert stats.errors == 3
    assert stats.response_bytes == 800
    assert stats.rps == 9 / 4
    assert stats.latency_total.count == stats.latency.count == 8
    assert stats.latency_total.max_ns == 10_050


def test_further_bytes_of_a_response_are_no_response() -> None:
    row = Row(key())
    _response(row, 200, 1)
    row.count_responses(0, 200, delta(6, bytes=5_000, max_ns=10_000), Tally())
    stats = row.stats(1.0)
    assert (stats.requests, stats.response_bytes) == (1, 5_100)


def test_in_flight_is_never_negative() -> None:
    row = Row(key())
    row.total.open -= 3
    assert row.stats(1.0).in_flight == 0


def test_the_window_expires_and_the_total_does_not() -> None:
    row = Row(key())
    _response(row, 200, 5)
    assert not row.expire(100)
    stats = row.stats(1.0)
    assert (stats.rps, stats.latency) == (0.0, NO_LATENCY)
    assert (stats.requests, stats.latency_total.count) == (5, 5)


def test_the_trend_has_a_gap_for_every_silent_tick() -> None:
    row = Row(key())
    _response(row, 200, 4)
    row.end_tick(1)
    _response(row, 200, 2)
    row.end_tick(4)
    row.end_tick(5)
    assert row.stats(1.0).trend_ns == (10_000.0, None, None, 10_000.0, None)
    row.end_tick(1000)
    assert row.stats(1.0).trend_ns == (None,) * TREND_TICKS


def test_a_row_takes_in_another() -> None:
    row, other = Row(key()), Row(key("/other"))
    _response(row, 200, 1)
    row.end_tick(1)
    row.end_tick(2)
    _response(row, 200, 1)
    row.end_tick(3)
    slow = delta(
        7, counted=3, bytes=50, sum_ns=60_000, max_ns=20_000,
        histogram={bucket_of(20_000): 3},
    )  # fmt: skip
    other.count_responses(4, 500, slow, Tally())
    other.end_tick(3)
    other.count_unanswered(4, 2, Tally())
    row.pids, other.pids = (1, 5), (3, 5)
    row.total.open, other.total.open = 1, 2
    row.absorb(other)
    stats = row.stats(1.0)
    assert (stats.requests, stats.unanswered, stats.in_flight) == (7, 2, 3)
    assert dict(stats.status) == {200: 2, 500: 3}
    assert (stats.response_bytes, stats.pids, stats.rps) == (250, (1, 3, 5), 7.0)
    assert stats.latency.count == stats.latency_total.count == 5
    assert stats.latency.mean_ns == 80_000 / 5
    assert stats.latency_total.max_ns == 20_000
    # In the third tick one response took 10 and three took 20 microseconds.
    assert stats.trend_ns == (10_000.0, None, 17_500.0)
    row.end_tick(4)
    assert row.stats(1.0).trend_ns[3:] == (None,)
    assert row.expire(12)
    assert row.stats(1.0).latency.count == 3
    assert not row.expire(16)
    assert row.stats(1.0).latency == NO_LATENCY


def test_trends_of_rows_that_came_at_other_times() -> None:
    for ticks in (3, TREND_TICKS):
        row, other = Row(key(), ticks), Row(key("/other"), ticks)
        for tick in range(1, 8):
            _response(row, 200, 1)
            row.end_tick(tick)
        _response(other, 200, 1)
        other.end_tick(9)
        row.absorb(other)
        trend = row.stats(1.0).trend_ns
        assert trend == ((10_000.0,) * 7 + (None, 10_000.0))[-ticks:]


def test_a_side_adds_up_at_the_end_of_a_tick() -> None:
    side, row = SideRow(), Row(key())
    side.tick.open = 1
    side.tick.request_bytes = 300
    row.count_responses(0, 200, answered(6, 7, 700), side.tick)
    row.count_responses(0, 500, answered(7, 2, 200), side.tick)
    row.count_unanswered(0, 1, side.tick)
    side.end_tick(0, 0.5)
    totals = side.totals(2.0)
    assert (totals.requests, totals.unanswered, totals.in_flight) == (10, 1, 1)
    assert dict(totals.status) == {200: 7, 500: 2}
    assert totals.rps == 5.0
    assert (totals.request_bytes, totals.response_bytes) == (300, 900)
    assert totals.latency.count == 9
    assert totals.latency.mean_ns == 10_000
    assert totals.error_share == 0.3
    assert totals.trend_rps == (20.0,)
    assert totals.trend_error_share == (0.3,)
    side.end_tick(0, 1.0)
    totals = side.totals(2.0)
    assert totals.trend_rps == (20.0, 0.0)
    assert totals.trend_error_share == (0.3, None)
    assert totals.trend_p50_ns[1] is None


def test_latencies_read_before_their_responses_reach_the_side() -> None:
    """A counter and its histogram are read at slightly different moments."""
    side, row = SideRow(), Row(key())
    came = answered(6, 2)
    row.count_responses(0, 200, came._replace(counted=0), side.tick)
    side.end_tick(0, 1.0)
    row.count_responses(0, 200, came._replace(histogram={}, sum_ns=0), side.tick)
    side.end_tick(0, 1.0)
    totals = side.totals(2.0)
    assert (totals.requests, totals.latency.count) == (2, 2)
    assert row.stats(2.0).latency == totals.latency
