"""Metrics pushed again and again to a receiver that is not always there: its sums are ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)

from httptop.collect.metrics import Metrics
from httptop.output.back_off import BackOff
from httptop.output.otlp.attributes import Resources
from httptop.output.otlp.batches import Shape
from httptop.output.otlp.metrics_sink import MetricsPush, MetricsSink
from httptop.output.sink import SendError
from tests.factory import NOON, snapshot_at
from tests.output.otlp.fakes import Sums, Traffic
from tests.output.otlp.receiving import PROTOBUF, Receiving, receiver
from tests.patience import PATIENCE_S

SERVER = "http.server.request.duration"
SHAPE = Shape(Resources("web-1"))
both = pytest.mark.parametrize("increments", [False, True], ids=["sums", "increments"])


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    with Receiving() as receiving:
        yield receiving


class Counting:
    """Traffic, and what pushes the metrics of it."""

    def __init__(self, url: str, *, increments: bool, most_points: int = 3) -> None:
        self.traffic = Traffic(paths=5)
        self.readings = 0
        shape = replace(SHAPE, most_points=most_points)
        to = receiver(f"{url}/v1/metrics")
        self.push = MetricsPush(self.read, to, shape, increments=increments)

    def read(self) -> Metrics | None:
        self.readings += 1
        return self.traffic.metrics(NOON + self.readings)


def sums(*received: Receiving) -> Sums:
    """Return what the receivers have got, as one."""
    found = Sums()
    for one in received:
        for path, request in one.got:
            assert path == "/v1/metrics"
            found.add(request)
    return found


@both
def test_all_that_was_counted_arrives(receiving: Receiving, increments: bool) -> None:
    counting = Counting(receiving.url, increments=increments)
    for number in (17, 0, 1009):
        counting.traffic.some(number)
        counting.push.send(None, 0)
    counting.push.close()
    assert sums(receiving).of(SERVER) == 1026


@both
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_receiver_that_is_killed_and_comes_back(increments: bool, at: int) -> None:
    """``at``: the batch before which it is not there any more."""
    with Receiving() as first:
        counting = Counting(first.url, increments=increments, most_points=1)
        counting.traffic.some(100)
        counting.push.send(None, 0)
        counting.traffic.some(100)
        first.most = len(first.got) + at
        with pytest.raises(SendError) as raised:
            counting.push.send(None, 0)
        assert not raised.value.rejected
        port = first.port
    for _ in range(3):
        counting.traffic.some(100)
        with pytest.raises(SendError, match="refused"):
            counting.push.send(None, 0)
    with Receiving(port) as second:
        counting.traffic.some(100)
        counting.push.send(None, 0)
        assert sums(first, second).of(SERVER) == counting.traffic.answered == 600
    counting.push.close()


@both
def test_a_batch_that_is_refused_does_not_hold_up_the_next(
    receiving: Receiving, increments: bool
) -> None:
    counting = Counting(receiving.url, increments=increments)
    counting.traffic.some(100)
    receiving.answers.append((400, b"no", {}))
    with pytest.raises(
        SendError, match=r"3 data points were refused: .* answers 400: no"
    ) as raised:
        counting.push.send(None, 0)
    assert raised.value.rejected
    assert 0 < sums(receiving).of(SERVER) < 100
    counting.push.send(None, 0)
    assert sums(receiving).of(SERVER) == 100
    counting.push.close()


def test_what_is_refused_in_part_is_told(receiving: Receiving) -> None:
    counting = Counting(receiving.url, increments=False)
    counting.traffic.some(100)
    partial = ExportMetricsPartialSuccess(rejected_data_points=2, error_message="too old")
    content = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    receiving.answers.append((200, content, PROTOBUF))
    with pytest.raises(SendError, match="2 data points were refused: too old") as raised:
        counting.push.send(None, 0)
    assert raised.value.rejected
    counting.push.close()


def test_a_warning_is_no_refusal(receiving: Receiving) -> None:
    counting = Counting(receiving.url, increments=False)
    partial = ExportMetricsPartialSuccess(error_message="deprecated")
    content = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    receiving.answers.append((200, content, PROTOBUF))
    counting.push.send(None, 0)
    counting.push.close()


def test_a_batch_without_an_answer_comes_again_as_it_was(receiving: Receiving) -> None:
    counting = Counting(receiving.url, increments=True, most_points=1000)
    counting.traffic.some(100)
    seen: list[object] = []
    receiving.seen = seen.append
    receiving.answers.append((0, b"", {}))
    with pytest.raises(SendError):
        counting.push.send(None, 0)
    counting.traffic.some(11)
    counting.push.send(None, 0)
    assert len(seen) == 3
    assert seen[1] == seen[0]
    assert sums(receiving).of(SERVER) == 111
    counting.push.close()


def test_counts_that_cannot_be_read_are_tried_again(receiving: Receiving) -> None:
    to = receiver(f"{receiving.url}/v1/metrics")
    push = MetricsPush(lambda: None, to, SHAPE, increments=False)
    with pytest.raises(SendError, match="could not be read") as raised:
        push.send(None, 0)
    assert (raised.value.rejected, raised.value.final) == (False, False)


def test_it_pushes_at_its_interval_and_at_the_end(receiving: Receiving) -> None:
    counting = Counting(receiving.url, increments=False, most_points=1000)
    sink = MetricsSink(counting.push, 10.0)
    sink.begin()
    for uptime_s in (1, 5, 9):
        sink.see(replace(snapshot_at(uptime_s), uptime_s=uptime_s))
    sink.see(replace(snapshot_at(100), uptime_s=100, early=True))
    due = (10, 20, 57, 60)
    for uptime_s in (10, 19, 20, 57, 58, 59, 60):
        counting.traffic.some(1)
        sink.see(replace(snapshot_at(uptime_s), uptime_s=uptime_s))
        _wait_for_idle(sink)
        assert counting.readings == len(receiving.got) == sum(at <= uptime_s for at in due)
    counting.traffic.some(1)
    sink.end(snapshot_at(61))
    sink.finish(time.monotonic() + PATIENCE_S)
    assert sums(receiving).of(SERVER) == 8
    (stats,) = sink.sinks
    assert (stats.name, stats.unit, stats.sent, stats.dropped) == (
        "otlp push of metrics",
        "export",
        5,
        0,
    )
    assert sink.trouble == ""


def _wait_for_idle(sink: MetricsSink) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while sink.sinks[0].waiting:
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_a_dead_receiver_holds_up_nobody_and_is_told_of() -> None:
    with Receiving() as gone:
        url = gone.url
    counting = Counting(url, increments=False)
    sink = MetricsSink(counting.push, 1.0, back_off=BackOff(lambda: 0.0, least_s=0.001))
    sink.begin()
    snapshot = snapshot_at(1)
    for uptime_s in range(1, 100):
        sink.see(replace(snapshot, uptime_s=float(uptime_s)))
    assert sink.sinks[0].waiting == 1
    sink.end(snapshot_at(100))
    sink.finish(time.monotonic() + PATIENCE_S)
    (stats,) = sink.sinks
    assert stats.state == "ended"
    assert stats.sent == 0
    assert "connection refused" in sink.trouble
