"""Native histograms, read again by the official protobuf library."""

from __future__ import annotations

from decimal import Decimal, getcontext
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from httptop.collect.histogram import BUCKETS, MIDDLES, bucket_of
from httptop.collect.metrics import Metrics, Outcome
from httptop.output.prometheus.buckets import INFINITE, SCHEMA, native_places
from httptop.output.prometheus.names import DURATION
from httptop.output.prometheus.native import native
from tests.output.prometheus.client_model import COUNTER, GAUGE, HISTOGRAM, buckets, families
from tests.output.prometheus.readings import BUSY, Readings, key, metrics, responses, series
from tests.output.prometheus.test_text import hostile, parsed

SERVER = DURATION["server"].name


def read(reading: Metrics) -> dict[str, Any]:
    """Return families by name."""
    found = families(b"".join(native(reading)))
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def labels(metric: Any) -> dict[str, str]:
    return {pair.name: pair.value for pair in metric.label}


def test_it_says_the_same_as_the_text() -> None:
    ours, theirs = read(BUSY), parsed(BUSY)
    kinds = {"counter": (COUNTER, "counter"), "gauge": (GAUGE, "gauge")}
    for name, family in theirs.items():
        if family.type == "histogram":
            counts = {
                frozenset(one.labels.items()): one.value
                for one in family.samples
                if one.name.endswith("_count")
            }
            native_counts = {
                frozenset(labels(one).items()): one.histogram.sample_count
                for one in ours[name].metric
            }
            assert ours[name].type == HISTOGRAM
            assert native_counts == counts
            continue
        suffix = "_total" if family.type == "counter" else ""
        found = ours[name + suffix]
        kind, attribute = kinds[family.type]
        assert (found.type, found.help) == (kind, family.documentation)
        assert {
            frozenset(labels(one).items()): getattr(one, attribute).value for one in found.metric
        } == {frozenset(one.labels.items()): one.value for one in family.samples}
    assert len(ours) == len(theirs)


def test_every_response_is_in_one_bucket() -> None:
    found = read(BUSY)
    histograms = [
        one.histogram for family in DURATION.values() for one in found[family.name].metric
    ]
    assert sum(one.sample_count for one in histograms) == responses(BUSY.series)
    for one in histograms:
        assert (one.schema, one.zero_threshold, one.zero_count) == (SCHEMA, 2.0**-128, 0)
        assert sum(buckets(one).values()) == one.sample_count
        assert not one.bucket


def test_what_was_not_measured_is_in_the_bucket_of_infinity() -> None:
    [failed] = [
        one.histogram
        for one in read(BUSY)[SERVER].metric
        if labels(one).get("http_response_status_code") == "503"
    ]
    assert INFINITE == 32769
    assert buckets(failed) == {native_places()[bucket_of(2_000_000_000)]: 1, INFINITE: 2}
    assert failed.sample_sum == 2


def test_our_buckets_have_the_right_place() -> None:
    """As exact arithmetic has it: the bound below is less than the middle, the one above is not."""
    getcontext().prec = 60
    root = Decimal(2) ** (Decimal(1) / 32)
    for middle, index in zip(MIDDLES, native_places(), strict=True):
        seconds = Decimal(middle) / 10**9
        assert root ** (index - 1) < seconds <= root**index
    assert list(native_places()) == sorted(native_places())


some_counts = st.one_of(
    st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 2**63 // BUCKETS)),
    st.dictionaries(st.integers(400, 460), st.integers(1, 2000)),
)


@settings(max_examples=50)
@given(some_counts, st.integers(0, 3), st.integers(0, 2**40))
def test_counts_come_back_whatever_they_are(
    counted: dict[int, int], unmeasured: int, sum_ns: int
) -> None:
    count = sum(counted.values()) + unmeasured
    reading = metrics(series(key(), Outcome(200, count, sum_ns, counted)))
    [metric] = read(reading)[SERVER].metric
    expected = {INFINITE: unmeasured} if unmeasured else {}
    for bucket, n in counted.items():
        index = native_places()[bucket]
        expected[index] = expected.get(index, 0) + n
    found = buckets(metric.histogram)
    assert {index: n for index, n in found.items() if n} == expected
    assert metric.histogram.sample_count == count
    assert metric.histogram.sample_sum == sum_ns / 1e9
    # Prometheus refuses spans that touch, and would rather have no long gaps written out.
    spans = metric.histogram.positive_span
    assert all(span.offset > 0 for span in spans[1:])
    assert len(found) <= 3 * len(expected)


@given(hostile)
def test_any_path_comes_back(path: str) -> None:
    [metric] = read(metrics(series(key(path), Outcome(200, 1, 1, {5: 1}))))[SERVER].metric
    assert labels(metric)["http_route"] == path.encode("utf-8", "replace").decode()


def test_a_series_is_decoded_once() -> None:
    reading = metrics(series(key(), Outcome(200, 1, 1, {5: 1})), series(key(side="client")))
    assert isinstance(reading.series, Readings)
    read(reading)
    assert reading.series.read == 2


def test_many_series_come_back() -> None:
    """More than fit into one piece, and they are one family: readers may keep one of a name."""
    many = [series(key(f"/{n}"), Outcome(200, n, n, {n % BUCKETS: n})) for n in range(1, 2000)]
    found = read(metrics(*many))
    assert {
        labels(one)["http_route"]: one.histogram.sample_count for one in found[SERVER].metric
    } == {f"/{n}": n for n in range(1, 2000)}
    assert len(found["httptop_request_bytes_total"].metric) == 1999
