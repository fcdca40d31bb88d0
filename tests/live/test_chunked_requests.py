"""Requests with chunked bodies: their ends are found, whatever is in them, however they are cut."""

from __future__ import annotations

import random

import pytest

from tests.live.live import (
    Watch,
    connected,
    exchange,
    new_path,
    receive,
    request,
    response,
)

pytestmark = pytest.mark.ebpf

DECOY = b"GET /decoy HTTP/1.1\r\nHost: a\r\n\r\n"


def chunked(body: bytes, size: int = 1000, trailer: bytes = b"", extension: bytes = b"") -> bytes:
    """Return a body in chunks."""
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    lines = [b"%x%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks]
    return b"".join(lines) + b"0\r\n" + trailer + b"\r\n"


def upload(path: str, body: bytes) -> bytes:
    return request(path, "POST", "Transfer-Encoding: chunked") + body


@pytest.mark.parametrize("size", [1, 7, 35, 1000])
@pytest.mark.parametrize("trailer", [b"", b"X-Sum: 1\r\nX-More: " + b"y" * 300 + b"\r\n"])
def test_in_one_call_with_a_request_behind(
    watch: Watch, path: str, size: int, trailer: bytes
) -> None:
    body = chunked(DECOY if size > 1 else DECOY[:20], size, trailer, b";a=b")
    both = upload(path, body) + request(f"{path}/next")
    with connected() as (client, server):
        exchange(client, server, both, response(201) + response(202))
        exchange(client, server, request(f"{path}/next"), response(203))
    watch.expect(path, {201: 1, 202: 1, 203: 1})
    watch.expect("/decoy", {})
    assert watch.row(path, method="POST").request_bytes == len(upload(path, body))


def test_cut_anywhere(watch: Watch, path: str) -> None:
    body = chunked(DECOY * 3, 40, b"X-Sum: " + b"z" * 50 + b"\r\n", b";name=value")
    whole = upload(path, body)
    head = len(whole) - len(body)
    cuts = range(head - 3, len(whole))
    with connected() as (client, server):
        for cut in cuts:
            for part in (whole[:cut], whole[cut:]):
                client.sendall(part)
                receive(server, len(part))
            server.sendall(response(200))
            receive(client, len(response(200)))
            exchange(client, server, request(f"{path}/next"), response(204))
    watch.expect(path, {200: len(cuts), 204: len(cuts)})
    watch.expect("/decoy", {})


def test_byte_by_byte(watch: Watch, path: str) -> None:
    whole = upload(path, chunked(DECOY, 16))
    with connected() as (client, server):
        for at in range(len(whole)):
            client.sendall(whole[at : at + 1])
            receive(server, 1)
        server.sendall(response(200))
        receive(client, len(response(200)))
        exchange(client, server, request(path), response(201))
    watch.expect(path, {200: 1, 201: 1})
    watch.expect("/decoy", {})


def test_in_random_pieces(watch: Watch, path: str) -> None:
    dice = random.Random(11)
    with connected() as (client, server):
        for _ in range(200):
            body = chunked(DECOY * dice.randrange(1, 30), dice.randrange(20, 400))
            rest = upload(path, body)
            while rest:
                cut = dice.randrange(1, 500)
                client.sendall(rest[:cut])
                receive(server, len(rest[:cut]))
                rest = rest[cut:]
            server.sendall(response(200))
            receive(client, len(response(200)))
    watch.expect(path, {200: 200})
    watch.expect("/decoy", {})


def test_answered_before_the_body_ends(watch: Watch, path: str) -> None:
    """What goes on being sent is still the body, though it looks like requests."""
    whole = upload(path, chunked(DECOY * 20, len(DECOY)))
    cut = len(whole) // 2
    with connected() as (client, server):
        client.sendall(whole[:cut])
        receive(server, cut)
        server.sendall(response(413))
        receive(client, len(response(413)))
        for at in range(cut, len(whole), 41):
            client.sendall(whole[at : at + 41])
            receive(server, len(whole[at : at + 41]))
        exchange(client, server, request(f"{path}/next"), response(200))
    watch.expect(path, {413: 1, 200: 1})
    watch.expect("/decoy", {})


def test_behind_what_is_no_chunk_nothing_is_a_request(watch: Watch) -> None:
    """All servers refuse such a body, and close."""
    path = new_path()
    with connected() as (client, server):
        refusal = response(400, b"", "Connection: close")
        exchange(client, server, upload(path, b"zzz, no length\r\n" + DECOY), refusal)
        client.sendall(DECOY)
        assert receive(server, len(DECOY)) == DECOY
    watch.expect(path, {400: 1})
    watch.expect("/decoy", {})
