"""Short lives of connections, each of its own kind, and what httptop must count of them.

Every shape talks on a fresh connection under paths of its own, so that the counts at the end can
be compared kind by kind.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from tests.live.live import connected, connected_unix, exchange, receive, request, response

Ends = tuple[socket.socket, socket.socket]

RESET: Final = struct.pack("ii", 1, 0)


class Counts(NamedTuple):
    """What one connection adds on one side."""

    answered: int = 0  # with status 200
    unanswered: int = 0


class Shape(NamedTuple):
    """A way to live and die."""

    name: str
    live: Callable[[random.Random, Ends, str], None]
    server: Counts
    client: Counts
    unix: bool = False


def reset(end: socket.socket) -> None:
    """Close without a word: the other end gets a reset."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    end.close()


def _ask(ends: Ends, path: str, times: int = 1) -> None:
    client, server = ends
    heads = b"".join(request(f"{path}/{number}") for number in range(times))
    client.sendall(heads)
    receive(server, len(heads))


def _some(dice: random.Random, ends: Ends, path: str) -> None:
    for _ in range(3):
        exchange(*ends, request(f"{path}/{dice.randrange(10**6)}"), response(200, b"x" * 30))


def _server_closes(dice: random.Random, ends: Ends, path: str) -> None:
    _some(dice, ends, path)
    ends[1].close()


def _reset(dice: random.Random, ends: Ends, path: str) -> None:
    _some(dice, ends, path)
    reset(ends[dice.randrange(2)])


def _half_closed(_: random.Random, ends: Ends, path: str) -> None:
    client, server = ends
    _ask(ends, path)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.sendall(response(200))
    server.close()
    receive(client, len(response(200)))


def _never_answered(_: random.Random, ends: Ends, path: str) -> None:
    _ask(ends, path)
    ends[1].close()


def _reset_unanswered(_: random.Random, ends: Ends, path: str) -> None:
    _ask(ends, path)
    reset(ends[1])


def _response_not_read(_: random.Random, ends: Ends, path: str) -> None:
    _ask(ends, path)
    ends[1].sendall(response(200))
    reset(ends[0])


def _pipelined(_: random.Random, ends: Ends, path: str) -> None:
    client, server = ends
    _ask(ends, path, 5)
    server.sendall(response(200) * 5)
    receive(client, 5 * len(response(200)))


def _pipeline_cut(dice: random.Random, ends: Ends, path: str) -> None:
    client, server = ends
    _ask(ends, path, 5)
    server.sendall(response(200) * 2)
    receive(client, 2 * len(response(200)))
    if dice.random() < 0.5:
        reset(client)


def _tunnel(dice: random.Random, ends: Ends, path: str) -> None:
    _some(dice, ends, path)
    client, server = ends
    _ask(ends, path)
    reply = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
    server.sendall(reply)
    receive(client, len(reply))
    data = dice.randbytes(200)
    client.sendall(data)
    receive(server, len(data))


def _garbage(dice: random.Random, ends: Ends, _: str) -> None:
    data = b"\x16\x03" + dice.randbytes(dice.randrange(1, 400))
    ends[0].sendall(data)
    receive(ends[1], len(data))


def _head_cut(dice: random.Random, ends: Ends, path: str) -> None:
    head = request(path)
    head = head[: dice.randrange(5, len(head) - 1)]
    ends[0].sendall(head)
    receive(ends[1], len(head))


_THREE, _FIVE, _ONE, _NEVER, _NONE = Counts(3), Counts(5), Counts(1), Counts(0, 1), Counts()

SHAPES: Final = (
    Shape("client-closes", _some, _THREE, _THREE),
    Shape("unix", _some, _THREE, _THREE, unix=True),
    Shape("server-closes", _server_closes, _THREE, _THREE),
    Shape("reset", _reset, _THREE, _THREE),
    Shape("half-closed", _half_closed, _ONE, _ONE),
    Shape("never-answered", _never_answered, _NEVER, _NEVER),
    Shape("never-answered-unix", _never_answered, _NEVER, _NEVER, unix=True),
    Shape("reset-unanswered", _reset_unanswered, _NEVER, _NEVER),
    Shape("response-not-read", _response_not_read, _ONE, _NEVER),
    Shape("pipelined", _pipelined, _FIVE, _FIVE),
    Shape("pipeline-cut", _pipeline_cut, Counts(2, 3), Counts(2, 3)),
    Shape("pipeline-cut-unix", _pipeline_cut, Counts(2, 3), Counts(2, 3), unix=True),
    Shape("tunnel", _tunnel, Counts(4), Counts(4)),
    Shape("garbage", _garbage, _NONE, _NONE),
    Shape("head-cut", _head_cut, _NONE, _NONE),
)


def drawn(seed: int, count: int) -> list[Shape]:
    """Return the shapes that a worker of this seed lives through, in order."""
    dice = random.Random(seed)
    return [dice.choice(SHAPES) for _ in range(count)]


def live_through(shape: Shape, dice: random.Random, root: str) -> None:
    """Open a connection and live its life; both ends are closed afterwards."""
    with contextlib.ExitStack() as stack:
        ends = stack.enter_context(connected_unix() if shape.unix else connected())
        shape.live(dice, ends, f"{root}/{shape.name}")
