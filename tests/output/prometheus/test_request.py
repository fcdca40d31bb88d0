"""What a scraper asks for, in bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.output.prometheus.request import LONGEST, BadRequest, Request, is_local, parse

#: What Prometheus 2.42 sends with native histograms, and without; VictoriaMetrics; curl.
NATIVE = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
CLASSIC = (
    "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
VICTORIA = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


def asked(*fields: str, line: str = "GET /metrics HTTP/1.1") -> Request:
    found = parse("\r\n".join((line, *fields, "", "")).encode("latin-1"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("accept", "protobuf"),
    [
        (NATIVE, True),
        (CLASSIC, False),
        (VICTORIA, False),
        ("*/*", False),
        ("", False),
        (NATIVE.replace("delimited", "delimited;q=0.4"), False),
        (NATIVE.replace("delimited", "delimited;q=0"), False),
        (NATIVE.replace("delimited", "text"), False),
        ("text/plain;q=0.3, " + NATIVE.partition(",")[0] + ";q=0.3", True),
        (NATIVE.partition(",")[0].upper(), True),
        (";;;,,=;q=x,", False),
    ],
)
def test_protobuf_is_for_who_prefers_it(accept: str, protobuf: bool) -> None:
    assert asked(f"Accept: {accept}").protobuf is protobuf


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("identity", False),
        ("", False),
    ],
)
def test_what_is_compressed(accepted: str, gzip: bool) -> None:
    assert asked(f"Accept-Encoding: {accepted}").gzip is gzip


def test_all_that_decides_is_read() -> None:
    found = asked(
        "Host: web-1:9742",
        "Accept: text/plain",
        f"accept: {NATIVE}",
        "X-Prometheus-Scrape-Timeout-Seconds: 2.5",
        line="HEAD /metrics?x=1 HTTP/1.0",
    )
    assert found == Request("HEAD", "/metrics", 0, "web-1", True, False, 2.5)
    assert asked("Host: [::1]:9742").host == "[::1]"


@pytest.mark.parametrize(
    ("said", "waits_s"),
    [("0.01", 1), ("15", 15), ("1e9", 10), ("nan", 10), ("-5", 10), ("99999", 60), ("", 10)],
)
def test_a_scraper_says_how_long_it_waits(said: str, waits_s: float) -> None:
    assert asked(f"X-Prometheus-Scrape-Timeout-Seconds: {said}").waits_s == waits_s


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET /metrics HTTP/2.0\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\n\r\n", 400),
        (b"get /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nHost\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n: a\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"x" * LONGEST, 431),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"x" * LONGEST + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused(received: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(received)
    assert refused.value.status == status


def test_lines_may_end_in_a_newline_alone() -> None:
    found = parse(b"GET /healthz HTTP/1.1\nHost: localhost\n\nrest")
    assert found is not None
    assert (found.path, found.host) == ("/healthz", "localhost")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_not_yet_or_refused(received: bytes) -> None:
    for data in (received, b"GET / HTTP/1.1\r\n" + received + b"\r\n\r\n"):
        with contextlib.suppress(BadRequest):
            found = parse(data)
            assert found is None or 1 <= found.waits_s <= 60


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("10.1.2.3", True),
        ("rebound.example", False),
        ("127.0.0.1.example", False),
        ("localhost.example", False),
        ("2130706433", False),
    ],
)
def test_a_name_may_be_anybodys_an_address_is_not(host: str, local: bool) -> None:
    assert is_local(host) is local
