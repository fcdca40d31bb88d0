"""The collector over a fake source: readings in, snapshots out."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import queue
import random
import select
import threading
from collections.abc import Iterator

import pytest

from httptop.collect.measure import Measure
from httptop.collect.metrics import Metrics
from httptop.collect.source import (
    LEFT_OUT,
    Interrupted,
    KernelCost,
    Losses,
    RawEndpoint,
    RawInFlight,
    RawResponse,
)
from httptop.collector import Collector
from httptop.config.scope import Scope, limited
from httptop.config.settings import DEFAULTS, General
from httptop.model import Snapshot
from httptop.view.in_flight import of_endpoint
from httptop.view.rows import row_of
from tests.collect.cells import (
    FAST,
    FakeSource,
    Reading,
    answered,
    collecting,
    delta,
    endpoint,
    rows_of,
    sampled,
)
from tests.collect.reference_sums import CellDelta
from tests.patience import PATIENCE_S


def test_cells_become_rows() -> None:
    collector = collecting(
        Reading(
            endpoints={5: endpoint("/a"), 6: endpoint("/a", 1), 7: endpoint("/silent")},
            responses={8: RawResponse(5, 200), 9: RawResponse(5, 500), 10: RawResponse(6, 200)},
            deltas=[
                delta(5, counted=12, bytes=600, unanswered=1),
                answered(8, 7, 700), answered(9, 2, 90),
                delta(6, counted=3, bytes=30), answered(10, 3, 30),
            ],
            processes=[(5, 77), (5, 42), (6, 99)],
        )
    )  # fmt: skip
    snapshot = collector.step(1002.0, 5e8)
    rows = rows_of(snapshot)
    assert set(rows) == {"server /a", "client /a"}
    row = rows["server /a"]
    assert (row.requests, row.in_flight, row.unanswered) == (10, 2, 1)
    assert dict(row.status) == {200: 7, 500: 2}
    assert (row.request_bytes, row.response_bytes) == (600, 790)
    assert row.pids == (42, 77)
    assert row.rps == 5.0
    assert row.latency.count == row.latency_total.count == 9
    assert row.latency_total.max_ns == 10_000
    server, client = snapshot.total("server"), snapshot.total("client")
    assert (server.requests, server.in_flight, server.unanswered) == (10, 2, 1)
    assert dict(server.status) == {200: 7, 500: 2}
    assert server.error_share == 0.3
    assert (client.requests, client.in_flight) == (3, 0)
    assert (snapshot.taken_at, snapshot.uptime_s, snapshot.host) == (5e8, 2.0, "here")


def test_growth_adds_up_over_ticks_and_leaves_the_window() -> None:
    first = Reading(
        endpoints={5: endpoint("/a")},
        responses={6: RawResponse(5, 200)},
        deltas=[delta(5, counted=4), answered(6, 4)],
    )
    second = Reading(deltas=[delta(5, counted=6), answered(6, 6)])
    collector = collecting(first, second)
    assert rows_of(collector.step(1001.0, 0))["server /a"].requests == 4
    assert rows_of(collector.step(1002.0, 0))["server /a"].requests == 10
    quiet = rows_of(collector.step(1030.0, 0))["server /a"]
    assert (quiet.requests, quiet.latency.count) == (10, 10)
    gone = rows_of(collector.step(1100.0, 0))["server /a"]
    assert (gone.requests, gone.latency.count, gone.rps) == (10, 0, 0.0)
    assert gone.latency_total.count == 10
    assert collector.step(1101.0, 0).total("server").rps == 0.0


def test_a_published_snapshot_does_not_change() -> None:
    first = Reading(
        endpoints={5: endpoint("/a")}, responses={6: RawResponse(5, 200)},
        deltas=[delta(5, counted=1), answered(6, 1)],
    )  # fmt: skip
    second = Reading(
        endpoints={7: endpoint("/b")}, responses={8: RawResponse(5, 500)},
        deltas=[delta(5, counted=2), answered(6, 1), answered(8, 1), delta(7, counted=1)],
        processes=[(5, 42)],
    )  # fmt: skip
    collector = collecting(first, second)
    before = collector.step(1001.0, 0)
    totals = dataclasses.asdict(before.total("server"))
    # Nobody has looked at its rows yet.
    assert [row.requests for row in collector.step(1002.0, 0).endpoints] == [3, 0]
    (row,) = before.endpoints
    assert (row.requests, row.in_flight, dict(row.status), row.pids) == (1, 0, {200: 1}, ())
    assert (row.latency.count, len(row.trend_ns), row.rps) == (1, 1, 1.0)
    assert dataclasses.asdict(before.total("server")) == totals
    assert row_of(before.endpoints, row.key) is row


def test_a_glimpse_has_all_counts_and_leaves_the_tick_whole() -> None:
    first = Reading(
        endpoints={5: endpoint("/a")}, responses={6: RawResponse(5, 200), 7: RawResponse(5, 500)},
        deltas=[delta(5, counted=7), answered(6, 6)],
    )  # fmt: skip
    second = Reading(deltas=[delta(5, counted=2, unanswered=1), answered(7, 1)])
    made = collecting(first, second)
    early = made.glimpse(1000.5, 0)
    assert early.early
    total = early.total("server")
    assert (total.requests, total.in_flight, total.latency.count) == (6, 1, 6)
    assert [row.requests for row in early.endpoints] == [6]
    assert total.trend_rps == ()
    whole = made.step(1001.0, 0)
    assert not whole.early
    total = whole.total("server")
    assert (total.requests, total.in_flight, total.unanswered) == (8, 1, 1)
    assert total.trend_rps == (8.0,)
    assert total.trend_error_share == (0.25,)


def test_network_strings_are_cleaned() -> None:
    raw = RawEndpoint(0, b"w\x1b[31m", 0, "OTHER", b"/\xff\x1b" + b"a" * 20, True)
    (row,) = (
        collecting(Reading(endpoints={5: raw}, deltas=[delta(5, counted=1)]))
        .step(1001.0, 0)
        .endpoints
    )
    assert (row.key.process, row.key.protocol) == ("w\\x1b[31m", "HTTP/1.0")
    assert row.key.path == "/\\xff\\x1b" + "a" * 20 + "…"


def test_responses_without_a_cell_for_their_status() -> None:
    """They stay in the row of their endpoint, by class."""
    rest = (1, 0, 0, 0, 0, 2)
    collector = collecting(
        Reading(
            endpoints={5: endpoint("/a")},
            responses={6: RawResponse(5, 200), 7: RawResponse(5, 4)},
            deltas=[delta(5, counted=9, rest=rest), answered(6, 3), answered(7, 1)],
        )
    )
    snapshot = collector.step(1001.0, 0)
    row = rows_of(snapshot)["server /a"]
    assert (row.status, row.requests, row.in_flight) == ({200: 3, 4: 1, 0: 1, 5: 2}, 7, 2)
    assert (row.errors, row.status_class(5), row.status_class(4)) == (3, 2, 1)
    totals = snapshot.total("server")
    assert (totals.status, totals.requests, totals.in_flight) == (row.status, 7, 2)
    assert totals.error_share == 3 / 7
    assert snapshot.health.overflow_requests == 0
    assert "no histogram" in " ".join(snapshot.notes)


def test_scope_by_endpoint() -> None:
    reading = Reading(
        endpoints={5: endpoint("/a"), 6: endpoint("/b"), 7: endpoint("/a", 0, "POST")},
        deltas=[delta(cell, counted=1, unanswered=1) for cell in (5, 6, 7)],
    )
    scope = limited("path = /a and method = GET")
    snapshot = collecting(reading, scope=scope).step(1001.0, 0)
    assert set(rows_of(snapshot)) == {"server /a"}
    assert snapshot.total("server").requests == 1


def test_scope_by_status() -> None:
    reading = Reading(
        endpoints={5: endpoint("/a")},
        responses={6: RawResponse(5, 200), 7: RawResponse(5, 503)},
        deltas=[delta(5, counted=10, unanswered=1), answered(6, 5), answered(7, 2)],
    )
    scope = limited("status = 5xx")
    snapshot = collecting(reading, scope=scope).step(1001.0, 0)
    (row,) = snapshot.endpoints
    assert (dict(row.status), row.requests, row.unanswered) == ({503: 2}, 2, 0)
    assert row.in_flight == snapshot.total("server").in_flight == 2


def test_responses_below_the_minimum_latency_are_over_but_do_not_count() -> None:
    reading = Reading(
        endpoints={5: endpoint("/a")},
        responses={6: RawResponse(5, 200), 7: RawResponse(5, LEFT_OUT)},
        deltas=[delta(5, counted=10), answered(6, 2), answered(7, 7)],
    )
    (row,) = collecting(reading, scope=limited("latency > 0s")).step(1001.0, 0).endpoints
    assert (dict(row.status), row.requests, row.in_flight) == ({200: 2}, 2, 1)


def test_latencies_without_a_histogram_are_noted() -> None:
    def reading(*deltas: CellDelta) -> Reading:
        return Reading(deltas=list(deltas))

    first = Reading(
        endpoints={5: endpoint("/a"), 6: endpoint("/b")},
        responses={
            7: RawResponse(5, 200), 8: RawResponse(6, 200), 9: RawResponse(5, 200, Measure.WAIT),
        },
        deltas=[delta(5, counted=9), delta(6, counted=9), answered(7, 1)],
    )  # fmt: skip
    without = answered(7, 4)._replace(histogram={FAST: 1}, sum_ns=10_000, unmeasured=3)
    collector = collecting(
        first,
        reading(without, answered(8, 2)._replace(unmeasured=2), answered(9, 1)),
        reading(answered(7, 2)._replace(histogram={}, sum_ns=0, unmeasured=2)),
        scope=limited("path = /a"),
    )
    assert collector.step(1001.0, 0).notes == ()
    assert collector.step(1002.0, 0).notes == (
        "no histogram was left for 3 latencies: means and percentiles lack them; "
        "a higher performance.max_histograms gives room",
    )
    snapshot = collector.step(1003.0, 0)
    assert "for 5 latencies:" in snapshot.notes[0]
    (row,) = snapshot.endpoints
    assert (row.requests, row.latency.count, row.latency_total.mean_ns) == (7, 2, 10_000)
    assert row.trend_ns == pytest.approx((10_000,) * 3, rel=0.016)


def test_samples_become_transactions() -> None:
    reading = Reading(
        endpoints={5: endpoint("/a/{id}")},
        deltas=[delta(5, counted=2)],
        samples=[sampled(), sampled(DEFAULTS.sampling.slow_threshold_ns, 500, b"")],
    )
    snapshot = collecting(reading).step(1001.0, 1_700_000_001.0)
    slow, fast = snapshot.recent
    assert (fast.path, fast.status, fast.pid, fast.peer, fast.slow) == (
        "/a/7",
        200,
        42,
        "h:1",
        False,
    )
    assert fast.started_at == pytest.approx(1_700_000_001.0 - 1001.0 + 2.0)
    assert fast.response_bytes == 43
    assert (slow.path, slow.status, slow.slow) == ("/a/{id}", 500, True)
    assert slow.serial > fast.serial


def test_notable_samples_are_not_pushed_out_by_ordinary_ones() -> None:
    flood = [sampled() for _ in range(1000)]
    reading = Reading(
        endpoints={5: endpoint("/a/{id}")},
        deltas=[delta(5, counted=1)],
        samples=[sampled(status=500), *flood],
    )
    recent = collecting(reading).step(1001.0, 0).recent
    assert recent[-1].status == 500
    assert len(recent) <= 200
    serials = [sample.serial for sample in recent]
    assert serials == sorted(serials, reverse=True)


def test_health_and_cost_are_handed_on() -> None:
    losses = Losses(
        orphan_responses=1, lost_samples=2, parse_errors=4, missed_calls=6, discarded_requests=7
    )
    reading = Reading(losses=losses, cost=KernelCost(10, 120.0, 3.0))
    collector = collecting(reading, Reading(losses=losses))
    collector.step(1001.0, 0)
    snapshot = collector.step(1002.0, 0)
    health = snapshot.health
    assert (health.orphan_responses, health.lost_samples, health.parse_errors) == (1, 2, 4)
    assert (health.missed_calls, health.discarded_requests) == (6, 7)
    assert health.good is False
    assert snapshot.overhead.bpf_ns_per_call == 120.0
    assert snapshot.overhead.bpf_cpu_percent == 3.0
    assert snapshot.overhead.rss_bytes


def test_sums_hold_for_any_traffic() -> None:
    dice = random.Random(5)
    endpoints = {cell: endpoint(f"/{cell}", cell % 2) for cell in range(5, 30)}
    responses = {
        cell * 10 + at: RawResponse(cell, status)
        for cell in endpoints
        for at, status in enumerate((200, 301, 404, 500))
    }
    readings = []
    for _ in range(40):
        deltas = []
        for cell in dice.sample(list(endpoints), 8):
            counts = [dice.randrange(5) for _ in range(4)]
            lost, waits = dice.randrange(2), dice.randrange(2)
            deltas.append(delta(cell, counted=sum(counts) + lost + waits, unanswered=lost))
            deltas += [answered(cell * 10 + at, n, n * 9) for at, n in enumerate(counts) if n]
        readings.append(Reading(endpoints=endpoints, responses=responses, deltas=deltas))
    collector = collecting(*readings)
    for second in range(40):
        snapshot = collector.step(1001.0 + second * dice.choice((1, 1, 7)), 0)
        for side in ("server", "client"):
            rows = [row for row in snapshot.endpoints if row.key.side == side]
            total = snapshot.total(side)
            for row in rows:
                assert sum(row.status.values()) + row.unanswered == row.requests
                assert row.latency.count <= row.latency_total.count == sum(row.status.values())
            for name in ("requests", "in_flight", "unanswered", "response_bytes"):
                assert getattr(total, name) == sum(getattr(row, name) for row in rows), name
            assert sum(total.status.values()) + total.unanswered == total.requests


# ---- the thread --------------------------------------------------------------------------------


def test_start_and_stop() -> None:
    source = FakeSource(
        Reading(endpoints={5: endpoint("/a")}, deltas=[delta(5, counted=1)]),
    )
    settings = dataclasses.replace(DEFAULTS, general=General(tick_s=0.01))
    collector = Collector(source, settings, Scope(), around=source.around, host="here")
    seen: list[Snapshot] = []
    enough = threading.Event()

    def publish(snapshot: Snapshot) -> None:
        seen.append(snapshot)
        if len(seen) == 3:
            enough.set()

    failures: list[BaseException] = []
    collector.start(publish, failures.append)
    assert enough.wait(PATIENCE_S)
    last = collector.stop()
    assert last is not None
    assert last.final
    assert last.notes == ("a note",)
    assert not any(snapshot.final for snapshot in seen)
    assert failures == []
    assert source.calls[:3] == ["start up", "control", "read"]
    assert source.calls[-4:] == ["wind down", "detach", "read", "close"]
    assert collector.stop() is last


def test_a_tick_may_become_another_while_it_lasts() -> None:
    source = FakeSource()
    hour = dataclasses.replace(DEFAULTS, general=General(tick_s=3600.0))
    collector = Collector(source, hour, Scope(), host="here")
    seen: queue.Queue[Snapshot] = queue.Queue()
    collector.start(seen.put, lambda error: pytest.fail(str(error)))
    collector.apply(dataclasses.replace(DEFAULTS, general=General(tick_s=1.0)))
    shown = seen.get(timeout=PATIENCE_S)
    assert (shown.interval_s, shown.health.late_ticks) == (1.0, 0)
    collector.stop()


def test_first_rows_come_before_the_first_tick_for_a_screen() -> None:
    source = FakeSource(
        Reading(), Reading(endpoints={5: endpoint("/a")}, deltas=[delta(5, counted=1)])
    )
    settings = dataclasses.replace(DEFAULTS, general=General(tick_s=3600.0))
    collector = Collector(source, settings, Scope(), host="here", first_rows_at_once=True)
    seen: queue.Queue[Snapshot] = queue.Queue()
    collector.start(seen.put, lambda error: pytest.fail(str(error)))
    assert list(rows_of(seen.get(timeout=PATIENCE_S))) == ["server /a"]
    collector.stop()
    assert seen.empty()


def test_a_source_that_cannot_open() -> None:
    error = OSError("no")
    source = FakeSource(opens=error)
    collector = Collector(source, DEFAULTS, Scope(), around=source.around, host="here")
    failures: list[BaseException] = []
    collector.start(lambda _: None, failures.append)
    assert collector.stop() is None
    assert failures == [error]
    assert source.calls[-1] == "close"


def test_stopping_before_starting() -> None:
    source = FakeSource()
    assert Collector(source, DEFAULTS, Scope(), host="here").stop() is None
    assert source.calls == ["close"]


def test_stopping_while_it_starts_up() -> None:
    """A run that ends before anything was counted still has a last snapshot."""
    source = FakeSource()
    waiting = threading.Event()

    @contextlib.contextmanager
    def slow(to_end: int) -> Iterator[tuple[str, ...]]:
        waiting.set()
        poll = select.poll()
        poll.register(to_end, select.POLLIN)
        assert poll.poll(30_000)
        raise Interrupted
        yield ()  # it makes the function a generator

    collector = Collector(source, DEFAULTS, Scope(), around=slow, host="here")
    failures: list[BaseException] = []
    collector.start(lambda _: pytest.fail("nothing is to be shown"), failures.append)
    assert waiting.wait(PATIENCE_S)
    collector.apply(DEFAULTS)  # does not end it
    last = collector.stop()
    assert last is not None
    assert (last.final, last.uptime_s, last.endpoints) == (True, 0.0, ())
    assert last.total("server").requests == 0
    assert (failures, source.calls) == ([], ["close"])


def test_requests_in_flight_are_read_while_the_screen_looks_and_there_are_any() -> None:
    source = FakeSource(
        Reading(endpoints={5: endpoint("/a")}, deltas=[delta(5, counted=1)]),
        Reading(),
        Reading(responses={6: RawResponse(5, 200)}, deltas=[answered(6, 1)]),
    )
    source.waiting_requests = [RawInFlight(5, 999_000_000_000, 42, "10.0.0.7")]
    collector = Collector(source, DEFAULTS, Scope(), host="here")
    source.read_ns = iter([1002_000_000_000])
    collector.begin(1000.0)
    assert collector.step(1001.0, 0.0).in_flight is None
    collector.look_in_flight(True)
    looked = collector.step(1002.0, 0.0)
    assert [one.age_ns for one in looked.in_flight or ()] == [3e9]
    assert [row.oldest_in_flight_ns for row in looked.endpoints] == [3e9]
    assert looked.in_flight_for_screen
    assert source.calls.count("in flight") == 1
    assert collector.step(1003.0, 0.0).in_flight == ()  # by the counters there are none
    assert source.calls.count("in flight") == 1
    collector.look_in_flight(False)
    assert collector.step(1004.0, 0.0).in_flight is None


def test_ages_are_of_the_moment_of_their_reading() -> None:
    """The collector has waited for the CPU after the tick's moment, and one has begun since."""
    source = FakeSource(Reading(endpoints={5: endpoint("/a")}, deltas=[delta(5, counted=2)]))
    begun_ns = 1000_500_000_000, 1001_100_000_000
    source.waiting_requests = [RawInFlight(5, each, 42, "10.0.0.7") for each in begun_ns]
    source.read_ns = iter([1001_400_000_000])
    collector = Collector(source, DEFAULTS, Scope(), host="here")
    collector.begin(1000.0)
    collector.look_in_flight(True)
    seen = collector.step(1001.0, 0.0)
    assert [one.age_ns for one in seen.in_flight or ()] == [0.9e9, 0.3e9]
    assert [row.oldest_in_flight_ns for row in seen.endpoints] == [0.9e9]
    assert round(seen.in_flight_age_s, 6) == -0.4
    begun = of_endpoint(seen, seen.endpoints[0].key)
    assert [one.begun_us for one in begun or ()] == [500_000, 1_100_000]


def test_where_reading_them_is_dear_requests_in_flight_are_older_than_the_snapshot() -> None:
    """70 ms of CPU each time: every fourth second, to take no more than 2 %."""
    source = FakeSource(Reading(endpoints={5: endpoint("/a")}, deltas=[delta(5, counted=1)]))
    source.waiting_requests = [RawInFlight(5, 999_000_000_000, 42, "10.0.0.7")]
    source.read_ns = iter([1001_000_000_000, 1005_000_000_000, 1009_000_000_000])
    clock = itertools.count(0.0, 0.07)
    collector = Collector(source, DEFAULTS, Scope(), host="here", cpu_s=lambda: next(clock))
    collector.begin(1000.0)
    collector.look_in_flight(True)
    seen = [collector.step(1001.0 + tick, 0.0) for tick in range(9)]
    assert source.calls.count("in flight") == 3
    assert [round(one.in_flight_age_s) for one in seen] == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert [one.in_flight[0].age_ns / 1e9 for one in seen if one.in_flight] == [
        *([2.0] * 4), *([6.0] * 4), 10.0,
    ]  # fmt: skip
    assert [row.oldest_in_flight_ns for one in seen[:2] for row in one.endpoints] == [2e9, None]
    source.readings.append(Reading(responses={6: RawResponse(5, 200)}, deltas=[answered(6, 1)]))
    over = collector.step(1010.0, 0.0)  # that there are none costs nothing to know
    assert (over.in_flight, over.in_flight_age_s) == ((), 0.0)


def _failed(error: BaseException) -> None:
    raise error


def _requests(metrics: Metrics | None) -> int:
    assert metrics is not None
    return sum(
        one.unanswered + sum(outcome.count for outcome in one.outcomes) for one in metrics.series
    )


def _exported(*readings: Reading) -> Collector:
    settings = dataclasses.replace(DEFAULTS, general=General(tick_s=3600.0))
    source = FakeSource(*readings)
    return Collector(source, settings, Scope(), around=source.around, host="here", exported=True)


def _more(count: int) -> Reading:
    return Reading(
        endpoints={5: endpoint("/a")}, responses={6: RawResponse(5, 200)},
        deltas=[delta(5, counted=count), answered(6, count)],
        losses=Losses(orphan_responses=count), other_protocols=[(7, "tls", count)],
    )  # fmt: skip


def test_metrics_are_of_now_and_make_no_tick() -> None:
    collector = _exported(_more(3), _more(4), _more(5))
    seen: list[Snapshot] = []
    collector.start(seen.append, _failed)
    first, second = collector.metrics(PATIENCE_S), collector.metrics(PATIENCE_S)
    assert first is not None
    assert second is not None
    assert (_requests(first), _requests(second)) == (3, 7)
    assert first.began_at <= first.taken_at <= second.taken_at
    assert (first.host, first.folded, first.ended) == ("here", 0, 0)
    assert second.health.orphan_responses == 4
    assert second.other_protocols == {(7, "tls"): 4}
    assert not seen
    last = collector.stop()
    assert last is not None
    # What was read since the last tick is in the one that ends it.
    assert last.total("server").requests == 12
    final = collector.metrics(0.0)
    assert _requests(final) == _requests(collector.metrics(0.0)) == 12
    assert final is not None
    assert final.overhead == last.overhead


def test_many_may_ask_for_metrics_at_once() -> None:
    collector = _exported(*[_more(1) for _ in range(200)])
    collector.start(lambda _: None, _failed)
    found: queue.SimpleQueue[int] = queue.SimpleQueue()

    def ask() -> None:
        before = 0
        for _ in range(20):
            now = _requests(collector.metrics(PATIENCE_S))
            assert now >= before
            found.put(now)
            before = now

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    collector.stop()
    assert found.qsize() == 160


def test_nobody_waits_for_metrics_that_never_come() -> None:
    never = _exported()
    assert never.metrics(0.001) is None  # it has not been started
    never.stop()
    assert collecting(_more(1)).metrics(PATIENCE_S) is None  # not exported
    interrupted = Collector(
        source := FakeSource(opens=Interrupted()), DEFAULTS, Scope(), around=source.around,
        host="here", exported=True,
    )  # fmt: skip
    interrupted.start(lambda _: None, _failed)
    assert interrupted.metrics(PATIENCE_S) is None
    interrupted.stop()


def test_who_asks_all_the_time_does_not_hold_ticks_up() -> None:
    settings = dataclasses.replace(DEFAULTS, general=General(tick_s=0.1))
    source = FakeSource()
    collector = Collector(source, settings, Scope(), host="here", exported=True)
    ticks: queue.SimpleQueue[Snapshot] = queue.SimpleQueue()
    collector.start(ticks.put, _failed)
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            assert collector.metrics(PATIENCE_S) is not None

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        ticks.get(timeout=PATIENCE_S)
    over.set()
    for thread in threads:
        thread.join()
    collector.stop()


def test_samples_and_cost_of_a_reading_for_metrics_are_those_of_the_tick() -> None:
    first, second = Reading(), Reading()
    first.samples, first.cost = [sampled()], KernelCost(5, 2.0, 1.0)
    second.samples = [sampled(), sampled()]
    collector = collecting(first, second)
    collector.glimpse(1000.5, 0.0)
    overhead = collector.step(1001.0, 0.0).overhead
    assert (overhead.bpf_calls, overhead.samples_per_s) == (5, 3.0)
