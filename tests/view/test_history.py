"""Snapshots of the past: what is kept, how it is found, and how much memory it takes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from httptop.model import RequestInFlight, Snapshot
from httptop.view.history import COARSE_S, COARSE_STEP_S, FINE_S, History
from tests.factory import NOON, request, row, snapshot


def _at(tick: float, rows: int = 1) -> Snapshot:
    return replace(snapshot([row()] * rows, tick=0), taken_at=float(tick), uptime_s=float(tick))


def _kept(ticks: int, most_bytes: int = 1 << 30) -> History:
    history = History(most_bytes)
    for tick in range(ticks):
        history.keep(_at(tick))
    return history


def test_steps() -> None:
    history = _kept(10)
    for steps, wanted in ((-1, 4), (-5, 0), (1, 6), (4, 9)):
        found = history.step(5.0, steps)
        assert found is not None
        assert found.taken_at == wanted
    assert history.step(5.0, -6) is None
    assert history.step(5.0, 5) is None
    between = [found and found.taken_at for found in (history.step(5.5, -1), history.step(5.5, 1))]
    assert between == [5.0, 6.0]


def test_a_moment() -> None:
    history = _kept(10)
    found = [history.near(at) for at in (-60.0, 3.2, 9.0, 100.0)]
    assert [one and one.taken_at for one in found] == [0.0, 4.0, 9.0, 9.0]
    assert History().near(1.0) is None


def test_the_last_one_until_a_time() -> None:
    history = _kept(10)
    found = [history.until(at) for at in (-1.0, 3.2, 4.0, 100.0)]
    assert [one and one.taken_at for one in found] == [None, 3.0, 4.0, 9.0]


def test_rates_are_of_the_ticks_since_the_one_before() -> None:
    history = History()
    for tick, trend in ((1, (9.0, 7.0)), (2, (9.0, 7.0, 5.0)), (5, (5.0, 1.0, 2.0, 3.0))):
        totals = replace(_at(tick).total("server"), trend_rps=trend)
        history.keep(replace(_at(tick), totals={"server": totals}))
    assert history.rates("server") == [(1.0, 7.0), (2.0, 5.0), (5.0, 2.0)]
    assert [rate for _, rate in history.rates("client")] == [0.0] * 3


def test_ticks_of_minutes_and_one_in_ten_seconds_before() -> None:
    times = _kept(2000).times
    newest = times[-1]
    fine = [at for at in times if at >= newest - FINE_S]
    assert fine == [newest - FINE_S + n for n in range(int(FINE_S) + 1)]
    coarse = [at for at in times if at < newest - FINE_S]
    gaps = {later - earlier for earlier, later in pairwise(coarse)}
    assert gaps == {COARSE_STEP_S}
    assert coarse[0] == 0


def test_an_hour_is_kept() -> None:
    times = _kept(5000).times
    assert COARSE_S - COARSE_STEP_S <= times[-1] - times[0] <= COARSE_S
    assert len(times) < FINE_S + 1 + COARSE_S / COARSE_STEP_S


def test_memory_is_bounded() -> None:
    history = _kept(1000, most_bytes=200_000)
    assert history.size_bytes <= 200_000
    assert history.size_bytes == sum(kept.size_bytes for kept in history._kept)
    assert history.times[-1] == 999
    tiny = _kept(5, most_bytes=1)
    assert tiny.times == [4.0]  # the newest one stays


def test_of_the_requests_in_flight_the_oldest_are_kept() -> None:
    requests = tuple(RequestInFlight(row().key, 1e9 * age, 7, "::1") for age in range(99, 0, -1))
    for number, cut in ((99, True), (20, False), (3, False)):
        history = History()
        history.keep(replace(_at(1), in_flight=requests[:number]))
        history.keep(_at(2))
        then = history.step(2.0, -1)
        assert then is not None
        assert (then.in_flight, then.in_flight_cut) == (requests[: min(number, 20)], cut)


def test_a_replay_that_begins_anew_has_no_past() -> None:
    history = _kept(10)
    history.keep(_at(9))  # the same one
    assert len(history.times) == 10
    history.keep(_at(3))
    assert history.times == [3.0]


def test_sampled_requests_count_and_only_the_newest_are_kept() -> None:
    """On a busy host each tick has others, with header sections: they were most of the memory."""
    history = History(most_bytes=1 << 20)
    head = tuple(f"X-Header-{n}: some value or other" for n in range(16))
    recent = []
    for tick in range(200):
        recent = [request(100 * tick + n, request_head=head) for n in range(100, 0, -1)]
        history.keep(replace(snapshot(recent=recent), taken_at=NOON + tick))
    kept = history.near(NOON + 199)
    assert kept is not None
    assert [one.serial for one in kept.recent] == [20_000 - n for n in range(10)]
    assert 40 < len(history.times) < 80  # 10 of about 1.9 kB, and 4 kB besides
    quiet = History(most_bytes=1 << 20)
    for tick in range(200):
        quiet.keep(replace(snapshot(recent=recent), taken_at=NOON + tick))
    assert len(quiet.times) == 200  # all have the same ones
