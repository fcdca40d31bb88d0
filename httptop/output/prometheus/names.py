"""What metrics and labels are called: OpenTelemetry's conventions for HTTP, where they have a word.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ with Prometheus' spelling: dots are
underscores, units are at the end. Labels without a value are left out, which is the same to
Prometheus. They differ wherever endpoints do, so no two series have the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final, Literal

from httptop import __version__
from httptop.collect.metrics import Metrics
from httptop.model import (
    STATUS_UNKNOWN,
    EndpointKey,
    Health,
    Side,
    SinkStats,
    class_of,
    status_name,
)

Pair = tuple[str, str]
Labels = tuple[Pair, ...]
Sample = tuple[Labels, float]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name, what kind it is of, and a sentence on it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str


_INFERRED: Final = "the route is inferred from paths"
DURATION: Final[dict[Side, Family]] = {
    "server": Family(
        "http_server_request_duration_seconds",
        "histogram",
        "Responses served, by the time from a request's first byte being read to the first byte "
        f"of its final response; {_INFERRED}.",
    ),
    "client": Family(
        "http_client_request_duration_seconds",
        "histogram",
        "Responses received, by the time from a request's first byte being written to the first "
        "byte of its final response; the template is inferred from paths.",
    ),
}
ACTIVE: Final[dict[Side, Family]] = {
    "server": Family(
        "http_server_active_requests", "gauge", "Requests read whose response has not begun."
    ),
    "client": Family(
        "http_client_active_requests", "gauge", "Requests written whose response has not begun."
    ),
}
UNANSWERED: Final = Family(
    "httptop_requests_unanswered_total",
    "counter",
    "Requests whose connection ended before a response.",
)
REQUEST_BYTES: Final = Family(
    "httptop_request_bytes_total", "counter", "Bytes of requests, header sections included."
)
RESPONSE_BYTES: Final = Family(
    "httptop_response_bytes_total", "counter", "Bytes of responses, header sections included."
)

#: The label that has the path, by side: OpenTelemetry's word for a server's is that of frameworks.
ROUTE: Final[dict[Side, str]] = {"server": "http_route", "client": "url_template"}


def route_of(key: EndpointKey) -> Pair:
    """Return the label that has an endpoint's path."""
    return ROUTE[key.side], key.path


def labels_of(key: EndpointKey) -> Labels:
    """Return an endpoint's other labels, of which many endpoints have the same."""
    return _labels(key.process, key.protocol, key.tls, key.method, key.user, key.port)


@lru_cache(1024)
def _labels(process: str, protocol: str, tls: bool, method: str, user: str, port: int) -> Labels:
    return _named(
        ("http_request_method", "_OTHER" if method == "OTHER" else method),
        ("url_scheme", "https" if tls else "http"),
        ("network_protocol_version", protocol.removeprefix("HTTP/")),
        ("server_port", str(port) if port else ""),
        ("process_executable_name", process),
        ("process_owner", user),
        ("service_name", process),
    )


def active_labels_of(key: EndpointKey) -> Labels:
    """Return what requests in flight are told apart by: not by their paths or versions."""
    return _labels(key.process, "", key.tls, key.method, key.user, key.port)


@lru_cache(2048)
def outcome_labels(side: Side, status: int) -> Labels:
    """Return the labels of an outcome; an error is what OpenTelemetry takes for one.

    That is a status of 500 or more, of a client one of 400 or more; and one that is not known.
    """
    if status == STATUS_UNKNOWN:
        return (("error_type", "unknown"),)
    name = status_name(status)
    error = name if class_of(status) >= (5 if side == "server" else 4) else ""
    return _named(("http_response_status_code", name), ("error_type", error))


def side_label(side: Side) -> Pair:
    """Return the label of metrics of httptop's own that both sides have."""
    return "side", side


def _named(*pairs: Pair) -> Labels:
    return tuple((name, value) for name, value in pairs if value)


# ---- what httptop says of itself -----------------------------------------------------------------

_HEALTH: Final = {
    "orphan_responses": "Responses to requests that were under way at the start.",
    "lost_samples": "Samples that did not fit into the ring buffer.",
    "lost_pieces": "Pieces of calls that did not fit.",
    "overflow_requests": "Requests counted under ~other, for want of room.",
    "parse_errors": "Malformed header sections on connections known to be HTTP.",
    "late_ticks": "Ticks that began late by more than half an interval.",
    "missed_calls": "System calls that the kernel did not report.",
    "overfull_pipelines": "Requests without a place behind others; their outcome is unknown.",
    "discarded_requests": "Requests behind a response that closes the connection; not counted.",
}
assert list(_HEALTH) == [field.name for field in fields(Health)]

_BUILD: Final = Family("httptop_build_info", "gauge", "The version, and the host that it sees.")
_STARTED: Final = Family(
    "httptop_start_time_seconds", "gauge", "When httptop began to count, Unix time."
)
_FOLDED: Final = Family(
    "httptop_series_folded_total",
    "counter",
    "Series beyond metrics.max_series, counted under ~other of their process and side.",
)
_ENDED: Final = Family(
    "httptop_series_ended_total", "counter", "Series of endpoints that httptop has forgotten."
)
_ENDED_REQUESTS: Final = Family(
    "httptop_ended_requests_total", "counter", "Requests that ended series had counted."
)
_UNMEASURED: Final = Family(
    "httptop_unmeasured_total",
    "counter",
    "Responses whose latency is not known; they are in the bucket +Inf, and in no sum.",
)
_TABLES: Final = Family(
    "httptop_table_used_ratio", "gauge", "Which part of a table in the kernel is taken."
)
_SHED: Final = Family("httptop_shed", "gauge", "1: detail left out to limit httptop's own cost.")


def own_samples(metrics: Metrics) -> Iterator[tuple[Family, list[Sample]]]:
    """Yield what httptop says of itself, as far as it is known."""
    yield _BUILD, [(_named(("version", __version__), ("host_name", metrics.host)), 1)]
    yield _STARTED, [((), metrics.began_at)]
    yield _FOLDED, [((), metrics.folded)]
    yield _ENDED, [((), metrics.ended)]
    if metrics.ended_requests is not None:
        yield (
            _ENDED_REQUESTS,
            [((side_label(side),), n) for side, n in metrics.ended_requests.items()],
        )
    yield _UNMEASURED, [((), metrics.unmeasured)]
    for name, text in _HEALTH.items():
        yield (
            Family(f"httptop_{name}_total", "counter", text),
            [((), getattr(metrics.health, name))],
        )
    for family, value in _cost(metrics):
        if value is not None:
            yield family, [((), value)]
    overhead = metrics.overhead
    if overhead.tables:
        yield _TABLES, [((("table", name),), part) for name, part in overhead.tables.items()]
    if overhead.shed:
        yield _SHED, [((("detail", name),), 1) for name in overhead.shed]
    if metrics.sinks:
        yield from _sinks(metrics.sinks)


def _cost(metrics: Metrics) -> Iterable[tuple[Family, float | None]]:
    cost = metrics.overhead

    def of(value: float | None, factor: float) -> float | None:
        return None if value is None else value * factor

    return (
        (
            Family("httptop_cpu_ratio", "gauge", "CPU of httptop's processes; 1: one core."),
            of(cost.cpu_percent, 0.01),
        ),
        (Family("httptop_rss_bytes", "gauge", "Memory of httptop's processes."), cost.rss_bytes),
        (Family("httptop_open_fds", "gauge", "Descriptors that are open."), cost.open_fds),
        (
            Family("httptop_context_switches", "gauge", "Context switches of its processes."),
            cost.context_switches,
        ),
        (
            Family("httptop_bpf_cpu_ratio", "gauge", "CPU of the programs in the kernel."),
            of(cost.bpf_cpu_percent, 0.01),
        ),
        (
            Family(
                "httptop_bpf_call_seconds", "gauge", "Time of a run of a program in the kernel."
            ),
            of(cost.bpf_ns_per_call, 1e-9),
        ),
        (
            Family("httptop_bpf_calls", "gauge", "Runs of these programs that were timed."),
            cost.bpf_calls,
        ),
        (
            Family("httptop_samples_per_second", "gauge", "Sampled requests a second."),
            cost.samples_per_s,
        ),
        (
            Family("httptop_window_bytes", "gauge", "Memory of the window's log."),
            cost.window_bytes,
        ),
    )


def _sinks(sinks: Iterable[SinkStats]) -> Iterator[tuple[Family, list[Sample]]]:
    def of(name: str, kind: Literal["counter", "gauge"], text: str) -> Family:
        return Family(f"httptop_sink_{name}", kind, text)

    figures = (
        (of("working", "gauge", "1: it works, 0: it fails or has ended."), "state"),
        (of("sent_total", "counter", "What was sent."), "sent"),
        (of("waiting", "gauge", "What waits to be sent."), "waiting"),
        (of("dropped_total", "counter", "What never will be sent."), "dropped"),
        (of("failed_total", "counter", "Attempts that failed."), "failed"),
        (of("reconnects_total", "counter", "How often it worked again."), "reconnects"),
    )
    for family, name in figures:
        yield (
            family,
            [
                (
                    (("sink", sink.name),),
                    sink.state == "working" if name == "state" else getattr(sink, name),
                )
                for sink in sinks
            ],
        )
