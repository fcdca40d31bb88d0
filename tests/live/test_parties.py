"""What each process and each peer has of the requests: against real processes and sockets."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from httptop.collect.parties import MOST_SHOWN
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS, Settings
from httptop.model import OTHER_PEERS, OTHER_PIDS, SIDES, UNIX_PEER, EndpointStats, Side
from tests.live.live import (
    SOCKETS,
    SYSCALLS,
    TAIL_CALLS,
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
    rows_of,
)

pytestmark = pytest.mark.ebpf

each_front = pytest.mark.parametrize("front", [SOCKETS, SYSCALLS, TAIL_CALLS])

Counts = dict[object, tuple[int, int]]


def counts_of(rows: list[EndpointStats], by: str) -> Counts:
    """Return requests and errors of each pid or peer of some rows, after a check of their sums."""
    requests: Counter[object] = Counter()
    errors: Counter[object] = Counter()
    for row in rows:
        parties = getattr(row, by)
        assert sum(stats.requests for stats in parties.values()) == row.requests
        assert sum(stats.errors for stats in parties.values()) == row.errors
        for name, stats in parties.items():
            requests[name] += stats.requests
            errors[name] += stats.errors
            assert stats.answered <= stats.requests
            assert stats.mean_ns <= stats.max_ns
    return {name: (requests[name], errors[name]) for name in requests}


# ---- several processes --------------------------------------------------------------------------

#: Serves what its standard input lists, [family, address]; tells the addresses. The end of a path
#: says what a request gets: "drop" nothing.
SERVER: Final = """
import json, socket, sys, threading
def serve(end):
    data = b""
    while more := end.recv(4096):
        data += more
        while b"\\r\\n\\r\\n" in data:
            head, _, data = data.partition(b"\\r\\n\\r\\n")
            word = head.split()[1].rpartition(b"/")[2].decode()
            if word == "drop":
                return end.close()
            status = {"missing": 404, "broken": 500}.get(word, 200)
            end.sendall(b"HTTP/1.1 %d Some\\r\\nContent-Length: 0\\r\\n\\r\\n" % status)
def accept(listener):
    while True:
        threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
listeners = []
for family, address in json.loads(sys.stdin.readline()):
    listeners.append(socket.socket(getattr(socket, family)))
    listeners[-1].bind(tuple(address) if isinstance(address, list) else address)
    listeners[-1].listen()
    threading.Thread(target=accept, args=listeners[-1:], daemon=True).start()
print(json.dumps([listener.getsockname() for listener in listeners]), flush=True)
sys.stdin.read()
"""
#: Does what its standard input lists, [family, from, to, paths], each on a connection.
CLIENT: Final = """
import json, socket, sys
for family, ours, theirs, paths in json.loads(sys.stdin.readline()):
    end = socket.socket(getattr(socket, family))
    if ours:
        end.bind(tuple(ours))
    end.connect(tuple(theirs) if isinstance(theirs, list) else theirs)
    for path in paths:
        end.sendall(b"GET %s HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n" % path.encode())
        data = b""
        while b"\\r\\n\\r\\n" not in data and (more := end.recv(4096)):
            data += more
    end.close()
print("done", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def running(code: str, given: Any) -> Iterator[tuple[int, Any]]:
    """Run a process of this code; yield its pid and the line that it prints."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(given)}\n")
        process.stdin.flush()
        yield process.pid, process.stdout.readline()
        process.stdin.close()


#: What clients ask for on a connection, the ends of paths, before the server drops it.
ASKED: Final = {
    "AF_INET": ["ok", "ok", "missing", "ok", "broken", "ok"],
    "AF_INET6": ["missing", "missing", "ok"],
    "AF_UNIX": ["broken", "ok", "ok", "ok", "ok", "ok"],
}
ERRORS: Final = ("missing", "broken", "drop")


@each_front
def test_two_servers_and_three_clients(front: str, tmp_path: Path) -> None:
    path = new_path()
    wanted: dict[tuple[Side, str], dict[object, list[int]]] = {}

    def count(side: Side, by: str, name: object, words: list[str]) -> None:
        counted = wanted.setdefault((side, by), {}).setdefault(name, [0, 0])
        counted[0] += len(words)
        counted[1] += sum(word in ERRORS for word in words)

    with Watch(front=front) as watch, contextlib.ExitStack() as closing:
        servers = []
        for number in range(2):
            listening = [
                ["AF_INET", ["127.0.0.1", 0]],
                ["AF_INET6", ["::1", 0]],
                ["AF_UNIX", str(tmp_path / str(number))],
            ]
            pid, said = closing.enter_context(running(SERVER, listening))
            servers.append((pid, json.loads(said)))
        for number in range(3):
            work = []
            words_of: list[tuple[str, int, list[str]]] = []
            for server, (server_pid, addresses) in enumerate(servers):
                for family, address in zip(ASKED, addresses, strict=True):
                    words = [*ASKED[family] * (1 + number + server), "drop"]
                    ours = [f"127.0.0.{number + 2}", 0] if family == "AF_INET" else None
                    theirs = address if family == "AF_UNIX" else address[:2]
                    work.append([family, ours, theirs, [f"{path}/{word}" for word in words]])
                    peer = {"AF_INET6": "::1", "AF_UNIX": UNIX_PEER}.get(family, "")
                    words_of.append((peer, server_pid, words))
            pid, said = closing.enter_context(running(CLIENT, work))
            assert said == "done\n"
            for peer, server_pid, words in words_of:
                count("server", "by_pid", server_pid, words)
                count("client", "by_pid", pid, words)
                count("server", "by_peer", peer or f"127.0.0.{number + 2}", words)
                count("client", "by_peer", peer or "127.0.0.1", words)
        total = sum(wanted["server", "by_pid"][pid][0] for pid, _ in servers)
        snapshot = watch.until(
            lambda seen: all(
                sum(row.requests for row in rows_of(seen, path, side)) == total for side in SIDES
            )
        )
        for (side, by), counter in wanted.items():
            found = counts_of(rows_of(snapshot, path, side), by)
            assert found == {name: tuple(count) for name, count in counter.items()}, (side, by)


# ---- one connection -----------------------------------------------------------------------------


def from_address(client: str) -> AbstractContextManager[tuple[socket.socket, socket.socket]]:
    """A connection on loopback from this address: the client's end, the server's."""
    return connected(source=client)


@each_front
def test_a_connection_that_changes_its_endpoint(front: str) -> None:
    path = new_path()
    with Watch(front=front) as watch, from_address("127.0.0.9") as ends:
        for turn in range(12):
            exchange(*ends, request(f"{path}/{'abc'[turn % 3]}"), response(200 + 300 * (turn % 2)))
        snapshot = watch.step()
    for word in "abc":
        (row,) = rows_of(snapshot, f"{path}/{word}", "server")
        assert counts_of([row], "by_peer") == {"127.0.0.9": (4, 2)}
        assert counts_of([row], "by_pid") == {os.getpid(): (4, 2)}


@each_front
def test_pipelines_and_what_is_never_answered(front: str) -> None:
    path = new_path()
    with Watch(front=front) as watch:
        with from_address("127.0.0.9") as (client, server):
            heads = [request(f"{path}/{word}") for word in "abaab"]
            client.sendall(b"".join(heads))
            receive(server, sum(map(len, heads)))
            server.sendall(response(200) + response(404))
            receive(client, len(response(200) + response(404)))
        snapshot = watch.until(
            lambda seen: sum(row.requests for row in rows_of(seen, path, "server")) == 5
        )
    (a,) = rows_of(snapshot, f"{path}/a", "server")
    (b,) = rows_of(snapshot, f"{path}/b", "server")
    assert counts_of([a], "by_peer") == {"127.0.0.9": (3, 2)}
    assert counts_of([b], "by_peer") == {"127.0.0.9": (2, 2)}


def test_bad_requests_have_a_party() -> None:
    with Watch() as watch, from_address("127.0.0.9") as (client, server):
        exchange(client, server, b"\x16\x03\x01\x00\x05hello", response(400))
        (row,) = [
            row
            for row in rows_of(watch.step(), "~bad request", "server")
            if row.by_peer and "127.0.0.9" in row.by_peer
        ]
        assert counts_of([row], "by_peer")["127.0.0.9"] == (1, 1)


def test_a_proxy_names_the_peer() -> None:
    path = new_path()
    with Watch() as watch, connected() as ends:
        exchange(*ends, b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n" + request(path))
        exchange(*ends, request(path))
        snapshot = watch.step()
    (server,) = rows_of(snapshot, path, "server")
    (client,) = rows_of(snapshot, path, "client")
    assert counts_of([server], "by_peer") == {"192.0.2.7": (2, 0)}
    assert counts_of([client], "by_peer") == {"127.0.0.1": (2, 0)}


# ---- room ---------------------------------------------------------------------------------------


def with_room(parties: int) -> Settings:
    return replace(DEFAULTS, performance=replace(DEFAULTS.performance, max_users=parties))


def test_peers_that_do_not_fit_are_in_the_rest() -> None:
    path = new_path()
    with Watch(with_room(64), limited(f"pid = {os.getpid()}")) as watch:
        for number in range(1, 101):
            with from_address(f"127.0.1.{number}") as ends:
                exchange(*ends, request(path), response(200 + 300 * (number % 2)))
        (row,) = watch.rows(path, "server")
        assert (row.requests, row.errors) == (100, 50)
        found = counts_of([row], "by_peer")
        assert len(found) == MOST_SHOWN
        assert found.pop(OTHER_PEERS)[0] == 100 - (MOST_SHOWN - 1)
        for peer, counts in found.items():
            assert counts == (1, int(str(peer).rpartition(".")[2]) % 2)
        for _ in range(5):  # those idle longest make room
            watch.step()
        with from_address("127.0.2.1") as ends:
            for _ in range(7):
                exchange(*ends, request(path))
        (row,) = watch.rows(path, "server")
        found = counts_of([row], "by_peer")
        assert found["127.0.2.1"] == (7, 0)
        assert sum(requests for requests, _ in found.values()) == 107


def test_a_connection_that_repeats_its_request_gets_a_party_once_there_is_room() -> None:
    path = new_path()
    with Watch(with_room(64), limited(f"pid = {os.getpid()}")) as watch:
        for number in range(1, 71):
            with from_address(f"127.0.1.{number}") as ends:
                exchange(*ends, request(f"{path}/others"))
        with from_address("127.0.0.9") as ends:
            for _ in range(3):
                exchange(*ends, request(f"{path}/one"))
            (row,) = watch.rows(f"{path}/one", "server")
            assert counts_of([row], "by_peer") == {OTHER_PEERS: (3, 0)}
            for _ in range(5):  # those idle longest make room
                exchange(*ends, request(f"{path}/one"))
                watch.step()
            for _ in range(4):
                exchange(*ends, request(f"{path}/one"))
            (row,) = watch.rows(f"{path}/one", "server")
            found = counts_of([row], "by_peer")
    assert found["127.0.0.9"][0] >= 4
    assert sum(requests for requests, _ in found.values()) == row.requests == 12


def test_a_number_is_nobody_elses_after_it_was_given_back() -> None:
    """A connection whose party has been given back has a request in the rest, then has another."""
    path = new_path()
    with Watch(with_room(64)) as watch, from_address("127.0.0.9") as ends:
        for _ in range(3):
            exchange(*ends, request(path))
        watch.step()
        for round_ in range(4):
            for number in range(1, 61):
                with from_address(f"127.0.{round_ + 1}.{number}") as others:
                    exchange(*others, request(f"{path}/others"))
            for _ in range(4):
                watch.step()
        (row,) = rows_of(watch.step(), path, "server")[:1]
        assert counts_of([row], "by_peer") == {OTHER_PEERS: (3, 0)}
        for _ in range(4):
            exchange(*ends, request(path))
        (row,) = [row for row in watch.rows(path, "server") if row.key.path == path]
        assert counts_of([row], "by_peer") == {OTHER_PEERS: (4, 0), "127.0.0.9": (3, 0)}
        assert counts_of(watch.rows(f"{path}/others", "server"), "by_pid")


def test_unix_sockets_in_both_ways() -> None:
    path = new_path()
    with Watch() as watch, connected_unix() as ends:
        exchange(*ends, request(path))
        for row in watch.rows(path):
            assert counts_of([row], "by_peer") == {UNIX_PEER: (1, 0)}
            assert counts_of([row], "by_pid") == {os.getpid(): (1, 0)}
            assert OTHER_PIDS not in (row.by_pid or {})


@pytest.mark.setting("paths.keep")
def test_controls_are_in_force_from_the_first_call_on() -> None:
    """Before the first tick, that is: parties, samples and path rules."""
    path = new_path()
    settings = replace(DEFAULTS, paths=replace(DEFAULTS.paths, keep=(f"{path}/*",)))
    watch = Watch(settings)
    watch.source.open()
    try:
        with connected() as ends:
            exchange(*ends, request(f"{path}/12345"))
        watch.collector.begin(time.monotonic())
        snapshot = watch.step()
        (row,) = rows_of(snapshot, path, "server")
        assert row.key.path == f"{path}/12345"
        assert counts_of([row], "by_pid") == {os.getpid(): (1, 0)}
        assert [sample.key for sample in snapshot.recent if sample.key == row.key] == [row.key]
    finally:
        watch.source.close()
