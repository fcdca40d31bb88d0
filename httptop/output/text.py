"""A snapshot as text, like one screen of ``top -b``: summary lines, then a table for each side.

::

    httptop - 12:00:03.000, up 1:02:03, web1, every 1s, over the last 60s
    server: 81264 requests, 27.1k/s, 16 in flight, 0 unanswered; 2xx 81264, ...; p50 1.2ms, ...
    client: ...
    cost: 1.2% CPU, 31.0 MiB, 3.4% CPU in the kernel, 120ns per call, 100 samples/s
    health: orphan responses 0, lost samples 0, lost pieces 0, overflow requests 0, ...

    SERVER        METHOD PATH ...   REQ/S COUNT   2XX   3XX   4XX   5XX  NONE IN-FL    P50 ...
    nginx         GET    /users/{id}
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

from httptop import humanize
from httptop.model import (
    SIDES,
    STATUS_UNKNOWN,
    EndpointStats,
    Latency,
    Overhead,
    RequestInFlight,
    Side,
    Snapshot,
    Totals,
)
from httptop.output.order import in_order, rows_at
from httptop.view.rows import keys_of, told_apart_by

_NARROWEST_PATH: Final = 16
#: Widths of what is left of the path, whatever tells rows apart; see model.told_apart_by().
_PROCESS, _METHOD = 15, 7
_APART: Final = {"host": 16, "user": 8, "port": 5}
#: Title, width and rank; columns with the highest rank are dropped first if there is no room.
_NUMBERS: Final = (
    ("REQ/S", 6, 0),
    ("COUNT", 6, 0),
    ("2XX", 6, 3),
    ("3XX", 6, 4),
    ("4XX", 6, 1),
    ("5XX", 6, 1),
    ("NONE", 6, 4),
    ("IN-FL", 6, 5),
    ("P50", 7, 2),
    ("P95", 7, 5),
    ("P99", 7, 2),
    ("MAX", 7, 5),
)


def to_text(
    snapshot: Snapshot, columns: int = 132, *, active: bool = False, sort: str = "requests"
) -> str:
    """Return a snapshot as lines of at most ``columns`` characters (60 or more).

    ``active``: without the endpoints that had no request in the window, but with their number.
    ``sort``: the order, see :func:`in_order`.
    """
    columns = max(60, columns)
    printed = in_order(snapshot, sort, active=active)
    lines = [_title(snapshot)]
    lines += [_summary(side, snapshot.total(side)) for side in SIDES]
    lines.append(_cost(snapshot.overhead))
    lines.append(_health(snapshot))
    if idle := len(snapshot.endpoints) - len(printed):
        lines.append(f"not shown: {idle} endpoints without a request in the window")
    lines += [f"note: {note}" for note in snapshot.notes]
    lines = [part for line in lines for part in _wrapped(line, columns)]
    keys = keys_of(snapshot.endpoints)
    for side in SIDES:
        if shown := [at for at in printed if keys[at].side == side]:
            apart = told_apart_by([keys[at] for at in shown])
            rows = rows_at(snapshot.endpoints, shown)
            lines += ["", *_table(side, rows, columns, apart)]
    if snapshot.in_flight:
        lines += ["", *_in_flight(snapshot.in_flight, columns)]
    if not snapshot.endpoints:
        lines += ["", "no HTTP requests seen yet"]
    return "\n".join(lines) + "\n"


def _title(snapshot: Snapshot) -> str:
    clock = humanize.time_of_day(snapshot.taken_at)
    final = ", final" if snapshot.final else ""
    window = f"{snapshot.window_s:g}s"
    if snapshot.covered_s < 0.9 * snapshot.window_s:
        window = f"{snapshot.covered_s:.3g}s of {window}"
    return (
        f"httptop - {clock}, up {humanize.clock(snapshot.uptime_s)}, {snapshot.host}, "
        f"every {snapshot.interval_s:g}s, over the last {window}{final}"
    )


def _summary(side: Side, totals: Totals) -> str:
    classes = ", ".join(f"{n}xx {totals.status_class(n)}" for n in range(1, 6))
    if unknown := totals.status.get(STATUS_UNKNOWN):
        classes += f", unknown {unknown}"
    return (
        f"{side}: {totals.requests} requests, {humanize.rate(totals.rps)}/s, "
        f"{_known(totals.in_flight)} in flight, {totals.unanswered} unanswered; {classes}; "
        f"{_latency(totals.latency)}"
    )


def _known(n: int | None) -> str:
    return humanize.UNKNOWN if n is None else str(n)


def _latency(latency: Latency) -> str:
    if not latency.count:
        return "no latency yet"
    named = (
        ("p50", latency.p50_ns),
        ("p95", latency.p95_ns),
        ("p99", latency.p99_ns),
        ("max", latency.max_ns),
    )
    return ", ".join(f"{name} {humanize.duration(value)}" for name, value in named)


def _cost(overhead: Overhead) -> str:
    parts: list[str] = []
    if overhead.cpu_percent is not None:
        parts.append(f"{overhead.cpu_percent:.1f}% CPU")
    if overhead.rss_bytes is not None:
        parts.append(humanize.size(overhead.rss_bytes))
    if overhead.bpf_cpu_percent is not None:
        parts.append(f"{overhead.bpf_cpu_percent:.1f}% CPU in the kernel")
    if overhead.bpf_ns_per_call is not None:
        parts.append(f"{humanize.duration(overhead.bpf_ns_per_call)} per call")
    if overhead.samples_per_s is not None:
        parts.append(f"{humanize.rate(overhead.samples_per_s)} samples/s")
    return f"cost: {', '.join(parts) or 'not known yet'}"


def _health(snapshot: Snapshot) -> str:
    health = snapshot.health
    return (
        f"health: orphan responses {health.orphan_responses}, lost samples {health.lost_samples}, "
        f"lost pieces {health.lost_pieces}, overflow requests {health.overflow_requests}, "
        f"parse errors {health.parse_errors}, late ticks {health.late_ticks}, "
        f"missed calls {health.missed_calls}, overfull pipelines {health.overfull_pipelines}, "
        f"discarded requests {health.discarded_requests}"
    )


def _table(
    side: Side, rows: Iterable[EndpointStats], columns: int, apart: tuple[str, ...]
) -> list[str]:
    numbers = list(_NUMBERS)
    widths = (_PROCESS, *map(_APART.__getitem__, apart), _METHOD)

    def path_width() -> int:
        return columns - sum(w + 1 for w in widths) - sum(w + 1 for _, w, _ in numbers)

    while path_width() < _NARROWEST_PATH:
        numbers.remove(max(numbers, key=lambda column: column[2]))
    names = [title for title, _, _ in numbers]
    width = path_width()

    def line(texts: tuple[str, ...], values: list[str]) -> str:
        left = " ".join(map(_fit, texts, (*widths, width)))
        right = zip(values, numbers, strict=True)
        return left + "".join(f" {value:>{size}}" for value, (_, size, _) in right)

    lines = [line((side.upper(), *map(str.upper, apart), "METHOD", "PATH"), names)]
    for row in rows:
        cells = _cells(row)
        key, values = row.key, [cells[name] for name in names]
        more = [str(getattr(key, name) or "-") for name in apart]
        if row.stale and "host" in apart:  # a capture may say it of a row without a host
            more[apart.index("host")] += " (down)"
        lines.append(line((key.process, *more, key.method, row.shown_path), values))
    return lines


def _in_flight(requests: tuple[RequestInFlight, ...], columns: int) -> list[str]:
    """Return the requests in flight, with the width of the path that is left."""
    path = max(_NARROWEST_PATH, columns - 8 - 8 - 16 - 8 - 16 - 8)
    lines = [
        f"{'AGE':>7} {'IN FLIGHT':<9} {'PROCESS':<15} {'PID':>7} {'PEER':<15} {'METHOD':<7} PATH"
    ]
    for request in requests:
        key = request.key
        pid = "-" if request.pid is None else str(request.pid)
        age = humanize.duration(request.age_ns)
        lines.append(
            f"{age:>7} {key.side:<9} {_fit(key.process, 15)} {pid:>7} "
            f"{_fit(request.peer, 15)} {_fit(key.method, 7)} {_fit(key.path, path).rstrip()}"
        )
    return lines


def _cells(row: EndpointStats) -> dict[str, str]:
    latency = row.latency
    known = bool(latency.count)
    return {
        "REQ/S": humanize.rate(row.rps),
        "COUNT": humanize.count(row.requests),
        **{f"{n}XX": humanize.count(row.status_class(n)) for n in range(2, 6)},
        "NONE": humanize.count(row.unanswered),
        "IN-FL": "-" if row.in_flight is None else humanize.count(row.in_flight),
        "P50": humanize.duration(latency.p50_ns if known else None),
        "P95": humanize.duration(latency.p95_ns if known else None),
        "P99": humanize.duration(latency.p99_ns if known else None),
        "MAX": humanize.duration(latency.max_ns if known else None),
    }


def _fit(text: str, width: int) -> str:
    """Return a text cut or padded to ``width`` columns of a terminal."""
    if text.isascii() and len(text) <= width:
        return text.ljust(width)
    if sum(map(_columns, text)) > width:
        kept = ""
        room = width - 1
        for character in text:
            room -= _columns(character)
            if room < 0:
                break
            kept += character
        text = kept + "…"
    return text + " " * (width - sum(map(_columns, text)))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _wrapped(line: str, columns: int) -> list[str]:
    """Return a line wrapped at spaces; continuation lines are indented."""
    lines: list[str] = []
    while len(line) > columns:
        at = line.rfind(" ", 4, columns + 1)
        if at < 4 or not line[:at].strip():
            at = columns
        lines.append(line[:at])
        line = "    " + line[at:].lstrip()
    return [*lines, line]
