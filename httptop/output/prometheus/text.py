"""Prometheus' text format, version 0.0.4, written piece by piece: one series in memory at a time.

https://prometheus.io/docs/instrumenting/exposition_formats/. Histograms are cumulative: a bucket
has all that is at most its bound, and +Inf all responses, those of unknown latency included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final

from httptop.collect.metrics import Metrics, Outcome, Series
from httptop.linux.stretches import give_way
from httptop.model import SIDES
from httptop.output.prometheus.buckets import as_seconds, places
from httptop.output.prometheus.columns import Active, Columns
from httptop.output.prometheus.names import (
    DURATION,
    Family,
    Labels,
    Pair,
    labels_of,
    outcome_labels,
    own_samples,
    route_of,
    side_label,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def text(metrics: Metrics, bounds_ns: Sequence[int]) -> Iterator[str]:
    """Yield the exposition of a reading, a few kilobytes at a time; ``bounds_ns`` ascend."""
    histograms, columns, active = _Histograms(bounds_ns), Columns(), Active()
    for side in SIDES:
        family, written = DURATION[side], False
        for series in metrics.series.of(side):
            columns.add(series)
            active.add(series)
            if not written:
                yield _head(family)
                written = True
            yield from histograms.lines(family.name, series)
            give_way()
    for family, samples in (*active.samples(), *own_samples(metrics)):
        yield _head(family)
        for labels, value in samples:
            yield f"{family.name}{_in_braces(_rendered(labels))} {_number(value)}\n"
    for family, values in columns.counters():
        if columns.keys:
            yield _head(family)
        for key, number in values:
            yield (
                f"{family.name}{{{_pair(side_label(key.side))},{_rendered(labels_of(key))},"
                f"{_as_pair(*route_of(key))}}} {number}\n"
            )
            give_way()


class _Histograms:
    """Writes histograms with the same bounds."""

    def __init__(self, bounds_ns: Sequence[int]) -> None:
        self._places = places(tuple(bounds_ns))
        ends = [*map(as_seconds, bounds_ns), "+Inf"]
        self._ends = [f',le="{end}"}} ' for end in ends]

    def lines(self, name: str, series: Series) -> Iterator[str]:
        """Yield a series' lines, those of an outcome at a time."""
        endpoint = f"{_as_pair(*route_of(series.key))},{_rendered(labels_of(series.key))}"
        for outcome in series.outcomes:
            labels = f"{endpoint},{_rendered(outcome_labels(series.key.side, outcome.status))}"
            up_to = self._cumulative(outcome)
            head = f"{name}_bucket{{{labels}"
            lines = [f"{head}{end}{n}\n" for end, n in zip(self._ends, up_to, strict=True)]
            seconds = _number(outcome.sum_ns / 1e9)
            yield (
                f"{''.join(lines)}{name}_sum{{{labels}}} {seconds}\n"
                f"{name}_count{{{labels}}} {up_to[-1]}\n"
            )

    def _cumulative(self, outcome: Outcome) -> list[int]:
        """Return how many responses are at most each bound, and at last how many there are."""
        found, place = [0] * len(self._ends), self._places
        for bucket, count in outcome.buckets.items():
            found[place[bucket]] += count
        up_to = list(accumulate(found))
        up_to[-1] = max(up_to[-1], outcome.count)
        return up_to


def _head(family: Family) -> str:
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n"


def _in_braces(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


@lru_cache(2048)
def _rendered(labels: Labels) -> str:
    """Return labels that many series have."""
    return ",".join(map(_pair, labels))


def _pair(pair: Pair) -> str:
    return _as_pair(*pair)


def _as_pair(name: str, value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        value = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{name}="{value}"'


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
