"""The time a response takes to be sent: of those sent in pieces, from first to last byte."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from httptop.config.scope import limited
from httptop.model import NO_LATENCY
from tests.live.live import (
    FRONTS,
    Watch,
    connected,
    exchange,
    new_path,
    receive,
    request,
    response,
    rows_of,
)

pytestmark = pytest.mark.ebpf

MS = 1_000_000
PAUSE_S = 0.05


def in_pieces(ends: tuple[socket.socket, socket.socket], path: str, status: int = 200) -> None:
    """Response at once, and end the response after a pause."""
    client, server = ends
    client.sendall(request(path))
    receive(server, len(request(path)))
    reply = response(status, bytes(1000))
    server.sendall(reply[:-10])
    receive(client, len(reply) - 10)
    threading.Event().wait(PAUSE_S)
    server.sendall(reply[-10:])
    receive(client, 10)


@pytest.mark.parametrize("front", FRONTS)
def test_sending_and_duration(front: str) -> None:
    path = new_path()
    with Watch(front=front) as watch:
        with connected() as ends:
            exchange(*ends, request(path))
            in_pieces(ends, path)
            exchange(*ends, request(path))
            in_pieces(ends, path)
        snapshot = watch.until(
            lambda shot: all(row.sending_total.count == 2 for row in rows_of(shot, path))
        )
    rows = rows_of(snapshot, path)
    assert {row.key.side for row in rows} == {"server", "client"}
    for row in rows:
        assert row.requests == row.latency_total.count == row.duration_total.count == 4
        assert row.latency_total.max_ns < PAUSE_S * 1e9
        assert row.sending_total.p50_ns > 0.9 * PAUSE_S * 1e9
        assert row.duration_total.max_ns >= row.sending_total.max_ns
        assert row.duration_total.p50_ns < PAUSE_S * 1e9 < 1.1 * row.duration_total.p90_ns
        spent_ns = row.latency_total.mean_ns * 4 + row.sending_total.mean_ns * 2
        assert row.duration_total.mean_ns * 4 == pytest.approx(spent_ns)


def test_a_response_in_one_piece_takes_no_time_to_send() -> None:
    path = new_path()
    with Watch() as watch, connected() as ends:
        exchange(*ends, request(path))
        exchange(*ends, request(path))
        row = watch.row(path)
    assert row.sending_total == NO_LATENCY
    assert row.duration_total == row.latency_total


def test_only_statuses_that_are_meant() -> None:
    path = new_path()
    with Watch(scope=limited(f"pid = {os.getpid()} and status = 404")) as watch:
        with connected() as ends:
            in_pieces(ends, path, 404)
            in_pieces(ends, path, 200)
            in_pieces(ends, path, 200)
        watch.until(lambda shot: any(row.sending_total.count for row in shot.endpoints))
        row = watch.row(path)
    assert (row.requests, row.sending_total.count, row.duration_total.count) == (1, 1, 1)
