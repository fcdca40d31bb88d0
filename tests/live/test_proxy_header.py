"""PROXY headers, cut anywhere: requests behind them count, and the client named is the peer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from httptop.config.load import build
from httptop.config.scope import limited, scope_of
from httptop.config.settings import DEFAULTS, Sampling
from httptop.conformance.case import PATH, load_cases, to_bytes
from tests.live.live import (
    FRONTS,
    TAIL_CALLS,
    Watch,
    connected,
    connected_unix,
    new_path,
    receive,
    request,
    response,
)

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("proxies")]

ALL_SAMPLES: Final = replace(
    DEFAULTS, sampling=Sampling(strategy="all", per_second=100_000, burst=100_000)
)
LINE: Final = b"PROXY TCP4 192.0.2.17 198.51.100.1 56324 443\r\n"
BINARY: Final = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\x11\xc6\x33\x64\1\xdc\4\1\xbb"
CLIENT: Final = "192.0.2.17:56324"
TLS_HELLO: Final = bytes.fromhex("1603010100010000fc0303") + bytes(200)


def _headers() -> Iterator[tuple[bytes, str]]:
    """Yield each header of the conformance cases, with the client that it names."""
    for case in load_cases():
        if case.name.startswith("PROXY") and case.rows:
            text = "".join(case.steps[0].pieces)
            yield to_bytes(text[: text.index("GET $")], PATH), case.client


HEADERS: Final = dict(_headers())


@pytest.fixture(scope="module", params=[*FRONTS, TAIL_CALLS])
def all_seen(request: pytest.FixtureRequest) -> Iterator[Watch]:
    """The probes in each way that there is, for this process; each request is sampled."""
    ours = limited(f"pid = {os.getpid()}")
    with Watch(ALL_SAMPLES, ours, front=request.param) as watch:
        yield watch


def play(*parts: bytes, unix: bool = False) -> None:
    """Send parts on a new connection, each read by itself, and a response to them."""
    with connected_unix() if unix else connected() as (client, server):
        for part in parts:
            client.sendall(part)
            receive(server, len(part))
        server.sendall(response())
        receive(client, len(response()))


def peers(watch: Watch, path: str, side: str = "server") -> list[str | None]:
    """Return the peers of the requests with a path."""
    recent = watch.step().recent
    return [one.peer for one in recent if one.key.path == path and one.key.side == side]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[:60].hex())
def test_cut_at_every_byte(all_seen: Watch, path: str, header: bytes) -> None:
    """Of those longer than a window, the part that is looked at."""
    client, head = HEADERS[header], request(path)
    before = all_seen.step().health
    places = range(min(len(header), 140) + 1)
    for at in places:
        sent = header + head
        play(*filter(None, (sent[:at], sent[at:])))
    play(header, head)
    count = len(places) + 1
    all_seen.expect(path, {200: count})
    seen = peers(all_seen, path)
    assert len(seen) == count
    if client:
        assert set(seen) == {client}
    else:
        assert all(peer is not None and peer.startswith("127.0.0.1:") for peer in seen)
    assert CLIENT not in peers(all_seen, path, "client")
    row = all_seen.row(path)
    assert row.request_bytes == count * len(head)
    health = all_seen.step().health
    assert health.orphan_responses == before.orphan_responses
    assert health.parse_errors == before.parse_errors


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["1", "2"])
def test_a_unix_socket_behind_a_proxy(all_seen: Watch, path: str, header: bytes) -> None:
    play(header + request(path), unix=True)
    all_seen.expect(path, {200: 1})
    assert peers(all_seen, path) == [CLIENT]


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["1", "2"])
def test_one_header_only(all_seen: Watch, path: str, header: bytes) -> None:
    """A second one is the client's own, who would like to be somebody else: no server takes it."""
    other = header.replace(b"192.0.2.17", b"192.0.2.99").replace(b"\2\x11\xc6", b"\2\x63\xc6")
    assert other != header
    with connected() as (client, server):
        for part in (header, other, request(path)):
            client.sendall(part)
            receive(server, len(part))
    assert "192.0.2.99:56324" not in peers(all_seen, path)
    with connected() as (client, server):
        sent = header + request(path) + other + request(path + "/x")
        client.sendall(sent)
        receive(server, len(sent))
        server.sendall(response())
        receive(client, len(response()))
    assert set(peers(all_seen, path)) == {CLIENT}
    assert not all_seen.rows(path + "/x")


@pytest.mark.parametrize("header", [LINE, BINARY], ids=["1", "2"])
@pytest.mark.parametrize("split", [False, True])
def test_tls_behind_a_proxy_is_noted(all_seen: Watch, header: bytes, split: bool) -> None:
    """It is no HTTP, and the page of coverage says why nothing is seen of it."""

    def seen() -> int:
        return all_seen.step().other_protocols.get((os.getpid(), "tls"), 0)

    before = seen()
    with connected() as (client, server):
        for part in (header, TLS_HELLO) if split else (header + TLS_HELLO,):
            client.sendall(part)
            receive(server, len(part))
    assert seen() == before + 2  # one at each end


@pytest.mark.parametrize(
    ("text", "front", "named", "own"),
    [
        pytest.param(
            text, *front.values, named, own, marks=front.marks, id=f"{text}, {front.values[0]}"
        )
        for text, named, own, fronts in (
            ("peer = 192.0.2.17", True, False, FRONTS),
            ("peer = 192.0.2.0/24", True, False, FRONTS[:1]),
            ("peer = 127.0.0.1", False, True, FRONTS),
            ("peer != 192.0.2.17", False, True, FRONTS[:1]),
            ("peer = 127.0.0.1 and method = GET", False, True, FRONTS[:1]),
            ("peer = 192.0.2.17 and method = GET", True, False, FRONTS[:1]),
        )
        for front in fronts
    ],
)
def test_a_filter_on_the_peer_is_one_on_the_client(
    text: str, front: str, named: bool, own: bool
) -> None:
    """Whatever the proxy's own address; and a request without a header is the proxy's."""
    settings = build({"filter.expression": f"pid = {os.getpid()} and ({text})"})
    with Watch(settings, scope_of(settings.filter), front) as watch:
        for header in (LINE, BINARY):
            path, head = new_path(), request
            for at in range(0, len(header) + 1, 3):
                sent = header + head(path + "/named")
                play(*filter(None, (sent[:at], sent[at:])))
            play(head(path + "/own"))
            play(b"P", head(path + "/own", "POST")[1:])
            play(b"\r\n", head(path + "/own"))
            found = {
                name: bool(watch.rows(f"{path}/{name}", "server")) for name in ("named", "own")
            }
            assert found == {"named": named, "own": own}, text
