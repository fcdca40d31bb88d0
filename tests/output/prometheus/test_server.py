"""The server on real sockets: scrapes of every kind, and those who mean it no good."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from httptop.collect.metrics import Metrics
from httptop.errors import UsageError
from httptop.model import Snapshot
from httptop.output.prometheus import scrapes, server
from httptop.output.prometheus.exporter import PrometheusExporter, listening
from httptop.output.prometheus.formats import Formats
from tests.factory import snapshot_at
from tests.output.prometheus.client_model import families
from tests.output.prometheus.readings import BOUNDS, BUSY, key, metrics, outcome, series
from tests.output.prometheus.test_request import NATIVE
from tests.output.prometheus.test_text import parsed

PATIENCE_S = 60.0
FORMATS = Formats(BOUNDS, native_histograms=True)
#: More than a connection's buffers hold.
LARGE = metrics(*(series(key(f"/{n:05}"), outcome(200, n)) for n in range(6000)))


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@contextlib.contextmanager
def serving(
    read: Callable[[float], Metrics | None] = lambda _: BUSY,
    *,
    formats: Formats = FORMATS,
    clock: Callable[[], float] = time.monotonic,
    listen: str = "127.0.0.1:0",
) -> Iterator[PrometheusExporter]:
    """Serve readings during a block."""
    exporter = PrometheusExporter(listen, read, formats, clock)
    exporter.begin()
    try:
        yield exporter
    finally:
        exporter.end(None)
        exporter.finish(time.monotonic() + PATIENCE_S)


def connected(exporter: PrometheusExporter) -> socket.socket:
    connection = socket.create_connection(exporter.address, PATIENCE_S)
    connection.settimeout(PATIENCE_S)
    return connection


def fetched(
    exporter: PrometheusExporter, path: str = "/metrics", method: str = "GET", **fields: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """Return a response and all of its body."""
    connection = http.client.HTTPConnection(*exporter.address[:2], timeout=PATIENCE_S)
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def rest_of(connection: socket.socket) -> bytes:
    """Return all that comes until the other end closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while some := connection.recv(65536):
            received += some
    return received


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is met, which another thread brings about."""
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.002)


def ticked(interval_s: float) -> Snapshot:
    return replace(snapshot_at(), interval_s=interval_s)


def test_a_scrape_as_text() -> None:
    with serving() as exporter:
        response, body = fetched(exporter)
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert response.headers["Connection"] == "close"
        assert body.decode() == "".join(scrapes_text())
        [stats] = exporter.sinks
        until(lambda: exporter.sinks[0].sent == 1)
        assert (stats.name, exporter.sinks[0].failed) == ("prometheus", 0)


def scrapes_text() -> Iterator[str]:
    from httptop.output.prometheus.text import text

    return text(BUSY, BOUNDS)


@pytest.mark.setting("prometheus.native")
def test_native_histograms_are_for_who_prefers_them_and_can_be_had_off() -> None:
    with serving() as exporter:
        response, body = fetched(exporter, Accept=NATIVE)
        assert response.headers["Content-Type"].startswith("application/vnd.google.protobuf;")
        assert {one.name for one in families(body)} >= {"http_server_request_duration_seconds"}
    with serving(formats=Formats(BOUNDS, native_histograms=False)) as exporter:
        response, body = fetched(exporter, Accept=NATIVE)
        assert response.headers["Content-Type"].startswith("text/plain;")


def test_a_scrape_compressed_is_the_same() -> None:
    with serving() as exporter:
        response, body = fetched(exporter, Accept_Encoding="gzip")
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(body).decode() == "".join(scrapes_text())


def test_http_1_0_has_no_chunks() -> None:
    with serving() as exporter, connected(exporter) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        head, _, body = rest_of(connection).partition(b"\r\n\r\n")
        assert b"Transfer-Encoding" not in head
        assert body.decode() == "".join(scrapes_text())


def test_head_has_the_header_section_and_reads_nothing() -> None:
    def read(_: float) -> Metrics | None:
        raise AssertionError("nobody asked for metrics")

    with serving(read) as exporter:
        response, body = fetched(exporter, method="HEAD", Accept=NATIVE)
        assert (response.status, body) == (200, b"")
        assert response.headers["Content-Type"].startswith("application/vnd.google.protobuf;")
        assert exporter.sinks[0].sent == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("HEAD", "/", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/metrics", 405),
        ("DELETE", "/healthz", 405),
    ],
)
def test_what_there_is_not(method: str, path: str, status: int) -> None:
    with serving() as exporter:
        response, body = fetched(exporter, path, method)
        assert response.status == status
        assert bool(body) == (method != "HEAD")
        assert (response.headers["Allow"] == "GET, HEAD") == (status == 405)


def test_health_is_that_the_ticks_go_on() -> None:
    clock = Clock()
    with serving(clock=clock) as exporter:
        assert fetched(exporter, "/healthz")[0].status == 503
        exporter.see(ticked(2.0))
        assert fetched(exporter, "/healthz")[1] == b"ok\n"
        clock.now_s += 5.9
        assert fetched(exporter, "/healthz")[0].status == 200
        clock.now_s += 0.2
        response, body = fetched(exporter, "/healthz")
        assert (response.status, body) == (
            503,
            b"the last tick was 6 s ago; one is due every 2 s\n",
        )
        exporter.see(replace(ticked(2.0), early=True))  # of the first rows, no tick
        assert fetched(exporter, "/healthz")[0].status == 503
        exporter.see(ticked(0.1))
        clock.now_s += 2.9
        assert fetched(exporter, "/healthz", "HEAD")[0].status == 200


def test_a_web_page_cannot_read_it_by_a_name_of_its_own() -> None:
    with serving() as exporter:
        assert fetched(exporter, Host="rebound.example:9742")[0].status == 421
        assert fetched(exporter, "/healthz", Host="rebound.example")[0].status == 421
        assert fetched(exporter, Host="localhost:9742")[0].status == 200
    with serving(listen="0.0.0.0:0") as exporter:  # there it may have any name
        exporter.address = ("127.0.0.1", exporter.address[1])
        assert fetched(exporter, Host="web-1.example:9742")[0].status == 200


def test_a_reading_that_cannot_be_had_is_said() -> None:
    asked: list[float] = []

    def read(patience_s: float) -> Metrics | None:
        asked.append(patience_s)
        return None

    with serving(read) as exporter:
        response, body = fetched(exporter, X_Prometheus_Scrape_Timeout_Seconds="4")
        assert response.status == 503
        assert b"took too long" in body
        assert 0 < asked[0] <= 3.2
        until(lambda: exporter.sinks[0].failed == 1)
        assert exporter.sinks[0].good  # once is no rule
        fetched(exporter)
        until(lambda: exporter.sinks[0].failed == 2)
        assert not exporter.sinks[0].good


def test_an_error_while_reading_ends_one_scrape() -> None:
    broken = [True]

    def read(_: float) -> Metrics:
        if broken.pop():
            raise ZeroDivisionError("of a test")
        return BUSY

    with serving(read) as exporter:
        with connected(exporter) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            assert rest_of(connection) == b""
        until(lambda: exporter.sinks[0].error == "ZeroDivisionError: of a test")
        broken.append(False)
        assert fetched(exporter)[0].status == 200


def test_a_hundred_at_once_have_their_answer() -> None:
    at_once, most, lock = [0], [0], threading.Lock()

    def read(_: float) -> Metrics:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.001)
        with lock:
            at_once[0] -= 1
        return BUSY

    fields = {"X_Prometheus_Scrape_Timeout_Seconds": "60"}
    with serving(read) as exporter, ThreadPoolExecutor(100) as pool:
        found = [*pool.map(lambda _: fetched(exporter, **fields), range(100))]
        assert {response.status for response, _ in found} == {200}
        assert len({body for _, body in found}) == 1
        assert most == [1]
        until(lambda: exporter.sinks[0].sent == 100)


def test_more_than_can_wait_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes, "MOST_WAITING", 2)
    reading, go_on = threading.Event(), threading.Event()

    def read(_: float) -> Metrics:
        reading.set()
        assert go_on.wait(PATIENCE_S)
        return BUSY

    with serving(read) as exporter, ThreadPoolExecutor(3) as pool:
        fields = {"X_Prometheus_Scrape_Timeout_Seconds": "60"}
        first = pool.submit(fetched, exporter, **fields)
        assert reading.wait(PATIENCE_S)
        waiting = [pool.submit(fetched, exporter, **fields) for _ in range(2)]
        until(lambda: exporter.sinks[0].waiting == 3)
        response, body = fetched(exporter)
        assert (response.status, b"too many" in body) == (503, True)
        assert fetched(exporter, "/healthz")[0].status == 503  # which waits for nobody
        go_on.set()
        assert {one.result()[0].status for one in (first, *waiting)} == {200}


def test_one_that_waited_too_long_is_told() -> None:
    clock = Clock()

    def read(_: float) -> Metrics:
        raise AssertionError("it is too late")

    exporter = PrometheusExporter("127.0.0.1:0", read, FORMATS, clock)
    exporter._server.begin()  # and not yet who answers scrapes
    with connected(exporter) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        until(lambda: exporter.sinks[0].waiting == 1)
        clock.now_s += 11
        exporter._scrapes.begin()
        assert b"others came first" in rest_of(connection)
    exporter.end(None)
    exporter.finish(clock.now_s + PATIENCE_S)


def test_a_reader_that_stands_still_is_cut_off_and_sees_it() -> None:
    with serving(lambda _: LARGE) as exporter:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE_S)
        with slow:
            slow.connect(exporter.address)
            slow.sendall(b"GET /metrics HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 1\r\n\r\n")
            until(lambda: exporter.sinks[0].failed == 1)
            assert "cut off" in exporter.sinks[0].error
            assert not rest_of(slow).endswith(b"0\r\n\r\n")
        assert fetched(exporter)[0].status == 200


def test_who_reads_slowly_has_less_time_while_others_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrapes, "TURN_S", 0.1)
    with serving(lambda _: LARGE) as exporter, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(PATIENCE_S)
        slow.connect(exporter.address)
        slow.sendall(b"GET /metrics HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 60\r\n\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 200 ")  # it has its turn
        response, body = fetched(exporter, X_Prometheus_Scrape_Timeout_Seconds="60")
        assert response.status == 200
        assert body.endswith(b"\n")
        assert exporter.sinks[0].failed == 1
        assert "cut off: it was read too slowly" in exporter.sinks[0].error


def test_one_that_goes_away_in_the_middle_holds_up_nobody() -> None:
    with serving(lambda _: LARGE) as exporter:
        with connected(exporter) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            connection.recv(100)
            reset = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        until(lambda: exporter.sinks[0].failed == 1)
        response, body = fetched(exporter, Accept=NATIVE)
        assert response.status == 200
        assert len(families(body)) > 3


def test_who_sends_slowly_holds_up_nobody_and_is_told_in_the_end() -> None:
    clock = Clock()
    with serving(clock=clock) as exporter:
        slow, silent = connected(exporter), connected(exporter)
        with slow, silent:
            slow.sendall(b"GET /metrics HT")
            until(lambda: len(exporter._server._connections) == 2)
            until(lambda: any(one.received for one in exporter._server._connections.values()))
            assert fetched(exporter)[0].status == 200
            clock.now_s += server.HEAD_S
            assert fetched(exporter, "/healthz")[0].status == 503  # which wakes the server
            assert rest_of(slow).startswith(b"HTTP/1.1 408 ")
            assert rest_of(silent) == b""


def test_the_oldest_without_a_request_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 8)
    with serving() as exporter, contextlib.ExitStack() as closing:
        crowd = [closing.enter_context(connected(exporter)) for _ in range(20)]
        assert fetched(exporter)[0].status == 200
        assert len(exporter._server._connections) <= 8
        assert rest_of(crowd[0]) == b""


def test_a_header_section_without_end_is_refused() -> None:
    with serving() as exporter, connected(exporter) as connection:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"A" * 1000)
        assert rest_of(connection)[:12] in (b"HTTP/1.1 431", b"")
        assert fetched(exporter)[0].status == 200


def test_bytes_that_come_one_by_one_are_a_request() -> None:
    with serving() as exporter, connected(exporter) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n":
            connection.send(bytes((byte,)))
        assert rest_of(connection).endswith(b"0\r\n\r\n")


def test_at_the_end_scrapes_under_way_have_their_answer() -> None:
    reading, go_on = threading.Event(), threading.Event()

    def read(_: float) -> Metrics:
        reading.set()
        assert go_on.wait(PATIENCE_S)
        return BUSY

    exporter = PrometheusExporter("127.0.0.1:0", read, FORMATS)
    exporter.begin()
    with connected(exporter) as first, connected(exporter) as second:
        first.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert reading.wait(PATIENCE_S)
        second.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        until(lambda: exporter.sinks[0].waiting == 2)
        exporter.end(None)
        with pytest.raises(OSError):  # noqa: PT011 - refused, or reset
            connected(exporter).sendall(b"x")
        assert exporter.sinks[0].state == "ended"
        go_on.set()
        exporter.finish(time.monotonic() + PATIENCE_S)
        for connection in (first, second):
            assert rest_of(connection).endswith(b"0\r\n\r\n")
    assert exporter.sinks[0].sent == 2


def test_the_end_waits_no_longer_than_it_may() -> None:
    go_on = threading.Event()

    def read(_: float) -> Metrics:
        assert go_on.wait(PATIENCE_S)
        return BUSY

    exporter = PrometheusExporter("127.0.0.1:0", read, FORMATS)
    exporter.begin()
    with connected(exporter) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        until(lambda: exporter.sinks[0].waiting == 1)
        exporter.end(None)
        exporter.finish(time.monotonic())
        assert rest_of(connection) == b""
    go_on.set()


def test_a_run_that_ends_before_it_begins_lets_the_port_go() -> None:
    exporter = PrometheusExporter("127.0.0.1:0", lambda _: BUSY, FORMATS)
    exporter.end(None)
    exporter.finish(time.monotonic())
    listening("{}:{}".format(*exporter.address)).close()


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port} .*: address already in use"):
            listening(f"127.0.0.1:{port}")
    with pytest.raises(UsageError, match="cannot assign requested address"):
        listening("192.0.2.1:9742")


def test_it_listens_on_ipv6_and_on_every_address() -> None:
    with listening("[::1]:0") as one:
        assert one.getsockname()[0] == "::1"
        assert server.is_loopback(one)
    with listening("[::]:0") as every:
        assert not server.is_loopback(every)
        socket.create_connection(("127.0.0.1", every.getsockname()[1]), PATIENCE_S).close()


def test_the_text_that_was_served_is_whole() -> None:
    with serving(lambda _: LARGE) as exporter:
        _, body = fetched(exporter, Accept_Encoding="gzip")
    assert gzip.decompress(body).count(b'le="+Inf"') == len(list(LARGE.series))
    assert parsed(BUSY)
