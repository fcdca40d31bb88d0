"""Send requests to a server, many connections at a time, and keep what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.suites.vectors import Kind, Vector
from tests.suites.wire import Answers, answers

#: After this long without a byte a server is taken to wait for more, and gets none.
_QUIET_S: Final = 0.12
_END_S: Final = 4.0
_PAUSE_S: Final = 0.003

SECOND_PATH: Final = "/suites-second"
SECOND: Final = f"GET {SECOND_PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

WHOLE, HALVES, BYTES, PAIR = "whole", "in two", "byte by byte", "two in a pipeline"
MANNERS: Final = (WHOLE, HALVES, BYTES, PAIR)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A vector, and how it is sent."""

    vector: Vector
    manner: str

    @property
    def name(self) -> str:
        """What it is called in the report."""
        return f"{self.vector.suite}: {self.vector.name}, {self.manner}"

    @property
    def pieces(self) -> list[bytes]:
        """What is sent, one write each."""
        data = self.vector.data
        if self.manner == HALVES:
            middle = max(1, len(data) // 2)
            return [data[:middle], data[middle:]]
        if self.manner == BYTES:
            return [data[at : at + 1] for at in range(len(data))]
        if self.manner == PAIR:
            return [data + SECOND]
        return [data]


@dataclass(frozen=True, slots=True)
class Played:
    """What went through a connection: pieces in their order, of requests and of responses."""

    pieces: tuple[tuple[Kind, bytes], ...]

    @property
    def answers(self) -> Answers:
        """What the server sent."""
        return answers(b"".join(data for kind, data in self.pieces if kind == "response"))


def play(exchanges: Sequence[Exchange], port: int) -> list[Played]:
    """Play exchanges, each on a connection of its own, all at once; return what went through."""

    async def all_of_them() -> list[Played]:
        return await asyncio.gather(*(_play(one.pieces, port) for one in exchanges))

    return asyncio.run(all_of_them())


async def _play(pieces: list[bytes], port: int) -> Played:
    loop = asyncio.get_running_loop()
    with socket.socket() as end:
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(end, ("127.0.0.1", port))
        went: list[tuple[Kind, bytes]] = []
        news = asyncio.Event()
        reading = asyncio.ensure_future(_read(end, went, news))
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                if piece:
                    await loop.sock_sendall(end, piece)
                    went.append(("request", piece))
                    await asyncio.sleep(_PAUSE_S if len(pieces) == 2 else 0)
        while not reading.done():
            news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(news.wait(), _QUIET_S)
            if not news.is_set():
                break
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reading, _END_S)
        return Played(tuple(went))


async def _read(end: socket.socket, went: list[tuple[Kind, bytes]], news: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while data := await loop.sock_recv(end, 65536):
            went.append(("response", data))
            news.set()
    news.set()
