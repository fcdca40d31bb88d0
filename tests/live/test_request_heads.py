"""The header section of a request is in its own sample, or in none."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from httptop.collect.source import RawSample
from httptop.config.load import build
from httptop.config.scope import limited
from httptop.model import Transaction
from tests.live.live import (
    WAYS,
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
)
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf

PLENTY: Final = {"sampling.per_second": 100_000, "sampling.burst": 100_000}
SHOWN: Final = ("host", "x-pair", "x-long", *(f"x-{number}" for number in range(10, 25)))
#: Longer than what is compared with the next request.
LONG: Final = "X-Long: " + "x" * 150
PROXY: Final = b"PROXY TCP4 192.0.2.17 198.51.100.1 56324 443\r\n"


def watch(values: Mapping[str, object] = PLENTY, way: str | None = None) -> Watch:
    shown = {"security.shown_fields": SHOWN}
    return Watch(build({**shown, **values}), limited(f"pid = {os.getpid()}"), front=way)


@pytest.fixture(scope="module", params=WAYS)
def all_seen(request: pytest.FixtureRequest) -> Iterator[Watch]:
    """The probes in each way that there is, for this process; each request is sampled."""
    with watch(way=request.param) as probes:
        yield probes


@pytest.fixture(scope="module")
def some_seen() -> Iterator[Watch]:
    with watch() as probes:
        yield probes


def numbered(path: str, number: int, *headers: str, method: str = "GET") -> tuple[bytes, bytes]:
    """Return a request and its response, which say that they belong together."""
    pair = f"X-Pair: {number}"
    return request(path, method, pair, *headers), response(200, b"", pair)


def samples_of(probes: Watch, path: str) -> list[Transaction]:
    recent = probes.step().recent
    return [sample for sample in recent if sample.key.path.startswith(path)]


def pair_of(head: tuple[str, ...]) -> str | None:
    found = [line for line in head if line.startswith("X-Pair: ")]
    assert len(found) <= 1
    return found[0] if found else None


def have_their_own(samples: list[Transaction]) -> int:
    """Return how many samples have a header section; it is their own."""
    for sample in samples:
        if sample.request_head:
            assert pair_of(sample.request_head) == pair_of(sample.response_head), sample
    return sum(bool(sample.request_head) for sample in samples)


@pytest.mark.parametrize("headers", [(), (LONG,)], ids=["short", "long"])
def test_three_endpoints_in_turns(all_seen: Watch, headers: tuple[str, ...]) -> None:
    path = new_path()
    with connected() as ends:
        for number in range(60):
            word = ("one", "two", "three")[number % 3]
            exchange(*ends, *numbered(f"{path}/{word}", number, *headers))
    samples = samples_of(all_seen, path)
    assert have_their_own(samples) == len(samples) == 120
    first, *_ = [sample for sample in samples if pair_of(sample.response_head) == "X-Pair: 0"]
    assert first.request_head == ("Host: test", "X-Pair: 0", *headers)
    assert first.path == f"{path}/one"


def test_the_same_request_again(all_seen: Watch) -> None:
    path = new_path()
    with connected() as ends:
        for number in (1, 1, 1, 2, 2, 2):
            exchange(*ends, *numbered(path, number))
        for number in (3, 3, 4, 4):
            exchange(*ends, *numbered(path, number, LONG))
    samples = samples_of(all_seen, path)
    assert have_their_own(samples) == len(samples) == 20


@pytest.mark.parametrize("headers", [(), (LONG,)], ids=["short", "long"])
def test_a_pipeline(all_seen: Watch, headers: tuple[str, ...]) -> None:
    path = new_path()
    with connected() as (client, server):
        for start in range(0, 40, 8):
            pairs = [numbered(path, start + at, *headers) for at in range(8)]
            exchange(client, server, *map(b"".join, zip(*pairs, strict=True)))
        for number in range(100, 104):
            exchange(client, server, *numbered(path, number, *headers))
    samples = samples_of(all_seen, path)
    assert len(samples) == 88
    known = have_their_own(samples)
    firsts = {f"X-Pair: {number}" for number in (0, 8, 16, 24, 32, *range(100, 104))}
    for sample in samples:
        assert bool(sample.request_head) == (pair_of(sample.response_head) in firsts)
    assert known == 18


def test_requests_that_come_while_others_are_pending(all_seen: Watch) -> None:
    path = new_path()
    with connected() as (client, server):
        for start in range(0, 40, 4):
            pairs = [numbered(path, start + at, LONG) for at in range(4)]
            for head, _ in pairs:
                client.sendall(head)
                receive(server, len(head))
            for _, reply in pairs:
                server.sendall(reply)
                receive(client, len(reply))
    samples = samples_of(all_seen, path)
    assert len(samples) == 80
    assert have_their_own(samples) >= 20


@pytest.mark.parametrize("first", [5, 60, 110, 170, 271])
def test_a_head_in_two_calls_is_what_stood_in_the_first(all_seen: Watch, first: int) -> None:
    path = new_path()
    with connected() as (client, server):
        for number in range(10):
            head, reply = numbered(path, number, LONG, LONG)
            for piece in (head[:first], head[first:]):
                client.sendall(piece)
                receive(server, len(piece))
            server.sendall(reply)
            receive(client, len(reply))
    samples = samples_of(all_seen, path)
    assert len(samples) == 20
    for sample in samples:
        shown = ("Host: test", pair_of(sample.response_head), LONG, LONG)
        assert sample.request_head == shown[: len(sample.request_head)]
        if first < 20:
            assert sample.request_head == ()
        if first == 271:
            assert sample.request_head == shown[:3]


def test_no_more_than_a_kib(all_seen: Watch) -> None:
    path = new_path()
    fields = [f"X-{number}: {'y' * 92}" for number in range(10, 25)]
    with connected() as ends:
        exchange(*ends, *numbered(path, 0, *fields))
    for sample in samples_of(all_seen, path):
        assert sample.request_head == ("Host: test", "X-Pair: 0", *fields[:9])


def test_behind_a_proxy_header(all_seen: Watch) -> None:
    path = new_path()
    with connected() as (client, server):
        head, reply = numbered(path, 0, LONG)
        exchange(client, server, PROXY + b"\r\n" + head, reply)
    (sample,) = [sample for sample in samples_of(all_seen, path) if sample.key.side == "server"]
    assert sample.peer == "192.0.2.17:56324"
    assert sample.request_head == ("Host: test", "X-Pair: 0", LONG)


def test_on_unix_sockets(some_seen: Watch) -> None:
    path = new_path()
    with connected_unix() as ends:
        for number in range(6):
            exchange(*ends, *numbered(f"{path}/{'ab'[number % 2]}", number, LONG))
    samples = samples_of(some_seen, path)
    assert have_their_own(samples) == len(samples) == 12


def test_secrets_are_masked(some_seen: Watch) -> None:
    path = new_path()
    secrets = ("Authorization: Bearer s3cr3t", "Cookie: id=s3cr3t", "X-Api-Key: s3cr3t")
    with connected() as ends:
        for fields in (secrets, (*secrets, LONG)):
            exchange(*ends, *numbered(path, 0, *fields))
    samples = samples_of(some_seen, path)
    assert len(samples) == 4
    for sample in samples:
        assert sample.request_head[2:5] == ("Authorization: ***", "Cookie: ***", "X-Api-Key: ***")


def test_no_body_leaves_the_kernel(some_seen: Watch) -> None:
    path = new_path()
    some_seen.step()
    with connected() as (client, server):
        for number in range(3):
            head, reply = numbered(path, number, LONG, "Content-Length: 6", method="POST")
            exchange(client, server, head + b"s3cr3t", reply)
    raw: list[RawSample] = some_seen.source.read().samples
    heads = [sample.head for sample in raw if path.encode() in sample.line]
    assert len(heads) == 6
    assert all(head.endswith(b"Content-Length: 6\r\n\r\n") for head in heads)


def test_bytes_that_are_no_request_are_not_shown(some_seen: Watch) -> None:
    path = new_path()
    noise = b"EHLO s3cr3t.example.com and more of it\r\nX-Secret: s3cr3t\r\n\r\n"
    with connected() as ends:
        exchange(*ends, *numbered(path, 0, LONG))
        exchange(*ends, noise, response(400))
    recent = some_seen.step().recent
    assert any(sample.status == 400 for sample in recent)
    assert "s3cr3t" not in repr([sample for sample in recent if sample.status == 400])


def test_where_none_may_be_kept_any_more() -> None:
    """The bucket of heads is empty: failed requests are sampled without."""
    path = new_path()
    # An eighth is for processes that have had few samples (tests/live/test_fairness.py).
    few = {"sampling.per_second": 1, "sampling.burst": 40}
    with watch(few) as probes, connected() as ends:
        for number in range(60):
            exchange(*ends, *numbered(f"{path}/{'ab'[number % 2]}", number, LONG))
        for number in range(4):
            head, _ = numbered(f"{path}/{'ab'[number % 2]}", number, LONG)
            exchange(*ends, head, response(500))
        exchange(*ends, request(f"{path}/short"), response(500))
        samples = samples_of(probes, path)
    failed = [sample for sample in samples if sample.status == 500]
    assert len(failed) == 10
    assert {sample.request_head for sample in failed} == {(), ("Host: test",)}
    with_head = [sample for sample in failed if sample.request_head]
    assert {sample.path for sample in with_head} == {f"{path}/short"}
    assert have_their_own([sample for sample in samples if sample.status == 200]) >= 15


def test_a_busy_host_samples_those_that_are_kept() -> None:
    path = new_path()
    steady = {"sampling.per_second": 100, "sampling.burst": 20}
    with watch(steady) as probes, connected() as ends:
        for number in range(400):
            exchange(*ends, *numbered(f"{path}/{'ab'[number % 2]}", number, LONG))
        before = samples_of(probes, path)
        with connected() as second, connected() as third:
            threads = [
                threading.Thread(target=_flood, args=(path, *both))
                for both in (ends, second, third)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        samples = samples_of(probes, path)
    later = [sample for sample in samples if sample not in before]
    assert len(later) >= 50
    assert have_their_own(later) >= len(later) * 2 / 3


def _flood(path: str, client: socket.socket, server: socket.socket) -> None:
    until = time.monotonic() + 1.5
    for number in itertools.takewhile(lambda _: time.monotonic() < until, itertools.count()):
        exchange(client, server, *numbered(f"{path}/{'ab'[number % 2]}", number, LONG))


def test_none_has_anothers_where_threads_share_connections(some_seen: Watch) -> None:
    """Reads and writes of a connection run at the same time, on all CPUs."""
    path = new_path()
    with contextlib.ExitStack() as open_ones:
        ends = [open_ones.enter_context(connected()) for _ in range(4)]
        threads = [threading.Thread(target=_pipelines, args=(path, *both)) for both in ends]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            some_seen.step()  # the ring buffer holds fewer
            time.sleep(0.02)
    samples = samples_of(some_seen, path)
    assert len(samples) >= 1000
    # A client's response may be read before the call that sent its request has returned.
    for sample in samples:
        pair = pair_of(sample.request_head)
        if pair:
            word = "abc"[int(pair.removeprefix("X-Pair: ")) % 3]
            assert sample.key.path == f"{path}/{word}"
    assert have_their_own([sample for sample in samples if sample.key.side == "server"]) >= 50


def _pipelines(path: str, client: socket.socket, server: socket.socket) -> None:
    """Send requests as fast as the other end reads them; its answers are read by another thread."""
    pairs = [
        numbered(f"{path}/{'abc'[number % 3]}", number, *([LONG] if number % 5 else []))
        for number in range(300)
    ]
    places = threading.Semaphore(3)
    replies = [reply for _, reply in pairs]
    others = [
        threading.Thread(target=_answer, args=(server, replies)),
        threading.Thread(target=_take, args=(client, len(replies), places)),
    ]
    for thread in others:
        thread.start()
    for head, _ in pairs:
        assert places.acquire(timeout=PATIENCE_S)
        client.sendall(head)
    for thread in others:
        thread.join()


def _messages(end: socket.socket, count: int) -> Iterator[int]:
    """Yield the number of header sections that each read completes, up to so many."""
    rest, seen = b"", 0
    while seen < count:
        more = end.recv(700)
        assert more, "the other end has closed"
        *whole, rest = (rest + more).split(b"\r\n\r\n")
        seen += len(whole)
        yield len(whole)


def _answer(server: socket.socket, replies: list[bytes]) -> None:
    waiting = iter(replies)
    for count in _messages(server, len(replies)):
        for _ in range(count):
            server.sendall(next(waiting))


def _take(client: socket.socket, count: int, places: threading.Semaphore) -> None:
    for seen in _messages(client, count):
        for _ in range(seen):
            places.release()


@pytest.mark.setting("security.max_captured_bytes")
@pytest.mark.parametrize(("most", "lines"), [(0, 0), (24, 0), (300, 3), (1024, 4)])
def test_no_more_than_the_settings_allow(most: int, lines: int) -> None:
    path = new_path()
    fields = ("X-Pair: 0", LONG, LONG)
    limited_to = {"security.max_captured_bytes": most, **PLENTY}
    with watch(limited_to) as probes, connected() as ends:
        exchange(*ends, request(path, "GET", *fields))
        samples = samples_of(probes, path)
    assert len(samples) == 2
    whole = ("Host: test", *fields)
    for sample in samples:
        assert sample.request_head == whole[:lines]
