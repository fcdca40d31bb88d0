"""Asking a server: what is sent, bounds of time and memory, garbage, connections that break."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from httptop.errors import UsageError
from httptop.fleet import client as client_module
from httptop.fleet.address import parse_source
from httptop.fleet.client import Client
from httptop.fleet.problems import FleetError, Refused
from httptop.fleet.results import Element, elements, labels_of
from tests.fleet.fake import NOW, Server, response, small

PATIENCE_S = 60.0


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(small()) as made:
        yield made


def ask(
    server: Server, expression: str = "vector(time())", limit_s: float = PATIENCE_S
) -> list[Element]:
    client = Client(parse_source(f"prometheus:{server.url}"))
    try:
        with client.within(limit_s):
            return list(client.query(expression, NOW))
    finally:
        client.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("prometheus:http://127.0.0.1:9090", "http://127.0.0.1:9090"),
        (
            "prometheus:https://prometheus.example/api/prom/",
            "https://prometheus.example:443/api/prom",
        ),
        ("prometheus:http://[::1]:9090", "http://[::1]:9090"),
        ("prometheus:http://me:secret@host", "http://host:80"),
    ],
)
def test_an_address_is_shown_without_who_asks(text: str, shown: str) -> None:
    address = parse_source(text)
    assert str(address) == shown
    assert "secret" not in f"{address!r}{address}"


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9090",
        "prometheus:",
        "prometheus:127.0.0.1:9090",
        "prometheus:ftp://host",
        "prometheus:http://host:0",
        "prometheus:http://host:99999",
        "prometheus:http://host/?query=up",
        "prometheus:http://host/a b",
        "prometheus:http://host/\r\nX: y",
        "prometheus:http://[::1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--from"):
        parse_source(text)


def test_a_query_is_a_post_with_its_time(server: Server) -> None:
    client = Client(parse_source(f"prometheus:{server.url.replace('//', '//me:pass%3A@')}/prefix"))
    with client.within(PATIENCE_S):
        (found,) = client.query("vector(time())", NOW)
        assert found.value == NOW
        list(client.query("vector(time())", None))
    client.close()
    (fields, form), (_, without) = server.requests
    assert fields["path"] == "/prefix/api/v1/query"
    assert fields["Authorization"] == "Basic bWU6cGFzczo="
    assert form["query"] == ["vector(time())"]
    assert form["time"] == [f"{NOW:.3f}"]
    assert form["timeout"][0].endswith("ms")
    assert "time" not in without


def test_what_the_server_refuses_is_told(server: Server) -> None:
    with pytest.raises(Refused, match=r"it answers 400: .* does not know nonsense"):
        ask(server, "nonsense")


def _sends(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler, str], None]:
    return lambda handler, _: Server.send(handler, status, body)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"<html>", "not of Prometheus: <html>"),
        (200, b"", "not of Prometheus"),
        (200, b"\x1b[31m" * 2000, "not of Prometheus: .x1b"),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}', "not of"),
        (200, response("vector", [])[:-2], "cut off"),
        (200, response("vector", [{"metric": {}, "value": [1, "x"]}]), "a number is expected"),
        (200, response("vector", [{"metric": {}, "value": [1, 2]}]), "not of Prometheus"),
        (200, response("vector", [{"value": [1, "2"]}]), "not of Prometheus"),
        (200, response("vector", [{"metric": {}}]), "not of Prometheus"),
        (200, response("vector", [])[:-3] + b"[" * 9999, "deep"),
        (200, response("vector", [], isPartial=True), "a part of the answer only"),
        (200, response("vector", [], warnings=["partial response"]), "a part of the answer only"),
        (200, response("vector", [{"metric": {"a": "b" * 2_000_000}}]), "too long"),
        (503, b'{"status":"error","error":"starting\\u001b[2J"}', "503: starting.x1b"),
        (302, b"", "302"),
        (401, b"who are you?", "401: Unauthorized"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)  # fmt: skip
def test_garbage_is_told_in_a_line(server: Server, status: int, body: bytes, told: str) -> None:
    server.answers = _sends(status, body)
    with pytest.raises(FleetError, match=told) as caught:
        ask(server)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_answer_has_a_bound_uncompressed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MOST_BYTES", 1 << 20)
    many = response("vector", [{"metric": {}, "value": [1, "2"]}] * 100_000)
    server.answers = _sends(200, many)
    with pytest.raises(FleetError, match="longer than 1 MiB"):
        ask(server)


def test_a_server_that_says_nothing_is_given_up(server: Server) -> None:
    release = threading.Event()

    def say_nothing(*_: object) -> None:
        release.wait(PATIENCE_S)

    server.answers = say_nothing
    with pytest.raises(FleetError, match=r"not answered within 0\.2s"):
        ask(server, limit_s=0.2)
    release.set()


def test_a_server_that_drips_is_given_up(server: Server) -> None:
    release = threading.Event()

    def drip(handler: BaseHTTPRequestHandler, _: str) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b'{"status":')
        handler.wfile.flush()
        release.wait(PATIENCE_S)

    server.answers = drip
    with pytest.raises(FleetError, match=r"not answered within 0\.3s"):
        ask(server, limit_s=0.3)
    release.set()


def test_whoever_ends_the_run_ends_a_query(server: Server) -> None:
    asked, release = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        asked.set()
        release.wait(PATIENCE_S)

    server.answers = hang
    client = Client(parse_source(f"prometheus:{server.url}"))
    ended: list[BaseException] = []

    def run() -> None:
        try:
            with client.within(PATIENCE_S):
                list(client.query("vector(time())", None))
        except FleetError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert asked.wait(PATIENCE_S)
    client.abort()
    thread.join(PATIENCE_S)
    assert ended
    release.set()


def test_a_connection_that_the_server_closed_is_made_anew(server: Server) -> None:
    client = Client(parse_source(f"prometheus:{server.url}"))
    closes: list[bool] = []

    def once(handler: BaseHTTPRequestHandler, expression: str) -> None:
        server.answer(handler, expression)
        handler.close_connection = not closes
        closes.append(True)

    server.answers = once
    with client.within(PATIENCE_S):
        list(client.query("vector(time())", None))
        assert list(client.query("vector(time())", None))
    client.close()


def test_a_closed_port_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client(parse_source(f"prometheus:http://127.0.0.1:{port}"))
    with client.within(PATIENCE_S), pytest.raises(FleetError, match="connection refused"):
        list(client.query("vector(time())", None))


def test_elements_are_read_whatever_the_pieces() -> None:
    result = [
        {"metric": {"a": '"}],"value":[1,"2"]', "path": "/{id}/ü\\"}, "value": [NOW, "3.5"]},
        {"metric": {}, "value": [NOW, "NaN"]},
        {"metric": {"le": "+Inf"}, "histogram": [NOW, {"count": "2", "sum": "0.5", "buckets": []}]},
    ]
    for body in (
        response("vector", result),
        json.dumps(json.loads(response("vector", result)), indent=1).encode(),
    ):
        for size in (1, 7, 64, 10_000):
            found = list(elements(body[at : at + size] for at in range(0, len(body), size)))
            assert [labels_of(one.labels) for one in found] == [one["metric"] for one in result]
            assert found[0].value == 3.5
            assert found[1].value != found[1].value
            assert found[2].histogram is not None
            assert found[2].histogram.total == 2


_WHOLE: Final = response(
    "vector",
    [
        {"metric": {"path": '/{id}/ü\\"', "le": "+Inf"}, "value": [NOW, "3.5"]},
        {
            "metric": {},
            "histogram": [NOW, {"count": "2", "sum": "1", "buckets": [[0, "1", "2", "3"]]}],
        },
        {"metric": {"a": "b"}, "values": [[NOW, "1"], [NOW + 1, "2"]]},
    ],
    warnings=["slow"],
)


@given(st.data())
def test_any_bytes_are_elements_or_a_line_that_says_why_not(data: st.DataObject) -> None:
    body = bytearray(_WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body)))
        until = data.draw(st.integers(at, min(len(body), at + 9)))
        some = st.binary(max_size=4) | st.sampled_from(
            [b"{", b"}", b"[", b"]", b'"', b",", b"1e999"]
        )
        body[at:until] = data.draw(some)
    size = data.draw(st.integers(1, 200))
    with contextlib.suppress(FleetError):
        for found in elements(bytes(body[at : at + size]) for at in range(0, len(body), size)):
            assert isinstance(found.value, float)
            labels_of(found.labels)
