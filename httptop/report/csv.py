"""A report as CSV (RFC 4180): one row an endpoint, as the last snapshot has it, since start.

Lines end in CR LF. Numbers are plain, with a point; what is unknown is empty. A text that a
spreadsheet would take for a formula has an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from httptop.model import EndpointStats, Latency, Snapshot, class_of, status_name
from httptop.output.order import in_order, rows_at
from httptop.report.gathering import Report

Value = str | int | float | None

#: What a cell must not begin with, blanks aside; also in the wide forms that some take for these.
_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_QUANTILES: Final = ("mean", "p50", "p90", "p95", "p99", "p999", "max")


def _class(hundreds: int) -> Callable[[EndpointStats], Value]:
    return lambda row: row.status_class(hundreds)


def _latency(
    of: Callable[[EndpointStats], Latency], quantile: str
) -> Callable[[EndpointStats], Value]:
    def milliseconds(row: EndpointStats) -> Value:
        latency = of(row)
        value: float = getattr(latency, f"{quantile}_ns")
        return round(value / 1e6, 6) if latency.count else None

    return milliseconds


def _codes(row: EndpointStats) -> Value:
    """Return how often each status was seen: ``200:81 404:3``."""
    codes = sorted(row.status, key=lambda code: (code == 0, class_of(code), code))
    return " ".join(f"{status_name(code)}:{row.status[code]}" for code in codes)


#: The columns behind ``host`` and ``time``: title, and the value of a row.
COLUMNS: Final[tuple[tuple[str, Callable[[EndpointStats], Value]], ...]] = (
    ("side", lambda row: row.key.side),
    ("process", lambda row: row.key.process),
    ("user", lambda row: row.key.user or None),
    ("port", lambda row: row.key.port or None),
    ("protocol", lambda row: row.key.protocol),
    ("tls", lambda row: "true" if row.key.tls else "false"),
    ("method", lambda row: row.key.method),
    ("path", lambda row: row.key.path),
    ("requests", lambda row: row.requests),
    ("errors", lambda row: row.errors),
    ("unanswered", lambda row: row.unanswered),
    *((f"{hundreds}xx", _class(hundreds)) for hundreds in range(1, 6)),
    ("status_unknown", _class(0)),
    ("status", _codes),
    ("truncated", lambda row: row.truncated),
    ("in_flight", lambda row: row.in_flight),
    ("request_bytes", lambda row: row.request_bytes),
    ("response_bytes", lambda row: row.response_bytes),
    ("latency_count", lambda row: row.latency_total.count),
    *((f"latency_{q}_ms", _latency(lambda row: row.latency_total, q)) for q in _QUANTILES),
    ("duration_count", lambda row: row.duration_total.count),
    *((f"duration_{q}_ms", _latency(lambda row: row.duration_total, q)) for q in _QUANTILES),
    ("window_rps", lambda row: round(row.rps, 3)),
    ("pids", lambda row: " ".join(map(str, row.pids))),
    ("containers", lambda row: " ".join(row.containers)),
)
#: How such a file begins.
START: Final = b"host,time,side,process,user,port,"


def to_csv(report: Report) -> Iterator[str]:
    """Yield the lines, the first one with the titles; rows with most requests first."""
    snapshot = report.last
    yield _line(["host", "time", *(title for title, _ in COLUMNS)])
    time = _time(snapshot)
    for row in rows_at(snapshot.endpoints, in_order(snapshot, active=False)):
        about: list[Value] = [row.key.host or snapshot.host, time]
        yield _line(about + [value_of(row) for _, value_of in COLUMNS])


def _time(snapshot: Snapshot) -> str:
    """Return a time as spreadsheets read it, too: UTC."""
    return datetime.fromtimestamp(snapshot.taken_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _line(values: list[Value]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(map(_cell, values))
    return line.getvalue()


def _cell(value: Value) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str) and value.lstrip().startswith(_BEGINS_FORMULA):
        return f"'{value}"
    return value
