"""Every response vector to every client, in every manner: httptop's rows are the client's word."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from httptop.config.scope import limited
from httptop.model import SIDES
from tests.live.live import Watch
from tests.suites.compare import UNANSWERED, Difference, Seen, seen_in
from tests.suites.play import BYTES, HALVES, WHOLE, Exchange
from tests.suites.requests_to_servers import Result
from tests.suites.vectors import Vector
from tests.zoo.running import PYTHON

_AGENTS: Final = Path(__file__).parent / "agents"
_BATCH: Final = 96
_MOST: Final = 960
_SETTLE_S: Final = 0.5
_TIMEOUT_S: Final = 120
_PAUSE_S: Final = 0.003
_SWITCHING: Final = 101
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] +([1-9][0-9]{2})")


def exchanges_of(vectors: Sequence[Vector]) -> list[Exchange]:
    """Return every vector in every manner that a client can be answered in."""
    return [Exchange(one, manner) for one in vectors for manner in (WHOLE, HALVES, BYTES)]


@dataclass(frozen=True)
class Client:
    """One client: ``ask`` takes addresses and returns the status that each got, or 0."""

    name: str
    needs: str
    ask: Callable[[Sequence[str]], dict[str, int]]


def _said(command: Sequence[str], text: str = "") -> str:
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    return done.stdout


def _agent(*command: str) -> Callable[[Sequence[str]], dict[str, int]]:
    def ask(addresses: Sequence[str]) -> dict[str, int]:
        lines = _said(command, "\n".join(addresses)).splitlines()
        return {line.split()[0]: int(line.split()[1]) for line in lines}

    return ask


def _curl(addresses: Sequence[str]) -> dict[str, int]:
    command = [
        "curl",
        "-sS",
        "-m",
        "3",
        "-Z",
        "-H",
        "Connection: close",
        "-w",
        "%{url} %{http_code} %{exitcode}\n",
    ]
    outputs = [argument for _ in addresses for argument in ("-o", "/dev/null")]
    lines = _said([*command, *outputs, *addresses]).splitlines()
    found = {}
    for line in lines:
        if match := re.search(r"(http\S+) (\d{3}) (\d+)$", line):
            found[match[1]] = 0 if int(match[3]) else int(match[2])
    return found


def _wget(addresses: Sequence[str]) -> dict[str, int]:
    found = {}
    for address in addresses:
        command = ["wget", "-q", "-S", "-O", "/dev/null", "-t", "1", "-T", "3", "--max-redirect=0"]
        done = subprocess.run(
            [*command, address], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
        codes = [int(one) for one in _STATUS.findall(done.stderr) if int(one) >= 200]
        # 8: the server said that something was an error.
        found[address] = codes[-1] if codes and done.returncode in (0, 8) else 0
    return found


CLIENTS: Final = (
    Client("curl", shutil.which("curl") or "curl", _curl),
    Client("wget", shutil.which("wget") or "wget", _wget),
    *(
        Client(name, str(PYTHON), _agent(str(PYTHON), str(_AGENTS / "python_client.py"), name))
        for name in ("http.client", "httpx", "aiohttp")
    ),
    *(
        Client(
            f"Node {name}",
            shutil.which("node") or "node",
            _agent("node", str(_AGENTS / "node_client.js"), name),
        )
        for name in ("http", "fetch")
    ),
)


class Sender:
    """A server that answers each path with the vector that it stands for, and closes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.exchanges: dict[str, Exchange] = {}
        #: How often each path was asked for: some clients try again.
        self.asked: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Listen, in a thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        async def begin() -> None:
            await asyncio.start_server(self._answer, sock=self._listener)

        self._loop.run_until_complete(begin())
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split()[1].decode()
            self.asked[path] += 1
            one = self.exchanges[path]
            for piece in one.pieces:
                if writer.transport.is_closing():
                    break
                writer.write(piece)
                await asyncio.sleep(_PAUSE_S if one.manner == HALVES else 0)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()


def play_all(client: Client, exchanges: Sequence[Exchange]) -> Result:
    """Play the exchanges to one client."""
    result = Result(client.name)
    for at in range(0, len(exchanges), _MOST):
        with Sender() as sender, Watch(scope=limited(f"port = {sender.port}")) as watch:
            some = exchanges[at : at + _MOST]
            for begin in range(0, len(some), _BATCH):
                batch = some[begin : begin + _BATCH]
                result.different.extend(_played(watch, sender, client, batch, begin))
                result.played += len(batch)
    return result


def _played(
    watch: Watch, sender: Sender, client: Client, batch: Sequence[Exchange], begin: int
) -> Iterator[tuple[Exchange, list[Difference]]]:
    paths = [f"/suites-{_name(begin + number)}" for number in range(len(batch))]
    sender.exchanges = dict(zip(paths, batch, strict=True))
    sender.asked.clear()
    before = seen_in(watch.step())
    root = f"http://127.0.0.1:{sender.port}"
    words = client.ask([root + path for path in paths])
    deadline = time.monotonic() + _SETTLE_S
    while True:
        seen = seen_in(watch.step()) - before
        found = {
            path: _differences(path, one, _final(words.get(root + path)), sender.asked[path], seen)
            for path, one in sender.exchanges.items()
        }
        if not any(found.values()) or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for path, differences in found.items():
        if differences:
            yield sender.exchanges[path], differences


def _final(word: int | None) -> int:
    """Return a client's word; 0 where it takes an interim response for the final one."""
    return 0 if word is None or (word < 200 and word != _SWITCHING) else word


def _differences(path: str, one: Exchange, word: int, asked: int, seen: Seen) -> list[Difference]:
    """Compare the rows of a path with the client's word; an error leaves several readings.

    A client may also have sent the request on a connection that was being closed.
    """
    sent = {int(status) for status in _STATUS.findall(one.vector.data)}
    found = []
    for side in SIDES:
        rows = Counter({key[2]: n for key, n in seen.rows[side].items() if key[1] == path})
        statuses = Counter({status: n for status, n in rows.items() if status > 0})
        if word and (set(statuses) != {word} or statuses.total() > asked):
            found.append(Difference(side, _kind(rows, word), f"{dict(rows)}, the client {word}"))
        elif not word and (statuses.total() > asked or not statuses.keys() <= sent):
            found.append(Difference(side, "invented", f"{dict(rows)}, the client has an error"))
    return found


def _kind(rows: Counter[int], word: int) -> str:
    if rows[0]:
        return "an unknown outcome"
    if rows[UNANSWERED] and not rows[word]:
        return "a status is missing"
    return "a wrong status" if rows else "no row"


def _name(number: int) -> str:
    """Return letters for a number; no id is in them."""
    return "".join("bcdfghjklm"[int(digit)] for digit in f"{number:04}")
