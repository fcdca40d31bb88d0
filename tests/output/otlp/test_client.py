"""What is sent to a receiver, and how its answers are understood, whatever they are."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from httptop.output.otlp.client import Client
from httptop.output.otlp.receiver import Receiver
from httptop.output.sink import SendError
from tests.output.otlp.receiving import PROTOBUF, Receiving, receiver
from tests.patience import PATIENCE_S

NOW_S = 1_767_268_800.0
MESSAGE = ExportMetricsServiceRequest().SerializeToString()
SECRET = "s3cr3t-t0ken"


@pytest.fixture
def receiving() -> Iterator[Receiving]:
    with Receiving() as receiving:
        yield receiving


def client_of(to: Receiver) -> Client[ExportMetricsServiceResponse]:
    return Client(to, ExportMetricsServiceResponse, now=lambda: NOW_S)


@pytest.fixture
def client(receiving: Receiving) -> Iterator[Client[ExportMetricsServiceResponse]]:
    fields = (("Authorization", f"Bearer {SECRET}"), ("X-Tenant", "a"))
    with contextlib.closing(
        client_of(receiver(receiving.url + "/v1/metrics", fields=fields))
    ) as client:
        yield client


def failure(client: Client[ExportMetricsServiceResponse]) -> SendError:
    """Return how a request fails."""
    with pytest.raises(SendError) as raised:
        client.post(MESSAGE)
    return raised.value


@pytest.mark.parametrize("compressed", [True, False])
def test_a_message_arrives_with_its_fields(receiving: Receiving, compressed: bool) -> None:
    to = receiver(receiving.url + "/v1/metrics", fields=(("X-Tenant", "a"),), compressed=compressed)
    client = client_of(to)
    for _ in range(3):
        assert not client.post(MESSAGE).partial_success.rejected_data_points
    client.close()
    assert len(receiving.got) == 3
    assert len(receiving._connections) == 1
    fields = receiving.fields[-1]
    assert fields["X-Tenant"] == "a"
    assert fields.get("Content-Encoding") == ("gzip" if compressed else None)
    assert fields["User-Agent"].startswith("httptop")


def test_what_is_refused_in_part_is_told(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse]
) -> None:
    partial = ExportMetricsPartialSuccess(rejected_data_points=3, error_message="too old")
    content = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    receiving.answers.append((200, content, PROTOBUF))
    assert client.post(MESSAGE).partial_success == partial


@pytest.mark.parametrize("content", [b"", b"OK", b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f"])
def test_a_success_is_one_whatever_it_says(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse], content: bytes
) -> None:
    receiving.answers.append((202, content, PROTOBUF))
    assert not client.post(MESSAGE).partial_success.rejected_data_points


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 500, 501])
def test_what_is_refused_for_good(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse], status: int
) -> None:
    receiving.answers.append((status, b"no such thing", {"Retry-After": "9"}))
    error = failure(client)
    assert (error.rejected, error.final, error.retry_after_s) == (True, False, 0)
    assert str(error) == f"{receiving.url}/v1/metrics: it answers {status}: no such thing"
    assert client.post(MESSAGE) is not None


@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [
        (None, 0),
        ("0", 0),
        ("17", 17),
        ("99999999999", 600),
        ("-1", 0),
        ("soon", 0),
        ("²", 0),
        (format_datetime(datetime.fromtimestamp(NOW_S + 30, UTC), usegmt=True), 30),
        (format_datetime(datetime.fromtimestamp(NOW_S - 30, UTC), usegmt=True), 0),
        ("Fri, 99 Foo 2026 00:00:00 GMT", 0),
    ],
)
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_is_to_be_tried_again_and_when(
    receiving: Receiving,
    client: Client[ExportMetricsServiceResponse],
    status: int,
    asked: str | None,
    wait_s: float,
) -> None:
    receiving.answers.append((status, b"", {} if asked is None else {"Retry-After": asked}))
    error = failure(client)
    assert (error.rejected, error.final) == (False, False)
    assert error.retry_after_s == pytest.approx(wait_s, abs=1)


def test_the_words_of_a_status_are_shown(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse]
) -> None:
    status = b"\x08\x03\x12\x09not today"  # google.rpc.Status: code, message
    receiving.answers.append((400, status, PROTOBUF))
    assert str(failure(client)).endswith("it answers 400: not today")


def test_a_secret_that_comes_back_is_masked(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse]
) -> None:
    receiving.answers.append((401, f"bad: Bearer {SECRET}, {SECRET}!".encode(), {}))
    assert str(failure(client)).endswith("it answers 401: bad: ***, ***!")
    assert SECRET not in repr(client._receiver)


def test_hostile_words_are_cleaned_and_cut(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse]
) -> None:
    receiving.answers.append((400, b"\x1b[2J\r\n\x00" + b"x" * 50_000, {}))
    text = str(failure(client))
    assert text.isprintable()
    assert len(text) < 300


def test_a_redirection_is_not_followed(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse]
) -> None:
    receiving.answers.append((307, b"", {"Location": receiving.url + "/v1/traces"}))
    error = failure(client)
    assert error.rejected
    assert "redirections are not followed" in str(error)
    assert not receiving.got


def test_an_idle_connection_that_was_ended_is_opened_again(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse]
) -> None:
    client.post(MESSAGE)
    receiving.answers.append((0, b"", {}))
    client.post(MESSAGE)
    assert len(receiving.got) == 2
    assert len(receiving._connections) == 2


def test_a_receiver_that_hangs_up_at_once_has_failed(
    receiving: Receiving, client: Client[ExportMetricsServiceResponse]
) -> None:
    receiving.answers.append((0, b"", {}))
    error = failure(client)
    assert not error.rejected
    assert "the answer is no HTTP" in str(error) or "closed connection" in str(error)


def test_nobody_listens() -> None:
    with Receiving() as receiving:
        url = receiving.url
    error = failure(client_of(receiver(url + "/v1/metrics")))
    assert not error.rejected
    assert str(error) == f"{url}/v1/metrics: connection refused"


def test_a_name_that_nobody_has() -> None:
    error = failure(client_of(receiver("http://nobody.invalid:4318/v1/metrics")))
    assert not error.rejected
    assert str(error).startswith("http://nobody.invalid:4318/v1/metrics: ")


@contextlib.contextmanager
def answering(say: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve connections by a function, each until it returns; yields the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        say(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/metrics"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE_S)


def test_a_receiver_that_never_answers() -> None:
    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    with answering(listen) as url:
        client = client_of(receiver(url, timeout_s=0.05))
        error = failure(client)
    assert not error.rejected
    assert str(error) == f"{url}: no answer within 0.05 s"


def test_one_that_drips_is_given_no_more_time() -> None:
    done = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not done.wait(0.01):
            connection.sendall(b"x")

    with answering(drip) as url:
        error = failure(client_of(receiver(url, timeout_s=0.3)))
        done.set()
    assert "no answer within" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nothing", "zeros", "ssh", "status", "fields", "long", "chunks"],
)
def test_what_is_no_answer_is_tried_again(answer: bytes) -> None:
    with answering(lambda connection: connection.sendall(answer)) as url:
        error = failure(client_of(receiver(url)))
    assert not error.rejected
    assert str(error).isprintable()


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with answering(endless) as url:
        assert failure(client_of(receiver(url))).rejected
