"""Sockets that carry something else than HTTP: hardly looked at, and never taken for another's."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.live.live import (
    FRONTS,
    Watch,
    connected,
    connected_unix,
    exchange,
    receive,
    request,
)

pytestmark = pytest.mark.ebpf

#: VAIN_LOOKS and LOOKED_AT_EACH of others.h.
LOOKS, EACH = 8, 64
Ends = tuple[socket.socket, socket.socket]
Pair = Callable[[], AbstractContextManager[Ends]]
BINARY = bytes(range(128, 192))


def talk(ends: Ends, messages: int) -> None:
    """Send binary messages from the first end to the second; each is two calls on their sockets."""
    for _ in range(messages):
        ends[0].sendall(BINARY)
        assert receive(ends[1], len(BINARY)) == BINARY


@pytest.mark.parametrize("watch", FRONTS, indirect=True)
@pytest.mark.parametrize("pair", [connected, connected_unix], ids=["tcp", "unix"])
def test_a_few_other_messages_do_no_harm(watch: Watch, path: str, pair: Pair) -> None:
    before = watch.step().health.missed_calls
    with pair() as ends:
        talk(ends, LOOKS - 1)
        for _ in range(3):
            exchange(*ends, request(path))
    watch.expect(path, {200: 3})
    assert watch.step().health.missed_calls == before


@pytest.mark.parametrize("watch", FRONTS, indirect=True)
def test_http_after_many_other_messages_is_found_and_said(watch: Watch, path: str) -> None:
    before = watch.step().health.missed_calls
    with connected() as ends:
        talk(ends, 4 * LOOKS)
        for _ in range(2 * EACH):
            exchange(*ends, request(path))
        found = {side: watch.row(path, side).requests for side in ("server", "client")}
        assert all(EACH <= count < 2 * EACH for count in found.values()), found
        # Found by one of its calls, each end has said so; a response is an orphan then.
        assert watch.step().health.missed_calls == before + 2


@pytest.mark.parametrize("watch", FRONTS, indirect=True)
def test_another_socket_at_the_same_place_is_looked_at(watch: Watch, path: str) -> None:
    """The kernel hands out a struct sock again at once; none of these is taken for the last."""
    for _ in range(200):
        with connected_unix() as ends:
            talk(ends, LOOKS + 1)
        with connected_unix() as ends:
            exchange(*ends, request(path))
    watch.expect(path, {200: 200})
