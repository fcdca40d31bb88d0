"""Write the values in a capture's lines as plain JSON, and check every type when reading them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from httptop.model import (
    NO_LATENCY,
    EndpointKey,
    Health,
    Latency,
    Overhead,
    Side,
    Totals,
    Transaction,
)
from httptop.printable import clean

#: What json.loads returns; its type is checked at each use.
Json = Any
_LARGEST: Final = 1 << 63
_LATEST: Final = 253_402_300_800.0  # the year 10000
_MOST_HEAD_LINES: Final = 256
_LONGEST_HEAD_LINE: Final = 4096


#: Lists in a capture are positional: new versions append values, and never remove or move any. The
#: names are those of the dataclasses' fields, whose order does not matter here.
KEY: Final = ("side", "process", "protocol", "tls", "method", "path", "user", "port")
HEALTH: Final = (
    "orphan_responses",
    "lost_samples",
    "lost_pieces",
    "overflow_requests",
    "parse_errors",
    "late_ticks",
    "missed_calls",
    "overfull_pipelines",
    "discarded_requests",
)
#: The numbers, and whether they are whole; the list of what was shed follows them.
OVERHEAD: Final = (
    ("cpu_percent", False),
    ("rss_bytes", True),
    ("open_fds", True),
    ("context_switches", True),
    ("bpf_cpu_percent", False),
    ("bpf_ns_per_call", False),
    ("bpf_calls", True),
    ("samples_per_s", False),
)
_MOST_TABLES: Final = 16
_MOST_KINDS: Final = 1 << 16  # of other protocols, by process


class CaptureError(ValueError):
    """A capture is invalid; the message completes "FILE: ..."."""


class Fields:
    """Reads the members of a JSON object; raises :class:`CaptureError` for an unexpected type."""

    def __init__(self, document: Json) -> None:
        if not isinstance(document, dict):
            raise CaptureError("holds something else where an object is expected")
        self._document = document

    def __contains__(self, name: str) -> bool:
        return name in self._document

    def __getitem__(self, name: str) -> Json:
        if name not in self._document:
            raise CaptureError(f"lacks {name!r}")
        return self._document[name]

    def items(self, name: str) -> list[Json]:
        """Return a member that is a list."""
        return self.as_list(self[name])

    def text(self, name: str) -> str:
        """Return a member that is a text."""
        return self.as_text(self[name])

    def number(self, name: str) -> float:
        """Return a member that is a number >= 0."""
        return self.as_number(self[name])

    def time(self, name: str) -> float:
        """Return a member that is a Unix time."""
        return self.as_time(self[name])

    def flag(self, name: str) -> bool:
        """Return a member that is true or false."""
        return self.as_flag(self[name])

    @staticmethod
    def as_list(value: Json, length: int | None = None) -> list[Json]:
        """Return a list, of the given length unless that is None."""
        if not isinstance(value, list) or length not in (None, len(value)):
            raise CaptureError("holds something else where a list is expected")
        return value

    @staticmethod
    def as_text(value: Json, limit: int = 512) -> str:
        """Return a text that is safe to show."""
        if not isinstance(value, str):
            raise CaptureError("holds something else where a text is expected")
        return clean(value[: limit + 1].encode("utf-8", "surrogatepass"), limit)

    @staticmethod
    def as_number(value: Json) -> float:
        """Return a finite number >= 0, an int or a float as it was written."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CaptureError("holds something else where a number is expected")
        if not 0 <= value < _LARGEST or not math.isfinite(value):
            raise CaptureError("holds a number out of range")
        return value

    @staticmethod
    def as_time(value: Json) -> float:
        """Return a Unix time before the year 10000."""
        if Fields.as_number(value) >= _LATEST:
            raise CaptureError("holds a time out of range")
        return float(value)

    @staticmethod
    def as_count(value: Json) -> int:
        """Return a whole number >= 0."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST:
            raise CaptureError("holds something else where a count is expected")
        return value

    @staticmethod
    def as_flag(value: Json) -> bool:
        """Return true or false."""
        if not isinstance(value, bool):
            raise CaptureError("holds something else where true or false is expected")
        return value

    @staticmethod
    def as_status(value: Json) -> dict[int, int]:
        """Return numbers of responses by status code."""
        pairs = [Fields.as_list(pair, 2) for pair in Fields.as_list(value)]
        return {Fields.as_count(code): Fields.as_count(n) for code, n in pairs}


def latency_json(latency: Latency) -> Json:
    """Return a summary as a list, empty if nothing was measured."""
    if latency == NO_LATENCY:
        return []
    return [  # not astuple(), which is slow: every row has several
        latency.count,
        latency.mean_ns,
        latency.p50_ns,
        latency.p90_ns,
        latency.p95_ns,
        latency.p99_ns,
        latency.p999_ns,
        None if math.isnan(latency.max_ns) else latency.max_ns,
    ]


def read_latency(value: Json) -> Latency:
    """Return what :func:`latency_json` wrote."""
    cells = Fields.as_list(value)
    if not cells:
        return NO_LATENCY
    *known, last = Fields.as_list(value, 8)
    count, mean, p50, p90, p95, p99, p999 = map(Fields.as_number, known)
    largest = math.nan if last is None else Fields.as_number(last)
    return Latency(
        count=Fields.as_count(count),
        mean_ns=mean,
        p50_ns=p50,
        p90_ns=p90,
        p95_ns=p95,
        p99_ns=p99,
        p999_ns=p999,
        max_ns=largest,
    )


def key_json(key: EndpointKey) -> Json:
    """Return the key of an endpoint as a list."""
    cells = [getattr(key, name) for name in KEY]
    return [*cells, key.host] if key.host else cells


def read_key(value: Json) -> EndpointKey:
    """Return what :func:`key_json` wrote."""
    found = Fields.as_list(value)
    if len(found) == len(KEY) - 2:  # as httptop 0.1 wrote it: without a user
        found = [*found, ""]
    if len(found) == len(KEY) - 1:  # and without a port
        found = [*found, 0]
    host = found[len(KEY)] if len(found) > len(KEY) else ""  # of a fleet
    cells = dict(zip(KEY, Fields.as_list(found[: len(KEY)], len(KEY)), strict=True))
    text = Fields.as_text
    return EndpointKey(
        side=_side(cells["side"]),
        process=text(cells["process"]),
        protocol=text(cells["protocol"]),
        tls=Fields.as_flag(cells["tls"]),
        method=text(cells["method"]),
        path=text(cells["path"]),
        user=text(cells["user"]),
        port=Fields.as_count(cells["port"]),
        host=text(host),
    )


def totals_json(totals: Totals, trends: list[Json]) -> Json:
    """Return the totals of a side as a list; ``trends`` are JSON already."""
    return [
        totals.requests,
        totals.rps,
        totals.in_flight,
        totals.unanswered,
        [[code, n] for code, n in totals.status.items()],
        totals.request_bytes,
        totals.response_bytes,
        latency_json(totals.latency),
        totals.error_share,
        trends,
        latency_json(totals.latency_total),
    ]


def trends_of_totals(cells: list[Json]) -> list[Json]:
    """Return the trends among the values of a side's totals."""
    if len(cells) < 10:
        raise CaptureError("has totals with too few values")
    return Fields.as_list(cells[9])


def read_totals(value: Json, trends: Callable[[list[Json]], dict[str, tuple[Any, ...]]]) -> Totals:
    """Return what :func:`totals_json` wrote; ``trends`` decodes the trends, by name."""
    cells = Fields.as_list(value)
    decoded = trends(trends_of_totals(cells))
    return Totals(
        requests=Fields.as_count(cells[0]),
        rps=Fields.as_number(cells[1]),
        in_flight=None if cells[2] is None else Fields.as_count(cells[2]),
        unanswered=Fields.as_count(cells[3]),
        status=Fields.as_status(cells[4]),
        request_bytes=Fields.as_count(cells[5]),
        response_bytes=Fields.as_count(cells[6]),
        latency=read_latency(cells[7]),
        latency_total=read_latency(cells[10]) if len(cells) > 10 else NO_LATENCY,
        error_share=Fields.as_number(cells[8]),
        **{f"trend_{name}": trend for name, trend in decoded.items()},
    )


def transaction_json(request: Transaction) -> Json:
    """Return a sampled request as a list."""
    return [
        request.serial,
        request.started_at,
        key_json(request.key),
        request.pid,
        request.path,
        request.status,
        request.latency_ns,
        request.request_bytes,
        request.response_bytes,
        request.peer,
        request.slow,
        list(request.response_head),
        list(request.request_head),
    ]


def read_transaction(value: Json) -> Transaction:
    """Return what :func:`transaction_json` wrote; older captures lack the header sections."""
    cells = Fields.as_list(value)
    if len(cells) in (11, 12):
        cells = [*cells, [], []][:13]
    cells = Fields.as_list(cells, 13)
    count = Fields.as_count
    return Transaction(
        serial=count(cells[0]),
        started_at=Fields.as_time(cells[1]),
        key=read_key(cells[2]),
        pid=count(cells[3]),
        path=Fields.as_text(cells[4], 4096),
        status=count(cells[5]),
        latency_ns=count(cells[6]),
        request_bytes=count(cells[7]),
        response_bytes=None if cells[8] is None else count(cells[8]),
        peer=None if cells[9] is None else Fields.as_text(cells[9]),
        slow=Fields.as_flag(cells[10]),
        response_head=_head(cells[11]),
        request_head=_head(cells[12]),
    )


def _head(lines: Json) -> tuple[str, ...]:
    kept = Fields.as_list(lines)[:_MOST_HEAD_LINES]
    return tuple(Fields.as_text(line, _LONGEST_HEAD_LINE) for line in kept)


def health_json(health: Health) -> Json:
    """Return the health counters as a list."""
    return [getattr(health, name) for name in HEALTH]


def read_health(value: Json) -> Health:
    """Return what :func:`health_json` wrote.

    Counters that the capture lacks, from an older version, are 0; unknown ones, from a newer
    version, are ignored.
    """
    counters = zip(HEALTH, Fields.as_list(value), strict=False)
    return Health(**{name: Fields.as_count(counter) for name, counter in counters})


def overhead_json(overhead: Overhead) -> Json:
    """Return the overhead as a list."""
    numbers: list[Json] = [getattr(overhead, name) for name, _ in OVERHEAD]
    tables = [[name, part] for name, part in overhead.tables.items()]
    return [*numbers, list(overhead.shed), overhead.window_bytes, tables]


def read_overhead(value: Json) -> Overhead:
    """Return what :func:`overhead_json` wrote; older captures lack the last ones."""
    cells = Fields.as_list(value)
    numbers: dict[str, Json] = {}
    for (name, whole), cell in zip(OVERHEAD, Fields.as_list(cells[:8], 8), strict=True):
        number = None if cell is None else Fields.as_number(cell)
        numbers[name] = int(number) if whole and number is not None else number
    shed = tuple(
        Fields.as_text(name, 20) for member in cells[8:9] for name in Fields.as_list(member)
    )
    window = cells[9] if len(cells) > 9 else None
    window_bytes = None if window is None else Fields.as_count(window)
    pairs = [Fields.as_list(pair, 2) for some in cells[10:11] for pair in Fields.as_list(some)]
    tables = {
        Fields.as_text(name, 20): float(Fields.as_number(part))
        for name, part in pairs[:_MOST_TABLES]
    }
    return Overhead(**numbers, window_bytes=window_bytes, shed=shed, tables=tables)


def other_protocols_json(connections: Mapping[tuple[int, str], int]) -> Json:
    """Return processes' connections of other protocols as ``[pid, kind, connections]`` lists."""
    return [[pid, kind, count] for (pid, kind), count in connections.items()]


def read_other_protocols(value: Json) -> dict[tuple[int, str], int]:
    """Return what :func:`other_protocols_json` wrote."""
    entries = Fields.as_list(value)
    if len(entries) > _MOST_KINDS:
        raise CaptureError("has too many other protocols")
    read: dict[tuple[int, str], int] = {}
    for entry in entries:
        pid, kind, count = Fields.as_list(entry, 3)
        read[Fields.as_count(pid), Fields.as_text(kind, 20)] = Fields.as_count(count)
    return read


def _side(value: Json) -> Side:
    if value == "server":
        return "server"
    if value == "client":
        return "client"
    raise CaptureError("holds a side that is neither server nor client")
