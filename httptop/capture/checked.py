"""Check values that were decoded from a capture; nothing that a file holds is trusted.

The decoder has checked their types. Here numbers get their range, texts are cleaned, and lists get
an end, before any of it reaches a screen or an output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, Final, TypeVar

from httptop.capture.problems import CaptureError
from httptop.model import EndpointStats, Latency, Snapshot, Transaction
from httptop.printable import clean

_END: Final = 1 << 63
_LATEST: Final = 253_402_300_800.0  # the year 10000
#: The most characters of a text: a target or a field of a header section, and any other.
_LONGEST_SENT: Final = 4096
_LONGEST: Final = 1000
#: The most entries of a list; processes that speak other protocols may be the most.
_MOST: Final = 1 << 17
_MOST_HEAD_LINES: Final = 256
#: The most statuses, processes, peers or containers of a row.
_MOST_OF_A_ROW: Final = 1024

_Value = TypeVar("_Value")


def checked(value: _Value) -> _Value:
    """Return a decoded value of the model, cleaned; raise :class:`CaptureError`.

    All that it holds, to the last text, is checked; :func:`checked_row` does the same for rows.
    """
    cleaned: _Value = _checked(value, _LONGEST)
    return cleaned


def _checked(value: Any, longest: int) -> Any:
    kind = value.__class__
    if value is None or kind is bool:
        return value
    if kind is str:
        return text(value, longest)
    if kind is float or kind is int:
        return number(value)
    if kind is tuple or kind is list or kind is dict:
        if len(value) > _MOST:
            raise CaptureError("holds a list that is too long")
        if kind is dict:
            return {_checked(key, longest): _checked(one, longest) for key, one in value.items()}
        return tuple([_checked(member, longest) for member in value])
    if not is_dataclass(value):
        raise CaptureError("holds what no capture has")
    if isinstance(value, Transaction):
        longest = _LONGEST_SENT
        time(value.started_at)
        if max(len(value.request_head), len(value.response_head)) > _MOST_HEAD_LINES:
            raise CaptureError("holds a header section that is too long")
    elif isinstance(value, Snapshot):
        time(value.taken_at)
    changes = {}
    for name in _names(kind):
        before = getattr(value, name)
        if name == "max_ns" and isinstance(value, Latency) and math.isnan(before):
            continue  # it is not known
        now = _checked(before, longest)
        if now is not before and now != before:
            changes[name] = now
    return replace(value, **changes) if changes else value


def number(value: float) -> float:
    """Return a finite number >= 0 and below 2 ** 63; raise :class:`CaptureError`."""
    if not 0 <= value < _END:  # which NaN is not, either
        raise CaptureError("holds a number out of range")
    return value


def time(value: float) -> float:
    """Return a Unix time before the year 10000; raise :class:`CaptureError`."""
    if not 0 <= value < _LATEST:
        raise CaptureError("holds a time out of range")
    return value


def numbers(values: Iterable[float]) -> None:
    """Raise :class:`CaptureError` unless all are finite, >= 0 and below 2 ** 63."""
    found = tuple(values)
    # The sum is NaN if one of them is.
    if found and not (min(found) >= 0 and max(found) < _END and sum(found) >= 0):
        raise CaptureError("holds a number out of range")


@lru_cache(1 << 14)
def text(value: str, longest: int = _LONGEST) -> str:
    """Return a text that is safe to show, of so many characters at most."""
    if len(value) <= longest and value.isascii() and value.isprintable():
        return value
    return clean(value[: longest + 1].encode("utf-8", "surrogatepass"), longest)


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


# Rows: there are thousands of them, so their numbers are looked at all at once

_LATENCIES: Final = ("latency", "latency_total", "sending_total", "duration_total", "wait_total")
_COUNTS: Final = (
    *("requests", "rps", "unanswered", "request_bytes", "response_bytes", "truncated"),
)
_KNOWN: Final = (
    *("in_flight", "paths", "oldest_in_flight_ns", "usual_p99_ns", "p99_change"),
    *("window_requests", "window_errors"),
)
_STATUSES: Final = ("status", "window_status")
_PARTIES: Final = ("by_pid", "by_peer", "latency_by_status")
#: What is looked at elsewhere, key and trend where they are read; and what needs no look.
_ELSEWHERE: Final = ("key", "trend_ns", "pids", "partial", "stale", "more_paths")
_REST: Final = tuple(
    name
    for name in _names(EndpointStats)
    if name not in (*_LATENCIES, *_COUNTS, *_KNOWN, *_STATUSES, *_PARTIES, *_ELSEWHERE)
)
_numbers: Final[Callable[[EndpointStats], tuple[float, ...]]] = attrgetter(
    *_COUNTS,
    *(f"{kind}.{name}" for kind in _LATENCIES for name in _names(Latency) if name != "max_ns"),
)
_longest: Final[Callable[[EndpointStats], tuple[float, ...]]] = attrgetter(
    *(f"{kind}.max_ns" for kind in _LATENCIES)
)
_known: Final[Callable[[EndpointStats], tuple[float | None, ...]]] = attrgetter(*_KNOWN)
_parts: Final[Callable[[EndpointStats], tuple[Mapping[Any, Any] | None, ...]]] = attrgetter(
    *_STATUSES, *_PARTIES
)
_of_party: Final = attrgetter("requests", "errors", "answered", "mean_ns", "max_ns")


def checked_row(row: EndpointStats) -> EndpointStats:
    """Return a decoded row, cleaned, whose key and trend are checked; see :func:`checked`."""
    found = [*_numbers(row), *(one for one in _known(row) if one is not None)]
    found += [one for one in _longest(row) if not math.isnan(one)]
    for part in _parts(row):
        if part and len(part) > _MOST_OF_A_ROW:
            raise CaptureError("has a row of too many statuses, processes or peers")
    for statuses in (row.status, row.window_status):
        if statuses:
            found += statuses
            found += statuses.values()
    if row.by_pid:
        found += row.by_pid
        for party in row.by_pid.values():
            found += _of_party(party)
    changes: dict[str, Any] = {}
    if row.by_peer:
        for party in row.by_peer.values():
            found += _of_party(party)
        peers = [text(peer) for peer in row.by_peer]
        if peers != [*row.by_peer]:
            changes["by_peer"] = dict(zip(peers, row.by_peer.values(), strict=True))
    for code, one in (row.latency_by_status or {}).items():
        found += (code, one.count, one.mean_ns, one.p50_ns or 0, one.p99_ns or 0)
    found += row.pids
    numbers(found)
    for name in _REST:
        before = getattr(row, name)
        if before:
            now = _checked(before, _LONGEST)
            if now != before:
                changes[name] = now
    return replace(row, **changes) if changes else row
