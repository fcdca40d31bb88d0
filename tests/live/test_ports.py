"""The server's port is part of an endpoint: two ports of one process have rows of their own."""

from __future__ import annotations

import socket

import pytest

from httptop.model import SIDES
from tests.live.live import (
    SOCKETS,
    SYSCALLS,
    TAIL_CALLS,
    Watch,
    connected,
    connected_unix,
    exchange,
    new_path,
    request,
    response,
    rows_of,
)

pytestmark = pytest.mark.ebpf


@pytest.mark.parametrize("front", [SOCKETS, SYSCALLS, TAIL_CALLS])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_path_at_two_ports_is_two_rows(front: str, family: socket.AddressFamily) -> None:
    path = new_path()
    with (
        Watch(front=front) as watch,
        connected(family, port=1) as one,
        connected(family, port=2) as other,
    ):
        for _ in range(3):  # the line is known to the CPU, at the other port
            exchange(*one, request(path))
            exchange(*other, request(path), response(404))
        with connected(family, port=2) as more:
            exchange(*more, request(path))
        first, second = (server.getsockname()[1] for _, server in (one, other))
        snapshot = watch.step()
        for side in SIDES:
            found = {row.key.port: dict(row.status) for row in rows_of(snapshot, path, side)}
            assert found == {first: {200: 3}, second: {404: 3, 200: 1}}


def test_a_unix_socket_has_none() -> None:
    path = new_path()
    with Watch() as watch, connected_unix() as ends:
        exchange(*ends, request(path))
        assert [row.key.port for row in watch.rows(path)] == [0, 0]


def test_rows_of_our_own_have_none() -> None:
    with Watch() as watch:
        before = len(rows_of(watch.step(), "~bad request", "server"))
        for port in (1, 2):
            with connected(port=port) as ends:
                exchange(*ends, b"\x16\x03\x01\x00\x05hello", response(400))
        rows = rows_of(watch.step(), "~bad request", "server")
        assert {row.key.port for row in rows} == {0}
        assert len(rows) <= before + 1
