"""Random conversations over one connection each, and what httptop must count of them.

Each well-formed request has a path that names its kind and what must become of it, as in
``/case/whole-s404``; the rest of what is said are bytes that must not count at all. A conversation
is drawn from a seed of its own, so that one that is counted wrongly can be had again alone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Final

from tests.live.live import connected, connected_unix
from tests.stress.fuzz.moves import transfer
from tests.stress.tallies import Tally

_RESET: Final = struct.pack("ii", 1, 0)
_STATUSES: Final = (200, 200, 201, 204, 304, 404, 500)
_METHODS: Final = ("GET", "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "REPORT", "get")
_DECOY: Final = b"GET /fuzz-decoy HTTP/1.1\r\nHost: x\r\n\r\nHTTP/1.1 599 No\r\n\r\n"
_OTHER: Final = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n", b"*1\r\n$4\r\nPING\r\n", b"EHLO example\r\n", b"GET\r\n",
    b"\0" * 40,
    b"GET /fuzz-decoy HTTP/x.1\r\n\r\n", b"GET /fuzz decoy HTTP/1.1\r\n\r\n", b"GET /fuzz-decoy",
)  # fmt: skip


def _body(dice: random.Random) -> bytes:
    kind = dice.random()
    if kind < 0.3:
        return b""
    if kind < 0.5:
        return _DECOY * dice.randint(1, 4)
    if kind < 0.95:
        return dice.randbytes(dice.randrange(1, 400))
    return dice.randbytes(dice.randrange(10_000, 200_000))


def _chunked(dice: random.Random, body: bytes, *, whole: bool = False) -> bytes:
    found, at = b"", 0
    while at < len(body):
        size = len(body) if whole else dice.randint(1, max(40, len(body) // 5))
        piece = body[at : at + size]
        found += b"%x%s\r\n%s\r\n" % (len(piece), dice.choice((b"", b";a=b")), piece)
        at += size
    return found + b"0\r\n" + dice.choice((b"", b"Trailer: x\r\n")) + b"\r\n"


class Doors:
    """The port that accepts for all threads and processes: each port would be rows of its own.

    Made before they are started.
    """

    def __init__(self) -> None:
        self._one_at_a_time = multiprocessing.Lock()
        four = socket.create_server(("127.0.0.1", 0))
        six = socket.create_server(("::1", four.getsockname()[1]), family=socket.AF_INET6)
        self._listeners = {socket.AF_INET: four, socket.AF_INET6: six}

    @contextlib.contextmanager
    def connected(
        self, family: socket.AddressFamily
    ) -> Iterator[tuple[socket.socket, socket.socket]]:
        """Two ends of a TCP connection: the client's, the server's."""
        with contextlib.ExitStack() as stack:
            with self._one_at_a_time:
                ends = stack.enter_context(connected(family, listener=self._listeners[family]))
            yield ends

    def close(self) -> None:
        """Close them."""
        for listener in self._listeners.values():
            listener.close()


class Conversation:
    """One connection; :meth:`run` talks over it and adds to the tally what must be counted."""

    def __init__(self, seed: str, root: str, tally: Tally, doors: Doors) -> None:
        self.dice = random.Random(seed)
        self._root, self._tally, self._doors = root, tally, doors
        self.client: socket.socket
        self.server: socket.socket

    def run(self, kinds: tuple[str, ...]) -> str:
        """Have a conversation of one of these kinds; return which it was."""
        kind = self.dice.choice(kinds)
        family = self.dice.choice((socket.AF_INET, socket.AF_INET, socket.AF_INET6, None))
        ends = connected_unix() if family is None else self._doors.connected(family)
        with ends as (self.client, self.server):
            for end in (self.client, self.server):
                end.setblocking(False)
            try:
                KINDS[kind](self)
            finally:
                with contextlib.suppress(OSError):
                    self.client.close()
                with contextlib.suppress(OSError):
                    self.server.close()
        return kind

    # ---- parts

    def path(self, kind: str, status: int | str, server: int | str | None = None) -> str:
        """Return a request's path, with what must become of it counted on both sides."""
        name = f"s{status}" if isinstance(status, int) else status
        path = f"{self._root}/{kind}-{name}"
        for side, outcome in (("client", status), ("server", server or status)):
            key = "unanswered" if outcome in ("never", "unread") else str(outcome)
            self._tally[side, path, key] += 1
        return path

    def request(self, method: str, path: str, *, small: bool = False) -> tuple[bytes, int]:
        """Return a request, and from where on it may be moved by sendfile and splice.

        Of a chunked body these would hide the chunks' lengths (tests/live/test_fuzz_sockets.py).
        """
        dice = self.dice
        lines = [f"{method} {path}{dice.choice(('', '', '?a=1&b=2'))} HTTP/1.1", "Host: fuzz"]
        if dice.random() < 0.3:
            lines.append("X-Long: " + "y" * dice.randrange(20 if small else 2000))
        body = b""
        if method in ("POST", "PUT"):
            body = _body(dice)[: 100 if small else None]
            if not small and dice.random() < 0.3:
                body = _chunked(dice, body)
                lines.append("Transfer-Encoding: chunked")
            else:
                lines.append(dice.choice(("Content-Length: ", "content-length:")) + str(len(body)))
        head = "\r\n".join((*lines, "", "")).encode()
        chunked = "Transfer-Encoding: chunked" in lines
        return head + body, len(head + body) if chunked else len(head)

    def response(self, method: str, status: int, *, small: bool = False) -> tuple[bytes, int]:
        """Return a response, and where its body begins."""
        dice = self.dice
        body = _body(dice)[: 100 if small else None]
        lines = [f"HTTP/1.1 {status} Some"]
        bodyless = method == "HEAD" or status in (204, 304)
        if dice.random() < 0.3 and not bodyless:
            body = _chunked(dice, body, whole=small)
            lines.append("Transfer-Encoding: chunked")
        elif status != 204:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join((*lines, "Server: fuzz", "", "")).encode()
        return head + (b"" if bodyless else body), len(head)

    def ask(self, data: bytes, body_at: int) -> None:
        """Move bytes from the client to the server."""
        transfer(self.dice, self.client, self.server, data, body_at)

    def reply(self, data: bytes, body_at: int) -> None:
        """Move bytes from the server to the client."""
        transfer(self.dice, self.server, self.client, data, body_at)

    def change_hands(self) -> None:
        """Go on with another descriptor of the same socket."""
        name = self.dice.choice(("client", "server"))
        end = getattr(self, name)
        setattr(self, name, end.dup())
        end.close()

    def exchanges(self, most: int = 4) -> None:
        """Exchange a few requests and responses, one after the other.

        Of all kinds of conversations alike: their own paths would be six times as many rows.
        """
        dice = self.dice
        for _ in range(dice.randint(1, most)):
            method, status = dice.choice(_METHODS), dice.choice(_STATUSES)
            self.ask(*self.request(method, self.path("exchange", status)))
            if dice.random() < 0.2:
                self.change_hands()
            if method == "POST" and dice.random() < 0.3:
                interim = b"HTTP/1.1 100 Continue\r\n\r\n"
                self.reply(interim, len(interim))
            self.reply(*self.response(method, status))

    def end(self) -> None:
        """End the connection in one of the ways that there are."""
        ends = [self.client, self.server]
        self.dice.shuffle(ends)
        way = self.dice.random()
        if way < 0.3:
            ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        elif way < 0.5:
            ends[0].shutdown(socket.SHUT_WR)
        elif way < 0.6:
            ends[0].shutdown(socket.SHUT_RDWR)
        for end in ends:
            end.close()


# ---- kinds -----------------------------------------------------------------------------------


def _whole(talk: Conversation) -> None:
    talk.exchanges()
    talk.end()


def _pipelined(talk: Conversation) -> None:
    """Few, or more than the kernel goes through in one call."""
    dice = talk.dice
    for _ in range(dice.randint(1, 3)):
        count = dice.choice((2, 3, 4, 5, 5, 40, 120))
        asked = [(dice.choice(_METHODS), dice.choice(_STATUSES)) for _ in range(count)]
        requests = [
            talk.request(method, talk.path("pipelined", status), small=True)[0]
            for method, status in asked
        ]
        responses = [talk.response(*each, small=True)[0] for each in asked]
        for messages, move in ((requests, talk.ask), (responses, talk.reply)):
            data = b"".join(messages)
            move(data, len(data))
    talk.end()


def _early(talk: Conversation) -> None:
    status = talk.dice.choice((200, 413))
    head = f"POST {talk.path('early', status)} HTTP/1.1\r\nContent-Length: 3000\r\n\r\n".encode()
    body = (_DECOY * 60)[:3000]
    some = talk.dice.randrange(3000)
    talk.ask(head + body[:some], len(head))
    talk.reply(b"HTTP/1.1 %d Early\r\nContent-Length: 0\r\n\r\n" % status, 1 << 20)
    if some < 3000:
        talk.ask(body[some:], 0)
    talk.exchanges(2)
    talk.end()


def _never(talk: Conversation) -> None:
    if talk.dice.random() < 0.5:
        talk.exchanges(2)
    for _ in range(talk.dice.randint(1, 3)):
        method = talk.dice.choice(("GET", "HEAD", "POST"))
        talk.ask(*talk.request(method, talk.path("x", "never"), small=True))
    talk.end()


def _unread(talk: Conversation) -> None:
    talk.ask(*talk.request("GET", talk.path("x", "unread", 200)))
    talk.server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    talk.end()


def _tunnel(talk: Conversation) -> None:
    talk.exchanges(2)
    talk.ask(*talk.request("GET", talk.path("tunnel", 101)))
    reply = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: fuzz\r\n\r\n"
    talk.reply(reply, len(reply))
    for _ in range(3):
        talk.ask(_DECOY + talk.dice.randbytes(50), 0)
        talk.reply(_DECOY + talk.dice.randbytes(50), 0)
    talk.end()


def _garbage(talk: Conversation) -> None:
    data = talk.dice.choice((*_OTHER, talk.dice.randbytes(300)))
    talk.ask(data, len(data))
    if talk.dice.random() < 0.5:
        data = talk.dice.choice((*_OTHER, talk.dice.randbytes(300)))
        talk.reply(data, len(data))
    talk.end()


def _garbage_after(talk: Conversation) -> None:
    talk.exchanges()
    data = talk.dice.choice((b"\0", b"\x16\x03\x01")) + talk.dice.randbytes(300)
    talk.ask(data, len(data))
    talk.end()


def _head_cut(talk: Conversation) -> None:
    if talk.dice.random() < 0.5:
        talk.exchanges(2)
    head = b"GET /fuzz-decoy HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n"
    head = head[: talk.dice.randrange(1, len(head) - 1)]
    talk.ask(head, len(head))
    talk.end()


def _forked(talk: Conversation) -> None:
    """This process reads the server's end; a child sends the responses."""
    status = talk.dice.choice((200, 404, 500))
    talk.ask(*talk.request("GET", talk.path("forked", status)))
    reply = b"HTTP/1.1 %d Some\r\nContent-Length: 2\r\n\r\nok" % status
    pid = os.fork()
    if not pid:
        try:
            os.write(talk.server.fileno(), reply)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert talk.client.recv(100) == reply
    talk.exchanges(2)
    talk.end()


KINDS: Final[dict[str, Callable[[Conversation], None]]] = {
    "whole": _whole,
    "pipelined": _pipelined,
    "early": _early,
    "never": _never,
    "unread": _unread,
    "tunnel": _tunnel,
    "garbage": _garbage,
    "garbage-after": _garbage_after,
    "head-cut": _head_cut,
    "forked": _forked,
}


def seeds(seed: str) -> Iterator[str]:
    """Yield the seeds of one conversation after the other."""
    number = 0
    while True:
        yield f"{seed}/{number}"
        number += 1
