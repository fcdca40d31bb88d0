"""Random conversations under the probes, a short version of `make test-fuzz`; and what it found."""

from __future__ import annotations

import os

import pytest

from tests.live.live import Watch, connected, exchange, receive, request, response
from tests.stress.fuzz.sockets import fuzz

pytestmark = pytest.mark.ebpf

SECONDS = float(os.environ.get("HTTPTOP_FUZZ_SECONDS", "3"))


def test_random_conversations_are_counted_exactly(watch: Watch) -> None:
    said, faults = fuzz(watch, "test", SECONDS)
    assert not faults, "\n".join(faults)
    assert sum(count for key, count in said.items() if key[0] == "server") > 100


def test_a_chunked_response_before_another_in_one_call(watch: Watch, path: str) -> None:
    """Unread responses may be unknown, but later ones must not be mistaken for them."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 15
    replies = chunked + b"0\r\n\r\n" + response(404)
    with connected() as (client, server):
        heads = request(path + "/a") + request(path + "/b")
        client.sendall(heads)
        receive(server, len(heads))
        server.sendall(replies)
        receive(client, len(replies))
        exchange(client, server, request(path + "/c"), response(500))
    watch.expect(path + "/a", {200: 1})
    (row,) = watch.rows(path + "/b", "server")
    assert 500 not in row.status


@pytest.mark.parametrize("size", [1, 3, 9, 20])
def test_a_method_without_a_name_that_comes_in_small_pieces(
    watch: Watch, path: str, size: int
) -> None:
    head = request(path, "VERSION-CONTROL")
    with connected() as (client, server):
        for piece in (head[at : at + size] for at in range(0, len(head), size)):
            client.sendall(piece)
            receive(server, len(piece))
        server.sendall(response(200))
        receive(client, len(response(200)))
    watch.expect(path, {200: 1})


def test_a_chunked_request_body_by_splice(watch: Watch, path: str) -> None:
    """The probes cannot read the chunks' lengths there; the next request counts nevertheless."""
    head = request(path + "/a", "POST", "Transfer-Encoding: chunked")
    with connected() as (client, server):
        client.sendall(head)
        receive(server, len(head))
        for chunk in (b"5\r\nhello\r\n", b"0\r\n\r\n"):
            reader, writer = os.pipe()
            os.write(writer, chunk)
            assert os.splice(reader, client.fileno(), len(chunk)) == len(chunk)
            os.close(reader)
            os.close(writer)
            receive(server, len(chunk))
        server.sendall(response(200))
        receive(client, len(response(200)))
        exchange(client, server, request(path + "/b"))
    watch.expect(path + "/a", {200: 1})
    watch.expect(path + "/b", {200: 1})
