"""Lines of requests: each one line, printable, and what it says can be read back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.model import STATUS_UNKNOWN, EndpointKey, Transaction
from httptop.output.request_log.fields import body_bytes, fitted, host_and_port, value_of
from httptop.output.request_log.formats import Missing, format_of
from httptop.printable import clean
from tests.factory import key, request

#: Texts as they reach a model: of any bytes, made printable.
TEXTS = st.binary(max_size=60).map(clean)
REQUESTS = st.builds(
    Transaction,
    serial=st.integers(1, 2**40),
    started_at=st.floats(0, 4e9),
    key=st.builds(
        EndpointKey,
        side=st.sampled_from(("server", "client")),
        process=TEXTS,
        protocol=st.sampled_from(("HTTP/1.0", "HTTP/1.1")),
        tls=st.booleans(),
        method=st.sampled_from(("GET", "CONNECT", "OTHER")),
        path=TEXTS,
        user=TEXTS,
        port=st.integers(0, 65535),
    ),
    pid=st.integers(0, 2**22),
    path=TEXTS,
    status=st.sampled_from((STATUS_UNKNOWN, 100, 200, 404, 599)),
    latency_ns=st.integers(0, 10**13),
    request_bytes=st.integers(0, 2**60),
    response_bytes=st.none() | st.integers(0, 2**60),
    peer=st.sampled_from((None, "203.0.113.7:443", "[2001:db8::1]:80")),
    slow=st.booleans(),
    response_head=st.lists(TEXTS, max_size=3).map(tuple),
    request_head=st.lists(TEXTS.map("User-Agent: ".__add__), max_size=3).map(tuple),
)
FORMATS = (
    *("json", "text", "clf", "combined"),
    '%{%n%t%Y}t %{end:usec}t|%U%q %a %{c}a %v "%{Set-Cookie}o" %{process}x\\t%{peer_port}x',
)
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
#: Written from Apache's documentation, and not from the code.
COMBINED = re.compile(
    rf"(\S+) - - \[([^]]+)\] {_QUOTED} (\d{{3}}|-) (\d+|-) {_QUOTED} {_QUOTED}", re.ASCII
)
TEXT = re.compile(
    rf"(\S+Z) (server|client) (\S+) {_QUOTED} (\d{{3}}|-) (\d+\.\d{{3}})ms (\d+|-) (.*)\[(\d+|-)\]"
)


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@pytest.fixture(autouse=True)
def eastern_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@given(REQUESTS, st.sampled_from(FORMATS), st.none() | st.integers(600, 2000))
def test_a_line_is_one_line_and_printable(
    sampled: Transaction, name: str, most_bytes: int | None
) -> None:
    line = format_of(name).line(sampled, most_bytes)
    assert line.replace("\t", "").isprintable()
    assert len(line.splitlines()) == 1
    assert most_bytes is None or len(line.encode()) <= most_bytes


@given(REQUESTS)
def test_json_says_all_that_is_known(sampled: Transaction) -> None:
    found = json.loads(format_of("json").line(sampled))
    assert found["serial"] == sampled.serial
    moment = datetime.fromisoformat(found["time"]).timestamp()
    assert moment == pytest.approx(sampled.started_at, abs=2e-6)
    assert (found["path"], found["target"]) == (sampled.key.path, sampled.path)
    assert (found["process"], found.get("user", "")) == (sampled.key.process, sampled.key.user)
    assert found.get("status", STATUS_UNKNOWN) == sampled.status
    assert found["latency_ms"] == pytest.approx(sampled.latency_ns / 1e6, abs=1e-6)
    assert found.get("response_bytes") == sampled.response_bytes
    assert tuple(found.get("response_head", ())) == sampled.response_head
    assert tuple(found.get("request_head", ())) == sampled.request_head
    assert (found["side"], found["tls"], found["slow"], found.get("peer")) == (
        *(sampled.key.side, sampled.key.tls, sampled.slow, sampled.peer),
    )


@given(REQUESTS, st.integers(700, 1200))
def test_json_that_is_cut_is_still_json(sampled: Transaction, most_bytes: int) -> None:
    found = json.loads(format_of("json").line(sampled, most_bytes))
    assert found["serial"] == sampled.serial
    assert found["target"].removesuffix("…") in sampled.path


@given(REQUESTS)
def test_the_combined_format_is_read_back_by_who_does_not_know_httptop(
    sampled: Transaction,
) -> None:
    match = COMBINED.fullmatch(format_of("combined").line(sampled))
    assert match is not None
    host, moment, line, status, size, referer, agent = match.groups()
    assert host == {None: "-", "203.0.113.7:443": "203.0.113.7"}.get(sampled.peer, "2001:db8::1")
    at = datetime.strptime(moment, "%d/%b/%Y:%H:%M:%S %z")
    assert at.timestamp() == int(sampled.started_at)
    assert moment.endswith("+0530")
    asked = f"{sampled.key.method} {sampled.path} {sampled.key.protocol}"
    assert unescaped(line) == asked
    assert status == ("-" if sampled.status == STATUS_UNKNOWN else str(sampled.status))
    assert size == str(body_bytes(sampled) or "-")
    assert referer == "-"
    agents = [line.removeprefix("User-Agent: ").strip() for line in sampled.request_head]
    assert unescaped(agent) == (", ".join(agents) or "-")
    assert format_of("clf").line(sampled) == (f'{host} - - [{moment}] "{line}" {status} {size}')


@given(REQUESTS)
def test_text_is_read_back(sampled: Transaction) -> None:
    match = TEXT.fullmatch(format_of("text").line(sampled))
    assert match is not None
    moment, side, peer, line, status, latency_ms, size, process, pid = match.groups()
    at = datetime.fromisoformat(moment).timestamp()
    assert at == pytest.approx(sampled.started_at, abs=1.1e-3)
    assert (side, peer) == (sampled.key.side, sampled.peer or "-")
    assert unescaped(line).split(" ", 1)[0] == sampled.key.method
    assert status == ("-" if sampled.status == STATUS_UNKNOWN else str(sampled.status))
    assert float(latency_ms) == pytest.approx(sampled.latency_ns / 1e6, abs=1e-3)
    assert (process, pid) == (sampled.key.process, str(sampled.pid or "-"))
    assert size == ("-" if sampled.response_bytes is None else str(sampled.response_bytes))


def test_every_letter() -> None:
    sampled = request(
        7,
        replace(key(), port=8080),
        path='/users/7?q="x"',
        latency_ns=1_234_567_890,
        request_head=("Host: example.org:80", "Referer: /a\\b", "X: 1", "x: 2"),
        response_head=("HTTP/1.1 200 OK", "Content-Length: 2000", "Server: s"),
        slow=True,
    )

    def line(format: str) -> str:
        return format_of(format).line(sampled)

    assert line("%a %{c}a %h %l %u %p %P %m %H") == (
        "10.1.2.3 10.1.2.3 10.1.2.3 - - 8080 12 GET HTTP/1.1"
    )
    assert line("%U %q %r") == r"/users/7 ?q=\"x\" GET /users/7?q=\"x\" HTTP/1.1"
    assert line("%s %>s %<s %b %B %I %O") == "200 200 200 2000 2000 80 2048"
    assert line("%D %T %{s}T %{ms}T %{us}T") == "1234567 1 1 1234 1234567"
    assert line("%t %{%F %T}t") == "[15/Nov/2023:03:43:27 +0530] 2023-11-15 03:43:27"
    assert line("%{sec}t %{begin:msec_frac}t %{end:sec}t") == "1700000007 000 1700000008"
    assert line("%{msec}t %{usec}t %{usec_frac}t") == "1700000007000 1700000007000000 000000"
    assert line("%{Referer}i %{x}i %{Cookie}i %v %V") == (
        r"/a\\b 1, 2 - example.org:80 example.org:80"
    )
    assert line("%200,404{Server}o %404{Server}o %!200{Server}o %!404{Server}o") == "s - - s"
    assert line("%{serial}x %{side}x %{process}x %{peer}x %{peer_port}x %{endpoint}x") == (
        "7 server nginx 10.1.2.3:4567 4567 /users/{id}"
    )
    assert line("%{scheme}x %{slow}x %{latency_ms}x") == "http slow 1234.568"


def test_the_length_of_the_content_is_what_the_response_says() -> None:
    says = ("HTTP/1.1 200 OK", "content-length:  12 ")
    assert body_bytes(request(1, response_head=says)) == 12
    assert body_bytes(request(1, response_head=says, response_bytes=None)) is None
    assert body_bytes(request(1, response_head=says, status=304)) == 0
    assert body_bytes(request(1, key(method="HEAD"), response_head=says)) == 0
    assert body_bytes(request(1, response_head=("HTTP/1.1 200 OK",))) is None
    masked = ("HTTP/1.1 200 OK", "Content-Length: ***")
    assert body_bytes(request(1, response_head=masked)) is None


def test_parts_of_a_request() -> None:
    assert host_and_port("[::1]:80") == ("::1", "80")
    assert host_and_port("unix") == ("unix", "-")
    assert host_and_port(None) == ("-", "-")
    assert value_of(("Refererx: 1", "no field", "referer: 2"), "referer") == "2"
    assert fitted("é" * 10, 11) == "é" * 4 + "..."
    assert fitted("é" * 10, 20) == "é" * 10


def test_what_is_missing_is_a_line_of_its_own() -> None:
    missing = Missing(dropped=1, lost=2345)
    assert json.loads(format_of("json").missing(missing, 1.7e9)) == {
        "time": "2023-11-14T22:13:20.000000Z",
        "dropped": 1,
        "lost_samples": 2345,
    }
    for name in FORMATS[1:]:
        assert format_of(name).missing(missing, 1.7e9) == (
            "# httptop: 1 request dropped: too slow, or failed; "
            "2,345 samples lost on the way from the kernel"
        )


@given(REQUESTS)
def test_a_file_is_known_by_its_first_line(sampled: Transaction) -> None:
    formats = [format_of(name) for name in FORMATS]
    for made in formats:
        for first in (made.line(sampled), made.missing(Missing(1), 1.7e9)):
            for start in (first.encode(), first.encode() + b"\nmore"):
                assert made.is_first(start)
    assert not any(made.is_first(b"root:x:0:0:root:/root:/bin/bash\n") for made in formats[:4])
    for other in (b"#!/bin/sh\n", b'a - - [b] "c d e" f g\n', b"- - -\n", b"\xff\xfe\n"):
        assert not any(made.is_first(other) for made in formats)
    anything = format_of("%h %U")
    assert not anything.is_first(anything.line(sampled).encode())
    assert anything.is_first(anything.missing(Missing(1), 1.7e9).encode())
