"""Bytes on connections of our own: every way to move them, every way to cut them."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable

import pytest

from httptop.bpf.abi import METHODS
from httptop.model import SIDES, Side
from tests.live.live import (
    FRONTS,
    WAYS,
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
    rows_of,
    sums_of,
)
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf

End = socket.socket
Send = Callable[[End, bytes], int]
Take = Callable[[End], bytes]


#: What concerns the way in which bytes are seen; the rest is the same, and the conformance cases
#: are played in each way, too.
each_front = pytest.mark.parametrize("watch", WAYS, indirect=True)


def _readv(end: End) -> bytes:
    parts = [bytearray(5), bytearray(0), bytearray(1), bytearray(4096)]
    size = os.readv(end.fileno(), parts)
    return b"".join(parts)[:size]


def _recvmsg_into(end: End) -> bytes:
    parts = [bytearray(3), bytearray(40), bytearray(4096)]
    size = end.recvmsg_into(parts)[0]
    return b"".join(parts)[:size]


TAKE: dict[str, Take] = {
    "read": lambda end: os.read(end.fileno(), 4096),
    "readv": _readv,
    "recvfrom": lambda end: end.recv(4096),
    "recvmsg": lambda end: end.recvmsg(4096)[0],
    "recvmsg-parts": _recvmsg_into,
}
SEND: dict[str, Send] = {
    "write": lambda end, data: os.write(end.fileno(), data),
    "writev": lambda end, data: os.writev(end.fileno(), [data[:2], b"", data[2:9], data[9:]]),
    "sendto": lambda end, data: end.send(data),
    "sendmsg": lambda end, data: end.sendmsg([data]),
    "sendmsg-parts": lambda end, data: end.sendmsg([data[:1], data[1:17], data[17:]]),
}
ENDS = {
    "ipv4": connected,
    "ipv6": lambda: connected(socket.AF_INET6),
    "unix": connected_unix,
}


@each_front
@pytest.mark.parametrize("take", TAKE)
@pytest.mark.parametrize("send", SEND)
def test_calls(watch: Watch, path: str, take: str, send: str) -> None:
    head, reply = request(f"{path}/42"), response(200, b"hello")
    with connected() as (client, server):
        for _ in range(3):
            assert SEND[send](client, head) == len(head)
            assert TAKE[take](server) == head
            assert SEND[send](server, reply) == len(reply)
            assert TAKE[take](client) == reply
    watch.expect(path, {200: 3})
    for side in ("server", "client"):
        row = watch.row(path, side)
        assert row.key.path == path + "/{id}"
        assert (row.request_bytes, row.response_bytes) == (3 * len(head), 3 * len(reply))
        assert row.pids == (os.getpid(),)


@each_front
@pytest.mark.parametrize("ends", ENDS)
def test_kinds_of_sockets(watch: Watch, path: str, ends: str) -> None:
    with ENDS[ends]() as (client, server):
        for number in range(1, 6):
            exchange(client, server, request(f"{path}/{number}"), response(200 + number))
        client.sendall(request(path + "/never"))
        receive(server, len(request(path + "/never")))
    watch.expect(path, {200 + number: 1 for number in range(1, 6)}, unanswered=1)


@pytest.mark.parametrize("method", [*METHODS[1:], "FOO", "get", "M-SEARCH", "Get"])
def test_methods(watch: Watch, path: str, method: str) -> None:
    target = "example.com" + path.replace("/", ".") + ":443" if method == "CONNECT" else path
    name = method if method in METHODS else "OTHER"
    with connected() as (client, server):
        exchange(client, server, request(target, method), b"HTTP/1.1 404 No\r\n\r\n")
        exchange(client, server, request(target, method), b"HTTP/1.1 200 OK\r\n\r\n")
    watch.expect(target, {404: 1, 200: 1})
    assert {row.key.method for row in watch.rows(target)} == {name}


def test_versions_are_told_apart(watch: Watch, path: str) -> None:
    with connected() as (client, server):
        for version in ("1.0", "1.1", "1.1", "1.0", "1.1"):
            exchange(client, server, request(path, version=version))
    found = {(row.key.side, row.key.protocol): row.requests for row in watch.rows(path)}
    assert found == {
        ("server", "HTTP/1.0"): 2, ("server", "HTTP/1.1"): 3,
        ("client", "HTTP/1.0"): 2, ("client", "HTTP/1.1"): 3,
    }  # fmt: skip


# ---- cut in pieces -----------------------------------------------------------------------------


def test_a_request_cut_anywhere(watch: Watch, path: str) -> None:
    head = request(path + "/1234567?q=1", "POST", "Content-Length: 3") + b"abc"
    with connected() as (client, server):
        for cut in range(1, len(head)):
            for piece in (head[:cut], head[cut:]):
                client.sendall(piece)
                assert receive(server, len(piece)) == piece
            server.sendall(response(200))
            receive(client, len(response(200)))
    watch.expect(path, {200: len(head) - 1})
    for side in ("server", "client"):
        assert watch.row(path, side, "POST").request_bytes == len(head) * (len(head) - 1)


@pytest.mark.parametrize("size", [1, 3, 7, 16])
def test_a_new_connection_and_small_pieces(watch: Watch, path: str, size: int) -> None:
    head, reply = request(path + "/7", "DELETE"), response(202, b"HTTP/1.1 500 Not so\r\n\r\n")
    for _ in range(2):
        with connected() as (client, server):
            for _ in range(2):
                for sender, taker, data in ((client, server, head), (server, client, reply)):
                    for at in range(0, len(data), size):
                        sender.sendall(data[at : at + size])
                        receive(taker, len(data[at : at + size]))
    watch.expect(path, {202: 4})
    row = watch.row(path, method="DELETE")
    assert (row.request_bytes, row.response_bytes) == (4 * len(head), 4 * len(reply))


def test_a_response_cut_anywhere(watch: Watch, path: str) -> None:
    head, reply = request(path), response(404, b"nothing")
    with connected() as (client, server):
        for cut in range(1, len(reply)):
            client.sendall(head)
            receive(server, len(head))
            for piece in (reply[:cut], reply[cut:]):
                server.sendall(piece)
                receive(client, len(piece))
    watch.expect(path, {404: len(reply) - 1})
    for side in ("server", "client"):
        assert watch.row(path, side).response_bytes == len(reply) * (len(reply) - 1)


@each_front
def test_the_reader_takes_less_than_the_writer_gave(watch: Watch, path: str) -> None:
    head, reply = request(path, "PUT", "X: " + "y" * 3000), response(201, b"z" * 5000)
    with connected() as (client, server):
        for size in (11, 100, 1000, 1024, 4096):
            client.sendall(head)
            while (left := len(head)) and size:
                while left:
                    left -= len(server.recv(min(size, left)))
                break
            server.sendall(reply)
            left = len(reply)
            while left:
                left -= len(client.recv(min(size, left)))
    watch.expect(path, {201: 5})
    row = watch.row(path, "client", "PUT")
    assert (row.request_bytes, row.response_bytes) == (5 * len(head), 5 * len(reply))


@pytest.mark.parametrize("watch", FRONTS, indirect=True)
@pytest.mark.parametrize("size", [500, 1020, 5000, 100_000])
def test_huge_heads(watch: Watch, path: str, size: int) -> None:
    head = request(path, "GET", *(f"X-{at}: {'v' * 90}" for at in range(size // 100)))
    with connected() as (client, server):
        for _ in range(2):
            worker = threading.Thread(target=client.sendall, args=(head,))
            worker.start()
            receive(server, len(head))
            worker.join()
            server.sendall(response(431))
            receive(client, len(response(431)))
    watch.expect(path, {431: 2})
    assert watch.row(path).request_bytes == 2 * len(head)


@pytest.mark.parametrize("size", [500, 5000, 100_000])
def test_behind_a_huge_head(watch: Watch, path: str, size: int) -> None:
    head = request(path + "/huge", "GET", *(f"X-{at}: {'v' * 90}" for at in range(size // 100)))
    with connected() as (client, server):
        for _ in range(2):
            worker = threading.Thread(target=client.sendall, args=(head,))
            worker.start()
            receive(server, len(head))
            worker.join()
            server.sendall(response(431))
            receive(client, len(response(431)))
            exchange(client, server, request(path + "/small"))
    watch.expect(path + "/huge", {431: 2})
    watch.expect(path + "/small", {200: 2})


@pytest.mark.parametrize("size", [100, 120, 128, 200, 600, 1200, 8000])
def test_long_paths(watch: Watch, path: str, size: int) -> None:
    long = f"{path}/{'seg-ment/' * (size // 9)}"
    with connected() as (client, server):
        for number in range(3):
            exchange(client, server, request(f"{long}?{number}"))
            exchange(client, server, request(f"{long}42"), response(404))
    watch.expect(path, {200: 3, 404: 3})
    for row in watch.rows(path):
        assert row.key.path.endswith("…") == (len(long) > 96 or len(long) + 4 > 96)


# ---- bodies ------------------------------------------------------------------------------------

DECOY = b"GET /decoy-in-a-body HTTP/1.1\r\nHost: x\r\n\r\n"


def _no_decoy(watch: Watch) -> None:
    assert not watch.rows("/decoy")


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_a_body_that_looks_like_a_head(watch: Watch, path: str, pieces: int) -> None:
    body = DECOY * 5
    head = request(path, "POST", f"Content-Length: {len(body)}")
    size = len(body) // pieces
    with connected() as (client, server):
        for together in (True, False):
            parts = [body[at : at + size] for at in range(0, len(body), size)]
            parts = [head + parts[0], *parts[1:]] if together else [head, *parts]
            for part in parts:
                client.sendall(part)
                receive(server, len(part))
            server.sendall(response(200))
            receive(client, len(response(200)))
    watch.expect(path, {200: 2})
    assert watch.row(path, "server", "POST").request_bytes == 2 * len(head + body)
    _no_decoy(watch)


def test_a_chunked_body(watch: Watch, path: str) -> None:
    head = request(path, "POST", "Transfer-Encoding: chunked")
    chunks = (b"%x\r\n" % len(DECOY) + DECOY + b"\r\n") * 3 + b"0\r\n\r\n"
    with connected() as (client, server):
        for parts in ((head + chunks,), (head, chunks), (head, chunks[:50], chunks[50:])):
            for part in parts:
                client.sendall(part)
                receive(server, len(part))
            server.sendall(response(200))
            receive(client, len(response(200)))
        exchange(client, server, request(path))
    watch.expect(path, {200: 4})
    assert watch.row(path, "server", "POST").request_bytes == 3 * len(head + chunks)
    _no_decoy(watch)


def test_a_response_before_the_body_has_come(watch: Watch, path: str) -> None:
    head, body = request(path, "POST", "Content-Length: 300"), DECOY * 10
    with connected() as (client, server):
        for _ in range(2):
            client.sendall(head + body[:100])
            receive(server, len(head) + 100)
            server.sendall(response(413))
            receive(client, len(response(413)))
            client.sendall(body[100:300])
            receive(server, 200)
        exchange(client, server, request(path))
    watch.expect(path, {413: 2, 200: 1})
    _no_decoy(watch)


def test_response_bodies_that_look_like_responses(watch: Watch, path: str) -> None:
    body = b"HTTP/1.1 500 Decoy\r\n\r\n" * 3
    with connected() as (client, server):
        for number in range(3):
            client.sendall(request(path))
            receive(server, len(request(path)))
            reply = response(200, body)
            head = len(reply) - len(body)
            parts = ((reply,), (reply[:head], reply[head:]), (reply[:head], body[:22], body[22:]))
            for part in parts[number]:
                server.sendall(part)
                receive(client, len(part))
    watch.expect(path, {200: 3})
    assert watch.row(path, "client").response_bytes == 3 * len(reply)


def test_a_body_that_ends_with_the_connection(watch: Watch, path: str) -> None:
    head, body = b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 10_000
    with connected() as (client, server):
        client.sendall(request(path, version="1.0"))
        receive(server, len(request(path)))
        server.sendall(head)
        for at in range(0, len(body), 1000):
            server.sendall(body[at : at + 1000])
        receive(client, len(head + body))
    watch.expect(path, {200: 1})
    assert {row.response_bytes for row in watch.rows(path)} == {len(head + body)}


@each_front
def test_sendfile(watch: Watch, path: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"
    with tempfile.TemporaryFile() as file, connected() as (client, server):
        file.write(b"HTTP/1.1 500 Decoy\r\n" * 15_000)
        file.flush()
        for _ in range(2):
            client.sendall(request(path))
            receive(server, len(request(path)))
            server.sendall(head)
            worker = threading.Thread(target=receive, args=(client, len(head) + 300_000))
            worker.start()
            sent = 0
            while sent < 300_000:
                sent += os.sendfile(server.fileno(), file.fileno(), sent, 300_000 - sent)
            worker.join()
    watch.expect(path, {200: 2})
    assert {row.response_bytes for row in watch.rows(path)} == {2 * (len(head) + 300_000)}


@each_front
def test_splice(watch: Watch, path: str) -> None:
    head, body = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"s" * 5000
    reader, writer = os.pipe()
    with connected() as (client, server):
        client.sendall(request(path))
        receive(server, len(request(path)))
        server.sendall(head)
        os.write(writer, body)
        assert os.splice(reader, server.fileno(), 5000) == 5000
        receive(client, len(head))
        left = 5000
        while left:
            left -= os.splice(client.fileno(), writer, left)
    os.close(reader)
    os.close(writer)
    watch.expect(path, {200: 1})
    for side in SIDES:  # what passes no tracepoint shows in the socket's own count when it closes
        assert watch.row(path, side).response_bytes == len(head) + 5000


# ---- responses that are none, or have no body ----------------------------------------------------


@pytest.mark.parametrize("interim", [100, 102, 103])
@pytest.mark.parametrize("together", [True, False])
def test_interim_responses(watch: Watch, path: str, interim: int, together: bool) -> None:
    head = b"HTTP/1.1 %d Interim\r\nLink: </x>\r\n\r\n" % interim
    with connected() as (client, server):
        for number in (1, 2):
            client.sendall(request(path))
            receive(server, len(request(path)))
            reply = response(201)
            for part in (head * number + reply,) if together else (*(head,) * number, reply):
                server.sendall(part)
                receive(client, len(part))
    watch.expect(path, {201: 2})


def test_expect_continue(watch: Watch, path: str) -> None:
    body = DECOY * 3
    head = request(path, "POST", "Expect: 100-continue", f"Content-Length: {len(body)}")
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    with connected() as (client, server):
        for _ in range(2):
            for sender, taker, data in (
                (client, server, head), (server, client, interim),
                (client, server, body), (server, client, response(200)),
            ):  # fmt: skip
                sender.sendall(data)
                receive(taker, len(data))
    watch.expect(path, {200: 2})
    assert watch.row(path, "client", "POST").request_bytes == 2 * len(head + body)
    _no_decoy(watch)


def test_responses_without_a_body(watch: Watch, path: str) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with connected() as (client, server):
        for _ in range(2):
            exchange(client, server, request(path, "HEAD"), long)
            exchange(client, server, request(path), long.replace(b"200", b"304"))
            exchange(client, server, request(path), b"HTTP/1.1 204 None\r\n\r\n")
    watch.expect(path, {200: 2, 304: 2, 204: 2})


def test_pipelined_responses_without_a_body(watch: Watch, path: str) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    heads = request(path, "HEAD") + request(path) + request(path) + request(path)
    replies = (
        long + long.replace(b"200", b"304") + b"HTTP/1.1 204 None\r\n\r\n" + response(200, b"x")
    )
    with connected() as (client, server):
        exchange(client, server, heads, replies)
        exchange(client, server, heads, replies)
    watch.expect(path, {200: 4, 304: 2, 204: 2})


@pytest.mark.parametrize("together", [True, False])
def test_switching_protocols(watch: Watch, path: str, together: bool) -> None:
    reply = b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"
    with connected() as (client, server):
        if together:
            exchange(client, server, request(path), reply + DECOY)
        else:
            exchange(client, server, request(path), reply)
        for _ in range(3):
            exchange(client, server, DECOY, response(500))
            exchange(server, client, DECOY, response(500))
    watch.expect(path, {101: 1})
    _no_decoy(watch)


def test_connect_opens_a_tunnel(watch: Watch, path: str) -> None:
    target = path[1:] + ":443"
    with connected() as (client, server):
        exchange(client, server, request(target, "CONNECT"), b"HTTP/1.1 200 OK\r\n\r\n")
        exchange(client, server, DECOY, response(500))
    watch.expect(target, {200: 1})
    _no_decoy(watch)


# ---- pipelines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("responses", ["one write", "each", "in threes", "bytes"])
def test_pipelined(watch: Watch, path: str, responses: str) -> None:
    count = 10
    heads = b"".join(request(f"{path}/{chr(97 + at)}") for at in range(count))
    replies = [response(400 + at, b"HTTP/1.1 500 Decoy\r\n\r\n" * (at % 3)) for at in range(count)]
    whole = b"".join(replies)
    pieces = {
        "one write": [whole],
        "each": replies,
        "in threes": [b"".join(replies[at : at + 3]) for at in range(0, count, 3)],
        "bytes": [whole[at : at + 1] for at in range(len(whole))],
    }[responses]
    with connected() as (client, server):
        for _ in range(2):
            client.sendall(heads)
            receive(server, len(heads))
            for piece in pieces:
                server.sendall(piece)
                receive(client, len(piece))
    for at in range(count):
        watch.expect(f"{path}/{chr(97 + at)}", {400 + at: 2})
    assert sum(row.request_bytes for row in watch.rows(path, "server")) == 2 * len(heads)
    assert sum(row.response_bytes for row in watch.rows(path, "client")) == 2 * len(whole)


@pytest.mark.parametrize("size", [10, 50, 100, 1000])
def test_pipelined_and_read_in_small_pieces(watch: Watch, path: str, size: int) -> None:
    count = 14  # different ones: of more in one call the kernel may lose some, and says so
    heads = b"".join(request(f"{path}/{chr(97 + at)}") for at in range(count))
    replies = b"".join(response(400 + at, b"b" * (at * 7)) for at in range(count))
    with connected() as (client, server):
        client.sendall(heads)
        left = len(heads)
        while left:
            left -= len(server.recv(min(left, size)))
        server.sendall(replies)
        left = len(replies)
        while left:
            left -= len(client.recv(min(left, size)))
    for at in range(count):
        watch.expect(f"{path}/{chr(97 + at)}", {400 + at: 1})


@pytest.mark.parametrize("together", [True, False])
def test_pipelined_and_chunked(watch: Watch, path: str, together: bool) -> None:
    heads = b"".join(request(f"{path}/{chr(97 + at)}") for at in range(5))
    replies = [
        b"HTTP/1.1 %d Some\r\nTransfer-Encoding: chunked\r\n\r\n" % (400 + at)
        + b"3\r\nabc\r\n" * at
        + b"0\r\n\r\n"
        for at in range(5)
    ]
    with connected() as (client, server):
        client.sendall(heads)
        receive(server, len(heads))
        for piece in [b"".join(replies)] if together else replies:
            server.sendall(piece)
            receive(client, len(piece))
    for at in range(5):
        watch.expect(f"{path}/{chr(97 + at)}", {400 + at: 1})


@each_front
def test_pipelined_in_a_vector(watch: Watch, path: str) -> None:
    heads = [request(f"{path}/{at}") for at in range(12)]
    replies = [response(200, b"x" * at) for at in range(12)]
    with connected() as (client, server):
        client.sendmsg(heads)
        receive(server, sum(map(len, heads)))
        server.sendmsg(replies)
        receive(client, sum(map(len, replies)))
    watch.expect(path, {200: 12})


def test_pipelined_and_never_answered(watch: Watch, path: str) -> None:
    heads = b"".join(request(f"{path}/{chr(97 + at)}") for at in range(8))
    with connected() as (client, server):
        client.sendall(heads)
        receive(server, len(heads))
        server.sendall(response(200) + response(201))
        receive(client, len(response(200) + response(201)))
        watch.expect(path, {200: 1, 201: 1}, in_flight=6)
    watch.expect(path, {200: 1, 201: 1}, unanswered=6)


def test_more_in_the_pipeline_than_the_kernel_keeps(watch: Watch, path: str) -> None:
    """512 requests of a connection may wait; the outcome of more is unknown, and that is said."""
    before = watch.step().health
    with connected() as (client, server):
        exchange(client, server, request(path) * 530, response(200) * 530)
        exchange(client, server, request(path), response(201))
    watch.expect(path, {200: 512, 0: 18, 201: 1})
    after = watch.step().health
    assert after.overfull_pipelines >= before.overfull_pipelines + 2 * 18
    assert after.parse_errors == before.parse_errors
    assert not after.good


def test_empty_lines_before_a_request(watch: Watch, path: str) -> None:
    with connected() as (client, server):
        for before in (b"", b"\r\n", b"\n", b"\r\n\r\n"):
            exchange(client, server, before + request(path))
    watch.expect(path, {200: 4})


# ---- whose connection --------------------------------------------------------------------------


def test_threads_that_share_a_connection(watch: Watch, path: str) -> None:
    lock = threading.Lock()
    with connected() as (client, server):

        def work() -> None:
            for _ in range(25):
                with lock:
                    exchange(client, server, request(path))

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    watch.expect(path, {200: 100})


def _in_child(work: Callable[[], None]) -> None:
    pid = os.fork()
    if not pid:
        code = 1
        with contextlib.suppress(BaseException):
            work()
            code = 0
        os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0


@each_front
def test_a_child_that_responds(watch: Watch, path: str) -> None:
    with connected() as (client, server):
        client.sendall(request(path) * 2)

        def work() -> None:
            receive(server, 2 * len(request(path)))
            server.sendall(response(200))

        _in_child(work)
        server.sendall(response(201))
        receive(client, 2 * len(response(200)))
        exchange(client, server, request(path), response(202))
    watch.expect(path, {200: 1, 201: 1, 202: 1})


@each_front
def test_a_connection_passed_to_another_process(watch: Watch, path: str) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs, connected() as (client, server):
        client.sendall(request(path))
        receive(server, len(request(path)))
        socket.send_fds(ours, [b"x"], [server.fileno()])
        server.close()

        def work() -> None:
            _, descriptors, _, _ = socket.recv_fds(theirs, 1, 1)
            with socket.socket(fileno=descriptors[0]) as passed:
                passed.sendall(response(200))
                passed.settimeout(PATIENCE_S)
                receive(passed, len(request(path)))
                passed.sendall(response(201))

        worker = threading.Thread(target=_in_child, args=(work,))
        worker.start()
        receive(client, len(response(200)))
        client.sendall(request(path))
        receive(client, len(response(201)))
        worker.join()
    watch.expect(path, {200: 1, 201: 1})


@each_front
def test_dup_and_close_of_one_descriptor(watch: Watch, path: str) -> None:
    with connected() as (client, server):
        client.sendall(request(path))
        receive(server, len(request(path)))
        again = server.dup()
        server.close()
        watch.expect(path, {}, in_flight=1)
        again.sendall(response(200))
        receive(client, len(response(200)))
        again.close()
    watch.expect(path, {200: 1})


@each_front
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("who", ["client", "server"])
def test_one_end_closes_first(watch: Watch, path: str, ends: str, who: Side) -> None:
    with ENDS[ends]() as (client, server):
        exchange(client, server, request(path))
        client.sendall(request(path))
        receive(server, len(request(path)))
        watch.expect(path, {200: 1}, in_flight=1)
        (client if who == "client" else server).close()
        watch.expect(path, {200: 1}, sides=(who,), unanswered=1)
    watch.expect(path, {200: 1}, unanswered=1)


def test_half_closed_and_answered(watch: Watch, path: str) -> None:
    with connected() as (client, server):
        client.sendall(request(path))
        client.shutdown(socket.SHUT_WR)
        receive(server, len(request(path)))
        assert server.recv(1) == b""
        server.sendall(response(200))
        server.close()
        receive(client, len(response(200)))
    watch.expect(path, {200: 1})


@each_front
def test_reset(watch: Watch, path: str) -> None:
    with connected() as (client, server):
        client.sendall(request(path))
        receive(server, len(request(path)))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    watch.expect(path, {}, unanswered=1)


def test_a_response_to_a_client_that_has_gone(watch: Watch, path: str) -> None:
    """The reset comes back while the server is still sending; nothing may stay of it."""
    for _ in range(30):
        with connected() as (client, server):
            client.sendall(request(path + "/gone"))
            receive(server, len(request(path + "/gone")))
            client.close()
            server.sendall(response(200))
    watch.expect(path + "/gone", {}, sides=("client",), unanswered=30)
    row = watch.row(path + "/gone")
    assert (row.requests, row.in_flight) == (30, 0)
    # The kernel gives the same struct sock to other connections, client ends and server ends.
    ends = [connected() for _ in range(30)]
    with contextlib.ExitStack() as stack:
        for client, server in [stack.enter_context(end) for end in ends]:
            exchange(client, server, request(path + "/next"))
    watch.expect(path + "/next", {200: 30})


def test_a_request_read_after_the_client_has_reset(watch: Watch, path: str) -> None:
    for _ in range(10):
        with connected() as (client, server):
            client.sendall(request(path + "/gone"))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            with contextlib.suppress(ConnectionResetError):
                server.recv(4096)
    snapshot = watch.step()
    assert not [row for row in rows_of(snapshot, path, "server") if row.in_flight]
    with contextlib.ExitStack() as stack:
        for client, server in [stack.enter_context(connected()) for _ in range(20)]:
            exchange(client, server, request(path + "/next"))
    watch.expect(path + "/next", {200: 20})


def test_half_a_head_and_gone(watch: Watch, path: str) -> None:
    with connected() as (client, server):
        client.sendall(request(path)[:-2])
        receive(server, len(request(path)) - 2)
    with connected() as (client, server):
        exchange(client, server, request(path))
    watch.expect(path, {200: 1})


@each_front
@pytest.mark.parametrize("ends", ENDS)
def test_descriptors_used_again(watch: Watch, path: str, ends: str) -> None:
    for number in range(700):
        with ENDS[ends]() as (client, server):
            client.sendall(request(path))
            receive(server, len(request(path)))
            if number % 7:
                server.sendall(response(200))
                receive(client, len(response(200)))
    watch.expect(path, {200: 600}, unanswered=100)


# ---- what is no traffic ------------------------------------------------------------------------


@each_front
def test_peeking_counts_once(watch: Watch, path: str) -> None:
    head, reply = request(path), response(200)
    with connected() as (client, server):
        for _ in range(2):
            client.sendall(head)
            for _ in range(3):
                assert server.recv(4096, socket.MSG_PEEK) == head
                assert server.recvmsg(4096, 0, socket.MSG_PEEK)[0] == head
            receive(server, len(head))
            server.sendall(reply)
            assert client.recv(4096, socket.MSG_PEEK) == reply
            receive(client, len(reply))
    watch.expect(path, {200: 2})
    assert watch.row(path).request_bytes == 2 * len(head)
    assert watch.row(path, "client").response_bytes == 2 * len(reply)


@each_front
def test_files_pipes_and_datagrams_are_no_connections(watch: Watch, path: str) -> None:
    head = request(path)
    with tempfile.TemporaryFile() as file:
        os.write(file.fileno(), head)
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        assert os.read(file.fileno(), 4096) == head
    reader, writer = os.pipe()
    os.write(writer, head)
    assert os.read(reader, 4096) == head
    os.close(reader)
    os.close(writer)
    for family, kind in (
        (socket.AF_UNIX, socket.SOCK_DGRAM),
        (socket.AF_UNIX, socket.SOCK_SEQPACKET),
    ):
        one, other = socket.socketpair(family, kind)
        with one, other:
            one.send(head)
            assert other.recv(4096) == head
            other.send(response(200))
            one.recv(4096)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        other.bind(("127.0.0.1", 0))
        one.connect(other.getsockname())
        one.send(head)
        assert other.recv(4096) == head
    sentinel = new_path()
    with connected() as (client, server):
        exchange(client, server, request(sentinel))
    watch.expect(sentinel, {200: 1})
    assert not watch.rows(path)


@each_front
def test_calls_that_fail_count_nothing(watch: Watch, path: str) -> None:
    head = request(path)
    with connected() as (client, server):
        server.setblocking(False)
        for _ in range(5):
            with pytest.raises(BlockingIOError):
                server.recv(4096)
        client.shutdown(socket.SHUT_WR)
        for _ in range(3):
            with pytest.raises(BrokenPipeError):
                client.send(head)
        assert server.recv(4096) == b""
    assert not watch.rows(path)


def test_sums_over_all_rows(watch: Watch) -> None:
    snapshot = watch.step()
    for side in ("server", "client"):
        status, unanswered, in_flight = sums_of(rows_of(snapshot, "", side))
        total = snapshot.total(side)
        assert dict(total.status) == status
        assert (total.unanswered, total.in_flight) == (unanswered, in_flight)
        assert total.requests == sum(status.values()) + unanswered
    assert snapshot.health.overflow_requests == 0
    assert snapshot.health.missed_calls == 0
