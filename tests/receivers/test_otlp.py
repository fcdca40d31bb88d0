"""What is pushed, as OpenTelemetry's own JavaScript understands it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from httptop.collect.new_requests import NewRequests
from httptop.collect.redacted import SnapshotRedaction
from httptop.output.otlp.attributes import Methods, Resources
from httptop.output.otlp.batches import Shape
from httptop.output.otlp.metrics_sink import MetricsPush
from httptop.output.otlp.spans import Spans
from httptop.output.otlp.spans_sink import SpansPush, SpansSink
from tests.factory import request, snapshot_at
from tests.output.otlp.fakes import Traffic
from tests.output.otlp.receiving import receiver
from tests.patience import PATIENCE_S

#: Where scripts/receivers-setup puts it.
MODULES = Path(__file__).parents[2] / ".venv" / "otlp-reader" / "node_modules"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not MODULES.exists(),
    reason="there is no node, or no reader (scripts/receivers-setup)",
)


class Reader:
    """The receiver, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", Path(__file__).parent / "otlp_reader.js"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"NODE_PATH": str(MODULES), "PATH": "/usr/bin:/bin:/usr/local/bin"},
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def end(self) -> dict[str, list[Any]]:
        """End it; return what it has read, by path."""
        said, _ = self._process.communicate(timeout=PATIENCE_S)
        return dict(json.loads(said))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    yield reader
    reader.kill()


@pytest.mark.parametrize(
    ("bounds", "name"), [(None, "exponentialHistogram"), ((0.001, 0.002), "histogram")]
)
@pytest.mark.parametrize("increments", [False, True])
def test_metrics(
    reader: Reader, bounds: tuple[float, ...] | None, name: str, increments: bool
) -> None:
    traffic = Traffic(paths=5)
    shape = Shape(Resources("web-1"), bounds, most_points=4)
    to = receiver(f"{reader.url}/v1/metrics")
    push = MetricsPush(traffic.metrics, to, shape, increments=increments)
    for _ in range(2):
        traffic.some(1009)
        push.send(None, 0)
    push.close()
    points: dict[str, int] = {}
    for message in reader.end()["/v1/metrics"]:
        for resource in message["resourceMetrics"]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    if metric["name"] != "http.server.request.duration":
                        continue
                    data = metric[name]
                    wanted = "DELTA" if increments else "CUMULATIVE"
                    assert data["aggregationTemporality"] == f"AGGREGATION_TEMPORALITY_{wanted}"
                    for point in data["dataPoints"]:
                        buckets = point if bounds else point["positive"]
                        assert sum(buckets["bucketCounts"]) == point["count"]
                        which = json.dumps(point["attributes"])
                        before = points.get(which, 0) if increments else 0
                        points[which] = before + point["count"]
    assert sum(points.values()) == 2018


def test_spans(reader: Reader) -> None:
    new = NewRequests()
    spans = Spans(Resources("web-1"), Methods())
    to = receiver(f"{reader.url}/v1/traces")
    sink = SpansSink(SpansPush(to, spans, SnapshotRedaction("off")), new)
    sink.begin()
    for n in range(1000):
        head = (f"traceparent: 00-{TRACE}-{PARENT}-01",) if n == 7 else ()
        new.add(request(n, request_head=head))
    sink.see(snapshot_at(1))
    sink.end(snapshot_at(2))
    sink.finish(time.monotonic() + PATIENCE_S)
    read = [
        span
        for message in reader.end()["/v1/traces"]
        for resource in message["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert len(read) == 1000
    assert {span["kind"] for span in read} == {"SPAN_KIND_SERVER"}
    assert all(span["endTimeUnixNano"] > span["startTimeUnixNano"] for span in read)
    assert len({span["spanId"] for span in read}) == 1000
    assert len([span for span in read if span.get("parentSpanId")]) == 1
