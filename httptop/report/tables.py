"""The tables of a report's page: endpoints, single requests, and the figures of its charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from httptop import humanize
from httptop.model import OWN_PATHS, EndpointStats, Side, Transaction, status_name
from httptop.output.order import in_order, rows_at
from httptop.report.charts import CLASSES
from httptop.report.gathering import Report
from httptop.report.markup import UNKNOWN, Cell, Column, table
from httptop.view.kept_requests import ordered
from httptop.view.rows import keys_of

#: The most rows of a table; CSV has all endpoints.
MOST_ENDPOINTS: Final = 1000
MOST_REQUESTS: Final = 100

_ENDPOINT: Final = (
    Column("endpoint", heads_row=True),
    Column("process"),
    Column("side"),
    Column("port", number=True),
    Column("requests", number=True),
    Column("req/s", number=True),
    Column("4xx", number=True),
    Column("5xx", number=True),
    Column("unanswered", number=True),
    Column("errors", number=True),
    Column("p50", number=True),
    Column("p99", number=True),
    Column("longest", number=True),
    Column("sent", number=True),
)
_REQUEST: Final = (
    Column("request", heads_row=True),
    Column("time (UTC)"),
    Column("process"),
    Column("side"),
    Column("peer"),
    Column("status", number=True),
    Column("latency", number=True),
)


def endpoints(report: Report) -> Iterator[str]:
    """Yield the table of the endpoints with most requests."""
    snapshot = report.last
    order = in_order(snapshot, active=False)
    if not order:
        yield "<p>None.</p>"
        return
    caption = f"{len(order):,} endpoints, since start."
    if len(order) > MOST_ENDPOINTS:
        caption = (
            f"The {MOST_ENDPOINTS:,} endpoints with most requests of {len(order):,}, since start; "
            f"{len(order) - MOST_ENDPOINTS:,} are left out here."
        )
    columns: Sequence[Column] = _ENDPOINT
    shown = order[:MOST_ENDPOINTS]
    keys = keys_of(snapshot.endpoints)
    if has_hosts := any(keys[at].host for at in shown):
        columns = (*_ENDPOINT[:1], Column("host"), *_ENDPOINT[1:])
    cells = (
        _endpoint(row, snapshot.uptime_s, has_hosts=has_hosts)
        for row in rows_at(snapshot.endpoints, shown)
    )
    yield from table(caption, columns, cells, sorted_by="requests", searched=True)


def _endpoint(row: EndpointStats, seconds: float, *, has_hosts: bool) -> Sequence[Cell]:
    key, latency = row.key, row.latency_total
    rate = row.requests / seconds if seconds > 0 else 0.0
    share = row.errors / row.requests if row.requests else 0.0
    times = (latency.p50_ns, latency.p99_ns, latency.max_ns)
    return (
        Cell(row.shown_path if key.path in OWN_PATHS else f"{key.method} {row.shown_path}"),
        *((Cell(key.host),) if has_hosts else ()),
        Cell(f"{key.process} ({key.user})" if key.user else key.process),
        Cell(key.side),
        Cell(str(key.port) if key.port else UNKNOWN, float(key.port)),
        _count(row.requests),
        Cell(UNKNOWN, -1.0) if key.host else Cell(humanize.rate(rate), rate),
        *(_count(row.status_class(hundreds), bad=True) for hundreds in (4, 5)),
        _count(row.unanswered, bad=True),
        Cell(humanize.percent(share), share, bad=share > 0),
        *(
            Cell(humanize.duration(value), value) if latency.count else Cell(UNKNOWN, -1.0)
            for value in times
        ),
        Cell(humanize.size(row.response_bytes), float(row.response_bytes)),
    )


def _count(number: int, *, bad: bool = False) -> Cell:
    return Cell(f"{number:,}", float(number), bad=bad and number > 0)


def requests(report: Report, order: Literal["slowest", "failed"]) -> Iterator[str]:
    """Yield the table of the slowest, or of the latest failed, of the sampled requests."""
    found = ordered(report.requests, order)
    if not found:
        yield "<p>None among the sampled requests.</p>"
        return
    shown = found[:MOST_REQUESTS]
    what = "slowest" if order == "slowest" else "latest failed"
    caption = f"The {what} {len(shown):,} of {len(found):,} sampled requests that are kept."
    by = "latency" if order == "slowest" else "time (UTC)"
    yield from table(caption, _REQUEST, map(_request, shown), sorted_by=by)


def _request(request: Transaction) -> Sequence[Cell]:
    key = request.key
    moment = datetime.fromtimestamp(request.started_at, UTC)
    failed = request.status == 0 or request.status >= 400
    status = status_name(request.status) if request.status else "none"
    return (
        Cell(f"{key.method} {request.path}"),
        Cell(f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}", request.started_at),
        Cell(f"{key.process} ({request.pid})" if request.pid else key.process),
        Cell(key.side),
        Cell(request.peer or UNKNOWN),
        Cell(status, float(request.status), bad=failed),
        Cell(humanize.duration(request.latency_ns), float(request.latency_ns)),
    )


def moments(report: Report, side: Side) -> Iterator[str]:
    """Yield the table of a side's requests over time, the figures of the chart."""
    columns = (
        Column("from (UTC)", heads_row=True),
        Column("seconds", number=True),
        Column("requests", number=True),
        *(Column(name, number=True) for _, name in CLASSES),
    )
    cells = (
        (
            Cell(f"{datetime.fromtimestamp(report.began_at + one.begin_s, UTC):%Y-%m-%d %H:%M:%S}"),
            Cell(f"{one.seconds:.1f}", one.seconds),
            _count(one.sides[side].requests),
            *(_count(one.sides[side].classes[number]) for number, _ in CLASSES),
        )
        for one in report.stretches
    )
    yield from table(f"Requests over time, {side} side", columns, cells)
