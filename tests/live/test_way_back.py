"""A connection of which something was missed is counted right again, soon, and for good.

Probes that are detached and attached again under living connections miss what passes meanwhile; in
a run, other causes do the same. What became of a request whose response was missed is unknown. Its
connection must not stay a request behind for the rest of its life, each response taken for that of
an earlier request.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pytest

from httptop.model import SIDES, Side, Snapshot
from tests.live.live import (
    FRONTS,
    Watch,
    connected,
    connected_unix,
    exchange,
    receive,
    request,
    response,
    rows_of,
    show,
    sums_of,
)
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.ebpf

each_front = pytest.mark.parametrize("watch", FRONTS, indirect=True)
KINDS: Final = {"tcp": connected, "unix": connected_unix}

#: Exchanges within which a connection must be back; the outcomes of these may be unknown.
RECOVERY: Final = 32
#: Exchanges after that, each of them exact; by their status they have a path.
EXACT: Final = 12
PATHS: Final = {200: "fine", 404: "gone", 201: "made", 503: "busy"}
#: The response to the request of which something is missed, and to no other.
MISSED: Final = 418

Ends = tuple[socket.socket, socket.socket]
#: Plays a request and its response on a connection, part of it unseen.
Miss = Callable[[Watch, str, Ends], None]


@contextlib.contextmanager
def unseen(watch: Watch) -> Iterator[None]:
    """While the block lasts nothing is seen."""
    watch.probes.detach()
    try:
        yield
    finally:
        watch.probes.attach()


def burst(ends: Ends, path: str, *statuses: int) -> None:
    """Send as many requests at once, then a response to each, by itself."""
    client, server = ends
    requests = b"".join(request(f"{path}/{PATHS[status]}") for status in statuses)
    client.sendall(requests)
    assert receive(server, len(requests)) == requests
    for status in statuses:
        server.sendall(response(status, b"body"))
        receive(client, len(response(status, b"body")))


def assert_back(watch: Watch, path: str, connections: list[Ends], depth: int = 1) -> None:
    """Have each connection make RECOVERY exchanges; the EXACT ones after these are exact.

    ``depth``: how many requests are sent before the first response.
    """
    statuses = tuple(PATHS) * depth
    for ends in connections:
        for _ in range(RECOVERY):
            burst(ends, f"{path}/soon", *statuses[:depth])
    watch.until(lambda seen: not in_flight(seen, path), PATIENCE_S, "that nothing is in flight")
    began_s, expected = time.monotonic(), Counter[int]()
    for ends in connections:
        for turn in range(EXACT):
            now = statuses[turn % 4 : turn % 4 + depth]
            burst(ends, f"{path}/exact", *now)
            expected.update(now)
    longest_ns = (time.monotonic() - began_s) * 1e9
    for status, name in PATHS.items():
        watch.expect(f"{path}/exact/{name}", {status: expected[status]}, timeout_s=PATIENCE_S)
    for row in watch.rows(f"{path}/exact"):
        assert row.latency_total.count == row.requests, show(row)
        assert row.latency_total.max_ns <= longest_ns, show(row)


def in_flight(snapshot: Snapshot, path: str) -> int:
    """Return how many requests are in flight, on both sides."""
    return sum(row.in_flight or 0 for row in rows_of(snapshot, path))


# ---- what is missed ---------------------------------------------------------------------------

REPLY: Final = response(MISSED, b"x" * 1000)


def _ask(ends: Ends, data: bytes) -> None:
    ends[0].sendall(data)
    receive(ends[1], len(data))


def _answer(ends: Ends, data: bytes) -> None:
    ends[1].sendall(data)
    receive(ends[0], len(data))


def miss_a_response(watch: Watch, path: str, ends: Ends) -> None:
    _ask(ends, request(path))
    with unseen(watch):
        _answer(ends, REPLY)


def miss_a_request(watch: Watch, path: str, ends: Ends) -> None:
    with unseen(watch):
        _ask(ends, request(path))
    _answer(ends, REPLY)


def miss_an_exchange(watch: Watch, path: str, ends: Ends) -> None:
    with unseen(watch):
        exchange(*ends, request(path), REPLY)


def miss_the_read_of_a_request(watch: Watch, path: str, ends: Ends) -> None:
    ends[0].sendall(request(path))
    with unseen(watch):
        receive(ends[1], len(request(path)))
    _answer(ends, REPLY)


def miss_the_read_of_a_response(watch: Watch, path: str, ends: Ends) -> None:
    _ask(ends, request(path))
    ends[1].sendall(REPLY)
    with unseen(watch):
        receive(ends[0], len(REPLY))


def miss_the_end_of_a_request(watch: Watch, path: str, ends: Ends) -> None:
    _ask(ends, request(path, "POST", "Content-Length: 1000") + b"x" * 300)
    with unseen(watch):
        _ask(ends, b"x" * 700)
    _answer(ends, REPLY)


def miss_the_end_of_a_request_and_its_response(watch: Watch, path: str, ends: Ends) -> None:
    _ask(ends, request(path, "POST", "Content-Length: 1000") + b"x" * 300)
    with unseen(watch):
        _ask(ends, b"x" * 700)
        _answer(ends, REPLY)


def miss_the_end_of_a_response(watch: Watch, path: str, ends: Ends) -> None:
    _ask(ends, request(path))
    _answer(ends, REPLY[:-500])
    with unseen(watch):
        _answer(ends, REPLY[-500:])


def miss_chunks_of_a_response(watch: Watch, path: str, ends: Ends) -> None:
    head = b"HTTP/1.1 %d Teapot\r\nTransfer-Encoding: chunked\r\n\r\n" % MISSED
    chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    _ask(ends, request(path))
    _answer(ends, head + chunk[:600])
    with unseen(watch):
        _answer(ends, chunk[600:] + chunk + b"0\r\n\r\n")


def miss_a_part_of_a_head(watch: Watch, path: str, ends: Ends) -> None:
    head = request(path, "GET", "Accept: text/html", "Cookie: a=b")
    _ask(ends, head[:-20])
    with unseen(watch):
        _ask(ends, head[-20:])
    _answer(ends, REPLY)


def miss_responses_of_a_pipeline(watch: Watch, path: str, ends: Ends) -> None:
    _ask(ends, request(path) * 4)
    _answer(ends, REPLY)
    with unseen(watch):
        _answer(ends, REPLY * 2)
    _answer(ends, REPLY)


#: What is missed -> the outcomes that count for it, by side, as far as they can be known.
MISSES: Final[dict[str, tuple[Miss, dict[Side, Mapping[int, int]]]]] = {
    "response": (miss_a_response, {"server": {0: 1}, "client": {0: 1}}),
    "request": (miss_a_request, {"server": {}, "client": {}}),
    "exchange": (miss_an_exchange, {"server": {}, "client": {}}),
    "request's read": (miss_the_read_of_a_request, {"server": {}, "client": {MISSED: 1}}),
    "response's read": (miss_the_read_of_a_response, {"server": {MISSED: 1}, "client": {0: 1}}),
    "request's end": (
        miss_the_end_of_a_request, {"server": {MISSED: 1}, "client": {MISSED: 1}},
    ),
    "request's end and response": (
        miss_the_end_of_a_request_and_its_response, {"server": {0: 1}, "client": {0: 1}},
    ),
    "response's end": (
        miss_the_end_of_a_response, {"server": {MISSED: 1}, "client": {MISSED: 1}},
    ),
    "chunks": (miss_chunks_of_a_response, {"server": {MISSED: 1}, "client": {MISSED: 1}}),
    "part of a head": (miss_a_part_of_a_head, {}),
    "responses of a pipeline": (miss_responses_of_a_pipeline, {}),
}  # fmt: skip


@each_front
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", MISSES)
def test_a_connection_finds_back(watch: Watch, path: str, kind: str, what: str) -> None:
    miss, _ = MISSES[what]
    with KINDS[kind]() as ends:
        for _ in range(3):
            burst(ends, f"{path}/before", 200)
        miss(watch, f"{path}/missed", ends)
        assert_back(watch, path, [ends])


@each_front
@pytest.mark.parametrize("what", [what for what, (_, outcomes) in MISSES.items() if outcomes])
def test_no_outcome_is_guessed(watch: Watch, path: str, what: str) -> None:
    """On TCP, whose sequence numbers tell that bytes were missed."""
    miss, outcomes = MISSES[what]
    with connected() as ends:
        burst(ends, f"{path}/before", 200)
        miss(watch, f"{path}/missed", ends)
        for _ in range(RECOVERY):
            burst(ends, f"{path}/soon", 200)
        snapshot = watch.step()
    found = {side: sums_of(rows_of(snapshot, f"{path}/missed", side)) for side in SIDES}
    assert found == {side: (outcomes[side], 0, 0) for side in SIDES}


# ---- many times, under load -------------------------------------------------------------------


CYCLES: Final = 20
LAST: Final = "/last-of-all"


class Busy:
    """A connection with a client's and a server's thread, which wait for each other in reads."""

    def __init__(self, ends: Ends, path: str, depth: int) -> None:
        """``depth``: how many requests the client sends before it reads the responses."""
        self._client, self._server = ends
        for end in ends:
            end.settimeout(None)  # reads block, so that attachments come while they do
        self._path, self._depth = path, depth
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=at) for at in (self._ask, self._answer)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        statuses = tuple(PATHS) * self._depth
        turn = 0
        while not self._stopped.is_set():
            now = statuses[turn % 4 : turn % 4 + self._depth]
            self._client.sendall(b"".join(request(f"{self._path}/{PATHS[one]}") for one in now))
            receive(self._client, sum(len(response(one)) for one in now))
            turn += 1
        self._client.sendall(request(LAST))
        receive(self._client, len(response()))

    def _answer(self) -> None:
        statuses = {name.encode(): status for status, name in PATHS.items()}
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                data += os.read(self._server.fileno(), 4096)
            head, _, data = data.partition(b"\r\n\r\n")
            target = head.split()[1]
            status = statuses.get(target.rpartition(b"/")[2], 200)
            os.write(self._server.fileno(), response(status))
            if target == LAST.encode():
                return

    def stop(self) -> None:
        """Let it finish what it is about."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


@each_front
@pytest.mark.parametrize("depth", [1, 4], ids=["plain", "pipelined"])
def test_many_times_under_living_connections(watch: Watch, path: str, depth: int) -> None:
    dice = random.Random(depth)
    with contextlib.ExitStack() as closing:
        connections = [closing.enter_context(KINDS[kind]()) for kind in ("tcp", "unix") * 3]
        busy = [Busy(ends, f"{path}/before", depth) for ends in connections]
        try:
            for _ in range(CYCLES):
                with unseen(watch):
                    time.sleep(dice.uniform(0.001, 0.01))
                time.sleep(dice.uniform(0.001, 0.02))
        finally:
            for one in busy:
                one.stop()
        assert_back(watch, path, connections, depth)
