"""The tables on the page of an endpoint: percentiles of its times, and its responses by status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.strip import Strip

from httptop import humanize
from httptop.humanize import Units
from httptop.model import (
    STATUS_UNKNOWN,
    EndpointStats,
    Latency,
    StatusLatency,
    class_of,
    status_name,
)
from httptop.widgets.painting import Line, Palette, status_hue, status_phrase
from httptop.widgets.sparkline import Symbols, bar

#: The width of a column of times other than the latency.
TIMES_WIDTH: Final = 10
#: Of the responses: the widest meaning, and status, a blank, count and share together.
_REASON_WIDTH: Final = 24
_COUNTED_WIDTH: Final = 23
_QUANTILES: Final = (
    ("p50", "p50_ns"),
    ("p90", "p90_ns"),
    ("p95", "p95_ns"),
    ("p99", "p99_ns"),
    ("p99.9", "p999_ns"),
    ("max", "max_ns"),
    ("mean", "mean_ns"),
)


def latency_table(stats: EndpointStats, window: str, units: Units, hue: Palette) -> list[Strip]:
    """Return percentiles of the window and since start, and those of other times.

    ``window``: what the window covers, in words; empty: without its figures.
    """
    text, muted, heading = hue("text"), hue("muted"), hue("heading")
    recent, total = stats.latency, stats.latency_total
    times = times_of(stats)
    lines = []
    line = Line().add("", heading, 7)
    if window:
        line.add(f"LAST {window}", heading, 11, "right")
    line.add("SINCE START", heading, 13, "right")
    for name, _ in times:
        line.add(name, heading, TIMES_WIDTH, "right")
    lines.append(line.strip())
    for label, field in _QUANTILES:
        line = Line().add(label, muted, 7)
        value = _value(recent, field)
        if window:
            line.add(units.duration(value), text, 11, "right")
        line.add(units.duration(_value(total, field)), text, 13, "right")
        for _, spent in times:
            line.add(units.duration(_value(spent, field)), text, TIMES_WIDTH, "right")
        lines.append(line.strip())
    line = Line().add("count", muted, 7)
    if window:
        line.add(f"{recent.count:,}", text, 11, "right")
    line.add(f"{total.count:,}", text, 13, "right")
    for _, spent in times:
        line.add(f"{spent.count:,}", text, TIMES_WIDTH, "right")
    lines.append(line.strip())
    return lines


def responses_table(
    stats: EndpointStats,
    by_status: Mapping[int, StatusLatency],
    width: int,
    units: Units,
    symbols: Symbols,
    hue: Palette,
) -> list[Strip]:
    """Return counts and shares of the statuses since start, and the latencies of each."""
    text, muted = hue("text"), hue("muted")
    times = _times_of_statuses(by_status, width, units)
    lines = []
    beside_meaning = _COUNTED_WIDTH + len(times) * (units.latency_width + 2)
    reason = max(0, min(_REASON_WIDTH, width - beside_meaning))
    found = [
        (status_name(code), status_phrase(code), n, code)
        for code, n in sorted(stats.status.items(), key=lambda item: (class_of(item[0]), item))
        if code != STATUS_UNKNOWN
    ]
    if unknown := stats.status.get(STATUS_UNKNOWN):
        found.append(("?", "unknown", unknown, STATUS_UNKNOWN))
    if stats.unanswered:
        found.append(("none", "connection closed first", stats.unanswered, 0))
    if stats.truncated:
        found.append(("cut", "of these, cut off", stats.truncated, 0))
    if found:
        heading = hue("heading")
        line = Line().space(5 + reason + 1, heading)
        line.add("COUNT", heading, 10, "right").add("SHARE", heading, 7, "right")
        for title, _ in times:
            line.add(title, heading, units.latency_width + 2, "right")
        lines.append(line.strip())
    for name, meaning, n, code in found:
        share = n / stats.requests if stats.requests else 0.0
        style = hue(status_hue(code))
        line = Line().add(name, style, 5).add(meaning, muted, reason).space(1, text)
        line.add(f"{n:,}", text, 10, "right")
        line.add(humanize.percent(share), muted, 7, "right")
        spent = by_status.get(code) if name != "cut" else None
        for _, field in times:
            value = None if spent is None else getattr(spent, field)
            shown = units.duration(value)
            line.add(shown, text, units.latency_width + 2, "right")
        line.space(2, text)
        line.add(bar(share, max(width - line.used, 0), symbols), style)
        lines.append(line.strip())
    if not found:
        lines.append(Line().add("none yet", muted).strip())
    return lines


def _times_of_statuses(
    by_status: Mapping[int, StatusLatency], width: int, units: Units
) -> list[tuple[str, str]]:
    """Return the times beside each status: titles, and fields of StatusLatency."""
    if not by_status:
        return []
    known = any(one.p99_ns is not None for one in by_status.values())
    if not known:
        return [("MEAN", "mean_ns")]
    times = [("P50", "p50_ns"), ("P99", "p99_ns")]
    room = width - _COUNTED_WIDTH - 3 * (units.latency_width + 2)
    return [("MEAN", "mean_ns"), *times] if room >= _REASON_WIDTH else times


def times_of(stats: EndpointStats) -> list[tuple[str, Latency]]:
    """Return the names and summaries of times other than the latency, since start."""
    times = [("WAIT", stats.wait_total)] if stats.wait_total.count else []
    if stats.sending_total.count:
        times += [("SENDING", stats.sending_total), ("DURATION", stats.duration_total)]
    return times


def _value(latency: Latency, field: str) -> float | None:
    return float(getattr(latency, field)) if latency.count else None
