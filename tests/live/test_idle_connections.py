"""Where there is little room for connections, idle ones are let go; what is under way is not."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import Iterator
from typing import Final

import pytest

from httptop.bpf.idle_connections import IdleConnections
from httptop.config.scope import limited
from httptop.config.settings import DEFAULTS, Performance
from httptop.linux.bpf_syscall import map_keys
from tests.live.live import (
    Watch,
    connected,
    connected_unix,
    exchange,
    receive,
    request,
    response,
)

pytestmark = [pytest.mark.ebpf, pytest.mark.xdist_group("forgetting")]

ROOM: Final = 64
#: Pairs of connections, each tracked at both ends: more than three quarters of it, and as many.
PAIRS: Final = 27
THREE_QUARTERS: Final = 24


class Run(Watch):
    """The probes with room for few connections, and a clock for the idle ones."""

    def __init__(self) -> None:
        settings = dataclasses.replace(DEFAULTS, performance=Performance(max_connections=ROOM))
        super().__init__(settings, limited(f"pid = {os.getpid()}"), fresh=True)
        self.later_s = 0.0

    def idle(self) -> IdleConnections:
        probes = self.source._probes
        assert probes is not None
        conns, shares = probes.maps["conns"], probes.maps["shares"]
        return IdleConnections(
            conns, shares, probes.programs["sweep"], clock=lambda: time.monotonic() + self.later_s
        )

    def tracked(self) -> int:
        probes = self.source._probes
        assert probes is not None
        return len(list(map_keys(probes.maps["conns"], 8)))


@pytest.fixture
def run() -> Iterator[Run]:
    with Run() as run:
        yield run


def _fill(
    stack: contextlib.ExitStack, path: str, pairs: int
) -> list[tuple[socket.socket, socket.socket]]:
    made = []
    for number in range(pairs):
        ends = stack.enter_context(connected() if number % 2 else connected_unix())
        exchange(*ends, request(path), response(200))
        made.append(ends)
    return made


def test_idle_ones_are_let_go_where_there_is_little_room(run: Run, path: str) -> None:
    with contextlib.ExitStack() as stack:
        idle, ends = run.idle(), _fill(stack, path, PAIRS - 3)
        pending, half, body = (stack.enter_context(connected()) for _ in range(3))
        pending[0].sendall(request(path))
        receive(pending[1], len(request(path)))
        half[0].sendall(request(path)[:-2])
        receive(half[1], len(request(path)) - 2)
        reply = response(201, b"x" * 100)
        body[0].sendall(request(path))
        receive(body[1], len(request(path)))
        body[1].sendall(reply[:-50])
        receive(body[0], len(reply) - 50)
        assert run.tracked() == 2 * PAIRS

        run.later_s = 59
        for _ in range(6):
            idle.tick()
        assert run.tracked() == 2 * PAIRS

        run.later_s = 61
        idle = run.idle()
        idle.tick()
        assert run.tracked() == 2 * (PAIRS - 1)  # incomplete requests go first
        for _ in range(3):
            idle.tick()
        assert run.tracked() == 2 * 2  # of what waits for a response, or for the rest of one

        pending[1].sendall(response(404))
        receive(pending[0], len(response(404)))
        body[1].sendall(reply[-50:])
        receive(body[0], 50)
        half[0].sendall(b"\r\n")
        receive(half[1], 2)
        half[1].sendall(response(500))
        receive(half[0], len(response(500)))
        for pair in (*ends, pending, half, body):
            exchange(*pair, request(path), response(202))
        run.expect(path, {200: PAIRS - 3, 404: 1, 201: 1, 202: PAIRS})


def test_none_goes_while_there_is_room(run: Run, path: str) -> None:
    with contextlib.ExitStack() as stack:
        idle, ends = run.idle(), _fill(stack, path, THREE_QUARTERS - 1)
        run.later_s = 7200
        for _ in range(4):
            idle.tick()
        assert run.tracked() == 2 * (THREE_QUARTERS - 1)
        more = _fill(stack, path, 1)
        idle.tick()
        assert run.tracked() == 0  # the first round is enough
        for pair in (*ends, *more):
            exchange(*pair, request(path), response(200))
        run.expect(path, {200: 2 * THREE_QUARTERS})
