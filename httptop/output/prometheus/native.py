"""Prometheus' protobuf format with native histograms: delimited MetricFamily messages.

https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto has the
messages. They are few and small, so they are written by hand: the library would take as much memory
as the rest of a scrape. Buckets stand as spans of those that follow each other, each with its
difference to the one before; a gap of up to two empty ones is written out.

A message begins with its length, so families are whole in memory: packed, about 110 bytes for an
endpoint of one status instead of 1,160. Several messages of one name would do for Prometheus, but
other readers keep the last of them.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from httptop.collect.metrics import Metrics, Outcome
from httptop.linux.stretches import give_way
from httptop.model import SIDES
from httptop.output.prometheus.buckets import INFINITE, SCHEMA, native_places
from httptop.output.prometheus.columns import COUNTERS, Active, counted
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

CONTENT_TYPE: Final = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
#: MetricType, and the field of Metric that has the value.
_KINDS: Final = {"counter": (0, 3), "gauge": (1, 2), "histogram": (4, 7)}
#: Below it is the bucket of zero. Nothing is; that there is one says that a histogram is native.
_ZERO_THRESHOLD: Final = 2.0**-128
#: So many empty buckets are no gap between spans.
_SHORT_GAP: Final = 2
_PIECE: Final = 1 << 16


def native(metrics: Metrics) -> Iterator[bytes]:
    """Yield the exposition of a reading, a family at a time."""
    active, counters = Active(), [_Pieces() for _ in COUNTERS]
    field = _KINDS["counter"][1]
    for side in SIDES:
        histograms, of_side = _Pieces(), _labels((side_label(side),))
        for series in metrics.series.of(side):
            active.add(series)
            endpoint = _as_label(*route_of(series.key)) + _labels(labels_of(series.key))
            for outcome in series.outcomes:
                labels = endpoint + _labels(outcome_labels(side, outcome.status))
                histograms.add(_metric(labels, 7, _histogram(outcome)))
            labels = of_side + endpoint
            for values, number in zip(counters, counted(series), strict=True):
                values.add(_metric(labels, field, _value(number)))
            give_way()
        yield from _family(DURATION[side], histograms)
    for family, samples in (*active.samples(), *own_samples(metrics)):
        yield from _family(family, _values(family, samples))
    for family, values in zip(COUNTERS, counters, strict=True):
        yield from _family(family, values)


class _Pieces:
    """Bytes in pieces, each packed once it is full: what series have in common takes no memory."""

    def __init__(self) -> None:
        self.size = 0
        self._full: deque[bytes] = deque()
        self._growing: list[bytes] = []
        self._growing_size = 0

    def add(self, some: bytes) -> None:
        self._growing.append(some)
        self.size += len(some)
        self._growing_size += len(some)
        if self._growing_size >= _PIECE:
            self._seal()

    def take(self) -> Iterator[bytes]:
        """Yield the pieces, and let each go."""
        self._seal()
        while self._full:
            yield zlib.decompress(self._full.popleft())

    def _seal(self) -> None:
        self._full.append(zlib.compress(b"".join(self._growing), 1))
        self._growing.clear()
        self._growing_size = 0


def _family(family: Family, metrics: _Pieces) -> Iterator[bytes]:
    """Yield a MetricFamily with its length; ``metrics``: all of its field 4; none: no family."""
    if metrics.size:
        kind = _KINDS[family.kind][0]
        head = _text(1, family.name) + _text(2, family.help) + _number(3, kind)
        yield _varint(len(head) + metrics.size) + head
        yield from metrics.take()


def _values(family: Family, samples: Iterable[tuple[Labels, float]]) -> _Pieces:
    field = _KINDS[family.kind][1]
    written = _Pieces()
    for labels, value in samples:
        written.add(_metric(_labels(labels), field, _value(value)))
    return written


def _metric(labels: bytes, field: int, value: bytes) -> bytes:
    """Return a Metric as field 4 of its family; ``field``: of what kind the value is."""
    inner = _varint(field << 3 | 2) + _varint(len(value))
    return b"\x22" + _varint(len(labels) + len(inner) + len(value)) + labels + inner + value


def _value(value: float) -> bytes:
    """Return a Counter or a Gauge."""
    return b"\x09" + struct.pack("<d", value)


def _histogram(outcome: Outcome) -> bytes:
    """Return a native Histogram of an outcome; latencies that are not known are in +Inf."""
    offsets: list[int] = []
    lengths: list[int] = []
    deltas: list[int] = []
    place = native_places()
    buckets, total = outcome.buckets, 0
    end = before = in_hand = 0  # one beyond the last bucket; what it has
    current: int | None = None
    for bucket in sorted(buckets):
        index = place[bucket]
        count = buckets[bucket]
        total += count
        if index == current:  # two of ours are one of theirs
            in_hand += count
            continue
        if current is not None:
            deltas.append(in_hand - before)
            before, end = in_hand, current + 1
        gap = index - end
        if lengths and gap <= _SHORT_GAP:
            if gap:
                deltas.append(-before)
                deltas.extend([0] * (gap - 1))
                before = 0
            lengths[-1] += gap + 1
        else:
            offsets.append(gap)
            lengths.append(1)
        current, in_hand = index, count
    if current is not None:
        deltas.append(in_hand - before)
        before, end = in_hand, current + 1
    if outcome.count > total:
        offsets.append(INFINITE - end)
        lengths.append(1)
        deltas.append(outcome.count - total - before)
        total = outcome.count
    spans = b"".join(
        [
            b"\x62" + _delimited(b"\x08" + _signed(offset) + b"\x10" + _varint(length))
            for offset, length in zip(offsets, lengths, strict=True)
        ]
    )
    return (
        b"\x08"
        + _varint(total)
        + b"\x11"
        + struct.pack("<d", outcome.sum_ns / 1e9)
        + _CONSTANT
        + spans
        + (b"\x6a" + _delimited(b"".join([_signed(delta) for delta in deltas])) if deltas else b"")
    )


# ---- the wire: https://protobuf.dev/programming-guides/encoding/ ---------------------------------


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _BYTES[value]
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


_BYTES: Final = [bytes((byte,)) for byte in range(256)]


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)


#: Small numbers, most of the differences between buckets: index 0 is the least.
_SMALL: Final = 1024
_SIGNED: Final = [_zigzag(value) for value in range(-_SMALL, _SMALL)]


def _signed(value: int) -> bytes:
    return _SIGNED[value + _SMALL] if -_SMALL <= value < _SMALL else _zigzag(value)


def _delimited(value: bytes) -> bytes:
    return _varint(len(value)) + value


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _varint(field << 3 | 2) + _delimited(value.encode("utf-8", "replace"))


@lru_cache(2048)
def _labels(labels: Labels) -> bytes:
    """Return labels that many series have, as field 1 of their metrics."""
    return b"".join(map(_label, labels))


def _label(pair: Pair) -> bytes:
    return _as_label(*pair)


def _as_label(name: str, value: str) -> bytes:
    return b"\x0a" + _delimited(_text(1, name) + _text(2, value))


#: schema and zero_threshold of all histograms.
_CONSTANT: Final = b"\x28" + _signed(SCHEMA) + b"\x31" + struct.pack("<d", _ZERO_THRESHOLD)
