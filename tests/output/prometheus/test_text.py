"""The text format, read again by Prometheus' own client library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from httptop.collect.histogram import BUCKETS, MIDDLES
from httptop.collect.metrics import Metrics, Outcome
from httptop.output.prometheus.names import DURATION
from httptop.output.prometheus.text import text
from tests.output.prometheus.readings import (
    BOUNDS,
    BUSY,
    Readings,
    key,
    metrics,
    outcome,
    responses,
    series,
)

SERVER = DURATION["server"].name
ROUTE = {"http_route": "/users/{id}", "http_response_status_code": "200"}


def parsed(reading: Metrics, bounds_ns: Sequence[int] = BOUNDS) -> dict[str, Metric]:
    """Return metrics by name, as the library reads them."""
    written = "".join(text(reading, bounds_ns)).encode("utf-8", "replace").decode()
    families = [*text_string_to_metric_families(written)]
    found = {family.name: family for family in families}
    assert len(found) == len(families), "a metric's samples stand together"
    for family in families:
        of = [(one.name, *sorted(one.labels.items())) for one in family.samples]
        assert len(of) == len(set(of)), f"a series of {family.name} is there twice"
        assert family.documentation
        assert family.type != "unknown"
    return found


def value(family: Metric, name: str, labels: Mapping[str, str]) -> float:
    """Return the value of the only sample with such labels."""
    [found] = [
        one.value
        for one in family.samples
        if one.name == name and labels.items() <= one.labels.items()
    ]
    return found


def test_a_histogram_has_what_was_counted() -> None:
    found = parsed(BUSY)[SERVER]
    up_to = {
        one.labels["le"]: one.value
        for one in found.samples
        if ROUTE.items() <= one.labels.items() and one.name.endswith("_bucket")
    }
    assert [*up_to] == [
        *("0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05"),
        *("0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10", "+Inf"),
    ]
    assert (up_to["0.00025"], up_to["0.0005"], up_to["0.01"], up_to["0.025"]) == (0, 2, 2, 3)
    assert up_to["+Inf"] == value(found, f"{SERVER}_count", ROUTE) == 3
    assert value(found, f"{SERVER}_sum", ROUTE) == pytest.approx(0.01261)


def test_responses_of_unknown_latency_are_in_the_last_bucket_alone() -> None:
    found, failed = parsed(BUSY)[SERVER], {"http_response_status_code": "503"}
    assert value(found, f"{SERVER}_bucket", failed | {"le": "10"}) == 1
    assert value(found, f"{SERVER}_bucket", failed | {"le": "+Inf"}) == 3
    assert value(found, f"{SERVER}_count", failed) == 3
    assert value(found, f"{SERVER}_sum", failed) == 2
    assert value(parsed(BUSY)["httptop_unmeasured"], "httptop_unmeasured_total", {}) == 2


def test_labels_are_those_of_opentelemetry() -> None:
    found = parsed(BUSY)
    labels = [dict(one.labels) for one in found[SERVER].samples if one.name.endswith("_count")]
    assert labels[0] == {
        "http_request_method": "GET",
        "http_response_status_code": "200",
        "http_route": "/users/{id}",
        "network_protocol_version": "1.1",
        "process_executable_name": "nginx",
        "process_owner": "www-data",
        "server_port": "80",
        "service_name": "nginx",
        "url_scheme": "http",
    }
    assert labels[1]["error_type"] == "503"
    assert labels[2]["error_type"] == "unknown"
    assert "http_response_status_code" not in labels[2]
    assert labels[3]["http_response_status_code"] == "4xx"
    assert (labels[4]["http_request_method"], labels[4]["http_route"]) == ("_OTHER", "~other")
    assert "error_type" not in labels[4]
    assert labels[4]["network_protocol_version"] == "1.0"
    assert "server_port" not in labels[4]
    [client] = [
        one.labels for one in found[DURATION["client"].name].samples if one.name.endswith("_count")
    ]
    assert client["url_template"] == "/users/{id}"
    assert client["url_scheme"] == "https"
    assert client["error_type"] == "404"  # what a client may take for an error, a server may not
    assert "http_route" not in client


def test_what_else_is_counted_of_endpoints() -> None:
    found = parsed(BUSY)
    of = {"side": "server", "http_route": "/users/{id}"}
    unanswered = found["httptop_requests_unanswered"]
    assert value(unanswered, "httptop_requests_unanswered_total", of) == 3
    assert value(unanswered, "httptop_requests_unanswered_total", {"side": "client"}) == 0
    request_bytes = found["httptop_request_bytes"]
    assert value(request_bytes, "httptop_request_bytes_total", of) == 1000
    response_bytes = found["httptop_response_bytes"]
    assert value(response_bytes, "httptop_response_bytes_total", of) == 2.0**63
    active = found["http_server_active_requests"]
    assert value(active, "http_server_active_requests", {"server_port": "80"}) == 2
    assert value(found["http_client_active_requests"], "http_client_active_requests", {}) == 1


def test_a_series_is_decoded_once() -> None:
    reading = metrics(series(key(), outcome(200, 1)), series(key(side="client"), outcome(200, 1)))
    assert isinstance(reading.series, Readings)
    parsed(reading)
    assert reading.series.read == 2


def test_requests_in_flight_are_added_up_over_paths() -> None:
    reading = metrics(series(key("/a"), in_flight=2), series(key("/b"), in_flight=3))
    [only] = parsed(reading)["http_server_active_requests"].samples
    assert only.value == 5
    assert "http_route" not in only.labels


def test_httptop_says_how_it_is() -> None:
    found = parsed(BUSY)
    [build] = found["httptop_build_info"].samples
    assert build.labels["host_name"] == "web-1"
    ours = {
        name: {tuple(one.labels.values()): one.value for one in family.samples}
        for name, family in found.items()
        if name.startswith("httptop_")
    }
    assert ours["httptop_lost_samples"] == {(): 5}
    assert ours["httptop_late_ticks"] == {(): 0}
    assert ours["httptop_series_folded"] == {(): 7}
    assert ours["httptop_cpu_ratio"] == {(): 0.015}
    assert ours["httptop_bpf_call_seconds"] == {(): pytest.approx(120e-9)}
    assert ours["httptop_table_used_ratio"] == {("endpoints",): 0.25}
    assert ours["httptop_shed"] == {("samples",): 1}
    assert ours["httptop_sink_working"] == {("recording",): 0}
    assert ours["httptop_sink_dropped"] == {("recording",): 2}


def test_what_is_not_known_is_left_out() -> None:
    found = parsed(metrics())
    assert "httptop_cpu_ratio" not in found
    assert "httptop_sink_sent" not in found
    assert SERVER not in found


hostile = st.text(
    st.one_of(st.characters(exclude_categories=()), st.sampled_from('"\\\n\r\t{}=,\x85\u2028'))
)


@settings(max_examples=50)
@given(hostile, hostile, st.integers(0, 2**63))
def test_no_name_breaks_out_of_its_label(path: str, process: str, count: int) -> None:
    reading = metrics(
        series(key(path, process=process), Outcome(200, count, 0, {}), unanswered=count),
        series(key("/last")),
    )
    found = parsed(reading)
    counts = [one for one in found[SERVER].samples if one.name == f"{SERVER}_count"]
    as_sent = path.encode("utf-8", "replace").decode()
    assert [one.value for one in counts] == [count]
    assert counts[0].labels.get("http_route", "") == as_sent


@settings(max_examples=25)
@given(
    st.lists(st.integers(1_000, 3_600_000_000_000), min_size=1, max_size=60, unique=True).map(
        sorted
    ),
    st.lists(
        st.tuples(
            st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 2**40), max_size=40),
            st.integers(0, 10),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_no_bucket_ever_falls(
    bounds_ns: list[int], steps: list[tuple[dict[int, int], int]]
) -> None:
    """Counts of our buckets only grow, so do those of Prometheus', each up to the next."""
    counted: dict[int, int] = {}
    count = 0
    before = [0.0] * (len(bounds_ns) + 1)
    for more, unmeasured in steps:
        for bucket, n in more.items():
            counted[bucket] = counted.get(bucket, 0) + n
        count += sum(more.values()) + unmeasured
        reading = metrics(series(key(), Outcome(200, count, 0, dict(counted))))
        found = parsed(reading, bounds_ns)[SERVER].samples
        up_to = [one.value for one in found if one.name.endswith("_bucket")]
        assert all(now >= then for now, then in zip(up_to, before, strict=True))
        assert up_to == sorted(up_to)
        assert up_to[-1] == count
        for bound_ns, at_most in zip(bounds_ns, up_to, strict=False):
            assert at_most == sum(c for b, c in counted.items() if MIDDLES[b] <= bound_ns)
        before = up_to


@pytest.mark.setting("metrics.bounds")
def test_bounds_are_those_of_the_settings() -> None:
    reading = metrics(series(key(), outcome(200, 1_500_000, 1_500_000_000)))
    found = parsed(reading, (1_000_000, 2_000_000))[SERVER].samples
    ends = {one.labels["le"]: one.value for one in found if one.name.endswith("_bucket")}
    assert ends == {"0.001": 0, "0.002": 1, "+Inf": 2}


def test_all_that_was_counted_is_exported_once() -> None:
    found = parsed(BUSY)
    counts = [
        one.value
        for family in DURATION.values()
        for one in found[family.name].samples
        if one.name.endswith("_count")
    ]
    assert sum(counts) == responses(BUSY.series)
    assert all(map(math.isfinite, counts))
