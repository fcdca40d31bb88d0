"""The columns of the endpoint table: what each shows, and which of them a width has room for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from httptop import humanize
from httptop.model import EndpointStats
from httptop.widgets.painting import Align, latency_hue


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``sort`` is its name in :data:`httptop.view.SORTS`."""

    sort: str
    title: str
    width: int  # least width, cells
    priority: int  # lower ones are shown first
    meaning: str  # for the help screen
    cell: Callable[[EndpointStats], tuple[str, str]]  # text and hue
    align: Align = "right"


def _latency(pick: Callable[[EndpointStats], float]) -> Callable[[EndpointStats], tuple[str, str]]:
    def cell(row: EndpointStats) -> tuple[str, str]:
        if not row.latency.count:
            return humanize.UNKNOWN, "faint"
        value = pick(row)
        return humanize.duration(value), latency_hue(value)

    return cell


def _status(hundreds: int) -> Callable[[EndpointStats], tuple[str, str]]:
    hue = f"{hundreds}xx"
    low, high = hundreds * 100, hundreds * 100 + 100

    def cell(row: EndpointStats) -> tuple[str, str]:
        n = 0
        for code, answers in row.status.items():
            if low <= code < high:
                n += answers
        return (humanize.count(n), hue) if n else ("0", "faint")

    return cell


def _some(n: int, hue: str) -> tuple[str, str]:
    return (humanize.count(n), hue) if n else ("0", "faint")


def _protocol(row: EndpointStats) -> tuple[str, str]:
    return row.key.protocol.removeprefix("HTTP/") + ("s" if row.key.tls else ""), "muted"


COLUMNS: Final = (
    Column(
        "process",
        "PROCESS",
        10,
        0,
        "name of the process",
        lambda row: (row.key.process, "accent"),
        "left",
    ),
    Column("protocol", "VER", 4, 17, "HTTP version; s: over TLS", _protocol, "left"),
    Column(
        "method", "METHOD", 7, 0, "request method", lambda row: (row.key.method, "muted"), "left"
    ),
    Column(
        "path",
        "PATH",
        16,
        0,
        "path template; {id} stands for numbers and other ids",
        lambda row: (row.key.path, "strong"),
        "left",
    ),
    Column(
        "rps",
        "REQ/S",
        6,
        0,
        "requests a second, over the window",
        lambda row: (humanize.rate(row.rps), "rate" if row.rps else "faint"),
    ),
    Column(
        "requests",
        "COUNT",
        6,
        0,
        "requests since start, answered or given up",
        lambda row: (humanize.count(row.requests), "text"),
    ),
    Column("2xx", "2XX", 5, 10, "successes since start", _status(2)),
    Column("3xx", "3XX", 5, 13, "redirects since start", _status(3)),
    Column("4xx", "4XX", 5, 4, "client errors since start", _status(4)),
    Column("5xx", "5XX", 5, 3, "server errors since start", _status(5)),
    Column(
        "unanswered",
        "NONE",
        5,
        15,
        "requests whose connection closed before an answer",
        lambda row: _some(row.unanswered, "none"),
    ),
    Column(
        "p50", "P50", 6, 2, "median latency of the window", _latency(lambda row: row.latency.p50_ns)
    ),
    Column("p95", "P95", 6, 9, "95 of 100 were as quick", _latency(lambda row: row.latency.p95_ns)),
    Column("p99", "P99", 6, 1, "99 of 100 were as quick", _latency(lambda row: row.latency.p99_ns)),
    Column("max", "MAX", 6, 12, "slowest of the window", _latency(lambda row: row.latency.max_ns)),
    Column(
        "in_flight",
        "INFL",
        5,
        11,
        "in flight: waiting for the answer's start now",
        lambda row: _some(row.in_flight, "text"),
    ),
    Column(
        "response_bytes",
        "BYTES",
        8,
        16,
        "bytes of answers since start",
        lambda row: (
            humanize.size(row.response_bytes),
            "text" if row.response_bytes else "faint",
        ),
    ),
    Column(
        "trend",
        "TREND",
        8,
        8,
        "mean latency of each tick, newest at the right",
        lambda _row: ("", "trend"),  # the table draws it, in its own symbols
        "left",
    ),
)

_WIDEST_PROCESS: Final = 15
_WIDEST_TREND: Final = 30
_FAIR_PATH: Final = 22
_GOOD_PATH: Final = 36


@lru_cache(64)
def layout(width: int) -> tuple[tuple[Column, int], ...]:
    """Return the columns that ``width`` cells have room for, with their widths, in order.

    One cell stands between two columns. The path grows before the lesser columns come in. What
    is left over goes to the path and the process name first, then to the trend, then to the path
    again; so columns never move with the data.
    """
    chosen: list[Column] = []
    left = width + 1
    for column in sorted(COLUMNS, key=lambda column: column.priority):
        path = 0 if column.priority < 9 else 8 if column.priority < 13 else 16
        if column.width + 1 + path > left and column.priority > 0:
            break
        chosen.append(column)
        left -= column.width + 1
    widths = {column.sort: column.width for column in chosen}
    left = max(left, 0)
    for name, most in (
        ("path", _FAIR_PATH),
        ("process", _WIDEST_PROCESS),
        ("path", _GOOD_PATH),
        ("trend", 20),
    ):
        if name in widths:
            more = min(left, max(most - widths[name], 0))
            widths[name] += more
            left -= more
    if "trend" in widths:
        more = min(left // 3, _WIDEST_TREND - widths["trend"])
        widths["trend"] += more
        left -= more
    widths["path"] += left
    return tuple((column, widths[column.sort]) for column in COLUMNS if column.sort in widths)
