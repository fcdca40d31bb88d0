"""The effects of the collector's settings on what is shown."""

from __future__ import annotations

import json
import queue
import threading
from dataclasses import replace

import pytest

from httptop.collect.source import Controls, RawInFlight, RawResponse, RawSample
from httptop.collector import Collector
from httptop.config.load import build
from httptop.config.scope import Scope
from httptop.config.settings import Settings
from httptop.model import RequestInFlight, Snapshot, Transaction
from httptop.output.json import to_json
from httptop.output.text import to_text
from tests.collect.cells import (
    FakeMeter,
    FakeSource,
    Reading,
    answered,
    collecting,
    delta,
    endpoint,
    sampled,
)
from tests.patience import PATIENCE_S


def _with(**values: object) -> Settings:
    """Return settings with some values changed: ``_with(general__tick=0.5)``."""
    return build({key.replace("__", "."): value for key, value in values.items()})


def _traffic(*paths: str, requests: int = 1) -> Reading:
    """Return a reading with requests for each path."""
    cells = {10 + at: path for at, path in enumerate(paths)}
    return Reading(
        endpoints={cell: endpoint(path) for cell, path in cells.items()},
        responses={cell + 1000: RawResponse(cell, 200) for cell in cells},
        deltas=[delta(cell, counted=requests) for cell in cells]
        + [answered(cell + 1000, requests) for cell in cells],
    )


def _shown(snapshot: Snapshot) -> dict[str, int]:
    """Return the requests of each row, as JSON has them."""
    rows = json.loads(to_json(snapshot))["endpoints"]
    return {row["path"]: row["requests"] for row in rows}


def _sampled(settings: Settings, *samples: RawSample) -> list[Transaction]:
    reading = Reading(endpoints={5: endpoint("/a/{id}")}, deltas=[delta(5, counted=1)])
    reading.samples = list(samples)
    return list(reversed(collecting(reading, settings=settings).step(1001.0, 0.0).recent))


class _Kernel(FakeSource):
    """Obeys the controls: takes at most so many samples, and records processes or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[RawSample] = []

    def read(self) -> Reading:
        controls = self.controls[-1]
        reading = _traffic("/a", requests=10)
        if controls.per_second:
            self.waiting += [sampled(cell=10)] * 10
        most = controls.most_samples
        reading.samples, self.waiting = self.waiting[:most], self.waiting[most:]
        if controls.parties and not self.parties.known:
            reading.processes = [(10, 77)]
        self.count(reading)
        return reading


@pytest.mark.setting("general.tick")
def test_another_tick_holds_at_once() -> None:
    source = FakeSource()
    collector = Collector(source, _with(general__tick=3600.0), Scope(), host="here")
    seen: queue.Queue[Snapshot] = queue.Queue()
    collector.start(seen.put, lambda error: pytest.fail(str(error)))
    collector.apply(_with(general__tick=0.1))
    snapshots = [seen.get(timeout=PATIENCE_S) for _ in range(3)]
    assert [snapshot.interval_s for snapshot in snapshots] == [0.1] * 3
    assert snapshots[2].uptime_s < 3600
    collector.apply(_with(general__tick=3600.0))
    last = collector.stop()
    assert last is not None
    assert last.interval_s == 3600.0


@pytest.mark.setting("general.history")
@pytest.mark.parametrize(
    ("ticks", "totals", "endpoints"), [(10, 10, 10), (60, 60, 60), (150, 150, 120)]
)
def test_trends_go_back_so_many_ticks(ticks: int, totals: int, endpoints: int) -> None:
    readings = [_traffic("/a") for _ in range(150)]
    collector = collecting(*readings, settings=_with(general__history=ticks))
    for second in range(150):
        snapshot = collector.step(1001.0 + second, 0.0)
    total = snapshot.total("server")
    trends = (total.trend_rps, total.trend_error_share, total.trend_p50_ns, total.trend_p99_ns)
    assert [len(trend) for trend in trends] == [totals] * 4
    (row,) = snapshot.endpoints
    assert len(row.trend_ns) == endpoints


@pytest.mark.setting("sampling.slow_threshold")
def test_what_counts_as_slow() -> None:
    samples = [sampled(1_000_000), sampled(2_000_000)]
    for threshold, slow in ((500_000, [True, True]), (2_000_000, [False, True])):
        settings = _with(sampling__slow_threshold=threshold)
        assert [request.slow for request in _sampled(settings, *samples)] == slow


@pytest.mark.setting("sampling.strategy", "sampling.per_second")
def test_which_requests_stay_to_be_seen() -> None:
    samples = [sampled(status=500), *[sampled()] * 1000]
    for strategy, per_second, failed, kept in (
        ("tail", 100, 1, 200),
        ("all", 100, 0, 200),
        ("all", 300, 0, 600),
    ):
        settings = _with(sampling__strategy=strategy, sampling__per_second=per_second)
        requests = _sampled(settings, *samples)
        assert len(requests) == kept
        assert sum(request.status == 500 for request in requests) == failed


@pytest.mark.setting("security.redact")
def test_secrets_are_masked() -> None:
    sample = sampled(
        line=b"GET /search/42?q=cats#top HTTP/1.1",
        response=b"HTTP/1.1 302 Found\r\nLocation: /in?code=9\r\nETag: 9\r\n\r\n",
    )
    for level, path, head in (
        ("strict", "/search/{id}?***", ("HTTP/1.1 302", "Location: ***", "ETag: ***")),
        ("default", "/search/42?q=***#***", ("HTTP/1.1 302 Found", "Location: ***", "ETag: 9")),
        ("off", "/search/42?q=cats#top", ("HTTP/1.1 302 Found", "Location: /in?code=9", "ETag: 9")),
    ):
        (request,) = _sampled(_with(security__redact=level), sample)
        assert (request.path, request.response_head) == (path, head)
    (request,) = _sampled(_with(), sample)
    assert request.path == "/search/42?q=***#***"


@pytest.mark.parametrize("level", ["strict", "default", "off"])
def test_endpoints_that_differ_by_a_secret_are_one(level: str) -> None:
    tokens = ("sk_live_abcdefgh", "sk_live_bcdefghi", "sk_live_cdefghij")
    reading = _traffic(*(f"/k/{token}" for token in tokens), "/k/a")
    snapshot = collecting(reading, settings=_with(security__redact=level)).step(1001.0, 0.0)
    assert _shown(snapshot) == {"/k/{id}": 3, "/k/a": 1}
    assert snapshot.total("server").requests == 4


@pytest.mark.setting("security.shown_fields")
def test_values_of_fields_are_masked_but_those_that_are_listed() -> None:
    sample = sampled(
        response=b"HTTP/1.1 200 OK\r\nServer: web\r\nSet-Cookie: id=1;\r\n Path=/\r\n\r\n",
    )
    for names, head in (
        (("server",), ("Server: web", "Set-Cookie: ***")),
        (("set-cookie",), ("Server: ***", "Set-Cookie: id=1; Path=/")),
        ((), ("Server: ***", "Set-Cookie: ***")),
    ):
        (request,) = _sampled(_with(security__shown_fields=names), sample)
        assert request.response_head == ("HTTP/1.1 200 OK", *head)
    (request,) = _sampled(_with(), sample)
    assert request.response_head == ("HTTP/1.1 200 OK", "Server: web", "Set-Cookie: ***")


@pytest.mark.setting("security.max_captured_bytes")
def test_no_more_is_held_of_a_request_and_its_response() -> None:
    for most, path, lines in (
        (512, "/a/7", 2),
        (17, "/a/7", 1),
        (8, "/a/7…", 0),
        (0, "/a/{id}", 0),
    ):
        (request,) = _sampled(_with(security__max_captured_bytes=most), sampled())
        assert (request.path, len(request.response_head)) == (path, lines)


@pytest.mark.setting("paths.max_distinct")
def test_paths_beyond_the_limit_are_added_up() -> None:
    for most, rows in (
        (32768, {"/a": 2, "/b": 2, "/c": 2, "/d": 2}),
        (3, {"/a": 2, "/b": 2, "/c": 2, "~other": 2}),
        (1, {"/a": 2, "~other": 6}),
    ):
        reading = _traffic("/a", "/b", "/c", "/d", requests=2)
        snapshot = collecting(reading, settings=_with(paths__max_distinct=most)).step(1001.0, 0.0)
        assert _shown(snapshot) == rows
        assert snapshot.health.overflow_requests == rows.get("~other", 0)
        assert snapshot.total("server").requests == 8


@pytest.mark.setting("paths.templates")
def test_a_template_adds_up_what_was_counted_apart() -> None:
    collector = collecting(_traffic("/users/ann", "/users/bob", "/a"), _traffic("/users/ann"))
    assert _shown(collector.step(1001.0, 0.0)) == {"/users/ann": 1, "/users/bob": 1, "/a": 1}
    collector.apply(_with(paths__templates=("/users/{name}",)))
    snapshot = collector.step(1002.0, 0.0)
    assert _shown(snapshot) == {"/users/{name}": 3, "/a": 1}
    assert snapshot.total("server").requests == 4


@pytest.mark.setting("performance.batch_size")
def test_samples_beyond_a_batch_wait() -> None:
    for most, seen in ((4096, [10, 20, 30]), (4, [4, 8, 12])):
        settings = _with(performance__batch_size=most)
        collector = Collector(_Kernel(), settings, Scope(), host="here")
        collector.begin(1000.0)
        assert [len(collector.step(1001.0 + n, 0.0).recent) for n in range(3)] == seen


@pytest.mark.setting("performance.max_overhead_percent")
@pytest.mark.parametrize(("budget", "shed"), [(0.0, False), (5.0, True), (100.0, False)])
def test_detail_is_shed_above_the_budget_and_counts_are_not(budget: float, shed: bool) -> None:
    meter = FakeMeter([20.0] * 8 + [1.0] * 30)
    settings = _with(performance__max_overhead_percent=budget)
    collector = Collector(_Kernel(), settings, Scope(), host="here", meter=meter)
    collector.begin(1000.0)
    costly = [collector.step(1001.0 + n, 0.0) for n in range(8)]
    cheap = [collector.step(1009.0 + n, 0.0) for n in range(29)]
    assert [row.requests for snapshot in costly for row in snapshot.endpoints] == [
        10 * n for n in range(1, 9)
    ]
    document = json.loads(to_json(costly[-1]))
    if not shed:
        assert len(costly[-1].recent) == 80
        assert "shed" not in document["overhead"]
        return
    assert len(costly[-1].recent) == 30  # of the three ticks before
    assert document["overhead"]["shed"] == ["samples", "pids"]
    assert any("5 %" in note for note in document["notes"])
    assert cheap[-1].overhead.shed == ()
    assert cheap[-1].notes == ()
    assert len(cheap[-1].recent) > 30


def test_a_source_is_told_before_the_first_reading_and_at_each_change() -> None:
    source = FakeSource()
    settings = _with(sampling__per_second=7)
    collector = Collector(source, settings, Scope(), host="here")
    collector.begin(1000.0)
    assert source.calls == ["control"]
    collector.step(1001.0, 0.0)
    collector.apply(settings)
    collector.step(1002.0, 0.0)
    assert len(source.controls) == 1
    collector.apply(_with(sampling__per_second=8, paths__keep=("/a/*",)))
    collector.step(1003.0, 0.0)
    assert source.calls == ["control", "read", "read", "control", "read"]
    first, second = source.controls
    assert isinstance(first, Controls)
    assert (first.per_second, second.per_second, second.keep) == (7, 8, ("/a/*",))


def test_settings_may_come_from_many_threads() -> None:
    collector = collecting()
    threads = [
        threading.Thread(target=collector.apply, args=(_with(sampling__per_second=n),))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for n in range(10):
        collector.step(1001.0 + n, 0.0)
    for thread in threads:
        thread.join()
    collector.apply(_with(general__tick=2.5))
    assert collector.step(1020.0, 0.0).interval_s == 2.5


@pytest.mark.setting("output.in_flight")
def test_requests_in_flight_are_read_only_if_asked_for() -> None:
    for asked in (False, True):
        source = FakeSource(_traffic("/a", requests=10))
        source.waiting_requests = [
            RawInFlight(10, 999_000_000_000, 42, "10.0.0.7"),
            RawInFlight(10, 998_000_000_000, 0, "unix"),
            RawInFlight(77, 5, 42, "of a cell that nobody knows"),
        ]
        source.read_ns = iter([1001_000_000_000])
        collector = Collector(source, _with(output__in_flight=asked), Scope(), host="here")
        collector.begin(1000.0)
        snapshot = collector.step(1001.0, 0.0)
        assert ("in flight" in source.calls) is asked
        (row,) = snapshot.endpoints
        if not asked:
            assert snapshot.in_flight is None
            assert row.oldest_in_flight_ns is None
            continue
        assert snapshot.in_flight == (
            RequestInFlight(row.key, 3e9, None, "unix"),
            RequestInFlight(row.key, 2e9, 42, "10.0.0.7"),
        )
        assert row.oldest_in_flight_ns == 3e9
        document = json.loads(to_json(snapshot))
        assert document["endpoints"][0]["oldest_in_flight_ms"] == 3000.0
        assert [(one["age_ms"], one.get("pid")) for one in document["in_flight"]] == [
            (3000.0, None), (2000.0, 42),
        ]  # fmt: skip
        lines = [line.split() for line in to_text(snapshot).splitlines()]
        assert ["3.0s", "server", "web", "-", "unix", "GET", "/a"] in lines
        assert ["2.0s", "server", "web", "42", "10.0.0.7", "GET", "/a"] in lines
        assert "in_flight" not in json.loads(to_json(replace(snapshot, in_flight=None)))
        assert not snapshot.in_flight_for_screen


def _failed(error: BaseException) -> None:
    raise error


@pytest.mark.setting("metrics.max_series")
@pytest.mark.parametrize(("most", "paths"), [(16, 17), (2000, 20)])
def test_so_many_series_are_exported(most: int, paths: int) -> None:
    traffic = _traffic(*(f"/{number}" for number in range(20)))
    collector = Collector(
        FakeSource(traffic),
        _with(metrics__max_series=most, general__tick=3600.0),
        Scope(),
        host="here",
        exported=True,
    )
    collector.start(lambda _: None, _failed)
    metrics = collector.metrics(PATIENCE_S)
    collector.stop()
    assert metrics is not None
    series = list(metrics.series)
    assert len({one.key.path for one in series}) == paths
    assert sum(outcome.count for one in series for outcome in one.outcomes) == 20
    assert metrics.folded == 20 - min(most, 20)
