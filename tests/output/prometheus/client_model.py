"""Prometheus' messages, after the official definitions, for the official protobuf library.

https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto, version
0.6: what is here has the names, numbers and types that stand there.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_SCALARS: Final = {
    "double": 1,
    "int64": 3,
    "uint64": 4,
    "int32": 5,
    "string": 9,
    "uint32": 13,
    "sint32": 17,
    "sint64": 18,
}
#: "number label type name"; repeated fields have a star before their type.
_MESSAGES: Final = {
    "LabelPair": "1 string name, 2 string value",
    "Gauge": "1 double value",
    "Counter": "1 double value",
    "Bucket": "1 uint64 cumulative_count, 4 double cumulative_count_float, 2 double upper_bound",
    "BucketSpan": "1 sint32 offset, 2 uint32 length",
    "Histogram": (
        "1 uint64 sample_count, 4 double sample_count_float, 2 double sample_sum, "
        "3 *Bucket bucket, 5 sint32 schema, 6 double zero_threshold, 7 uint64 zero_count, "
        "8 double zero_count_float, 9 *BucketSpan negative_span, 10 *sint64 negative_delta, "
        "11 *double negative_count, 12 *BucketSpan positive_span, 13 *sint64 positive_delta, "
        "14 *double positive_count"
    ),
    "Metric": (
        "1 *LabelPair label, 2 Gauge gauge, 3 Counter counter, 7 Histogram histogram, "
        "6 int64 timestamp_ms"
    ),
    "MetricFamily": "1 string name, 2 string help, 3 int32 type, 4 *Metric metric, 5 string unit",
}
_PACKAGE: Final = "io.prometheus.client"
#: MetricType.
COUNTER, GAUGE, HISTOGRAM = 0, 1, 4


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="metrics.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for one in fields.split(", "):
            number, kind, called = one.split()
            repeated, kind = kind.startswith("*"), kind.removeprefix("*")
            field = message.field.add(name=called, number=int(number), label=3 if repeated else 1)
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = 11, f".{_PACKAGE}.{kind}"
    return file


_pool: Final = descriptor_pool.DescriptorPool()
_pool.Add(_file())
MetricFamily: Final[Any] = message_factory.GetMessageClass(
    _pool.FindMessageTypeByName(f"{_PACKAGE}.MetricFamily")
)


def families(data: bytes) -> list[Any]:
    """Return the delimited families that stand one behind the other."""
    found = []
    at = 0
    while at < len(data):
        length = shift = 0
        while True:
            byte = data[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found.append(MetricFamily.FromString(data[at : at + length]))
        at += length
    assert at == len(data)
    return found


def buckets(histogram: Any) -> dict[int, int]:
    """Return the counts of a native histogram by the index of their buckets."""
    found: dict[int, int] = {}
    deltas = iter(histogram.positive_delta)
    index = count = 0
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            found[index] = count
            index += 1
    assert next(deltas, None) is None
    return found
