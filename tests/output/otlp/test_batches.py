"""Metrics as requests to a receiver: what a receiver adds up is what was counted."""

from __future__ import annotations

import sys
from dataclasses import fields, replace

import pytest

from httptop import __version__
from httptop.model import STATUS_UNKNOWN, EndpointKey, Health, Overhead, SinkStats
from httptop.output.otlp.attributes import Resources
from httptop.output.otlp.batches import Shape, batches
from httptop.output.otlp.increments import Increments
from tests.factory import NOON, key
from tests.output.otlp.fakes import Sums, Traffic, metrics, outcome, series

SHAPE = Shape(Resources("web-1"))
SERVER, CLIENT = "http.server.request.duration", "http.client.request.duration"
BOUNDS = (0.0005, 0.001, 0.01)


@pytest.mark.parametrize("bounds", [None, BOUNDS], ids=["exponential", "explicit"])
@pytest.mark.parametrize("most", [1, 2, 1000])
def test_all_of_it_arrives_in_batches_of_any_size(
    bounds: tuple[float, ...] | None, most: int
) -> None:
    traffic, sums = Traffic(paths=7), Sums()
    traffic.some(1009)
    points = 0
    for batch in batches(traffic.metrics(), replace(SHAPE, bounds=bounds, most_points=most)):
        assert 0 < batch.points <= most
        points += batch.points
        sums.add(batch.request)
    assert sums.of(SERVER) == 1009
    assert points == len(sums.times)
    answered = sum(o.sum_ns for s in traffic.metrics().series for o in s.outcomes)
    assert sum(sums.seconds.values()) == pytest.approx(answered / 1e9)


def test_increments_add_up_to_sums() -> None:
    traffic, increments, sums, last = Traffic(), Increments(), Sums(), Sums()
    for tick, number in enumerate((10, 0, 1, 1000, 0, 7)):
        traffic.some(number)
        now = traffic.metrics(NOON + 60 * (tick + 1))
        for batch in batches(now, replace(SHAPE, most_points=2), increments):
            sums.add(batch.request)
            batch.accepted()
        last = Sums()
        for batch in batches(now, SHAPE):
            last.add(batch.request)
        assert sums.count == last.count
        assert sums.seconds == pytest.approx(last.seconds)
        assert all(+sums.buckets[name] == +found for name, found in last.buckets.items())
        assert sums.values == {n: v for n, v in last.values.items() if v or "active" in n[0]}
    assert sums.of(SERVER) == traffic.answered == 1018


def test_what_was_not_accepted_is_in_the_next_increment() -> None:
    traffic, increments, sums = Traffic(paths=5), Increments(), Sums()
    for tick in range(12):
        traffic.some(101)
        now = traffic.metrics(NOON + 60 * (tick + 1))
        for number, batch in enumerate(batches(now, replace(SHAPE, most_points=2), increments)):
            if tick == 11 or (tick + number) % 3:
                sums.add(batch.request)
                batch.accepted()
    assert sums.of(SERVER) == traffic.answered


def test_a_series_that_has_begun_anew_has_all_of_it_sent() -> None:
    increments, counts = Increments(), []
    name = key()
    for began_at, number in ((NOON, 10), (NOON, 12), (NOON + 90, 3), (NOON + 90, 4)):
        now = metrics(series(name, outcome([1_000_000] * number), began_at=began_at))
        for batch in batches(now, SHAPE, increments):
            counts.append(Sums())
            counts[-1].add(batch.request)
            batch.accepted()
    assert [one.of(SERVER) for one in counts] == [10, 2, 3, 1]


def test_what_is_no_longer_there_is_forgotten() -> None:
    increments, sizes = Increments(), []
    first = metrics(*(series(key(f"/{n}"), outcome([1_000_000])) for n in range(100)))
    for now in (first, metrics(series(key("/1"), outcome([1_000_000])))):
        for batch in batches(now, SHAPE, increments):
            batch.accepted()
        sizes.append(len(increments))
    assert sizes[0] == sizes[1] + 99


def found_of(*all_series: object, shape: Shape = SHAPE) -> Sums:
    """Return what a receiver knows of some series."""
    sums = Sums()
    for batch in batches(metrics(*all_series), shape):  # type: ignore[arg-type]
        sums.add(batch.request)
    return sums


def attributes(sums: Sums, metric: str) -> list[dict[str, str]]:
    """Return the attributes of the data points of a metric."""
    return [dict(point) for name, _, point in sums.times if name == metric]


def test_attributes_of_a_server() -> None:
    name = EndpointKey("server", "nginx", "HTTP/1.1", True, "GET", "/u/{id}", "www-data", 443)
    sums = found_of(series(name, outcome([1], 200), outcome([1], 404), outcome([1], 503)))
    shared = {
        "http.request.method": "GET",
        "http.route": "/u/{id}",
        "network.protocol.version": "1.1",
        "server.port": "443",
        "url.scheme": "https",
    }
    assert attributes(sums, SERVER) == [
        {**shared, "http.response.status_code": "200"},
        {**shared, "http.response.status_code": "404"},
        {**shared, "http.response.status_code": "503", "error.type": "503"},
    ]
    (whose,) = {whose for name, whose, _ in sums.times if name == SERVER}
    assert dict(whose) == {
        "host.name": "web-1",
        "process.executable.name": "nginx",
        "process.owner": "www-data",
        "service.instance.id": "web-1:nginx:www-data",
        "service.name": "nginx",
    }


def test_attributes_of_a_client() -> None:
    name = key("/u", "OTHER", "curl", "client")
    outcomes = outcome([1], 404), outcome([1], STATUS_UNKNOWN), outcome([1], 2), outcome([1], 4)
    sums = found_of(series(name, *outcomes))
    shared = {
        "http.request.method": "_OTHER",
        "network.protocol.version": "1.1",
        "url.scheme": "http",
        "url.template": "/u",
    }
    assert attributes(sums, CLIENT) == [
        {**shared, "http.response.status_code": "404", "error.type": "404"},
        {**shared, "error.type": "unknown"},
        {**shared, "httptop.response.status_class": "2xx"},
        {**shared, "httptop.response.status_class": "4xx", "error.type": "4xx"},
    ]


def test_what_owners_are_told_apart_by_is_in_the_instance_too() -> None:
    users = [key(user="www-data"), key(user="root"), key(process="caddy")]
    sums = found_of(*(series(name, outcome([1])) for name in users))
    instances = [dict(w)["service.instance.id"] for name, w, _ in sums.times if name == SERVER]
    assert len(set(instances)) == 3


def test_requests_in_flight_go_by_process_and_not_by_path() -> None:
    sums = found_of(
        series(key("/a"), in_flight=2), series(key("/b"), in_flight=3), series(key("/c", "PUT"))
    )
    found = {
        dict(point)["http.request.method"]: value
        for (name, _, point), value in sums.values.items()
        if name == "http.server.active_requests"
    }
    assert found == {"GET": 5, "PUT": 0}
    assert "http.route" not in attributes(sums, "http.server.active_requests")[0]


def test_what_has_no_known_latency_is_told_beside_histograms() -> None:
    sums = Sums()
    lacking = replace(outcome([1_000_000] * 5), count=8)
    for batch in batches(metrics(series(key(), lacking), unmeasured=3), SHAPE):
        sums.add(batch.request)
    assert sums.of(SERVER) == 5
    assert {v for (name, _, _), v in sums.values.items() if name == "httptop.unmeasured"} == {3}


def test_an_empty_reading_has_only_what_httptop_says_of_itself() -> None:
    sums = found_of()
    assert {name.partition(".")[0] for name, _, _ in sums.times} == {"httptop"}
    (whose,) = {whose for _, whose, _ in sums.times}
    assert dict(whose)["service.name"] == "httptop"
    assert dict(whose)["service.version"] == __version__


def test_all_of_health_cost_and_outputs_is_sent() -> None:
    health = Health(*range(1, 1 + len(fields(Health))))
    overhead = Overhead(1.5, 2, 3, 4, 5.5, 6.5, 7, 8.5, 9, tables={"endpoints": 0.25})
    sink = SinkStats("recording", "failing", 1, 2, 3, 4, 5)
    sums = Sums()
    whole = metrics(
        health=health,
        overhead=overhead,
        sinks=(sink,),
        unmeasured=11,
        folded=12,
        ended=13,
        ended_requests={"server": 14, "client": 15},
    )
    for batch in batches(whole, SHAPE):
        sums.add(batch.request)
    found = {
        (name.removeprefix("httptop."), *dict(point).values()): value
        for (name, _, point), value in sums.values.items()
    }
    for field in fields(Health):
        assert found.pop((field.name,)) == getattr(health, field.name)
    assert found == pytest.approx(
        {
            ("unmeasured",): 11,
            ("series.folded",): 12,
            ("series.ended",): 13,
            ("ended_requests", "server"): 14,
            ("ended_requests", "client"): 15,
            ("cpu",): 0.015,
            ("rss",): 2,
            ("open_fds",): 3,
            ("context_switches",): 4,
            ("bpf_cpu",): 0.055,
            ("bpf_call",): 6.5e-9,
            ("bpf_calls",): 7,
            ("samples",): 8.5,
            ("window",): 9,
            ("table.used", "endpoints"): 0.25,
            ("sink.sent", "snapshot", "recording"): 1,
            ("sink.waiting", "snapshot", "recording"): 2,
            ("sink.dropped", "snapshot", "recording"): 3,
            ("sink.failed", "snapshot", "recording"): 4,
            ("sink.reconnects", "snapshot", "recording"): 5,
        }
    )


def test_names_are_texts_whatever_they_are() -> None:
    hostile = key('/"\\\n{}é\u2028', process="a\u202eb")
    (name,) = set(found_of(series(hostile, outcome([1]))).count)
    assert dict(name[2])["http.route"] == hostile.path


def test_one_batch_takes_memory_at_a_time() -> None:
    alive = []
    shape = replace(SHAPE, most_points=1)
    some = metrics(*(series(key(f"/{n}"), outcome([1_000_000])) for n in range(5)))
    for batch in batches(some, shape):
        alive.append(sys.getrefcount(batch.request))
        del batch
    assert set(alive) == {2}  # the batch's own, and getrefcount's
