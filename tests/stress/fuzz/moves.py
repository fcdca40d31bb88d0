"""Bytes from one end of a connection to the other, in random pieces by random calls."""

from __future__ import annotations

import os
import random
import select
import socket
import tempfile
from collections.abc import Callable
from typing import Final

_SIZES: Final = (1, 1, 2, 3, 7, 15, 16, 17, 60, 128, 500, 769, 4096, 100_000)
_PATIENCE_MS: Final = 20_000


def _parts(dice: random.Random, size: int) -> list[int]:
    """Return sizes, some of them 0, that add up to ``size``."""
    cuts = sorted(dice.randrange(size + 1) for _ in range(dice.randrange(5)))
    return [after - before for before, after in zip([0, *cuts], [*cuts, size], strict=True)]


def _cut(dice: random.Random, data: bytes) -> list[bytes]:
    found, at = [], 0
    for size in _parts(dice, len(data)):
        found.append(data[at : at + size])
        at += size
    return found


Send = Callable[[random.Random, socket.socket, bytes], int]
Take = Callable[[random.Random, socket.socket, int], bytes]

SENDS: Final[tuple[Send, ...]] = (
    lambda _, end, data: end.send(data),
    lambda _, end, data: os.write(end.fileno(), data),
    lambda dice, end, data: os.writev(end.fileno(), _cut(dice, data)),
    lambda dice, end, data: end.sendmsg(_cut(dice, data)),
    lambda _, end, data: end.sendmsg([data]),
    lambda _, end, data: end.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL),
)


def _by_sendfile(_: random.Random, end: socket.socket, data: bytes) -> int:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(data)
        return os.sendfile(end.fileno(), file.fileno(), 0, len(data))


def _by_splice(_: random.Random, end: socket.socket, data: bytes) -> int:
    reader, writer = os.pipe()
    try:
        size = os.write(writer, data[:4096])
        return os.splice(reader, end.fileno(), size)
    finally:
        os.close(reader)
        os.close(writer)


#: For bodies only: what no buffer of the caller's holds cannot be read by the probes.
MOVES: Final[tuple[Send, ...]] = (_by_sendfile, _by_splice)


def _readv(dice: random.Random, end: socket.socket, size: int) -> bytes:
    parts = [bytearray(part) for part in _parts(dice, size)]
    got = os.readv(end.fileno(), parts)
    return b"".join(parts)[:got]


def _recvmsg(dice: random.Random, end: socket.socket, size: int) -> bytes:
    parts = [bytearray(part) for part in _parts(dice, size)]
    got = end.recvmsg_into(parts)[0]
    return b"".join(parts)[:got]


def _peeked(_: random.Random, end: socket.socket, size: int) -> bytes:
    seen = end.recv(size, socket.MSG_PEEK)
    found = end.recv(size)
    assert found[: len(seen)] == seen
    return found


TAKES: Final[tuple[Take, ...]] = (
    lambda _, end, size: end.recv(size),
    lambda _, end, size: os.read(end.fileno(), size),
    lambda _, end, size: end.recvmsg(size)[0],
    _readv,
    _recvmsg,
    _peeked,
)


def transfer(
    dice: random.Random, sender: socket.socket, taker: socket.socket, data: bytes, body_at: int
) -> None:
    """Move all of ``data``; from ``body_at`` on it is the body of a message. No end may block."""
    sent = got = 0
    usual = dice.choice(_SIZES) if dice.random() < 0.5 else 0
    many = len(data) > 3000  # not by the byte, or it takes all day
    while got < len(data):
        if sent < len(data) and (sent == got or dice.random() < 0.6):
            size = max(usual or dice.choice(_SIZES), 700 if many else 0)
            ways = MOVES if sent >= body_at and dice.random() < 0.3 else SENDS
            try:
                sent += dice.choice(ways)(dice, sender, data[sent : sent + size])
            except BlockingIOError:
                if sent == got:
                    _wait(sender, select.POLLOUT)
        if got < sent:
            size = max(usual or dice.choice(_SIZES), 700 if many else 0)
            size = min(size, len(data) - got)
            try:
                piece = dice.choice(TAKES)(dice, taker, size)
            except BlockingIOError:
                if sent == len(data) or dice.random() < 0.3:
                    _wait(taker, select.POLLIN)
                continue
            assert piece, "the other end has closed"
            assert piece == data[got : got + len(piece)]
            got += len(piece)


def _wait(end: socket.socket, event: int) -> None:
    poll = select.poll()
    poll.register(end, event)
    assert poll.poll(_PATIENCE_MS), "nothing came about"
