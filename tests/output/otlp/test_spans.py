"""Sampled requests as spans."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from httptop.collect.containers import Containers
from httptop.collect.new_requests import NewRequests
from httptop.collect.redacted import SnapshotRedaction
from httptop.http.redaction import Level
from httptop.model import STATUS_UNKNOWN, SinkStats, Transaction
from httptop.output.back_off import BackOff
from httptop.output.otlp.attributes import Methods, Resources
from httptop.output.otlp.spans import Spans
from httptop.output.otlp.spans_sink import SpansPush, SpansSink
from httptop.output.otlp.trace_context import traced
from tests.factory import key, request, snapshot_at
from tests.output.otlp.fakes import texts
from tests.output.otlp.receiving import PROTOBUF, Receiving, receiver
from tests.patience import PATIENCE_S

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CLIENT = key("/u/{id}", "GET", "curl", "client")


def spans_of(*requests: Transaction, container: str = "") -> list[tuple[dict[str, str], Span]]:
    """Return the attributes of resources, and their spans."""
    numbers = count(1)
    spans = Spans(
        Resources("web-1"),
        Methods(),
        Containers(lambda pid: container),  # noqa: ARG005
        lambda size: next(numbers).to_bytes(size, "big"),
    )
    message = spans.request_of(traced(requests))
    return [
        (dict(texts(resource.resource.attributes)), span)
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def the_span(sampled: Transaction) -> tuple[Span, dict[str, str]]:
    ((_, span),) = spans_of(sampled)
    return span, dict(texts(span.attributes))


def test_a_request_that_was_served() -> None:
    head = ("Host: shop.example:8080", "User-Agent: curl/8.1")
    sampled = request(
        1, key("/u/{id}", tls=True), path="/u/42?q=***", request_head=head, latency_ns=1_500_001
    )
    span, attributes = the_span(sampled)
    assert span.name == "GET /u/{id}"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.start_time_unix_nano == (1_700_000_001) * 10**9
    assert span.end_time_unix_nano == span.start_time_unix_nano + 1_500_001
    assert (span.trace_id, span.span_id) == ((1).to_bytes(16, "big"), (2).to_bytes(8, "big"))
    assert not span.parent_span_id
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert attributes == {
        "client.address": "10.1.2.3",
        "http.request.method": "GET",
        "http.response.status_code": "200",
        "http.route": "/u/{id}",
        "network.peer.address": "10.1.2.3",
        "network.peer.port": "4567",
        "network.protocol.version": "1.1",
        "server.address": "shop.example",
        "server.port": "8080",
        "span.metrics.skip": "True",
        "url.path": "/u/42",
        "url.query": "q=***",
        "url.scheme": "https",
        "user_agent.original": "curl/8.1",
    }


@pytest.mark.parametrize(
    ("head", "url", "address", "port"),
    [
        (("Host: shop.example",), "http://shop.example/u/42?a=1", "shop.example", "80"),
        (("Host: shop.example:81",), "http://shop.example:81/u/42?a=1", "shop.example", "81"),
        (("Host: [::1]:81",), "http://[::1]:81/u/42?a=1", "::1", "81"),
        (("Host: ***",), "http://[2001:db8::1]:8080/u/42?a=1", "2001:db8::1", "8080"),
        ((), "http://[2001:db8::1]:8080/u/42?a=1", "2001:db8::1", "8080"),
    ],
)
def test_a_request_that_was_sent(head: tuple[str, ...], url: str, address: str, port: str) -> None:
    peer = "[2001:db8::1]:8080"
    span, attributes = the_span(request(1, CLIENT, path="/u/42?a=1", request_head=head, peer=peer))
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert attributes["url.full"] == url
    assert (attributes["server.address"], attributes["server.port"]) == (address, port)
    assert attributes["url.template"] == "/u/{id}"
    assert not attributes.keys() & {"http.route", "url.path", "client.address"}


@pytest.mark.parametrize("peer", [None, "unix"])
def test_a_request_whose_peer_has_no_address(peer: str | None) -> None:
    for name in (key(), CLIENT):
        _, attributes = the_span(request(1, name, peer=peer))
        assert not {a for a in attributes if a.startswith(("network.peer", "client", "server"))}


@pytest.mark.parametrize(
    ("status", "of_server", "of_client", "error"),
    [
        (200, False, False, None),
        (404, False, True, "404"),
        (503, True, True, "503"),
        (STATUS_UNKNOWN, False, True, "unanswered"),
    ],
)
def test_what_is_an_error(status: int, of_server: bool, of_client: bool, error: str | None) -> None:
    for name, failed in ((key(), of_server), (CLIENT, of_client)):
        span, attributes = the_span(request(1, name, status=status))
        code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET
        assert span.status.code == code
        told = error if failed or status == STATUS_UNKNOWN else None
        assert attributes.get("error.type") == told
        code_text = None if status == STATUS_UNKNOWN else str(status)
        assert attributes.get("http.response.status_code") == code_text


def test_a_request_within_a_trace() -> None:
    span, _ = the_span(request(1, request_head=(f"traceparent: 00-{TRACE}-{PARENT}-01",)))
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.span_id == (1).to_bytes(8, "big")
    assert span.flags & 0xFF == 1


def test_whose_spans_they_are() -> None:
    other = request(2, key(process="caddy", user="web"), pid=0)
    found = spans_of(request(1), other, request(3), container="abc")
    assert [whose["service.name"] for whose, _ in found] == ["nginx", "nginx", "caddy"]
    assert [whose.get("container.id") for whose, _ in found] == ["abc", "abc", None]
    assert found[2][0]["service.instance.id"] == "web-1:caddy:web"
    assert len({span.span_id for _, span in found}) == 3


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    with Receiving() as receiving:
        yield receiving


class Pushing:
    """A sink that pushes what it is given, a tick each time."""

    def __init__(self, url: str, level: Level = "off") -> None:
        spans = Spans(Resources("web-1"), Methods())
        push = SpansPush(receiver(f"{url}/v1/traces"), spans, SnapshotRedaction(level))
        self.new = NewRequests()
        quick = BackOff(lambda: 0.0, least_s=0.001, most_s=0.002)
        self.sink = SpansSink(push, self.new, back_off=quick)
        self.sink.begin()

    def see(self, *requests: Transaction) -> None:
        for one in requests:
            self.new.add(one)
        self.sink.see(snapshot_at(1))

    def finish(self) -> SinkStats:
        self.sink.end(snapshot_at(2))
        self.sink.finish(time.monotonic() + PATIENCE_S)
        return self.sink.sinks[0]


def spans_at(receiving: Receiving) -> list[Span]:
    return [
        span
        for path, message in receiving.got
        if path == "/v1/traces"
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_each_request_arrives_once(receiving: Receiving) -> None:
    pushing = Pushing(receiving.url)
    for first in range(0, 2600, 1300):
        pushing.see(*(request(n) for n in range(first, first + 1300)))
    pushing.see()
    pushing.new.add(request(2600))
    stats = pushing.finish()
    paths = [dict(texts(span.attributes))["url.path"] for span in spans_at(receiving)]
    assert paths == [f"/users/{n}" for n in range(2601)]
    assert (stats.name, stats.unit, stats.sent, stats.dropped) == (
        "otlp push of spans",
        "span",
        2601,
        0,
    )


def test_what_there_was_no_room_for_is_dropped(receiving: Receiving) -> None:
    pushing = Pushing(receiving.url)
    pushing.new.left_out = 3
    pushing.see(request(1))
    stats = pushing.finish()
    assert (stats.sent, stats.dropped) == (1, 3)


def test_what_is_masked_in_captures_is_masked_in_spans(receiving: Receiving) -> None:
    pushing = Pushing(receiving.url, "strict")
    head = ("Host: shop.example", f"traceparent: 00-{TRACE}-{PARENT}-01", "User-Agent: a")
    pushing.see(request(7, path="/users/7?token=1", request_head=head))
    pushing.finish()
    (span,) = spans_at(receiving)
    attributes = dict(texts(span.attributes))
    assert (attributes["url.path"], attributes["url.query"]) == ("/users/{id}", "***")
    assert attributes["user_agent.original"] == "***"
    assert span.trace_id.hex() == TRACE


def test_what_failed_comes_again_with_the_same_ids(receiving: Receiving) -> None:
    seen: list[Any] = []
    receiving.seen = seen.append
    receiving.answers += [(503, b"", {}), (0, b"", {})]
    pushing = Pushing(receiving.url)
    pushing.see(request(1))
    receiving.wait_for(lambda: len(receiving.got) == 1)
    stats = pushing.finish()
    assert len(seen) >= 3
    assert all(message == seen[0] for message in seen)
    assert len(spans_at(receiving)) == 1
    assert stats.reconnects == 1


def test_what_is_refused_is_dropped_and_told(receiving: Receiving) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=2, error_message="too long")
    content = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    receiving.answers += [(200, content, PROTOBUF), (404, b"", {})]
    pushing = Pushing(receiving.url)
    told: list[str] = []
    for first in (0, 5, 10):
        pushing.see(*(request(n) for n in range(first, first + 5)))
        while pushing.sink.sinks[0].waiting:
            time.sleep(0.001)
        told.append(pushing.sink.sinks[0].error)
    stats = pushing.finish()
    assert (stats.sent, stats.dropped) == (8, 7)
    assert told[0] == "2 spans were refused: too long"
    assert "7 spans" in pushing.sink.trouble
    assert "otlp.spans = false" in stats.error
