"""A made-up fleet, and a Prometheus server that answers what is asked of it, as 2.42 writes it."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from httptop.fleet import names
from httptop.fleet.problems import Refused
from httptop.fleet.queries import MOST_LATENCIES, Queries
from httptop.fleet.results import Element, elements
from httptop.model import SIDES, STATUS_UNKNOWN, EndpointKey, Side
from httptop.output.prometheus.names import labels_of, outcome_labels, route_of

NOW: Final = 1_767_268_800.0
BOUNDS: Final = (0.001, 0.005, 0.01, 0.1, 1.0)

Vector = list[dict[str, Any]]


def key(
    host: str,
    path: str = "/",
    side: Side = "server",
    process: str = "nginx",
    method: str = "GET",
) -> EndpointKey:
    """Return the key of an endpoint of a host."""
    return EndpointKey(side, process, "HTTP/1.1", False, method, path, "www", 80, host)


@dataclass(frozen=True)
class Row:
    """What a host exports of an endpoint."""

    key: EndpointKey
    counts: Mapping[int, int]
    rates: Mapping[int, float] = field(default_factory=dict)
    unanswered: int = 0
    unanswered_rate: float = 0.0
    request_bytes: int = 0
    response_bytes: int = 0
    in_flight: int = 0
    #: How many a second are in each bucket of BOUNDS, and beyond.
    buckets: Sequence[float] = ()
    seconds: float = 0.0  # that they add up to


@dataclass
class Fleet:
    """What the server knows, which a test changes."""

    rows: list[Row] = field(default_factory=list)
    hosts: dict[str, float] = field(default_factory=dict)  # that are up: when they were heard
    before: dict[str, float] = field(default_factory=dict)  # that were up in the last hour
    own: dict[str, dict[str, float]] = field(default_factory=dict)
    scrape_s: float = 15.0
    native: bool = False
    knows_native: bool = True
    now: float = NOW
    host_label: str = "instance"

    def answer(self, expression: str) -> tuple[str, Vector]:
        """Return the type and the elements of a result; raise :class:`Refused`."""
        if "histogram_count" in expression and not self.knows_native:
            raise Refused("it answers 400: unknown function with name histogram_count")
        if expression == "vector(time())":
            return "vector", [_element({}, self.now, self.now)]
        window = re.search(r"\[(\d+)s\]", expression)
        for native in (False, True):
            queries = Queries(self.host_label, int(window[1]) if window else 0, native)
            found = self._answers(queries, expression)
            if found is not None:
                return found
        raise Refused(f"it answers 400: the test's server does not know {expression}")

    def _answers(self, queries: Queries, expression: str) -> tuple[str, Vector] | None:
        for name, make in self._of_all(queries):
            if name == expression:
                return "vector", make()
        match = re.fullmatch(
            re.escape(queries.scrapes(1)).replace(r"\[1s\]", r"\[(\d+)s\]"), expression
        )
        if match is not None:
            return "matrix", self._scrapes(int(match[1]))
        return None

    def _of_all(self, queries: Queries) -> Iterator[tuple[str, Callable[[], Vector]]]:
        yield queries.hosts, partial(self._times, self.hosts)
        yield queries.hosts_before(3600), partial(self._times, self.before | self.hosts)
        yield queries.own, self._own
        for side in SIDES:
            yield from self._of_side(queries, side)

    def _of_side(self, queries: Queries, side: Side) -> Iterator[tuple[str, Callable[[], Vector]]]:
        every = [row for row in self.rows if row.key.side == side and row.key.host in self.hosts]
        yield queries.endpoints(side), lambda: [_element({}, self.now, len(every))] * bool(every)
        yield queries.active_by_host(side), partial(self._sums, every, "in_flight")
        yield queries.active(side), partial(self._active, every)
        yield queries.counts_by_host(side), partial(self._by_host, every, "counts")
        yield queries.rates_by_host(side), partial(self._by_host, every, "rates")
        yield queries.classic_of_all(side), partial(self._all_buckets, every)
        yield queries.classic_sum_of_all(side), partial(self._all_seconds, every)
        yield queries.native_of_all(side), list
        for most in (None, MOST_LATENCIES, *range(1, 30)):
            rows = every if most is None else self._busiest(every, most)
            yield queries.counts(side, most), partial(self._outcomes, rows, "counts")
            yield queries.rates(side, most), partial(self._outcomes, rows, "rates")
            for name, attribute in (
                (names.UNANSWERED, "unanswered"),
                (names.REQUEST_BYTES, "request_bytes"),
                (names.RESPONSE_BYTES, "response_bytes"),
            ):
                yield (
                    queries.counter(name, side, most),
                    partial(self._figures, rows, attribute),
                )
                yield (
                    queries.counter_by_host(name, side),
                    partial(self._sums, every, attribute),
                )
            yield (
                queries.unanswered_rates(side, most),
                partial(self._figures, rows, "unanswered_rate"),
            )
            yield (
                queries.unanswered_rates_by_host(side),
                partial(self._sums, every, "unanswered_rate"),
            )
            yield queries.classic(side, most), partial(self._classic, rows)
            yield queries.classic_sums(side, most), partial(self._seconds, rows)
            yield queries.native_histograms(side, most), partial(self._native, rows)

    def _labels(self, of: EndpointKey, status: int | None = None) -> dict[str, str]:
        """Return the labels that the exporter gives an endpoint, as far as they are asked for."""
        found = dict([route_of(of), *labels_of(of)])
        del found["service_name"]
        found[self.host_label] = of.host
        return found | ({} if status is None else _status(status))

    def _busiest(self, rows: list[Row], most: int) -> list[Row]:
        return sorted(rows, key=lambda row: -sum(row.rates.values()))[:most]

    def _times(self, hosts: Mapping[str, float]) -> Vector:
        return [_element({self.host_label: host}, self.now, at) for host, at in hosts.items()]

    def _scrapes(self, seconds: int) -> Vector:
        found = []
        for host in self.hosts:
            times = [
                self.now - self.scrape_s * n for n in range(int(seconds // self.scrape_s), -1, -1)
            ]
            found.append({"metric": {self.host_label: host}, "values": [[at, "1"] for at in times]})
        return found

    def _own(self) -> Vector:
        found = []
        for host in self.hosts:
            labels = {"__name__": names.BUILD, self.host_label: host, "version": "0.1.0"}
            found.append(_element(labels, self.now, 1))
            for name, value in self.own.get(host, {}).items():
                found.append(_element({"__name__": name, self.host_label: host}, self.now, value))
        return found

    def _outcomes(self, rows: list[Row], attribute: str) -> Vector:
        return [
            _element(self._labels(row.key, status), self.now, value)
            for row in rows
            for status, value in getattr(row, attribute).items()
        ]

    def _figures(self, rows: list[Row], attribute: str) -> Vector:
        found = ((row, getattr(row, attribute)) for row in rows)
        return [_element(self._labels(row.key), self.now, value) for row, value in found if value]

    def _sums(self, rows: list[Row], attribute: str) -> Vector:
        by_host: dict[str, float] = {}
        for row in rows:
            by_host[row.key.host] = by_host.get(row.key.host, 0) + getattr(row, attribute)
        return [_element({self.host_label: host}, self.now, n) for host, n in by_host.items() if n]

    def _by_host(self, rows: list[Row], attribute: str) -> Vector:
        found: dict[tuple[str, int], float] = {}
        for row in rows:
            for status, value in getattr(row, attribute).items():
                found[row.key.host, status] = found.get((row.key.host, status), 0) + value
        return [
            _element({self.host_label: host} | _status(status), self.now, value)
            for (host, status), value in found.items()
        ]

    def _active(self, rows: list[Row]) -> Vector:
        return [
            _element(
                {
                    name: value
                    for name, value in self._labels(row.key).items()
                    if name in (*names.ENDPOINT, self.host_label) and name != names.VERSION
                },
                self.now,
                row.in_flight,
            )
            for row in rows
        ]

    def _classic(self, rows: list[Row]) -> Vector:
        if self.native:
            return []
        return [
            _element(self._labels(row.key) | {"le": bound}, self.now, value)
            for row in rows
            for bound, value in _cumulative(row)
        ]

    def _seconds(self, rows: list[Row]) -> Vector:
        if self.native:
            return []
        return [
            _element(self._labels(row.key), self.now, row.seconds) for row in rows if row.buckets
        ]

    def _all_buckets(self, rows: list[Row]) -> Vector:
        found: dict[str, float] = {}
        for row in rows:
            for bound, value in _cumulative(row):
                found[bound] = found.get(bound, 0.0) + value
        return [_element({"le": bound}, self.now, value) for bound, value in found.items()]

    def _all_seconds(self, rows: list[Row]) -> Vector:
        return [_element({}, self.now, sum(row.seconds for row in rows))]

    def _native(self, rows: list[Row]) -> Vector:
        if not self.native:
            return []
        return [
            {
                "metric": _sorted(self._labels(row.key)),
                "histogram": [
                    self.now,
                    {
                        "count": str(sum(row.buckets)),
                        "sum": str(row.seconds),
                        "buckets": [
                            [0, str(bound * 0.98), str(bound), str(n)]
                            for bound, n in zip(BOUNDS, row.buckets, strict=False)
                        ],
                    },
                ],
            }
            for row in rows
        ]


def _cumulative(row: Row) -> Iterator[tuple[str, float]]:
    up_to = 0.0
    for at, n in enumerate(row.buckets):
        up_to += n
        yield (str(BOUNDS[at]) if at < len(BOUNDS) else "+Inf"), up_to


def _status(status: int) -> dict[str, str]:
    labels = dict(outcome_labels("server", status))
    labels.pop("error_type", None)
    assert labels or status == STATUS_UNKNOWN
    return labels


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))


def _element(labels: Mapping[str, str], at: float, value: float) -> dict[str, Any]:
    return {"metric": _sorted(labels), "value": [at, str(value)]}


def response(kind: str, result: Vector, **more: object) -> bytes:
    """Return the body of a response."""
    document = {"status": "success", "data": {"resultType": kind, "result": result}} | more
    return json.dumps(document, separators=(",", ":")).encode()


class FakeClient:
    """Asks a made-up fleet without a connection."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.asked: list[tuple[str, float | None]] = []
        #: Raised by queries that it returns an error of.
        self.fails: Callable[[str], Exception | None] = lambda _: None

    @contextlib.contextmanager
    def within(self, limit_s: float) -> Iterator[None]:
        assert limit_s > 0
        yield

    def query(self, expression: str, at: float | None) -> Iterator[Element]:
        self.asked.append((expression, at))
        if (error := self.fails(expression)) is not None:
            raise error
        body = response(*self.fleet.answer(expression))
        yield from elements(body[at : at + 1000] for at in range(0, len(body), 1000))

    def abort(self) -> None:
        pass


class Server:
    """A server of a made-up fleet; ``answers`` may be replaced by something worse."""

    def __init__(self, fleet: Fleet, certificate: Path | None = None) -> None:
        """``certificate``: with its key, where it is to speak TLS."""
        self.fleet = fleet
        self._scheme = "http" if certificate is None else "https"
        self.requests: list[tuple[dict[str, str], dict[str, list[str]]]] = []
        self.answers: Callable[[BaseHTTPRequestHandler, str], None] = self.answer
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fields = parse_qs(body)
                server.requests.append(({"path": self.path, **self.headers}, fields))
                server.answers(self, fields["query"][0])

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass  # a client that has given up

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._http.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler, expression: str) -> None:
        try:
            body = response(*self.fleet.answer(expression))
            self.send(handler, 200, body)
        except Refused as error:
            said = {"status": "error", "errorType": "bad_data", "error": str(error)}
            self.send(handler, 400, json.dumps(said).encode())

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        handler.send_response(status)
        if "gzip" in handler.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def small() -> Fleet:
    """Return three hosts, of which one is down."""
    rows = [
        Row(
            key("web-1:9742", "/users/{id}"),
            {200: 1000, 404: 10},
            {200: 10.0, 404: 0.1},
            request_bytes=5000,
            response_bytes=70000,
            in_flight=2,
            buckets=(4.0, 4.0, 2.0, 0.1, 0.0, 0.0),
            seconds=0.03,
        ),
        Row(
            key("web-1:9742", "/slow", method="POST"),
            {200: 5, 503: 5},
            {503: 0.5},
            unanswered=2,
            unanswered_rate=0.1,
            buckets=(0.0, 0.0, 0.0, 0.0, 0.5, 0.0),
            seconds=0.4,
        ),
        Row(
            key("web-2:9742", "/users/{id}"),
            {200: 2000, STATUS_UNKNOWN: 1},
            {200: 20.0},
            in_flight=1,
            buckets=(20.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            seconds=0.01,
        ),
        Row(key("web-2:9742", "/api", "client", "python3"), {200: 40, 5: 2}, {200: 1.0}),
    ]
    hosts = {"web-1:9742": NOW - 3, "web-2:9742": NOW - 7}
    own = {
        "web-1:9742": {"httptop_lost_samples_total": 7.0, "httptop_cpu_ratio": 0.012},
        "web-2:9742": {"httptop_lost_samples_total": 1.0, "httptop_rss_bytes": 50e6},
    }
    return Fleet(rows, hosts, {"db-1:9742": NOW - 600}, own)


def grown(row: Row, n: int) -> Row:
    """Return a row after more requests."""
    return replace(row, counts={status: count + n for status, count in row.counts.items()})
