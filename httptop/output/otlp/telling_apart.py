"""Series that would have the same attributes, added up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from httptop.collect.histogram import add
from httptop.collect.metrics import Outcome, Series, SeriesReading
from httptop.model import EndpointKey
from httptop.output.otlp.attributes import OTHER_METHOD, Methods


def told_apart(reading: SeriesReading, methods: Methods) -> Iterator[Series]:
    """Yield series no two of which have the same attributes.

    By themselves they are so, unless methods that httptop tells apart have one name.
    """
    if methods.known is None:
        yield from reading
        return
    others: dict[EndpointKey, Series] = {}
    for series in reading:
        if methods.name(series.key.method) != OTHER_METHOD:
            yield series
            continue
        key = replace(series.key, method="OTHER")
        before = others.get(key)
        others[key] = replace(series, key=key) if before is None else _together(before, series)
    yield from others.values()


def _together(one: Series, other: Series) -> Series:
    outcomes = {outcome.status: outcome for outcome in one.outcomes}
    for outcome in other.outcomes:
        before = outcomes.get(outcome.status)
        outcomes[outcome.status] = outcome if before is None else _sum(before, outcome)
    return Series(
        one.key,
        min(one.began_at, other.began_at),
        tuple(outcomes.values()),
        one.unanswered + other.unanswered,
        one.in_flight + other.in_flight,
        one.request_bytes + other.request_bytes,
        one.response_bytes + other.response_bytes,
    )


def _sum(one: Outcome, other: Outcome) -> Outcome:
    buckets = dict(one.buckets)
    add(buckets, other.buckets)
    return Outcome(one.status, one.count + other.count, one.sum_ns + other.sum_ns, buckets)
