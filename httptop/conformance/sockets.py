"""Perform cases: move bytes through a non-blocking socket by every system call that does so.

Each function makes one successful call of those that are traced, and returns the number of bytes
sent or the bytes received.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import select
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from httptop.conformance.case import Case, Manner
from httptop.model import Side

WAIT_MS: Final = 2000

Send = Callable[[socket.socket, list[bytes]], int]
Take = Callable[[socket.socket, int], bytes]
Ends = tuple[socket.socket, socket.socket]


class Stuck(Exception):
    """Bytes that were sent do not arrive, or no more can be sent."""


def _sendfile(end: socket.socket, parts: list[bytes]) -> int:
    with tempfile.TemporaryFile() as file:
        data = b"".join(parts)
        file.write(data)
        file.flush()
        return os.sendfile(end.fileno(), file.fileno(), 0, len(data))


def _splice(end: socket.socket, parts: list[bytes]) -> int:
    reader, writer = os.pipe()
    try:
        size = os.write(writer, b"".join(parts)[:65536])
        return os.splice(reader, end.fileno(), size)
    finally:
        os.close(reader)
        os.close(writer)


def _splice_out(end: socket.socket, size: int) -> bytes:
    """Move bytes into a pipe, so that no user-space buffer lets the probes read them."""
    reader, writer = os.pipe()
    try:
        moved = os.splice(end.fileno(), writer, min(size, 65536))
        return os.read(reader, moved) if moved else b""
    finally:
        os.close(reader)
        os.close(writer)


def _readv(end: socket.socket, size: int) -> bytes:
    parts = [bytearray(3), bytearray(0), bytearray(1), bytearray(size)]
    came = os.readv(end.fileno(), parts)
    return b"".join(parts)[:came]


def _recvmsg_into(end: socket.socket, size: int) -> bytes:
    parts = [bytearray(5), bytearray(40), bytearray(size)]
    came = end.recvmsg_into(parts)[0]
    return b"".join(parts)[:came]


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """A struct mmsghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("unused", ctypes.c_int),
        ("went", ctypes.c_uint32),
    )


_libc = ctypes.CDLL(None, use_errno=True)


def _in_messages(call: str, end: socket.socket, buffers: Sequence[ctypes.Array[Any]]) -> list[int]:
    """Make a call with several messages, a buffer each; return the bytes moved in each."""
    vectors = (_Vector * len(buffers))()
    messages = (_Message * len(buffers))()
    for at, (vector, message) in enumerate(zip(vectors, messages, strict=True)):
        vector.base, vector.length = ctypes.addressof(buffers[at]), len(buffers[at])
        message.vectors = ctypes.addressof(vectors) + at * ctypes.sizeof(_Vector)
        message.vector_count = 1
    count = getattr(_libc, call)(end.fileno(), messages, len(buffers), 0, None)
    if count < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return [message.went for message in messages[:count]]


def _sendmmsg(end: socket.socket, parts: list[bytes]) -> int:
    wanted = [part for part in parts if part]
    return sum(
        _in_messages(
            "sendmmsg", end, [ctypes.create_string_buffer(part, len(part)) for part in wanted]
        )
    )


def _recvmmsg(end: socket.socket, size: int) -> bytes:
    buffers = [ctypes.create_string_buffer(each) for each in (5, 40, size)]
    went = _in_messages("recvmmsg", end, buffers)
    return b"".join(buffer.raw[:n] for buffer, n in zip(buffers, went, strict=False))


def _discard(end: socket.socket, size: int) -> bytes:
    """Have the kernel discard bytes (TCP): we do not see them either."""
    return bytes(end.recv_into(bytearray(size), size, socket.MSG_TRUNC))


SEND: Final[dict[str, Send]] = {
    "send": lambda end, parts: end.send(b"".join(parts)),
    "write": lambda end, parts: os.write(end.fileno(), b"".join(parts)),
    "writev": lambda end, parts: os.writev(end.fileno(), parts),
    "sendmsg": lambda end, parts: end.sendmsg(parts),
    "sendmmsg": _sendmmsg,
    "sendfile": _sendfile,
    "splice": _splice,
}
TAKE: Final[dict[str, Take]] = {
    "recv": lambda end, size: end.recv(size),
    "read": lambda end, size: os.read(end.fileno(), size),
    "readv": _readv,
    "recvmsg": lambda end, size: end.recvmsg(size)[0],
    "recvmsg-parts": _recvmsg_into,
    "recvmmsg": _recvmmsg,
    "truncated": lambda end, size: end.recv(size, socket.MSG_TRUNC),
    "discard": _discard,
    "splice": _splice_out,
}


@contextlib.contextmanager
def connected(kind: str) -> Iterator[Ends]:
    """Yield the client's and the server's end of a new connection; close both afterwards."""
    client, server = _unix() if kind == "unix" else _tcp()
    with client, server:
        for end in (client, server):
            end.setblocking(False)
        yield client, server


def _unix() -> Ends:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


class _Listening(threading.local):
    """Each thread of a process listens at one port, so that its requests have few rows."""

    pid = 0
    listener: socket.socket

    def here(self) -> socket.socket:
        if self.pid != os.getpid():
            self.pid, self.listener = os.getpid(), socket.create_server(("127.0.0.1", 0))
        return self.listener


_listening = _Listening()


def _tcp() -> Ends:
    listener = _listening.here()
    client = socket.create_connection(listener.getsockname())
    server, peer = listener.accept()
    while peer != client.getsockname():  # one whose client could not go on
        server.close()
        server, peer = listener.accept()
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def reset(end: socket.socket) -> None:
    """Close an end so that the other one sees a reset."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    end.close()


def perform(case: Case, path: str, ends: Ends, pause: Callable[[], None] | None = None) -> None:
    """Perform the steps of a case; ``pause`` is called after each piece. Raises :class:`Stuck`."""
    client, server = ends
    unread = {"client": 0, "server": 0}  # bytes in transit, by their sender
    for step in case.steps:
        who: Side = step.who
        end, other = (client, server) if who == "client" else (server, client)
        if step.do == "close":
            end.close()
        elif step.do == "reset":
            reset(end)
        elif step.do == "half-close":
            end.shutdown(socket.SHUT_WR)
        else:
            for data in case.played(step, path):
                unread[who] += move(end, other, data, step.manner)
                if pause is not None:
                    pause()
            if step.manner.read != "never":
                unread[who] = take(other, unread[who], step.manner)


def move(sender: socket.socket, taker: socket.socket, data: bytes, manner: Manner) -> int:
    """Send bytes in as few calls as possible, and read them at once if the manner says so.

    Returns the number of bytes still to be read. Raises :class:`Stuck`.
    """
    unsent, unread = data, 0
    parts = _cut(data, manner.iovecs)
    while unsent:
        try:
            size = SEND[manner.send](sender, parts)
        except BlockingIOError:
            size = 0
        unread += size
        unsent = unsent[size:]
        parts = [unsent]
        if manner.read == "each" or (not size and manner.read == "after"):
            unread = take(taker, unread, manner)
        if not size:
            _wait(sender, select.POLLOUT)
    return unread


def take(end: socket.socket, size: int, manner: Manner) -> int:
    """Read ``size`` bytes; return the number of bytes left, which is 0; raise :class:`Stuck`."""
    looked = not manner.peek
    while size:
        _wait(end, select.POLLIN)
        if not looked:
            end.recv(size, socket.MSG_PEEK)
            end.recvmsg(size, 0, socket.MSG_PEEK)
            looked = True
        came = len(TAKE[manner.take](end, min(size, manner.take_size)))
        if not came:
            raise Stuck("the other end has closed")
        size -= came
    return 0


def _wait(end: socket.socket, what: int) -> None:
    poll = select.poll()
    poll.register(end, what)
    if not poll.poll(WAIT_MS):
        raise Stuck("nothing comes" if what == select.POLLIN else "nothing can be sent")


def _cut(data: bytes, at: tuple[int, ...]) -> list[bytes]:
    places = [0, *at, len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]
