"""What httptop says of itself: what it missed, what it costs, what became of its outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from httptop.collect.metrics import Metrics
from httptop.output.otlp.attributes import Value
from httptop.output.otlp.instruments import Instrument, Kind

_HEALTH: Final = {
    "orphan_responses": ("{response}", "Responses to requests under way when httptop started."),
    "lost_samples": ("{sample}", "Samples that did not fit into the ring buffer."),
    "lost_pieces": ("{piece}", "Pieces of calls that did not fit."),
    "overflow_requests": ("{request}", "Requests that count under ~other for want of room."),
    "parse_errors": ("{message}", "Malformed header sections on HTTP connections."),
    "late_ticks": ("{tick}", "Ticks that began late."),
    "missed_calls": ("{call}", "Calls that the kernel did not report."),
    "overfull_pipelines": ("{request}", "Requests without a place behind others."),
    "discarded_requests": ("{request}", "Requests behind a response that ends the connection."),
}
#: By field: name, unit, what it is, and the factor to the unit.
_COST: Final[dict[str, tuple[str, str, str, float]]] = {
    "cpu_percent": ("cpu", "1", "CPU of httptop's processes; 1 is one core.", 0.01),
    "rss_bytes": ("rss", "By", "Memory of httptop's processes.", 1),
    "open_fds": ("open_fds", "{file}", "Descriptors that are open.", 1),
    "context_switches": ("context_switches", "{switch}", "Switches of httptop's processes.", 1),
    "bpf_cpu_percent": ("bpf_cpu", "1", "CPU of the programs in the kernel; 1 is one core.", 0.01),
    "bpf_ns_per_call": ("bpf_call", "s", "Time of a run of a program in the kernel.", 1e-9),
    "bpf_calls": ("bpf_calls", "{call}", "Runs of these programs that were timed.", 1),
    "samples_per_s": ("samples", "{sample}/s", "Sampled requests.", 1),
    "window_bytes": ("window", "By", "Memory of the window's log.", 1),
}
_UNMEASURED: Final = Instrument(
    "httptop.unmeasured",
    "{response}",
    "Responses that are in no histogram, as their latency is not known.",
    "counter",
)
_FOLDED: Final = Instrument(
    "httptop.series.folded",
    "{series}",
    "Series beyond metrics.max_series, which count under ~other.",
    "counter",
)
_ENDED: Final = Instrument(
    "httptop.series.ended", "{series}", "Series of endpoints that httptop has forgotten.", "counter"
)
_ENDED_REQUESTS: Final = Instrument(
    "httptop.ended_requests", "{request}", "Requests that ended series had counted.", "counter"
)
_TABLE: Final = Instrument(
    "httptop.table.used", "1", "Part of a table in the kernel that is taken.", "gauge"
)
_SINK: Final[dict[str, tuple[str, Kind]]] = {
    "sent": ("What an output has sent.", "counter"),
    "waiting": ("What waits to be sent.", "gauge"),
    "dropped": ("What an output never will send.", "counter"),
    "failed": ("Attempts of an output that failed.", "counter"),
    "reconnects": ("How often an output worked again.", "counter"),
}

Found = tuple[Instrument, float, dict[str, Value]]


def own(metrics: Metrics) -> Iterator[Found]:
    """Yield instruments, values, and attributes; values of counters are whole numbers."""
    yield _UNMEASURED, metrics.unmeasured, {}
    yield _FOLDED, metrics.folded, {}
    yield _ENDED, metrics.ended, {}
    for side, requests in (metrics.ended_requests or {}).items():
        yield _ENDED_REQUESTS, requests, {"side": side}
    for field, (unit, description) in _HEALTH.items():
        instrument = Instrument(f"httptop.{field}", unit, description, "counter")
        yield instrument, getattr(metrics.health, field), {}
    for field, (name, unit, description, factor) in _COST.items():
        value = getattr(metrics.overhead, field)
        if value is not None:
            yield Instrument(f"httptop.{name}", unit, description, "gauge"), value * factor, {}
    for table, share in metrics.overhead.tables.items():
        yield _TABLE, float(share), {"table": table}
    for sink in metrics.sinks:
        which: dict[str, Value] = {"sink": sink.name, "item": sink.unit}
        for field, (description, kind) in _SINK.items():
            instrument = Instrument(f"httptop.sink.{field}", "{item}", description, kind)
            yield instrument, getattr(sink, field), which
