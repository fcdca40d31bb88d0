"""Calls that hold very many messages: all of them are counted, in order, while the call is seen."""

from __future__ import annotations

import os
import socket
import tempfile
import threading

import pytest

from httptop.config.scope import limited
from httptop.linux.bpf_syscall import map_keys
from httptop.model import SIDES
from tests.live.live import (
    FRONTS,
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    receive,
    request,
    response,
)

pytestmark = pytest.mark.ebpf

#: By the last letter of the path.
STATUS = {"a": 200, "b": 201, "c": 202, "d": 203, "e": 404}


def pipeline(path: str, count: int) -> tuple[bytes, bytes]:
    """Return so many requests of five kinds in turns, and their responses."""
    letters = [list(STATUS)[at % 5] for at in range(count)]
    heads = [request(f"{path}/{letter}/") for letter in letters]
    replies = [response(STATUS[letter], b"x" * at) for at, letter in enumerate(letters)]
    return b"".join(heads), b"".join(replies)


def statuses(count: int) -> dict[int, int]:
    return dict.fromkeys(STATUS.values(), count // 5)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("ends", [connected, connected_unix])
def test_exact_and_in_order(front: str, ends: object) -> None:
    path = new_path()
    heads, replies = pipeline(path, 400)
    assert callable(ends)
    with Watch(scope=limited(f"pid = {os.getpid()}"), front=front) as watch:
        with ends() as (client, server):
            for _ in range(5):
                exchange(client, server, heads, replies)
        watch.expect(path, statuses(2000))
        for letter, status in STATUS.items():
            assert watch.row(f"{path}/{letter}/").status == {status: 400}
        health = watch.step().health
        assert (health.lost_pieces, health.parse_errors, health.orphan_responses) == (0, 0, 0)


def test_times_are_those_of_the_calls() -> None:
    """However late a piece is taken up."""
    path = new_path()
    heads, replies = pipeline(path, 100)
    pause_s = 0.2
    with Watch() as watch, connected() as ends:
        exchange(*ends, heads, replies)
        threading.Event().wait(pause_s)
        watch.expect(path, statuses(100))
        for row in watch.rows(path):
            assert row.latency_total.max_ns < pause_s * 1e9


def test_the_connection_ends_right_behind_a_long_call() -> None:
    path = new_path()
    heads, replies = pipeline(path, 300)
    half = response(200, b"") * 150
    with Watch(scope=limited(f"pid = {os.getpid()}")) as watch:
        with connected() as (client, server):
            exchange(client, server, heads, replies)
            client.sendall(heads)
            receive(server, len(heads))
            server.sendall(half)
            receive(client, len(half))
        watch.expect(path, statuses(300) | {200: 60 + 150}, unanswered=150)
        snapshot = watch.until(lambda _: leftovers(watch) == 0, what="that nothing is left")
        assert snapshot.health.lost_pieces == 0


def leftovers(watch: Watch) -> int:
    """Return how many entries the maps of connections hold."""
    maps = watch.probes.maps
    return sum(
        len(list(map_keys(maps[name], size))) for name, size in (("conns", 8), ("queue", 16))
    )


def test_the_body_behind_a_pipeline_is_moved_by_the_kernel() -> None:
    path = new_path()
    heads, _ = pipeline(path, 100)
    replies = response(200) * 99 + b"HTTP/1.1 201 Made\r\nContent-Length: 100000\r\n\r\n"
    with Watch() as watch, connected() as (client, server):
        client.sendall(heads)
        receive(server, len(heads))
        server.sendall(replies)
        _send_file(server, b"x" * 100_000)
        receive(client, len(replies) + 100_000)
        exchange(client, server, request(path + "/f"), response(202))
        watch.expect(path, {200: 99, 201: 1, 202: 1})
        sent = sum(row.response_bytes for row in watch.rows(path, "server"))
        assert sent == len(replies) + 100_000 + len(response(202))


def _send_file(end: socket.socket, data: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        end.sendfile(file)


@pytest.mark.xdist_group("system calls")
def test_where_only_tail_calls_are_what_is_left_is_counted_as_lost_and_invents_nothing() -> None:
    """Linux before 5.17 has no loops: what is beyond 30 steps is not parsed; then it goes on."""
    path = new_path()
    heads, replies = pipeline(path, 100)
    with Watch(front="tail calls") as watch, connected() as (client, server):
        for _ in range(3):
            exchange(client, server, heads, replies)
        exchange(client, server, request(path + "/after"), response(204))
        exchange(client, server, request(path + "/after"), response(204))
        snapshot = watch.until(
            lambda _: (
                all(204 in row.status for row in watch.rows(path + "/after"))
                and len(watch.rows(path + "/after")) == 2
            )
        )
        assert snapshot.health.lost_pieces > 0
        for side in SIDES:
            counted: dict[int, int] = {}
            for letter, status in STATUS.items():
                (row,) = watch.rows(f"{path}/{letter}/", side)
                assert set(row.status) <= {status, 0}, row.status
                for code, count in row.status.items():
                    counted[code] = counted.get(code, 0) + count
            assert 0 < sum(counted.values()) <= 3 * 100
